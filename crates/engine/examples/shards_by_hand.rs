//! Makes an export in shards, as many machines would, and shows it at once.
//!
//!     cargo run --example shards_by_hand

use std::sync::Arc;
use std::thread;

use profile_export::export::{Progress, WriterOptions};
use profile_export::platform::{IfExists, SourceFolder};
use profile_export::request::ExportRequest;
use profile_export::sharded::{PlanOptions, ShardPlan, commit_plan, plan_shards, run_shard};
use profile_export::store::{LoadOptions, Scope, Store};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Store::open(folder.path().join("store"), Scope::default())?;
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/retailer");
    let source = SourceFolder::open(fixtures.as_ref())?;
    source.load(&store, &LoadOptions::default(), &Progress::default())?;

    // The plan is a file: whoever has it, and sees the store's folder, can make any of its shards.
    let request = ExportRequest {
        fields: Some("personalEmail.address,person.name".to_owned()),
        ..ExportRequest::default()
    };
    let options = PlanOptions {
        shards: 4,
        max_identities: None,
        writer: WriterOptions::default(),
        keep_for: PlanOptions::WEEK,
    };
    let plan = plan_shards(&store, &request, &options, &Arc::default())?;
    let file = folder.path().join("plan.json");
    plan.write(&file)?;

    // A thread stands for a machine. One shard is made twice, as a scheduler does that lost sight of the first attempt.
    let out = folder.path().join("out");
    let attempts = [(0, "0"), (1, "0"), (2, "0"), (3, "0"), (2, "1")];
    let rows = thread::scope(|scope| {
        let machines = attempts.map(|(shard, attempt)| {
            let (file, out) = (&file, &out);
            scope.spawn(move || -> Result<u64> {
                let plan = ShardPlan::read(file)?;
                let made = run_shard(&plan, shard, attempt, (None, out), &Arc::default())?;
                Ok(made.batches.iter().map(|file| file.rows).sum())
            })
        });
        let made = machines.map(|machine| machine.join().expect("no panic"));
        made.into_iter().collect::<Result<Vec<u64>>>()
    })?;

    // Exactly one attempt of each shard is taken.
    let finished = commit_plan(&store, &plan, (&out, IfExists::Fail), &Arc::default())?;
    let finished = finished.ok_or("it was committed before")?;
    assert_eq!(finished.profiles, rows[..4].iter().sum::<u64>());
    println!("{} profiles in {} shards", finished.profiles, 4);
    Ok(())
}
