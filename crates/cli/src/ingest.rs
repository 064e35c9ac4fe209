use std::io::{self, BufRead};
use std::time::{Duration, Instant};

use platform::peak_memory;
use profile_export::platform::{Error, InputDataset};
use profile_export::store::{DatasetInputs, Input, Store};
use profile_export::xdm::{Class, Dataset, Timestamp};
use serde_json::json;

use crate::args::{Arguments, ClassArg, IngestArgs};
use crate::failure::Failure;
use crate::loading::{load_options, open_source, say_loaded};
use crate::message::say;
use crate::output::{print_result, read};
use crate::progress::Watch;
use crate::stores::open_or_make;

/// How long a load may take to stop. One that is killed leaves the store as it was.
const PATIENCE: Duration = Duration::from_secs(1);

pub fn run(arguments: &Arguments, ingest: &IngestArgs) -> Result<(), Failure> {
    let started = Instant::now();
    let options = load_options(&ingest.loading);
    let stopped;
    let report = match (&ingest.from, &ingest.dataset) {
        (Some(from), _) => {
            let source = open_source(arguments, from)?;
            let store = open_or_make(arguments, &ingest.store)?;
            let watch = Watch::start(arguments, source.length()).ending_within(PATIENCE);
            let report = source.load(&store, &options, &watch.progress)?;
            stopped = watch.progress.is_cancelled();
            report
        }
        (None, Some(name)) => {
            let inputs = inputs(&ingest.files)?;
            let ingested_at = ingested_at(ingest.ingested_at.as_deref())?;
            if inputs.iter().any(|input| matches!(input, Input::Stdin)) {
                await_input()?;
            }
            let store = open_or_make(arguments, &ingest.store)?;
            let dataset = dataset(&store, name, ingest)?;
            let length = inputs.iter().map(Input::length).sum();
            let watch = Watch::start(arguments, length).ending_within(PATIENCE);
            let load = DatasetInputs {
                ingested_at,
                ..DatasetInputs::new(&dataset.id, inputs)
            };
            let loads = [load];
            let report = store.ingest_with(&loads, &options, &watch.progress, |catalog| {
                if catalog.dataset(&dataset.id)?.is_none() {
                    catalog.create_dataset(dataset.clone())?;
                }
                Ok::<_, Failure>(())
            })?;
            stopped = watch.progress.is_cancelled();
            report
        }
        (None, None) => {
            return Err(Failure::usage(
                "give --from DIR, or --dataset NAME and files",
            ));
        }
    };
    say_loaded(arguments, &report, &ingest.loading);
    say(
        arguments,
        &format!("loaded in {:.3} s", started.elapsed().as_secs_f64()),
    );
    if arguments.is_for_machines() {
        print_result(
            arguments,
            &json!({
                "read": report.read,
                "loaded": report.loaded,
                "dropped": report.dropped,
                "bad": report.bad,
                "mergedRuns": report.merged,
                "notMerged": report.not_merged,
                "peakMemoryBytes": peak_memory(),
            }),
        )?;
    }
    if stopped && report.not_merged.is_some() {
        return Err(Failure::interrupted(
            "the records are in; merging runs was stopped",
        ));
    }
    Ok(())
}

fn inputs(files: &[String]) -> Result<Vec<Input>, Failure> {
    let mut inputs = Vec::new();
    for file in files {
        inputs.extend(Input::expand(file)?);
    }
    Ok(inputs)
}

/// Waits for the first bytes of standard input. Nobody else can load while this load holds the store's lock.
fn await_input() -> Result<(), Failure> {
    // What is read here stays in the buffer that all of the process shares.
    let read = io::stdin().lock().fill_buf().map(<[u8]>::len);
    match read {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::failed(format!("standard input: {error}"))),
    }
}

fn ingested_at(text: Option<&str>) -> Result<Option<Timestamp>, Failure> {
    text.map(|text| {
        Timestamp::parse(text).ok_or_else(|| {
            Failure::usage(format!(
                "--ingested-at {text:?}: expected an RFC 3339 timestamp with an offset, such as \
                 2026-11-24T10:00:00Z"
            ))
        })
    })
    .transpose()
}

/// The dataset of that name or ID, or what is to be made where it is missing.
fn dataset(store: &Store, name: &str, ingest: &IngestArgs) -> Result<Dataset, Failure> {
    let schema = match &ingest.schema {
        None => None,
        Some(path) => {
            let text = read(&path.to_string_lossy())?;
            Some(
                serde_json::from_slice(&text)
                    .map_err(|e| Failure::usage(format!("{}: {e}", path.display())))?,
            )
        }
    };
    let wanted = InputDataset {
        name: name.to_owned(),
        class: ingest.class.map(|class| match class {
            ClassArg::Profile => Class::Profile,
            ClassArg::Event => Class::Event,
        }),
        primary_identity: ingest.primary_identity.clone(),
        ingested_at_field: ingest.ingested_at_field.clone(),
        schema,
    };
    wanted.find(store.catalog()).map_err(|error| match error {
        Error::Request(refused) => {
            let option = match refused.path.as_str() {
                "class" => "--class",
                "schema" => "--schema",
                "primaryIdentity" => "--primary-identity",
                "ingestedAtField" => "--ingested-at-field",
                _ => "--dataset",
            };
            Failure::usage(format!("{option}: {}", refused.problem))
        }
        other => other.into(),
    })
}
