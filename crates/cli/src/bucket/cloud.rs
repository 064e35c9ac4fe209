//! What a program with object stores does at their addresses.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ::bucket::{BucketOutput, WrittenBatches};
use profile_export::export::Progress;
use profile_export::platform::{IfExists, ManifestFile};
use profile_export::request::ExportRequest;
use profile_export::sharded::{Committed, ShardManifest, ShardPlan};
use profile_export::store::Store;
use serde_json::json;

use crate::args::{Arguments, ExportArgs};
use crate::export::{check_demands, without_job};
use crate::failure::Failure;
use crate::message::say;
use crate::origin::Work;
use crate::output::{print, print_result};
use crate::progress::Watch;
use crate::shards::{remains, was_committed};
use crate::told::{FORMS, Written, left_out, written};

/// Refuses an address that an export could not go to, and puts nothing there.
pub fn look(export: &ExportArgs, address: &str) -> Result<(), Failure> {
    BucketOutput::open(address, export.if_exists.into())?;
    Ok(())
}

/// Exports below an address of an object store, and prints what was written.
pub fn export(
    arguments: &Arguments,
    export: &ExportArgs,
    work: &Work<'_>,
    (request, address): (&ExportRequest, &str),
) -> Result<(), Failure> {
    let started = Instant::now();
    let output = BucketOutput::open(address, export.if_exists.into())?;
    let (done, rejected) = without_job(arguments, work, request, |prepared| {
        output.write(prepared, &work.run.names, &work.run.writer)
    })?;
    tell(arguments, (request, address), &done, started)?;
    let rows: Vec<u64> = done
        .batches
        .iter()
        .map(|(batch, _)| batch.profiles)
        .collect();
    check_demands(&export.demands, &rows, rejected)
}

/// Makes a shard below an address.
pub fn run_shard(
    plan: &ShardPlan,
    number: usize,
    attempt: &str,
    place: (Option<&Path>, &str),
    progress: &Arc<Progress>,
) -> Result<ShardManifest, Failure> {
    Ok(::bucket::run_shard(plan, number, attempt, place, progress)?)
}

/// Shows the export of a plan below an address, and prints what is there.
pub fn commit(
    arguments: &Arguments,
    (store, plan): (&Store, &ShardPlan),
    (address, if_exists): (&str, IfExists),
    started: Instant,
) -> Result<(), Failure> {
    let watch = Watch::start(arguments, 0);
    let ended = ::bucket::commit_plan(store, plan, (address, if_exists), &watch.progress);
    drop(watch);
    let ended = ended?;
    // What can't be looked at is nothing that would change what is there.
    if let Ok(Some(left)) = ::bucket::left_at(plan, address) {
        say(arguments, &remains(&left));
    }
    match ended {
        Committed::Now(done) => tell(arguments, (&plan.request, address), &done, started),
        Committed::Before(_) => was_committed(arguments, plan, address),
    }
}

/// Gives the plan with this ID up.
pub fn abort(store: &Store, id: &str, address: &str) -> Result<bool, Failure> {
    Ok(::bucket::abort_pinned(store, id, address)?)
}

/// The folder that the files of a batch are in.
fn folder_of(files: &[ManifestFile]) -> &str {
    let folder = files.first().and_then(|file| file.path.rsplit_once('/'));
    folder.map_or("", |(folder, _)| folder)
}

/// Tells what was put below an address.
fn tell(
    arguments: &Arguments,
    (request, address): (&ExportRequest, &str),
    done: &WrittenBatches,
    started: Instant,
) -> Result<(), Failure> {
    let WrittenBatches {
        batches,
        has_one_form,
    } = done;
    if arguments.is_for_machines() {
        let named: Vec<_> = batches.iter().map(|(batch, _)| batch).collect();
        print_result(arguments, &json!({"address": address, "batches": named}))?;
    } else {
        let lines = batches
            .iter()
            .enumerate()
            .map(|(number, (batch, outcome))| {
                let address = address.trim_end_matches('/');
                let place = match &*batch.files {
                    [file] => format!("{address}/{}", file.path),
                    files => format!("{address}/{}, {} files", folder_of(files), files.len()),
                };
                Written::new(request, number, &outcome.counts, outcome.bytes, place)
            });
        print(&written(&lines.collect::<Vec<_>>()))?;
    }
    let counts = || batches.iter().map(|(_, outcome)| &outcome.counts);
    let lacking = counts().map(|counts| counts.lacking).sum();
    for line in left_out(lacking, counts().map(|counts| counts.duplicates).sum()) {
        say(arguments, &line);
    }
    if !has_one_form {
        say(arguments, FORMS);
    }
    say(
        arguments,
        &format!("in {:.3} s", started.elapsed().as_secs_f64()),
    );
    Ok(())
}
