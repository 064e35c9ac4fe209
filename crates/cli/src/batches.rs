use profile_export::{BatchQuery, BatchRecord, Store};
use serde_json::{Value, json};

use crate::args::{Arguments, BatchesCommand};
use crate::catalog::table;
use crate::export::open;
use crate::failure::Failure;
use crate::output::{print, print_json};
use crate::progress::say;

pub fn run(arguments: &Arguments, command: &BatchesCommand) -> Result<(), Failure> {
    match command {
        BatchesCommand::List { dataset, store } => {
            let store = open(arguments, &store.store)?;
            let batches = store.catalog().batches(&BatchQuery {
                dataset: dataset.clone(),
                ..BatchQuery::default()
            })?;
            if arguments.json {
                let bodies: Vec<&Value> = batches.iter().map(|b| &b.body).collect();
                return print_json(&json!(bodies));
            }
            let cell = |batch: &BatchRecord, path: &str| {
                batch
                    .body
                    .pointer(path)
                    .map(Value::to_string)
                    .unwrap_or_default()
            };
            let cells: Vec<[String; 5]> = batches
                .iter()
                .map(|b| {
                    [
                        b.id.clone(),
                        b.dataset.clone(),
                        b.status.clone(),
                        cell(b, "/jobId"),
                        cell(b, "/metrics/recordsWritten"),
                    ]
                })
                .collect();
            let rows = cells.iter().map(|row| row.each_ref().map(String::as_str));
            print(&table(["ID", "DATASET", "STATUS", "JOB", "RECORDS"], rows))
        }
        BatchesCommand::Get { id, store } => {
            let store = open(arguments, &store.store)?;
            print_json(&json!({id.as_str(): find(&store, id)?.body}))
        }
        BatchesCommand::Files { id, store } => {
            let store = open(arguments, &store.store)?;
            let batch = find(&store, id)?;
            let folder = store.batch_folder(&batch);
            let files = batch.body.get("files").and_then(Value::as_array);
            let data: Vec<Value> = files
                .into_iter()
                .flatten()
                .map(|file| {
                    let mut file = file.clone();
                    let name = file.get("name").and_then(Value::as_str).unwrap_or_default();
                    let path = folder.join(name);
                    if let Some(file) = file.as_object_mut() {
                        file.insert("path".to_owned(), json!(path));
                    }
                    file
                })
                .collect();
            print_json(&json!({"data": data}))
        }
        BatchesCommand::Delete { id, store } => {
            let store = open(arguments, &store.store)?;
            find(&store, id)?;
            store.delete_batch(id)?;
            say(arguments, &format!("deleted batch {id}"));
            Ok(())
        }
    }
}

fn find(store: &Store, id: &str) -> Result<BatchRecord, Failure> {
    store
        .catalog()
        .batch(id)?
        .ok_or_else(|| Failure::usage(format!("no batch {id:?}")))
}
