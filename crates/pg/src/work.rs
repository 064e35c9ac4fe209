//! Work on other threads than those that move bytes.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::refusal::{INTERNAL, Problem, Refusal};

/// Batches that are made ahead of who sends them.
const AHEAD: usize = 2;

/// A panic within a statement.
#[derive(Debug, thiserror::Error)]
#[error("the statement broke off; this is a mistake of the program")]
pub(crate) struct BrokenOff;

impl From<BrokenOff> for Problem {
    fn from(broken: BrokenOff) -> Self {
        Refusal::new(INTERNAL, broken.to_string()).into()
    }
}

/// Does work there; it is given up when nobody waits for it any more.
///
/// # Errors
///
/// That of the work.
pub(crate) async fn at_work<T: Send + 'static>(
    on: &Handle,
    work: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    let mut tasks = JoinSet::new();
    tasks.spawn_on(work, on);
    match tasks.join_next().await {
        Some(Ok(done)) => done,
        Some(Err(panic)) => {
            tracing::error!(%panic, "a statement broke off; this is a mistake of the program");
            Err(BrokenOff.into())
        }
        None => Err(Refusal::new(INTERNAL, "the statement was never at work").into()),
    }
}

/// Rows that are made there, as far ahead as somebody takes them.
pub(crate) fn made_there(
    on: &Handle,
    mut rows: SendableRecordBatchStream,
) -> SendableRecordBatchStream {
    let schema = Arc::clone(&rows.schema());
    let mut stream = RecordBatchReceiverStream::builder(schema, AHEAD);
    let sender = stream.tx();
    let make = async move {
        loop {
            // A stream that broke off is not asked again.
            let batch = AssertUnwindSafe(rows.next()).catch_unwind().await;
            let (batch, is_last) = match batch {
                Ok(None) => break,
                Ok(Some(batch)) => (batch, false),
                Err(_) => {
                    tracing::error!("rows broke off; this is a mistake of the program");
                    (Err(DataFusionError::External(Box::new(BrokenOff))), true)
                }
            };
            // Nobody may want them any more.
            if sender.send(batch).await.is_err() || is_last {
                break;
            }
        }
        Ok(())
    };
    stream.spawn_on(make, on);
    stream.build()
}

#[cfg(test)]
mod tests {
    use arrow::array::RecordBatch;
    use arrow::datatypes::Schema;
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

    use super::*;

    #[tokio::test]
    async fn who_takes_rows_is_told_that_they_broke_off() {
        let schema = Arc::new(Schema::empty());
        let one = RecordBatch::new_empty(Arc::clone(&schema));
        let mut made = 0;
        let rows = futures_util::stream::poll_fn(move |_| {
            made += 1;
            assert!(made < 2, "as a mistake would");
            std::task::Poll::Ready(Some(Ok(one.clone())))
        });
        let rows = Box::pin(RecordBatchStreamAdapter::new(schema, rows));
        let mut rows = made_there(&Handle::current(), rows);
        rows.next().await.expect("a batch").expect("rows");
        let error = rows.next().await.expect("an end").expect_err("a mistake");
        let Problem::Refused(refusal) = Problem::from(error) else {
            panic!("the session ends");
        };
        assert_eq!(refusal.code, INTERNAL);
        assert!(rows.next().await.is_none());
    }
}
