//! Namespaces of identities, and which identities belong together.

use serde_json::{Value, json};

use crate::ingestion::{RECORD, begin, complete, dataset, upload};
use crate::serving::{DATASETS, HEADERS, IMPORT, Serving, union_dataset};

const NAMESPACES: &str = "/data/core/idnamespace/identities";
const XID: &str = "/data/core/identity/identity";
const CLUSTER: &str = "/data/core/identity/cluster/members";
const CLUSTERS: &str = "/data/core/identity/clusters/members";

fn codes(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap().iter();
    list.map(|one| one["code"].as_str().unwrap()).collect()
}

#[test]
fn namespaces_are_standard_ones_those_of_records_and_none_of_memberships() {
    let server = Serving::fixtures();
    let all = server.get(NAMESPACES).is(200);
    let codes = codes(&all);
    // ups and others stand in memberships alone.
    for code in [
        "CORE", "ECID", "Email", "Phone", "AAID", "AdCloud", "CRMID", "Loyalty",
    ] {
        let times = codes.iter().filter(|one| one.eq_ignore_ascii_case(code));
        assert_eq!(times.count(), 1, "{code}: {codes:?}");
    }
    assert!(!codes.contains(&"ups"), "{codes:?}");
    let own = all.as_array().unwrap().iter();
    let own: Vec<&Value> = own.filter(|one| one["custom"] == true).collect();
    assert_eq!(own.len(), 2, "{own:?}");
    let email = server.get(&format!("{NAMESPACES}/6")).is(200);
    assert_eq!(
        (&email["code"], &email["idType"]),
        (&json!("Email"), &json!("EMAIL"))
    );
    assert_eq!(server.get(&format!("{NAMESPACES}/EMAIL")).is(200), email);
    let crm = server.get(&format!("{NAMESPACES}/crmid")).is(200);
    assert_eq!(
        server.get(&format!("{NAMESPACES}/{}", crm["id"])).is(200),
        crm
    );
    for missing in ["ups", "4711", "-1"] {
        server
            .get(&format!("{NAMESPACES}/{missing}"))
            .refuses(404, missing);
    }
    let of = |org: &str| server.get(&format!("/data/core/idnamespace/orgs/{org}/identities"));
    assert_eq!(of("acme").is(200), all);
    assert_eq!(
        of("other").is(200).as_array().unwrap().len(),
        codes.len() - 2
    );
}

#[test]
fn a_membership_of_a_namespace_that_identities_have_too_takes_it_from_neither() {
    let server = Serving::empty();
    let made = server.post(
        "/data/foundation/catalog/dataSets",
        &union_dataset("Records"),
    );
    let dataset = made.is(201)[0]
        .as_str()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    let body = json!({"datasetId": dataset, "inputFormat": {"format": "json"}});
    let batch = server.post(IMPORT, &body).is(201)["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let record = json!({
        "identityMap": {"Both": [{"id": "1", "primary": true}]},
        "segmentMembership": {"both": {"s": {"status": "realized"}}, "only": {"s": {"status": "realized"}}},
    });
    let path = format!("{IMPORT}/{batch}/datasets/{dataset}/files/a.json");
    server
        .ask("PUT", &path, &HEADERS, record.to_string().as_bytes())
        .is(200);
    server
        .ask(
            "POST",
            &format!("{IMPORT}/{batch}?action=COMPLETE"),
            &HEADERS,
            b"",
        )
        .is(200);
    server.until(|| {
        let shown = server.get(&format!("{IMPORT}/{batch}")).is(200);
        assert_ne!(shown["status"], "failed", "{shown}");
        (shown["status"] == "success").then_some(())
    });
    let all = server.get(NAMESPACES).is(200);
    assert!(
        codes(&all).contains(&"Both") && !codes(&all).contains(&"only"),
        "{all}"
    );
}

#[test]
fn namespaces_of_ones_own_are_described_and_described_anew() {
    let server = Serving::fixtures();
    let body = json!({"name": "Loyalty member", "code": "loyalty", "idType": "Cross_device", "description": "d"});
    let seen = server.get(&format!("{NAMESPACES}/Loyalty")).is(200);
    assert!(
        seen.get("idType").is_none() && seen.get("createTime").is_none(),
        "{seen}"
    );
    let made = server.post(NAMESPACES, &body).is(200);
    assert_eq!(
        (&made["id"], &made["idType"]),
        (&seen["id"], &json!("CROSS_DEVICE"))
    );
    assert_eq!(
        (&made["custom"], &made["status"]),
        (&json!(true), &json!("ACTIVE"))
    );
    assert!(made["createTime"].as_i64().unwrap() > 1_600_000_000_000);
    server
        .post(NAMESPACES, &body)
        .refuses(409, "is there already");
    assert_eq!(
        server.get(&format!("{NAMESPACES}/{}", made["id"])).is(200),
        made
    );

    let path = format!("{NAMESPACES}/{}", made["id"]);
    let anew = json!({"name": "Other", "code": "LOYALTY", "idType": "DEVICE"});
    let changed = server.send("PUT", &path, &anew).is(200);
    assert_eq!(
        (&changed["name"], &changed["code"]),
        (&json!("Other"), &json!("loyalty"))
    );
    assert_eq!(changed["createTime"], made["createTime"]);
    assert!(changed.get("description").is_none());
    let elsewhere = json!({"name": "Other", "code": "else", "idType": "DEVICE"});
    server
        .send("PUT", &path, &elsewhere)
        .refuses(400, "code: found \"else\"");
    server
        .send("PUT", &format!("{NAMESPACES}/4711"), &elsewhere)
        .refuses(404, "4711");
    server
        .send(
            "PUT",
            &format!("{NAMESPACES}/6"),
            &json!({"name": "E", "code": "email", "idType": "EMAIL"}),
        )
        .refuses(400, "standard");
    for (name, value, says) in [
        ("code", json!("two words"), "one word"),
        ("code", json!("Email"), "standard"),
        ("code", json!(""), "one word"),
        ("name", json!(" "), "needs a name"),
        ("idType", json!("PERSON"), "allowed are COOKIE"),
        ("more", json!(1), "more"),
    ] {
        let mut wrong = json!({"name": "N", "code": "fresh", "idType": "COOKIE"});
        wrong[name] = value;
        server.post(NAMESPACES, &wrong).refuses(400, says);
    }
    // One that nobody has yet is its sandbox's alone.
    server
        .post(
            NAMESPACES,
            &json!({"name": "N", "code": "fresh", "idType": "COOKIE"}),
        )
        .is(200);
    let mut headers = HEADERS.to_vec();
    headers.retain(|(name, _)| *name != "x-sandbox-name");
    headers.push(("x-sandbox-name", "dev"));
    assert_eq!(
        server
            .ask("GET", &format!("{NAMESPACES}/fresh"), &headers, b"")
            .status,
        404
    );
    assert_eq!(
        codes(&server.ask("GET", NAMESPACES, &headers, b"").is(200)).len(),
        15
    );
}

#[test]
fn an_identity_has_an_xid_which_look_ups_take_back() {
    let server = Serving::fixtures();
    let ask = |query: &str| server.get(&format!("{XID}?{query}"));
    let xid = ask("namespace=email&id=person226@example.com").is(200)["xid"].clone();
    for same in ["nsid=6", "nsid=6&namespace=EMAIL"] {
        assert_eq!(
            ask(&format!("{same}&id=person226@example.com")).is(200)["xid"],
            xid
        );
    }
    let path = "/data/core/ups/access/entities?schema.name=_xdm.context.profile";
    let found = server
        .get(&format!("{path}&entityId={}", xid.as_str().unwrap()))
        .is(200);
    assert_eq!(found[xid.as_str().unwrap()]["entityId"], xid);
    for (query, says) in [
        ("namespace=email", "id: missing"),
        ("id=1", "nsid: missing"),
        ("nsid=4711&id=1", "no identity namespace has this number"),
        ("nsid=6&namespace=Phone&id=1", "that of \"Email\""),
    ] {
        ask(query).refuses(400, says);
    }
}

#[test]
fn a_cluster_has_all_identities_of_a_person() {
    let server = Serving::fixtures();
    let ask = |query: &str| server.get(&format!("{CLUSTER}?{query}"));
    let crm = server.get(&format!("{NAMESPACES}/CRMID")).is(200)["id"].clone();
    let members = json!([
        {"nsid": crm, "ns": "CRMID", "id": "C00226"},
        {"nsid": 6, "ns": "Email", "id": "person226@example.com"},
    ]);
    let by_email = ask("ns=email&id=person226@example.com").is(200);
    assert_eq!(by_email["members"], members);
    assert_eq!(by_email["compositeXid"], members[1]);
    // From the other end, which is nobody's primary identity, and by each way to say whose.
    for query in [
        format!("nsId={crm}&id=C00226"),
        format!("nsid={crm}&id=C00226&graph-type=Private%20Graph"),
    ] {
        assert_eq!(ask(&query).is(200)["members"], members, "{query}");
    }
    let xid = by_email["xid"].as_str().unwrap();
    assert_eq!(ask(&format!("xid={xid}&graph-type=pdg")).is(200), by_email);
    let alone = ask(&format!("xid={xid}&graph-type=None")).is(200);
    assert_eq!(alone["members"], json!([members[1]]));
    assert_eq!(ask("ns=Email&id=nobody").is(200)["members"], json!([]));
    ask("xid=elsewhere").refuses(400, "no XID of this server");
    ask(&format!("xid={xid}&graph-type=coop")).refuses(400, "graph-type");
    for other in ["nsid=6", "nsId=6", "ns=email", "namespace=email", "id=1"] {
        ask(&format!("xid={xid}&{other}")).refuses(400, "beside xid");
    }
    ask("nsid=6&nsId=7&id=1").refuses(400, "nsId: found \"7\", and nsid is \"6\"");
    ask("ns=email&namespace=phone&id=1").refuses(400, "ns: found \"email\"");
    for ns in ["Phone", ""] {
        let body = json!({"xids": [xid], "compositeXids": [{"nsid": 6, "ns": ns, "id": "1"}]});
        server
            .post(CLUSTERS, &body)
            .refuses(400, "compositeXids[0].ns: found");
    }

    let body = json!({
        "xids": [xid, "elsewhere"],
        "compositeXids": [{"nsid": 6, "id": "person226@example.com"}, {"nsid": 4711, "id": "1"}, {"ns": "CRMID", "id": "C00226"}],
        "graph-type": "Private Graph",
    });
    let found = server.post(CLUSTERS, &body).is(200);
    let clusters = found["clusters"].as_array().unwrap();
    assert_eq!(clusters.len(), 3);
    assert!(
        clusters.iter().all(|one| one["members"] == members),
        "{found}"
    );
    assert_eq!(found["unprocessedXids"], json!(["elsewhere"]));
    assert_eq!(found["unprocessedNids"][0]["nsid"], 4711);
    server.post(CLUSTERS, &json!({})).refuses(400, "1 to 1000");
    let many = vec![xid; 1001];
    server
        .post(CLUSTERS, &json!({"xids": many}))
        .refuses(400, "1 to 1000");
}

#[test]
fn an_identity_that_an_event_alone_links_is_a_member_too() {
    let server = Serving::empty();
    let people = dataset(&server);
    let events = json!({"name": "visits", "schemaRef": {"id": "https://ns.adobe.com/xdm/context/experienceevent"}});
    let made = server.post(DATASETS, &events).is(201);
    let visits = made[0].as_str().unwrap().rsplit('/').next().unwrap();
    let event = json!({
        "_id": "e", "timestamp": "2026-01-01T00:00:00Z",
        "identityMap": {"Email": [{"id": "a@x.org", "primary": true}], "ECID": [{"id": "42"}]},
    });
    for (dataset, records) in [
        (people.as_str(), RECORD.to_owned()),
        (visits, event.to_string()),
    ] {
        let batch = begin(&server, dataset, &json!({"format": "json"}));
        upload(&server, dataset, &batch, "a.json", records.as_bytes());
        assert_eq!(complete(&server, &batch)["status"], "success");
    }
    let members = json!([
        {"nsid": 4, "ns": "ECID", "id": "42"},
        {"nsid": 6, "ns": "Email", "id": "a@x.org"},
    ]);
    for whose in ["ns=Email&id=a@x.org", "nsid=4&id=42"] {
        let found = server.get(&format!("{CLUSTER}?{whose}")).is(200);
        assert_eq!(found["members"], members, "{whose}");
    }
}

#[test]
fn a_store_without_identities_has_clusters_of_nobody() {
    let server = Serving::empty();
    let found = server.get(&format!("{CLUSTER}?ns=Email&id=nobody")).is(200);
    assert_eq!(found["members"], json!([]));
}
