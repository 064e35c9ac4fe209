//! What goes on beside deletions, and what erasures tell of it.

use std::fs::{self, File};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use profile_export::export::Progress;
use profile_export::jobs::{FinishedJob, RunOptions, create_job, run_job};
use profile_export::platform::{
    Erasure, SystemJobBody, SystemJobStatus, Told, create_system_job, delete_profile, erase,
    run_system_job,
};
use profile_export::request::ExportRequest;
use profile_export::store::{RecordSelection, Scope, Store};
use profile_export::xdm::{Dataset, Identity, Timestamp};
use serde_json::{Value, json};

use crate::deletion::{CRM, durable, email, everything, holding, person, scratch};
use crate::scratch::{Scratch, TARGET, request};

pub fn erase_of(scratch: &Scratch, identity: &Identity) -> Erasure {
    let progress = Progress::default();
    erase(&scratch.store, identity, None, |_| {}, &progress).unwrap()
}

fn all_of_crm(store: &Store) -> String {
    let target = SystemJobBody {
        dataset_id: Some(CRM.to_owned()),
        batch_id: None,
    };
    create_system_job(store, &target).unwrap().id
}

/// What a job of one batch writes into a folder of the user's, a person a file.
fn given_out(scratch: &Scratch, more: Value) -> FinishedJob {
    let wanted = ExportRequest::from_json(request(more).to_string().as_bytes()).unwrap();
    let job = create_job(&scratch.store, &wanted).unwrap();
    let options = RunOptions {
        out: Some(scratch.folder.path().join("out")),
        max_rows_per_file: Some(1),
        ..RunOptions::default()
    };
    run_job(&scratch.store, job.id, &options, &Arc::default()).unwrap()
}

/// An evaluation loads what it has read before: a deletion in between would not be the last word.
#[test]
fn deletions_wait_for_an_evaluation() {
    let delete: fn(&Store, &str) = |store, _| {
        let progress = Progress::default();
        delete_profile(store, &email("ann@x.org"), None, None, &progress).unwrap();
    };
    let by_job: fn(&Store, &str) = |store, id| {
        let done = run_system_job(store, id, &Progress::default()).unwrap();
        assert_eq!(done.status, SystemJobStatus::Completed);
    };
    for deletion in [delete, by_job] {
        let scratch = scratch();
        scratch.load(CRM, &[person("ann@x.org", "Oslo")]).unwrap();
        let job = all_of_crm(&scratch.store);
        let evaluation = File::create(scratch.store.layout().evaluation_lock()).unwrap();
        evaluation.lock().unwrap();
        let root = scratch.store.layout().root().to_owned();
        let deleting = thread::spawn(move || {
            deletion(&Store::open(root, Scope::default()).unwrap(), &job);
        });
        thread::sleep(Duration::from_millis(300));
        assert!(!deleting.is_finished(), "it did not wait");
        assert_eq!(everything(&scratch).len(), 1);
        evaluation.unlock().unwrap();
        deleting.join().unwrap();
        assert_eq!(everything(&scratch), [""; 0]);
    }
}

/// A job takes what was there when it was asked for, whenever it is done, and however often.
#[test]
fn a_system_job_leaves_what_came_in_behind_it() {
    for merges in [false, true] {
        let scratch = scratch();
        scratch
            .load(
                CRM,
                &[person("ann@x.org", "Oslo"), person("bob@x.org", "Rome")],
            )
            .unwrap();
        let jobs = [all_of_crm(&scratch.store), all_of_crm(&scratch.store)];
        scratch
            .load(
                CRM,
                &[person("bob@x.org", "Bergen"), person("cid@x.org", "Rome")],
            )
            .unwrap();
        if merges {
            scratch.store.compact().unwrap();
        }
        for job in jobs {
            run_system_job(&scratch.store, &job, &Progress::default()).unwrap();
            assert_eq!(everything(&scratch).len(), 2);
            let held = ["ann@x.org", "Oslo", "bob@x.org", "Bergen", "cid@x.org"]
                .map(|text| holding(&scratch.store, text).len());
            assert_eq!(held[0] + held[1], 0, "what was there before");
            assert!(held[2..].iter().all(|files| *files > 0), "{held:?}");
        }
        assert_eq!(scratch.store.verify().unwrap(), Default::default());
    }
}

/// A whole dataset goes run by run: none of its records is listed, and none of another dataset's runs is opened.
#[test]
fn a_deletion_of_one_dataset_opens_no_other() {
    const OTHER: &str = "5b020a27e7040801dedba61c";
    let scratch = scratch();
    scratch.dataset(OTHER, profile_export::xdm::Class::Profile, json!({}));
    scratch.load(CRM, &[person("ann@x.org", "Oslo")]).unwrap();
    scratch.load(OTHER, &[person("bob@x.org", "Oslo")]).unwrap();
    let catalog = scratch.store.catalog();
    let runs = catalog.runs(catalog.generation().unwrap()).unwrap();
    let other = runs.iter().find(|run| run.dataset.id == OTHER).unwrap();
    let folder = scratch.store.layout().run(&other.folder);
    for file in &other.files.files {
        fs::write(folder.join(&file.name), "no run").unwrap();
    }
    let selection = RecordSelection::OfDataset {
        dataset: CRM,
        before: scratch.store.catalog().next_sequence().unwrap(),
    };
    let progress = Progress::default();
    let deleted = scratch.store.delete_records(&selection, &[], &progress);
    assert_eq!(deleted.unwrap().records(), 1);
}

/// What fails behind the records hides nothing of what was done, and where given-out files are is told before it is
/// forgotten.
#[test]
fn an_erasure_that_fails_on_the_way_tells_what_it_did() {
    let scratch = durable();
    let mut ann = person("ann@x.org", "Oslo");
    ann["segmentMembership"] = json!({"ups": {"of ann@x.org": {"status": "realized"}}});
    (scratch.load(CRM, &[ann, person("bob@x.org", "Rome")])).unwrap();
    let named = json!({"filter": {"segments": [{"segmentId": "of ann@x.org"}]}});
    let job = given_out(&scratch, named);
    let file = job.batches[0].folder.join(&job.batches[0].files[0].name);
    let obstacle = scratch.store.layout().backups().join("unfinished");
    let mut told = Vec::new();
    let erased = erase(
        &scratch.store,
        &email("ann@x.org"),
        None,
        |it| {
            if let Told::GivenOut(job, files) = it {
                told.push((job, files.to_vec()));
                // From now on no copy of the catalog can be written.
                fs::create_dir_all(&obstacle).unwrap();
            }
        },
        &Progress::default(),
    );
    let first = erased.unwrap();
    assert_eq!(told, [(job.job.id, vec![file.display().to_string()])]);
    assert_eq!(first.given_out, [file]);
    assert_eq!(
        (first.profile.datasets[0].records, first.jobs.len()),
        (1, 1)
    );
    let [why] = &first.remaining.unread[..] else {
        panic!("{:?}", first.remaining);
    };
    assert!(why.contains("unfinished") && !first.remaining.is_gone());
    // The same once more ends it.
    fs::remove_dir(&obstacle).unwrap();
    let second = self::erase_of(&scratch, &email("ann@x.org"));
    assert!(second.remaining.is_gone(), "{:?}", second.remaining);
}

/// A file that was given out and can't be read may hold the id, and so may one that somebody moved: each is named.
#[test]
fn given_out_files_that_can_not_be_read_are_named() {
    let scratch = scratch();
    let people = ["ann", "bob", "cid"].map(|name| person(&format!("{name}@x.org"), "Oslo"));
    scratch.load(CRM, &people).unwrap();
    let job = given_out(&scratch, json!({}));
    let [batch] = &job.batches[..] else {
        panic!("{job:?}");
    };
    let files: Vec<_> = (batch.files.iter())
        .map(|file| batch.folder.join(&file.name))
        .collect();
    let holds = |path: &std::path::Path| {
        let rows = crate::readback::rows(path);
        rows.iter().any(|row| row.to_string().contains("ann@x.org"))
    };
    let anns = files.iter().position(|path| holds(path)).unwrap();
    let others: Vec<_> = (0..3).filter(|file| *file != anns).collect();
    let bytes = fs::read(&files[others[0]]).unwrap();
    fs::write(&files[others[0]], &bytes[..bytes.len() - 5]).unwrap();
    fs::remove_file(&files[others[1]]).unwrap();
    let erased = erase_of(&scratch, &email("ann@x.org"));
    assert_eq!(erased.given_out, [files[anns].clone()]);
    let named = |told: &[String], file: usize| {
        let [told] = told else {
            panic!("{told:?}");
        };
        let name = files[file].display().to_string();
        assert!(told.contains(&name), "{told} names not {name}");
    };
    named(&erased.given_out_unread, others[0]);
    named(&erased.moved, others[1]);
    assert!(erased.remaining.is_gone(), "{:?}", erased.remaining);
}

/// Plans of exports in shards and jobs of other sandboxes keep the runs of before, and are named.
#[test]
fn an_erasure_names_who_keeps_the_runs_of_before() {
    let scratch = scratch();
    let people = [person("ann@x.org", "Oslo"), person("bob@x.org", "Rome")];
    scratch.load(CRM, &people).unwrap();
    let catalog = scratch.store.catalog();
    let tomorrow = Timestamp::from_millis(Timestamp::now().millis() + 86_400_000);
    catalog.pin_plan("pinned", tomorrow).unwrap();
    catalog
        .pin_plan("expired", Timestamp::from_millis(1))
        .unwrap();
    let scope = Scope {
        sandbox: "elsewhere".to_owned(),
        ..Scope::default()
    };
    let other = Store::open(scratch.store.layout().root(), scope).unwrap();
    let target = "00000000000000000000bbbb";
    (other
        .catalog()
        .create_dataset(Dataset::target(target, "target")))
    .unwrap();
    let text = request(json!({})).to_string().replace(TARGET, target);
    let wanted = ExportRequest::from_json(text.as_bytes()).unwrap();
    let waiting = create_job(&other, &wanted).unwrap();
    let erased = erase_of(&scratch, &email("ann@x.org"));
    assert!(!erased.remaining.is_gone(), "the runs are on the disk");
    let plans: Vec<&str> = erased.plans.iter().map(|plan| plan.id.as_str()).collect();
    assert_eq!(plans, ["pinned"]);
    let [job] = &erased.other_jobs[..] else {
        panic!("{erased:?}");
    };
    assert_eq!((job.id, job.sandbox.as_str()), (waiting.id, "elsewhere"));
    assert_eq!(erased.open_jobs, [0; 0]);
}

/// Whoever asks for the whole profile asks for the ids, too, that are in its maps of identities alone.
#[test]
fn with_a_graph_the_ids_beside_the_primary_ones_are_looked_for() {
    let policies = [
        (None, 1),
        (Some("timestampOrdered-none-mp"), 1),
        (Some("timestampOrdered-pdg-mp"), 0),
    ];
    for (policy, left) in policies {
        let scratch = scratch();
        let ann = json!({"identityMap": {"CRMID": [{"id": "c-00001", "primary": true}],
            "Email": [{"id": "ann@x.org"}]}, "contact": "ann@x.org"});
        scratch
            .load(CRM, &[ann, person("bob@x.org", "Rome")])
            .unwrap();
        scratch.run(&request(json!({"fields": "contact"}))).unwrap();
        let crm = Identity {
            namespace: "CRMID".to_owned(),
            id: "c-00001".to_owned(),
        };
        let progress = Progress::default();
        let erased = erase(&scratch.store, &crm, policy, |_| {}, &progress).unwrap();
        assert!(erased.remaining.is_gone(), "{:?}", erased.remaining);
        assert_eq!(holding(&scratch.store, "ann@x.org").len(), left);
        assert!(!holding(&scratch.store, "bob@x.org").is_empty());
    }
}

/// Somebody whose id is a number like any other can be erased, and nothing that has that number goes with them.
#[test]
fn a_common_number_is_erased_and_what_mentions_it_stays() {
    let scratch = scratch();
    let crm = |id: &str, note: &str, since: i64| json!({"identityMap": {"CRMID": [{"id": id, "primary": true}]}, "note": note, "since": since});
    let people = [crm("2018", "none", 1), crm("7", "here since 2018", 2018)];
    scratch.load(CRM, &people).unwrap();
    let identity = |id: &str| Identity {
        namespace: "CRMID".to_owned(),
        id: id.to_owned(),
    };
    let notes = scratch
        .run(&request(json!({"fields": "note,since"})))
        .unwrap();
    let whole = scratch.run(&request(json!({}))).unwrap();
    let done = erase_of(&scratch, &identity("2018"));
    assert!(done.remaining.is_gone(), "{:?}", done.remaining);
    assert_eq!(done.batches, [whole.batches[0].id.clone()]);
    let file = &notes.batches[0].files[0];
    let file = notes.batches[0].folder.join(&file.name);
    assert!(done.remaining.mentioning.contains(&file));
    assert_eq!(everything(&scratch).len(), 1);
}

/// An id may stand in a column of integers, of the records and of what was exported of them.
#[test]
fn an_integer_that_is_the_id_is_found() {
    let scratch = scratch();
    let person =
        json!({"identityMap": {"CRMID": [{"id": "c", "primary": true}]}, "number": 40_012_345});
    scratch.load(CRM, &[person]).unwrap();
    scratch.run(&request(json!({"fields": "number"}))).unwrap();
    let held = holding(&scratch.store, "40012345");
    let of = |folder: &str| held.iter().filter(|name| name.starts_with(folder)).count();
    assert_eq!((of("runs/"), of("batches/")), (1, 1), "{held:?}");
    assert_eq!(holding(&scratch.store, "40012346").len(), 0);
}
