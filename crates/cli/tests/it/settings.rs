//! Settings from files, and what comes before what.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{fixtures, program, run, stderr, stdout, text};

struct Place {
    folder: TempDir,
}

impl Place {
    fn path(&self, name: &str) -> String {
        text(&self.folder.path().join(name)).to_owned()
    }

    /// The program in a folder below the project's, with a user's settings of this place.
    fn program(&self) -> Command {
        let mut command = program();
        command
            .current_dir(self.path("project/below"))
            .env("XDG_CONFIG_HOME", self.path("user"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.program().args(arguments).output().unwrap()
    }
}

fn place() -> Place {
    let folder = TempDir::new().unwrap();
    fs::create_dir_all(folder.path().join("project/below")).unwrap();
    fs::create_dir_all(folder.path().join("user/profile-export")).unwrap();
    Place { folder }
}

fn shown(output: &Output) -> Value {
    serde_json::from_str(&stdout(output)).unwrap()
}

#[test]
fn flags_come_before_the_environment_before_the_project_before_the_user() {
    let place = place();
    let (project, user) = (
        place.path("project/profile-export.toml"),
        place.path("user/profile-export/config.toml"),
    );
    fs::write(
        &user,
        "org = \"user\"\nsandbox = \"user\"\nthreads = 3\nstore = \"/of/user\"\n",
    )
    .unwrap();
    fs::write(
        &project,
        "org = \"project\"\nsandbox = \"project\"\nstore = \"data\"\n",
    )
    .unwrap();
    let output = place
        .program()
        .env("PROFILE_EXPORT_SANDBOX", "environment")
        .args(["config", "show", "--json", "--org", "flag"])
        .output()
        .unwrap();
    let found = shown(&output);
    let of = |name: &str| {
        let setting = &found[name];
        (
            setting["value"].as_str().unwrap().to_owned(),
            setting["origin"].as_str().unwrap().to_owned(),
        )
    };
    let same = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
    assert_eq!(of("org"), same("flag", "--org"));
    assert_eq!(of("sandbox"), same("environment", "PROFILE_EXPORT_SANDBOX"));
    assert_eq!(of("threads"), same("3", &user));
    assert_eq!(of("umask"), same("077", "default"));
    // A store is named from the file's folder on.
    assert_eq!(of("store"), same(&place.path("project/data"), &project));
    let table = stdout(&place.run(&["config", "show", "--origin"]));
    assert!(
        table.contains(&project) && table.starts_with("SETTING"),
        "{table}"
    );
    assert!(stdout(&place.run(&["config", "show"])).contains("org = project\n"));
}

#[test]
fn the_settings_store_is_used_where_none_is_named() {
    let place = place();
    fs::write(
        place.path("project/profile-export.toml"),
        "store = \"data\"\n",
    )
    .unwrap();
    stdout(&place.run(&["ingest", "--from", text(&fixtures())]));
    assert!(Path::new(&place.path("project/data/catalog.sqlite")).is_file());
    let exported = stdout(&place.run(&["export", "--fields", "_id", "--out", "-"]));
    assert!(exported.lines().count() > 100);
    stdout(&place.run(&["datasets", "list"]));
    stdout(&place.run(&["store", "stats"]));
    // A folder that is named comes before it, as does a store, by a flag or by the environment.
    let source = fixtures();
    stdout(&place.run(&["plan", "--fields", "_id", "--from", text(&source)]));
    let other = place.path("other");
    stdout(&run(&["store", "init", "--store", &other]));
    for output in [
        place.run(&["datasets", "list", "--json", "--store", &other]),
        place
            .program()
            .env("PROFILE_EXPORT_STORE", &other)
            .args(["datasets", "list", "--json"])
            .output()
            .unwrap(),
    ] {
        assert_eq!(shown(&output), serde_json::json!([]));
    }
    let unset = place
        .program()
        .env("PROFILE_EXPORT_STORE", "")
        .args(["datasets", "list"])
        .output()
        .unwrap();
    assert!(stdout(&unset).contains("crm"));
    let empty = place
        .program()
        .env("PROFILE_EXPORT_STORE", &other)
        .args(["plan", "--json"])
        .output()
        .unwrap();
    assert_eq!(shown(&empty)["batches"][0]["profiles"], 0);
}

#[test]
fn a_setting_that_is_not_understood_is_named() {
    let place = place();
    let project = place.path("project/profile-export.toml");
    for (text, said) in [
        ("stroe = \"x\"", "stroe"),
        ("threads = \"many\"", "threads"),
        ("store = ", "profile-export.toml"),
    ] {
        fs::write(&project, text).unwrap();
        let refused = place.run(&["config", "show"]);
        assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
        assert!(stderr(&refused).contains(said), "{}", stderr(&refused));
    }
    fs::write(&project, "store = \"s3://bucket/x\"\n").unwrap();
    let refused = place.run(&["store", "init"]);
    assert!(
        stderr(&refused).contains("a scheme"),
        "{}",
        stderr(&refused)
    );
    // Help and the version need no settings.
    stdout(&place.run(&["--version"]));
    stdout(&place.run(&["export", "--help"]));
    fs::write(&project, "threads = 0\n").unwrap();
    assert_eq!(place.run(&["config", "show"]).status.code(), Some(2));
}
