//! The HTTP front as its clients meet it.
#![allow(clippy::unwrap_used, missing_docs)]

mod audiences;
mod bodies;
mod catalog;
mod deletion;
mod description;
mod ends;
mod entities;
mod files;
mod headers;
mod ingestion;
mod jobs;
mod limits;
mod local;
mod log;
mod policies;
mod previews;
mod queries;
mod queue;
mod sandboxes;
mod schedules;
mod segment_jobs;
mod serving;
mod tokens;
