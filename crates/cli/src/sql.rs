//! SQL over a store, in the dialect of the platform's Query Service.

#[cfg(feature = "sql")]
mod answer;
#[cfg(feature = "sql")]
mod cells;
#[cfg(feature = "sql")]
mod front;
#[cfg(not(feature = "sql"))]
mod missing;
#[cfg(feature = "sql")]
mod prompt;
#[cfg(feature = "sql")]
mod run;
#[cfg(feature = "sql")]
mod runner;
#[cfg(feature = "sql")]
mod work;

#[cfg(feature = "sql")]
pub use front::Front;
#[cfg(not(feature = "sql"))]
pub use missing::{Front, run};
#[cfg(feature = "sql")]
pub use run::run;
#[cfg(feature = "sql")]
pub use runner::QueryRunner;
