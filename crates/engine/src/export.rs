//! The work of an export: people in, staged batches out.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;
use store::{Progress, Run, Snapshot};
use writer::{BatchWriter, FileOptions, StagedBatch};

use crate::error::Result;
use crate::pipeline::{Chunk, Graph, Pipeline};
use crate::plan::Plan;
use crate::sources::Sources;

/// Where and how batches are written.
pub(crate) struct ExportOptions<'a> {
    /// A folder for the batches until they are published.
    pub(crate) staging: &'a Path,
    /// The folder that they are published in.
    pub(crate) target: &'a Path,
    /// The batches' IDs, one for each batch of the plan.
    pub(crate) ids: &'a [String],
    pub(crate) metadata: Vec<(String, String)>,
    pub(crate) max_rows_per_file: Option<usize>,
    pub(crate) durable: bool,
}

/// What a batch holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exported {
    pub(crate) profiles: u64,
    pub(crate) events: u64,
    pub(crate) by_namespace: BTreeMap<String, u64>,
}

/// zstd's level: 1 takes about half the time of 3 for files a few percent larger.
const ZSTD_LEVEL: i32 = 1;

pub(crate) fn export(
    snapshot: &Snapshot,
    plan: &Plan,
    options: &ExportOptions<'_>,
    progress: &Progress,
) -> Result<Vec<(StagedBatch, Exported)>> {
    let sources = Sources::new(snapshot, plan)?;
    let pipeline = Pipeline::new(plan, &sources)?;
    let graph = Graph::of(plan, &sources)?;
    let indexes = sources.indexes();
    let mut batches = Vec::new();
    for (id, membership) in options.ids.iter().zip(&plan.batches) {
        let matches = (!membership.is_open()).then(|| membership.scan(&indexes));
        let people = pipeline.people(matches.as_ref(), graph.as_ref());
        let mut batch = BatchWriter::create(
            options.staging.join(id),
            options.target.join(id),
            pipeline.schema().clone(),
            FileOptions {
                metadata: options.metadata.clone(),
                max_rows_per_file: options.max_rows_per_file,
                zstd_level: ZSTD_LEVEL,
            },
            options.durable,
        )?;
        let mut exported = Exported::default();
        let numbers: Vec<usize> = (0..people.chunks()).collect();
        let make = |window: &[usize]| {
            let chunks = window.par_iter().map(|number| {
                progress.check()?;
                pipeline.rows(&people.rows(*number, &sources), matches.as_ref())
            });
            chunks.collect::<Result<Vec<_>>>()
        };
        let mut write = |chunks: Vec<Chunk>| -> Result<()> {
            for chunk in chunks {
                progress.check()?;
                progress.add_rows(chunk.rows.num_rows() as u64);
                exported.profiles += chunk.rows.num_rows() as u64;
                exported.events += chunk.events;
                for (namespace, count) in chunk.by_namespace {
                    *exported.by_namespace.entry(namespace).or_default() += count;
                }
                batch.write(chunk.rows)?;
            }
            Ok(())
        };
        // A few chunks at a time, which bounds memory, are made in parallel, while those before them are
        // written in order.
        let mut made = Vec::new();
        for window in numbers.chunks(2 * rayon::current_num_threads()) {
            let (written, next) = rayon::join(|| write(std::mem::take(&mut made)), || make(window));
            written?;
            made = next?;
            // What comes next lies elsewhere in the runs.
            snapshot.runs.iter().for_each(Run::release);
        }
        write(made)?;
        let staged = batch.finish()?;
        progress.add_bytes(staged.files().iter().map(|file| file.length).sum());
        batches.push((staged, exported));
    }
    Ok(batches)
}
