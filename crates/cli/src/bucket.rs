//! Exports into the buckets of object stores.

use std::path::Path;

use profile_export::platform::is_bucket;

use crate::args::ExportArgs;
use crate::failure::Failure;

/// The address in a bucket that `--out` means, where it is one.
pub fn address(out: &Path) -> Option<&str> {
    out.to_str().filter(|_| is_bucket(out))
}

/// Refuses what can't be done there, before anything is read.
pub fn check(export: &ExportArgs) -> Result<(), Failure> {
    if cfg!(not(feature = "cloud")) {
        return Err(missing());
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

fn missing() -> Failure {
    Failure::usage(
        "this program was built without object stores: build it with --features cloud, or write to a folder and copy it \
         there when it is finished",
    )
}

#[cfg(feature = "cloud")]
pub use cloud::{abort, commit, export, look, run_shard};

#[cfg(not(feature = "cloud"))]
pub use without::{abort, commit, export, look, run_shard};

#[cfg(not(feature = "cloud"))]
mod without;

#[cfg(feature = "cloud")]
mod cloud;
