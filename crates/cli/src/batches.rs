use profile_export::store::{Batch, BatchQuery, Kind, Store};
use serde_json::{Value, json};

use crate::args::{Arguments, BatchesCommand};
use crate::failure::Failure;
use crate::message::say;
use crate::output::{print, print_json, table};
use crate::stores::open;

pub fn run(arguments: &Arguments, command: &BatchesCommand) -> Result<(), Failure> {
    match command {
        BatchesCommand::List { dataset, store } => {
            let store = open(arguments, &store.store)?;
            let batches = store.catalog().batches(&BatchQuery {
                dataset: dataset.clone(),
                ..BatchQuery::default()
            })?;
            if arguments.json {
                return print_json(&batches);
            }
            let number = |n: Option<String>| n.unwrap_or_default();
            let cells: Vec<[String; 5]> = batches
                .iter()
                .map(|b| {
                    [
                        b.id.clone(),
                        b.dataset().to_owned(),
                        b.status.to_string(),
                        number(b.job_id.map(|id| id.to_string())),
                        number(b.metrics.records_written.map(|n| n.to_string())),
                    ]
                })
                .collect();
            let rows = cells.iter().map(|row| row.each_ref().map(String::as_str));
            print(&table(["ID", "DATASET", "STATUS", "JOB", "RECORDS"], rows))
        }
        BatchesCommand::Get { id, store } => {
            let store = open(arguments, &store.store)?;
            print_json(&json!({id.as_str(): find(&store, id)?}))
        }
        BatchesCommand::Files { id, store } => {
            let store = open(arguments, &store.store)?;
            let batch = find(&store, id)?;
            let folder = store.batch_folder(&batch);
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
            store.delete_batch(id)?;
            say(arguments, &format!("deleted batch {id}"));
            Ok(())
        }
    }
}

fn find(store: &Store, id: &str) -> Result<Batch, Failure> {
    let batch = store.catalog().batch(id)?;
    batch.ok_or_else(|| Failure::not_found(Kind::Batch, id))
}
