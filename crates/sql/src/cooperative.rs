//! Statements that can be ended whatever they are at.

use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode as _, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures_util::StreamExt as _;

/// How long rows are made before others have their turn.
const TURN: Duration = Duration::from_millis(10);

/// DataFusion lets others have their turn where it reads tables. A join or an `explode` makes many rows of few that it
/// read, and what takes none of them would not come to a place where the statement can be ended: so the rows that go
/// into such and come out of them are places, too.
#[derive(Debug)]
pub(crate) struct Cooperate;

impl PhysicalOptimizerRule for Cooperate {
    fn name(&self) -> &'static str {
        "cooperate"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = plan.transform_up(|plan| {
            if !plan.name().ends_with("JoinExec") && plan.name() != "UnnestExec" {
                return Ok(Transformed::no(plan));
            }
            let inputs = plan.children().into_iter().cloned().map(turns).collect();
            let plan = plan.replace_children(
                inputs,
                ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
            )?;
            Ok(Transformed::yes(turns(plan)))
        });
        Ok(plan?.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn turns(input: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    Arc::new(TurnsExec { input })
}

/// Rows as they come, with turns for others between them.
#[derive(Debug)]
struct TurnsExec {
    input: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for TurnsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TurnsExec")
    }
}

impl ExecutionPlan for TurnsExec {
    fn name(&self) -> &'static str {
        "TurnsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
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
        of_one(children)
    }

    // The trait still asks for it, beside what replaces it.
    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        of_one(children)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let mut rows = self.input.execute(partition, context)?;
        let schema = rows.schema();
        let mut begun = Instant::now();
        let rows = futures_util::stream::poll_fn(move |context| {
            if begun.elapsed() >= TURN {
                begun = Instant::now();
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            rows.poll_next_unpin(context)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}

fn of_one(children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
    match <[_; 1]>::try_from(children) {
        Ok([input]) => Ok(turns(input)),
        Err(_) => Err(DataFusionError::Internal(
            "turns are of one input".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use futures_util::StreamExt as _;
    use profile_export::store::{Scope, Store};

    use crate::{Options, Outcome, Session};

    #[tokio::test]
    async fn a_join_that_gives_no_row_can_be_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), Scope::default()).expect("a store");
        let session = Session::new(Arc::new(store), &Options::default()).expect("a session");
        let all = "SELECT count(*) FROM t a, t b, t c, t d, t e WHERE concat(a.n, b.n, c.n, d.n, e.n) = 'x'";
        let text = format!(
            "CREATE TEMP TABLE t AS SELECT explode(split(repeat('x ', 200), ' ')) AS n; {all}"
        );
        let statements = session.parse(&text).expect("statements");
        session.run(&statements[0]).await.expect("a table");
        let begun = Instant::now();
        let run = async {
            match session.run(&statements[1]).await.expect("rows") {
                Outcome::Rows(mut rows) => rows.next().await,
                Outcome::Done(_) | Outcome::Written(_) => None,
            }
        };
        let ended = tokio::time::timeout(Duration::from_millis(200), run).await;
        assert!(ended.is_err(), "it is too short for this test");
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{:?}",
            begun.elapsed()
        );
    }
}
