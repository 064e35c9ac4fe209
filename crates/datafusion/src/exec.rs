//! Reading a table: partitions that are made on threads of their own, as far ahead as somebody takes their rows.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{
    Boundedness, EmissionType, ReplaceChildrenOptions, SchedulingType,
};
use datafusion::physical_plan::stream::{RecordBatchReceiverStream, RecordBatchStreamAdapter};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures_util::StreamExt;
use futures_util::stream::once;

/// Batches that are made ahead of who takes them.
const AHEAD: usize = 2;

/// Rows in partitions. What it shows is what `EXPLAIN` says of it.
pub(crate) trait Parts: fmt::Debug + fmt::Display + Send + Sync {
    /// How many there are.
    fn count(&self) -> usize;

    /// The rows of one.
    fn rows(&self, number: usize) -> Box<dyn Iterator<Item = Result<RecordBatch>> + '_>;
}

/// Reads partitions.
#[derive(Debug)]
pub(crate) struct PartsExec {
    parts: Arc<dyn Parts>,
    /// At most so many rows of each are wanted.
    limit: Option<usize>,
    properties: Arc<PlanProperties>,
}

impl PartsExec {
    /// A plan of one node: partitions whose rows have this schema.
    pub(crate) fn plan(
        parts: Arc<dyn Parts>,
        schema: SchemaRef,
        limit: Option<usize>,
    ) -> Arc<dyn ExecutionPlan> {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(parts.count()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        Arc::new(Self {
            parts,
            limit,
            properties: Arc::new(properties),
        })
    }
}

impl DisplayAs for PartsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.parts)?;
        match self.limit {
            Some(limit) => write!(f, ", at most {limit} rows of each partition"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for PartsExec {
    fn name(&self) -> &'static str {
        "PartsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        without_children(self, &children)
    }

    // The trait still asks for it, beside what replaces it.
    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        without_children(self, &children)
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (schema, parts, limit) = (self.schema(), Arc::clone(&self.parts), self.limit);
        // A thread is taken when somebody wants rows: a join that waits for its other side must not hold those that this
        // one needs.
        let rows = once(async move { begun(schema, parts, partition, limit) }).flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}

fn begun(
    schema: SchemaRef,
    parts: Arc<dyn Parts>,
    partition: usize,
    limit: Option<usize>,
) -> SendableRecordBatchStream {
    let mut stream = RecordBatchReceiverStream::builder(schema, AHEAD);
    let sender = stream.tx();
    let mut left = limit.unwrap_or(usize::MAX);
    stream.spawn_blocking(move || {
        for rows in parts.rows(partition) {
            let rows = rows?;
            let rows = rows.slice(0, rows.num_rows().min(left));
            left -= rows.num_rows();
            // Nobody may want them any more.
            if sender.blocking_send(Ok(rows)).is_err() || left == 0 {
                break;
            }
        }
        Ok(())
    });
    stream.build()
}

fn without_children(
    own: Arc<PartsExec>,
    children: &[Arc<dyn ExecutionPlan>],
) -> Result<Arc<dyn ExecutionPlan>> {
    match children {
        [] => Ok(own),
        _ => Err(DataFusionError::Internal(
            "a table's partitions have no plans below them".to_owned(),
        )),
    }
}
