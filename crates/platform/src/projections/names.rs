//! What both kinds of objects share: names, and a version that goes up.

use crate::error::Result;

/// The longest name of a projection, and of a data center, in bytes.
pub(super) const LONGEST_NAME: usize = 200;

pub(super) fn is_name(name: &str) -> bool {
    !name.trim().is_empty() && name.len() <= LONGEST_NAME
}

/// The version behind the one that is replaced, where that is the one that the sender knows.
pub(super) fn next_version(known: Option<i64>, said: Option<i64>) -> Result<i64> {
    match (known, said) {
        (Some(known), Some(said)) if known != said => {
            let problem = format!("currentVersion: found {said}; the newest is {known}");
            Err(catalog::Error::Conflict(problem).into())
        }
        (known, _) => Ok(known.unwrap_or(0) + 1),
    }
}
