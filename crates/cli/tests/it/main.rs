//! The program as its users meet it.
#![allow(clippy::unwrap_used, missing_docs)]

mod program;
mod readers;
