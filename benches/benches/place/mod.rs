//! A store of the workload, in a folder that goes away.

use std::path::PathBuf;

use profile_export::export::Progress;
use profile_export::platform::SourceFolder;
use profile_export::store::{LoadOptions, Scope, Store};
use profile_export::xdm::Timestamp;
use profile_export_benches::write_workload;
use tempfile::TempDir;

pub struct Place {
    pub folder: TempDir,
    pub source: PathBuf,
    pub store: Store,
}

impl Place {
    /// Of 5,000 people, or as many as `PROFILE_EXPORT_BENCH_PEOPLE` says.
    pub fn new() -> Self {
        let people = std::env::var("PROFILE_EXPORT_BENCH_PEOPLE");
        let people = people.map_or(5000, |n| n.parse().expect("a number of people"));
        let folder = TempDir::new().expect("a folder");
        let source = folder.path().join("source");
        write_workload(&source, 0..people, 1).expect("a workload");
        let store = load(&source, folder.path().join("store"));
        Self {
            folder,
            source,
            store,
        }
    }
}

/// Loads a source folder into a new store.
pub fn load(source: &std::path::Path, store: PathBuf) -> Store {
    let store = Store::open(store, Scope::default()).expect("a store");
    let source = SourceFolder::open(source).expect("a source folder");
    let progress = Progress::default();
    source
        .load(
            &store,
            &LoadOptions {
                now: Timestamp::default(),
                ..LoadOptions::default()
            },
            &progress,
        )
        .expect("loaded");
    store
}

/// Does something on so many threads.
pub fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.expect("threads").install(work)
}
