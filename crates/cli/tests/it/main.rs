//! The program as its users meet it.
#![allow(clippy::unwrap_used, missing_docs)]

mod faults;
mod inputs;
mod lives;
mod out;
mod program;
mod readers;
mod rights;
mod serving;
mod streams;
mod unwritable;
mod waits;
mod walk;
