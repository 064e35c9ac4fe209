//! Whom expressions take, from the command line.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{fixture_store, parsed, run, stderr, stdout};

/// What is counted of the rows that an export of everybody gives is what an expression counts.
#[test]
fn an_estimate_is_what_the_rows_of_an_export_say() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let policy = ["--merge-policy", "latest"];
    let export = [
        "export",
        "--store",
        &store,
        "--out",
        "-",
        "--quiet",
        "--empty-profiles",
        "--events",
    ];
    let rows = stdout(&run(&[&export[..], &policy].concat()));
    let rows: Vec<Value> = rows
        .lines()
        .map(|row| serde_json::from_str(row).unwrap())
        .collect();
    let events = |row: &Value| {
        row["timeSeriesEvents"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    };
    let count = |holds: &dyn Fn(&Value) -> bool| rows.iter().filter(|row| holds(row)).count();
    let product = |event: &Value| event["eventType"] == "commerce.purchase";
    let cases = [
        (
            "personalEmail.address",
            count(&|row| row["personalEmail"]["address"].is_string()),
        ),
        (
            "not (personalEmail.address)",
            count(&|row| row["personalEmail"]["address"].is_null()),
        ),
        ("xEvent", count(&|row| !events(row).is_empty())),
        (
            r#"xEvent[eventType = "commerce.purchase"].count() > 1"#,
            count(&|row| events(row).iter().filter(|event| product(event)).count() > 1),
        ),
        (
            r#"personalEmail.address.endsWith("example.com", false) and not CHAIN(xEvent, timestamp, [A: WHAT(eventType = "commerce.purchase")])"#,
            count(&|row| {
                let address = row["personalEmail"]["address"].as_str().unwrap_or_default();
                address.to_lowercase().ends_with("example.com") && !events(row).iter().any(product)
            }),
        ),
    ];
    for (expression, expected) in cases {
        assert!(expected > 0 && expected < rows.len(), "{expression}");
        let estimate = ["segments", "estimate", expression, "--store", &store];
        let told = run(&[&estimate[..], &policy].concat());
        assert_eq!(stdout(&told).trim(), expected.to_string(), "{expression}");
        assert!(
            stderr(&told).contains(&format!("of {} profiles", rows.len())),
            "{}",
            stderr(&told)
        );
        let preview = [
            "segments", "preview", expression, "--store", &store, "--limit", "10000", "--json",
        ];
        let people = parsed(&run(&[&preview[..], &policy].concat()));
        assert_eq!(people.as_array().unwrap().len(), expected, "{expression}");
        assert!(
            people
                .as_array()
                .unwrap()
                .iter()
                .all(|one| one["identityMap"].is_object())
        );
    }
    let few = [
        "segments", "preview", "xEvent", "--store", &store, "--limit", "2", "--json",
    ];
    assert_eq!(parsed(&run(&few)).as_array().unwrap().len(), 2);
    let none = stdout(&run(&["segments", "preview", "1 = 2", "--store", &store]));
    assert_eq!(none.trim(), "no profile");
}

#[test]
fn definitions_are_estimated_at_a_moment_by_their_policies() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let all = parsed(&run(&[
        "segments", "estimate", "--all", "--store", &store, "--json",
    ]));
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), 4);
    // Their expressions are `true`.
    assert!(all.iter().all(|one| one["members"] == one["profiles"]));
    let policies: Vec<&str> = all
        .iter()
        .map(|one| one["mergePolicyId"].as_str().unwrap())
        .collect();
    assert!(
        policies.contains(&"crm-first-pdg") && policies.contains(&"latest"),
        "{policies:?}"
    );
    let one = [
        "segments",
        "estimate",
        "--segment",
        "Segment 3 of AAM",
        "--store",
        &store,
        "--now",
        "2026-03-01",
        "--json",
    ];
    let one = parsed(&run(&one));
    assert_eq!(one[0]["segmentId"], "holiday-shoppers");
    assert_eq!(one[0]["now"], "2026-03-01T00:00:00Z");

    let recent = |now: &str| {
        let estimate = [
            "segments",
            "estimate",
            "xEvent[timestamp occurs < 3 days before now]",
            "--store",
            &store,
        ];
        stdout(&run(&[&estimate[..], &["--now", now]].concat()))
            .trim()
            .to_owned()
    };
    assert_eq!(recent("1990-01-01"), "0");
    assert_ne!(recent("2018-10-25"), "0");
    assert_ne!(recent("2018-10-25"), recent("2018-10-30"));
    assert_eq!(recent("2018-12-01"), "0");
}

#[test]
fn an_expression_that_is_none_is_named_with_its_place() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    for (expression, named) in [
        ("personalEmal.address", "did you mean \"personalEmail\"?"),
        ("personalEmail.address = 3 and and", "line 1, column"),
        (r#"inSegment("nobody")"#, "nobody"),
        ("person.name = 'x'", "double quotes"),
    ] {
        let told = run(&["segments", "estimate", expression, "--store", &store]);
        assert_eq!(
            told.status.code(),
            Some(2),
            "{expression}: {}",
            stdout(&told)
        );
        assert!(
            stderr(&told).contains(named),
            "{expression}: {}",
            stderr(&told)
        );
    }
    // What others ask for is evaluated with them.
    let definitions = folder.path().join("definitions.json");
    let body = r#"[{"id": "a", "name": "a", "expression": {"type": "PQL", "value": "xEvent"}},
        {"id": "b", "name": "b", "expression": {"type": "PQL", "value": "not inSegment(\"a\")"}}]"#;
    std::fs::write(&definitions, body).unwrap();
    stdout(&run(&[
        "segments",
        "create",
        definitions.to_str().unwrap(),
        "--store",
        &store,
    ]));
    let number = |words: &[&str]| {
        let told = stdout(&run(&[
            &["segments", "estimate"],
            words,
            &["--store", &store, "--json"],
        ]
        .concat()));
        serde_json::from_str::<Value>(&told).unwrap()[0]["members"]
            .as_u64()
            .unwrap()
    };
    let (all, some) = (number(&["true = true"]), number(&["xEvent"]));
    assert_eq!(number(&["--segment", "b"]), all - some);
    assert_eq!(number(&[r#"inSegment("b")"#]), all - some);

    let file = folder.path().join("expression.pql");
    std::fs::write(&file, "personalEmail\n  and xEvent[eventTipe = \"x\"]").unwrap();
    let file = file.to_str().unwrap();
    let syntax = run(&["segments", "check", file]);
    assert_eq!(
        stdout(&syntax).trim(),
        r#"personalEmail and xEvent[eventTipe = "x"]"#
    );
    assert!(stderr(&syntax).contains("no store"), "{}", stderr(&syntax));
    for (text, named) in [("[]", "no definition"), (r#"[{"id": "x"}]"#, "segment x")] {
        std::fs::write(file, text).unwrap();
        let told = run(&["segments", "check", file]);
        assert_eq!(told.status.code(), Some(2));
        assert!(stderr(&told).contains(named), "{}", stderr(&told));
    }
    std::fs::write(
        file,
        "\u{feff}personalEmail\n  and xEvent[eventTipe = \"x\"]",
    )
    .unwrap();
    let fields = run(&["segments", "check", file, "--store", &store]);
    assert_eq!(fields.status.code(), Some(2));
    assert!(
        stderr(&fields).contains("line 2, column 14"),
        "{}",
        stderr(&fields)
    );
    std::fs::write(file, r#"[{"id": "a", "expression": {"type": "PQL", "value": "xEvent.eventType = \"x\" and personalEmail"}}]"#).unwrap();
    let read = parsed(&run(&[
        "segments", "check", file, "--store", &store, "--json",
    ]));
    assert_eq!(read["eventFields"], serde_json::json!(["eventType"]));
    assert_eq!(read["name"], "a");
}

#[test]
fn definitions_that_can_not_be_for_what_they_ask_for_are_refused_and_those_asked_for_stay() {
    let folder = TempDir::new().unwrap();
    let store = folder.path().join("store");
    let store = store.to_str().unwrap();
    let file = folder.path().join("definitions.json");
    let of = |id: &str, expression: &str| json!({"id": id, "name": id, "expression": {"type": "PQL", "value": expression}});
    let tell = |words: &[&str], body: &Value| {
        std::fs::write(&file, body.to_string()).unwrap();
        run(&[words, &[file.to_str().unwrap(), "--store", store]].concat())
    };
    let create = ["segments", "create"];
    let (a, b) = (of("a", r#"inSegment("b")"#), of("b", "personalEmail"));
    let refused = |told: std::process::Output, says: &str| {
        assert_eq!(told.status.code(), Some(2), "{}", stderr(&told));
        assert!(stderr(&told).contains(says), "{}", stderr(&told));
    };
    refused(tell(&create, &a), "\"b\"), which is not there");
    // All of a list, or nothing.
    refused(
        tell(&create, &json!([of("c", "true"), a])),
        "which is not there",
    );
    stdout(&tell(&create, &json!([a, b])));
    refused(
        tell(
            &["segments", "update", "b"],
            &of("b", r#"not inSegment("a")"#),
        ),
        "in a circle",
    );
    let delete = |id: &str| run(&["segments", "delete", id, "--store", store]);
    let told = delete("b");
    assert_eq!(told.status.code(), Some(5), "{}", stderr(&told));
    assert!(
        stderr(&told).contains(r#""a" asks for "b" by inSegment"#),
        "{}",
        stderr(&told)
    );
    let left = parsed(&run(&["segments", "list", "--store", store, "--json"]));
    let left: Vec<&Value> = (left.as_array().unwrap().iter())
        .map(|one| &one["id"])
        .collect();
    assert_eq!(left, ["a", "b"]);
    stdout(&delete("a"));
    stdout(&delete("b"));
}

#[test]
fn what_is_most_likely_not_meant_is_warned_of_and_done() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let file = folder.path().join("definition.json");
    let file = file.to_str().unwrap();
    let create = |expression: &str, store: &str| {
        let body = json!({"id": "a", "expression": {"type": "PQL", "value": expression}});
        std::fs::write(file, body.to_string()).unwrap();
        run(&["segments", "create", file, "--store", store])
    };
    let told = create("personalEmal.address", &store);
    assert_eq!(parsed(&told)["id"], "a");
    let near = "warning: segment a can't be evaluated as the store is: line 1, column 1: ";
    assert!(
        stderr(&told).contains(near) && stderr(&told).contains("\"personalEmail\""),
        "{}",
        stderr(&told)
    );
    let update = ["segments", "update", "a", file, "--store", &store];
    assert!(stderr(&run(&update)).contains(near));
    assert_eq!(stderr(&create("personalEmail.address", &store)), "");
    // A store without a schema can't tell.
    let empty = folder.path().join("empty");
    let told = create("personalEmal.address", empty.to_str().unwrap());
    assert_eq!(
        (stdout(&told).is_empty(), stderr(&told).as_str()),
        (false, "")
    );

    let estimate = |expression: &str| run(&["segments", "estimate", expression, "--store", &store]);
    let warns =
        |told: &std::process::Output| stderr(told).contains("warning: the expression is a number");
    let (number, compared) = (estimate("xEvent.count()"), estimate("xEvent.count() > 0"));
    assert!(warns(&number) && !warns(&compared), "{}", stderr(&number));
    assert_eq!(stdout(&number), stdout(&estimate("true = true")));
}

/// The walk from an expression to its people: written, evaluated, exported, explained.
#[test]
fn an_expression_becomes_memberships_that_exports_read() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let file = folder.path().join("buyers.json");
    let expression = json!({"type": "PQL", "format": "pql/text",
        "value": "xEvent[eventType = \"commerce.purchase\"].count() > 1"});
    let definition = json!({"id": "buyers", "name": "Buyers", "expression": expression, "mergePolicyId": "latest"});
    std::fs::write(&file, definition.to_string()).unwrap();
    let of_store = |arguments: &[&str]| run(&[arguments, &["--store", &store]].concat());
    assert!(
        of_store(&["segments", "create", file.to_str().unwrap()])
            .status
            .success()
    );
    let estimate = parsed(&of_store(&[
        "segments",
        "estimate",
        "--segment",
        "Buyers",
        "--json",
    ]));
    let members = estimate[0]["members"].as_u64().unwrap();
    assert!(members > 0);

    let export = [
        "export",
        "--segment",
        "buyers",
        "--fields",
        "personalEmail.address,segmentMembership",
        "--out",
        "-",
        "--quiet",
        "--empty-profiles",
    ];
    assert_eq!(stdout(&of_store(&export)), "");
    let evaluate = ["segments", "evaluate", "Buyers", "--now", "2026-11-01"];
    let job = parsed(&of_store(&[&evaluate[..], &["--json"]].concat()));
    assert_eq!(job["status"], "SUCCEEDED");
    assert_eq!(
        job["metrics"]["segmentedProfileByStatusCounter"]["buyers"]["realized"],
        members
    );
    let rows = stdout(&of_store(&export));
    assert_eq!(rows.lines().count() as u64, members);
    let row: Value = serde_json::from_str(rows.lines().next().unwrap()).unwrap();
    assert_eq!(
        row["segmentMembership"]["ups"]["buyers"]["lastQualificationTime"],
        "2026-11-01T00:00:00Z"
    );

    let again = of_store(&[&evaluate[..], &["--quiet"]].concat());
    let table = stdout(&again);
    let mut line: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    let took: f64 = line.remove(5).parse().unwrap();
    assert!(took > 0.0, "{table}");
    let members = members.to_string();
    assert_eq!(
        line,
        ["buyers", &members, "0", &members, "0", "Buyers"],
        "{table}"
    );

    // Exporting evaluates, where that is asked for; whom data alone says to be members is no expression's.
    let out = folder.path().join("out.ndjson");
    let evaluated = [
        "export",
        "--segment",
        "buyers",
        "--evaluate",
        "--empty-profiles",
        "--out",
        out.to_str().unwrap(),
    ];
    assert!(of_store(&evaluated).status.success());
    assert_eq!(
        std::fs::read_to_string(&out)
            .unwrap()
            .lines()
            .count()
            .to_string(),
        members
    );
    // The job says it, so that who asks for it again asks for the same.
    let exported = of_store(&["export", "--segment", "buyers", "--evaluate", "--json"]);
    assert_eq!(parsed(&exported)["evaluationInfo"]["segmentation"], true);
    let without = parsed(&of_store(&["export", "--segment", "buyers", "--json"]));
    assert!(without.get("evaluationInfo").is_none(), "{without}");
    let look = of_store(&["plan", "--segment", "buyers", "--evaluate"]);
    assert!(stderr(&look).contains("not evaluated"), "{}", stderr(&look));
    let unknown = of_store(&["export", "--segment", "nobody", "--evaluate"]);
    assert_eq!(unknown.status.code(), Some(2), "{}", stderr(&unknown));
    let into = of_store(&[
        "ingest",
        "--dataset",
        "Segment memberships, evaluated",
        file.to_str().unwrap(),
    ]);
    assert_eq!(into.status.code(), Some(2));
    assert!(stderr(&into).contains("evaluations"), "{}", stderr(&into));
}

/// Expressions read fields and events that the export itself does not ask for.
#[test]
fn segments_are_evaluated_straight_from_a_source_folder_too() {
    let folder = TempDir::new().unwrap();
    let source = folder.path().join("source");
    for (dataset, class, record) in [
        (
            "crm",
            "profile",
            r#"{"person": {"age": 20, "name": "Ann"}, "identityMap": {"Email": [{"id": "a@x.org", "primary": true}]}}"#,
        ),
        (
            "visits",
            "event",
            r#"{"_id": "1", "timestamp": "2026-01-01T00:00:00Z", "eventType": "buy", "identityMap": {"Email": [{"id": "a@x.org", "primary": true}]}}"#,
        ),
    ] {
        let own = source.join(dataset);
        std::fs::create_dir_all(&own).unwrap();
        let body = json!({"id": format!("{dataset:0<24}").replace(|c: char| !c.is_ascii_hexdigit(), "0"), "name": dataset, "class": class});
        std::fs::write(own.join("dataset.json"), body.to_string()).unwrap();
        std::fs::write(own.join("data.json"), record).unwrap();
    }
    let expression = r#"person.age >= 18 and xEvent[eventType = "buy"]"#;
    let definition = json!([{"id": "buyers", "name": "Buyers", "expression": {"type": "PQL", "value": expression}}]);
    std::fs::write(source.join("segments.json"), definition.to_string()).unwrap();
    let rows = stdout(&run(&[
        "export",
        "--from",
        source.to_str().unwrap(),
        "--segment",
        "buyers",
        "--evaluate",
        "--fields",
        "person.name",
        "--out",
        "-",
    ]));
    let row: Value = serde_json::from_str(rows.trim()).unwrap();
    assert_eq!(row, json!({"person": {"name": "Ann"}}));
}

/// Which part decided, and by which value or event: looked at in an export of the same people.
#[test]
fn an_explanation_says_which_part_decided_and_an_overlap_who_is_in_both() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let of_store = |arguments: &[&str]| run(&[arguments, &["--store", &store]].concat());
    let define = |id: &str, expression: &str| {
        let file = folder.path().join(format!("{id}.json"));
        let expression = json!({"type": "PQL", "format": "pql/text", "value": expression});
        let body =
            json!({"id": id, "name": id, "expression": expression, "mergePolicyId": "latest"});
        std::fs::write(&file, body.to_string()).unwrap();
        let made = of_store(&["segments", "create", file.to_str().unwrap()]);
        assert!(made.status.success(), "{}", stderr(&made));
    };
    define(
        "buyers",
        r#"personalEmail.address and not (xEvent[eventType = "commerce.purchase"].count() < 2)"#,
    );
    define("reachable", "personalEmail.address");
    let explain = |who: &str| {
        let arguments = ["segments", "explain", "buyers", "--identity", who, "--json"];
        parsed(&of_store(&arguments))
    };
    let found = explain("email:person226@example.com");
    assert_eq!(found["isIn"], true, "{found}");
    assert_eq!(found["stored"], Value::Null);
    let [address, not] = &found["expression"]["parts"].as_array().unwrap()[..] else {
        panic!("{found}");
    };
    assert_eq!(
        address["values"],
        json!({"personalEmail.address": "person226@example.com"})
    );
    assert_eq!(
        (&not["holds"], &not["parts"][0]["holds"]),
        (&json!(true), &json!(false))
    );
    let of_events = &not["parts"][0];
    assert_eq!(of_events["eventCount"], 2);
    let ids = of_events["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["_id"].clone());
    assert_eq!(ids.collect::<Vec<_>>(), ["visit-00675", "visit-00676"]);
    let other = explain("Email:person180@example.com");
    assert_eq!(other["isIn"], false);
    assert_eq!(other["expression"]["parts"][1]["holds"], false);
    assert_eq!(other["expression"]["parts"][1]["parts"][0]["eventCount"], 1);
    define(
        "again",
        r#"CHAIN(xEvent, timestamp, [A: WHAT(eventType = "commerce.purchase"), B: WHAT(eventType = "commerce.purchase")])"#,
    );
    let who = "Email:person226@example.com";
    let told = stdout(&of_store(&[
        "segments",
        "explain",
        "again",
        "--identity",
        who,
    ]));
    let (first, second) = told.rsplit_once("B: WHAT").unwrap();
    for (step, event) in [(first, "visit-00675"), (second, "visit-00676")] {
        let taken = "events that fit: 2; behind those of the steps before it takes 1";
        assert!(step.contains(taken) && step.contains(event), "{told}");
    }
    let nobody = of_store(&[
        "segments",
        "explain",
        "buyers",
        "--identity",
        "Email:nobody",
    ]);
    assert_eq!(nobody.status.code(), Some(3));

    let overlap = parsed(&of_store(&[
        "segments",
        "overlap",
        "buyers",
        "reachable",
        "--json",
    ]));
    let counts = |first: usize, second: usize| overlap["counts"][first][second].as_u64().unwrap();
    let estimates = [
        "segments",
        "estimate",
        "--segment",
        "buyers",
        "--segment",
        "reachable",
        "--by-namespace",
        "--json",
    ];
    let estimates = parsed(&of_store(&estimates));
    let members = |n: usize| estimates[n]["members"].as_u64().unwrap();
    assert_eq!((counts(0, 0), counts(1, 1)), (members(0), members(1)));
    // Whoever buys here is reachable.
    assert_eq!((counts(0, 1), counts(1, 0)), (members(0), members(0)));
    assert!(members(0) < members(1));
    assert_eq!(estimates[1]["membersByNamespace"]["email"], members(1));
    let both = of_store(&["segments", "overlap", "--all"]);
    assert!(
        stderr(&both).contains("--merge-policy"),
        "{}",
        stderr(&both)
    );
}
