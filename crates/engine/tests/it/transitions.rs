//! Memberships over many evaluations of changing data, against the plain reference: any policies, any order of loads,
//! merges of people, opt-outs, definitions that go and come.

use std::collections::BTreeMap;
use std::sync::Arc;

use profile_export::jobs::JobStatus;
use profile_export::platform::{
    SegmentJobTarget, delete_segment, evaluate_segments, put_merge_policy, put_segment,
};
use profile_export::request::MergePolicy;
use profile_export::xdm::{Class, Dataset, Timestamp};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use crate::generate::runner;
use crate::reference::Reference;
use crate::reference::evaluated::{Counts, Definition, Takes};
use crate::scratch::{Scratch, request, sorted};

const CRM: &str = "0000000000000000000000c1";
const WEB: &str = "0000000000000000000000c2";
const VISITS: &str = "0000000000000000000000e1";

const DAY: i64 = 24 * 60 * 60 * 1_000_000;

#[derive(Clone, Debug)]
enum Step {
    Load(&'static str, Vec<Value>),
    /// These segments, at a day.
    Evaluate(Vec<&'static str>, i64),
    /// Takes a definition away, or brings it back.
    Toggle(&'static str),
    /// Deletes whatever was evaluated.
    Forget,
    Compact,
}

/// What is evaluated: an ID, the expression, whom it takes, whether those too who opted out.
const SEGMENTS: [(&str, &str, Takes, bool); 5] = [
    ("grown", "person.age >= 2", is_grown, true),
    (
        "buyers",
        r#"xEvent[eventType = "buy"].count() > 0"#,
        has_bought,
        true,
    ),
    (
        "lately",
        "xEvent[timestamp occurs <= 10 days before now].count() > 0",
        was_here_lately,
        true,
    ),
    (
        "both",
        r#"inSegment("grown") and inSegment("buyers")"#,
        |row, events, now| is_grown(row, events, now) && has_bought(row, events, now),
        true,
    ),
    ("anybody-grown", "person.age >= 2", is_grown, false),
];
/// Those that no other asks for.
const NOT_ASKED: [&str; 3] = ["lately", "both", "anybody-grown"];

fn is_grown(row: &Value, _: &[Value], _: i64) -> bool {
    row["person"]["age"].as_f64().is_some_and(|age| age >= 2.0)
}

fn has_bought(_: &Value, events: &[Value], _: i64) -> bool {
    events.iter().any(|event| event["eventType"] == "buy")
}

fn was_here_lately(_: &Value, events: &[Value], now: i64) -> bool {
    let times = events
        .iter()
        .map(|event| event["timestamp"]["µs"].as_i64().unwrap());
    let mut ages = times.map(|time| now - time);
    ages.any(|age| (0..=10 * DAY).contains(&age))
}

fn policies() -> [Value; 3] {
    let policy = |id: &str, graph: &str, merge: Value| {
        json!({"id": id, "schema": {"name": "_xdm.context.profile"},
            "identityGraph": {"type": graph}, "attributeMerge": merge})
    };
    [
        policy("alone", "none", json!({"type": "timestampOrdered"})),
        policy("joined", "pdg", json!({"type": "timestampOrdered"})),
        policy(
            "crm",
            "pdg",
            json!({"type": "dataSetPrecedence", "order": [CRM, VISITS]}),
        ),
    ]
}

/// Microseconds of a day's midnight.
fn midnight(day: i64) -> i64 {
    Timestamp::parse("2026-01-01T00:00:00Z").unwrap().micros() + (day - 1) * DAY
}

/// Noon of a day: never a bound of an evaluation at midnight.
fn noon() -> impl Strategy<Value = String> {
    (1..29u32).prop_map(|day| format!("2026-01-{day:02}T12:00:00Z"))
}

fn identity_map() -> impl Strategy<Value = Value> {
    let id = || select(&["a", "b", "c"][..]);
    (id(), weighted(0.4, id())).prop_map(|(crm, email)| match email {
        None => json!({"CRMID": [{"id": crm, "primary": true}]}),
        Some(email) => json!({"CRMID": [{"id": crm, "primary": true}], "Email": [{"id": email}]}),
    })
}

fn profile() -> impl Strategy<Value = Value> {
    let status = weighted(0.9, select(&["realized", "existing", "exited", "odd"][..]));
    let brought = (
        select(&["grown", "both", "else"][..]),
        status,
        weighted(0.9, noon()),
    );
    let opt_out = weighted(0.2, select(&["out", "in"][..]));
    let age = weighted(0.8, 0..4u32);
    (identity_map(), noon(), age, weighted(0.3, brought), opt_out).prop_map(
        |(map, ingested, age, brought, opt_out)| {
            let mut record = json!({"identityMap": map, "ingestedAt": ingested});
            if let Some(age) = age {
                record["person"] = json!({"age": age});
            }
            if let Some((segment, status, time)) = brought {
                let mut membership = json!({});
                if let Some(status) = status {
                    membership["status"] = json!(status);
                }
                if let Some(time) = time {
                    membership["lastQualificationTime"] = json!(time);
                }
                let mut segments = json!({});
                segments[segment] = membership;
                record["segmentMembership"] = json!({"UPS": segments});
            }
            if let Some(value) = opt_out {
                record["privacyOptOuts"] =
                    json!([{"optOutType": "general_opt_out", "optOutValue": value}]);
            }
            record
        },
    )
}

fn event() -> impl Strategy<Value = Value> {
    let kind = select(&["buy", "visit"][..]);
    (0..40u32, identity_map(), noon(), kind).prop_map(|(id, map, time, kind)| {
        json!({"_id": format!("e{id}"), "identityMap": map, "timestamp": time, "eventType": kind, "ingestedAt": time})
    })
}

fn step() -> impl Strategy<Value = Step> {
    let all: Vec<&str> = SEGMENTS.iter().map(|(id, ..)| *id).collect();
    prop_oneof![
        4 => (select(&[CRM, WEB][..]), vec(profile(), 1..5)).prop_map(|(d, r)| Step::Load(d, r)),
        2 => vec(event(), 1..4).prop_map(|r| Step::Load(VISITS, r)),
        6 => (subsequence(all, 1..=5), 1..90i64).prop_map(|(ids, day)| Step::Evaluate(ids, day)),
        1 => select(&NOT_ASKED[..]).prop_map(Step::Toggle),
        1 => Just(Step::Forget),
        1 => Just(Step::Compact),
    ]
}

#[test]
fn evaluations_leave_the_memberships_that_the_reference_says() {
    let policy_of_each = vec(0..3usize, SEGMENTS.len());
    runner(150, 5_000)
        .run(
            &(vec(step(), 2..14), policy_of_each),
            |(steps, policies)| {
                Walk::new(&policies).run(&steps);
                Ok(())
            },
        )
        .unwrap();
}

/// A store and the reference, beside each other.
struct Walk {
    scratch: Scratch,
    reference: Reference,
    definitions: Vec<Definition>,
    /// Of all definitions those that are in the store.
    known: Vec<&'static str>,
    /// How many evaluations there were.
    evaluations: u32,
}

impl Walk {
    fn new(policy_of_each: &[usize]) -> Self {
        let policies = policies();
        let definitions = SEGMENTS.iter().zip(policy_of_each);
        let definitions = definitions.map(|((id, _, takes, excludes), policy)| Definition {
            id,
            policy: policies[*policy].clone(),
            takes: *takes,
            excludes_opt_outs: *excludes,
        });
        let mut walk = Self {
            scratch: Scratch::new(),
            reference: Reference::default(),
            definitions: definitions.collect(),
            known: Vec::new(),
            evaluations: 0,
        };
        for policy in policies {
            let policy: MergePolicy = serde_json::from_value(policy).unwrap();
            put_merge_policy(walk.scratch.store.catalog(), policy, Timestamp::default()).unwrap();
        }
        for (id, class) in [
            (CRM, Class::Profile),
            (WEB, Class::Profile),
            (VISITS, Class::Event),
        ] {
            let more = json!({"ingestedAtField": "ingestedAt"});
            walk.scratch.dataset(id, class, more);
            walk.reference.dataset(id, class == Class::Event, None);
        }
        walk.reference
            .dataset(Dataset::EVALUATED_MEMBERSHIPS, false, None);
        // Whoever has all the fields that expressions name, so that they are known.
        let map = json!({"CRMID": [{"id": "first", "primary": true}]});
        let opt_outs = json!([{"optOutType": "general_opt_out", "optOutValue": "in"}]);
        let first = json!({"identityMap": map, "person": {"age": 0}, "privacyOptOuts": opt_outs,
            "ingestedAt": "2026-01-01T00:00:00Z"});
        let event = json!({"_id": "first", "identityMap": map, "timestamp": "2020-01-01T00:00:00Z",
            "eventType": "visit", "ingestedAt": "2026-01-01T00:00:00Z"});
        walk.load(CRM, &[first]);
        walk.load(VISITS, &[event]);
        for (id, ..) in SEGMENTS {
            walk.toggle(id);
        }
        walk
    }

    fn load(&mut self, dataset: &str, records: &[Value]) {
        self.scratch.load(dataset, records).unwrap();
        self.reference.load(dataset, records);
    }

    fn toggle(&mut self, segment: &str) {
        let catalog = self.scratch.store.catalog();
        if self.known.contains(&segment) {
            self.known.retain(|id| *id != segment);
            delete_segment(catalog, segment).unwrap();
            return;
        }
        let at = SEGMENTS.iter().position(|(id, ..)| *id == segment).unwrap();
        let (id, expression, _, excludes_opt_outs) = SEGMENTS[at];
        let definition = json!({
            "id": id,
            "mergePolicyId": self.definitions[at].policy["id"],
            "dataGovernancePolicy": {"excludeOptOut": excludes_opt_outs},
            "expression": {"type": "PQL", "format": "pql/text", "value": expression},
        });
        put_segment(catalog, definition).unwrap();
        self.known.push(id);
    }

    fn run(mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Load(dataset, records) => self.load(dataset, records),
                Step::Evaluate(ids, day) => self.evaluate(ids, *day),
                Step::Toggle(segment) => self.toggle(segment),
                Step::Forget => {
                    let catalog = self.scratch.store.catalog();
                    if catalog
                        .dataset(Dataset::EVALUATED_MEMBERSHIPS)
                        .unwrap()
                        .is_some()
                    {
                        catalog
                            .delete_dataset(Dataset::EVALUATED_MEMBERSHIPS)
                            .unwrap();
                    }
                    self.reference.forget_evaluated();
                }
                Step::Compact => drop(self.scratch.store.compact().unwrap()),
            }
        }
        self.scratch.store.verify().unwrap();
    }

    fn evaluate(&mut self, ids: &[&'static str], day: i64) {
        let ids: Vec<&'static str> = ids
            .iter()
            .filter(|id| self.known.contains(id))
            .copied()
            .collect();
        if ids.is_empty() {
            return;
        }
        let now = midnight(day);
        let names = ids.iter().map(|id| (*id).to_owned()).collect();
        let job = evaluate_segments(
            &self.scratch.store,
            &SegmentJobTarget::Segments(names),
            Timestamp::from_micros(now),
            &Arc::default(),
        )
        .unwrap();
        assert_eq!(job.status, JobStatus::Succeeded);
        self.evaluations += 1;
        let evaluated = self.definitions.iter().filter(|one| ids.contains(&one.id));
        let evaluated: Vec<Definition> = evaluated.cloned().collect();
        let written_at = format!("2020-01-01T00:00:{:02}Z", self.evaluations);
        let expected = self
            .reference
            .evaluate(&evaluated, &self.known, now, &written_at);
        let metrics = &job.metrics;
        let found: BTreeMap<&str, Counts> = expected
            .keys()
            .map(|id| {
                let of = &metrics.segmented_profile_by_status_counter[*id];
                let left = metrics.exited_profile_counter[*id];
                let by_namespace = metrics.segmented_profile_by_namespace_counter.get(*id);
                let counts = Counts {
                    statuses: [of["realized"], of["existing"], of["exited"], left],
                    by_namespace: by_namespace.cloned().unwrap_or_default(),
                };
                (*id, counts)
            })
            .collect();
        assert_eq!(found, expected);
        for policy in policies() {
            let id = policy["id"].as_str().unwrap();
            let of_policy: Vec<&Definition> = (evaluated.iter())
                .filter(|one| one.policy["id"] == policy["id"])
                .collect();
            let (profiles, opted_out) = self.reference.profile_counts(&policy);
            let total = metrics.total_profiles_by_merge_policy.get(id).copied();
            assert_eq!(total, (!of_policy.is_empty()).then_some(profiles), "{id}");
            // Those that `both` asks for heed opt-outs, too.
            let heeds = of_policy.iter().any(|one| one.excludes_opt_outs);
            let told = metrics.opted_out_profiles_by_merge_policy.get(id).copied();
            let expected = if heeds { opted_out } else { 0 };
            assert_eq!(told.unwrap_or(0), expected, "{id}");
            self.compare(&policy);
        }
    }

    /// What an export by a policy has of everybody.
    fn compare(&self, policy: &Value) {
        let asked = request(json!({
            "mergePolicy": {"id": policy["id"]},
            "fields": "identityMap, segmentMembership",
            "filter": {"emptyProfiles": true},
        }));
        let expected = self.reference.export(&asked, policy).remove(0);
        assert_eq!(sorted(self.scratch.rows(&asked)), sorted(expected));
    }
}
