//! Rows on their way to a client.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures_util::StreamExt as _;
use tokio::runtime::Handle;

use crate::connection::Wire;
use crate::copy_form::{BINARY_END, BINARY_HEADER, Form};
use crate::interrupt::Watch;
use crate::refusal::Problem;
use crate::value::{Cells, Nested};
use crate::work::at_work;

/// How many bytes wait until they are sent.
const CHUNK: usize = 64 << 10;

/// The rows of a statement that have not been sent yet.
pub(crate) struct Rows {
    stream: SendableRecordBatchStream,
    /// Those that came, and the first that was not sent.
    batch: Option<(Cells, usize)>,
    style: Nested,
    /// Where cells are made of them.
    work: Handle,
}

impl Rows {
    pub(crate) fn new(stream: SendableRecordBatchStream, style: Nested, work: &Handle) -> Self {
        Self {
            stream,
            batch: None,
            style,
            work: work.clone(),
        }
    }

    /// Rows that are there already.
    pub(crate) fn of(rows: RecordBatch, work: &Handle) -> Self {
        let schema = rows.schema();
        let stream = futures_util::stream::iter([Ok(rows)]);
        Self::new(
            Box::pin(RecordBatchStreamAdapter::new(schema, stream)),
            Nested::Platform,
            work,
        )
    }

    pub(crate) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.stream.schema())
    }

    /// The next batch that has a row left, made ready to be written.
    async fn next(
        &mut self,
        binary: &[bool],
        watch: &mut Watch,
    ) -> Result<Option<&mut (Cells, usize)>, Problem> {
        while self
            .batch
            .as_ref()
            .is_none_or(|(cells, at)| *at == cells.rows())
        {
            let next = async { self.stream.next().await.transpose().map_err(Problem::from) };
            let Some(rows) = watch.during(next).await? else {
                return Ok(None);
            };
            // Objects become texts there.
            let (binary, style) = (binary.to_vec(), self.style);
            let made = async move { Cells::new(&rows, binary.into_iter(), style) };
            let cells = watch.during(at_work(&self.work, made)).await?;
            self.batch = Some((cells, 0));
        }
        Ok(self.batch.as_mut())
    }

    /// Sends rows as such: all, or at most so many. How many these were, and whether there may be more.
    pub(crate) async fn send(
        &mut self,
        wire: &mut Wire,
        binary: &[bool],
        most: Option<usize>,
        watch: &mut Watch,
    ) -> Result<(usize, bool), Problem> {
        let mut sent = 0;
        while most.is_none_or(|most| sent < most) {
            let Some((cells, at)) = self.next(binary, watch).await? else {
                return Ok((sent, false));
            };
            while *at < cells.rows()
                && wire.out.0.len() < CHUNK
                && most.is_none_or(|most| sent < most)
            {
                wire.out.whole(b'D', |body| cells.row(*at, body))?;
                *at += 1;
                sent += 1;
            }
            if wire.out.0.len() >= CHUNK {
                watch.during(wire.flush()).await?;
            }
        }
        Ok((sent, true))
    }

    /// Sends all rows as a COPY.
    pub(crate) async fn copy(
        &mut self,
        wire: &mut Wire,
        form: &Form,
        watch: &mut Watch,
    ) -> Result<usize, Problem> {
        let schema = self.schema();
        let columns = schema.fields().len();
        let is_binary = form.is_binary();
        let binary = vec![is_binary; columns];
        wire.out.copy_out(columns, is_binary);
        let names = schema.fields().iter().map(|field| field.name().as_str());
        let mut line = Vec::new();
        if form.header(names, &mut line) {
            wire.out.message(b'd', |body| body.append(&mut line));
        }
        let mut sent = 0;
        let mut cell = Vec::new();
        while let Some((cells, at)) = self.next(&binary, watch).await? {
            while *at < cells.rows() && wire.out.0.len() < CHUNK {
                wire.out.whole(b'd', |body| {
                    // The header comes with the first row, as PostgreSQL sends it.
                    if is_binary && sent == 0 {
                        body.extend(BINARY_HEADER);
                    }
                    form.row(cells, *at, &mut cell, body)
                })?;
                *at += 1;
                sent += 1;
            }
            if wire.out.0.len() >= CHUNK {
                watch.during(wire.flush()).await?;
            }
        }
        if is_binary {
            wire.out.message(b'd', |body| {
                if sent == 0 {
                    body.extend(BINARY_HEADER);
                }
                body.extend(BINARY_END);
            });
        }
        wire.out.copied();
        Ok(sent)
    }
}
