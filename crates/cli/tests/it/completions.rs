//! What a shell offers, and what is installed.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::program::{fixture_store, program, run, stderr, stdout, text};

/// What fish is offered for the last word of a line.
fn offered(store: Option<&str>, line: &[&str]) -> Vec<String> {
    let mut command = program();
    command
        .env("PROFILE_EXPORT_COMPLETE", "fish")
        .arg("--")
        .arg("profile-export")
        .args(line);
    if let Some(store) = store {
        command.env("PROFILE_EXPORT_STORE", store);
    }
    let offered = stdout(&command.output().unwrap());
    offered
        .lines()
        .map(|line| line.split('\t').next().unwrap().to_owned())
        .collect()
}

#[test]
fn values_are_completed_from_the_store() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    stdout(&run(&["export", "--store", &store, "--fields", "_id"]));
    let of = |line: &[&str]| offered(Some(&store), line);
    assert!(of(&["exp"]).contains(&"export".to_owned()));
    assert!(of(&["export", "--seg"]).contains(&"--segment-per-batch".to_owned()));
    assert!(of(&["export", "--segment", "holi"]).contains(&"holiday-shoppers".to_owned()));
    assert!(of(&["export", "--merge-policy", "crm"]).contains(&"crm-first".to_owned()));
    assert_eq!(of(&["datasets", "get", "cr"]), ["crm"]);
    assert_eq!(of(&["jobs", "get", ""]).first().unwrap(), "1");
    assert_eq!(
        of(&["export", "--segment", "x", "--status", "ex"]),
        ["existing", "exited"]
    );
    assert_eq!(of(&["jobs", "list", "--status", "SUC"]), ["SUCCEEDED"]);
    assert_eq!(
        of(&["jobs", "list", "--sort", "createdTime:a"]),
        ["createdTime:asc"]
    );
    assert_eq!(of(&["export", "--since-job", ""])[..2], ["last", "1"]);
    assert_eq!(of(&["export", "--segment-ns", "aa"]), ["aam"]);
    assert_eq!(of(&["export", "--org", "def"]), ["default"]);
    assert_eq!(
        of(&["export", "--org", "default", "--sandbox", "p"]),
        ["prod"]
    );
    assert_eq!(
        of(&["export", "--org", "nobody's", "--sandbox", "p"]),
        [""; 0]
    );
    let batches = stdout(&run(&["batches", "list", "--store", &store, "--tsv"]));
    let batch = batches.lines().nth(1).unwrap().split('\t').next().unwrap();
    for command in ["get", "files", "delete"] {
        assert_eq!(of(&["batches", command, ""]).first().unwrap(), batch);
    }
    for command in ["get", "update", "delete"] {
        assert_eq!(
            of(&["merge-policies", command, "crm-first-"]),
            ["crm-first-pdg"]
        );
        assert_eq!(of(&["segments", command, "4edc"]).len(), 1);
    }
    // Fields: the last of a list, a level at a time.
    assert_eq!(of(&["export", "--fields", "personalE"]), ["personalEmail"]);
    let below = of(&["export", "--fields", "_id,personalEmail.a"]);
    assert_eq!(below, ["_id,personalEmail.address"]);
    assert_eq!(
        of(&["export", "--require", "_id,personalE"]),
        ["_id,personalEmail"]
    );
    assert_eq!(of(&["export", "--events", "eventT"]), ["eventType"]);
    // What is defined no more, and in records still, is there to be exported and not to be got.
    stdout(&run(&[
        "segments",
        "delete",
        "holiday-shoppers",
        "--store",
        &store,
    ]));
    assert_eq!(of(&["segments", "get", "holi"]), [""; 0]);
    // The line's own store, and none at all.
    let named = offered(None, &["export", "--store", &store, "--segment", "holi"]);
    assert_eq!(named, ["holiday-shoppers"]);
    assert_eq!(offered(None, &["export", "--segment", "holi"]), [""; 0]);
}

#[test]
fn completions_and_pages_are_installed_for_the_user() {
    let home = TempDir::new().unwrap();
    let install = |arguments: &[&str]| {
        let mut command = program();
        command.args(["completions", "--install"]).args(arguments);
        command
            .env("HOME", home.path())
            .env("SHELL", "/bin/bash")
            .env_remove("XDG_DATA_HOME");
        command
            .env("XDG_CONFIG_HOME", home.path().join(".config"))
            .output()
            .unwrap()
    };
    let told = install(&[]);
    let script = home
        .path()
        .join(".local/share/bash-completion/completions/profile-export");
    assert!(
        fs::read_to_string(&script)
            .unwrap()
            .contains("PROFILE_EXPORT_COMPLETE")
    );
    assert!(stderr(&told).contains(text(&script)), "{}", stderr(&told));
    let page = home
        .path()
        .join(".local/share/man/man1/profile-export-export.1");
    assert!(
        fs::read_to_string(page)
            .unwrap()
            .contains("segment\\-per\\-batch")
    );
    stdout(&install(&["fish"]));
    assert!(
        home.path()
            .join(".config/fish/completions/profile-export.fish")
            .is_file()
    );
    let zsh = install(&["zsh"]);
    assert!(stderr(&zsh).contains("fpath+="), "{}", stderr(&zsh));
    let refused = install(&["powershell"]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    // Each shell's script is printed, too, and pages for a package.
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(stdout(&run(&["completions", shell])).contains("PROFILE_EXPORT_COMPLETE"));
    }
    let pages = home.path().join("pages");
    stdout(&run(&["completions", "--man-pages", text(&pages)]));
    let names = fs::read_dir(&pages).unwrap();
    let names: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for page in [
        "profile-export.1",
        "profile-export-store-forget.1",
        "profile-export-explain.1",
    ] {
        assert!(names.iter().any(|name| name == page), "{page}: {names:?}");
    }
    assert!(Path::new(&pages.join("profile-export.1")).is_file());
}
