//! The evaluation of segments against the plain interpreter of the language's own tests.
#![allow(clippy::unwrap_used, missing_docs, dead_code)]

// The language's own tests call it so.
extern crate pql as profile_export_pql;

#[path = "../../../pql/tests/it/acceptance.rs"]
mod acceptance;
#[path = "../../../pql/tests/it/generate.rs"]
mod generate;
#[path = "../../../pql/tests/it/interpreter/mod.rs"]
mod interpreter;
#[path = "../../../pql/tests/it/people.rs"]
mod people;
#[path = "../../../pql/tests/it/well_typed.rs"]
mod well_typed;

mod agree;
mod chains;
mod pairs;
mod rows;
