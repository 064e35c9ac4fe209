use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use profile_export::jobs::get_job;
use profile_export::platform::{ErrorKind, dataset_id, delete_batch};
use profile_export::store::{Batch, BatchQuery, Kind, Store};
use serde_json::{Value, json};

use crate::args::{Arguments, BatchesCommand};
use crate::card::{Card, print_object};
use crate::failure::Failure;
use crate::jobs;
use crate::listing::{Cell, Table, print_list, wants_table};
use crate::message::say;
use crate::names::Names;
use crate::output::{print_json, short};
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
            print_list(arguments, &batches, &batches, || {
                let known = Known::of(&store, &batches)?;
                Ok(table(&batches, &known, wants_table(arguments)))
            })
        }
        BatchesCommand::Get { id, store } => {
            let store = open(arguments, &store.store)?;
            let batch = find(&store, id)?;
            print_object(arguments, &json!({id.as_str(): &batch}), || {
                let known = Known::of(&store, std::slice::from_ref(&batch))?;
                Ok(card(&store.batch_folder(&batch), &batch, &known))
            })
        }
        BatchesCommand::Files { id, store } => {
            let store = open(arguments, &store.store)?;
            let batch = find(&store, id)?;
            let folder = store.batch_folder(&batch);
            if arguments.jsonl || wants_table(arguments) {
                return print_list(arguments, &batch.files, &batch.files, || {
                    Ok(files(&folder, &batch))
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

/// What is known of batches by what stands elsewhere.
struct Known {
    names: Names,
    /// The segments of each batch that a job wrote, by the batch's ID.
    segments: HashMap<String, String>,
}

impl Known {
    fn of(store: &Store, batches: &[Batch]) -> Result<Self, Failure> {
        let names = Names::of(store)?;
        let mut segments = HashMap::new();
        let jobs: BTreeSet<i64> = batches.iter().filter_map(|batch| batch.job_id).collect();
        for id in jobs {
            let job = match get_job(store, id) {
                Ok(job) => job,
                // It may be deleted meanwhile, and its batches with it.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error.into()),
            };
            for batch in job.destination.batches.iter().flatten() {
                let segment = names.segment(&batch.segment_id).to_owned();
                segments.insert(batch.batch_id.clone(), segment);
            }
            if let Some(batch) = &job.destination.batch_id {
                let all = jobs::segments(&job, &names).join(", ");
                segments.insert(batch.clone(), all);
            }
        }
        Ok(Self { names, segments })
    }

    fn segments(&self, batch: &Batch) -> Cell {
        let segments = self.segments.get(&batch.id);
        Cell::of(
            segments
                .filter(|text| !text.is_empty())
                .map(|text| short(text)),
        )
    }
}

fn size(batch: &Batch) -> u64 {
    batch.files.iter().map(|file| file.length).sum()
}

fn card(folder: &Path, batch: &Batch, known: &Known) -> Card {
    let dataset = known.names.dataset(batch.dataset());
    let card = Card::new(format!("batch {}: {}", batch.id, batch.status))
        .line("dataset", Cell::Text(dataset.to_owned()))
        .line("segment", known.segments(batch))
        .line("job", Cell::of(batch.job_id.map(|id| id.to_string())))
        .line("records", Cell::count(batch.metrics.records_written))
        .line("rejected", Cell::count(batch.metrics.records_failed))
        .line("events", Cell::count(batch.metrics.events_written))
        .line("size", Cell::Bytes(size(batch)))
        .line("created", Cell::Time(batch.created));
    let errors = batch.errors.iter().flatten();
    let card = errors.fold(card, |card, error| {
        card.error(
            &error.code,
            error.cause.as_ref().unwrap_or(&error.description),
        )
    });
    card.part("Files", files(folder, batch))
}

/// `by_name`: datasets by their names, which may have blanks.
fn table(batches: &[Batch], known: &Known, by_name: bool) -> Table<9> {
    let rows = batches.iter().map(|batch| {
        [
            Cell::Text(batch.id.clone()),
            Cell::Text(match by_name {
                true => known.names.dataset(batch.dataset()).to_owned(),
                false => batch.dataset().to_owned(),
            }),
            Cell::Text(batch.status.to_string()),
            Cell::of(batch.job_id.map(|id| id.to_string())),
            Cell::count(batch.metrics.records_written),
            Cell::Bytes(size(batch)),
            Cell::Time(batch.created),
            Cell::of(
                batch
                    .folder
                    .as_ref()
                    .map(|folder| folder.display().to_string()),
            ),
            known.segments(batch),
        ]
    });
    Table {
        head: [
            "ID", "DATASET", "STATUS", "JOB", "RECORDS", "SIZE", "CREATED", "FOLDER", "SEGMENT",
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
