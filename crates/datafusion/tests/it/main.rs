//! Tables over a store of the fixtures: what they have is what exports and records have.

mod batches;
mod dataset;
mod profiles;

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::{SessionConfig, SessionContext};
use profile_export::export::{Progress, json_values};
use profile_export::platform::SourceFolder;
use profile_export::store::{LoadOptions, Scope, Store};
use serde_json::Value;
use tempfile::TempDir;

/// A store with all that the retailer has.
fn retailer() -> (TempDir, Store) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path().join("store"), Scope::default()).expect("a store");
    load(&store);
    (folder, store)
}

fn load(store: &Store) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/retailer");
    let source = SourceFolder::open(&fixtures).expect("the fixtures");
    let progress = Arc::new(Progress::default());
    source
        .load(store, &LoadOptions::default(), &progress)
        .expect("loaded");
}

/// A session of two partitions, in which names keep their case.
fn session() -> SessionContext {
    let config = SessionConfig::new()
        .with_target_partitions(2)
        .set_bool("datafusion.sql_parser.enable_ident_normalization", false);
    SessionContext::new_with_config(config)
}

async fn rows(context: &SessionContext, sql: &str) -> Vec<RecordBatch> {
    let frame = context.sql(sql).await.expect("a statement");
    frame.collect().await.expect("rows")
}

/// The rows as JSON texts, in the order of these.
async fn sorted(context: &SessionContext, sql: &str) -> Vec<String> {
    texts(&rows(context, sql).await)
}

fn texts(rows: &[RecordBatch]) -> Vec<String> {
    let values = rows
        .iter()
        .flat_map(|rows| json_values(rows).expect("JSON"));
    let mut texts: Vec<String> = values.map(|value| by_name(value).to_string()).collect();
    texts.sort();
    texts
}

/// A value whose fields are in the order of their names.
fn by_name(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<(String, Value)> = fields.into_iter().collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            let fields = fields.into_iter();
            fields.map(|(name, value)| (name, by_name(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(by_name).collect(),
        other => other,
    }
}

async fn explained(context: &SessionContext, sql: &str) -> String {
    let plan = rows(context, &format!("EXPLAIN {sql}")).await;
    pretty_format_batches(&plan).expect("a plan").to_string()
}
