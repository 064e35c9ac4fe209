use std::sync::Arc;

use datafusion::catalog::MemTable;
use profile_export::export::{Export, Plan, UnionSchemas};
use profile_export::platform::merge_policies;
use profile_export::request::{AdditionalFields, EventList, ExportRequest, MergePolicy};
use profile_export::store::Store;
use profile_export_datafusion::ProfileTable;

use crate::{explained, retailer, rows, session, sorted, texts};

fn policies(store: &Store) -> Vec<MergePolicy> {
    let policies = merge_policies(store.catalog()).expect("policies");
    assert!(policies.len() > 2, "the retailer has some of its own");
    policies
}

#[tokio::test]
async fn its_rows_are_those_of_an_export_by_the_same_policy() {
    let (_folder, store) = retailer();
    let snapshot = store.snapshot(None).expect("a snapshot");
    for policy in policies(&store) {
        let request = ExportRequest {
            additional_fields: Some(AdditionalFields {
                event_list: Some(EventList::default()),
            }),
            ..ExportRequest::default()
        };
        let unions = UnionSchemas::from(&snapshot);
        let plan = Plan::new(&request, policy.clone(), &unions).expect("a plan");
        let export = Export::new(&snapshot, &plan).expect("an export");
        let exported = export.batch(0).chunks().collect::<Result<Vec<_>, _>>();

        let table = ProfileTable::new(&snapshot, policy).expect("a table");
        let context = session();
        context.register_table("p", Arc::new(table)).expect("new");
        let found = sorted(&context, "SELECT * FROM p").await;
        assert!(found.len() > 20);
        assert_eq!(found, texts(&exported.expect("rows")));
    }
}

#[tokio::test]
async fn only_what_is_asked_for_is_read() {
    let (_folder, store) = retailer();
    let snapshot = store.snapshot(None).expect("a snapshot");
    let policy = policies(&store).swap_remove(0);
    let table = ProfileTable::new(&snapshot, policy).expect("a table");
    let context = session();
    context.register_table("p", Arc::new(table)).expect("new");

    let plan = explained(&context, "SELECT person FROM p").await;
    assert!(plan.contains("columns=[person]"), "{plan}");
    let all = rows(&context, "SELECT person FROM p").await;
    let all: usize = all.iter().map(|rows| rows.num_rows()).sum();
    let counted = sorted(&context, "SELECT count(*) AS n FROM p").await;
    assert_eq!(counted, [format!("{{\"n\":{all}}}")]);
    let events = "SELECT sum(array_length(\"timeSeriesEvents\")) AS n FROM p";
    assert_ne!(sorted(&context, events).await, ["{\"n\":0}"]);
    let few = rows(&context, "SELECT person FROM p LIMIT 3").await;
    assert_eq!(few.iter().map(|rows| rows.num_rows()).sum::<usize>(), 3);
}

#[tokio::test]
async fn the_store_selects_members_and_the_rows_are_the_same() {
    let (_folder, store) = retailer();
    let snapshot = store.snapshot(None).expect("a snapshot");
    for policy in policies(&store) {
        let table = ProfileTable::new(&snapshot, policy).expect("a table");
        let context = session();
        context.register_table("p", Arc::new(table)).expect("new");
        // The same rows, of which nobody selects any before the condition does.
        let all = rows(&context, "SELECT * FROM p").await;
        let plain = MemTable::try_new(all[0].schema(), vec![all]).expect("a table");
        context.register_table("m", Arc::new(plain)).expect("new");

        let of = |id: &str| format!("\"segmentMembership\"['AAM']['{id}']['status']");
        let (shoppers, others) = (
            of("holiday-shoppers"),
            of("4edc8ad7-1e2d-4d6a-9c3b-0d1c7d6f2a10"),
        );
        let pushed = [
            format!("{shoppers} = 'realized'"),
            format!("'exited' = {shoppers}"),
            format!("{shoppers} IN ('realized', 'existing')"),
            format!("{shoppers} = 'realized' OR {others} = 'realized'"),
            format!("{shoppers} = 'realized' AND {others} = 'realized'"),
            format!("{shoppers} = 'realized' AND \"person\" IS NOT NULL"),
        ];
        let own = [
            format!("{shoppers} IS NOT NULL"),
            format!("{shoppers} IS NULL"),
            format!("NOT ({shoppers} = 'realized')"),
            format!("{shoppers} = 'realized' OR \"person\" IS NULL"),
            format!("{shoppers} = 'nonsense'"),
            format!("{shoppers} NOT IN ('realized')"),
        ];
        for (conditions, is_pushed) in [(&pushed, true), (&own, false)] {
            for condition in conditions {
                let plan = explained(&context, &format!("SELECT * FROM p WHERE {condition}")).await;
                assert_eq!(
                    plan.contains("segments=["),
                    is_pushed,
                    "{condition}\n{plan}"
                );
                let [ours, theirs] =
                    ["p", "m"].map(|table| format!("SELECT * FROM {table} WHERE {condition}"));
                let ours = sorted(&context, &ours).await;
                assert_eq!(ours, sorted(&context, &theirs).await, "{condition}");
            }
        }
        let some = format!("SELECT 1 FROM p WHERE {shoppers} = 'realized'");
        assert!(!sorted(&context, &some).await.is_empty());
    }
}
