//! How namespaces are spelled where nobody noted it: in stores that an earlier program loaded.

use std::collections::BTreeSet;

use profile_export::export::{Export, Plan, Snapshot, UnionSchemas, json_values};
use profile_export::request::{ExportRequest, MergePolicy};
use profile_export::xdm::{Class, Namespaces};
use serde_json::{Value, json};

use crate::scratch::Scratch;

const CRM: &str = "0000000000000000000000a1";
const SHOP: &str = "0000000000000000000000a2";

fn person(id: u32, namespace: &str) -> Value {
    json!({"identityMap": {namespace: [{"id": id.to_string()}]}})
}

#[test]
fn the_oldest_run_says_it_and_of_two_ways_there_the_first_in_order_does() {
    let scratch = Scratch::new();
    scratch.dataset(CRM, Class::Profile, json!({}));
    scratch.dataset(SHOP, Class::Profile, json!({}));
    let first = [
        person(1, "loyaltyId"),
        person(2, "LoyaltyID"),
        person(3, "ecid"),
    ];
    scratch.load(CRM, &first).unwrap();
    let second = [person(4, "LOYALTYID"), person(5, "shop"), person(6, "Shop")];
    scratch.load(SHOP, &second).unwrap();
    let mut snapshot = scratch.store.snapshot(None).unwrap();
    let spelled = |snapshot: &Snapshot| {
        let [policy, _] = MergePolicy::built_in();
        let plan = Plan::new(
            &ExportRequest::default(),
            policy,
            &UnionSchemas::from(snapshot),
        );
        let export = Export::new(snapshot, &plan.unwrap()).unwrap();
        let rows = export.batch(0).chunks();
        let rows = rows.flat_map(|chunk| json_values(&chunk.unwrap()).unwrap());
        let maps = rows.map(|row| row["identityMap"].as_object().unwrap().clone());
        let keys = maps.flat_map(|map| map.keys().cloned().collect::<Vec<_>>());
        keys.collect::<BTreeSet<String>>()
    };
    let set = |names: [&str; 3]| BTreeSet::from(names.map(str::to_owned));
    assert_eq!(spelled(&snapshot), set(["ECID", "loyaltyId", "shop"]));
    snapshot.namespaces = Namespaces::default();
    assert_eq!(spelled(&snapshot), set(["ECID", "LoyaltyID", "Shop"]));
}
