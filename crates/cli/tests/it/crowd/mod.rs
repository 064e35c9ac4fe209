//! Many processes at work on one store, some of them killed: what was told is there, nothing is half
//! there, and every job was run once.

mod roles;
mod told;

use std::time::{Duration, Instant};

use profile_export::jobs::{JobPage, JobStatus, list_jobs};
use profile_export::xdm::{Class, Dataset};

use crate::faults::is_deep;
use crate::ground::{Ground, Seen, rows, shared};
use crate::served::Served;
use roles::{CROWD, Member, Random, quietly};
use told::{Load, Told};

/// How long the crowd is at work, in seconds.
const SECONDS: &str = "PROFILE_EXPORT_CROWD_SECONDS";
/// Where its random numbers begin.
const SEED: &str = "PROFILE_EXPORT_CROWD_SEED";

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text}: expected a number")),
    )
}

#[test]
fn a_crowd_of_processes_of_which_some_are_killed_loses_nothing_that_was_told() {
    let seconds = number(SECONDS).unwrap_or(if is_deep() { 60 } else { 4 });
    let seed = number(SEED).unwrap_or(1);
    let ground = shared().copy();
    let crowd = Dataset::new(CROWD, "crowd", Class::Profile);
    ground.store().catalog().create_dataset(crowd).unwrap();
    let told = Told::default();
    let until = Instant::now() + Duration::from_secs(seconds);
    let roles: [fn(Member<'_>); 12] = [
        |member| member.load(),
        |member| member.load(),
        |member| member.come_and_go(),
        |member| member.load_and_delete(),
        |member| member.compact(),
        |member| member.create_jobs(),
        |member| member.run_jobs(),
        |member| member.run_jobs(),
        |member| member.delete_batches(),
        |member| member.verify(),
        |member| member.look(),
        |member| member.serve(),
    ];
    std::thread::scope(|scope| {
        for (n, role) in roles.into_iter().enumerate() {
            let member = Member {
                ground: &ground,
                told: &told,
                until,
                random: Random(seed.wrapping_mul(1000) + n as u64),
            };
            scope.spawn(move || role(member));
        }
    });
    settle(&ground, &told);
    check_the_end(&ground, &told);
    let problems = told.problems.into_inner().unwrap();
    assert!(problems.is_empty(), "seed {seed}:\n{}", problems.join("\n"));
}

/// Lets a server finish what waits: batches that were taken, jobs.
fn settle(ground: &Ground, told: &Told) {
    let server = Served::start(&mut ground.command(&["serve"])).unwrap();
    for (batch, load) in told.taken.lock().unwrap().iter() {
        let end = server.batch_end(batch, Duration::from_secs(30)).unwrap();
        match end.as_deref() {
            Some("success") => told.is(*load, Load::Done),
            // Servers are killed often here.
            Some("failed") if server.broke_off(batch).unwrap() => told.is(*load, Load::BrokenOff),
            other => told.problem(format!(
                "batch {batch} of load {load} was taken, and is {other:?}"
            )),
        }
    }
    server.stop();
    let output = quietly(ground, &["jobs", "run", "--all"]);
    assert!(output.status.success(), "{output:?}");
}

fn check_the_end(ground: &Ground, told: &Told) {
    // It opens, verify is content, nothing is left of those who died.
    Seen::of(ground);
    let store = ground.store();
    let loads = told.loads.lock().unwrap().clone();
    told.check(&loads, &rows(&store).unwrap());

    let jobs = list_jobs(&store, &JobPage::default()).unwrap().records;
    let batches = ground.batches();
    let deleted = told.deleted.lock().unwrap().clone();
    for id in told.jobs.lock().unwrap().iter() {
        let Some(job) = jobs.iter().find(|job| job.id == *id) else {
            told.problem(format!("job {id} was created, and is not there"));
            continue;
        };
        let is_killed = job.errors.iter().all(|error| error.code == "PE-0010");
        match job.status {
            JobStatus::Succeeded => {}
            JobStatus::Failed if is_killed => {}
            other => told.problem(format!("job {id} is {other:?}: {:?}", job.errors)),
        }
    }
    for (id, times) in told
        .ran
        .lock()
        .unwrap()
        .iter()
        .filter(|(_, times)| **times > 1)
    {
        told.problem(format!("job {id} was run by {times} processes"));
    }
    for batch in deleted.iter().filter(|batch| batches.contains(batch)) {
        told.problem(format!("batch {batch} was deleted, and is there"));
    }
    // Enough happened for that to say something.
    let done = loads.values().filter(|load| **load == Load::Done).count();
    let succeeded = jobs
        .iter()
        .filter(|job| job.status == JobStatus::Succeeded)
        .count();
    eprintln!(
        "{} loads, {done} of them told as done; {} jobs, {succeeded} succeeded, {} told so; {} batches deleted",
        loads.len(),
        jobs.len(),
        told.ran.lock().unwrap().len(),
        deleted.len()
    );
    assert!(done > 1 && succeeded > 1, "{done} loads, {succeeded} jobs");
}
