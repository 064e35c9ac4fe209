//! The operations that meet faults.

use std::process::Command;

use crate::ground::{Ground, VISITS};

/// Something that the program is asked to do, all or nothing.
pub struct Operation {
    pub name: &'static str,
    /// The program's arguments; `BATCH` is the ID of the batch that is there.
    pub arguments: &'static [&'static str],
    pub again: Again,
    /// Whether it sweeps the runs that are part of no store.
    pub changes_runs: bool,
}

/// What becomes of it where it is asked for once more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It is done, and what is seen is the same.
    Same,
    /// It is done once more: there is a further batch.
    Adds,
    /// It is refused with this exit code: there is nothing left to do it to.
    Refused(i32),
}

/// There is no such thing.
const NOT_FOUND: i32 = 3;
/// A request that can't be.
#[cfg(feature = "sql")]
const REFUSED: i32 = 2;

pub const LOAD: Operation = Operation {
    name: "load",
    arguments: &["ingest", "--dataset", "crm", "more.ndjson"],
    again: Again::Same,
    changes_runs: true,
};

pub const FIRST_LOAD: Operation = Operation {
    name: "first load",
    arguments: &["ingest", "--from", "source"],
    again: Again::Same,
    changes_runs: true,
};

pub const RUN: Operation = Operation {
    name: "run",
    arguments: &["run", "request.json"],
    again: Again::Adds,
    changes_runs: false,
};

pub const RUN_OUT: Operation = Operation {
    name: "run --out",
    arguments: &["run", "request.json", "--out", "out"],
    again: Again::Adds,
    changes_runs: false,
};

/// The same places, but each file is renamed by itself, and the folders are nobody's.
pub const RUN_NAMED: Operation = Operation {
    name: "run --name-template",
    arguments: &[
        "run",
        "request.json",
        "--out",
        "out",
        "--name-template",
        "{batch.id}/part-{n}.{ext}",
    ],
    again: Again::Adds,
    changes_runs: false,
};

pub const RUN_SHARD: Operation = Operation {
    name: "run-shard",
    arguments: &[
        "run-shard",
        "--plan",
        "plan.json",
        "--shard",
        "0",
        "--out",
        "out",
    ],
    again: Again::Same,
    changes_runs: false,
};

pub const COMMIT: Operation = Operation {
    name: "commit",
    arguments: &["commit", "--plan", "plan.json", "--out", "out"],
    again: Again::Same,
    changes_runs: false,
};

pub const RUN_FROM: Operation = Operation {
    name: "run --from",
    arguments: &["run", "request.json", "--from", "source", "--out", "out"],
    again: Again::Adds,
    changes_runs: false,
};

pub const COMPACT: Operation = Operation {
    name: "compact",
    arguments: &["store", "compact"],
    again: Again::Same,
    changes_runs: true,
};

pub const EVALUATE: Operation = Operation {
    name: "segments evaluate",
    arguments: &[
        "segments",
        "evaluate",
        "--all",
        "--now",
        "2026-01-02T00:00:00Z",
    ],
    again: Again::Same,
    changes_runs: true,
};

pub const DELETE_DATASET: Operation = Operation {
    name: "datasets delete",
    arguments: &["datasets", "delete", VISITS],
    again: Again::Refused(NOT_FOUND),
    changes_runs: false,
};

pub const DELETE_BATCH: Operation = Operation {
    name: "batches delete",
    arguments: &["batches", "delete", "BATCH"],
    again: Again::Refused(NOT_FOUND),
    changes_runs: false,
};

pub const DELETE_PROFILE: Operation = Operation {
    name: "profiles delete",
    arguments: &["profiles", "delete", "Email:p25@example.com"],
    again: Again::Refused(NOT_FOUND),
    changes_runs: true,
};

pub const ERASE: Operation = Operation {
    name: "profiles delete --everywhere",
    arguments: &[
        "profiles",
        "delete",
        "Email:p25@example.com",
        "--everywhere",
    ],
    again: Again::Same,
    changes_runs: true,
};

/// A dataset of the query's rows, whose batch is a file of its own.
#[cfg(feature = "sql")]
pub const CREATE_TABLE: Operation = Operation {
    name: "sql CREATE TABLE",
    arguments: &[
        "sql",
        "CREATE TABLE numbers AS SELECT version, count(*) AS people FROM crm GROUP BY version",
    ],
    again: Again::Refused(REFUSED),
    changes_runs: false,
};

/// Of a table that `CREATE_TABLE` made.
#[cfg(feature = "sql")]
pub const INSERT_ROWS: Operation = Operation {
    name: "sql INSERT of rows",
    arguments: &["sql", "INSERT INTO numbers VALUES ('none', 0)"],
    again: Again::Adds,
    changes_runs: false,
};

#[cfg(feature = "sql")]
pub const INSERT_RECORDS: Operation = Operation {
    name: "sql INSERT of records",
    arguments: &[
        "sql",
        "INSERT INTO crm (_id, version, identityMap) SELECT concat('q', n), 'rows', \
         map('Email', array(struct(concat('q', n, '@example.com') AS id, true AS primary))) FROM crm \
         WHERE n IS NOT NULL",
    ],
    again: Again::Same,
    changes_runs: true,
};

#[cfg(feature = "sql")]
pub const DROP_TABLE: Operation = Operation {
    name: "sql DROP TABLE",
    arguments: &["sql", "DROP TABLE visits"],
    again: Again::Refused(REFUSED),
    changes_runs: false,
};

impl Operation {
    /// The program about to do it on this ground.
    pub fn command(&self, ground: &Ground) -> Command {
        let real = self.arguments.iter().map(|argument| match *argument {
            "BATCH" => ground.batches().remove(0),
            other => other.to_owned(),
        });
        let real: Vec<String> = real.collect();
        ground.command(&real.iter().map(String::as_str).collect::<Vec<_>>())
    }
}
