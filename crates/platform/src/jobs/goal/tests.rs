use catalog::{Batch, BatchMetrics, BatchStatus};
use xdm::Timestamp;

use super::*;

struct Place {
    folder: tempfile::TempDir,
    store: Store,
}

fn place() -> Place {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path().join("store"), Scope::default()).expect("a store");
    Place { folder, store }
}

impl Place {
    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn note(&self) -> PathBuf {
        self.folder.path().join("note.json")
    }

    /// A job that published its batches and then died.
    fn die(&self, batches: &[String]) {
        let syncs = Syncs::default();
        let mut goal = Goal::plan(&self.out(), Some(&self.note()), &syncs).expect("a plan");
        let made = goal.make(&self.store, 1, batches.to_vec(), &syncs);
        made.expect("a hidden folder");
        syncs.wait().expect("on the disk");
        for batch in batches.iter().filter(|batch| Dataset::is_id(batch)) {
            fs::create_dir(self.out().join(batch)).expect("a batch");
        }
    }

    fn commit(&self, id: &str) {
        let now = Timestamp::now();
        let batch = Batch {
            id: id.to_owned(),
            status: BatchStatus::Success,
            ims_org: "org".to_owned(),
            related_objects: Batch::of_dataset(&new_id()),
            job_id: None,
            written: false,
            input_format: None,
            tags: None,
            created: now,
            updated: now,
            version: None,
            metrics: BatchMetrics::default(),
            errors: None,
            files: Vec::new(),
            completed: None,
            sequences: None,
            uploads: Vec::new(),
            broken_off: 0,
            folder: Some(self.out().join(id)),
            among: None,
        };
        self.store.catalog().create_batch(&batch).expect("a batch");
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.out()).expect("the goal");
        let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        let mut names: Vec<String> = entries.map(|e| name(e.expect("an entry"))).collect();
        names.sort();
        names
    }

    /// What both ways of finding a dead job's hidden folder leave in the goal.
    fn swept(&self, by_store: bool) -> Vec<String> {
        if by_store {
            assert!(sweep_noted(&self.store, &self.note()).expect("swept"));
        } else {
            sweep_goal(&self.out());
        }
        self.names()
    }
}

#[test]
fn the_batches_of_a_dead_job_go_unless_the_catalog_has_them() {
    for by_store in [true, false] {
        let place = place();
        let mut batches = [new_id(), new_id()];
        batches.sort();
        place.die(&batches);
        assert_eq!(place.names().len(), 3);
        assert_eq!(place.swept(by_store), [""; 0], "{by_store}");
        place.die(&batches);
        for id in &batches {
            place.commit(id);
        }
        assert_eq!(place.swept(by_store), batches, "{by_store}");
    }
}

#[test]
fn what_lives_or_is_not_understood_stays() {
    let place = place();
    let (batch, syncs) = (new_id(), Syncs::default());
    let mut goal = Goal::plan(&place.out(), Some(&place.note()), &syncs).expect("a plan");
    let made = goal.make(&place.store, 1, vec![batch.clone()], &syncs);
    made.expect("a hidden folder");
    syncs.wait().expect("on the disk");
    fs::create_dir(place.out().join(&batch)).expect("a batch");
    assert!(!sweep_noted(&place.store, &place.note()).expect("a look"));
    sweep_goal(&place.out());
    assert_eq!(place.names().len(), 2, "its process lives");
    fs::write(goal.hidden().join(UNFINISHED), "{\"batches\": 1}").expect("written");
    drop(goal);
    assert!(sweep_noted(&place.store, &place.note()).is_err());
    sweep_goal(&place.out());
    assert_eq!(place.names().len(), 2, "nobody knows what it was");
}

/// A power cut before the batches of a job were published: what it leaves of the files that would name them.
#[test]
fn what_a_power_cut_left_of_a_jobs_notes_is_cleared() {
    let half = &b"{\"store\":null,\"job\":1,\"batc"[..];
    for left in [&b""[..], &[0; 300], half, b"{\"store\"\0\0\0\0\0"] {
        for by_store in [true, false] {
            let place = place();
            place.die(&[]);
            let hidden = place.out().join(place.names().remove(0));
            fs::write(hidden.join(UNFINISHED), left).expect("written");
            assert_eq!(place.swept(by_store), [""; 0], "{by_store}, {left:?}");
        }
    }
    for left in [&b""[..], &[0; 300], b"\"/home/exp", b"\"/home\0\0\0"] {
        let place = place();
        place.die(&[]);
        fs::write(place.note(), left).expect("written");
        // Where the hidden folder is, nobody knows; the next export to its goal finds it.
        let swept = sweep_noted(&place.store, &place.note());
        assert!(swept.expect("swept"), "{left:?}");
        assert_eq!(place.swept(false), [""; 0], "{left:?}");
    }
}

#[test]
fn a_store_that_is_gone_has_no_say_and_one_without_its_catalog_is_waited_for() {
    let place = place();
    let batch = new_id();
    place.die(std::slice::from_ref(&batch));
    let root = place.store.layout().root().to_owned();
    fs::rename(place.store.layout().catalog(), root.join("aside")).expect("moved");
    sweep_goal(&place.out());
    assert_eq!(place.names().len(), 2);
    fs::remove_dir_all(root).expect("deleted");
    sweep_goal(&place.out());
    assert_eq!(place.names(), [""; 0]);
}

#[test]
fn names_that_are_no_ids_reach_nothing() {
    let place = place();
    fs::create_dir_all(place.out().join("mine")).expect("a folder");
    place.die(&["mine".to_owned(), "../store".to_owned(), String::new()]);
    assert_eq!(place.swept(true), ["mine"]);
    assert!(place.folder.path().join("store").exists());
}

#[test]
fn a_job_that_failed_takes_its_batches_back_and_one_that_succeeded_does_not() {
    for succeeds in [true, false] {
        let place = place();
        let (batch, syncs) = (new_id(), Syncs::default());
        let mut goal = Goal::plan(&place.out(), Some(&place.note()), &syncs).expect("a plan");
        let made = goal.make(&place.store, 1, vec![batch.clone()], &syncs);
        made.expect("a hidden folder");
        syncs.wait().expect("on the disk");
        fs::create_dir(place.out().join(&batch)).expect("a batch");
        match succeeds {
            true => goal.finish().expect("finished"),
            false => goal.withdraw().expect("withdrawn"),
        }
        assert_eq!(place.names().len(), usize::from(succeeds));
        assert!(sweep_noted(&place.store, &place.note()).expect("a look"));
    }
}

#[test]
fn two_living_jobs_do_not_write_one_file() {
    let place = place();
    let syncs = Syncs::default();
    let job = |names: &[&str]| {
        let mut goal = Goal::plan(&place.out(), None, &syncs).expect("a plan");
        let id = new_id();
        let made = goal.make(&place.store, 1, vec![id.clone()], &syncs);
        made.expect("a hidden folder");
        let file = |name: &&str| FileInfo {
            name: (*name).to_owned(),
            length: 0,
            rows: 0,
            digest: 0,
        };
        let files: Vec<FileInfo> = names.iter().map(file).collect();
        let noted = goal.note_files([(&*id, &*files)].into_iter(), &syncs);
        noted.expect("a note");
        syncs.wait().expect("on the disk");
        goal
    };
    let first = job(&["gold/a.parquet", "b.parquet"]);
    let other = job(&["gold/b.parquet"]);
    for goal in [&first, &other] {
        goal.check_alone().expect("other files");
    }
    let second = job(&["c.parquet", "b.parquet"]);
    for goal in [&first, &second] {
        let error = goal.check_alone().expect_err("one file").to_string();
        assert!(error.contains("out/b.parquet"), "{error}");
    }
    other.check_alone().expect("other files");
    // What its process noted is no more to come when that is gone.
    drop(first);
    second.check_alone().expect("the only one that lives");
}
