//! The HTTP front as its clients meet it.
#![allow(clippy::unwrap_used, missing_docs)]

mod catalog;
mod description;
mod files;
mod headers;
mod ingestion;
mod jobs;
mod limits;
mod log;
mod policies;
mod queue;
mod serving;
