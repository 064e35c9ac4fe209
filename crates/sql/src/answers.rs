//! The rows of statements that are no queries.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use datafusion::error::Result;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

use crate::columns::{table, text};
use crate::dialect::{Error, Query};
use crate::session::Outcome;
use crate::settings::Settings;
use crate::store_tables::TableInfo;

/// Rows that are there already.
pub(crate) fn of_rows(rows: RecordBatch) -> Outcome {
    let schema = rows.schema();
    let rows = futures_util::stream::iter([Ok(rows)]);
    Outcome::Rows(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
}

/// Of `SHOW TABLES`.
pub(crate) fn tables(all: &[TableInfo]) -> Result<RecordBatch> {
    let each = || all.iter();
    table([
        text("name", each().map(|one| Some(one.name.clone()))),
        text("dataSetId", each().map(|one| one.dataset.clone())),
        text(
            "description",
            each().map(|one| Some(one.description.clone())),
        ),
    ])
}

/// Of `SHOW VIEWS`.
pub(crate) fn views(all: &[(String, Query)]) -> Result<RecordBatch> {
    let each = || all.iter();
    table([
        text("name", each().map(|(name, _)| Some(name.clone()))),
        text(
            "definition",
            each().map(|(_, query)| Some(query.to_string())),
        ),
    ])
}

/// Of `SHOW name`.
pub(crate) fn setting(name: &str, value: &str) -> Result<RecordBatch> {
    let column: ArrayRef = Arc::new(StringArray::from(vec![value]));
    Ok(RecordBatch::try_from_iter([(
        name.replace(' ', "_"),
        column,
    )])?)
}

/// Of `SHOW ALL`.
pub(crate) fn settings(settings: &Settings) -> Result<RecordBatch> {
    let column = |number: usize| settings.all().map(move |one| Some(one[number].to_owned()));
    table([
        text("name", column(0)),
        text("setting", column(1)),
        text("description", column(2)),
    ])
}

/// The lines of a plan, as PostgreSQL shows one.
pub(crate) fn plan_lines(explained: &[RecordBatch]) -> Result<RecordBatch, Error> {
    let mut lines = Vec::new();
    for batch in explained {
        // Which plan, and its text.
        let [kinds, plans] = [0, 1].map(|i| batch.column(i).as_string_opt::<i32>());
        for (kind, plan) in kinds.into_iter().flatten().zip(plans.into_iter().flatten()) {
            lines.push(kind.unwrap_or_default().replace('_', " "));
            let plan = plan.unwrap_or_default().lines();
            lines.extend(plan.map(|line| format!("  {line}")));
        }
    }
    Ok(table([text("QUERY PLAN", lines.into_iter().map(Some))])?)
}
