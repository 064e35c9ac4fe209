//! The memory of sessions: what their statements take, and what is kept from one to the next, such as temporary tables,
//! statements that clients prepare, and open runs.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array as _, ArrayData, RecordBatch};
use arrow::buffer::Buffer;
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryPool, MemoryReservation,
};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SendableRecordBatchStream, SessionStateBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures_util::StreamExt as _;
use tokio::task::JoinSet;

use crate::cooperative::Cooperate;
use crate::dialect::{Code, Error};
use crate::exploded::Exploded;
use crate::kept::Kept;

/// Memory and room for temporary files that sessions share, and what one reads of a store as long as that stays as it is.
#[derive(Clone)]
pub struct Memory {
    runtime: Arc<RuntimeEnv>,
    kept: Arc<Kept>,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("runtime", &self.runtime)
            .finish_non_exhaustive()
    }
}

impl Memory {
    /// So many bytes, for sorts, joins and groups; what does not fit goes to temporary files.
    ///
    /// # Errors
    /// There is no place for temporary files.
    pub fn new(bytes: usize) -> Result<Self, Error> {
        let pool = FairSpillPool::new(bytes);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(pool))
            .build_arc()?;
        Ok(Self {
            runtime,
            kept: Arc::default(),
        })
    }

    /// What is kept of stores.
    pub(crate) fn kept(&self) -> &Arc<Kept> {
        &self.kept
    }

    /// A context whose statements take of this memory, and can be ended whatever they are at.
    #[must_use]
    pub fn context(&self, config: SessionConfig) -> SessionContext {
        let context = SessionContext::new_with_config_rt(config, Arc::clone(&self.runtime));
        let state = SessionStateBuilder::new_from_existing(context.state())
            .with_optimizer_rule(Arc::new(Exploded))
            .with_physical_optimizer_rule(Arc::new(Cooperate))
            .build();
        SessionContext::new_with_state(state)
    }

    /// Memory that is held until it is dropped, of that name in errors.
    ///
    /// # Errors
    /// 53400: there is not so much of it.
    pub fn hold(&self, name: &str, bytes: usize) -> Result<Held, Error> {
        Held::new(name, &self.runtime.memory_pool, bytes)
    }
}

/// Some of the memory of all sessions, until it is dropped.
#[derive(Debug)]
pub struct Held {
    memory: MemoryReservation,
    /// Where the buffers are that are counted already: batches may share them.
    counted: HashSet<usize>,
}

impl Held {
    /// So many bytes of a pool, under that name in errors.
    pub(crate) fn new(name: &str, pool: &Arc<dyn MemoryPool>, bytes: usize) -> Result<Self, Error> {
        let held = Self {
            memory: MemoryConsumer::new(name).register(pool),
            counted: HashSet::new(),
        };
        held.grow(bytes)?;
        Ok(held)
    }

    /// So many bytes more.
    ///
    /// # Errors
    /// 53400: there is not so much memory.
    pub fn grow(&self, bytes: usize) -> Result<(), Error> {
        self.memory.try_grow(bytes).map_err(|_| {
            let name = self.memory.consumer().name();
            let message = format!(
                "{name}: there are no {bytes} bytes left for it in the memory of all sessions"
            );
            Error::new(Code::LimitExceeded, message)
        })
    }

    /// So many bytes less.
    pub fn shrink(&self, bytes: usize) {
        self.memory.shrink(bytes);
    }

    /// All rows of these partitions, each made on its own.
    pub(crate) async fn of(
        self,
        partitions: Vec<SendableRecordBatchStream>,
    ) -> Result<(Vec<Vec<RecordBatch>>, Self), Error> {
        let held = Arc::new(Mutex::new(self));
        let mut tasks = JoinSet::new();
        let count = partitions.len();
        for (number, mut rows) in partitions.into_iter().enumerate() {
            let held = Arc::clone(&held);
            tasks.spawn(async move {
                let mut all = Vec::new();
                while let Some(batch) = rows.next().await {
                    let batch = batch?;
                    held.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .keep(&batch)?;
                    all.push(batch);
                }
                Ok::<_, Error>((number, all))
            });
        }
        let mut all = vec![Vec::new(); count];
        while let Some(done) = tasks.join_next().await {
            let done = done.map_err(|panic| Error::new(Code::System, panic.to_string()))?;
            let (number, rows) = done?;
            all[number] = rows;
        }
        let held = Arc::into_inner(held).ok_or_else(|| {
            Error::new(Code::System, "rows are still being made that all have come")
        })?;
        let held = held.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok((all, held))
    }

    /// Rows more, with all the buffers that they keep from being freed.
    pub(crate) fn keep(&mut self, rows: &RecordBatch) -> Result<(), Error> {
        let columns = rows.columns().iter();
        let bytes = columns
            .map(|column| self.new_bytes(&column.to_data()))
            .sum();
        self.grow(bytes)
    }

    fn new_bytes(&mut self, data: &ArrayData) -> usize {
        let mut count = |buffer: &Buffer| {
            let is_new = self.counted.insert(buffer.data_ptr().as_ptr().addr());
            if is_new { buffer.capacity() } else { 0 }
        };
        let own: usize = data.buffers().iter().map(&mut count).sum();
        let nulls = data.nulls().map_or(0, |nulls| count(nulls.buffer()));
        let children = data.child_data().iter();
        own + nulls + children.map(|child| self.new_bytes(child)).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use profile_export::store::{Scope, Store};

    use crate::dialect::{Code, Error};
    use crate::{Memory, Options, Session};

    async fn run(session: &Session, text: &str) -> Result<(), Error> {
        for statement in session.parse(text)? {
            session.run(&statement).await?;
        }
        Ok(())
    }

    #[tokio::test]
    async fn temporary_tables_take_of_the_memory_of_all_sessions_until_they_are_dropped() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), Scope::default()).expect("a store");
        let store = Arc::new(store);
        let memory = Memory::new(24 << 20).expect("memory");
        let session = || Session::sharing(Arc::clone(&store), &Options::default(), &memory);
        let (one, other) = (session(), session());
        let make = |name: &str| {
            format!(
                "CREATE TEMP TABLE {name} AS SELECT explode(split(repeat('0123456789 ', 100000), ' ')) AS n"
            )
        };
        run(&one, &make("a")).await.expect("room for one");
        let all: Vec<String> = (0..20).map(|one| make(&format!("t{one}"))).collect();
        let error = run(&other, &all.join("; ")).await;
        let error = error.expect_err("no room for twenty");
        assert_eq!(error.code, Code::LimitExceeded, "{error}");
        run(&one, "DROP TABLE a").await.expect("dropped");
        drop(other);
        for _ in 0..20 {
            run(&one, &make("a")).await.expect("room again");
            run(&one, "DROP TABLE a").await.expect("dropped");
        }
    }

    #[tokio::test]
    async fn rows_that_share_their_buffers_are_counted_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), Scope::default()).expect("a store");
        let memory = Memory::new(24 << 20).expect("memory");
        let session = Session::sharing(Arc::new(store), &Options::default(), &memory);
        let make =
            "CREATE TEMP TABLE a AS SELECT explode(split(repeat('0123456789 ', 100000), ' ')) AS n";
        run(&session, make).await.expect("a table");
        for name in ["b", "c"] {
            let copy = format!("CREATE TEMP TABLE {name} AS SELECT n FROM a");
            run(&session, &copy).await.expect("a copy");
        }
    }
}
