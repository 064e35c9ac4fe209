//! Statements of the server's query service.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use profile_export::export::Progress;
use profile_export::platform::TableNames;
use profile_export::queries::{
    QueryDid, QueryEnd, QueryOutcome, QueryProblem, QueryTarget, QueryWork,
};
use profile_export::store::Store;
use server::SqlRunner;
use sql::dialect::{Code, Error, Query, Statement};
use sql::{NewDataset, Options, Outcome, Session, Written};
use tokio::runtime::Runtime;

use super::work::unless_stopped;
use crate::failure::Failure;
use crate::message::tell;
use crate::threads;

/// Runs each query in a session of its own, on threads that no request waits for.
#[derive(Debug)]
pub struct QueryRunner {
    options: Options,
    /// How long a query may run.
    limit: Duration,
    /// There until it is dropped.
    runtime: Option<Runtime>,
}

impl QueryRunner {
    /// Statements run on so many threads each, and a query so long.
    pub fn new(partitions: Option<usize>, limit: Duration) -> Result<Self, Failure> {
        let options = Options {
            partitions,
            ..Options::default()
        };
        Ok(Self {
            options,
            limit,
            runtime: Some(threads::runtime()?),
        })
    }
}

impl Drop for QueryRunner {
    fn drop(&mut self) {
        // What a server leaves behind is not waited for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl SqlRunner for QueryRunner {
    fn run(&self, store: &Arc<Store>, work: &QueryWork, progress: &Progress) -> QueryEnd {
        let Some(runtime) = &self.runtime else {
            return QueryEnd::stopped();
        };
        let session = match Session::new(Arc::clone(store), &self.options) {
            Ok(session) => session,
            Err(error) => return QueryEnd::failed(problem(&error)),
        };
        let (mut did, mut late, begun) = (QueryDid::default(), false, Instant::now());
        let is_to_stop = || {
            if !progress.is_cancelled() && begun.elapsed() >= self.limit {
                late = true;
                progress.cancel();
            }
            progress.is_cancelled()
        };
        let all = all(store, &session, work, progress, &mut did);
        let done = runtime.block_on(unless_stopped(&session, is_to_stop, all));
        let done = done.unwrap_or_else(|| Err(given_up()));
        let how = match done {
            Ok(()) => QueryOutcome::Done,
            Err(error) if error.code == Code::Cancelled && late => {
                QueryOutcome::Failed(problem(&too_long(self.limit)))
            }
            Err(error) if error.code == Code::Cancelled && progress.is_cancelled() => {
                QueryOutcome::Stopped
            }
            Err(error) => QueryOutcome::Failed(problem(&error)),
        };
        QueryEnd { how, did }
    }
}

fn given_up() -> Error {
    Error::new(Code::Cancelled, "the query was given up")
}

fn too_long(limit: Duration) -> Error {
    let message = format!(
        "the query ran {} seconds, which is as long as this server lets one run (serve --query-timeout)",
        limit.as_secs()
    );
    Error::new(Code::LimitExceeded, message)
}

fn note(did: &mut QueryDid, written: Written) {
    did.rows = written.rows;
    did.made |= written.is_new;
    did.added |= !written.is_new;
    did.dataset = Some(written.dataset);
}

/// Runs all statements, one after the other; of rows, those count that the last one gave or wrote.
async fn all(
    store: &Arc<Store>,
    session: &Session,
    work: &QueryWork,
    progress: &Progress,
    did: &mut QueryDid,
) -> Result<(), Error> {
    let statements = session.parse(&work.sql)?;
    let Some((last, before)) = statements.split_last() else {
        return Err(Error::new(Code::Syntax, "found no statement"));
    };
    for statement in before {
        run(session, statement, did).await?;
        // One that wrote could not be stopped any more.
        if progress.is_cancelled() {
            return Err(given_up());
        }
    }
    match &work.target {
        QueryTarget::Nothing => run(session, last, did).await?,
        QueryTarget::New(new) => {
            let made = NewDataset {
                name: &new.dataset_name,
                description: new.description.as_deref(),
                schema: new.target_schema_title.as_deref(),
            };
            note(did, session.create_dataset(&made, query(last)?).await?);
        }
        QueryTarget::Dataset(id) => {
            let insert = Statement::Insert {
                table: table(store, id)?,
                columns: Vec::new(),
                query: query(last)?.clone(),
            };
            run(session, &insert, did).await?;
        }
    }
    Ok(())
}

async fn run(session: &Session, statement: &Statement, did: &mut QueryDid) -> Result<(), Error> {
    did.rows = 0;
    match session.run(statement).await? {
        Outcome::Done(_) => {}
        Outcome::Written(written) => note(did, written),
        Outcome::Rows(mut rows) => {
            while let Some(rows) = rows.next().await {
                did.rows += rows?.num_rows() as u64;
                // Rows that are there at once must not keep whoever ends the query from it.
                tokio::task::yield_now().await;
            }
        }
    }
    Ok(())
}

fn query(statement: &Statement) -> Result<&Query, Error> {
    match statement {
        Statement::Query(query) => Ok(query),
        _ => Err(Error::new(
            Code::Syntax,
            "the statement whose rows are written into a dataset is a query",
        )),
    }
}

/// The table of a dataset.
fn table(store: &Store, id: &str) -> Result<String, Error> {
    let failed = |error: &dyn std::fmt::Display| Error::new(Code::System, error.to_string());
    let datasets = store.catalog().datasets().map_err(|error| failed(&error))?;
    let found = datasets.iter().find(|dataset| dataset.id == id);
    match found {
        Some(found) => Ok(TableNames::of(&datasets).of_dataset(found).to_lowercase()),
        None => Err(Error::new(
            Code::UndefinedTable,
            format!("there is no dataset {id}"),
        )),
    }
}

/// What clients are told: what went wrong in the system may name files of the machine, and is for its log.
fn problem(error: &Error) -> QueryProblem {
    if error.code == Code::System {
        tell(&format!("a query failed: {}", error.message));
        let told = "the server could not do this; its log says why";
        return QueryProblem::new(error.code.sqlstate(), told);
    }
    QueryProblem::new(error.code.sqlstate(), error.with_place())
}

#[cfg(test)]
mod tests {
    use profile_export::store::Scope;

    use super::*;

    /// So many rows.
    fn many(count: usize) -> String {
        format!(
            "SELECT pos AS n FROM (SELECT posexplode(split(repeat('x,', {}), ',')))",
            count - 1
        )
    }

    fn runner(limit: Duration) -> QueryRunner {
        match QueryRunner::new(Some(1), limit) {
            Ok(runner) => runner,
            Err(_) => panic!("no threads"),
        }
    }

    fn work(sql: &str) -> QueryWork {
        QueryWork {
            sql: sql.to_owned(),
            target: QueryTarget::Nothing,
        }
    }

    fn tables(store: &Store) -> Vec<String> {
        let datasets = store.catalog().datasets().expect("datasets");
        datasets.into_iter().map(|dataset| dataset.name).collect()
    }

    /// Whenever it is cancelled: what it says of what it wrote is so.
    #[test]
    fn a_query_that_is_cancelled_says_whether_it_has_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Arc::new(Store::open(folder.path(), Scope::default()).expect("a store"));
        let runner = runner(Duration::from_secs(600));
        for moment in 0..12 {
            let name = format!("t{moment}");
            let sql = work(&format!(
                "CREATE TABLE {name} AS {}; SELECT 1 AS n",
                many(90_000)
            ));
            let progress = Progress::default();
            let end = std::thread::scope(|scope| {
                scope.spawn(|| {
                    std::thread::sleep(Duration::from_millis(moment * 30));
                    progress.cancel();
                });
                runner.run(&store, &sql, &progress)
            });
            // What goes on behind it would have an end, too.
            std::thread::sleep(Duration::from_millis(200));
            assert_eq!(end.did.made, tables(&store).contains(&name), "{end:?}");
        }
    }

    #[test]
    fn a_query_that_runs_too_long_is_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Arc::new(Store::open(folder.path(), Scope::default()).expect("a store"));
        let many = many(50_000);
        let slow = format!("SELECT a.n AS n FROM ({many}) a CROSS JOIN ({many}) b");
        for sql in [slow.clone(), format!("CREATE TABLE t AS {slow}")] {
            let end =
                runner(Duration::from_millis(100)).run(&store, &work(&sql), &Progress::default());
            match end.how {
                QueryOutcome::Failed(problem) => assert_eq!(problem.code, "53400"),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(tables(&store), [""; 0]);
    }

    #[test]
    fn what_the_last_statement_gave_is_counted_and_what_all_wrote_is_known() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Arc::new(Store::open(folder.path(), Scope::default()).expect("a store"));
        let runner = runner(Duration::from_secs(600));
        let run = |sql: &str| runner.run(&store, &work(sql), &Progress::default());
        let end = run("CREATE TABLE t AS SELECT 1 AS n; INSERT INTO t VALUES (2), (3)");
        assert_eq!((end.did.made, end.did.added, end.did.rows), (true, true, 2));
        let end = run("SELECT * FROM t; SET auto_to_json = true");
        assert_eq!(end.did, QueryDid::default());
        let end = run("INSERT INTO t VALUES (4); SELECT nothing FROM t");
        assert!(matches!(end.how, QueryOutcome::Failed(_)) && end.did.dataset.is_some());
    }
}
