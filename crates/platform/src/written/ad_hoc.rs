use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use catalog::{Batch, BatchMetrics, BatchStatus, new_id};
use decode::{Progress, fields_of};
use serde_json::{Value, json};
use store::{Store, remove_folder};
use writer::{BatchOptions, BatchWriter, Syncs, publish};
use xdm::{Class, Dataset, FieldNames, Timestamp, json_schema_properties};

use super::staging::RowsStaging;
use super::{Rows, RowsTarget, WrittenRows};
use crate::error::Result;
use crate::jobs::{batch_file, sweep};
use crate::registry::tenant_schema;

/// Rows after which a batch's next file begins.
const MOST_ROWS_PER_FILE: usize = 5_000_000;

/// Where an ad hoc dataset has its columns' types as Arrow knows them.
const ARROW_SCHEMA: &str = "arrowSchema";

/// A dataset for rows that are no records: its schema is made of their columns, and is the dataset's alone.
///
/// # Errors
/// A column whose type no XDM field has.
pub fn ad_hoc_dataset(store: &Store, name: &str, columns: &Schema) -> Result<Dataset> {
    let id = new_id();
    let schema = tenant_schema(store, &id);
    let mut dataset = Dataset {
        schema_ref: Some(json!({
            "id": schema,
            "contentType": "application/vnd.adobe.xed+json;version=1",
        })),
        file_description: Some(Dataset::default_file_description()),
        created: Timestamp::now(),
        ..Dataset::new(&id, name, Class::Profile)
    };
    let fields = fields_of(&dataset, columns)?;
    let properties = json_schema_properties(&fields, FieldNames::Plain);
    dataset.ad_hoc = Some(json!({
        "type": "object",
        "properties": Value::Object(properties),
        ARROW_SCHEMA: encoded(columns)?,
    }));
    Ok(dataset)
}

/// The columns of an ad hoc dataset, whatever batches it has; `None` of any other.
///
/// # Errors
/// They are not as they were written.
pub fn ad_hoc_columns(dataset: &Dataset) -> Result<Option<SchemaRef>> {
    let text = dataset
        .ad_hoc
        .as_ref()
        .and_then(|own| own[ARROW_SCHEMA].as_str());
    let Some(text) = text else {
        return Ok(None);
    };
    let no_digits =
        |_| ArrowError::ParseError("an ad hoc dataset's columns are no digits".to_owned());
    let bytes = hex::decode(text).map_err(no_digits);
    let bytes = bytes.map_err(decode::Error::from)?;
    let read = StreamReader::try_new(&*bytes, None).map_err(decode::Error::from)?;
    Ok(Some(read.schema()))
}

/// As a stream of Arrow without rows, in hexadecimal digits: types of XDM are fewer than those that columns have.
fn encoded(columns: &Schema) -> Result<String> {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, columns).map_err(decode::Error::from)?;
    writer.finish().map_err(decode::Error::from)?;
    drop(writer);
    Ok(hex::encode(bytes))
}

/// Writes rows as a batch of an ad hoc dataset: Parquet files, all of them or none.
///
/// # Errors
/// The rows' reader errs; the disk is full; the dataset is gone, or its name is taken.
pub fn write_rows(
    store: &Store,
    target: RowsTarget<'_>,
    rows: Rows,
    progress: &Progress,
) -> Result<WrittenRows> {
    sweep(store)?;
    let catalog = store.catalog();
    let started = Timestamp::now();
    let dataset = &target.dataset().id;
    let mut batch = Batch::of_no_job(&catalog.scope().org, dataset, BatchStatus::Success);
    // Until the end: whoever sweeps takes what is neither in the catalog nor held.
    let staging = RowsStaging::create(store, &batch.id)?;
    let syncs = Arc::new(Syncs::default());
    let options = BatchOptions {
        max_rows_per_file: Some(MOST_ROWS_PER_FILE),
        syncs: store.is_durable().then(|| Arc::clone(&syncs)),
        ..BatchOptions::default()
    };
    let place = store.layout().batches().join(&batch.id);
    let mut writer =
        BatchWriter::create(staging.folder.join("files"), place, rows.schema(), options)?;
    let mut written = 0;
    for rows in rows {
        progress.check()?;
        let rows = rows.map_err(decode::Error::from)?;
        written += rows.num_rows() as u64;
        progress.add_rows(rows.num_rows() as u64);
        writer.write(rows)?;
    }
    let mut staged = [writer.finish()?];
    syncs.wait()?;
    progress.check()?;
    let [one] = &staged;
    let files = one.files().iter().map(batch_file).collect();
    // An empty table has its columns from the file of a batch, too.
    if written > 0 || matches!(target, RowsTarget::New(_)) {
        publish(&mut staged, store.is_durable())?;
        batch = Batch {
            written: true,
            files,
            metrics: BatchMetrics {
                records_written: Some(written),
                start_time: Some(started.millis()),
                end_time: Some(Timestamp::now().millis()),
                ..BatchMetrics::default()
            },
            updated: Timestamp::now(),
            ..batch
        };
        let told = catalog.atomically(|catalog| {
            target.settle(catalog)?;
            Ok::<_, crate::Error>(catalog.create_batch(&batch)?)
        });
        if let Err(error) = told {
            // Where the catalog could not be written it may hold all the same: the next sweep asks it.
            if error.kind().is_refusal() {
                let _ = remove_folder(&store.batch_folder(&batch));
            }
            return Err(error);
        }
    }
    Ok(WrittenRows {
        dataset: dataset.clone(),
        batch: batch.written.then_some(batch.id),
        rows: written,
        dropped: 0,
    })
}
