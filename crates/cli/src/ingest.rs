use std::time::Instant;

use profile_export::{
    Class, Dataset, DatasetInputs, Input, LoadReport, OnBadRecord, SourceFolder, Store,
    parse_rfc3339, peak_memory,
};
use serde_json::json;

use crate::args::{Arguments, BadRecord, BadRecordArgs, ClassArg, IngestArgs};
use crate::export::scope;
use crate::failure::Failure;
use crate::output::{count, print_json, read};
use crate::progress::{Watch, say};

pub fn run(arguments: &Arguments, ingest: &IngestArgs) -> Result<(), Failure> {
    let started = Instant::now();
    let on_bad = on_bad_record(&ingest.bad_records);
    let now = now_micros();
    let report = match (&ingest.from, &ingest.dataset) {
        (Some(from), _) => {
            let source = SourceFolder::open(from)?;
            let store = Store::open(&ingest.store, scope(arguments))?;
            let watch = Watch::start(arguments, source.length());
            source.load(&store, &on_bad, now, &watch.progress)?
        }
        (None, Some(name)) => {
            let inputs = inputs(&ingest.files)?;
            let ingested_at = ingested_at(ingest.ingested_at.as_deref())?;
            let store = Store::open(&ingest.store, scope(arguments))?;
            let dataset = dataset(&store, name, ingest)?;
            let watch = Watch::start(arguments, inputs.iter().map(Input::length).sum());
            let load = DatasetInputs {
                dataset: dataset.id,
                inputs,
                ingested_at,
                keep: None,
            };
            store.ingest(&[load], &on_bad, now, &watch.progress)?
        }
        (None, None) => {
            return Err(Failure::usage(
                "give --from DIR, or --dataset NAME and files",
            ));
        }
    };
    say_loaded(arguments, &report, &ingest.bad_records);
    say(
        arguments,
        &format!("loaded in {:.3} s", started.elapsed().as_secs_f64()),
    );
    if arguments.json {
        print_json(&json!({
            "read": report.read,
            "loaded": report.loaded,
            "dropped": report.dropped,
            "bad": report.bad,
            "peakMemoryBytes": peak_memory(),
        }))?;
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

fn ingested_at(text: Option<&str>) -> Result<Option<i64>, Failure> {
    text.map(|text| {
        parse_rfc3339(text).ok_or_else(|| {
            Failure::usage(format!(
                "--ingested-at {text:?}: expected an RFC 3339 timestamp with an offset, such as \
                 2026-11-24T10:00:00Z"
            ))
        })
    })
    .transpose()
}

/// The dataset of that name or ID, made where it is missing.
fn dataset(store: &Store, name: &str, ingest: &IngestArgs) -> Result<Dataset, Failure> {
    let class = ingest.class.map(|class| match class {
        ClassArg::Profile => Class::Profile,
        ClassArg::Event => Class::Event,
    });
    if let Some(known) = store.catalog().dataset(name)? {
        if class.is_some_and(|class| class != known.class) {
            return Err(Failure::usage(format!(
                "--class: dataset {name:?} was made with {}, which stays",
                known.class.word()
            )));
        }
        let wants = [
            (
                &ingest.primary_identity,
                &known.primary_identity,
                "--primary-identity",
            ),
            (
                &ingest.ingested_at_field,
                &known.ingested_at_field,
                "--ingested-at-field",
            ),
        ];
        for (wanted, is, option) in wants {
            if wanted.is_some() && wanted != is {
                return Err(Failure::usage(format!(
                    "{option}: dataset {name:?} was made with {}, which stays",
                    is.as_deref().unwrap_or("none")
                )));
            }
        }
        return Ok(known);
    }
    let schema = match &ingest.schema {
        None => None,
        Some(path) => {
            let text = read(&path.to_string_lossy())?;
            Some(profile_export::read_json(&text)?)
        }
    };
    Ok(store.catalog().create_dataset(Dataset {
        id: String::new(),
        name: name.to_owned(),
        class: class.unwrap_or(Class::Profile),
        primary_identity: ingest.primary_identity.clone(),
        ingested_at_field: ingest.ingested_at_field.clone(),
        schema,
        schema_ref: None,
        file_description: None,
        created: now_micros() / 1000,
    })?)
}

pub fn on_bad_record(arguments: &BadRecordArgs) -> OnBadRecord {
    match arguments.on_bad_record {
        BadRecord::Fail => OnBadRecord::Fail,
        BadRecord::Skip => OnBadRecord::Skip {
            rejects: arguments.rejects.clone(),
        },
    }
}

pub fn say_loaded(arguments: &Arguments, report: &LoadReport, bad: &BadRecordArgs) {
    let mut text = format!(
        "read {} records: {} new, {} replaced or there already",
        count(report.read),
        count(report.loaded),
        count(report.dropped)
    );
    if report.bad > 0 {
        text.push_str(&format!(
            ", {} bad (see {})",
            count(report.bad),
            bad.rejects.display()
        ));
    }
    say(arguments, &text);
}

pub fn now_micros() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_micros()).unwrap_or(i64::MAX))
}
