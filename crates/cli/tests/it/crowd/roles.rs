//! What the processes of a crowd do, again and again until the time is over.

use std::fs;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::told::{Load, RECORDS, Told, mark};
use crate::ground::{Ground, rows, write};
use crate::served::Served;

pub const CROWD: &str = "00000000000000000000000d";

/// One of a crowd.
pub struct Member<'a> {
    pub ground: &'a Ground,
    pub told: &'a Told,
    pub until: Instant,
    pub random: Random,
}

/// SplitMix64: the same numbers for the same seed.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

impl Member<'_> {
    fn goes_on(&self) -> bool {
        Instant::now() < self.until
    }

    /// Runs the program, or kills it on the way: then there is no word of it.
    fn run(&mut self, arguments: &[&str]) -> Option<Output> {
        let mut command = self.ground.command(arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        if self.random.below(3) == 0 {
            std::thread::sleep(Duration::from_millis(self.random.below(80)));
            let _ = child.kill();
            let output = child.wait_with_output().unwrap();
            return output.status.code().is_some().then_some(output);
        }
        Some(child.wait_with_output().unwrap())
    }

    /// Runs what can't fail while nobody kills it.
    fn must(&mut self, arguments: &[&str]) -> Option<Output> {
        let output = self.run(arguments)?;
        if output.status.success() {
            return Some(output);
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        self.told
            .problem(format!("{arguments:?}: {}: {said}", output.status));
        None
    }

    fn write_load(&self, load: u32) -> String {
        let name = format!("load-{load}.ndjson");
        write(&self.ground.path(&name), &records(load));
        name
    }

    /// Loads into the one dataset.
    pub fn load(mut self) {
        while self.goes_on() {
            let load = self.told.begin();
            let file = self.write_load(load);
            if self.must(&["ingest", "--dataset", CROWD, &file]).is_some() {
                self.told.is(load, Load::Done);
            }
        }
    }

    /// Loads into datasets that are made on the way, and deletes them.
    pub fn come_and_go(mut self) {
        while self.goes_on() {
            let load = self.told.begin();
            let file = self.write_load(load);
            let name = format!("guest-{load}");
            if self.must(&["ingest", "--dataset", &name, &file]).is_none() {
                continue;
            }
            self.told.is(load, Load::Done);
            let Some(shown) = self.must(&["datasets", "get", &name]) else {
                continue;
            };
            let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
            let id = shown["id"].as_str().unwrap().to_owned();
            self.told.is(load, Load::Going);
            if self.must(&["datasets", "delete", &id]).is_some() {
                self.told.is(load, Load::Gone);
            }
        }
    }

    /// Loads into the one dataset, and deletes those whom the load brought: all bear an identity of its own.
    pub fn load_and_delete(mut self) {
        while self.goes_on() {
            let load = self.told.begin();
            let file = self.write_load(load);
            if self.must(&["ingest", "--dataset", CROWD, &file]).is_none() {
                continue;
            }
            self.told.is(load, Load::Going);
            if self
                .must(&["profiles", "delete", &format!("Night:night {load}")])
                .is_some()
            {
                self.told.is(load, Load::Gone);
            }
        }
    }

    pub fn compact(mut self) {
        while self.goes_on() {
            self.must(&["store", "compact"]);
        }
    }

    pub fn create_jobs(mut self) {
        while self.goes_on() {
            if let Some(made) = self.must(&["jobs", "create", "request.json"]) {
                let job: Value = serde_json::from_slice(&made.stdout).unwrap();
                self.told
                    .jobs
                    .lock()
                    .unwrap()
                    .insert(job["id"].as_i64().unwrap());
            }
            std::thread::sleep(Duration::from_millis(self.random.below(100)));
        }
    }

    /// Runs the jobs that wait; others do, too.
    pub fn run_jobs(mut self) {
        while self.goes_on() {
            let Some(output) = self.run(&["jobs", "run", "--next"]) else {
                continue;
            };
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            match output.status.code() {
                Some(0) => {
                    if let Ok(job) = serde_json::from_slice::<Value>(&output.stdout)
                        && let Some(id) = job["id"].as_i64()
                    {
                        *self.told.ran.lock().unwrap().entry(id).or_default() += 1;
                    }
                }
                // Another was faster.
                Some(5) if said.contains("another process") || said.contains("no longer NEW") => {}
                _ => self
                    .told
                    .problem(format!("jobs run --next: {}: {said}", output.status)),
            }
        }
    }

    pub fn delete_batches(mut self) {
        while self.goes_on() {
            let batches = self.ground.batches();
            let Some(id) = batches.last() else {
                continue;
            };
            if let Some(output) = self.run(&["batches", "delete", id])
                && output.status.success()
            {
                self.told.deleted.lock().unwrap().insert(id.clone());
            }
            std::thread::sleep(Duration::from_millis(self.random.below(200)));
        }
    }

    /// Looks at every byte; what goes while it looks is not damaged.
    pub fn verify(mut self) {
        while self.goes_on() {
            self.must(&["store", "verify"]);
        }
    }

    /// Reads everything, as exports do.
    pub fn look(self) {
        let store = self.ground.store();
        while self.goes_on() {
            let before = self.told.loads.lock().unwrap().clone();
            match rows(&store) {
                Ok(rows) => self.told.check(&before, &rows),
                // Files of a run that was removed meanwhile: the next look reads the new ones.
                Err(error) if error.contains("No such file") => {}
                Err(error) => self.told.problem(format!("an export: {error}")),
            }
        }
    }

    /// Serves, takes batches, and is killed or stopped.
    pub fn serve(mut self) {
        while self.goes_on() {
            let server = match Served::start(&mut self.ground.command(&["serve"])) {
                Ok(server) => server,
                Err(status) => {
                    self.told.problem(format!("a server: {status}"));
                    continue;
                }
            };
            for _ in 0..1 + self.random.below(4) {
                let load = self.told.begin();
                let file = self.write_load(load);
                let bytes = fs::read(self.ground.path(&file)).unwrap();
                if let Ok(Some(batch)) = server.send_batch(CROWD, &bytes) {
                    self.told.taken.lock().unwrap().insert(batch, load);
                }
            }
            std::thread::sleep(Duration::from_millis(self.random.below(300)));
            if self.random.below(3) == 0 {
                server.stop();
            } else {
                server.kill();
            }
        }
    }
}

/// The program without a word to anybody, as the ground's owner runs it.
pub fn quietly(ground: &Ground, arguments: &[&str]) -> Output {
    let command: &mut Command = &mut ground.command(arguments);
    command.stdout(Stdio::piped()).output().unwrap()
}

fn records(load: u32) -> Vec<Value> {
    let record = |n| {
        let id = format!("{load}-{n}");
        json!({"_id": id, "load": mark(load),
               "identityMap": {"Email": [{"id": format!("{id}@example.com"), "primary": true}],
                               "Night": [{"id": format!("night {load}")}]}})
    };
    (0..RECORDS).map(record).collect()
}
