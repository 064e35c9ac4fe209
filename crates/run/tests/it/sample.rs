//! Small runs in folders that go away.

use std::path::PathBuf;

use decode::{InputChunk, RecordSpans, RecordSpec, decode};
use profile_export_run::{RunBuilder, RunFiles};
use serde_json::{Value, json};
use tempfile::TempDir;
use xdm::{Class, Dataset, Fields, Timestamp};

/// When the records of samples come in, where none says so.
pub const NOW: i64 = 1_700_000_000_000;

pub struct Sample {
    pub class: Class,
    pub types: Fields,
    pub files: RunFiles,
    folder: TempDir,
}

impl Sample {
    pub fn new(class: Class, records: &[Value]) -> Self {
        Self::of(
            &Dataset::new("5b020a27e7040801dedba61a", "crm", class),
            records,
        )
    }

    pub fn of(dataset: &Dataset, records: &[Value]) -> Self {
        let class = dataset.class;
        let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
        let now = Timestamp::from_millis(NOW);
        let spec = RecordSpec::new(dataset, &class.standard_fields(), now).unwrap();
        let chunk = InputChunk::of_lines("records", lines.into_bytes());
        let decoded = decode(&RecordSpans::new(&chunk), &spec, &spec.types, 7).unwrap();
        let bad: Vec<String> = decoded
            .bad
            .iter()
            .map(|bad| bad.error.to_string())
            .collect();
        assert_eq!(bad, [] as [String; 0]);
        let types = spec.exported_types(&decoded.types);
        let mut builder = RunBuilder::default();
        builder.push(decoded.rows).unwrap();
        let folder = TempDir::new().unwrap();
        let run = folder.path().join("run");
        let written = builder.write(class, &types, &[], &run).unwrap();
        let (files, unsynced) = written.expect("records");
        unsynced.sync().unwrap();
        Self {
            class,
            types,
            files,
            folder,
        }
    }

    /// A run of fragments, and one of events; each file has one page.
    pub fn small() -> [Self; 2] {
        [
            Self::new(Class::Profile, &fragments(5)),
            Self::new(Class::Event, &events(5)),
        ]
    }

    pub fn folder(&self) -> PathBuf {
        self.folder.path().join("run")
    }
}

/// Fragments of as many people, with text that repeats, text that does not, numbers, lists, memberships.
pub fn fragments(n: usize) -> Vec<Value> {
    let fragment = |i: usize| {
        let is_even = i.is_multiple_of(2);
        let city = if is_even { "Oslo" } else { "Rome" };
        let (segment, status) = if is_even {
            ("even", "existing")
        } else {
            ("odd", "exited")
        };
        json!({
            "identityMap": {
                "Email": [{"id": format!("{i}@example.com"), "primary": true}],
                "CRMID": [{"id": i.to_string()}],
            },
            "person": {"name": format!("name {i}"), "city": city},
            "points": i,
            "tags": ["a", null],
            "extSourceSystemAudit": {"lastUpdatedDate": "2024-02-29T00:00:00Z"},
            "segmentMembership": {
                "ups": {"all": {"status": "realized", "lastQualificationTime": "2024-01-01T00:00:00Z"}},
                "UPS": {segment: {"status": status}},
            },
        })
    };
    (0..n).map(fragment).collect()
}

/// Events of two people, some at the same time.
pub fn events(n: usize) -> Vec<Value> {
    let event = |i: usize| {
        let id = if i.is_multiple_of(2) {
            "ann@example.com"
        } else {
            "bob@example.com"
        };
        json!({
            "_id": format!("e{}", n - i),
            "timestamp": format!("2024-01-01T00:00:{:02}Z", i / 2 % 60),
            "identityMap": {"Email": [{"id": id}]},
            "web": {"page": format!("page {i}"), "views": 1.5},
            "nothing": null,
        })
    };
    (0..n).map(event).collect()
}
