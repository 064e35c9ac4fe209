//! What is told wrong today, by name. Whoever mends one of these takes it away here: the deep run fails
//! where one is no longer met.

use super::operations::Operation;
use crate::ground::Seen;

/// How an operation with a fault ended.
pub struct Outcome<'a> {
    pub operation: &'a Operation,
    /// The exit code, unless it was killed.
    pub code: Option<i32>,
    pub said: &'a str,
    pub seen: &'a Seen,
    pub before: &'a Seen,
    pub after: &'a Seen,
}

/// Something that is told wrong today.
pub struct Known {
    pub name: &'static str,
    /// Where it is met.
    pub operations: &'static [&'static str],
    is: fn(&Outcome<'_>) -> bool,
}

pub const KNOWN: [Known; 1] = [Known {
    name: "a job that is killed, whose end can't be told or whose target can't be synced leaves its batches in --out",
    operations: &["run --out", "run --name-template", "run --from"],
    is: |o| {
        let rest = Seen {
            out: o.before.out.clone(),
            ..o.seen.clone()
        };
        let is_untold =
            o.said.contains("could not be told") || o.said.contains("writing the batch: out");
        let is_met = o.code.is_none() || (o.code == Some(1) && is_untold);
        is_met && rest == *o.before && o.seen.out == o.after.out
    },
}];

/// What of the above an outcome is.
pub fn known(outcome: &Outcome<'_>) -> Option<&'static str> {
    let mut here = KNOWN
        .iter()
        .filter(|known| known.operations.contains(&outcome.operation.name));
    here.find(|known| (known.is)(outcome))
        .map(|known| known.name)
}
