//! PQL from outside: texts, JSON, schemas, and what expressions mean by a plain interpreter.
#![allow(clippy::unwrap_used, missing_docs)]

mod acceptance;
mod columns;
mod generate;
mod interpreter;
mod json;
mod limits;
mod literals;
mod meaning;
mod people;
mod properties;
mod refusals;
mod well_typed;
