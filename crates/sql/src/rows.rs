//! The rows of a query on their way into the store.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use datafusion::execution::SendableRecordBatchStream;
use futures_util::StreamExt;
use futures_util::stream::{AbortHandle, Abortable, abortable};
use tokio::runtime::Handle;

use crate::dialect::{Code, Error};
use crate::shape::Shape;

/// A query's rows for a thread that waits for them.
pub(crate) struct QueryRows {
    rows: Abortable<SendableRecordBatchStream>,
    shape: Shape,
    /// How many rows have come.
    count: u64,
    runtime: Handle,
    failure: Failure,
}

/// Why there are no more rows, where that is an error of the query's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failure(Arc<Mutex<Option<Error>>>);

impl Failure {
    pub(crate) fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note(&self, error: Error) -> ArrowError {
        let text = error.to_string();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        ArrowError::ComputeError(text)
    }
}

impl QueryRows {
    /// The rows, and what ends them before their end.
    pub(crate) fn new(
        rows: SendableRecordBatchStream,
        shape: Shape,
        failure: Failure,
    ) -> (Self, AbortHandle) {
        let (rows, abort) = abortable(rows);
        let all = Self {
            rows,
            shape,
            count: 0,
            runtime: Handle::current(),
            failure,
        };
        (all, abort)
    }
}

impl Iterator for QueryRows {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rows = match self.runtime.block_on(self.rows.next()) {
            Some(Ok(rows)) => rows,
            Some(Err(error)) => return Some(Err(self.failure.note(error.into()))),
            // Some of a query's rows are none of it.
            None if self.rows.is_aborted() => {
                let error = Error::new(Code::Cancelled, "the statement was given up");
                return Some(Err(self.failure.note(error)));
            }
            None => return None,
        };
        let shaped = self.shape.apply(&rows, self.count);
        self.count += rows.num_rows() as u64;
        Some(shaped.map_err(|error| self.failure.note(error)))
    }
}

impl RecordBatchReader for QueryRows {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.shape.schema)
    }
}
