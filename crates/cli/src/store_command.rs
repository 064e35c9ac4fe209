use std::path::Path;

use profile_export::jobs::{Keep, forget_jobs, jobs_to_forget, sweep};
use profile_export::store::{DatasetStats, Stats, Store, Verified};
use serde_json::json;

use crate::args::{Arguments, StoreCommand};
use crate::failure::Failure;
use crate::gone::verify_gone;
use crate::jobs;
use crate::listing::print_list;
use crate::message::{say, shown};
use crate::names::Names;
use crate::output::{bytes, count, print, print_result, table};
use crate::progress::Watch;
use crate::shards;
use crate::stores::{open, open_or_make};

pub fn run(arguments: &Arguments, command: &StoreCommand) -> Result<(), Failure> {
    let stats = match command {
        StoreCommand::Stats { store } => open(arguments, &store.store)?.stats_in_full()?,
        StoreCommand::Plans { store } => {
            return shards::list(arguments, &open(arguments, &store.store)?);
        }
        StoreCommand::Compact { store } => {
            let store = open(arguments, &store.store)?;
            let watch = Watch::start(arguments, 0);
            store.compact_with(&watch.progress)?;
            drop(watch);
            store.stats_in_full()?
        }
        StoreCommand::Verify { gone, store } if !gone.is_empty() => {
            return verify_gone(arguments, &open(arguments, &store.store)?, gone);
        }
        StoreCommand::Verify { gone: _, store } => {
            let store = open(arguments, &store.store)?;
            let watch = Watch::start(arguments, store.bytes_to_verify()?);
            let found = store.verify_with(&watch.progress);
            drop(watch);
            let found = found?;
            let Verified { problems, moved } = &found;
            if arguments.is_for_machines() {
                print_result(arguments, &json!({"problems": problems, "moved": moved}))?;
            } else {
                for batch in moved {
                    print(&shown(&format!(
                        "moved or deleted by somebody else: {batch}"
                    )))?;
                }
                match problems.as_slice() {
                    [] => print("every byte is as it was written")?,
                    problems => {
                        let lines: Vec<_> = problems.iter().map(|line| shown(line)).collect();
                        print(&lines.join("\n"))?;
                    }
                }
            }
            return match problems.len() {
                0 => Ok(()),
                n => Err(Failure::failed(format!("{n} problems"))),
            };
        }
        StoreCommand::Init { store } => {
            open_or_make(arguments, &store.store)?;
            say(arguments, &format!("{} is a store", store.store.display()));
            return Ok(());
        }
        StoreCommand::Forget {
            keep_last,
            keep_daily,
            dry_run,
            store,
        } => {
            let store = open(arguments, &store.store)?;
            let keep = Keep {
                last: *keep_last,
                daily: *keep_daily,
            };
            return forget(arguments, &store, &keep, *dry_run);
        }
        StoreCommand::Restore { store } => return restore(arguments, &store.store),
    };
    print_stats(arguments, &stats)
}

fn forget(arguments: &Arguments, store: &Store, keep: &Keep, dry_run: bool) -> Result<(), Failure> {
    let jobs = match dry_run {
        true => {
            sweep(store)?;
            jobs_to_forget(store, keep)?
        }
        false => forget_jobs(store, keep)?,
    };
    print_list(arguments, &jobs, &jobs, || {
        Ok(jobs::table(&jobs, &Names::of(store)?))
    })?;
    let done = if dry_run {
        "would be forgotten"
    } else {
        "forgotten"
    };
    say(
        arguments,
        &format!("{} jobs {done}", count(jobs.len() as u64)),
    );
    Ok(())
}

fn restore(arguments: &Arguments, folder: &Path) -> Result<(), Failure> {
    let restored = Store::restore(folder)?;
    let aside = restored.set_aside.display().to_string();
    if arguments.is_for_machines() {
        return print_result(
            arguments,
            &json!({
                "generation": restored.generation,
                "setAside": aside,
                "runs": restored.runs,
                "batches": restored.batches,
            }),
        );
    }
    let aside = shown(&aside);
    print(&format!(
        "the catalog is as it was at generation {}\nset aside in {aside}: the catalog of before, {} runs, {} batches",
        restored.generation, restored.runs, restored.batches
    ))
}

fn print_stats(arguments: &Arguments, stats: &Stats) -> Result<(), Failure> {
    if arguments.is_for_machines() {
        return print_result(arguments, stats);
    }
    let cells: Vec<[String; 7]> = stats.datasets.iter().map(cells).collect();
    let rows = (stats.datasets.iter().zip(&cells)).map(|(dataset, cells)| {
        let [runs, records, size, unpacked, tiers, replaced, savings] = cells;
        [
            dataset.id.as_str(),
            dataset.class.as_str(),
            runs,
            records,
            size,
            unpacked,
            tiers,
            replaced,
            savings,
            &dataset.name,
        ]
    });
    let head = [
        "ID", "CLASS", "RUNS", "RECORDS", "SIZE", "UNPACKED", "TIERS", "REPLACED", "SAVINGS",
        "NAME",
    ];
    let mut text = table(head, rows);
    text.push_str(&format!(
        "{} runs, {}, generation {}\n",
        count(stats.runs),
        bytes(stats.bytes),
        stats.generation
    ));
    print(&text)
}

/// Runs, records, size, unpacked size, the number of layers of each tier, replaced records and what a compaction
/// would save.
fn cells(dataset: &DatasetStats) -> [String; 7] {
    let tiers: Vec<String> = (dataset.tiers.iter())
        .map(|tier| format!("{}x{}", tier.layers, tier.tier))
        .collect();
    [
        count(dataset.runs),
        count(dataset.records),
        bytes(dataset.bytes),
        dataset.unpacked_bytes.map_or("?".to_owned(), bytes),
        tiers.join(" "),
        dataset.replaced.map_or("?".to_owned(), count),
        dataset.savings.map_or("?".to_owned(), bytes),
    ]
}
