//! The exports as other programs read them: pyarrow and DuckDB.
//!
//! `scripts/test` makes the virtual environment that they live in, says so in a variable, and runs this
//! test, which a plain `cargo test` leaves out.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::program::{fixtures, program};

#[test]
#[ignore = "needs pyarrow and DuckDB: ./scripts/test installs them"]
fn pyarrow_and_duckdb_read_every_kind_of_output() {
    let Some(python) = std::env::var_os("PROFILE_EXPORT_READERS") else {
        panic!("PROFILE_EXPORT_READERS is not set: run the tests with scripts/test");
    };
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    for request in [
        "everyone-with-events",
        "all-profiles",
        "tutorial",
        "one-identity",
        "events-only",
    ] {
        let output = program()
            .arg("run")
            .arg(fixtures().join(format!("requests/{request}.json")))
            .arg("--from")
            .arg(fixtures())
            .arg("--out")
            .arg(out.join(request))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    for (name, more) in [
        (
            "partitions",
            &["--segment", "gold members", "--segment-per-batch"][..],
        ),
        ("compatible", &["--parquet-profile", "compatible"]),
        ("csv", &["--format", "csv"]),
        ("ndjson", &["--format", "ndjson", "--compression", "gzip"]),
        ("zstd", &["--format", "ndjson", "--compression", "zstd"]),
    ] {
        let output = program()
            .args([
                "export",
                "--segment",
                "holiday-shoppers",
                "--events",
                "_id,timestamp",
            ])
            .arg("--from")
            .arg(fixtures())
            .arg("--out")
            .arg(out.join("formats").join(name))
            .args(more)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/read_back.py");
    let output = Command::new(python).arg(script).arg(&out).output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
