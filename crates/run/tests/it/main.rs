//! Runs on disk: what FORMAT.md says of them, and what becomes of damaged ones.
#![allow(clippy::unwrap_used, missing_docs)]

mod by_hand;
mod contents;
mod damage;
mod document;
mod plain;
mod sample;
