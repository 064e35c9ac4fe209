//! The token file while the server runs, and what is said of an address that others reach.

use std::path::Path;

use profile_export_server::{NewToken, Rights, Tokens};
use tempfile::TempDir;

use crate::log::{keep_log, logged};
use crate::serving::{HEADERS, JOBS, Serving};

fn make(file: &Path, name: &str) -> String {
    let new = NewToken {
        name: name.to_owned(),
        org: "acme".to_owned(),
        sandbox: "prod".to_owned(),
        rights: Rights::Read,
    };
    format!("Bearer {}", Tokens::create(file, new).unwrap())
}

fn status(server: &Serving, token: &str) -> u16 {
    let mut headers = HEADERS.to_vec();
    headers.retain(|(name, _)| *name != "authorization");
    headers.push(("authorization", token));
    server.ask("GET", JOBS, &headers, b"").status
}

#[test]
fn a_token_that_is_made_or_taken_out_counts_at_once() {
    keep_log();
    let home = TempDir::new().unwrap();
    let file = home.path().join("tokens.json");
    let first = make(&file, "first");
    let only_first = std::fs::read(&file).unwrap();
    let server = Serving::with(|settings| settings.token_file = Some(file.clone()));
    assert_eq!(status(&server, &first), 200);
    let second = make(&file, "second");
    server.until(|| (status(&server, &second) == 200).then_some(()));
    assert_eq!(status(&server, &first), 200);

    // What can't be read changes nothing, and is told once.
    std::fs::write(&file, "[broken").unwrap();
    let told = || logged("tokens.json").len();
    server.until(|| (told() > 0).then_some(()));
    std::thread::sleep(std::time::Duration::from_millis(700));
    let warnings = logged("tokens.json").into_iter();
    assert_eq!(warnings.filter(|line| line.starts_with("WARN")).count(), 1);
    assert_eq!(
        (status(&server, &first), status(&server, &second)),
        (200, 200)
    );

    std::fs::write(&file, only_first).unwrap();
    server.until(|| (status(&server, &second) == 401).then_some(()));
    assert_eq!(status(&server, &first), 200);
}

#[test]
fn an_address_that_other_machines_reach_is_warned_of() {
    keep_log();
    let home = TempDir::new().unwrap();
    let file = home.path().join("tokens.json");
    make(&file, "first");
    let warned = || logged("docs/tls.md").len();
    let on_loopback = Serving::with(|settings| settings.token_file = Some(file.clone()));
    assert_eq!(warned(), 0);
    drop(on_loopback);
    let reachable = Serving::with(|settings| {
        settings.token_file = Some(file.clone());
        settings.listen.set_ip([0, 0, 0, 0].into());
    });
    assert_eq!(warned(), 1);
    assert!(logged("docs/tls.md")[0].starts_with("WARN"));
    drop(reachable);
}
