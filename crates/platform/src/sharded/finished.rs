//! Which attempts at the shards of a plan count.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use store::StoreError;

use super::attempt::ShardManifest;
use super::plan::{ShardPlan, shard_folder};
use crate::error::Result;

/// How many shards that are missing are named.
const MOST_NAMED: usize = 20;

/// One finished attempt of each shard, the first by name where there are several: they have the same rows. One that is
/// damaged does not matter where another is whole. With each comes the folder that it is in.
pub(super) fn finished_attempts(
    plan: &ShardPlan,
    out: &Path,
) -> Result<Vec<(PathBuf, ShardManifest)>> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for number in 0..plan.shards.len() {
        let folder = plan.staging(out).join(shard_folder(number));
        let (mut first, mut problem) = (None, None);
        for attempt in names_in(&folder)? {
            let at = folder.join(attempt);
            match ShardManifest::read(&at, plan, number) {
                Ok(Some(manifest)) => {
                    first = Some((at, manifest));
                    break;
                }
                Ok(None) => {}
                Err(error) => problem = problem.or(Some(error)),
            }
        }
        match (first, problem) {
            (Some(whole), _) => found.push(whole),
            (None, Some(problem)) => return Err(problem),
            (None, None) => missing.push(number.to_string()),
        }
    }
    match missing.len() {
        0 => Ok(found),
        n => {
            let named = missing.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>();
            let more = match n.saturating_sub(MOST_NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let problem = format!(
                "{n} of {} shards of plan {} have no finished attempt in {}: {}{more}; run-shard makes them",
                plan.shards.len(),
                plan.id,
                out.display(),
                named.join(", ")
            );
            Err(catalog::Error::Conflict(problem).into())
        }
    }
}

/// The names in a folder, in order; none where there is no folder.
pub(super) fn names_in(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(StoreError::io(folder))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(StoreError::io(folder))?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
