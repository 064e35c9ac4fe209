//! Memberships that evaluations of segments write: who enters, stays and leaves, and what exports then see.

use std::collections::BTreeMap;
use std::sync::Arc;

use profile_export::jobs::JobStatus;
use profile_export::platform::{
    Result, SegmentJob, SegmentJobTarget, estimate_by_namespace, evaluate_segments,
    expression_schema, policy_of_segment, put_merge_policy, put_segment, segment_jobs,
};
use profile_export::request::MergePolicy;
use profile_export::segment::Segment;
use profile_export::xdm::{Class, Timestamp};
use serde_json::{Value, json};

use crate::explain::export_of;
use crate::scratch::{Scratch, request};

const CRM: &str = "0000000000000000000000c1";
const WEB: &str = "0000000000000000000000c2";
const VISITS: &str = "0000000000000000000000e1";

/// A store with a dataset of profiles by their CRM number, and one of events.
fn store() -> Scratch {
    let scratch = Scratch::new();
    let more = json!({"primaryIdentity": "id=CRMID"});
    scratch.dataset(CRM, Class::Profile, more.clone());
    scratch.dataset(VISITS, Class::Event, json!({}));
    scratch.dataset(WEB, Class::Profile, json!({}));
    let person = json!({"id": "nobody", "person": {"age": 0}, "optIn": false});
    scratch.load(CRM, &[person]).unwrap();
    scratch
}

fn define(scratch: &Scratch, id: &str, expression: &str, more: Value) {
    let mut definition =
        json!({"id": id, "expression": {"type": "PQL", "format": "pql/text", "value": expression}});
    for (key, value) in more.as_object().unwrap() {
        definition[key] = value.clone();
    }
    put_segment(scratch.store.catalog(), definition).unwrap();
}

fn day(n: u32) -> Timestamp {
    let time = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
    Timestamp::from_millis(time.millis() + i64::from(n - 1) * 24 * 60 * 60 * 1000)
}

fn evaluate(scratch: &Scratch, n: u32) -> Result<SegmentJob> {
    evaluate_segments(
        &scratch.store,
        &SegmentJobTarget::All,
        day(n),
        &Arc::default(),
    )
}

/// Realized, existing, exited and newly exited profiles of a segment.
fn counts(job: &SegmentJob, segment: &str) -> [u64; 4] {
    let metrics = &job.metrics;
    let of = &metrics.segmented_profile_by_status_counter[segment];
    [
        of["realized"],
        of["existing"],
        of["exited"],
        metrics.exited_profile_counter[segment],
    ]
}

/// The memberships of each person as `status day`, by the CRM number or e-mail address, as an export has them.
fn standings(scratch: &Scratch, more: Value) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut asked = request(more);
    asked["fields"] = json!("identityMap, id, segmentMembership");
    let rows = scratch.rows(&asked);
    let one = |row: Value| {
        let id = row["id"].as_str().map(str::to_owned).unwrap_or_else(|| {
            let map = row["identityMap"].as_object().unwrap();
            let id = map.values().next().unwrap()[0]["id"].as_str();
            id.unwrap().to_owned()
        });
        let own = row["segmentMembership"]["ups"].as_object();
        let own = own.into_iter().flatten().map(|(segment, membership)| {
            let status = membership["status"].as_str().unwrap();
            let time = membership["lastQualificationTime"]["µs"].as_i64().unwrap();
            let days = (time - day(1).micros()) / (24 * 60 * 60 * 1_000_000) + 1;
            (segment.clone(), format!("{status} {days}"))
        });
        (id, own.collect())
    };
    rows.into_iter().map(one).collect()
}

fn of(standings: &BTreeMap<String, BTreeMap<String, String>>, person: &str) -> Vec<String> {
    let own = standings[person].iter();
    own.map(|(segment, standing)| format!("{segment} {standing}"))
        .collect()
}

fn person(id: &str, age: u32) -> Value {
    json!({"id": id, "person": {"age": age}})
}

#[test]
fn people_enter_stay_leave_and_are_forgotten_thirty_days_later() {
    let scratch = store();
    define(&scratch, "adults", "person.age >= 18", json!({}));
    scratch
        .load(CRM, &[person("ann", 20), person("bob", 10)])
        .unwrap();
    let run = |n| counts(&evaluate(&scratch, n).unwrap(), "adults");
    let standing = |who: &str| of(&standings(&scratch, json!({})), who);
    assert_eq!(run(1), [1, 0, 0, 0]);
    assert_eq!(
        (standing("ann"), standing("bob")),
        (vec!["adults realized 1".to_owned()], vec![])
    );
    scratch.load(CRM, &[person("bob", 18)]).unwrap();
    assert_eq!(run(2), [1, 1, 0, 0]);
    assert_eq!(
        (standing("ann"), standing("bob")),
        (
            vec!["adults existing 1".to_owned()],
            vec!["adults realized 2".to_owned()]
        )
    );
    scratch.load(CRM, &[person("ann", 17)]).unwrap();
    assert_eq!(run(3), [0, 1, 1, 1]);
    assert_eq!(
        (standing("ann"), standing("bob")),
        (
            vec!["adults exited 3".to_owned()],
            vec!["adults existing 2".to_owned()]
        )
    );
    assert_eq!(run(33), [0, 1, 1, 0]);
    assert_eq!(standing("ann"), ["adults exited 3"]);
    assert_eq!(run(34), [0, 1, 0, 0]);
    assert_eq!(standing("ann"), Vec::<String>::new());
    scratch.load(CRM, &[person("ann", 19)]).unwrap();
    scratch.store.compact().unwrap();
    assert_eq!(run(35), [1, 1, 0, 0]);
    let members = json!({"filter": {"segments": [{"segmentId": "adults", "segmentNs": "ups"}]}});
    let found: Vec<String> = standings(&scratch, members).into_keys().collect();
    assert_eq!(found, ["ann", "bob"]);
    scratch.store.verify().unwrap();
}

#[test]
fn what_data_brought_is_where_an_evaluation_begins_and_gives_way_to_it() {
    let scratch = store();
    define(&scratch, "adults", "person.age >= 18", json!({}));
    let brought = |id: &str, age: u32, status: &str| {
        let membership = json!({"status": status, "lastQualificationTime": "2026-01-02T00:00:00Z"});
        let mut record = person(id, age);
        record["segmentMembership"] = json!({"UPS": {"adults": membership, "other": membership}});
        record
    };
    let people = [
        brought("ann", 20, "realized"),
        brought("bob", 10, "realized"),
        brought("carl", 10, "exited"),
        brought("dora", 20, "exited"),
    ];
    scratch.load(CRM, &people).unwrap();
    assert_eq!(
        counts(&evaluate(&scratch, 5).unwrap(), "adults"),
        [1, 1, 2, 1]
    );
    let expected = |all: &BTreeMap<String, BTreeMap<String, String>>| {
        assert_eq!(of(all, "ann")[0], "adults existing 2");
        assert_eq!(of(all, "bob"), ["adults exited 5", "other realized 2"]);
        assert_eq!(of(all, "carl")[0], "adults exited 2");
        assert_eq!(of(all, "dora")[0].split(' ').next_back(), Some("5"));
    };
    expected(&standings(&scratch, json!({})));
    // A policy that knows none of the datasets but one leaves the evaluated ones where they are.
    let order = json!({"type": "dataSetPrecedence", "order": [CRM]});
    let policy: MergePolicy =
        serde_json::from_value(json!({"id": "crm", "attributeMerge": order})).unwrap();
    put_merge_policy(scratch.store.catalog(), policy, day(1)).unwrap();
    expected(&standings(&scratch, json!({"mergePolicy": {"id": "crm"}})));
    // However long ago somebody left, what data says does not bring them back.
    evaluate(&scratch, 99).unwrap();
    assert_eq!(
        of(&standings(&scratch, json!({})), "bob")[0],
        "adults exited 5"
    );
    let members = json!({"filter": {"segments": [{"segmentId": "adults"}]}});
    let found: Vec<String> = standings(&scratch, members).into_keys().collect();
    assert_eq!(found, ["ann", "dora"]);
}

/// Where no segment is asked for, those that the fields show are told, and what is evaluated stands before what data says.
#[test]
fn an_explanation_without_a_segment_tells_what_is_evaluated() {
    let scratch = store();
    define(&scratch, "adults", "person.age >= 18", json!({}));
    let mut bob = person("bob", 10);
    bob["segmentMembership"] = json!({"UPS": {"adults": {"status": "realized"}}});
    scratch.load(CRM, &[bob]).unwrap();
    evaluate(&scratch, 5).unwrap();
    let told = |more: Value| -> Vec<(String, bool)> {
        let export = export_of(&scratch.store, &request(more), "timestampOrdered-none-mp");
        let found = export.explain("CRMID", "bob").unwrap().unwrap();
        let all = found
            .batches
            .into_iter()
            .flat_map(|batch| batch.memberships);
        all.map(|one| (one.status, one.counts)).collect()
    };
    let right = [("exited".to_owned(), false), ("realized".to_owned(), false)];
    assert_eq!(told(json!({})), right);
    assert_eq!(told(json!({"fields": "segmentMembership"})), right);
    assert_eq!(told(json!({"fields": "person.age"})), []);
}

#[test]
fn memberships_make_no_profile_and_move_no_timestamp() {
    let scratch = store();
    define(
        &scratch,
        "visitors",
        "xEvent[eventType = \"visit\"]",
        json!({}),
    );
    let visit = json!({"_id": "v1", "timestamp": "2026-01-01T00:00:00Z", "eventType": "visit",
        "identityMap": {"ECID": [{"id": "e1", "primary": true}]}});
    scratch.load(VISITS, &[visit]).unwrap();
    assert_eq!(
        counts(&evaluate(&scratch, 5).unwrap(), "visitors"),
        [1, 0, 0, 0]
    );
    let segment = json!([{"segmentId": "visitors"}]);
    let with = |empty: bool| {
        let filter = json!({"segments": segment, "emptyProfiles": empty});
        standings(&scratch, json!({"filter": filter}))
    };
    assert_eq!(with(false).len(), 0);
    assert_eq!(of(&with(true), "e1"), ["visitors realized 5"]);
    // The records came in one second after 1970, the evaluation just now.
    let filter = json!({"fromIngestTimestamp": "2000-01-01T00:00:00Z", "emptyProfiles": true});
    assert_eq!(standings(&scratch, json!({"filter": filter})).len(), 0);
    // Who has nothing but memberships is nobody.
    scratch.store.catalog().delete_dataset(VISITS).unwrap();
    assert_eq!(with(true).len(), 0);
    evaluate_nothing(&scratch);
}

/// Nobody is left whom the expression could take.
fn evaluate_nothing(scratch: &Scratch) {
    assert_eq!(
        counts(&evaluate(scratch, 6).unwrap(), "visitors"),
        [0, 0, 0, 0]
    );
}

#[test]
fn each_definition_sees_people_by_its_own_merge_policy() {
    let scratch = store();
    let graph = json!({"mergePolicyId": "timestampOrdered-pdg-mp"});
    define(&scratch, "alone", "person.age >= 18", json!({}));
    define(&scratch, "joined", "person.age >= 18", graph);
    let linked = json!({"identityMap": {"Email": [{"id": "a@x.org", "primary": true}], "CRMID": [{"id": "ann"}]}});
    scratch
        .load(CRM, &[person("ann", 20), person("bob", 20)])
        .unwrap();
    scratch.load(WEB, &[linked]).unwrap();
    for n in [1, 2] {
        let job = evaluate(&scratch, n).unwrap();
        let (entered, stayed) = if n == 1 { (2, 0) } else { (0, 2) };
        assert_eq!(counts(&job, "alone"), [entered, stayed, 0, 0]);
        assert_eq!(counts(&job, "joined"), [entered, stayed, 0, 0]);
        let policies = &job.metrics.total_profiles_by_merge_policy;
        assert_eq!(policies["timestampOrdered-none-mp"], 4);
        assert_eq!(policies["timestampOrdered-pdg-mp"], 3);
        let by_namespace = &job.metrics.segmented_profile_by_namespace_counter;
        assert_eq!(
            json!(by_namespace["joined"]),
            json!({"email": 1, "crmid": 2})
        );
        let word = if n == 1 { "realized" } else { "existing" };
        let both = [format!("alone {word} 1"), format!("joined {word} 1")];
        let alone = standings(&scratch, json!({}));
        assert_eq!(
            (of(&alone, "ann"), of(&alone, "bob")),
            (both.to_vec(), both.to_vec())
        );
        // Each identity of a profile has its memberships, and no other's.
        assert_eq!(of(&alone, "a@x.org"), [format!("joined {word} 1")]);
        let joined = json!({"mergePolicy": {"id": "timestampOrdered-pdg-mp"}});
        assert_eq!(of(&standings(&scratch, joined), "ann"), both);
    }
}

#[test]
fn two_people_who_become_one_keep_what_the_one_of_them_had() {
    let scratch = store();
    let graph = json!({"mergePolicyId": "timestampOrdered-pdg-mp"});
    define(&scratch, "adults", "person.age >= 18", graph.clone());
    scratch.load(CRM, &[person("ann", 20)]).unwrap();
    let alone = json!({"identityMap": {"Email": [{"id": "a@x.org", "primary": true}]}, "person": {"age": 5}});
    scratch.load(WEB, &[alone]).unwrap();
    assert_eq!(
        counts(&evaluate(&scratch, 1).unwrap(), "adults"),
        [1, 0, 0, 0]
    );
    let linked = json!({"identityMap": {"Email": [{"id": "a@x.org", "primary": true}], "CRMID": [{"id": "ann"}]}});
    scratch.load(WEB, &[linked]).unwrap();
    assert_eq!(
        counts(&evaluate(&scratch, 2).unwrap(), "adults"),
        [0, 1, 0, 0]
    );
    let all = standings(&scratch, json!({}));
    assert_eq!(of(&all, "ann"), ["adults existing 1"]);
    assert_eq!(of(&all, "a@x.org"), ["adults existing 1"]);
    scratch.load(CRM, &[person("ann", 7)]).unwrap();
    assert_eq!(
        counts(&evaluate(&scratch, 3).unwrap(), "adults"),
        [0, 0, 1, 1]
    );
    assert_eq!(
        of(&standings(&scratch, json!({})), "a@x.org"),
        ["adults exited 3"]
    );
}

#[test]
fn who_opted_out_is_in_no_segment_that_heeds_it() {
    let scratch = store();
    define(&scratch, "adults", "person.age >= 18", json!({}));
    let heedless = json!({"dataGovernancePolicy": {"excludeOptOut": false}});
    define(&scratch, "all-adults", "person.age >= 18", heedless);
    let mut out = person("ann", 20);
    out["privacyOptOuts"] = json!([{"optOutType": "general_opt_out", "optOutValue": "out"}]);
    let mut other = person("carl", 20);
    other["privacyOptOuts"] = json!([{"optOutType": "general_opt_out", "optOutValue": "in"}]);
    scratch.load(CRM, &[out, other, person("bob", 20)]).unwrap();
    let job = evaluate(&scratch, 1).unwrap();
    assert_eq!(counts(&job, "adults"), [2, 0, 0, 0]);
    assert_eq!(counts(&job, "all-adults"), [3, 0, 0, 0]);
    assert_eq!(
        json!(job.metrics.opted_out_profiles_by_merge_policy),
        json!({"timestampOrdered-none-mp": 1})
    );
    assert_eq!(
        of(&standings(&scratch, json!({})), "ann"),
        ["all-adults realized 1"]
    );
}

#[test]
fn an_evaluation_that_fails_changes_nothing_and_says_why() {
    let scratch = store();
    define(&scratch, "adults", "person.age >= 18", json!({}));
    scratch.load(CRM, &[person("ann", 20)]).unwrap();
    evaluate(&scratch, 1).unwrap();
    let before = standings(&scratch, json!({}));
    define(&scratch, "broken", "person.agee >= 18", json!({}));
    let error = evaluate(&scratch, 2).unwrap_err().to_string();
    assert!(
        error.contains("segment broken: line 1, column 8"),
        "{error}"
    );
    assert_eq!(standings(&scratch, json!({})), before);
    let jobs = segment_jobs(&scratch.store).unwrap();
    let statuses: Vec<JobStatus> = jobs.iter().map(|job| job.status).collect();
    assert_eq!(statuses, [JobStatus::Failed, JobStatus::Succeeded]);
    assert_eq!(jobs[0].errors[0].msg, error);
    // A definition that is gone is never evaluated again: its memberships go with the next evaluation.
    profile_export::platform::delete_segment(scratch.store.catalog(), "broken").unwrap();
    define(&scratch, "second", "person.age >= 18", json!({}));
    evaluate(&scratch, 3).unwrap();
    profile_export::platform::delete_segment(scratch.store.catalog(), "adults").unwrap();
    evaluate(&scratch, 4).unwrap();
    assert_eq!(
        of(&standings(&scratch, json!({})), "ann"),
        ["second existing 3"]
    );
}

#[test]
fn an_export_evaluates_its_segments_first_where_it_says_so() {
    let scratch = store();
    define(&scratch, "adults", "person.age >= 18", json!({}));
    define(&scratch, "children", "person.age < 18", json!({}));
    scratch.load(CRM, &[person("ann", 20)]).unwrap();
    let asked = |segment: &str, evaluates: bool| {
        request(
            json!({"fields": "id", "filter": {"segments": [{"segmentId": segment}]},
            "evaluationInfo": {"segmentation": evaluates}}),
        )
    };
    assert_eq!(scratch.rows(&asked("adults", false)), Vec::<Value>::new());
    assert_eq!(scratch.rows(&asked("adults", true)), [json!({"id": "ann"})]);
    // What the filter does not name is not evaluated.
    let all = standings(&scratch, json!({}));
    assert_eq!(all["ann"].keys().collect::<Vec<_>>(), ["adults"]);
    assert_eq!(all["nobody"].len(), 0);
    let error = scratch.run(&asked("adult", true)).unwrap_err().to_string();
    assert!(error.contains("adult"), "{error}");
    // Without a filter all are.
    let everybody = request(json!({"fields": "id", "evaluationInfo": {"segmentation": true}}));
    assert_eq!(scratch.rows(&everybody).len(), 2);
    assert_eq!(standings(&scratch, json!({}))["nobody"].len(), 1);
}

#[test]
fn segments_of_segments_and_stored_memberships_are_seen_by_expressions() {
    let scratch = store();
    define(&scratch, "adults", "person.age >= 18", json!({}));
    define(&scratch, "others", "not inSegment(\"adults\")", json!({}));
    scratch.load(CRM, &[person("ann", 20)]).unwrap();
    let job = evaluate(&scratch, 1).unwrap();
    assert_eq!(counts(&job, "adults"), [1, 0, 0, 0]);
    assert_eq!(counts(&job, "others"), [1, 0, 0, 0]);
    let stored = "segmentMembership.get(\"ups\").get(\"adults\").status = \"realized\"";
    define(&scratch, "stored", stored, json!({}));
    let job = evaluate(&scratch, 2).unwrap();
    assert_eq!(counts(&job, "stored"), [1, 0, 0, 0]);
}

/// The store keeps microseconds: of two events that a window takes for one moment, one is the earlier step.
#[test]
fn steps_within_a_millisecond_are_in_the_order_of_the_store_whatever_else_is_read() {
    let scratch = store();
    scratch.dataset("0000000000000000000000e2", Class::Event, json!({}));
    let event = |id: &str, who: &str, micros: u32, kind: &str| {
        json!({"_id": id, "timestamp": format!("2026-01-01T00:00:00.{micros:06}Z"), "eventType": kind,
               "identityMap": {"CRMID": [{"id": who, "primary": true}]}})
    };
    // By the microsecond, whatever the IDs; of the same one by the IDs, whatever the datasets.
    let views = [
        event("z1", "before", 1, "view"),
        event("a2", "behind", 2, "view"),
        event("a3", "smaller", 5, "view"),
        event("z4", "greater", 5, "view"),
    ];
    let buys = [
        event("a1", "before", 2, "buy"),
        event("z2", "behind", 1, "buy"),
        event("z3", "smaller", 5, "buy"),
        event("a4", "greater", 5, "buy"),
    ];
    scratch.load(VISITS, &buys).unwrap();
    scratch.load("0000000000000000000000e2", &views).unwrap();
    let steps =
        r#"CHAIN(xEvent, timestamp, [A: WHAT(eventType = "view"), B: WHAT(eventType = "buy")])"#;
    define(&scratch, "steps", steps, json!({}));
    let window = r#"select A from xEvent where A.eventType = "view", B from xEvent where B.eventType = "buy" and B.timestamp occurs after A.timestamp"#;
    define(&scratch, "window", window, json!({}));
    let asked = json!({"filter": {"segments": [{"segmentId": "steps"}], "emptyProfiles": true}, "fields": "identityMap"});
    let who = || -> Vec<String> {
        let rows = scratch.rows(&request(asked.clone()));
        rows.iter()
            .map(|row| {
                row["identityMap"]["CRMID"][0]["id"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect()
    };
    let job = evaluate(&scratch, 2).unwrap();
    assert_eq!(
        (counts(&job, "steps")[0], counts(&job, "window")[0]),
        (2, 0)
    );
    assert_eq!(who(), ["before", "smaller"]);
    define(
        &scratch,
        "ids",
        "xEvent[_id = \"a1\" and timestamp occurs after now]",
        json!({}),
    );
    let job = evaluate(&scratch, 3).unwrap();
    assert_eq!(counts(&job, "steps"), [0, 2, 0, 0]);
    assert_eq!(who(), ["before", "smaller"]);
}

/// A primary identity may be a field, and who has it no map at all.
#[test]
fn people_count_for_the_namespaces_of_their_primary_identities_and_of_their_maps() {
    let scratch = store();
    define(&scratch, "adults", "person.age >= 18", json!({}));
    let mut bob = person("bob", 20);
    bob["identityMap"] = json!({"Email": [{"id": "bob@example.com"}], "Phone": []});
    scratch.load(CRM, &[person("ann", 20), bob]).unwrap();
    let mail = json!({"Email": [{"id": "eve@example.com", "primary": true}]});
    let eve = json!({"identityMap": mail, "person": {"age": 20}});
    scratch.load(WEB, &[eve]).unwrap();
    let expected: BTreeMap<String, u64> = [("crmid", 2), ("email", 2)]
        .map(|(namespace, count)| (namespace.to_owned(), count))
        .into();
    let metrics = evaluate(&scratch, 1).unwrap().metrics;
    assert_eq!(
        metrics.segmented_profile_by_namespace_counter["adults"],
        expected
    );
    let catalog = scratch.store.catalog();
    let schema = expression_schema(catalog).unwrap();
    let segment = Segment::parse("adults", "person.age >= 18", &schema).unwrap();
    let policy = policy_of_segment(catalog, None, None).unwrap();
    let (store, progress) = (&scratch.store, Arc::default());
    let counted = estimate_by_namespace(store, policy, vec![segment], day(1), &progress).unwrap();
    assert_eq!(counted.by_namespace, [expected]);
    // An export counts everybody once: by the primary identity alone.
    let members = json!({"filter": {"segments": [{"segmentId": "adults"}]}, "fields": "id"});
    let job = scratch.run(&request(members)).unwrap();
    let exported = job
        .job
        .metrics
        .exported_profile_by_namespace_counter
        .unwrap();
    let exported: Vec<(&str, u64)> = (exported.iter())
        .map(|(namespace, count)| (namespace.as_str(), *count))
        .collect();
    assert_eq!(exported, [("CRMID", 2), ("Email", 1)]);
}

/// Shared work is the time of who asks first; nobody's time is longer than all threads had.
#[test]
fn a_job_tells_how_long_each_condition_took() {
    let scratch = store();
    let slow = r#"id.matches("(a|b)+c{1,300}z")"#;
    define(&scratch, "first", slow, json!({}));
    define(&scratch, "second", slow, json!({}));
    define(&scratch, "third", "optIn", json!({}));
    let people: Vec<Value> = (0..2_000).map(|n| person(&format!("{n}"), 20)).collect();
    scratch.load(CRM, &people).unwrap();
    let metrics = evaluate(&scratch, 1).unwrap().metrics;
    let took = &metrics.condition_time_in_ms;
    assert_eq!(
        took.keys().collect::<Vec<_>>(),
        ["first", "second", "third"]
    );
    assert!(
        took["first"] > 0.0 && took["first"] > took["second"],
        "{took:?}"
    );
}

#[test]
fn a_clock_that_went_back_does_not_hide_what_is_found_later() {
    let scratch = store();
    define(&scratch, "adults", "person.age >= 18", json!({}));
    scratch.load(CRM, &[person("ann", 20)]).unwrap();
    evaluate(&scratch, 400).unwrap();
    scratch.load(CRM, &[person("ann", 2)]).unwrap();
    // Evaluated as of an earlier day, it is the later word all the same.
    assert_eq!(
        counts(&evaluate(&scratch, 2).unwrap(), "adults"),
        [0, 0, 1, 1]
    );
    assert_eq!(
        of(&standings(&scratch, json!({})), "ann"),
        ["adults exited 2"]
    );
}

fn policy(scratch: &Scratch, id: &str, order: &[&str], graph: &str) {
    let merge = match order {
        [] => json!({"type": "timestampOrdered"}),
        order => json!({"type": "dataSetPrecedence", "order": order}),
    };
    let body = json!({"id": id, "identityGraph": {"type": graph}, "attributeMerge": merge});
    let policy: MergePolicy = serde_json::from_value(body).unwrap();
    put_merge_policy(scratch.store.catalog(), policy, day(1)).unwrap();
}

#[test]
fn persons_whose_records_take_no_part_leave_with_their_profile() {
    let scratch = store();
    policy(&scratch, "all", &[], "pdg");
    policy(&scratch, "web", &[WEB], "pdg");
    define(
        &scratch,
        "adults",
        "person.age >= 18",
        json!({"mergePolicyId": "all"}),
    );
    let linked = |age: u32| {
        json!({"identityMap": {"Email": [{"id": "a@x.org", "primary": true}], "CRMID": [{"id": "ann"}]},
            "person": {"age": age}})
    };
    scratch
        .load(CRM, &[json!({"id": "ann", "optIn": true})])
        .unwrap();
    scratch.load(WEB, &[linked(20)]).unwrap();
    assert_eq!(
        counts(&evaluate(&scratch, 1).unwrap(), "adults"),
        [1, 0, 0, 0]
    );
    // Now by a policy in which the CRM's records take no part, and she is no adult any more.
    define(
        &scratch,
        "adults",
        "person.age >= 18",
        json!({"mergePolicyId": "web"}),
    );
    scratch.load(WEB, &[linked(7)]).unwrap();
    assert_eq!(
        counts(&evaluate(&scratch, 2).unwrap(), "adults"),
        [0, 0, 1, 1]
    );
    let all = standings(&scratch, json!({}));
    assert_eq!(of(&all, "ann"), ["adults exited 2"]);
    assert_eq!(of(&all, "a@x.org"), ["adults exited 2"]);
}

#[test]
fn an_exit_stays_where_data_would_say_otherwise_whatever_else_is_evaluated() {
    let scratch = store();
    policy(&scratch, "crm", &[CRM], "none");
    let mut brought = person("ann", 20);
    brought["segmentMembership"] = json!({"ups": {"children": {"status": "realized"}}});
    brought["identityMap"] = json!({"CRMID": [{"id": "ann", "primary": true}]});
    brought.as_object_mut().unwrap().remove("id");
    scratch.load(WEB, &[brought]).unwrap();
    scratch.load(CRM, &[person("ann", 20)]).unwrap();
    define(&scratch, "children", "person.age < 18", json!({}));
    define(
        &scratch,
        "others",
        "person.age >= 18",
        json!({"mergePolicyId": "crm"}),
    );
    assert_eq!(
        counts(&evaluate(&scratch, 1).unwrap(), "children"),
        [1, 0, 1, 1]
    );
    // The policy of the other segment does not know the dataset that says so.
    for n in [40, 80] {
        assert_eq!(
            counts(&evaluate(&scratch, n).unwrap(), "children"),
            [0, 1, 1, 0]
        );
    }
    let only = SegmentJobTarget::Segments(vec!["others".to_owned()]);
    evaluate_segments(&scratch.store, &only, day(120), &Arc::default()).unwrap();
    let members = json!({"filter": {"segments": [{"segmentId": "children"}]}});
    let found: Vec<String> = standings(&scratch, members).into_keys().collect();
    assert_eq!(found, ["nobody"]);
}

#[test]
fn a_segment_that_asks_for_another_sees_whom_that_leaves_out() {
    let scratch = store();
    define(&scratch, "adults", "person.age >= 18", json!({}));
    let heedless = json!({"dataGovernancePolicy": {"excludeOptOut": false}});
    define(&scratch, "others", "not inSegment(\"adults\")", heedless);
    let mut out = person("ann", 20);
    out["privacyOptOuts"] = json!([{"optOutType": "general_opt_out", "optOutValue": "out"}]);
    scratch.load(CRM, &[out, person("bob", 20)]).unwrap();
    let job = evaluate(&scratch, 1).unwrap();
    assert_eq!(counts(&job, "adults"), [1, 0, 0, 0]);
    // The opted out, and nobody.
    assert_eq!(counts(&job, "others"), [2, 0, 0, 0]);
}

/// Nobody evaluates it: what data says is what there is.
#[test]
fn a_segment_that_has_no_expression_is_asked_for_by_its_stored_memberships() {
    let scratch = store();
    define(&scratch, "adults", "person.age >= 18", json!({}));
    put_segment(scratch.store.catalog(), json!({"id": "it's \"vip\""})).unwrap();
    let asks = r#"inSegment("it's \"vip\"") and inSegment("adults")"#;
    define(&scratch, "adult-vips", asks, json!({}));
    // While nobody has any membership, too.
    let job = evaluate(&scratch, 1).unwrap();
    assert_eq!(counts(&job, "adult-vips"), [0, 0, 0, 0]);
    let time = "2026-01-01T00:00:00Z";
    let vip = |id: &str, membership: Value| {
        let mut record = person(id, 20);
        record["segmentMembership"] = json!({"UPS": {"it's \"vip\"": membership}});
        record
    };
    let people = [
        vip(
            "realized",
            json!({"status": "realized", "lastQualificationTime": time}),
        ),
        vip(
            "existing",
            json!({"status": "existing", "lastQualificationTime": time}),
        ),
        vip("unsaid", json!({"lastQualificationTime": time})),
        vip(
            "exited",
            json!({"status": "exited", "lastQualificationTime": time}),
        ),
        person("none", 20),
    ];
    scratch.load(CRM, &people).unwrap();
    let job = evaluate(&scratch, 2).unwrap();
    assert_eq!(counts(&job, "adult-vips"), [3, 0, 0, 0]);
    assert!(
        !job.metrics
            .segmented_profile_counter
            .contains_key("it's \"vip\"")
    );
    let members = json!({"filter": {"segments": [{"segmentId": "adult-vips"}]}, "fields": "id"});
    let rows = scratch.rows(&request(members));
    let mut who: Vec<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    who.sort_unstable();
    assert_eq!(who, ["existing", "realized", "unsaid"]);
    // One whose expression can't be read says so by its name.
    let odd = json!({"id": "odd", "expression": {"type": "ARL", "value": "x"}});
    put_segment(scratch.store.catalog(), odd).unwrap();
    define(&scratch, "asks-odd", "inSegment(\"odd\")", json!({}));
    let target = SegmentJobTarget::Segments(vec!["asks-odd".to_owned()]);
    let error = evaluate_segments(&scratch.store, &target, day(3), &Arc::default());
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("segment odd, which is asked for") && error.contains("ARL"),
        "{error}"
    );
}

#[test]
fn a_definition_without_an_expression_any_more_gives_its_segment_back_to_the_data() {
    let scratch = store();
    define(&scratch, "adults", "person.age >= 18", json!({}));
    define(&scratch, "everybody", "id", json!({}));
    scratch.load(CRM, &[person("ann", 20)]).unwrap();
    evaluate(&scratch, 1).unwrap();
    put_segment(scratch.store.catalog(), json!({"id": "adults"})).unwrap();
    evaluate(&scratch, 2).unwrap();
    assert_eq!(
        of(&standings(&scratch, json!({})), "ann"),
        ["everybody existing 1"]
    );
}

#[test]
fn what_is_found_now_stands_before_all_that_was_written_whatever_the_clock_said() {
    let scratch = store();
    define(&scratch, "adults", "person.age >= 18", json!({}));
    scratch.load(CRM, &[person("ann", 20)]).unwrap();
    evaluate(&scratch, 1).unwrap();
    // As a clock that was far ahead would have left it.
    let ahead = json!({"identityMap": {"CRMID": [{"id": "ann", "primary": true}]},
        "segmentMembership": {"ups": {"adults": {"status": "existing", "lastQualificationTime": "2026-01-01T00:00:00Z"}}}});
    let file = profile_export::store::Input::File(scratch.file("ahead.ndjson", ahead.to_string()));
    let dataset = profile_export::xdm::Dataset::EVALUATED_MEMBERSHIPS;
    let mut load = profile_export::store::DatasetInputs::new(dataset, vec![file]);
    load.ingested_at = Some(Timestamp::parse("2099-01-01T00:00:00Z").unwrap());
    scratch
        .store
        .ingest(&[load], &Default::default(), &Default::default())
        .unwrap();
    for job in segment_jobs(&scratch.store).unwrap() {
        profile_export::platform::delete_segment_job(&scratch.store, &job.id).unwrap();
    }
    scratch.load(CRM, &[person("ann", 2)]).unwrap();
    evaluate(&scratch, 2).unwrap();
    assert_eq!(
        of(&standings(&scratch, json!({})), "ann"),
        ["adults exited 2"]
    );
}

#[test]
fn a_dataset_of_the_users_may_have_the_name_of_the_systems() {
    let scratch = store();
    let name = profile_export::xdm::Dataset::evaluated_memberships().name;
    scratch.dataset(
        "0000000000000000000000c9",
        Class::Profile,
        json!({"name": name}),
    );
    define(&scratch, "adults", "person.age >= 18", json!({}));
    scratch.load(CRM, &[person("ann", 20)]).unwrap();
    assert_eq!(
        counts(&evaluate(&scratch, 1).unwrap(), "adults"),
        [1, 0, 0, 0]
    );
}

#[test]
fn a_job_that_waits_keeps_the_policy_that_it_was_created_with() {
    let scratch = store();
    policy(&scratch, "mine", &[CRM], "none");
    define(
        &scratch,
        "adults",
        "person.age >= 18",
        json!({"mergePolicyId": "mine"}),
    );
    scratch.load(CRM, &[person("ann", 20)]).unwrap();
    let target = SegmentJobTarget::All;
    let of_one = SegmentJobTarget::Segments(vec!["adults".to_owned()]);
    let job =
        profile_export::platform::create_segment_job(&scratch.store, &of_one, day(1)).unwrap();
    // A version that sees nobody's age.
    policy(&scratch, "mine", &[WEB], "none");
    let run = |id: &str| {
        profile_export::platform::run_segment_job(&scratch.store, id, &Arc::default()).unwrap()
    };
    assert_eq!(counts(&run(&job.id), "adults"), [1, 0, 0, 0]);
    let job =
        profile_export::platform::create_segment_job(&scratch.store, &target, day(2)).unwrap();
    assert_eq!(counts(&run(&job.id), "adults")[1], 0);
}
