//! SQL over a store, in the dialect of the platform's Query Service.

use crate::args::{Arguments, SqlArgs};
use crate::failure::Failure;

#[cfg(feature = "sql")]
mod answer;
#[cfg(feature = "sql")]
mod cells;
#[cfg(feature = "sql")]
mod prompt;
#[cfg(feature = "sql")]
mod run;

#[cfg(feature = "sql")]
pub use run::run;

/// Says that this program can't do it.
#[cfg(not(feature = "sql"))]
pub fn run(_: &Arguments, _: &SqlArgs) -> Result<(), Failure> {
    Err(Failure::usage(
        "this program was built without SQL: build it with --features sql, or take a released one",
    ))
}
