//! The records of a dataset.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use profile_export::export::{DatasetRows, Snapshot};

use crate::error::external;
use crate::exec::{Parts, PartsExec};

/// The records of one dataset as they came in: its events, or those of its fragments that no later one replaced.
#[derive(Clone)]
pub struct DatasetTable {
    name: String,
    rows: DatasetRows,
}

impl DatasetTable {
    /// The dataset of that ID in a snapshot.
    ///
    /// # Errors
    /// There is none; a damaged run.
    pub fn new(snapshot: &Snapshot, dataset: &str) -> Result<Self> {
        let rows = DatasetRows::new(snapshot, dataset).map_err(external)?;
        Ok(Self {
            name: dataset.to_owned(),
            rows,
        })
    }
}

impl fmt::Debug for DatasetTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatasetTable")
            .field("dataset", &self.name)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for DatasetTable {
    fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all = || (0..self.rows.schema().fields().len()).collect();
        let columns: Vec<usize> = projection.cloned().unwrap_or_else(all);
        let schema = Arc::new(self.rows.schema().project(&columns)?);
        let parts = DatasetParts {
            ranges: split(self.rows.parts(), state.config().target_partitions()),
            table: self.clone(),
            columns,
        };
        Ok(PartsExec::plan(Arc::new(parts), schema, limit))
    }
}

/// Ranges of neighbours, of as nearly the same length as can be; one, and empty, where there is nothing.
pub(crate) fn split(count: usize, most: usize) -> Vec<Range<usize>> {
    let ranges = most.min(count).max(1);
    let at = |i: usize| count * i / ranges;
    (0..ranges).map(|i| at(i)..at(i + 1)).collect()
}

#[derive(Debug)]
struct DatasetParts {
    table: DatasetTable,
    columns: Vec<usize>,
    ranges: Vec<Range<usize>>,
}

impl fmt::Display for DatasetParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = self.table.rows.schema();
        let names = self
            .columns
            .iter()
            .map(|i| schema.field(*i).name().as_str());
        let names: Vec<&str> = names.collect();
        write!(
            f,
            "DatasetTable: dataset={}, columns=[{}], partitions={}",
            self.table.name,
            names.join(", "),
            self.ranges.len()
        )
    }
}

impl Parts for DatasetParts {
    fn count(&self) -> usize {
        self.ranges.len()
    }

    fn rows(&self, number: usize) -> Box<dyn Iterator<Item = Result<RecordBatch>> + '_> {
        let parts = self.ranges[number].clone();
        Box::new(parts.map(|part| {
            let rows = self.table.rows.part(part, &self.columns);
            rows.map_err(external)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn ranges_are_all_there_is() {
        let ends = |count, most| -> Vec<(usize, usize)> {
            let ranges = split(count, most).into_iter();
            ranges.map(|range| (range.start, range.end)).collect()
        };
        assert_eq!(ends(5, 2), [(0, 2), (2, 5)]);
        assert_eq!(ends(1, 4), [(0, 1)]);
        assert_eq!(ends(0, 4), [(0, 0)]);
    }
}
