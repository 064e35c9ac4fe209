//! FORMAT.md says what the writer writes.

use std::collections::BTreeSet;
use std::fs;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int8Type, TimestampMicrosecondType, UInt32Type, UInt64Type};
use membership::Status;
use profile_export_run::{FORMAT, RunFiles};
use serde_json::{Value, json};
use xdm::{Class, Dataset, FieldType, Fields, PersonKey, digest128, fields_from_json_schema};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128, xxh3_128_with_seed};

use crate::plain::PlainFile;
use crate::sample::{NOW, Sample, events, fragments};

const DOCUMENT: &str = include_str!("../../FORMAT.md");
const BATCH: usize = 8_192;

/// The rows of the table whose first column is called so, the first one under a heading.
fn table(heading: &str, first: &str) -> Vec<Vec<&'static str>> {
    let lines = DOCUMENT.lines().skip_while(|line| *line != heading);
    let head = format!("| {first} |");
    let rows = lines.skip_while(|line| !line.starts_with(&head)).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let rows: Vec<Vec<&str>> = rows
        .map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(!rows.is_empty(), "no table {first} under {heading}");
    rows
}

/// A cell without its backquotes.
fn word(cell: &str) -> &str {
    cell.trim_matches('`')
}

/// A type as the document spells it.
fn spelled(ty: &DataType) -> String {
    match ty {
        DataType::List(item) => format!("List({}: {})", item.name(), item.data_type()),
        DataType::Struct(_) => "Struct".to_owned(),
        other => other.to_string(),
    }
}

fn file(sample: &Sample) -> PlainFile {
    PlainFile::open(&sample.folder().join("run.pack"))
}

fn batches(sample: &Sample, table: &str) -> Vec<RecordBatch> {
    file(sample).batches(table)
}

fn batch(sample: &Sample, name: &str) -> RecordBatch {
    let [batch] = <[RecordBatch; 1]>::try_from(batches(sample, name)).unwrap();
    batch
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> &'a ArrayRef {
    batch.column_by_name(name).unwrap()
}

fn text(array: &ArrayRef) -> Vec<String> {
    let plain = arrow::compute::cast(array, &DataType::Utf8).unwrap();
    let texts = plain.as_string::<i32>().iter();
    texts.map(|text| text.unwrap().to_owned()).collect()
}

fn keys(array: &ArrayRef) -> Vec<u128> {
    let keys = array.as_fixed_size_binary().iter();
    keys.map(|key| u128::from_be_bytes(key.unwrap().try_into().unwrap()))
        .collect()
}

fn is_sorted_and_unique<T: PartialOrd>(values: &[T]) -> bool {
    values.is_sorted_by(|a, b| a < b)
}

/// Runs of both classes, small ones and some of several pages.
fn samples() -> Vec<Sample> {
    let mut samples = Vec::from(Sample::small());
    samples.push(Sample::new(Class::Profile, &fragments(2_000)));
    samples.push(Sample::new(Class::Event, &events(4_000)));
    samples
}

#[test]
fn the_number_is_the_programs() {
    assert_eq!(DOCUMENT.lines().next(), Some("# The format of runs, 2"));
    assert_eq!(FORMAT, 2);
}

#[test]
fn a_folder_has_one_file_with_the_tables_of_its_class() {
    for sample in samples() {
        let classes = match sample.class {
            Class::Profile => ["both", "profiles"],
            Class::Event => ["both", "events"],
        };
        let rows = table("## Tables", "table");
        let expected = rows.iter().filter(|row| classes.contains(&row[1]));
        let expected: BTreeSet<&str> = expected.map(|row| word(row[0])).collect();
        let file = file(&sample);
        assert_eq!(
            file.table_names().into_iter().collect::<BTreeSet<_>>(),
            expected
        );
        let entries = fs::read_dir(sample.folder()).unwrap();
        let found: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(found, ["run.pack"]);
    }
}

#[test]
fn the_catalog_has_the_files_length_and_the_digest_of_its_root() {
    for sample in samples() {
        let [known] = &sample.files.files[..] else {
            panic!("one file");
        };
        let length = fs::metadata(sample.folder().join(&known.name))
            .unwrap()
            .len();
        assert_eq!(known.length, length);
        assert_eq!(known.digest, format!("{:032x}", file(&sample).digest));
    }
}

#[test]
fn the_catalogs_json_has_these_fields_and_is_of_format_1_where_it_does_not_say() {
    for sample in samples() {
        let written = serde_json::to_value(&sample.files).unwrap();
        let mut found = BTreeSet::new();
        for (name, value) in written.as_object().unwrap() {
            match value {
                Value::Array(files) => {
                    for name in files[0].as_object().unwrap().keys() {
                        found.insert(format!("`files[].{name}`"));
                    }
                }
                _ => _ = found.insert(format!("`{name}`")),
            }
        }
        let rows = table("## What the catalog keeps", "field");
        let expected = rows.iter().flat_map(|row| row[0].split(", "));
        assert_eq!(found, expected.map(str::to_owned).collect());
        let rows = |name: &str| -> usize {
            let batches = batches(&sample, name);
            batches.iter().map(RecordBatch::num_rows).sum()
        };
        assert_eq!(written["persons"], rows("persons"));
        assert_eq!(written["records"], rows("records"));

        let mut old = written.clone();
        old.as_object_mut().unwrap().remove("format");
        let old: RunFiles = serde_json::from_value(old).unwrap();
        assert_eq!(old.format, 1);
    }
    let start = DOCUMENT.find("```json").unwrap() + "```json".len();
    let length = DOCUMENT[start..].find("```").unwrap();
    let example: RunFiles = serde_json::from_str(&DOCUMENT[start..start + length]).unwrap();
    assert_eq!(example.files[0].name, "run.pack");
}

#[test]
fn tables_have_these_columns() {
    for sample in samples() {
        let file = file(&sample);
        for name in file.table_names() {
            let batches = file.batches(name);
            let schema = batches[0].schema();
            assert!(schema.metadata().is_empty());
            let rows = table(&format!("### `{name}`"), "column");
            let documented: Vec<&str> = rows.iter().map(|row| word(row[0])).collect();
            let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
            assert_eq!(names, documented, "{name}");
            for (field, row) in schema.fields().iter().zip(&rows) {
                let name = field.name();
                let types: Vec<&str> = row[1].split(" or ").map(word).collect();
                let found = spelled(field.data_type());
                assert!(types.contains(&found.as_str()), "{name} is {found}");
                assert_eq!(field.is_nullable(), row[2] == "yes", "{name}");
                // What is nullable and said to be never null.
                if row[3].contains("never null") || row[2] == "no" {
                    let nulls = batches.iter().map(|b| column(b, name).null_count());
                    assert_eq!(nulls.sum::<usize>(), 0, "{name}");
                }
            }
        }
    }
}

const UNKNOWN: &str = "any, where no record of the run has a value";

/// The field types that a record's columns have, by the document's words for them.
fn field_types() -> [(&'static str, Value, FieldType); 13] {
    let declared = |ty: &str| json!({"type": "integer", "meta:xdmType": ty});
    let text = |format: &str| json!({"type": "string", "format": format});
    let long = FieldType::Long {
        declared: true,
        wide: false,
    };
    let object: Fields = [("inner".to_owned(), FieldType::String)]
        .into_iter()
        .collect();
    [
        ("boolean", json!({"type": "boolean"}), FieldType::Boolean),
        ("byte", declared("byte"), FieldType::Byte),
        ("short", declared("short"), FieldType::Short),
        ("int", declared("int"), FieldType::Int),
        ("long", json!({"type": "integer"}), long),
        ("double", json!({"type": "number"}), FieldType::Double),
        ("string", json!({"type": "string"}), FieldType::String),
        ("date", text("date"), FieldType::Date),
        ("date-time", text("date-time"), FieldType::DateTime),
        (
            "list",
            json!({"type": "array", "items": {"type": "boolean"}}),
            FieldType::List(Box::new(FieldType::Boolean)),
        ),
        (
            "map",
            json!({"type": "object", "meta:xdmType": "map", "additionalProperties": {"type": "number"}}),
            FieldType::Map(Box::new(FieldType::Double)),
        ),
        (
            "object",
            json!({"type": "object", "properties": {"inner": {"type": "string"}}}),
            FieldType::Object(object),
        ),
        (UNKNOWN, Value::Null, FieldType::Unknown),
    ]
}

#[test]
fn a_records_fields_have_these_types() {
    let mut properties = json!({});
    for (name, schema, _) in field_types() {
        if schema != Value::Null {
            properties[name] = schema;
        }
    }
    let schema = json!({"type": "object", "properties": properties});
    let declared = fields_from_json_schema(&schema).unwrap();
    let mut dataset = Dataset::new("5b020a27e7040801dedba61a", "crm", Class::Profile);
    dataset.schema = Some(schema);
    let record = json!({
        "identityMap": {"Email": [{"id": "ann@example.com"}]},
        UNKNOWN: null,
        "boolean": true, "byte": 1, "short": 1, "int": 1, "long": 1, "double": 1.5, "string": "s",
        "date": "2024-02-29", "date-time": "2024-02-29T00:00:00Z", "object": {"inner": "s"},
        "map": {"z": 1, "a": 2},
        "list": [true, null],
    });
    let sample = Sample::of(&dataset, &[record]);
    let batch = batch(&sample, "records");
    let record = column(&batch, "record").as_struct();
    let rows = table("### `records`", "XDM type");
    let documented: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(documented, field_types().map(|(name, ..)| name));
    for (row, (name, _, ty)) in rows.iter().zip(field_types()) {
        assert_eq!(declared.get(name).unwrap_or(&FieldType::Unknown), &ty);
        let array = record.column_by_name(name).unwrap();
        let found = match array.data_type() {
            DataType::List(item) => {
                assert!(item.is_nullable());
                format!("List({}: …)", item.name())
            }
            DataType::Map(entries, sorted) => {
                let DataType::Struct(parts) = entries.data_type() else {
                    panic!("{entries:?}");
                };
                assert!(!sorted && !entries.is_nullable());
                assert!(!parts[0].is_nullable() && parts[1].is_nullable());
                let keys = text(array.as_map().keys());
                assert_eq!(keys, ["z", "a"], "in the order of the input");
                format!(
                    "Map({}: {}, {})",
                    entries.name(),
                    parts[0].name(),
                    parts[1].name()
                )
            }
            other => spelled(other),
        };
        let types: Vec<&str> = row[1].split(" or ").map(word).collect();
        assert!(types.contains(&found.as_str()), "{name} is {found}");
    }
    let names: Vec<&str> = sample.types.iter().map(|(name, _)| name).collect();
    let found: Vec<&str> = record.fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(found, names, "the union's fields in its order");
    assert!(record.fields().iter().all(|field| field.is_nullable()));
}

#[test]
fn text_that_repeats_is_in_a_dictionary_and_other_text_is_plain() {
    let sample = Sample::new(Class::Profile, &fragments(2_000));
    let batch = batch(&sample, "records");
    let record = column(&batch, "record").as_struct();
    let person = record.column_by_name("person").unwrap().as_struct();
    let ty = |name: &str| spelled(person.column_by_name(name).unwrap().data_type());
    assert_eq!(ty("city"), "Dictionary(Int32, Utf8)");
    assert_eq!(ty("name"), "Utf8");
}

#[test]
fn records_are_in_batches_of_8192_rows() {
    let documented = table("## Tables", "table")[0][2];
    assert!(documented.starts_with(&format!("of {BATCH} rows")));
    let records: Vec<Value> = (0..BATCH + 1)
        .map(|i| json!({"identityMap": {"n": [{"id": i.to_string()}]}}))
        .collect();
    let sample = Sample::new(Class::Profile, &records);
    let rows = |name: &str| -> Vec<usize> {
        let batches = batches(&sample, name);
        batches.iter().map(RecordBatch::num_rows).collect()
    };
    assert_eq!(rows("records"), [BATCH, 1]);
    assert_eq!(rows("persons"), [BATCH + 1]);
}

#[test]
fn persons_are_sorted_by_key_and_their_records_lie_together() {
    for sample in samples() {
        let persons = batch(&sample, "persons");
        let keys = keys(column(&persons, "person"));
        assert!(is_sorted_and_unique(&keys));
        let namespaces = text(column(&persons, "namespace"));
        let ids = text(column(&persons, "id"));
        for ((key, namespace), id) in keys.iter().zip(namespaces).zip(ids) {
            let bytes = [namespace.to_ascii_lowercase().as_bytes(), id.as_bytes()].concat();
            assert_eq!(*key, xxh3_128_with_seed(&bytes, namespace.len() as u64));
        }
        let firsts = column(&persons, "firstRecord").as_primitive::<UInt64Type>();
        let firsts = firsts.values();
        assert_eq!(firsts.first(), Some(&0));
        assert!(is_sorted_and_unique(firsts));
        if sample.class == Class::Profile {
            assert_eq!(firsts.len() as u64, sample.files.records);
        }
    }
}

#[test]
fn events_of_a_person_are_sorted_by_time_and_id_and_their_digests_by_themselves() {
    let sample = Sample::new(Class::Event, &events(500));
    let persons = batch(&sample, "persons");
    let records = batch(&sample, "records");
    let record = column(&records, "record").as_struct();
    let times = record.column_by_name("timestamp").unwrap();
    let times = times.as_primitive::<TimestampMicrosecondType>().values();
    let ids = text(record.column_by_name("_id").unwrap());
    let order: Vec<(i64, &[u8])> = times
        .iter()
        .copied()
        .zip(ids.iter().map(String::as_bytes))
        .collect();
    let firsts = column(&persons, "firstRecord").as_primitive::<UInt64Type>();
    let [first, second] = firsts.values()[..] else {
        panic!("two people");
    };
    assert!(is_sorted_and_unique(
        &order[first as usize..second as usize]
    ));
    assert!(is_sorted_and_unique(&order[second as usize..]));

    let mut digests: Vec<u128> = ids.iter().map(|id| xxh3_128(id.as_bytes())).collect();
    digests.sort_unstable();
    assert_eq!(keys(column(&batch(&sample, "ids"), "id")), digests);
}

#[test]
fn of_a_persons_fragments_the_latest_is_kept_with_its_times_and_links() {
    let mut dataset = Dataset::new("5b020a27e7040801dedba61a", "crm", Class::Profile);
    dataset.ingested_at_field = Some("at".to_owned());
    let fragment = |at: &str, n: u64| {
        json!({
            "identityMap": {"Email": [{"id": "ann@example.com", "primary": true}, {"id": "a@b.c"}]},
            "at": at,
            "n": n,
        })
    };
    let sample = Sample::of(
        &dataset,
        &[
            fragment("1970-01-01T00:00:02Z", 0),
            fragment("1970-01-01T00:00:02Z", 1),
            fragment("1970-01-01T00:00:01Z", 2),
        ],
    );
    let records = batch(&sample, "records");
    let micros = |name: &str| {
        let times = column(&records, name).as_primitive::<TimestampMicrosecondType>();
        times.values().to_vec()
    };
    assert_eq!(micros("ingestedAt"), [2_000_000]);
    assert_eq!(column(&records, "updatedAt").null_count(), 1, "the same");
    let sequences = column(&records, "sequence").as_primitive::<UInt64Type>();
    assert_eq!(sequences.values().as_ref(), [8]);
    let links = column(&records, "links").as_list::<i32>().value(0);
    let linked = ["ann@example.com", "a@b.c"].map(|id| PersonKey::of("Email", id).0);
    assert_eq!(keys(&links), linked);
    let record = column(&records, "record").as_struct();
    assert!(record.column_by_name("at").is_none(), "left out");

    // A custom timestamp counts for the person's record; the ingest time is the load's.
    let [sample, _] = Sample::small();
    let records = batch(&sample, "records");
    let first = |name: &str| {
        let times = column(&records, name).as_primitive::<TimestampMicrosecondType>();
        times.value(0)
    };
    assert_eq!(first("ingestedAt"), NOW * 1_000);
    assert_eq!(first("updatedAt"), 1_709_164_800_000_000);
}

#[test]
fn segments_and_members_are_sorted_and_statuses_have_these_codes() {
    let rows = table("### `members`", "status code");
    let codes: Vec<(i8, &str)> = rows
        .iter()
        .map(|row| (row[0].parse().unwrap(), row[1]))
        .collect();
    let expected = [
        "realized, or nothing said",
        "existing",
        "exited",
        "any other word",
    ];
    assert_eq!(
        codes,
        [0, 1, 2, 3].map(|code| (code, expected[code as usize]))
    );
    let words = [
        Some("realized"),
        Some("existing"),
        Some("exited"),
        Some("paused"),
    ];
    assert_eq!(words.map(|word| Status::of(word).code()), [0, 1, 2, 3]);
    assert_eq!(Status::of(None).code(), 0);
    assert_eq!([-1, 4].map(Status::from_code), [Status::Other; 2]);

    let [sample, _] = Sample::small();
    let segments = batch(&sample, "segments");
    let namespaces = text(segments.column(0));
    let named: Vec<(String, String)> = namespaces
        .into_iter()
        .zip(text(segments.column(1)))
        .collect();
    let expected = ["all", "even", "odd"].map(|id| ("ups".to_owned(), id.to_owned()));
    assert_eq!(named, expected);
    let firsts = segments.column(2).as_primitive::<UInt64Type>();
    assert_eq!(firsts.values().as_ref(), [0, 5, 8]);
    let members = batch(&sample, "members");
    let rows = members.column(0).as_primitive::<UInt32Type>().values();
    for segment in [0..5, 5..8, 8..10] {
        assert!(is_sorted_and_unique(&rows[segment]));
    }
    let statuses = members.column(1).as_primitive::<Int8Type>();
    assert_eq!(statuses.values().as_ref(), [0, 0, 0, 0, 0, 1, 1, 1, 2, 2]);
}

#[test]
fn keys_and_digests_have_these_values() {
    let rows = table("## Keys and digests", "of");
    let [person, event, root, block] = &rows[..] else {
        panic!("four digests");
    };
    let hex = |digest: u128| format!("{digest:032x}");
    assert_eq!(person[2], "`Email` `ann@example.com`");
    let key = PersonKey::of("Email", "ann@example.com");
    assert_eq!(word(person[3]), hex(key.0));
    assert_eq!(key.to_bytes(), key.0.to_be_bytes());
    assert_eq!(key.0, xxh3_128_with_seed(b"emailann@example.com", 5));
    assert_eq!(event[2], "`e1`");
    assert_eq!(word(event[3]), hex(digest128(b"e1")));
    assert_eq!(word(root[3]), hex(digest128(b"")));
    assert_eq!(word(block[3]), format!("{:016x}", xxh3_64(b"")));
    // The document and the program would change together; these never do.
    assert_eq!(hex(key.0), "b82ef76a327f68b74f4423aa23f3ae26");
    assert_eq!(hex(digest128(b"e1")), "37115c6703754b2f1f7e24023b50eaef");
}
