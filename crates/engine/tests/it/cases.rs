//! One rule a test: what the properties can't say as plainly.

use std::fs;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray, TimestampNanosecondArray};
use parquet::arrow::ArrowWriter;
use profile_export::export::Progress;
use profile_export::jobs::{
    FolderExport, JobStatus, RunOptions, create_job, export_folder, run_job,
};
use profile_export::platform::{
    SourceFolder, delete_merge_policy, merge_policies, put_merge_policy, put_segment,
};
use profile_export::request::{ExportRequest, MergePolicy};
use profile_export::store::{
    BadRecordLimit, DatasetInputs, Input, LoadOptions, OnBadRecord, Verified,
};
use profile_export::xdm::{Class, FieldType, Fields, Timestamp};
use serde_json::{Value, json};

use crate::scratch::{Scratch, batches, request, sorted};

const CRM: &str = "0000000000000000000000a1";
const WEB: &str = "0000000000000000000000a2";
const VISITS: &str = "0000000000000000000000e1";

fn person(id: &str, more: Value) -> Value {
    let mut record = json!({"identityMap": {"Email": [{"id": id}]}});
    for (key, value) in more.as_object().unwrap() {
        record[key] = value.clone();
    }
    record
}

fn with_crm() -> Scratch {
    let scratch = Scratch::new();
    scratch.dataset(CRM, Class::Profile, json!({}));
    scratch
}

#[test]
fn a_later_record_replaces_the_whole_earlier_one() {
    let scratch = with_crm();
    scratch
        .load(CRM, &[person("a", json!({"x": 1, "y": "old"}))])
        .unwrap();
    scratch.load(CRM, &[person("a", json!({"x": 2}))]).unwrap();
    let rows = scratch.rows(&request(json!({"fields": "x,y"})));
    assert_eq!(rows, [json!({"x": 2.0})]);
}

#[test]
fn loading_the_same_events_twice_changes_nothing() {
    let scratch = Scratch::new();
    scratch.dataset(VISITS, Class::Event, json!({}));
    let event = person(
        "a",
        json!({"_id": "1", "timestamp": "2020-01-01T00:00:00Z"}),
    );
    let first = scratch.load(VISITS, std::slice::from_ref(&event)).unwrap();
    let second = scratch.load(VISITS, &[event.clone(), event]).unwrap();
    assert_eq!((first.loaded, second.loaded, second.dropped), (1, 0, 2));
    let all = request(
        json!({"filter": {"emptyProfiles": true}, "additionalFields": {"eventList": {"fields": "_id"}}}),
    );
    assert_eq!(
        scratch.rows(&all)[0]["timeSeriesEvents"],
        json!([{"_id": "1"}])
    );
}

#[test]
fn an_empty_profile_shows_its_events_identities() {
    let scratch = Scratch::new();
    scratch.dataset(VISITS, Class::Event, json!({}));
    let event = person(
        "a",
        json!({"_id": "1", "timestamp": "2020-01-01T00:00:00Z"}),
    );
    scratch.load(VISITS, &[event]).unwrap();
    let rows = scratch.rows(&request(
        json!({"fields": "identityMap", "filter": {"emptyProfiles": true}}),
    ));
    assert_eq!(rows, [json!({"identityMap": {"Email": [{"id": "a"}]}})]);
    assert_eq!(
        scratch.rows(&request(json!({"fields": "identityMap"}))),
        [] as [Value; 0]
    );
}

#[test]
fn null_empty_and_absent_stay_apart() {
    let scratch = with_crm();
    let records = [
        person("a", json!({"n": 1, "list": null, "o": null})),
        person("b", json!({"n": 2, "list": [], "o": {}})),
        person("c", json!({"n": 3, "list": [null], "o": {"p": null}})),
        person("d", json!({"n": 4, "list": ["x"], "o": {"p": "y"}})),
    ];
    scratch.load(CRM, &records).unwrap();
    let mut rows = scratch.rows(&request(json!({"fields": "n,list,o"})));
    rows.sort_by_key(|row| row["n"].to_string());
    let expected = [
        json!({"n": 1.0}),
        json!({"n": 2.0, "list": [], "o": {}}),
        json!({"n": 3.0, "list": [null], "o": {}}),
        json!({"n": 4.0, "list": ["x"], "o": {"p": "y"}}),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn columns_come_in_the_union_schemas_order_and_quoted_parts_are_names() {
    let scratch = with_crm();
    let record = person(
        "a",
        json!({"z": {"b.c": {"d": 1, "e": 2}}, "y": 3, "x, \"w\"": 4}),
    );
    scratch.load(CRM, &[record]).unwrap();
    let rows = scratch.rows(&request(json!({"fields": r#""x, ""w""", y, z."b.c".d"#})));
    let expected = json!({"z": {"b.c": {"d": 1.0}}, "y": 3.0, "x, \"w\"": 4.0});
    assert_eq!(rows[0].to_string(), expected.to_string());
}

#[test]
fn the_ingest_timestamp_is_given_or_read_or_the_time_of_the_call() {
    let scratch = with_crm();
    scratch.dataset(WEB, Class::Profile, json!({"ingestedAtField": "meta.in"}));
    let load = |dataset: &str, id: &str, more: Value, given: Option<&str>| {
        let text = format!("{}\n", person(id, more));
        let input = Input::File(scratch.file("one.ndjson", text));
        let load = DatasetInputs {
            ingested_at: given.map(|time| Timestamp::parse(time).unwrap()),
            ..DatasetInputs::new(dataset, vec![input])
        };
        let options = LoadOptions {
            now: Timestamp::parse("2020-01-03T00:00:00Z").unwrap(),
            ..LoadOptions::default()
        };
        scratch
            .store
            .ingest(&[load], &options, &Progress::default())
            .unwrap();
    };
    load(
        CRM,
        "given",
        json!({"id": "given"}),
        Some("2020-01-01T00:00:00Z"),
    );
    let read = json!({"id": "read", "meta": {"in": "2020-01-02T01:00:00+01:00", "kept": true}});
    load(WEB, "read", read, None);
    load(CRM, "call", json!({"id": "call"}), None);
    let after = |time: &str| {
        let rows = scratch.rows(&request(
            json!({"fields": "id", "filter": {"fromIngestTimestamp": time}}),
        ));
        sorted(rows)
    };
    let (given, read, call) = (r#"{"id":"given"}"#, r#"{"id":"read"}"#, r#"{"id":"call"}"#);
    assert_eq!(after("2019-12-31T23:59:59.999999Z"), [call, given, read]);
    // Strictly later.
    assert_eq!(after("2020-01-01T00:00:00Z"), [call, read]);
    assert_eq!(after("2020-01-02T00:00:00Z"), [call]);
    assert_eq!(after("2020-01-03T00:00:00Z"), [] as [&str; 0]);
    // The field that was read is system data and no column; what stands beside it is.
    let error = scratch
        .run(&request(json!({"fields": "meta.in"})))
        .expect_err("no column");
    assert!(error.to_string().contains("no field meta.in"), "{error}");
    let rows = scratch.rows(&request(json!({"fields": "meta"})));
    assert!(rows.contains(&json!({"meta": {"kept": true}})), "{rows:?}");
}

#[test]
fn integers_widen_to_floats_across_loads_and_datasets() {
    let scratch = with_crm();
    scratch.dataset(WEB, Class::Profile, json!({}));
    scratch.load(CRM, &[person("a", json!({"x": 1}))]).unwrap();
    scratch
        .load(WEB, &[person("b", json!({"x": 0.5}))])
        .unwrap();
    scratch.load(CRM, &[person("c", json!({"x": 7}))]).unwrap();
    let rows = scratch.rows(&request(json!({"fields": "x"})));
    assert_eq!(
        sorted(rows),
        [r#"{"x":0.5}"#, r#"{"x":1.0}"#, r#"{"x":7.0}"#]
    );
}

/// Each kind of bad record, with what its error says.
fn bad_records() -> Vec<(&'static [u8], &'static str)> {
    vec![
        (b"{\"identityMap\": {\"Email\": [{\"id\": \"\xff\"}]}}", "invalid UTF-8"),
        (b"{\"identityMap\": ", "broken JSON"),
        (b"[1]", "a record is an object, found a list"),
        (b"{\"x\": 1}", "no primary identity: identityMap is missing"),
        (b"{\"identityMap\": {\"Email\": [{\"id\": \"\"}]}}", "no primary identity"),
        (b"{\"identityMap\": {\"Email\": [{\"id\": 5}]}}", "identityMap.Email.id: expected a string, found the number 5"),
        (b"{\"identityMap\": {\"Email\": [{\"id\": \"a\"}]}, \"known\": {\"x\": 1}}", "known: expected a string, found an object"),
        (b"{\"identityMap\": {\"Email\": [{\"id\": \"a\"}]}, \"small\": 300}", "small: the number 300 does not fit the field's type byte"),
        (b"{\"identityMap\": {\"Email\": [{\"id\": \"a\"}]}, \"small\": 1.5}", "small: the number 1.5 does not fit"),
        (b"{\"identityMap\": {\"Email\": [{\"id\": \"a\"}]}, \"new\": 18446744073709551615}", "new: the number 18446744073709551615 does not fit"),
        (b"{\"identityMap\": {\"Email\": [{\"id\": \"a\"}]}, \"float\": 9007199254740993}", "float: the number 9007199254740993 does not fit the field's type double without loss"),
        (b"{\"identityMap\": {\"Email\": [{\"id\": \"a\"}]}, \"day\": \"2020-02-30\"}", "day: expected a date YYYY-MM-DD"),
        (b"{\"identityMap\": {\"Email\": [{\"id\": \"a\"}]}, \"moment\": \"2020-01-01T00:00:00\"}", "moment: expected an RFC 3339 timestamp with an offset"),
        (b"{\"identityMap\": {\"Email\": [{\"id\": \"a\"}]}, \"known\": \"a\", \"known\": \"b\"}", "known: appears twice"),
        (b"{\"identityMap\": {\"Email\": [{\"id\": \"a\"}]}, \"extSourceSystemAudit\": {\"lastUpdatedDate\": \"yesterday\"}}", "extSourceSystemAudit.lastUpdatedDate: expected an RFC 3339"),
    ]
}

fn with_schema() -> Scratch {
    let scratch = Scratch::new();
    let schema = json!({"type": "object", "properties": {
        "known": {"type": "string"},
        "small": {"type": "integer", "meta:xdmType": "byte"},
        "float": {"type": "number"},
        "day": {"type": "string", "format": "date"},
        "moment": {"type": "string", "format": "date-time"},
    }});
    scratch.dataset(CRM, Class::Profile, json!({"schema": schema}));
    scratch
}

#[test]
fn each_kind_of_bad_record_fails_the_load_and_says_where_and_why() {
    let scratch = with_schema();
    let deep = format!("{{\"deep\": {}1{}}}", "[".repeat(200), "]".repeat(200));
    let mut all = bad_records();
    all.push((deep.as_bytes(), "nested deeper than 128"));
    for (record, expected) in all {
        let mut text = b"{\"identityMap\": {\"Email\": [{\"id\": \"good\"}]}}\n\n".to_vec();
        text.extend_from_slice(record);
        text.push(b'\n');
        let error = scratch
            .load_text(CRM, &text, &OnBadRecord::Fail)
            .expect_err("a bad record")
            .to_string();
        assert!(error.contains(expected), "{error}\nshould say {expected}");
        assert!(error.contains("records.ndjson, line 3: "), "{error}");
    }
    assert_eq!(
        scratch.store.stats().unwrap().runs,
        0,
        "the store is as before"
    );
    assert_eq!(
        fs::read_dir(scratch.store.layout().runs()).unwrap().count(),
        0
    );
}

#[test]
fn skipped_records_go_to_the_rejects_file_and_leave_no_trace() {
    let scratch = with_schema();
    let rejects = scratch.folder.path().join("rejects.ndjson");
    let on_bad = OnBadRecord::Skip {
        rejects: rejects.clone(),
        limit: BadRecordLimit::None,
    };
    let mut text =
        b"{\"identityMap\": {\"Email\": [{\"id\": \"good\"}]}, \"known\": \"k\"}\n".to_vec();
    // The new field of a record that is bad for another reason is not in the union schema.
    text.extend_from_slice(b"{\"trace\": 1, \"known\": 2}\n{\"trace\": 2}\n");
    for (record, _) in bad_records() {
        text.extend_from_slice(record);
        text.push(b'\n');
    }
    let report = scratch.load_text(CRM, &text, &on_bad).unwrap();
    assert_eq!(
        (report.loaded, report.bad),
        (1, 2 + bad_records().len() as u64)
    );
    let lines: Vec<Value> = fs::read_to_string(rejects)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let numbers: Vec<u64> = lines.iter().map(|l| l["line"].as_u64().unwrap()).collect();
    assert_eq!(
        numbers,
        (2..=3 + bad_records().len() as u64).collect::<Vec<_>>()
    );
    for (line, (_, expected)) in lines[2..].iter().zip(bad_records()) {
        assert!(
            line["reason"].as_str().unwrap().contains(expected),
            "{line}"
        );
    }
    let error = scratch
        .run(&request(json!({"fields": "trace"})))
        .expect_err("no such field");
    assert!(error.to_string().contains("no field trace"), "{error}");
}

/// What a record means is told by itself: not by the records before it, in its chunk or another.
#[test]
fn a_field_segments_of_a_records_own_takes_no_memberships() {
    let member = |id: &str| {
        person(
            id,
            json!({"segments": [{"segmentID": {"_id": "s"}, "status": "realized"}]}),
        )
    };
    let own = person("own", json!({"segments": [{"name": "x"}]}));
    let none = person("none", json!({"segments": []}));
    let wanted =
        request(json!({"fields": "identityMap", "filter": {"segments": [{"segmentId": "s"}]}}));
    let orders = [
        [&own, &member("a"), &none, &member("b")],
        [&member("a"), &none, &member("b"), &own],
    ];
    for records in orders {
        for at_once in [true, false] {
            let scratch = with_crm();
            let records: Vec<Value> = records.iter().map(|r| (*r).clone()).collect();
            if at_once {
                scratch.load(CRM, &records).unwrap();
            } else {
                for record in &records {
                    scratch.load(CRM, std::slice::from_ref(record)).unwrap();
                }
            }
            assert_eq!(scratch.rows(&wanted).len(), 2);
            let rows = scratch.rows(&request(json!({"fields": "segments"})));
            assert!(
                rows.contains(&json!({"segments": [{"name": "x"}]})),
                "{rows:?}"
            );
        }
    }
}

#[test]
fn a_list_of_memberships_of_which_one_names_no_segment_is_a_bad_record() {
    let scratch = with_crm();
    let mixed = person(
        "a",
        json!({"segments": [{"segmentID": {"_id": "s"}}, {"segmentId": {"_id": "t"}}]}),
    );
    let error = scratch.load(CRM, &[mixed]).unwrap_err().to_string();
    assert!(
        error.contains("segments: an entry without segmentID._id"),
        "{error}"
    );
    // Types that conflict beside memberships, in one chunk with a bad record.
    let text = concat!(
        r#"{"identityMap":{"E":[{"id":"a"}]},"segments":[{"segmentID":{"_id":"s"},"status":"realized"}]}"#,
        "\n",
        r#"{"identityMap":{"E":[{"id":"b"}]},"segments":"text"}"#,
        "\n{}\n"
    );
    let rejects = scratch.folder.path().join("rejects.ndjson");
    let report = scratch.load_text(
        CRM,
        text,
        &OnBadRecord::Skip {
            rejects,
            limit: BadRecordLimit::None,
        },
    );
    assert_eq!(report.unwrap().bad, 1);
}

#[test]
fn placeholders_are_no_identities() {
    let scratch = with_crm();
    let placeholders = ["", " ", "null", "NULL", "Anonymous", "invalid", " null "];
    for (n, value) in placeholders.iter().enumerate() {
        let record = |who: &str| {
            json!({"identityMap": {"Email": [{"id": format!("{who}{n}"), "primary": true}],
                                   "CRMID": [{"id": value}]}})
        };
        scratch.load(CRM, &[record("a"), record("b")]).unwrap();
        let alone = json!({"identityMap": {"CRMID": [{"id": value, "primary": true}]}});
        let error = scratch.load(CRM, &[alone]).unwrap_err().to_string();
        assert!(error.contains("no primary identity"), "{error}");
    }
    let all = request(json!({"mergePolicy": {"id": "timestampOrdered-pdg-mp"}}));
    assert_eq!(scratch.rows(&all).len(), 2 * placeholders.len());
    // What is no placeholder links, whatever it looks like.
    let record = |who: &str| json!({"identityMap": {"A": [{"id": who}], "B": [{"id": "null1"}]}});
    scratch.load(CRM, &[record("x"), record("y")]).unwrap();
    assert_eq!(scratch.rows(&all).len(), 2 * placeholders.len() + 1);
}

#[test]
fn a_dataset_has_placeholders_of_its_own() {
    let scratch = Scratch::new();
    let own = json!({"placeholderIdentities": ["N/A", "00000000-0000-0000-0000-000000000000"]});
    scratch.dataset(CRM, Class::Profile, own);
    scratch.dataset(
        WEB,
        Class::Profile,
        json!({"primaryIdentity": "k=Email", "placeholderIdentities": ["n/a"]}),
    );
    let record =
        |who: &str, id: &str| json!({"identityMap": {"A": [{"id": who}], "B": [{"id": id}]}});
    for id in ["n/a", "00000000-0000-0000-0000-000000000000"] {
        let pair = [record(&format!("x{id}"), id), record(&format!("y{id}"), id)];
        scratch.load(CRM, &pair).unwrap();
        let alone = json!({"identityMap": {"B": [{"id": id}]}});
        scratch.load(CRM, &[alone]).unwrap_err();
    }
    scratch.load(WEB, &[json!({"k": " N/a "})]).unwrap_err();
    let all = request(json!({"mergePolicy": {"id": "timestampOrdered-pdg-mp"}}));
    assert_eq!(scratch.rows(&all).len(), 4);
}

#[test]
fn too_many_bad_records_fail_the_load() {
    let lines = |good: usize, bad: usize| {
        let mut text: String = (0..good)
            .map(|n| format!("{}\n", person(&format!("p{n}"), json!({}))))
            .collect();
        text.push_str(&"{}\n".repeat(bad));
        text
    };
    let cases = [
        (BadRecordLimit::None, 1, 9, true),
        (BadRecordLimit::None, 0, 3, false),
        (BadRecordLimit::Records(3), 9, 3, true),
        (BadRecordLimit::Records(3), 9, 4, false),
        (BadRecordLimit::Percent(10.0), 9, 1, true),
        (BadRecordLimit::Percent(10.0), 9, 2, false),
    ];
    for (limit, good, bad, loads) in cases {
        let scratch = with_crm();
        let rejects = scratch.folder.path().join("rejects.ndjson");
        let on_bad = OnBadRecord::Skip {
            rejects: rejects.clone(),
            limit,
        };
        let loaded = scratch.load_text(CRM, lines(good, bad), &on_bad);
        assert_eq!(loaded.is_ok(), loads, "{limit:?}: {loaded:?}");
        let rows = scratch.store.stats().unwrap().datasets[0].records;
        assert_eq!(rows, if loads { good as u64 } else { 0 });
        let told = fs::read_to_string(rejects).unwrap();
        assert_eq!(told.lines().count(), bad);
    }
}

#[test]
fn keys_that_are_data_are_maps_where_xdm_or_the_dataset_says_so_and_fail_the_load_else() {
    let scratch = Scratch::new();
    scratch.dataset(CRM, Class::Profile, json!({"maps": ["stores.visited"]}));
    let more = |n: usize| {
        json!({
            "consents": {"idSpecific": {"Email": {format!("p{n}"): {"marketing": {"val": "y"}}}}},
            "stores": {"visited": {format!("s{n}"): n}},
        })
    };
    let records: Vec<Value> = (0..1200)
        .map(|n| person(&format!("p{n}"), more(n)))
        .collect();
    scratch.load(CRM, &records).unwrap();
    let rows = scratch.rows(&request(json!({"fields": "consents,stores"})));
    assert_eq!(rows.len(), 1200);
    let expected = json!({
        "consents": {"idSpecific": {"Email": {"p7": {"marketing": {"val": "y"}}}}},
        "stores": {"visited": {"s7": 7.0}},
    });
    assert!(rows.contains(&expected));
    // Where nobody says so, more than a thousand keys fail the load, in either mode.
    let open: Vec<String> = (0..1001)
        .map(|n| person("a", json!({"open": {format!("k{n}"): 1}})).to_string())
        .collect();
    let rejects = scratch.folder.path().join("rejects.ndjson");
    for on_bad in [
        OnBadRecord::Fail,
        OnBadRecord::Skip {
            rejects,
            limit: BadRecordLimit::None,
        },
    ] {
        let error = scratch
            .load_text(CRM, open.join("\n"), &on_bad)
            .unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("open: more than 1,000 different fields"),
            "{error}"
        );
        assert!(error.contains("\"maps\""), "{error}");
    }
}

#[test]
fn a_bad_request_names_the_path_what_was_found_and_what_is_allowed() {
    let scratch = with_crm();
    let record = person("a", json!({"personalEmail": {"address": "a"}, "Mixed": 1}));
    scratch.load(CRM, &[record]).unwrap();
    let cases = [
        (
            json!({"filtre": {}}),
            r#"filtre: unknown property "filtre"; did you mean "filter"?"#,
        ),
        (
            json!({"schema": {"name": "_xdm.context.segment"}}),
            r#"schema.name: found "_xdm.context.segment"; allowed is "_xdm.context.profile""#,
        ),
        (
            json!({"fields": "personalEmail.adress"}),
            "fields: no field personalEmail.adress in the union schema: personalEmail has no \"adress\"; did you mean personalEmail.address?",
        ),
        (json!({"fields": "a..b"}), "fields: an empty part"),
        (
            json!({"fields": "timeSeriesEvents"}),
            "additionalFields.eventList",
        ),
        (
            json!({"destination": {}}),
            "destination.datasetId: missing: the dataset that the batches are written to",
        ),
        (
            json!({"destination": {"datasetId": "../../etc"}}),
            "destination.datasetId: no dataset \"../../etc\"",
        ),
        (
            json!({"destination": {"datasetId": CRM}}),
            "destination.datasetId: dataset 0000000000000000000000a1 (\"dataset 0000000000000000000000a1\") has the schema null",
        ),
        (
            json!({"destination": {"datasetId": crate::scratch::TARGET, "segmentPerBatch": true}}),
            "destination.segmentPerBatch: found true, but filter.segments names no segment",
        ),
        (
            json!({"mergePolicy": {"id": "timestampOrdered-none"}}),
            "mergePolicy: no merge policy \"timestampOrdered-none\"; did you mean \"timestampOrdered-none-mp\"?",
        ),
        (
            json!({"mergePolicy": {"id": "timestampOrdered-none-mp", "version": 2}}),
            "in version 2; the newest is 1",
        ),
        (
            json!({"filter": {"segments": [{"segmentNs": "ups"}]}}),
            "filter.segments[0]: missing field `segmentId`",
        ),
        (
            json!({"filter": {"segments": [{"segmentId": "s", "status": ["gone"]}]}}),
            "filter.segments[0].status[0]: found \"gone\"; allowed are realized, existing, exited",
        ),
        (
            json!({"filter": {"fromIngestTimestamp": "2020-01-01"}}),
            "filter.fromIngestTimestamp: found \"2020-01-01\"; allowed is an RFC 3339 timestamp with an offset",
        ),
        (
            json!({"filter": {"emptyProfiles": "no"}}),
            "filter.emptyProfiles: invalid type: string \"no\", expected a boolean",
        ),
        (
            json!({"filter": {"segmentQualificationTime": {"startTime": "2020-01-02T00:00:00Z", "endTime": "2020-01-01T00:00:00Z"}}}),
            "filter.segmentQualificationTime: startTime is later than endTime",
        ),
        (
            json!({"additionalFields": {"eventList": {"filter": {"toIngestTimestamp": "soon"}}}}),
            "additionalFields.eventList.filter.toIngestTimestamp: found \"soon\"",
        ),
        (
            json!({"evaluationInfo": {"segmentation": true}}),
            "evaluationInfo.segmentation: found true, but bad request: segments: no definition has an expression",
        ),
    ];
    for (more, expected) in cases {
        let error = scratch.run(&request(more)).expect_err(expected);
        assert!(error.kind().is_refusal(), "{error:?}");
        assert!(
            error.to_string().contains(expected),
            "{error}\nshould say {expected}"
        );
    }
    assert!(
        scratch.store.catalog().job(1).unwrap().is_none(),
        "nothing was created"
    );
}

#[test]
fn names_that_differ_only_in_case_are_refused_unless_one_is_left_out() {
    let scratch = with_crm();
    scratch
        .load(
            CRM,
            &[person("a", json!({"o": {"City": "x", "city": "y"}}))],
        )
        .unwrap();
    let error = scratch
        .run(&request(json!({})))
        .expect_err("refused")
        .to_string();
    assert!(
        error.contains("o.City and o.city differ only in case"),
        "{error}"
    );
    assert_eq!(
        scratch.rows(&request(json!({"fields": "o.City"}))),
        [json!({"o": {"City": "x"}})]
    );
}

#[test]
fn segments_whose_definitions_differ_in_their_policy_need_one_to_be_named() {
    let scratch = with_crm();
    scratch.load(CRM, &[person("a", json!({}))]).unwrap();
    let catalog = scratch.store.catalog();
    for (segment, policy) in [
        ("s1", "timestampOrdered-none-mp"),
        ("s2", "timestampOrdered-pdg-mp"),
    ] {
        put_segment(catalog, json!({"id": segment, "mergePolicyId": policy})).unwrap();
    }
    let asking = |ids: &[&str]| {
        let segments: Vec<Value> = ids.iter().map(|id| json!({"segmentId": id})).collect();
        scratch.run(&request(json!({"filter": {"segments": segments}})))
    };
    assert_eq!(
        asking(&["s2"]).unwrap().job.merge_policy.id,
        "timestampOrdered-pdg-mp"
    );
    assert_eq!(
        asking(&["s9"]).unwrap().job.merge_policy.id,
        "timestampOrdered-none-mp"
    );
    let error = asking(&["s1", "s2"]).expect_err("they differ").to_string();
    assert!(
        error.contains("s1 names \"timestampOrdered-none-mp\", s2 names"),
        "{error}"
    );
}

#[test]
fn a_policy_update_makes_a_version_and_the_old_one_stays_usable() {
    let scratch = with_crm();
    scratch.dataset(WEB, Class::Profile, json!({}));
    scratch
        .load(CRM, &[person("a", json!({"x": "crm"}))])
        .unwrap();
    scratch
        .load(WEB, &[person("a", json!({"x": "web"}))])
        .unwrap();
    for order in [[CRM, WEB], [WEB, CRM]] {
        let policy =
            json!({"id": "p", "attributeMerge": {"type": "dataSetPrecedence", "order": order}});
        put_merge_policy(
            scratch.store.catalog(),
            serde_json::from_value(policy).unwrap(),
            Timestamp::default(),
        )
        .unwrap();
    }
    let x = |policy: Value| scratch.rows(&request(json!({"fields": "x", "mergePolicy": policy})));
    assert_eq!(x(json!({"id": "p"})), [json!({"x": "web"})]);
    assert_eq!(x(json!({"id": "p", "version": 1})), [json!({"x": "crm"})]);
}

#[test]
fn a_schema_has_one_default_policy() {
    let scratch = with_crm();
    scratch.load(CRM, &[person("a", json!({}))]).unwrap();
    let catalog = scratch.store.catalog();
    let used = || json!(scratch.run(&request(json!({}))).unwrap().job.merge_policy);
    let put = |body: Value| {
        put_merge_policy(
            catalog,
            serde_json::from_value(body).unwrap(),
            Timestamp::default(),
        )
        .unwrap();
    };
    assert_eq!(used()["id"], "timestampOrdered-none-mp");
    for id in ["first", "second"] {
        put(json!({"id": id, "default": true}));
        assert_eq!(used(), json!({"id": id, "version": 1}));
        let policies = merge_policies(catalog).unwrap();
        let defaults: Vec<&str> = policies
            .iter()
            .filter(|policy| policy.default)
            .map(|policy| policy.id.as_str())
            .collect();
        assert_eq!(defaults, [id], "making another the default ends the first");
    }
    put(json!({"id": "second", "default": true, "identityGraph": {"type": "pdg"}}));
    assert_eq!(used(), json!({"id": "second", "version": 2}));
    // A policy that contradicts itself, and the built-in ones, are refused.
    let refused = |body: Value| {
        put_merge_policy(
            catalog,
            serde_json::from_value(body).unwrap(),
            Timestamp::default(),
        )
        .expect_err("refused")
        .to_string()
    };
    let precedence = json!({"type": "dataSetPrecedence"});
    let error = refused(json!({"id": "p", "attributeMerge": precedence}));
    assert!(error.contains("attributeMerge.order: "), "{error}");
    assert!(refused(json!({"id": "timestampOrdered-pdg-mp"})).contains("built in"));
}

#[test]
fn a_job_keeps_its_policy_when_that_is_deleted() {
    let scratch = with_crm();
    scratch.load(CRM, &[person("a", json!({}))]).unwrap();
    let catalog = scratch.store.catalog();
    let policy = json!({"id": "mine", "identityGraph": {"type": "pdg"}});
    put_merge_policy(
        catalog,
        serde_json::from_value(policy).unwrap(),
        Timestamp::default(),
    )
    .unwrap();
    let body = request(json!({"mergePolicy": {"id": "mine"}}));
    let wanted = ExportRequest::from_json(body.to_string().as_bytes()).unwrap();
    let job = create_job(&scratch.store, &wanted).unwrap();
    delete_merge_policy(catalog, "mine").unwrap();
    assert!(create_job(&scratch.store, &wanted).is_err());
    let options = RunOptions::default();
    run_job(&scratch.store, job.id, &options, &Arc::default()).unwrap();
}

#[test]
fn a_job_reads_the_store_as_it_stood_when_it_was_created() {
    let scratch = with_crm();
    scratch.load(CRM, &[person("a", json!({"x": 1}))]).unwrap();
    let wanted = ExportRequest::from_json(request(json!({})).to_string().as_bytes()).unwrap();
    let job = create_job(&scratch.store, &wanted).unwrap();
    scratch
        .load(
            CRM,
            &[
                person("a", json!({"x": 2, "new": true})),
                person("b", json!({})),
            ],
        )
        .unwrap();
    scratch.store.compact().unwrap();
    let options = RunOptions::default();
    let finished = run_job(&scratch.store, job.id, &options, &Arc::default()).unwrap();
    let rows = batches(&finished).remove(0);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["x"], json!(1.0));
}

#[test]
fn the_bytes_do_not_depend_on_the_number_of_threads() {
    let ids = |n: usize| format!("p{}", n % 9000);
    let crm: Vec<Value> = (0..9000)
        .map(|n| person(&ids(n), json!({"x": n, "name": format!("n{}", n % 17)})))
        .collect();
    let web: Vec<Value> = (0..6000)
        .map(|n| person(&ids(n * 3), json!({"x": n, "page": format!("/{n}")})))
        .collect();
    let visits: Vec<Value> = (0..20_000)
        .map(|n| {
            let time = format!("2020-01-01T00:00:{:02}Z", n % 60);
            person(
                &ids(n * 7),
                json!({"_id": format!("{n}"), "timestamp": time}),
            )
        })
        .collect();
    let digests = [1, 2, 8].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let scratch = with_crm();
            scratch.dataset(WEB, Class::Profile, json!({}));
            scratch.dataset(VISITS, Class::Event, json!({}));
            for (dataset, records) in [(CRM, &crm), (WEB, &web), (VISITS, &visits)] {
                scratch.load(dataset, records).unwrap();
            }
            let wanted = request(json!({"additionalFields": {"eventList": {}}}));
            scratch.run(&wanted).unwrap().batches[0].files[0].digest
        })
    });
    assert_eq!(digests[0], digests[1]);
    assert_eq!(digests[0], digests[2]);
}

#[test]
fn a_row_limit_cuts_a_batch_into_numbered_files() {
    let scratch = with_crm();
    let records: Vec<Value> = (0..25)
        .map(|n| person(&format!("p{n}"), json!({"x": n})))
        .collect();
    scratch.load(CRM, &records).unwrap();
    let wanted = ExportRequest::from_json(request(json!({})).to_string().as_bytes()).unwrap();
    let job = create_job(&scratch.store, &wanted).unwrap();
    let options = RunOptions {
        max_rows_per_file: Some(10),
        ..RunOptions::default()
    };
    let finished = run_job(&scratch.store, job.id, &options, &Arc::default()).unwrap();
    let files: Vec<(&str, u64)> = finished.batches[0]
        .files
        .iter()
        .map(|f| (f.name.as_str(), f.rows))
        .collect();
    assert_eq!(
        files,
        [
            ("part-00000.parquet", 10),
            ("part-00001.parquet", 10),
            ("part-00002.parquet", 5)
        ]
    );
}

#[test]
fn parquet_input_loads_as_json_does() {
    let scratch = with_crm();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("email", Arc::new(StringArray::from(vec!["a", "b"]))),
        ("points", Arc::new(Int32Array::from(vec![Some(5), None]))),
        (
            "seen",
            Arc::new(TimestampNanosecondArray::from(vec![1_500, 2_000])),
        ),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let path = scratch.folder.path().join("records.parquet");
    let mut writer =
        ArrowWriter::try_new(fs::File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    scratch.dataset(
        WEB,
        Class::Profile,
        json!({"primaryIdentity": "email=Email"}),
    );
    let load = |path: &std::path::Path| {
        let load = DatasetInputs::new(WEB, Input::expand(path.to_str().unwrap()).unwrap());
        scratch
            .store
            .ingest(&[load], &LoadOptions::default(), &Progress::default())
    };
    load(&path).unwrap();
    let rows = scratch.rows(&request(json!({"fields": "email,points,seen"})));
    assert_eq!(
        sorted(rows),
        [
            r#"{"email":"a","points":5.0,"seen":{"µs":1}}"#,
            r#"{"email":"b","seen":{"µs":2}}"#
        ]
    );
    // Damaged Parquet is an error, never a crash.
    let bytes = fs::read(&path).unwrap();
    for length in (4..bytes.len()).step_by(7) {
        let cut = scratch.file("cut.parquet", &bytes[..length]);
        assert!(load(&cut).is_err(), "cut at {length}");
    }
    for at in (4..bytes.len()).step_by(11) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x55;
        let _ = load(&scratch.file("flipped.parquet", flipped));
    }
}

#[test]
fn compressed_input_loads_as_plain_input_does() {
    use std::io::Write;
    let scratch = with_crm();
    let line = format!("{}\n", person("a", json!({"x": 1})));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(line.as_bytes()).unwrap();
    let zstd = zstd::encode_all(line.as_bytes(), 3).unwrap();
    for bytes in [gzip.finish().unwrap(), zstd] {
        let report = scratch.load_text(CRM, bytes, &OnBadRecord::Fail).unwrap();
        assert_eq!(report.read, 1);
    }
}

/// Whatever happens to a store's bytes: an error or the right answer, never a panic or another one.
#[test]
fn damage_is_an_error_or_the_right_answer() {
    let scratch = with_crm();
    scratch.dataset(VISITS, Class::Event, json!({}));
    let member = json!({"segmentMembership": {"ups": {"s": {"status": "realized"}}}, "tags": ["t"], "n": {"m": 1.5}});
    scratch
        .load(CRM, &[person("a", member), person("b", json!({"x": "ü"}))])
        .unwrap();
    scratch
        .load(
            VISITS,
            &[person(
                "a",
                json!({"_id": "1", "timestamp": "2020-01-01T00:00:00Z"}),
            )],
        )
        .unwrap();
    let wanted = request(
        json!({"filter": {"segments": [{"segmentId": "s"}]}, "additionalFields": {"eventList": {}}}),
    );
    let right = scratch.rows(&wanted);
    let runs = scratch.store.layout().runs();
    let files: Vec<_> = fs::read_dir(&runs)
        .unwrap()
        .flat_map(|run| fs::read_dir(run.unwrap().path()).unwrap())
        .map(|file| file.unwrap().path())
        .collect();
    assert_eq!(files.len(), 2, "a packed file for each dataset");
    let check = |what: &str| match scratch.run(&wanted) {
        Err(_) => {}
        Ok(finished) => {
            assert_eq!(batches(&finished), std::slice::from_ref(&right), "{what}");
        }
    };
    let mut step = 0;
    for file in files {
        let bytes = fs::read(&file).unwrap();
        // Every byte would take minutes: a stride that hits all of them over the files.
        for at in (0..bytes.len()).step_by(31) {
            step += 1;
            let at = (at + step % 31).min(bytes.len() - 1);
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (step % 8);
            fs::write(&file, &flipped).unwrap();
            check(&format!("{} flipped at {at}", file.display()));
            if step % 3 == 0 {
                fs::write(&file, &bytes[..at]).unwrap();
                check(&format!("{} cut at {at}", file.display()));
            }
        }
        fs::write(&file, &bytes).unwrap();
    }
    assert_eq!(scratch.rows(&wanted), right);
    assert_eq!(scratch.store.verify().unwrap(), Verified::default());
}

#[test]
fn a_cancelled_job_leaves_nothing_visible() {
    let scratch = with_crm();
    scratch.load(CRM, &[person("a", json!({}))]).unwrap();
    let wanted = ExportRequest::from_json(request(json!({})).to_string().as_bytes()).unwrap();
    let job = create_job(&scratch.store, &wanted).unwrap();
    let progress = Arc::new(Progress::default());
    progress.cancel();
    let options = RunOptions::default();
    let error = run_job(&scratch.store, job.id, &options, &progress).expect_err("cancelled");
    assert!(error.is_cancelled());
    let job = scratch.store.catalog().job(job.id).unwrap().unwrap();
    assert_eq!(job.status, JobStatus::Cancelled);
    let layout = scratch.store.layout();
    for folder in [layout.batches(), layout.staging()] {
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "{folder:?}");
    }
}

/// Every request of the fixtures, by the engine and by the reference.
#[test]
fn the_fixtures_export_as_the_reference_says() {
    use std::io::Read;
    use std::path::Path;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/retailer");
    let read = |path: &Path| -> Vec<Value> {
        let bytes = fs::read(path).unwrap();
        let mut text = String::new();
        if path.extension().is_some_and(|e| e == "gz") {
            flate2::read::GzDecoder::new(bytes.as_slice())
                .read_to_string(&mut text)
                .unwrap();
        } else {
            text = String::from_utf8(bytes).unwrap();
        }
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let json = |path: &Path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let mut reference = crate::reference::Reference::default();
    for name in ["crm", "loyalty", "visits", "web"] {
        let description = json(&root.join(name).join("dataset.json"));
        let id = description["id"].as_str().unwrap();
        let primary = (name == "loyalty").then_some(("personalEmail.address", "Email"));
        reference.dataset(id, name == "visits", primary);
        let mut files: Vec<_> = fs::read_dir(root.join(name))
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        files.sort();
        for file in files.iter().filter(|f| !f.ends_with("dataset.json")) {
            reference.load(id, &read(file));
        }
    }
    let source = SourceFolder::open(&root).unwrap();
    let mut policies = json(&root.join("merge-policies.json"))
        .as_array()
        .unwrap()
        .clone();
    policies.extend(MergePolicy::built_in().iter().map(|policy| json!(policy)));
    let out = tempfile::TempDir::new().unwrap();
    let mut requests = 0;
    for entry in fs::read_dir(root.join("requests")).unwrap() {
        let path = entry.unwrap().path();
        let body = json(&path);
        let wanted = ExportRequest::from_json(body.to_string().as_bytes()).unwrap();
        let options = FolderExport {
            request: &wanted,
            out: out.path(),
            load: LoadOptions::default(),
            run: RunOptions::default(),
        };
        let (_, finished) = export_folder(&source, &options, &Arc::default()).unwrap();
        let policy = policies
            .iter()
            .find(|p| p["id"] == finished.job.merge_policy.id)
            .unwrap();
        let expected = reference.export(&body, policy);
        assert_eq!(finished.batches.len(), expected.len());
        for (found, expected) in batches(&finished).into_iter().zip(expected) {
            let expected = expected.into_iter().map(days).collect();
            assert_eq!(sorted(found), sorted(expected), "{}", path.display());
        }
        requests += 1;
    }
    assert!(requests >= 12);
}

/// The fixtures' one declared date, as the files have it.
fn days(mut row: Value) -> Value {
    if let Some(joined) = row["loyalty"]["joined"].as_str() {
        let day = chrono::NaiveDate::parse_from_str(joined, "%Y-%m-%d").unwrap();
        let first = chrono::NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
        row["loyalty"]["joined"] = json!({"day": (day - first).num_days()});
    }
    for key in ["loyalty"] {
        if row[key].is_null() {
            row.as_object_mut().unwrap().shift_remove(key);
        }
    }
    row
}

#[test]
fn events_beside_a_field_of_their_columns_name_are_refused() {
    let scratch = with_crm();
    let record = person("a", json!({"timeSeriesEvents": [{"x": 1}], "x": 1}));
    scratch.load(CRM, &[record]).unwrap();
    let error = scratch
        .run(&request(json!({"additionalFields": {"eventList": {}}})))
        .unwrap_err();
    assert!(error.to_string().contains("would be the column"), "{error}");
    for fine in [
        json!({"fields": "x", "additionalFields": {"eventList": {}}}),
        json!({"fields": "timeSeriesEvents"}),
    ] {
        assert_eq!(scratch.rows(&request(fine)).len(), 1);
    }
}

#[test]
fn a_compaction_takes_the_fields_of_a_deleted_dataset_out_of_the_union() {
    let scratch = with_crm();
    scratch.dataset(WEB, Class::Profile, json!({}));
    let declared = json!({"type": "object", "properties": {"declared": {"type": "string"}}});
    let other = "0000000000000000000000a3";
    scratch.dataset(other, Class::Profile, json!({"schema": declared}));
    let ours = json!({"text": "a", "both": {"ours": 1, "nulls": null}, "list": [{"a": 1}]});
    let theirs =
        json!({"Text": "b", "both": {"ours": 0.5, "theirs": 1, "nulls": 1}, "list": [{"b": 2}]});
    scratch.load(CRM, &[person("a", ours)]).unwrap();
    scratch.load(WEB, &[person("b", theirs)]).unwrap();
    scratch.load(other, &[person("d", json!({}))]).unwrap();
    let all = request(json!({}));
    scratch.run(&all).unwrap_err();
    scratch.store.delete_dataset(WEB).unwrap();
    scratch.store.compact().unwrap();
    let rows = scratch.rows(&all);
    let union = scratch.store.snapshot(None).unwrap().profile_union;
    let names = |fields: &Fields| -> Vec<String> {
        fields.iter().map(|(name, _)| name.to_owned()).collect()
    };
    let names_of = names(&union);
    assert!(!names_of.contains(&"Text".to_owned()), "{names_of:?}");
    assert!(names_of.contains(&"declared".to_owned()), "{names_of:?}");
    let Some(FieldType::Object(both)) = union.get("both") else {
        panic!("both is an object");
    };
    assert_eq!(names(both), ["ours"]);
    assert_eq!(rows.len(), 2);
    // What is gone may come again as something else.
    scratch
        .load(CRM, &[person("c", json!({"both": {"theirs": "text"}}))])
        .unwrap();
}
