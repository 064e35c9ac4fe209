//! docs/tutorial.md, the walk through the platform's tutorial, as it stands there.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::program::fixtures;

#[test]
fn the_walk_works_as_written() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/tutorial.md");
    let page = fs::read_to_string(page).unwrap();
    let commands: Vec<&str> = page
        .split("```sh\n")
        .skip(1)
        .map(|block| block.split("```").next().unwrap())
        .collect();
    assert!(commands.len() >= 5);

    let folder = TempDir::new().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_profile-export"));
    let path = format!(
        "{}:{}",
        program.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    std::os::unix::fs::symlink(fixtures().join(".."), folder.path().join("fixtures")).unwrap();
    let output = Command::new("bash")
        .args(["-euxo", "pipefail", "-c", &commands.concat()])
        .current_dir(folder.path())
        .env("PATH", path)
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{stdout}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(stdout.contains("\"status\": \"SUCCEEDED\""), "{stdout}");
    assert!(stdout.contains("\"status\": \"CANCELLED\""), "{stdout}");
    assert!(stdout.contains("part-00000.parquet"), "{stdout}");
}
