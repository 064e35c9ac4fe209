//! Who may do what: each operation of the description, with tokens of all kinds.

use std::sync::Arc;

use profile_export_server::{NewToken, Rights, Tokens};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::query_service::Words;
use crate::serving::{HEADERS, Serving};

/// Operations that change nothing of the store although they are no GET.
const LOOKS: [&str; 12] = [
    "/data/core/ups/preview",
    "/data/core/ups/preview/{id}",
    "/data/core/ups/config/mergePolicies/bulk-get",
    "/data/core/ups/segment/definitions/bulk-get",
    "/data/core/ups/segment/jobs/bulk-get",
    "/data/core/ups/segment/conversion",
    "/data/core/ups/access/entities",
    "/data/core/identity/clusters/members",
    "/local/plan",
    "/local/preview",
    "/local/explain",
    "/local/expression",
];

/// The operations that ask who somebody is, each with its method and its path.
fn operations(server: &Serving) -> Vec<(String, String)> {
    let description = server.ask("GET", "/openapi.json", &[], b"").is(200);
    let mut found = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation.is_object() && operation["security"] != json!([{}]) {
                found.push((method.to_uppercase(), path.clone()));
            }
        }
    }
    assert!(found.len() > 80, "{}", found.len());
    found
}

#[test]
fn each_operation_asks_for_a_token_that_is_good_for_it() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("tokens.json");
    let token = |name: &str, rights| {
        let new = NewToken {
            name: name.to_owned(),
            org: "acme".to_owned(),
            sandbox: "prod".to_owned(),
            rights,
        };
        format!("Bearer {}", Tokens::create(&file, new).unwrap())
    };
    let (reader, writer) = (
        token("reader", Rights::Read),
        token("writer", Rights::Write),
    );
    let server = Serving::with(|settings| {
        settings.token_file = Some(file.clone());
        settings.sql = Some(Arc::new(Words));
    });
    let ask = |method: &str, path: &str, token: Option<&str>, org: &str, sandbox: &str| {
        let mut headers = vec![
            ("x-api-key", "key"),
            ("x-gw-ims-org-id", org),
            ("x-sandbox-name", sandbox),
        ];
        headers.extend(token.map(|token| ("authorization", token)));
        server.ask(method, path, &headers, b"").status
    };
    for (method, described) in operations(&server) {
        let path = described.replace(['{', '}'], "");
        let status = |token, org, sandbox| ask(&method, &path, token, org, sandbox);
        let of = |status: u16| (method.as_str(), described.as_str(), status);
        assert_eq!(of(status(None, "acme", "prod")), of(401));
        assert_eq!(of(status(Some("Bearer guess"), "acme", "prod")), of(401));
        assert_eq!(of(status(Some(&writer), "other", "prod")), of(403));
        assert_eq!(of(status(Some(&writer), "acme", "dev")), of(403));
        // A path that looks by POST, but where DELETE does not forget a look, too.
        let deletes = (&*method, &*described) == ("DELETE", "/data/core/ups/access/entities");
        let looks = ["GET", "HEAD"].contains(&method.as_str())
            || (LOOKS.contains(&described.as_str()) && !deletes);
        let read_only = status(Some(&reader), "acme", "prod");
        assert_eq!((of(read_only), read_only == 403), (of(read_only), !looks));
        assert_ne!(read_only, 401);
    }
    // Nothing of all that was done.
    let headers = [
        ("authorization", reader.as_str()),
        ("x-api-key", "key"),
        ("x-gw-ims-org-id", "acme"),
        ("x-sandbox-name", "prod"),
    ];
    let all = server
        .ask("GET", "/data/foundation/catalog/dataSets", &headers, b"")
        .is(200);
    assert_eq!(all, json!({}));
}

#[test]
fn what_is_made_in_a_sandbox_is_seen_in_no_other() {
    let server = Serving::empty();
    let destinations = "/data/core/ups/config/destinations";
    let projections = "/data/core/ups/config/projections";
    let edge = server
        .post(
            destinations,
            &json!({"type": "EDGE", "dataCenters": ["VA6"]}),
        )
        .is(200);
    let body = json!({"name": "p", "selector": "_id", "destinationId": edge["id"]});
    let query = "?schemaName=_xdm.context.profile";
    let made = server.post(&format!("{projections}{query}"), &body).is(200);
    for (header, other) in [("x-sandbox-name", "dev"), ("x-gw-ims-org-id", "other")] {
        let mut headers = HEADERS.to_vec();
        headers.retain(|(name, _)| *name != header);
        headers.push((header, other));
        let ask = |method: &str, path: &str, body: &Value| {
            server.ask(method, path, &headers, body.to_string().as_bytes())
        };
        let listed = server.ask("GET", destinations, &headers, b"").is(200);
        assert_eq!(listed["_embedded"]["projectionDestinations"], json!([]));
        let listed = server.ask("GET", projections, &headers, b"").is(200);
        assert_eq!(listed["_embedded"]["projectionConfigs"], json!([]));
        for (path, id) in [(destinations, &edge["id"]), (projections, &made["id"])] {
            let path = format!("{path}/{}", id.as_str().unwrap());
            assert_eq!(
                server.ask("GET", &path, &headers, b"").status,
                404,
                "{path}"
            );
            assert_eq!(
                server.ask("DELETE", &path, &headers, b"").status,
                404,
                "{path}"
            );
        }
        // Nor does a destination of one serve a projection of another.
        ask("POST", &format!("{projections}{query}"), &body).refuses(400, "destinationId");
        let read = "/data/core/ups/access/projections/p?entityId=a&entityIdNS=b";
        assert_eq!(server.ask("GET", read, &headers, b"").status, 404);
    }
}
