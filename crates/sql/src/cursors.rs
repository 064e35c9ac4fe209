//! Cursors: queries whose rows are fetched piece by piece.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures_util::lock::Mutex;
use futures_util::{StreamExt, stream};

use crate::dialect::{Code, Error};

/// How many cursors a session may have open: each keeps what its query needs while it runs.
const MOST: usize = 20;

/// The cursors of a session, by name.
#[derive(Default)]
pub(crate) struct Cursors(BTreeMap<String, Cursor>);

struct Cursor {
    schema: SchemaRef,
    rows: Arc<Mutex<Rows>>,
}

/// What of a query's rows was not fetched yet.
struct Rows {
    rest: SendableRecordBatchStream,
    /// Of a batch that was fetched in part.
    begun: Option<RecordBatch>,
}

impl Cursors {
    /// Whether one of that name can be opened.
    pub(crate) fn check_free(&self, name: &str) -> Result<(), Error> {
        if self.0.contains_key(name) {
            let message = format!("there is a cursor {name:?} already; CLOSE ends it");
            return Err(Error::new(Code::DuplicateCursor, message));
        }
        if self.0.len() >= MOST {
            let message = format!("a session has {MOST} open cursors at the most; CLOSE ends one");
            return Err(Error::new(Code::LimitExceeded, message));
        }
        Ok(())
    }

    pub(crate) fn open(
        &mut self,
        name: &str,
        rest: SendableRecordBatchStream,
    ) -> Result<(), Error> {
        self.check_free(name)?;
        let cursor = Cursor {
            schema: rest.schema(),
            rows: Arc::new(Mutex::new(Rows { rest, begun: None })),
        };
        self.0.insert(name.to_owned(), cursor);
        Ok(())
    }

    /// The columns of a cursor's rows.
    pub(crate) fn schema(&self, name: &str) -> Result<SchemaRef, Error> {
        let cursor = self.0.get(name).ok_or_else(|| unknown(name))?;
        Ok(Arc::clone(&cursor.schema))
    }

    /// The next rows, so many at the most; all where nothing is said. They are made as they are read.
    pub(crate) fn fetch(
        &self,
        name: &str,
        rows: Option<u64>,
    ) -> Result<SendableRecordBatchStream, Error> {
        let cursor = self.0.get(name).ok_or_else(|| unknown(name))?;
        let Some(own) = Arc::clone(&cursor.rows).try_lock_owned() else {
            let message = format!("rows of the cursor {name:?} are still being fetched");
            return Err(Error::new(Code::WrongState, message));
        };
        let left = rows.unwrap_or(u64::MAX);
        let rows = stream::unfold((own, left), |(mut own, left)| async move {
            let next = own.next(left).await?;
            let taken = next.as_ref().map_or(left, |rows| rows.num_rows() as u64);
            Some((next, (own, left - taken)))
        });
        let schema = Arc::clone(&cursor.schema);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }

    /// Ends a cursor; all of them where none is named.
    pub(crate) fn close(&mut self, name: Option<&str>) -> Result<(), Error> {
        match name {
            None => self.0.clear(),
            Some(name) => drop(self.0.remove(name).ok_or_else(|| unknown(name))?),
        }
        Ok(())
    }
}

fn unknown(name: &str) -> Error {
    Error::new(
        Code::UndefinedCursor,
        format!("there is no cursor {name:?}"),
    )
}

impl Rows {
    /// Some of the next rows, `left` at the most; `None` where there is none, or none is wanted. What fails once has no rows
    /// any more.
    async fn next(&mut self, left: u64) -> Option<DataFusionResult<RecordBatch>> {
        if left == 0 {
            return None;
        }
        let mut rows = match self.begun.take() {
            Some(begun) => begun,
            None => loop {
                match self.rest.next().await? {
                    Ok(rows) if rows.num_rows() == 0 => {}
                    Ok(rows) => break rows,
                    Err(error) => return Some(Err(error)),
                }
            },
        };
        let wanted = usize::try_from(left).unwrap_or(usize::MAX);
        if rows.num_rows() > wanted {
            self.begun = Some(rows.slice(wanted, rows.num_rows() - wanted));
            rows = rows.slice(0, wanted);
        }
        Some(Ok(rows))
    }
}
