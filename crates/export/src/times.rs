use std::sync::Arc;

use arrow::buffer::ScalarBuffer;
use gather::RowRef;
use run::{RecordTimes, Run};
use xdm::{Recency, Timestamp};

use crate::error::Result;
use crate::sources::Sources;

/// When records came, for who goes through a store in the order of its rows.
pub(crate) struct Times<'a> {
    sources: &'a Sources,
    /// The batch at hand of each source, and its first row that is.
    at_hand: Vec<Option<(u32, u32, Arc<RecordTimes>)>>,
    /// The same, of ingest times alone.
    ingested: Vec<Option<(u32, Arc<ScalarBuffer<i64>>)>>,
}

impl<'a> Times<'a> {
    pub(crate) fn new(sources: &'a Sources) -> Self {
        Self {
            sources,
            at_hand: vec![None; sources.all.len()],
            ingested: vec![None; sources.all.len()],
        }
    }

    /// How late a record is.
    pub(crate) fn recency(&mut self, at: RowRef) -> Result<Recency> {
        let (times, row) = self.of(at)?;
        Ok(Recency {
            ingested: times.ingested[row],
            sequence: times.sequences[row],
        })
    }

    /// When a record came in.
    pub(crate) fn ingested(&mut self, at: RowRef) -> Result<Timestamp> {
        if self.sources.blocks.is_some() {
            let (times, row) = self.of(at)?;
            return Ok(Timestamp::from_micros(times.ingested[row]));
        }
        let (batch, row) = Run::locate(at.row);
        let slot = &mut self.ingested[at.source as usize];
        if slot.as_ref().is_none_or(|(held, _)| *held != batch) {
            let times = self.sources.batch_ingest_times((at.source, batch))?;
            *slot = Some((batch, times));
        }
        match slot {
            Some((_, times)) => Ok(Timestamp::from_micros(times[row as usize])),
            None => unreachable!("it was filled above"),
        }
    }

    /// By what time a fragment competes with others.
    pub(crate) fn updated(&mut self, at: RowRef) -> Result<Timestamp> {
        let (times, row) = self.of(at)?;
        Ok(Timestamp::from_micros(times.updated[row]))
    }

    fn of(&mut self, at: RowRef) -> Result<(&RecordTimes, usize)> {
        let (batch, row) = Run::locate(at.row);
        let slot = &mut self.at_hand[at.source as usize];
        let held = slot.as_ref().filter(|(held, ..)| *held == batch);
        let is_at_hand = |(_, first, times): &(u32, u32, Arc<RecordTimes>)| {
            (*first..*first + times.sequences.len() as u32).contains(&row)
        };
        if !held.is_some_and(is_at_hand) {
            // Who asks for a row of a batch once more asks for many.
            *slot = Some(match &self.sources.blocks {
                Some(kept) if held.is_none() => {
                    let run = &self.sources.of(at).run;
                    let times = run.times_of_rows(batch, row..row + 1, kept)?;
                    (batch, row, Arc::new(times))
                }
                _ => (batch, 0, self.sources.batch_times((at.source, batch))?),
            });
        }
        match slot {
            Some((_, first, times)) => Ok((times, (row - *first) as usize)),
            None => unreachable!("it was filled above"),
        }
    }
}
