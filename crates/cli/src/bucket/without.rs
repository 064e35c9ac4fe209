//! A program without object stores refuses their addresses.

use std::sync::Arc;
use std::time::Instant;

use profile_export::export::Progress;
use profile_export::platform::IfExists;
use profile_export::request::ExportRequest;
use profile_export::sharded::{ShardManifest, ShardPlan};
use profile_export::store::Store;

use super::missing;
use crate::args::{Arguments, ExportArgs};
use crate::failure::Failure;
use crate::origin::Work;

pub fn export(
    _: &Arguments,
    _: &ExportArgs,
    _: &Work<'_>,
    _: (&ExportRequest, &str),
) -> Result<(), Failure> {
    Err(missing())
}

pub fn look(_: &ExportArgs, _: &str) -> Result<(), Failure> {
    Err(missing())
}

pub fn run_shard(
    _: &ShardPlan,
    _: usize,
    _: &str,
    _: (Option<&std::path::Path>, &str),
    _: &Arc<Progress>,
) -> Result<ShardManifest, Failure> {
    Err(missing())
}

pub fn commit(
    _: &Arguments,
    _: (&Store, &ShardPlan),
    _: (&str, IfExists),
    _: Instant,
) -> Result<(), Failure> {
    Err(missing())
}

pub fn abort(_: &Store, _: &str, _: &str) -> Result<bool, Failure> {
    Err(missing())
}
