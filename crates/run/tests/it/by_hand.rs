//! A run that is written by the document alone, without the writer, and what a reader refuses of it.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, FixedSizeBinaryArray, Int8Array, ListArray, RecordBatch, StringArray,
    StructArray, TimestampMicrosecondArray, UInt32Array, UInt64Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use arrow::ipc::writer::FileWriter;
use membership::Status;
use profile_export_run::{Error, Run, RunFiles};
use serde_json::{Value, json};
use tempfile::TempDir;
use xdm::{Class, PersonKey};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

const BATCH: u32 = 32_768;

/// What the tables of a profile run say; one record a person.
#[derive(Clone)]
struct Tables {
    format: Value,
    /// The rows of each batch of records.
    batches: Vec<u32>,
    firsts: Vec<u64>,
    segment_firsts: Vec<u64>,
    member_rows: Vec<u32>,
}

impl Tables {
    fn of(people: u32) -> Self {
        let full = std::iter::repeat_n(BATCH, (people / BATCH) as usize);
        Self {
            format: json!(1),
            batches: full.chain([people % BATCH]).collect(),
            firsts: (0..u64::from(people)).collect(),
            segment_firsts: vec![0],
            member_rows: vec![people - 1],
        }
    }

    fn open(&self) -> Result<Run, Error> {
        let folder = TempDir::new().unwrap();
        let micros = |values: Vec<i64>| -> ArrayRef {
            Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"))
        };
        let text = |values: Vec<String>| -> ArrayRef { Arc::new(StringArray::from(values)) };

        let mut keys: Vec<[u8; 16]> = (0..self.firsts.len())
            .map(|i| PersonKey::of("n", &i.to_string()).to_bytes())
            .collect();
        keys.sort_unstable();
        let keys = FixedSizeBinaryArray::try_new(16, keys.concat().into(), None).unwrap();
        let persons = table([
            ("person", Arc::new(keys), false),
            (
                "namespace",
                text(vec!["n".to_owned(); self.firsts.len()]),
                false,
            ),
            (
                "id",
                text(self.firsts.iter().map(u64::to_string).collect()),
                false,
            ),
            (
                "firstRecord",
                Arc::new(UInt64Array::from(self.firsts.clone())),
                false,
            ),
        ]);
        let segments = table([
            (
                "namespace",
                text(vec!["ups".to_owned(); self.segment_firsts.len()]),
                false,
            ),
            (
                "segment",
                text(
                    (0..self.segment_firsts.len())
                        .map(|i| i.to_string())
                        .collect(),
                ),
                false,
            ),
            (
                "firstEntry",
                Arc::new(UInt64Array::from(self.segment_firsts.clone())),
                false,
            ),
        ]);
        let members = self.member_rows.len();
        let members = table([
            (
                "row",
                Arc::new(UInt32Array::from(self.member_rows.clone())),
                false,
            ),
            ("status", Arc::new(Int8Array::from(vec![2; members])), false),
            ("lastQualificationTime", micros(vec![5; members]), true),
        ]);
        let mut next = 0;
        let records = self.batches.iter().map(|rows| {
            let times: Vec<i64> = (next..next + i64::from(*rows)).collect();
            next += i64::from(*rows);
            let rows = *rows as usize;
            let sequences: Vec<u64> = times.iter().map(|time| *time as u64).collect();
            let field = Field::new("element", DataType::FixedSizeBinary(16), true);
            let links = ListArray::new(
                Arc::new(field),
                OffsetBuffer::new_zeroed(rows),
                Arc::new(FixedSizeBinaryArray::new_null(16, 0)),
                None,
            );
            let field = Field::new("n", DataType::Utf8, true);
            let record = StructArray::from(vec![(
                Arc::new(field),
                text(times.iter().map(i64::to_string).collect()),
            )]);
            table([
                ("ingestedAt", micros(times.clone()), false),
                ("sequence", Arc::new(UInt64Array::from(sequences)), false),
                ("updatedAt", micros(times), false),
                ("links", Arc::new(links), true),
                ("record", Arc::new(record), false),
            ])
        });
        let files = json!({
            "format": self.format,
            "files": [
                sealed(folder.path(), "members.arrow", [members]),
                sealed(folder.path(), "segments.arrow", [segments]),
                sealed(folder.path(), "persons.arrow", [persons]),
                sealed(folder.path(), "records.arrow", records),
            ],
            "persons": self.firsts.len(),
            "records": next,
        });
        let files: RunFiles = serde_json::from_value(files).unwrap();
        assert_eq!(
            files.verify(folder.path(), &<_>::default()).is_empty(),
            self.format == 1
        );
        Run::open(folder.path(), "dataset", Class::Profile, &files)
    }
}

fn table<const N: usize>(columns: [(&str, ArrayRef, bool); N]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

/// Writes a file and its seal; returns what the catalog says of it.
fn sealed(folder: &Path, name: &str, batches: impl IntoIterator<Item = RecordBatch>) -> Value {
    let path = folder.join(name);
    let mut batches = batches.into_iter().peekable();
    let schema = batches.peek().unwrap().schema();
    let mut writer = FileWriter::try_new(File::create(&path).unwrap(), &schema).unwrap();
    for batch in batches {
        writer.write(&batch).unwrap();
    }
    writer.finish().unwrap();
    let bytes = fs::read(&path).unwrap();
    let seal: Vec<u8> = bytes
        .chunks(65_536)
        .flat_map(|page| xxh3_64(page).to_le_bytes())
        .collect();
    fs::write(folder.join(format!("{name}.seal")), &seal).unwrap();
    json!({"name": name, "length": bytes.len(), "digest": format!("{:032x}", xxh3_128(&seal))})
}

#[test]
fn a_run_that_is_written_by_the_document_opens() {
    let people = BATCH + 1;
    let run = Tables::of(people).open().unwrap();
    assert_eq!(
        (run.persons(), run.rows()),
        (people as usize, people as usize)
    );
    for row in [0, BATCH - 1, BATCH] {
        let (batch, at) = Run::locate(row);
        let times = run.batch_times(batch).unwrap();
        assert_eq!(times.ingested[at as usize], i64::from(row));
        assert_eq!(times.sequences[at as usize], u64::from(row));
        assert_eq!(run.person_of_row(row), row as usize);
    }
    let field = run.record_field("n", &DataType::Utf8).unwrap();
    let (batch, at) = Run::locate(BATCH);
    let last = field.batches[batch as usize].as_ref().unwrap();
    assert_eq!(
        last.as_string::<i32>().value(at as usize),
        BATCH.to_string()
    );
    let segment = run.members(|_, _| true).unwrap().unwrap();
    let segment = segment.segment(0);
    let posting = segment.of_row(BATCH).unwrap();
    assert_eq!(posting.status, Status::Exited);
    assert_eq!(posting.qualified.unwrap().micros(), 5);
}

#[test]
fn a_format_that_is_not_known_yet_is_an_error() {
    let tables = Tables {
        format: json!(3),
        ..Tables::of(3)
    };
    let error = tables.open().err().unwrap();
    assert!(
        matches!(
            error,
            Error::NewerFormat {
                found: 3,
                known: 2,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn tables_that_contradict_each_other_are_an_error() {
    let right = Tables::of(3);
    let batches = |batches: &[u32]| Tables {
        batches: batches.to_vec(),
        ..right.clone()
    };
    let firsts = |firsts: &[u64]| Tables {
        firsts: firsts.to_vec(),
        ..right.clone()
    };
    let segment_firsts = |firsts: &[u64]| Tables {
        segment_firsts: firsts.to_vec(),
        ..right.clone()
    };
    right.open().unwrap();
    for (wrong, what) in [
        (batches(&[1, 2]), "a batch that is not full"),
        (firsts(&[]), "records of nobody"),
        (firsts(&[1, 2]), "a first record of nobody"),
        (firsts(&[0, 0, 2]), "a person without a record"),
        (firsts(&[0, 2, 1]), "records that fall"),
        (firsts(&[0, 3]), "a person beyond the records"),
        (segment_firsts(&[]), "memberships of no segment"),
        (segment_firsts(&[1]), "a membership of no segment"),
        (segment_firsts(&[0, 2]), "a segment beyond the memberships"),
    ] {
        assert!(wrong.open().is_err(), "{what}");
    }
    let wrong = Tables {
        batches: vec![BATCH + 1],
        ..Tables::of(BATCH + 1)
    };
    assert!(wrong.open().is_err(), "a batch that is too large");
}
