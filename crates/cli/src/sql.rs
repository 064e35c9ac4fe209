//! SQL over a store, in the dialect of the platform's Query Service.

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
pub fn run(
    _: &crate::args::Arguments,
    _: &crate::args::SqlArgs,
) -> Result<(), crate::failure::Failure> {
    Err(crate::failure::Failure::usage(
        "this program was built without SQL: build it with --features sql, or take a released one",
    ))
}
