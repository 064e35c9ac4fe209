//! Exports since an earlier job: changes, applied to what was there, are what is there.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use profile_export::jobs::{
    FinishedJob, JobChanges, JobPage, RunOptions, create_job, delete_job, list_jobs, run_job, sweep,
};
use profile_export::platform::Error;
use profile_export::request::ExportRequest;
use profile_export::xdm::Class;
use serde_json::{Value, json};

use crate::generate::{Case, EVALUATED, PROFILES, Step, case, runner, store_of};
use crate::scratch::{Scratch, batches, request, sorted};

/// Rows by their primary identity, as text: what a follower of changes has.
type Followed = BTreeMap<String, String>;

/// Takes `change` and `primaryIdentity` off a row.
fn taken(mut row: Value) -> (String, String, String) {
    let object = row.as_object_mut().unwrap();
    let change = object.shift_remove("change").unwrap();
    let identity = object.shift_remove("primaryIdentity").unwrap();
    let [row] = &sorted(vec![row])[..] else {
        panic!("one row")
    };
    (
        change.as_str().unwrap().to_owned(),
        identity.to_string(),
        row.clone(),
    )
}

/// Applies the rows of a batch, each of which has to be what it says that it is.
fn apply(followed: &mut Followed, rows: Vec<Value>) -> JobChanges {
    let mut changes = JobChanges {
        unchanged: followed.len() as u64,
        ..JobChanges::default()
    };
    for row in rows {
        let (change, identity, row) = taken(row);
        match change.as_str() {
            "entered" => {
                changes.entered += 1;
                assert_eq!(followed.insert(identity, row), None);
            }
            "changed" => {
                changes.changed += 1;
                changes.unchanged -= 1;
                let before = followed.insert(identity, row.clone());
                assert!(before.is_some_and(|before| before != row), "{row}");
            }
            "left" => {
                changes.left += 1;
                changes.unchanged -= 1;
                assert!(followed.remove(&identity).is_some(), "{identity}");
            }
            other => panic!("{other}"),
        }
    }
    changes
}

#[test]
fn changes_applied_to_what_was_there_are_what_is_there() {
    runner(80, 2_000)
        .run(&case(), |case| {
            follow(&case);
            Ok(())
        })
        .unwrap();
}

fn follow(case: &Case) {
    let scratch = store_of(case);
    let mut whole = case.request.clone();
    whole["rowPerIdentity"] = Value::Null;
    // Paths of what no record here has would be refused.
    whole["fields"] = json!("identityMap, segmentMembership, person, score, tags");
    whole["mandatoryFields"] = Value::Null;
    whole["deduplicationKeys"] = match whole["deduplicationKeys"].is_array() {
        true => json!(["score"]),
        false => Value::Null,
    };
    if whole["additionalFields"]["eventList"].is_object() {
        whole["additionalFields"]["eventList"]["fields"] = json!("_id, timestamp, web");
    }
    let mut since = whole.clone();
    since["sinceJob"] = json!("last");
    let mut followed: Vec<Followed> = Vec::new();
    for step in &case.steps {
        match step {
            Step::Load(dataset, _) if *dataset == EVALUATED || *dataset == PROFILES[2] => {}
            Step::Load(dataset, records) => {
                scratch.load(dataset, records).unwrap();
            }
            Step::Delete(identity) => drop(scratch.delete(identity)),
            Step::Compact => drop(scratch.store.compact().unwrap()),
        }
        let job = scratch.run(&since).unwrap();
        let of_batches = batches(&job);
        followed.resize(of_batches.len(), Followed::new());
        let mut changes = JobChanges {
            since_job: job.job.metrics.changes.as_ref().unwrap().since_job,
            ..JobChanges::default()
        };
        for (followed, rows) in followed.iter_mut().zip(of_batches) {
            let of_batch = apply(followed, rows);
            changes.entered += of_batch.entered;
            changes.changed += of_batch.changed;
            changes.left += of_batch.left;
            changes.unchanged += of_batch.unchanged;
        }
        assert_eq!(job.job.metrics.changes.as_ref(), Some(&changes));
        let found: Vec<Vec<String>> = followed
            .iter()
            .map(|followed| {
                let mut rows: Vec<String> = followed.values().cloned().collect();
                rows.sort();
                rows
            })
            .collect();
        let expected = scratch.export(&whole).into_iter().map(sorted);
        assert_eq!(found, expected.collect::<Vec<_>>());
    }
    scratch.store.verify().unwrap();
}

const CRM: &str = "0000000000000000000000c1";

fn people() -> Scratch {
    let scratch = Scratch::new();
    scratch.dataset(CRM, Class::Profile, json!({}));
    scratch
}

fn person(id: &str, name: &str, segment: &str) -> Value {
    json!({"identityMap": {"CRMID": [{"id": id, "primary": true}]}, "name": name,
        "segmentMembership": {"ups": {segment: {"status": "realized"}}}})
}

fn of_vips(since: Value) -> Value {
    request(
        json!({"fields": "name", "filter": {"segments": [{"segmentId": "vips"}]}, "sinceJob": since}),
    )
}

/// `change id name` of each row.
fn told(job: &FinishedJob) -> Vec<String> {
    let rows = batches(job).remove(0);
    let mut told: Vec<String> = rows
        .iter()
        .map(|row| {
            let identity = &row["primaryIdentity"];
            assert_eq!(identity["namespace"]["code"], "CRMID");
            let [change, id, name] = [&row["change"], &identity["id"], &row["name"]];
            let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            format!("{} {} {}", text(change), text(id), text(name))
        })
        .collect();
    told.sort();
    told
}

#[test]
fn who_entered_changed_and_left_is_told_with_whose_row_it_is() {
    let scratch = people();
    let all = [
        person("ann", "Ann", "vips"),
        person("bob", "Bob", "vips"),
        person("carl", "Carl", "vips"),
        person("dora", "Dora", "others"),
    ];
    scratch.load(CRM, &all).unwrap();
    let first = scratch.run(&of_vips(json!("last"))).unwrap();
    assert_eq!(
        told(&first),
        ["entered ann Ann", "entered bob Bob", "entered carl Carl"]
    );
    assert_eq!(first.job.metrics.changes.as_ref().unwrap().since_job, None);
    let again = scratch.run(&of_vips(json!("last"))).unwrap();
    assert!(told(&again).is_empty());
    assert_eq!(again.profiles, 0);
    let next = [
        person("ann", "Anna", "vips"),
        // Left with another name.
        person("bob", "Robert", "others"),
        person("dora", "Dora", "vips"),
    ];
    scratch.load(CRM, &next).unwrap();
    let second = scratch.run(&of_vips(json!("last"))).unwrap();
    assert_eq!(
        told(&second),
        ["changed ann Anna", "entered dora Dora", "left bob Robert"]
    );
    let expected = JobChanges {
        since_job: Some(again.job.id),
        entered: 1,
        changed: 1,
        left: 1,
        unchanged: 1,
    };
    assert_eq!(second.job.metrics.changes.as_ref(), Some(&expected));
    assert_eq!(second.profiles, 3);
    // Whose data is gone: nothing is known but who it was.
    scratch.store.catalog().delete_dataset(CRM).unwrap();
    scratch.dataset(CRM, Class::Profile, json!({}));
    scratch.load(CRM, &[person("ann", "Anna", "vips")]).unwrap();
    let third = scratch.run(&of_vips(json!("last"))).unwrap();
    assert_eq!(told(&third), ["left carl -", "left dora -"]);
    // Against an earlier one than the last.
    let since_first = scratch.run(&of_vips(json!(first.job.id))).unwrap();
    assert_eq!(
        told(&since_first),
        ["changed ann Anna", "left bob -", "left carl -"]
    );
}

#[test]
fn what_has_no_earlier_job_of_its_request_is_refused_by_name() {
    let scratch = people();
    scratch.load(CRM, &[person("ann", "Ann", "vips")]).unwrap();
    let refusal = |request: &Value| scratch.run(request).unwrap_err().to_string();
    assert!(refusal(&of_vips(json!(99))).contains("99"));
    // One that left nothing to compare with.
    let plain = scratch.run(&of_vips(Value::Null)).unwrap().job.id;
    let jobs = || {
        list_jobs(&scratch.store, &JobPage::default())
            .unwrap()
            .records
    };
    let before = jobs().len();
    let message = refusal(&of_vips(json!(plain)));
    assert!(
        message.contains("left nothing to compare with"),
        "{message}"
    );
    // No job is made of what would fail.
    assert_eq!(jobs().len(), before);
    let first = scratch.run(&of_vips(json!("last"))).unwrap().job.id;
    let mut other = of_vips(json!(first));
    other["fields"] = json!("name, identityMap");
    assert!(
        refusal(&other).contains("another request"),
        "{}",
        refusal(&other)
    );
    let mut rows = of_vips(json!("last"));
    rows["fields"] = Value::Null;
    rows["rowPerIdentity"] = json!("CRMID");
    assert!(refusal(&rows).contains("rowPerIdentity"));
    scratch
        .load(
            CRM,
            &[json!({"identityMap": {"CRMID": [{"id": "x", "primary": true}]}, "change": 1})],
        )
        .unwrap();
    let mut collides = of_vips(json!("last"));
    collides["fields"] = json!("change");
    assert!(refusal(&collides).contains("change"));
}

#[test]
fn what_jobs_had_goes_with_their_batches_and_behind_the_latest_eight() {
    let scratch = people();
    scratch.load(CRM, &[person("ann", "Ann", "vips")]).unwrap();
    let states = || {
        let folder = scratch.store.layout().states();
        let names = fs::read_dir(folder).unwrap();
        names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect::<Vec<_>>()
    };
    let jobs: Vec<FinishedJob> = (0..10)
        .map(|_| scratch.run(&of_vips(json!("last"))).unwrap())
        .collect();
    assert_eq!(states().len(), 8);
    assert!(!states().contains(&jobs[1].batches[0].id));
    let last = jobs.last().unwrap();
    delete_job(&scratch.store, last.job.id).unwrap();
    sweep(&scratch.store).unwrap();
    assert_eq!(states().len(), 7);
    let next = scratch.run(&of_vips(json!("last"))).unwrap();
    let since = next.job.metrics.changes.as_ref().unwrap().since_job;
    assert_eq!(since, Some(jobs[8].job.id));
    // Damaged, in one byte or whole, or gone with its batch: no reason for everybody to enter.
    let folder = scratch.store.layout().state(&next.batches[0].id);
    let file = fs::read_dir(&folder)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let bytes = fs::read(&file).unwrap();
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 3] ^= 1;
    for wrong in [&flipped[..], &bytes[..bytes.len() / 2]] {
        fs::write(&file, wrong).unwrap();
        let Error::JobFailed { job, .. } = scratch.run(&of_vips(json!("last"))).unwrap_err() else {
            panic!("it succeeded")
        };
        assert_eq!(job.errors[0].code, "PE-0005");
    }
    assert_eq!(states().len(), 8);
    scratch.store.delete_batch(&next.batches[0].id).unwrap();
    sweep(&scratch.store).unwrap();
    let refused = scratch
        .run(&of_vips(json!("last")))
        .unwrap_err()
        .to_string();
    assert!(refused.contains("gone with its batches"), "{refused}");
    // From an earlier one on it goes.
    let earlier = scratch.run(&of_vips(json!(jobs[8].job.id))).unwrap();
    assert!(told(&earlier).is_empty());
    assert_eq!(
        scratch
            .run(&of_vips(json!("last")))
            .unwrap()
            .job
            .metrics
            .changes
            .unwrap()
            .since_job,
        Some(earlier.job.id)
    );
}

/// Whom a job had that ran at the same time is nobody's to be told.
#[test]
fn a_job_waits_for_no_other_of_its_request_and_is_not_told_beside_it() {
    let scratch = people();
    scratch.load(CRM, &[person("ann", "Ann", "vips")]).unwrap();
    let read =
        |since: Value| ExportRequest::from_json(of_vips(since).to_string().as_bytes()).unwrap();
    let first = create_job(&scratch.store, &read(json!("last"))).unwrap();
    let later = scratch.run(&of_vips(json!("last"))).unwrap();
    // The one that was created first, and runs last, is told since none that came after it.
    let first = run_job(
        &scratch.store,
        first.id,
        &RunOptions::default(),
        &Arc::default(),
    )
    .unwrap();
    assert_eq!(first.job.metrics.changes.as_ref().unwrap().since_job, None);
    let next = scratch.run(&of_vips(json!("last"))).unwrap();
    let since = next.job.metrics.changes.as_ref().unwrap().since_job;
    assert_eq!(since, Some(later.job.id));
}

#[test]
fn whoever_lacks_a_mandatory_field_now_has_left() {
    let scratch = people();
    scratch
        .load(
            CRM,
            &[person("ann", "Ann", "vips"), person("bob", "Bob", "vips")],
        )
        .unwrap();
    let mut asked = of_vips(json!("last"));
    asked["mandatoryFields"] = json!(["name"]);
    assert_eq!(told(&scratch.run(&asked).unwrap()).len(), 2);
    let mut nameless = person("bob", "", "vips");
    nameless.as_object_mut().unwrap().shift_remove("name");
    scratch.load(CRM, &[nameless]).unwrap();
    let next = scratch.run(&asked).unwrap();
    assert_eq!(told(&next), ["left bob -"]);
    assert_eq!(next.job.metrics.incomplete_profile_counter, Some(1));
}
