//! What becomes of a column `v`, by both ways in.

use std::collections::HashMap;
use std::fs;
use std::fs::File;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, new_null_array,
};
use arrow::compute::concat;
use arrow::datatypes::{Field, Schema, TimestampMicrosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use profile_export::export::Progress;
use profile_export::export::{DatasetBatches, UnionSchemas, export_rows};
use profile_export::request::{ExportRequest, MergePolicy};
use profile_export::store::{BadRecordLimit, DatasetInputs, Input, LoadOptions, OnBadRecord};
use profile_export::xdm::{Class, Dataset, FieldType, Timestamp};
use serde_json::{Value, json};

use crate::scratch::{Scratch, request};

pub const CRM: &str = "0000000000000000000000a1";

/// What became of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The file or schema is refused, for this reason.
    Refused(String),
    Field {
        /// The type of the field.
        becomes: String,
        /// What each value came out as, or why its record is bad.
        values: Vec<Result<String, String>>,
    },
}

/// The columns of a file or batch: keys, and values behind a null.
pub fn columns(field: &Field, values: &ArrayRef) -> RecordBatch {
    let values = match field.is_nullable() {
        true => {
            let null = new_null_array(values.data_type(), 1);
            concat(&[null.as_ref(), values.as_ref()]).unwrap()
        }
        false => Arc::clone(values),
    };
    let keys =
        StringArray::from_iter_values((0..values.len()).map(|row| key(row, field.is_nullable())));
    let schema = Schema::new(vec![
        Field::new("k", keys.data_type().clone(), false),
        field.clone(),
    ]);
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(keys), values]).unwrap()
}

/// The key of a row: the number of its value, or that there is none.
fn key(row: usize, nulls: bool) -> String {
    match (nulls, row) {
        (true, 0) => "none".to_owned(),
        (true, row) => format!("{}", row - 1),
        (false, row) => format!("{row}"),
    }
}

/// As record batches, without a store.
pub fn by_arrow(field: &Field, values: &ArrayRef) -> Outcome {
    let mut dataset = Dataset::new(CRM, "crm", Class::Profile);
    dataset.primary_identity = Some("k=Email".to_owned());
    let batch = columns(field, values);
    let unions = match UnionSchemas::of([(&dataset, batch.schema().as_ref())]) {
        Ok(unions) => unions,
        Err(error) => return Outcome::Refused(behind(&error.to_string(), "crm: ")),
    };
    let becomes = name_of(unions.profile.get("v").unwrap());
    let body = request(json!({"fields": "k,v"})).to_string();
    let body = ExportRequest::from_json(body.as_bytes()).unwrap();
    let [policy, _] = MergePolicy::built_in();
    let first = usize::from(field.is_nullable());
    // Each by itself: one bad record fails them all.
    let values = (first..batch.num_rows()).map(|row| {
        let records = DatasetBatches {
            dataset: dataset.clone(),
            batches: vec![batch.slice(row, 1)],
            ingested_at: Timestamp::from_millis(1_000),
        };
        match export_rows(&body, policy.clone(), &unions, &[records]) {
            Ok(rows) => Ok(shown(rows[0].column_by_name("v").unwrap(), 0)),
            Err(error) => Err(behind(&error.to_string(), ": v: ")),
        }
    });
    Outcome::Field {
        becomes,
        values: values.collect(),
    }
}

/// As a Parquet file, through a store. Rows without a value have the key `none`.
pub fn by_parquet(file: &[u8]) -> Outcome {
    let scratch = Scratch::new();
    scratch.dataset(CRM, Class::Profile, json!({"primaryIdentity": "k=Email"}));
    let path = scratch.file("a.parquet", file);
    let rejects = scratch.folder.path().join("rejects.ndjson");
    let options = LoadOptions {
        on_bad_record: OnBadRecord::Skip {
            rejects: rejects.clone(),
            limit: BadRecordLimit::default(),
        },
        now: Timestamp::from_millis(1_000),
        ..LoadOptions::default()
    };
    let load = DatasetInputs::new(CRM, vec![Input::File(path.clone())]);
    if let Err(error) = scratch
        .store
        .ingest(&[load], &options, &Progress::default())
    {
        let named = format!("{}: ", path.display());
        return Outcome::Refused(behind(&error.to_string(), &named));
    }
    let union = scratch.store.snapshot(None).unwrap().profile_union;
    let mut values = exported(&scratch);
    for line in fs::read_to_string(rejects).unwrap_or_default().lines() {
        let bad: Value = serde_json::from_str(line).unwrap();
        // The first line is the one without a value.
        let number = bad["line"].as_u64().unwrap() as usize - 2;
        let reason = bad["reason"].as_str().unwrap();
        values.insert(
            number,
            Err(reason.strip_prefix("v: ").unwrap_or(reason).to_owned()),
        );
    }
    Outcome::Field {
        becomes: name_of(union.get("v").unwrap()),
        values,
    }
}

/// The values that a store has, in the order of their keys.
pub fn exported(scratch: &Scratch) -> Vec<Result<String, String>> {
    let finished = scratch.run(&request(json!({"fields": "k,v"}))).unwrap();
    let mut values = HashMap::new();
    for file in &finished.batches[0].files {
        let file = File::open(finished.batches[0].folder.join(&file.name)).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            for row in 0..batch.num_rows() {
                let column = |name| shown(batch.column_by_name(name).unwrap(), row);
                values.insert(column("k"), column("v"));
            }
        }
    }
    if let Some(none) = values.remove("none") {
        assert_eq!(none, "null");
    }
    let mut values: Vec<(usize, String)> = values
        .into_iter()
        .map(|(key, value)| (key.parse().unwrap(), value))
        .collect();
    values.sort();
    values.into_iter().map(|(_, value)| Ok(value)).collect()
}

/// A Parquet file, if the type can be in one.
pub fn written(batch: &RecordBatch) -> Option<Vec<u8>> {
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), None).ok()?;
    writer.write(batch).ok()?;
    writer.close().ok()?;
    Some(file)
}

/// A file of one record with a number and without a key.
pub fn file_without_keys() -> Vec<u8> {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    written(&RecordBatch::try_from_iter([("v", numbers)]).unwrap()).unwrap()
}

/// A value as text.
pub fn shown(array: &dyn Array, row: usize) -> String {
    let options = FormatOptions::new().with_null("null");
    // The name UTC is known to arrow with a table of all zones only.
    let in_utc = array
        .as_primitive_opt::<TimestampMicrosecondType>()
        .filter(|times| times.timezone() == Some("UTC"))
        .map(|times| times.clone().with_timezone("+00:00"));
    let array = in_utc.as_ref().map_or(array, |times| times);
    ArrayFormatter::try_new(array, &options)
        .unwrap()
        .value(row)
        .to_string()
}

/// A field's type in words.
fn name_of(ty: &FieldType) -> String {
    match ty {
        FieldType::List(item) => format!("list of {}", name_of(item)),
        FieldType::Map(value) => format!("map of {}", name_of(value)),
        FieldType::Object(_) => "object".to_owned(),
        other => other.to_string(),
    }
}

fn behind(message: &str, mark: &str) -> String {
    let found = message.split_once(mark);
    found.map_or(message, |(_, behind)| behind).to_owned()
}
