//! What jobs wrote: the Parquet files of batches.

use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{Fields, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use gather::{Column, RowRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};

use crate::dataset::split;
use crate::error::external;
use crate::exec::{Parts, PartsExec};
use crate::told::names;
use crate::united::united_fields;

/// The rows of batches, oldest batch first as they were given.
///
/// Files of different jobs may have different fields: a row has null where its file lacks one, and of two types the
/// wider one.
#[derive(Clone)]
pub struct BatchTable {
    schema: SchemaRef,
    groups: Arc<[RowGroup]>,
}

/// One row group of a file.
#[derive(Clone)]
struct RowGroup {
    path: Arc<PathBuf>,
    metadata: ArrowReaderMetadata,
    number: usize,
}

impl BatchTable {
    /// The rows of the Parquet files of batches. Of each its metadata is read, at its end.
    ///
    /// # Errors
    /// A file that is missing or no Parquet; two types of a field that nothing holds both of.
    pub fn new(files: &[PathBuf]) -> Result<Self> {
        Self::with_fields(Fields::empty(), files)
    }

    /// The same for batches of something that has fields of its own, whether there are files or not.
    ///
    /// # Errors
    /// As for [`BatchTable::new`].
    pub fn with_fields(mut fields: Fields, files: &[PathBuf]) -> Result<Self> {
        let mut groups = Vec::new();
        for path in files {
            let metadata = metadata_of(path)?;
            fields = united_fields(&fields, metadata.schema().fields())
                .map_err(|problem| told(path, &problem))?;
            let path = Arc::new(path.clone());
            let numbers = 0..metadata.metadata().num_row_groups();
            groups.extend(numbers.map(|number| RowGroup {
                path: Arc::clone(&path),
                metadata: metadata.clone(),
                number,
            }));
        }
        Ok(Self {
            schema: Arc::new(Schema::new(fields)),
            groups: groups.into(),
        })
    }
}

fn told(path: &std::path::Path, problem: &str) -> DataFusionError {
    DataFusionError::Execution(format!("{}: {problem}", path.display()))
}

fn metadata_of(path: &std::path::Path) -> Result<ArrowReaderMetadata> {
    let file = File::open(path).map_err(|error| told(path, &error.to_string()))?;
    ArrowReaderMetadata::load(&file, Default::default())
        .map_err(|error| told(path, &error.to_string()))
}

impl fmt::Debug for BatchTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchTable")
            .field("row groups", &self.groups.len())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for BatchTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
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
        let schema = match projection {
            Some(columns) => Arc::new(self.schema.project(columns)?),
            None => self.schema.clone(),
        };
        let parts = BatchParts {
            ranges: split(self.groups.len(), state.config().target_partitions()),
            groups: Arc::clone(&self.groups),
            schema: schema.clone(),
        };
        Ok(PartsExec::plan(Arc::new(parts), schema, limit))
    }
}

struct BatchParts {
    groups: Arc<[RowGroup]>,
    ranges: Vec<Range<usize>>,
    schema: SchemaRef,
}

impl fmt::Debug for BatchParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for BatchParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "BatchTable: columns=[{}], row groups={}, partitions={}",
            names(self.schema.fields()),
            self.groups.len(),
            self.ranges.len()
        )
    }
}

impl Parts for BatchParts {
    fn count(&self) -> usize {
        self.ranges.len()
    }

    fn rows(&self, number: usize) -> Box<dyn Iterator<Item = Result<RecordBatch>> + '_> {
        let groups = &self.groups[self.ranges[number].clone()];
        Box::new(groups.iter().flat_map(|group| match self.read(group) {
            Ok(rows) => rows,
            Err(error) => Box::new(std::iter::once(Err(error))),
        }))
    }
}

type Rows<'a> = Box<dyn Iterator<Item = Result<RecordBatch>> + 'a>;

impl BatchParts {
    fn read(&self, group: &RowGroup) -> Result<Rows<'_>> {
        let file =
            File::open(&*group.path).map_err(|error| told(&group.path, &error.to_string()))?;
        let builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, group.metadata.clone());
        let own = builder.schema().fields().iter().enumerate();
        let wanted = own.filter(|(_, field)| self.schema.index_of(field.name()).is_ok());
        let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.map(|(i, _)| i));
        let builder = builder
            .with_projection(mask)
            .with_row_groups(vec![group.number]);
        let path = Arc::clone(&group.path);
        let rows = builder.build().map_err(external)?;
        Ok(Box::new(rows.map(move |rows| {
            let rows = rows.map_err(|error| told(&path, &error.to_string()))?;
            self.as_table(&rows)
        })))
    }

    /// A file's rows with the table's columns and types.
    fn as_table(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let columns = self.schema.fields().iter().map(|field| {
            let ty = field.data_type();
            match rows.column_by_name(field.name()) {
                None => Ok(new_null_array(ty, rows.num_rows())),
                Some(column) if column.data_type() == ty => Ok(column.clone()),
                Some(column) => {
                    let column = Column::new(ty, &[Some(column.clone())])?;
                    let all = (0..rows.num_rows() as u32).map(|row| RowRef::new(0, row));
                    let column = column.interleave(&all.collect::<Vec<_>>())?;
                    match column.data_type() == ty {
                        true => Ok(column),
                        false => Ok(arrow::compute::cast(&column, ty)?),
                    }
                }
            }
        });
        let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        Ok(RecordBatch::try_new_with_options(
            self.schema.clone(),
            columns,
            &options,
        )?)
    }
}
