//! What the processes of a crowd were told, which all that is seen is held against.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// How many records each load has.
pub const RECORDS: usize = 8;

/// How a load stands, as far as its process has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Load {
    /// It may be there or not: it runs, or was killed.
    Unknown,
    /// It was told as done.
    Done,
    /// Its dataset is being deleted, or whoever did so was killed.
    Going,
    /// Its dataset was told as deleted.
    Gone,
    /// Its batch was told as failed: two servers were killed at work on it.
    BrokenOff,
}

/// The words of all processes.
#[derive(Default)]
pub struct Told {
    pub loads: Mutex<BTreeMap<u32, Load>>,
    /// Jobs that were told as created.
    pub jobs: Mutex<BTreeSet<i64>>,
    /// How many processes said of a job that they ran it to its end.
    pub ran: Mutex<BTreeMap<i64, u32>>,
    /// Batches that were told as taken by a server, with their loads.
    pub taken: Mutex<BTreeMap<String, u32>>,
    /// Jobs' batches that were told as deleted.
    pub deleted: Mutex<BTreeSet<String>>,
    /// What was not as it should be.
    pub problems: Mutex<Vec<String>>,
}

impl Told {
    /// A load of its own number.
    pub fn begin(&self) -> u32 {
        let mut loads = self.loads.lock().unwrap();
        let number = loads.len() as u32;
        loads.insert(number, Load::Unknown);
        number
    }

    pub fn is(&self, load: u32, state: Load) {
        self.loads.lock().unwrap().insert(load, state);
    }

    pub fn problem(&self, text: String) {
        self.problems.lock().unwrap().push(text);
    }

    /// Holds rows against what was told before they were read: no load is lost, none is half there.
    pub fn check(&self, before: &BTreeMap<u32, Load>, rows: &[String]) {
        let after = self.loads.lock().unwrap().clone();
        let mut records: BTreeMap<u32, usize> = BTreeMap::new();
        for load in rows.iter().filter_map(|row| load_of(row)) {
            *records.entry(load).or_default() += 1;
        }
        for (load, now) in after {
            let found = records.get(&load).copied().unwrap_or(0);
            let then = before.get(&load).copied().unwrap_or(Load::Unknown);
            let expected: &[usize] = match (then, now) {
                (Load::Done, Load::Done) => &[RECORDS],
                (Load::Gone | Load::BrokenOff, _) => &[0],
                _ => &[0, RECORDS],
            };
            if !expected.contains(&found) {
                self.problem(format!(
                    "load {load}, {then:?} before and {now:?} now: {found} records of {RECORDS}"
                ));
            }
        }
    }
}

/// What the records of a load, and no others, have in them.
pub fn mark(load: u32) -> String {
    format!("load-{load}.")
}

/// The load that a row's record came with; those of no load were there before the crowd.
fn load_of(row: &str) -> Option<u32> {
    let (_, rest) = row.split_once("load-")?;
    let (number, _) = rest.split_once('.')?;
    Some(number.parse().unwrap())
}
