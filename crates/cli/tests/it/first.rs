//! A store that several processes make at once.

use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{fixtures, program};

#[test]
fn eight_processes_that_make_a_store_at_once_all_load_into_it() {
    for _ in 0..3 {
        let folder = TempDir::new().unwrap();
        let store = folder.path().join("store");
        let children: Vec<_> = (0..8)
            .map(|_| {
                let mut command = program();
                command
                    .args(["ingest", "--quiet", "--from"])
                    .arg(fixtures());
                command.arg("--store").arg(&store).stderr(Stdio::piped());
                command.spawn().unwrap()
            })
            .collect();
        for child in children {
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}");
        }
        let mut stats = program();
        stats
            .args(["store", "stats", "--json", "--store"])
            .arg(&store);
        let stats: Value = serde_json::from_slice(&stats.output().unwrap().stdout).unwrap();
        // A generation a load, and one in which the last has merged the runs of all.
        assert_eq!(stats["generation"], 9);
    }
}
