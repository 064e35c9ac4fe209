//! Exports into the buckets of object stores.

use profile_export::request::ExportRequest;

use crate::args::{Arguments, ExportArgs};
use crate::failure::Failure;
use crate::origin::Work;

/// Refuses what can't be done there, before anything is read.
pub fn check(export: &ExportArgs) -> Result<(), Failure> {
    if cfg!(not(feature = "cloud")) {
        return Err(Failure::usage(
            "this program was built without object stores: build it with --features cloud, or write to a folder and \
             copy it there when it is finished",
        ));
    }
    if export.dataset.is_some() || export.files.max_rows_per_file.is_some() {
        return Err(Failure::usage(
            "an export into a bucket is no job and has a file a batch: --dataset and --max-rows-per-file are for folders",
        ));
    }
    let template = export.files.name_template.as_ref();
    if template.is_some_and(|template| !template.has_batch_id()) {
        return Err(Failure::usage(
            "--name-template: in a bucket {batch.id} is part of it: an object can't be renamed, so of two exports at once \
             one would write over the other's",
        ));
    }
    Ok(())
}

#[cfg(not(feature = "cloud"))]
pub fn export(
    _: &Arguments,
    export: &ExportArgs,
    _: &Work<'_>,
    _: (&ExportRequest, &str),
) -> Result<(), Failure> {
    check(export)
}

#[cfg(not(feature = "cloud"))]
pub fn look(export: &ExportArgs, _: &str) -> Result<(), Failure> {
    check(export)
}

#[cfg(feature = "cloud")]
pub use cloud::{export, look};

#[cfg(feature = "cloud")]
mod cloud {
    use std::time::Instant;

    use ::bucket::{BucketOutput, WrittenBatches};
    use serde_json::json;

    use super::{Arguments, ExportArgs, ExportRequest, Failure, Work};
    use crate::export::{check_demands, without_job};
    use crate::message::say;
    use crate::output::{print, print_result};
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
                    let files: Vec<&str> = batch.files.iter().map(|file| &*file.path).collect();
                    let place = format!("{}/{}", address.trim_end_matches('/'), files.join(" "));
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
        let rows: Vec<u64> = batches.iter().map(|(batch, _)| batch.profiles).collect();
        check_demands(&export.demands, &rows, rejected)
    }
}
