use std::path::Path;

use profile_export::platform::{dataset_id, delete_batch};
use profile_export::store::{Batch, BatchQuery, Kind, Store};
use serde_json::{Value, json};

use crate::args::{Arguments, BatchesCommand};
use crate::failure::Failure;
use crate::listing::{Cell, Table, print_list, wants_table};
use crate::message::say;
use crate::output::print_json;
use crate::stores::open;

pub fn run(arguments: &Arguments, command: &BatchesCommand) -> Result<(), Failure> {
    match command {
        BatchesCommand::List { dataset, store } => {
            let store = open(arguments, &store.store)?;
            let catalog = store.catalog();
            let dataset = dataset.as_ref().map(|word| dataset_id(catalog, word));
            let batches = catalog.batches(&BatchQuery {
                dataset: dataset.transpose()?,
                ..BatchQuery::default()
            })?;
            print_list(arguments, &batches, &batches, || table(&batches))
        }
        BatchesCommand::Get { id, store } => {
            let store = open(arguments, &store.store)?;
            print_json(&json!({id.as_str(): find(&store, id)?}))
        }
        BatchesCommand::Files { id, store } => {
            let store = open(arguments, &store.store)?;
            let batch = find(&store, id)?;
            let folder = store.batch_folder(&batch);
            if arguments.jsonl || wants_table(arguments) {
                return print_list(arguments, &batch.files, &batch.files, || {
                    files(&folder, &batch)
                });
            }
            let data: Vec<Value> = batch
                .files
                .iter()
                .map(|file| {
                    let mut object = json!(file);
                    object["path"] = json!(folder.join(&file.name));
                    object
                })
                .collect();
            print_json(&json!({"data": data}))
        }
        BatchesCommand::Delete { id, store } => {
            let store = open(arguments, &store.store)?;
            delete_batch(&store, id)?;
            say(arguments, &format!("deleted batch {id}"));
            Ok(())
        }
    }
}

fn table(batches: &[Batch]) -> Table<8> {
    let rows = batches.iter().map(|batch| {
        let size: u64 = batch.files.iter().map(|file| file.length).sum();
        [
            Cell::Text(batch.id.clone()),
            Cell::Text(batch.dataset().to_owned()),
            Cell::Text(batch.status.to_string()),
            Cell::of(batch.job_id.map(|id| id.to_string())),
            Cell::count(batch.metrics.records_written),
            Cell::Bytes(size),
            Cell::Time(batch.created),
            Cell::of(
                batch
                    .folder
                    .as_ref()
                    .map(|folder| folder.display().to_string()),
            ),
        ]
    });
    Table {
        head: [
            "ID", "DATASET", "STATUS", "JOB", "RECORDS", "SIZE", "CREATED", "FOLDER",
        ],
        rows: rows.collect(),
    }
}

fn files(folder: &Path, batch: &Batch) -> Table<4> {
    let rows = batch.files.iter().map(|file| {
        [
            Cell::Text(folder.join(&file.name).display().to_string()),
            Cell::count(file.rows),
            Cell::Bytes(file.length),
            Cell::of(file.digest.clone()),
        ]
    });
    Table {
        head: ["FILE", "ROWS", "SIZE", "XXH3-128"],
        rows: rows.collect(),
    }
}

fn find(store: &Store, id: &str) -> Result<Batch, Failure> {
    let batch = store.catalog().batch(id)?;
    batch.ok_or_else(|| Failure::not_found(Kind::Batch, id))
}
