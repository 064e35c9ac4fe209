//! The rows of one batch of an export: streamed to whoever takes Arrow, or taken one record batch after the other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use arrow::array::{RecordBatch as ArrowBatch, RecordBatchReader};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use platform::Error;
use profile_export::export::{Chunks, Export, ExportBatch, Progress, Shard};
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::capsule;
use crate::errors::Result;
use crate::objects::{RecordBatch, Schema};
use crate::work::{Workers, said};

/// How often a stream looks for signals: to ask Python for its lock may take as long as its other threads like.
const LOOK: Duration = Duration::from_millis(100);

/// One pass over a batch's rows.
struct Pass {
    batch: ExportBatch,
    chunks: Option<Chunks>,
}

impl Pass {
    fn new(batch: ExportBatch) -> Self {
        Self {
            batch,
            chunks: None,
        }
    }

    /// The next rows. What comes before the first ones, such as to find who is in a segment, is done here, too.
    fn next(&mut self) -> Result<Option<ArrowBatch>, Error> {
        let chunks = match &mut self.chunks {
            Some(chunks) => chunks,
            None => self.chunks.insert(self.batch.chunks()),
        };
        // Chunks of nobody are an implementation's, and no reader's, business.
        let rows = chunks.find(|rows| !matches!(rows, Ok(rows) if rows.num_rows() == 0));
        Ok(rows.transpose()?)
    }
}

/// The rows of a batch, taken one record batch after the other.
#[pyclass(frozen, module = "profile_export")]
pub(crate) struct Rows {
    workers: Workers,
    watcher: Option<Py<PyAny>>,
    schema: SchemaRef,
    progress: Arc<Progress>,
    /// `None` where they ended, or failed.
    pass: Mutex<Option<Pass>>,
}

impl Rows {
    /// The rows of a shard of the batch with this number.
    pub(crate) fn new(
        workers: Workers,
        (export, number, shard): (&Export, usize, Shard),
        watcher: Option<Py<PyAny>>,
    ) -> Self {
        let progress = Arc::new(Progress::default());
        let export = export.clone().with_progress(Arc::clone(&progress));
        Self {
            workers,
            watcher,
            schema: export.schema(),
            progress,
            pass: Mutex::new(Some(Pass::new(export.batch(number).in_shard(shard)))),
        }
    }
}

#[pymethods]
impl Rows {
    #[getter]
    fn schema(&self) -> Schema {
        Schema(self.schema.clone())
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<RecordBatch>> {
        let own = || self.pass.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread that is at it has the pass meanwhile, so this one finds the end: one takes rows, not several.
        let Some(mut pass) = py.detach(|| own().take()) else {
            return Ok(None);
        };
        let watcher = self.watcher.as_ref().map(|watcher| watcher.bind(py));
        let (pass, rows) = (self.workers).go_on(py, &self.progress, (watcher, 0), move || {
            let rows = pass.next()?;
            Ok((pass, rows))
        })?;
        Ok(rows.map(|rows| {
            *own() = Some(pass);
            RecordBatch(rows)
        }))
    }
}

/// A pass that whoever takes Arrow streams drives, on what thread it likes.
pub(crate) struct Stream {
    workers: Workers,
    schema: SchemaRef,
    pass: Option<Pass>,
    progress: Arc<Progress>,
    /// The thread that asked for the stream.
    thread: ThreadId,
    looked: Instant,
}

impl Stream {
    /// The rows of a batch as a capsule.
    pub(crate) fn capsule<'py>(
        py: Python<'py>,
        workers: Workers,
        (export, number): (&Export, usize),
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let progress = Arc::new(Progress::default());
        let export = export.clone().with_progress(Arc::clone(&progress));
        let stream = Self {
            workers,
            schema: export.schema(),
            pass: Some(Pass::new(export.batch(number))),
            progress,
            thread: std::thread::current().id(),
            looked: Instant::now(),
        };
        capsule::of_stream(py, Box::new(stream))
    }

    /// Looks for signals, now and then. On other threads than the one that asked for the stream, nobody does: whoever
    /// takes the rows there may hold Python's lock elsewhere, and wait for us.
    fn look(&mut self) -> Result<(), ArrowError> {
        if std::thread::current().id() != self.thread || self.looked.elapsed() < LOOK {
            return Ok(());
        }
        self.looked = Instant::now();
        let raised = Python::try_attach(|py| {
            let raised = py.check_signals().err()?;
            let text = raised.to_string();
            if raised.is_instance_of::<PyKeyboardInterrupt>(py)
                && let Ok(interrupt) = py
                    .import("_thread")
                    .and_then(|t| t.getattr("interrupt_main"))
            {
                // What raised it is lost on the way through the stream: it is raised again behind it, so nothing of
                // Python's may run after this.
                let _ = interrupt.call0();
            }
            Some(text)
        });
        match raised.flatten() {
            None => Ok(()),
            Some(raised) => {
                self.progress.cancel();
                Err(ArrowError::ExternalError(raised.into()))
            }
        }
    }

    fn take(&mut self) -> Result<Option<ArrowBatch>, ArrowError> {
        self.look()?;
        let Some(mut pass) = self.pass.take() else {
            return Ok(None);
        };
        let made = self.workers.install(move || {
            let rows = pass.next()?;
            Ok((pass, rows))
        });
        match made {
            Ok((pass, Some(rows))) => {
                self.pass = Some(pass);
                Ok(Some(rows))
            }
            Ok((_, None)) => Ok(None),
            Err(error) => {
                let text = format!("{error} [{}]", error.code());
                Err(ArrowError::ExternalError(text.into()))
            }
        }
    }
}

impl Iterator for Stream {
    type Item = Result<ArrowBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        // Whoever calls is not Rust: a panic would end the process.
        let taken = catch_unwind(AssertUnwindSafe(|| self.take()));
        let taken = taken
            .unwrap_or_else(|panic| Err(ArrowError::ExternalError(said(panic.as_ref()).into())));
        taken.transpose()
    }
}

impl RecordBatchReader for Stream {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}
