//! The records of a dataset.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use profile_export::export::{BlockCache, DatasetRows, FoundRecords, Snapshot, TimeRange};
use profile_export::xdm::Timestamp;

use crate::error::external;
use crate::exec::{Parts, PartsExec};
use crate::identities::{fewer, identities_of};
use crate::look_ups::{Identities, aside, blocks};
use crate::times::time_of;
use crate::told::{inexact, names};

/// Records that are looked up, at the most: more are read as all are.
const FEW: usize = 10_000;

/// The records of one dataset as they came in: its events, or those of its fragments that no later one replaced.
#[derive(Clone)]
pub struct DatasetTable {
    name: String,
    rows: DatasetRows,
    blocks: Arc<BlockCache>,
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
            blocks: blocks(),
        })
    }

    /// The same, which shares with others the room for what look-ups keep.
    #[must_use]
    pub fn sharing(self, blocks: &Arc<BlockCache>) -> Self {
        Self {
            blocks: Arc::clone(blocks),
            ..self
        }
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

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let schema = self.schema();
        let is_known =
            |filter: &Expr| identities_of(filter).is_some() || time_of(filter, &schema).is_some();
        Ok(inexact(filters, is_known))
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all = || (0..self.rows.schema().fields().len()).collect();
        let columns: Vec<usize> = projection.cloned().unwrap_or_else(all);
        let schema = Arc::new(self.rows.schema().project(&columns)?);
        let identities = filters.iter().map(identities_of).fold(None, fewer);
        if let Some(identities) = identities.map(Identities) {
            let (rows, wanted) = (self.rows.clone(), identities.clone());
            let found = aside(move || rows.naming(&wanted.0).map_err(external)).await?;
            if found.len() <= FEW {
                let found = Found {
                    table: self.clone(),
                    columns,
                    identities,
                    found,
                };
                return Ok(PartsExec::plan(Arc::new(found), schema, limit));
            }
        }
        let own = self.schema();
        let times = filters.iter().filter_map(|filter| time_of(filter, &own));
        let parts = DatasetParts {
            ranges: split(self.rows.parts(), state.config().target_partitions()),
            table: self.clone(),
            columns,
            times: times.collect(),
        };
        Ok(PartsExec::plan(Arc::new(parts), schema, limit))
    }
}

impl DatasetTable {
    /// What is asked of it.
    fn told(&self, f: &mut fmt::Formatter<'_>, columns: &[usize]) -> fmt::Result {
        let schema = self.rows.schema();
        let columns = columns.iter().map(|i| &schema.fields()[*i]);
        write!(
            f,
            "DatasetTable: dataset={}, columns=[{}]",
            self.name,
            names(columns)
        )
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
    times: Vec<TimeRange>,
    ranges: Vec<Range<usize>>,
}

impl fmt::Display for DatasetParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table.told(f, &self.columns)?;
        let schema = self.table.rows.schema();
        for time in &self.times {
            let name = schema.field(time.column).name();
            let end = |micros: i64, open: i64| match micros == open {
                true => String::new(),
                false => Timestamp::from_micros(micros).to_string(),
            };
            let (first, last) = (end(time.first, i64::MIN), end(time.last, i64::MAX));
            write!(f, ", {name}=[{first}..{last}]")?;
        }
        write!(f, ", partitions={}", self.ranges.len())
    }
}

impl Parts for DatasetParts {
    fn count(&self) -> usize {
        self.ranges.len()
    }

    fn rows(&self, number: usize) -> Box<dyn Iterator<Item = Result<RecordBatch>> + '_> {
        let parts = self.ranges[number].clone();
        Box::new(parts.map(|part| {
            let rows = self.table.rows.part(part, &self.columns, &self.times);
            rows.map_err(external)
        }))
    }
}

/// Records that were looked up.
#[derive(Debug)]
struct Found {
    table: DatasetTable,
    columns: Vec<usize>,
    identities: Identities,
    found: FoundRecords,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table.told(f, &self.columns)?;
        write!(
            f,
            ", identities={}, records={}",
            self.identities,
            self.found.len()
        )
    }
}

impl Parts for Found {
    fn count(&self) -> usize {
        1
    }

    fn rows(&self, _: usize) -> Box<dyn Iterator<Item = Result<RecordBatch>> + '_> {
        let DatasetTable { rows, blocks, .. } = &self.table;
        let found = rows.records_at(&self.found, &self.columns, blocks);
        Box::new(found.map(|rows| rows.map_err(external)))
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
