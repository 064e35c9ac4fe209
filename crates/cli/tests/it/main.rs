//! The program as its users meet it.
#![allow(clippy::unwrap_used, missing_docs)]

mod faults;
mod lives;
mod program;
mod readers;
mod serving;
mod unwritable;
mod walk;
