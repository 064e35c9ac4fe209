//! Who may read what is written.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{fixtures, program, run, stderr, stdout, text};

#[test]
fn what_is_written_is_its_owners_alone_unless_told_otherwise() {
    fn check(folder: &Path, file: u32, dir: u32) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::metadata(&path).unwrap();
            let mode = metadata.permissions().mode() & 0o777;
            let expected = if metadata.is_dir() { dir } else { file };
            assert_eq!(mode, expected, "{path:?}: {mode:o}");
            if metadata.is_dir() {
                check(&path, file, dir);
            }
        }
    }
    let request = fixtures().join("requests/all-profiles.json");
    let body = fixtures().join("target.json");
    for (umask, file, dir) in [(None, 0o600, 0o700), (Some("027"), 0o640, 0o750)] {
        let folder = TempDir::new().unwrap();
        let command = |arguments: &[&str]| {
            let mut command = program();
            // The caller's own umask does not count.
            command.env_remove("PROFILE_EXPORT_UMASK").args(arguments);
            if let Some(umask) = umask {
                command.args(["--umask", umask]);
            }
            stdout(&command.output().unwrap())
        };
        let place = folder.path().join("place");
        let store = place.join("store");
        command(&[
            "ingest",
            "--store",
            text(&store),
            "--from",
            text(&fixtures()),
        ]);
        let made: Value = serde_json::from_str(&command(&[
            "datasets",
            "create",
            text(&body),
            "--store",
            text(&store),
        ]))
        .unwrap();
        let mut wanted: Value = serde_json::from_slice(&fs::read(&request).unwrap()).unwrap();
        let id = made[0]
            .as_str()
            .unwrap()
            .strip_prefix("@/dataSets/")
            .unwrap();
        wanted["destination"]["datasetId"] = json!(id);
        let mine = folder.path().join("request.json");
        fs::write(&mine, wanted.to_string()).unwrap();
        let out = place.join("out");
        command(&["run", text(&mine), "--store", text(&store)]);
        command(&[
            "run",
            text(&mine),
            "--store",
            text(&store),
            "--out",
            text(&out),
        ]);
        command(&[
            "run",
            text(&request),
            "--from",
            text(&fixtures()),
            "--out",
            text(&out),
        ]);
        check(&place, file, dir);
    }
    for wrong in ["777", "08", "rwx", "+7", "100"] {
        let output = run(&["store", "stats", "--store", "x", "--umask", wrong]);
        assert_eq!(output.status.code(), Some(2), "{wrong}");
        assert!(
            stderr(&output).contains("octal"),
            "{wrong}: {}",
            stderr(&output)
        );
    }
}
