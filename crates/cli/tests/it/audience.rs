//! An audience in one line: `export`, `plan` and `preview`, with options instead of a request.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{fixture_store, fixtures, parsed, program, run, stderr, stdout, text};

const SEGMENT: &str = "holiday-shoppers";

fn from_fixtures(command: &str, more: &[&str]) -> Output {
    let source = fixtures();
    let mut arguments = vec![command, "--from", text(&source)];
    arguments.extend(more);
    run(&arguments)
}

/// The datasets of a store that are called so.
fn called(store: &str, name: &str) -> Vec<Value> {
    let datasets = parsed(&run(&["datasets", "list", "--store", store, "--json"]));
    let datasets = datasets.as_array().unwrap().iter();
    let named = datasets.filter(|dataset| dataset["name"] == name);
    named.cloned().collect()
}

#[test]
fn an_audience_is_exported_to_a_file_in_one_line() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("audience.parquet");
    let audience = [
        "--segment",
        SEGMENT,
        "--fields",
        "personalEmail.address,person",
        "--events",
        "eventType,timestamp",
        "--out",
        text(&file),
    ];
    let output = from_fixtures("export", &[&audience[..], &["--json"]].concat());
    let told = parsed(&output);
    let profiles = told["profiles"].as_u64().unwrap();
    assert!(
        profiles > 0 && told["events"].as_u64().unwrap() > 0,
        "{told}"
    );
    assert_eq!(told["bytes"], fs::metadata(&file).unwrap().len());
    let before = fs::read(&file).unwrap();
    assert_eq!(&before[..4], b"PAR1");
    // Nothing but the file stays, and it is never written over.
    let again = from_fixtures("export", &audience);
    assert_eq!(again.status.code(), Some(2), "{}", stderr(&again));
    assert!(stderr(&again).contains("it exists"), "{}", stderr(&again));
    assert_eq!(fs::read(&file).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    // The same from a store, as a table for people.
    let store = fixture_store(&folder);
    fs::remove_file(&file).unwrap();
    let mut arguments = vec!["export", "--store", &store];
    arguments.extend(audience);
    let shown = stdout(&run(&arguments));
    let lines: Vec<&str> = shown.lines().collect();
    assert!(
        lines[0].starts_with("SEGMENT") && lines[0].ends_with("WHERE"),
        "{shown}"
    );
    let cells: Vec<&str> = lines[1].split_whitespace().collect();
    assert_eq!((cells[0], cells[1]), (SEGMENT, &profiles.to_string()[..]));
    assert!(lines[1].ends_with(text(&file)), "{shown}");
    // A file takes one batch.
    let other = folder.path().join("b.parquet");
    let per_segment = [
        &audience[..6],
        &["--segment-per-batch", "--segment", "x", "--out"],
        &[text(&other)],
    ]
    .concat();
    let refused = from_fixtures("export", &per_segment);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
}

/// Every option is the twin of a property, and the body that is printed does the same.
#[test]
fn the_options_are_a_request() {
    let all = [
        "--segment",
        "gold",
        "--segment",
        "silver",
        "--segment-ns",
        "ups",
        "--status",
        "realized,exited",
        "--qualified-since",
        "2018-01-01",
        "--qualified-until",
        "2018-12-31",
        "--ingested-since",
        "2018-02-01T00:00:00Z",
        "--empty-profiles",
        "--fields",
        "_id,person.name",
        "--events",
        "_id",
        "--events-since",
        "2018-03-01",
        "--events-until",
        "2018-04-01",
        "--merge-policy",
        "latest",
        "--segment-per-batch",
        "--dataset",
        "exports",
    ];
    let printed = parsed(&run(&[&["export", "--print-request"], &all[..]].concat()));
    let segment =
        |id: &str| json!({"segmentId": id, "segmentNs": "ups", "status": ["realized", "exited"]});
    assert_eq!(
        printed,
        json!({
            "fields": "_id,person.name",
            "mergePolicy": {"id": "latest"},
            "filter": {
                "segments": [segment("gold"), segment("silver")],
                "segmentQualificationTime": {"startTime": "2018-01-01T00:00:00Z", "endTime": "2018-12-31T23:59:59.999999Z"},
                "fromIngestTimestamp": "2018-02-01T00:00:00Z",
                "emptyProfiles": true,
            },
            "additionalFields": {"eventList": {"fields": "_id", "filter": {
                "fromIngestTimestamp": "2018-03-01T00:00:00Z", "toIngestTimestamp": "2018-04-01T23:59:59.999999Z"}}},
            "destination": {"datasetId": "exports", "segmentPerBatch": true},
            "schema": {"name": "_xdm.context.profile"},
        })
    );
    // Nothing said is everybody with all fields; all fields of events are asked for without any.
    let plain = parsed(&run(&["export", "--print-request", "--events"]));
    assert_eq!(
        plain,
        json!({"additionalFields": {"eventList": {}}, "destination": {},
                             "schema": {"name": "_xdm.context.profile"}})
    );
    let wrong = run(&["export", "--print-request", "--qualified-since", "soon"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        stderr(&wrong).contains("--qualified-since"),
        "{}",
        stderr(&wrong)
    );
}

#[test]
fn a_plan_tells_what_an_export_gives_and_writes_nothing() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let audience = [
        "--segment",
        SEGMENT,
        "--segment",
        "nobody",
        "--segment-per-batch",
        "--fields",
        "personalEmail",
        "--store",
        &store,
        "--json",
    ];
    let runs = || fs::read_dir(Path::new(&store).join("batches")).map_or(0, Iterator::count);
    let planned = parsed(&run(&[&["plan"], &audience[..]].concat()));
    assert_eq!(
        parsed(&run(&[&["export", "--dry-run"], &audience[..]].concat())),
        planned
    );
    assert_eq!(runs(), 0);
    let job = parsed(&run(&[&["export"], &audience[..]].concat()));
    assert_eq!(runs(), 2);
    let of_plan: Vec<u64> = (planned["batches"].as_array().unwrap().iter())
        .map(|batch| batch["profiles"].as_u64().unwrap())
        .collect();
    assert!(of_plan[0] > 0 && of_plan[1] == 0, "{planned}");
    assert_eq!(
        job["metrics"]["totalExportedProfileCounter"],
        of_plan.iter().sum::<u64>()
    );
    assert_eq!(planned["fields"], json!(["personalEmail"]));
    // Nobody's segment is named: it may be mistyped.
    assert_eq!(planned["unknownSegments"], json!(["nobody"]));
    let unknown = &job["metrics"]["unknownSegments"];
    assert_eq!(unknown[0]["segmentId"], "nobody");
    assert_eq!(unknown.as_array().unwrap().len(), 1);
    let mistyped = run(&["export", "--segment", "holiday-shopers", "--store", &store]);
    assert!(mistyped.status.success());
    let said = stderr(&mistyped);
    assert!(said.contains(":holiday-shoppers\"?"), "{said}");
    assert!(planned["mergePolicy"]["id"].is_string(), "{planned}");
    let shown = stdout(&run(&[&["plan"], &audience[..9]].concat()));
    assert!(shown.contains("1 of 2 batches have no profile"), "{shown}");
    assert!(
        shown.contains("1 of 2 segments: no record names them\n"),
        "{shown}"
    );
    // Which merge policy, and why that one.
    let policy = |arguments: &[&str]| {
        let plan = ["plan", "--store", &store, "--fields", "_id"];
        let shown = stdout(&run(&[&plan[..], arguments].concat()));
        let line = shown
            .lines()
            .find_map(|line| line.strip_prefix("merge policy: "));
        line.unwrap().to_owned()
    };
    let crm = policy(&["--merge-policy", "crm-first"]);
    assert!(
        crm.starts_with("crm-first ") && crm.ends_with(", version 1: the request names it"),
        "{crm}"
    );
    let latest = policy(&["--segment", "Segment 0 of AAM"]);
    assert!(
        latest.starts_with("latest")
            && latest.ends_with(": the definition of the segment \"Segment 0 of AAM\" names it"),
        "{latest}"
    );
    let default = policy(&[]);
    assert!(default.contains(": the default, as neither"), "{default}");
}

#[test]
fn a_preview_shows_the_first_profiles() {
    let rows = parsed(&from_fixtures(
        "preview",
        &[
            "--fields",
            "person.name,identityMap",
            "--limit",
            "2",
            "--json",
        ],
    ));
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert!(
        rows.iter().all(|row| row["identityMap"].is_object()),
        "{rows:?}"
    );
    let table = stdout(&from_fixtures(
        "preview",
        &["--fields", "person.name", "--limit", "3"],
    ));
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(table.starts_with("person.name."), "{table}");
}

/// All fields, maps and moments among them, and events; nobody; a segment that is mistyped.
#[test]
fn a_preview_shows_whatever_there_is() {
    let rows = parsed(&from_fixtures("preview", &["--events", "--json"]));
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 10);
    let text = serde_json::to_string(rows).unwrap();
    assert!(
        text.contains("lastQualificationTime") && text.contains("timestamp"),
        "{text}"
    );
    assert!(
        stdout(&from_fixtures("preview", &["--events"]))
            .lines()
            .count()
            == 11
    );
    let nobody = from_fixtures("preview", &["--segment", "holiday-shopers"]);
    assert_eq!(stdout(&nobody), "no profile\n");
    assert!(
        stderr(&nobody).contains("did you mean"),
        "{}",
        stderr(&nobody)
    );
    // In another namespace it is another segment.
    let elsewhere = from_fixtures("preview", &["--segment", SEGMENT, "--segment-ns", "none"]);
    let said = stderr(&elsewhere);
    assert!(
        said.contains("of the namespace \"none\"; did you mean"),
        "{said}"
    );
}

/// What is refused is refused before anything is read or made, and by a dry run, too.
#[test]
fn a_refused_export_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let names = || {
        let datasets = parsed(&run(&["datasets", "list", "--store", &store, "--json"]));
        datasets
            .as_array()
            .unwrap()
            .iter()
            .map(|dataset| dataset["name"].clone())
            .collect::<Vec<_>>()
    };
    let before = names();
    let inside = Path::new(&store).join("runs/a.parquet");
    let nowhere = folder.path().join("nowhere/a.parquet");
    for wrong in [
        &["--segment", ""][..],
        &["--merge-policy", "nope"],
        &["--fields", "nope"],
        &["--dataset", "nope"],
        &["--dataset", "crm"],
        &["--out", text(&inside)],
        &["--out", text(&nowhere)],
    ] {
        for command in [&["export"][..], &["export", "--dry-run"]] {
            let output = run(&[command, &["--store", &store], wrong].concat());
            assert_eq!(
                output.status.code(),
                Some(2),
                "{command:?} {wrong:?}: {}",
                stderr(&output)
            );
        }
    }
    assert_eq!(names(), before);
    assert!(!inside.exists());
}

/// Several at once make one dataset.
#[test]
fn first_exports_at_the_same_moment_share_their_dataset() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let export = || {
        program()
            .args(["export", "--fields", "_id", "--quiet", "--store", &store])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    let children: Vec<_> = (0..6).map(|_| export()).collect();
    for mut child in children {
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    assert_eq!(called(&store, "Profile exports").len(), 1);
}

/// Into a store without a word on a dataset: there is one for that.
#[test]
fn exports_go_to_a_dataset_of_their_own_where_none_is_named() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let request = folder.path().join("request.json");
    fs::write(
        &request,
        json!({"schema": {"name": "_xdm.context.profile"}, "fields": "_id"}).to_string(),
    )
    .unwrap();
    for command in ["export", "run"] {
        let mut program = program();
        program
            .args([command, text(&request), "--json"])
            .env("PROFILE_EXPORT_STORE", &store);
        assert_eq!(parsed(&program.output().unwrap())["status"], "SUCCEEDED");
    }
    let named = run(&[
        "export",
        "--fields",
        "_id",
        "--dataset",
        "Profile exports",
        "--store",
        &store,
        "--json",
    ]);
    assert_eq!(parsed(&named)["status"], "SUCCEEDED");
    let targets = called(&store, "Profile exports");
    assert_eq!(targets.len(), 1, "{targets:?}");
    let batches = parsed(&run(&[
        "batches",
        "list",
        "--store",
        &store,
        "--json",
        "--dataset",
        targets[0]["id"].as_str().unwrap(),
    ]));
    assert_eq!(batches.as_array().unwrap().len(), 3, "{batches}");
    // Segment definitions and merge policies go by their names, too.
    let by_name = [
        "plan",
        "--segment",
        "Segment 1 of UPS",
        "--merge-policy",
        "latest",
        "--store",
        &store,
        "--json",
    ];
    let planned = parsed(&run(&by_name));
    assert_eq!(
        planned["request"]["filter"]["segments"][0]["segmentId"],
        "85ae2c1b-7a0f-4a3e-8d52-3f0c9b6e7d21"
    );
}

#[test]
fn the_exit_code_says_how_it_ended() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let code = |arguments: &[&str]| run(arguments).status.code();
    assert_eq!(code(&["jobs", "get", "999", "--store", &store]), Some(3));
    assert_eq!(
        code(&["datasets", "get", "nothing", "--store", &store]),
        Some(3)
    );
    let nobody = ["export", "--segment", "nobody", "--store", &store];
    assert_eq!(code(&nobody), Some(0));
    assert_eq!(code(&[&nobody[..], &["--fail-if-empty"]].concat()), Some(4));
    // Both are there all the same.
    let jobs = parsed(&run(&["jobs", "list", "--store", &store, "--json"]));
    assert_eq!(jobs["records"].as_array().unwrap().len(), 2);
    let id = jobs["records"][0]["id"].to_string();
    assert_eq!(
        code(&["jobs", "run", id.trim_matches('"'), "--store", &store]),
        Some(5)
    );

    let source = folder.path().join("source/crm");
    fs::create_dir_all(&source).unwrap();
    fs::write(
        source.join("dataset.json"),
        json!({"id": "5b020a27e7040801dedba61e", "name": "crm", "class": "profile"}).to_string(),
    )
    .unwrap();
    fs::write(
        source.join("a.ndjson"),
        "{\"identityMap\": {\"Email\": [{\"id\": \"a\"}]}}\nnonsense\n",
    )
    .unwrap();
    let rejects = folder.path().join("rejects.ndjson");
    let out = folder.path().join("out");
    let skipping = |more: &str| {
        code(&[
            "export",
            "--from",
            text(source.parent().unwrap()),
            "--out",
            text(&out),
            "--on-bad-record",
            "skip",
            "--rejects",
            text(&rejects),
            "--if-exists",
            "append",
            more,
        ])
    };
    assert_eq!(skipping("--fail-on-rejects"), Some(4));
    assert_eq!(skipping("--fail-on-rejects=2"), Some(0));
    // Two batches and the manifest.
    assert_eq!(fs::read_dir(&out).unwrap().count(), 4);
}

#[test]
fn an_explanation_is_for_people_and_for_machines() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let explain = |identity: &str, more: &[&str]| {
        let arguments = [
            "explain",
            "--identity",
            identity,
            "--store",
            &store,
            "--segment",
            SEGMENT,
        ];
        run(&[&arguments[..], more].concat())
    };
    let exported = run(&[
        "export",
        "--store",
        &store,
        "--segment",
        SEGMENT,
        "--fields",
        "personalEmail.address",
        "--out",
        "-",
        "--merge-policy",
        "timestampOrdered-none-mp",
    ]);
    let row: Value = serde_json::from_str(stdout(&exported).lines().next().unwrap()).unwrap();
    let identity = format!(
        "email:{}",
        row["personalEmail"]["address"].as_str().unwrap()
    );
    let policy = ["--merge-policy", "timestampOrdered-none-mp", "--events"];
    let told = stdout(&explain(&identity, &policy));
    assert!(
        told.lines().next().unwrap().ends_with(" is in the export"),
        "{told}"
    );
    for part in [
        "merge policy: timestampOrdered-none-mp",
        "What decides",
        "Memberships that were looked at",
        "Fragments, best first",
        "personalEmail.address",
        "are added",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let json = parsed(&explain(&identity, &[&policy[..], &["--json"]].concat()));
    assert_eq!(json["explanation"]["isExported"], true);
    assert_eq!(json["mergePolicy"]["id"], "timestampOrdered-none-mp");
    let exited = stdout(&explain(
        &identity,
        &[&policy[..], &["--status", "exited"]].concat(),
    ));
    assert!(exited.contains("is not in the export"), "{exited}");
    // By an identity that records link, where the policy has an identity graph.
    let linked = |policy| explain("crmid:C00105", &["--merge-policy", policy]);
    let told = stdout(&linked("crm-first-pdg"));
    assert!(told.starts_with("crmid:C00105 belongs to ECID:"), "{told}");
    assert!(
        told.contains("one profile with Email:person105@example.com"),
        "{told}"
    );
    let alone = linked("crm-first");
    assert_eq!(alone.status.code(), Some(3), "{}", stderr(&alone));
    let nobody = explain("Email:nobody@example.com", &[]);
    assert_eq!(nobody.status.code(), Some(3), "{}", stderr(&nobody));
    assert_eq!(explain("nobody", &[]).status.code(), Some(2));
    // Straight from a folder, too.
    let of_folder = ["--identity", &identity, "--segment", SEGMENT];
    let told = stdout(&from_fixtures(
        "explain",
        &[&of_folder[..], &policy].concat(),
    ));
    assert!(told.contains(" is in the export"), "{told}");
}

#[test]
fn profiles_without_a_mandatory_field_are_left_out_and_counted() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let of = |more: &[&str]| {
        let arguments = [
            "export",
            "--store",
            &store,
            "--fields",
            "personalEmail.address,_id",
            "--json",
        ];
        parsed(&run(&[&arguments[..], more].concat()))
    };
    let all = of(&[]);
    let some = of(&["--require", "personalEmail.address"]);
    let count = |job: &Value, name: &str| job["metrics"][name].as_u64();
    let profiles = |job: &Value| count(job, "totalExportedProfileCounter").unwrap();
    let lacking = count(&some, "incompleteProfileCounter").unwrap();
    assert!(
        lacking > 0 && profiles(&some) + lacking == profiles(&all),
        "{some}"
    );
    let by_namespace = some["metrics"]["exportedProfileByNamespaceCounter"]
        .as_object()
        .unwrap();
    let sum: u64 = by_namespace
        .values()
        .map(|count| count.as_u64().unwrap())
        .sum();
    assert_eq!(sum, profiles(&some));
    assert!(count(&all, "incompleteProfileCounter").is_none());
    // The request keeps it, so that it is the same when it is run again.
    let id = some["id"].to_string();
    let again = parsed(&run(&["jobs", "retry", &id, "--store", &store, "--json"]));
    assert_eq!(profiles(&again), profiles(&some));
    let rows = stdout(&run(&[
        "export",
        "--store",
        &store,
        "--fields",
        "personalEmail.address",
        "--require",
        "personalEmail.address",
        "--out",
        "-",
    ]));
    assert!(rows.lines().all(|row| row.contains("address")), "{rows}");
    let refused = run(&[
        "export",
        "--store",
        &store,
        "--fields",
        "_id",
        "--require",
        "person",
    ]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("mandatoryFields[0]"),
        "{}",
        stderr(&refused)
    );
    assert!(
        stderr(&refused).contains("[PE-0001]"),
        "{}",
        stderr(&refused)
    );
    let person = [
        "--identity",
        "ECID:00000000000000000000000000000000000289",
        "--store",
        &store,
    ];
    let told = run(&[
        &["explain", "--require", "personalEmail.address"],
        &person[..],
    ]
    .concat());
    assert!(
        stdout(&told).contains("NO   the mandatory field personalEmail.address"),
        "{}",
        stdout(&told)
    );
}

/// People of two systems with one address, and who was qualified when.
const PEOPLE: &str = concat!(
    r#"{"identityMap":{"CRM":[{"id":"1","primary":true}],"Email":[{"id":"a@b.org"},{"id":"c@d.org"}]},"name":"Ann","#,
    r#""segmentMembership":{"ups":{"s":{"status":"realized","lastQualificationTime":"2026-01-01T00:00:00Z"}}}}"#,
    "\n",
    r#"{"identityMap":{"CRM":[{"id":"2","primary":true}],"Email":[{"id":"a@b.org"}]},"name":"Ann B.","#,
    r#""segmentMembership":{"ups":{"s":{"status":"realized","lastQualificationTime":"2026-02-01T00:00:00Z"}}}}"#,
    "\n",
    r#"{"identityMap":{"CRM":[{"id":"3","primary":true}]},"name":"Bob","#,
    r#""segmentMembership":{"ups":{"s":{"status":"realized","lastQualificationTime":"2026-01-01T00:00:00Z"}}}}"#,
    "\n",
);

#[test]
fn profiles_of_one_key_are_one_and_each_identity_can_have_a_row() {
    let folder = TempDir::new().unwrap();
    let source = folder.path().join("source");
    std::fs::create_dir_all(source.join("people")).unwrap();
    std::fs::write(
        source.join("people/dataset.json"),
        r#"{"id": "0000000000000000000000a1", "name": "people", "class": "profile"}"#,
    )
    .unwrap();
    std::fs::write(source.join("people/people.ndjson"), PEOPLE).unwrap();
    let from = [
        "--from",
        source.to_str().unwrap(),
        "--fields",
        "name",
        "--quiet",
    ];
    let rows = |more: &[&str]| {
        let all = [
            &["export"],
            &from[..],
            more,
            &["--out", "-", "--format", "csv"],
        ]
        .concat();
        let told = stdout(&run(&all));
        let mut lines: Vec<String> = told.lines().map(str::to_owned).collect();
        lines.sort();
        lines.join("\n")
    };
    assert_eq!(rows(&[]), "Ann\nAnn B.\nBob\nname");
    let by_email = ["--dedupe", "identityMap.Email"];
    let of_segment = ["--segment", "s"];
    assert_eq!(
        rows(&[&by_email[..], &of_segment].concat()),
        "Ann B.\nBob\nname"
    );
    // Where no membership is asked for, the first in the order of keys.
    assert_eq!(rows(&by_email).lines().count(), 3);
    assert_eq!(rows(&["--dedupe", "name"]), "Ann\nAnn B.\nBob\nname");
    assert_eq!(
        rows(&["--row-per-identity", "email"]),
        "a@b.org,Ann\na@b.org,Ann B.\nc@d.org,Ann\nidentity,name"
    );
    assert_eq!(
        rows(&[&["--row-per-identity", "Email"], &by_email[..], &of_segment].concat()),
        "a@b.org,Ann B.\nidentity,name"
    );

    let job = |more: &[&str]| {
        let out = folder.path().join(format!("out{}", more.len()));
        let out = ["--out", out.to_str().unwrap(), "--json"];
        parsed(&run(&[&["export"], &from[..], more, &out].concat()))
    };
    let one = job(&by_email);
    assert_eq!(one["metrics"]["duplicateProfileCounter"], 1, "{one}");
    assert_eq!(one["metrics"]["totalExportedProfileCounter"], 2);
    assert_eq!(
        one["deduplicationKeys"],
        serde_json::json!(["identityMap.Email"])
    );
    let each = job(&[&["--row-per-identity", "Email"], &by_email[..]].concat());
    assert_eq!(each["metrics"]["incompleteProfileCounter"], 1, "{each}");

    // Many chunks, and events that one pass reads and the other does not.
    let mut records = String::new();
    for i in 0..9_000 {
        records.push_str(&format!(
            "{{\"identityMap\":{{\"CRM\":[{{\"id\":\"{i}\",\"primary\":true}}]}},\"name\":\"{}\"}}\n",
            i / 3
        ));
    }
    fs::write(source.join("people/people.ndjson"), records).unwrap();
    fs::create_dir_all(source.join("visits")).unwrap();
    fs::write(
        source.join("visits/dataset.json"),
        r#"{"id": "0000000000000000000000e1", "name": "visits", "class": "event"}"#,
    )
    .unwrap();
    let mut records = String::new();
    for i in 0..9_000 {
        records.push_str(&format!(
            "{{\"_id\":\"{i}\",\"timestamp\":\"2026-01-01T00:00:00Z\",\"identityMap\":{{\"CRM\":[{{\"id\":\"{}\",\"primary\":true}}]}}}}\n",
            i * 2
        ));
    }
    fs::write(source.join("visits/visits.ndjson"), records).unwrap();
    for more in [&[][..], &["--require", "name"]] {
        let arguments = [
            &["export"],
            &from[..],
            &["--dedupe", "name", "--events", "_id", "--out", "-"],
            more,
        ];
        let told = stdout(&run(&arguments.concat()));
        let names: std::collections::BTreeSet<&str> = told.lines().collect();
        assert_eq!(
            (told.lines().count(), names.len()),
            (3_000, 3_000),
            "{more:?}"
        );
    }

    for (refused, named) in [
        (["--dedupe", "identityMap"], "no single value"),
        (["--dedupe", "surname"], "no field of the union schema"),
        (["--row-per-identity", " "], "rowPerIdentity"),
    ] {
        let told = run(&[&["export"], &from[..], &refused, &["--out", "-"]].concat());
        assert_eq!(told.status.code(), Some(2), "{refused:?}");
        assert!(stderr(&told).contains(named), "{}", stderr(&told));
    }
    let explained = run(&[&["explain"], &from[..], &by_email, &["--identity", "CRM:1"]].concat());
    assert!(
        stderr(&explained).contains("deduplicationKeys"),
        "{}",
        stderr(&explained)
    );
}

#[test]
fn an_audience_of_today_is_told_since_yesterdays() {
    let folder = TempDir::new().unwrap();
    let place = |name: &str| text(&folder.path().join(name)).to_owned();
    let record = |id: u32, name: &str| {
        format!(r#"{{"identityMap":{{"CRM":[{{"id":"{id}","primary":true}}]}},"name":"{name}"}}"#)
    };
    let load = |records: &[String]| {
        fs::write(place("people.ndjson"), records.join("\n")).unwrap();
        let store = ["--store", &place("store"), "--quiet"];
        stdout(&run(&[
            &["ingest", "--dataset", "people", "--class", "profile"][..],
            &store,
            &[&place("people.ndjson")],
        ]
        .concat()));
    };
    let export = |more: &[&str]| {
        let of_names = ["export", "--fields", "name", "--store", &place("store")];
        run(&[&of_names[..], more].concat())
    };
    load(&[record(1, "Ann"), record(2, "Bob")]);
    let csv = |out: &str| {
        let out = place(out);
        let made = export(&["--since-job", "last", "--format", "csv", "--out", &out]);
        stdout(&made);
        let said = stderr(&made);
        let mut partitions = fs::read_dir(&out)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let batch = partitions.find(|path| path.is_dir()).unwrap();
        let file = fs::read_to_string(batch.join("part-00000.csv")).unwrap();
        let mut lines: Vec<&str> = file.lines().collect();
        lines.sort();
        (said, lines.join(" "))
    };
    let (said, lines) = csv("first");
    assert!(
        said.contains("2 profiles entered: this is the first job"),
        "{said}"
    );
    let header = "change,primaryIdentity.namespace.code,primaryIdentity.id,name";
    assert_eq!(
        lines,
        format!("{header} entered,CRM,1,Ann entered,CRM,2,Bob")
    );
    load(&[record(2, "Robert"), record(3, "Carl")]);
    let (said, lines) = csv("second");
    assert!(
        said.contains("1 entered, 1 changed, 0 left, 1 are as they were"),
        "{said}"
    );
    assert_eq!(
        lines,
        format!("{header} changed,CRM,2,Robert entered,CRM,3,Carl")
    );
    for (more, code, said) in [
        (&["--since-job", "last", "--out", "-"][..], 2, "sinceJob"),
        (&["--since-job", "yesterday"], 2, "last, or the ID of a job"),
        (&["--since-job", "99"], 2, "no job 99"),
    ] {
        let refused = export(more);
        assert_eq!(refused.status.code(), Some(code), "{}", stderr(&refused));
        assert!(stderr(&refused).contains(said), "{}", stderr(&refused));
    }
    let from = [
        "export",
        "--from",
        text(&fixtures()),
        "--since-job",
        "last",
        "--out",
        &place("x"),
    ]
    .map(str::to_owned);
    let refused = run(&from.each_ref().map(String::as_str));
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(
        stderr(&refused).contains("knows no earlier jobs"),
        "{}",
        stderr(&refused)
    );
}
