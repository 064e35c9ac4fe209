//! The exports as other programs read them: pyarrow, DuckDB, Polars and hyparquet.
//!
//! `scripts/test` makes the virtual environment and the folder of modules that they live in, says so in two variables,
//! and runs this test, which a plain `cargo test` leaves out.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::program::{fixtures, program};

#[test]
#[ignore = "needs pyarrow, DuckDB, Polars and hyparquet: ./scripts/test installs them"]
fn other_programs_read_every_kind_of_output() {
    let installed = ["PROFILE_EXPORT_READERS", "PROFILE_EXPORT_READERS_JS"].map(|name| {
        std::env::var_os(name)
            .unwrap_or_else(|| panic!("{name} is not set: run the tests with scripts/test"))
    });
    let [python, modules] = installed;
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
        ("modern", &["--parquet-profile", "modern"]),
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
    let output = Command::new(python)
        .arg(script)
        .args([out.as_os_str(), &modules])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
