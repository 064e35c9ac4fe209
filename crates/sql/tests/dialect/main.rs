//! Statements of the dialect, run over tables in memory and over an export of the fixtures.

mod golden;
mod pushed;
mod random;
mod statements;
mod tables;
