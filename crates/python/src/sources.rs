//! Readers of Python's, whose batches are asked for on the thread that waits for the work.
//!
//! A generator behind a reader is Python's: there its signals are heard, so Ctrl-C gets through to one that blocks, and what
//! it uses that belongs to its thread, such as a cursor of sqlite3, is used where it was made.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;

use crate::capsule::Reader;

/// What a reader gives when it is asked.
type Taken = Option<Result<RecordBatch, ArrowError>>;

/// What the thread that waits is told.
pub(crate) enum Event {
    /// The work has ended.
    Ended,
    /// The reader with this number is to give its next batch.
    Wanted(usize, Sender<Taken>),
}

/// Readers that are asked on the thread that has this.
pub(crate) struct Sources {
    readers: Vec<Reader>,
    events: Receiver<Event>,
    sender: Sender<Event>,
}

impl Sources {
    pub(crate) fn new() -> Self {
        let (sender, events) = channel();
        Self {
            readers: Vec::new(),
            events,
            sender,
        }
    }

    /// Takes a reader; returns what stands for it on any thread of the work.
    pub(crate) fn stand_in(&mut self, reader: Reader) -> Reader {
        let stand_in = StandIn {
            schema: reader.schema(),
            number: self.readers.len(),
            sender: self.sender.clone(),
        };
        self.readers.push(reader);
        Box::new(stand_in)
    }

    /// What tells the thread that waits that the work has ended.
    pub(crate) fn sender(&self) -> Sender<Event> {
        self.sender.clone()
    }

    /// Waits for something to be told.
    pub(crate) fn wait(&self, most: Duration) -> Result<Event, RecvTimeoutError> {
        self.events.recv_timeout(most)
    }

    /// Gives the next batch of a reader to whoever asks, without Python's lock, which the reader takes for itself. What
    /// Python's signals raised in it is an error's text by then: an interrupt is returned, to be raised.
    pub(crate) fn answer(
        &mut self,
        py: Python<'_>,
        (number, asker): (usize, Sender<Taken>),
    ) -> PyResult<()> {
        let Some(reader) = self.readers.get_mut(number) else {
            return Ok(());
        };
        let taken = py.detach(|| reader.next());
        let interrupt = match &taken {
            Some(Err(error)) if is_interrupt(error) => Err(PyKeyboardInterrupt::new_err(())),
            _ => Ok(()),
        };
        // Whoever asked may have gone on without it.
        let _ = asker.send(taken);
        interrupt
    }
}

/// Whether it was Python's interrupt that a reader failed by: of an exception a stream has the text alone, which ends with it.
fn is_interrupt(error: &ArrowError) -> bool {
    let text = error.to_string();
    let last = text.trim_end().lines().next_back();
    last.is_some_and(|last| {
        last.starts_with("KeyboardInterrupt") || last.ends_with(": KeyboardInterrupt")
    })
}

/// Tells whoever asks that the work is stopped.
pub(crate) fn refuse(asker: &Sender<Taken>) {
    let stopped = ArrowError::CDataInterface("the work is stopped".to_owned());
    let _ = asker.send(Some(Err(stopped)));
}

/// What stands for a reader.
struct StandIn {
    schema: SchemaRef,
    number: usize,
    sender: Sender<Event>,
}

impl Iterator for StandIn {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Taken {
        let gone = || ArrowError::CDataInterface("nobody waits for the work any more".to_owned());
        let (sender, answer) = channel();
        if self
            .sender
            .send(Event::Wanted(self.number, sender))
            .is_err()
        {
            return Some(Err(gone()));
        }
        answer.recv().unwrap_or_else(|_| Some(Err(gone())))
    }
}

impl RecordBatchReader for StandIn {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}
