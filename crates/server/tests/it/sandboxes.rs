//! Sandboxes and tokens: what clients ask for before they ask for anything else.

use profile_export_server::{NewToken, Rights, Tokens};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::serving::{Answer, Serving, load_fixtures};

const SANDBOXES: &str = "/data/foundation/sandbox-management/sandboxes";

fn in_sandbox(server: &Serving, token: &str, sandbox: &str, path: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("x-api-key", "key"),
        ("x-gw-ims-org-id", "acme"),
        ("x-sandbox-name", sandbox),
    ];
    server.ask("GET", path, &headers, b"")
}

fn names(list: &Value) -> Vec<&str> {
    let sandboxes = list["sandboxes"].as_array().unwrap().iter();
    sandboxes.map(|one| one["name"].as_str().unwrap()).collect()
}

#[test]
fn sandboxes_are_those_that_have_something_and_the_callers_own() {
    let server = Serving::fixtures();
    let all = in_sandbox(&server, "t", "dev", SANDBOXES).is(200);
    assert_eq!(names(&all), ["dev", "prod"]);
    assert_eq!(all["sandboxes"][1]["type"], "production");
    assert_eq!(all["sandboxes"][1]["isDefault"], true);
    let first = in_sandbox(&server, "t", "dev", &format!("{SANDBOXES}?limit=1")).is(200);
    assert_eq!(names(&first), ["dev"]);
    let next = first["_links"]["next"]["href"].as_str().unwrap();
    assert_eq!(
        names(&in_sandbox(&server, "t", "dev", next).is(200)),
        ["prod"]
    );
    assert_eq!(
        server.get(&format!("{SANDBOXES}/prod")).is(200)["state"],
        "active"
    );
    server
        .get(&format!("{SANDBOXES}/stage"))
        .refuses(404, "stage");
    assert_eq!(
        names(&server.get("/data/foundation/sandbox-management/").is(200)),
        ["prod"]
    );
    let types = server
        .get("/data/foundation/sandbox-management/sandboxTypes")
        .is(200);
    assert_eq!(
        types,
        json!({"sandboxTypes": ["production", "development"]})
    );
}

fn form(server: &Serving, path: &str, body: &str) -> Answer {
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    server.ask("POST", path, &headers, body.as_bytes())
}

#[test]
fn anybody_gets_a_token_where_no_file_says_who_may_come_in() {
    let server = Serving::empty();
    let asked = "grant_type=client_credentials&client_id=me&client_secret=x&scope=openid";
    let given = form(&server, "/ims/token/v3", asked).is(200);
    assert_eq!(given["token_type"], "bearer");
    assert!(given["expires_in"].as_u64().unwrap() > 3600);
    let given = form(&server, &format!("/ims/token/v2?{asked}"), "").is(200);
    in_sandbox(
        &server,
        given["access_token"].as_str().unwrap(),
        "prod",
        SANDBOXES,
    )
    .is(200);
    for (asked, error) in [
        ("grant_type=password&client_id=me", "unsupported_grant_type"),
        ("client_id=me", "invalid_request"),
        ("grant_type=client_credentials", "invalid_request"),
    ] {
        assert_eq!(
            form(&server, "/ims/token/v3", asked).is(400)["error"],
            error
        );
    }
}

#[test]
fn a_token_file_says_whose_secret_is_a_token_and_which_sandboxes_there_are_for_it() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("tokens.json");
    let new = NewToken {
        name: "reader".to_owned(),
        org: "acme".to_owned(),
        sandbox: "dev".to_owned(),
        rights: Rights::Read,
    };
    let secret = Tokens::create(&file, new).unwrap();
    let store = TempDir::new().unwrap();
    load_fixtures(store.path());
    let server = Serving::on(store.path(), |settings| settings.token_file = Some(file));
    let asked =
        |secret: &str| format!("grant_type=client_credentials&client_id=me&client_secret={secret}");
    let given = form(&server, "/ims/token/v3", &asked(&secret)).is(200);
    let token = given["access_token"].as_str().unwrap();
    // What lies in prod is not for it.
    assert_eq!(
        names(&in_sandbox(&server, token, "dev", SANDBOXES).is(200)),
        ["dev"]
    );
    assert_eq!(in_sandbox(&server, token, "prod", SANDBOXES).status, 403);
    for wrong in [
        asked("x"),
        "grant_type=client_credentials&client_id=me".to_owned(),
    ] {
        assert_eq!(
            form(&server, "/ims/token/v3", &wrong).is(401)["error"],
            "invalid_client"
        );
    }
}
