//! A store that can't be written: on a file system that is read-only, or full.
//!
//! Both are mounted in a name space of their own, which needs the rights of root and Linux; elsewhere the tests
//! say that they are skipped.

use std::process::{Command, Output};

use tempfile::TempDir;

use crate::lives::Place;
use crate::program::fixtures;

/// Runs a script in which `$BIN` is the program, `$STORE` the store and `$DIR` a folder that goes with it. `None`
/// where nothing can be mounted.
fn mounted(place: &Place, dir: &TempDir, script: &str) -> Option<Output> {
    let tried = Command::new("unshare")
        .args(["-m", "mount", "-t", "tmpfs", "none", "/mnt"])
        .output();
    if !tried.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: nothing can be mounted here (unshare -m mount)");
        return None;
    }
    let output = Command::new("unshare")
        .args(["-m", "sh", "-ec", script])
        .env("BIN", env!("CARGO_BIN_EXE_profile-export"))
        .env("STORE", &place.store)
        .env("DIR", dir.path())
        .env("REQUEST", &place.request)
        .env("SOURCE", fixtures())
        .output()
        .unwrap();
    Some(output)
}

fn passed(output: Option<Output>) {
    let Some(output) = output else { return };
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn what_only_reads_works_on_a_read_only_file_system_and_the_rest_says_what_is_wrong() {
    let (place, dir) = (Place::small(), TempDir::new().unwrap());
    let script = r#"
        $BIN -q run "$REQUEST" --store "$STORE"
        mount --bind "$STORE" "$STORE"
        mount -o remount,ro,bind "$STORE"
        for command in 'store stats' 'store verify' 'datasets list' 'jobs list' 'batches list' \
                       'merge-policies list' 'segments list'; do
            $BIN -q $command --store "$STORE" || { echo "failed: $command"; exit 1; }
        done
        for command in 'store compact' "ingest --from $SOURCE" 'jobs cancel 1'; do
            if $BIN -q $command --store "$STORE" 2>"$DIR/told"; then echo "worked: $command"; exit 1; fi
            grep -q 'read-only' "$DIR/told" || { echo "not told: $command"; cat "$DIR/told"; exit 1; }
        done
    "#;
    passed(mounted(&place, &dir, script));
}

#[test]
fn a_store_on_a_full_disk_is_read_and_a_batch_that_is_deleted_makes_room() {
    let (place, dir) = (Place::small(), TempDir::new().unwrap());
    let script = r#"
        mount -t tmpfs -o size=16m none "$DIR"
        cp -r "$STORE" "$DIR/store"
        $BIN -q run "$REQUEST" --store "$DIR/store" --json >/dev/null
        batch=$(ls "$DIR/store/batches")
        dd if=/dev/zero of="$DIR/rest" bs=4k 2>/dev/null || true
        for command in 'store stats' 'store verify' 'datasets list' 'jobs list' 'batches list'; do
            $BIN -q $command --store "$DIR/store" || { echo "failed: $command"; exit 1; }
        done
        if $BIN -q ingest --from "$SOURCE" --store "$DIR/store"; then echo "loaded"; exit 1; fi
        $BIN -q batches delete "$batch" --store "$DIR/store"
        test -z "$(ls "$DIR/store/batches")"
        rm "$DIR/rest"
        $BIN -q store verify --store "$DIR/store"
        $BIN -q run "$REQUEST" --store "$DIR/store"
    "#;
    passed(mounted(&place, &dir, script));
}
