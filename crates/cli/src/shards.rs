//! One export by many machines: planned, made in shards, shown at once.

use std::path::Path;
use std::time::Instant;

use profile_export::request::ExportRequest;
use profile_export::sharded::{
    PlanOptions, ShardManifest, ShardPlan, abort_pinned, commit_plan, plan_shards, run_shard,
};
use profile_export::store::Store;
use profile_export::xdm::Timestamp;
use serde_json::json;

use crate::args::{AbortArgs, Arguments, CommitArgs, FileArgs, PlanArgs, RunShardArgs};
use crate::bucket;
use crate::failure::Failure;
use crate::goal::Goal;
use crate::listing::{Cell, Table, print_list};
use crate::message::say;
use crate::names::Names;
use crate::origin::{Origin, Work};
use crate::output::{bytes, count, print, print_result};
use crate::progress::Watch;
use crate::stores::open;
use crate::told::{FORMS, of_job, summary, tell_end, written};

/// Plans an export in shards, and writes the plan.
pub fn plan(
    arguments: &Arguments,
    plan: &PlanArgs,
    (work, request): (&Work<'_>, &ExportRequest),
) -> Result<(), Failure> {
    let (Some(shards), Some(path)) = (plan.shards, &plan.plan) else {
        return Err(Failure::usage("--shards and --plan come together"));
    };
    let Origin::Store(store) = &work.origin else {
        return Err(Failure::usage(
            "--shards needs a store that every machine sees: ingest --store DIR --from DIR makes one",
        ));
    };
    let options = PlanOptions {
        shards,
        max_identities: work.run.max_identities,
        writer: writer(&plan.files)?,
        keep_for: PlanOptions::WEEK,
    };
    let store = open(arguments, store)?;
    let watch = Watch::start(arguments, 0);
    let made = plan_shards(&store, request, &options, &watch.progress);
    drop(watch);
    let made = made?;
    let put = made.write(path);
    if let Err(error) = put {
        // Without its file nobody could end it.
        let _ = store.catalog().unpin_plan(&made.id);
        return Err(error.into());
    }
    for segment in &made.unknown_segments {
        let near = segment.did_you_mean.as_deref();
        let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
        let line = format!(
            "warning: no record names segment {:?}{near}",
            segment.segment_id
        );
        say(arguments, &line);
    }
    if arguments.is_for_machines() {
        return print_result(
            arguments,
            &json!({"plan": path, "planId": made.id, "shards": made.shards.len(), "generation": made.generation,
                    "expires": made.expires}),
        );
    }
    print(&format!(
        "{}: plan {} of {} shards, of generation {}; the store keeps what it reads until {}\n",
        path.display(),
        made.id,
        made.shards.len(),
        made.generation,
        made.expires
    ))
}

/// How files are written, where all shards have theirs under names of our own.
pub fn writer(files: &FileArgs) -> Result<profile_export::export::WriterOptions, Failure> {
    if files.name_template.is_some() || files.max_rows_per_file.is_some() {
        return Err(Failure::usage(
            "each shard has a file of each batch, part-00000 and so on: --name-template and --max-rows-per-file are for \
             exports that are made at once",
        ));
    }
    Goal::Store.writer(files)
}

/// Makes a shard.
pub fn run(arguments: &Arguments, shard: &RunShardArgs) -> Result<(), Failure> {
    let started = Instant::now();
    let plan = ShardPlan::read(&shard.plan)?;
    let watch = Watch::start(arguments, 0);
    let (number, attempt, store) = (shard.shard, &*shard.attempt, shard.store.as_deref());
    let made: Result<ShardManifest, Failure> = match bucket::address(&shard.out) {
        Some(address) => {
            let place = (store, address);
            bucket::run_shard(&plan, number, attempt, place, &watch.progress)
        }
        None => {
            let place = (store, &*shard.out);
            run_shard(&plan, number, attempt, place, &watch.progress).map_err(Failure::from)
        }
    };
    drop(watch);
    let made = made?;
    if arguments.is_for_machines() {
        return print_result(arguments, &made);
    }
    let profiles = made.batches.iter().map(|file| file.rows).sum();
    let length = made.batches.iter().map(|file| file.bytes).sum();
    print(&format!(
        "shard {} of {}, attempt {}: {} profiles, {}\n",
        made.shard,
        plan.shards.len(),
        made.attempt,
        count(profiles),
        bytes(length)
    ))?;
    say(
        arguments,
        &format!("in {:.3} s", started.elapsed().as_secs_f64()),
    );
    Ok(())
}

/// Shows the export of a plan whose shards are made.
pub fn commit(arguments: &Arguments, commit: &CommitArgs) -> Result<(), Failure> {
    let started = Instant::now();
    let plan = ShardPlan::read(&commit.plan)?;
    let store = store_of(arguments, &plan, commit.store.as_deref())?;
    if let Some(address) = bucket::address(&commit.out) {
        let to = (address, commit.if_exists.into());
        return bucket::commit(arguments, (&store, &plan), to, started);
    }
    let watch = Watch::start(arguments, 0);
    let to = (&*commit.out, commit.if_exists.into());
    let ended = commit_plan(&store, &plan, to, &watch.progress);
    drop(watch);
    if let (Ok(_), Some(left)) = (&ended, plan.left_in(&commit.out)) {
        say(arguments, &remains(&left.display().to_string()));
    }
    let finished = match ended {
        Ok(Some(finished)) => finished,
        Ok(None) => return was_committed(arguments, &plan, &commit.out.display().to_string()),
        Err(error) => {
            return tell_end(arguments, Err(error), started, || Names::of(&store)).map(drop);
        }
    };
    if arguments.is_for_machines() {
        print_result(arguments, &finished.job)?;
    } else {
        print(&written(&of_job(&finished, &plan.request)))?;
        let files: usize = finished.batches.iter().map(|batch| batch.files.len()).sum();
        for line in summary(&finished, started).iter().skip(files) {
            say(arguments, line);
        }
    }
    let manifest = profile_export::platform::Manifest::read(&commit.out)?;
    if manifest.is_some_and(|manifest| !manifest.has_one_form()) {
        say(arguments, FORMS);
    }
    Ok(())
}

/// That a plan was committed before.
pub fn was_committed(arguments: &Arguments, plan: &ShardPlan, out: &str) -> Result<(), Failure> {
    match arguments.is_for_machines() {
        true => print_result(arguments, &json!({"planId": plan.id, "committed": true})),
        false => print(&format!(
            "plan {} was committed to {out} already; nothing is left to do",
            plan.id
        )),
    }
}

/// That something is left of attempts.
pub fn remains(left: &str) -> String {
    format!(
        "warning: {left} can't be removed, which attempts at shards left; nobody reads it: delete it"
    )
}

/// Gives a plan up.
pub fn abort(arguments: &Arguments, abort: &AbortArgs) -> Result<(), Failure> {
    let (store, out) = (abort.store.as_deref(), abort.out.as_deref());
    let (id, store) = match (&abort.plan, &abort.plan_id, store) {
        (Some(plan), _, _) => {
            let plan = ShardPlan::read(plan)?;
            let store = store_of(arguments, &plan, store)?;
            plan.check_scope(&store)?;
            (plan.id, store)
        }
        (None, Some(id), Some(store)) => (id.clone(), open(arguments, store)?),
        _ => return Err(Failure::usage("--plan FILE, or --plan-id ID --store DIR")),
    };
    let was_there = match out.and_then(bucket::address) {
        Some(address) => bucket::abort(&store, &id, address)?,
        None => abort_pinned(&store, &id, out)?,
    };
    if arguments.is_for_machines() {
        return print_result(arguments, &json!({"planId": id, "aborted": was_there}));
    }
    print(&match was_there {
        true => format!("plan {id} is given up\n"),
        false => format!("nothing is left of plan {id}\n"),
    })
}

/// Lists the plans that were neither committed nor aborted.
pub fn list(arguments: &Arguments, store: &Store) -> Result<(), Failure> {
    let pins = store.catalog().plan_pins()?;
    let entries = pins.iter().map(|(id, pin)| {
        let expires = Timestamp::from_millis(pin.expires).to_string();
        json!({"planId": id, "generation": pin.generation, "expires": expires, "jobId": pin.job})
    });
    let entries: Vec<_> = entries.collect();
    print_list(arguments, &entries, &entries, || {
        Ok(Table {
            head: ["PLAN", "GENERATION", "EXPIRES", "JOB"],
            rows: pins
                .iter()
                .map(|(id, pin)| {
                    [
                        Cell::Text(id.clone()),
                        Cell::count(u64::try_from(pin.generation).ok()),
                        Cell::Text(Timestamp::from_millis(pin.expires).to_string()),
                        Cell::count(pin.job.and_then(|job| u64::try_from(job).ok())),
                    ]
                })
                .collect(),
        })
    })
}

fn store_of(
    arguments: &Arguments,
    plan: &ShardPlan,
    store: Option<&Path>,
) -> Result<Store, Failure> {
    open(arguments, store.unwrap_or(&plan.store))
}
