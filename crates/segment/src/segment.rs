use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{RecordBatch, StructArray};
use arrow::buffer::BooleanBuffer;
use pql::{Checked, Expression, Schema};
use xdm::{TIME_SERIES_EVENTS, Timestamp};

use crate::column::{Column, Lists};
use crate::error::{Error, Result};
use crate::evaluate::{Evaluator, Patterns};
use crate::frame::Frames;

/// The column of rows that holds each profile's events, in the order of their timestamps and `_id`s: `CHAIN` and the first
/// of them are told by where they stand, and neither field is looked at.
pub const EVENTS: &str = TIME_SERIES_EVENTS;

/// A segment: its ID, and an expression that fits a schema.
#[derive(Clone, Debug)]
pub struct Segment {
    id: String,
    checked: Checked,
}

impl Segment {
    /// One of an expression's text or JSON.
    ///
    /// # Errors
    /// What is wrong with the expression, with line and column.
    pub fn parse(
        id: impl Into<String>,
        expression: &str,
        schema: &Schema,
    ) -> Result<Self, pql::Error> {
        Ok(Self::new(id, Expression::parse(expression)?.check(schema)?))
    }

    /// One of a checked expression.
    pub fn new(id: impl Into<String>, checked: Checked) -> Self {
        Self {
            id: id.into(),
            checked,
        }
    }

    /// Its ID.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its expression.
    #[must_use]
    pub fn checked(&self) -> &Checked {
        &self.checked
    }
}

/// Segments that are evaluated together, at one time.
///
/// What several of them ask is worked out once. Those that others ask for by `inSegment` come before these.
#[derive(Clone, Debug)]
pub struct Evaluation {
    segments: Vec<Segment>,
    /// The numbers of the segments: first those that ask for no other, then those that ask for these, and so on.
    waves: Vec<Vec<usize>>,
    now: Timestamp,
    most_combinations: usize,
    patterns: Arc<Patterns>,
}

/// The most combinations of the events of a profile, where nobody says otherwise: 5,000 by 5,000, and some more.
const MOST_COMBINATIONS: usize = 1 << 25;

impl Evaluation {
    /// These segments at this time.
    ///
    /// # Errors
    /// One asks for a segment that is not among them, or for itself in a circle.
    pub fn new(segments: Vec<Segment>, now: Timestamp) -> Result<Self> {
        let by_id: HashMap<&str, usize> = (segments.iter().enumerate())
            .map(|(number, segment)| (segment.id(), number))
            .collect();
        let asked = |segment: &Segment| -> Result<Vec<usize>> {
            let asked = segment.checked.segments().iter().map(|id| {
                by_id.get(id.as_str()).copied().ok_or_else(|| {
                    Error::Segments(format!(
                        "segment {} asks for inSegment({id:?}), which is not there",
                        segment.id
                    ))
                })
            });
            asked.collect()
        };
        let asked: Vec<Vec<usize>> = segments.iter().map(asked).collect::<Result<_>>()?;
        let (mut waves, mut done): (Vec<Vec<usize>>, HashSet<usize>) = Default::default();
        let mut left: Vec<usize> = (0..segments.len()).collect();
        while let Some(first) = left.first() {
            let is_ready = |number: &usize| {
                asked
                    .get(*number)
                    .is_some_and(|asked| asked.iter().all(|other| done.contains(other)))
            };
            let (ready, waiting): (Vec<usize>, Vec<usize>) =
                left.iter().partition(|number| is_ready(number));
            if ready.is_empty() {
                let id = segments.get(*first).map_or("", Segment::id);
                return Err(Error::Segments(format!(
                    "segment {id} asks by inSegment for one that asks for it, in a circle"
                )));
            }
            done.extend(&ready);
            waves.push(ready);
            left = waiting;
        }
        Ok(Self {
            segments,
            waves,
            now,
            most_combinations: MOST_COMBINATIONS,
            patterns: Arc::default(),
        })
    }

    /// With another number of combinations of a profile's events, of an expression with several variables, beyond which
    /// it is refused: so many rows of 8 bytes are in memory.
    #[must_use]
    pub fn with_most_combinations(self, most_combinations: usize) -> Self {
        Self {
            most_combinations,
            ..self
        }
    }

    /// The segments.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Who of the profiles of a chunk is in each segment, in the order in which they were given: rows as an export
    /// streams them, with the columns that the expressions read, and their events in [`EVENTS`] if they read events.
    ///
    /// # Errors
    /// Rows of another schema; a profile of whose events there are too many combinations.
    pub fn members(&self, rows: &RecordBatch) -> Result<Vec<BooleanBuffer>> {
        let members = self.timed_members(rows)?.into_iter();
        Ok(members.map(|(members, _)| members).collect())
    }

    /// The same with how long each segment took. What several ask is worked out once, by the first of them that is
    /// evaluated: it took all of that time, and the others none.
    ///
    /// # Errors
    /// As for [`Evaluation::members`].
    pub fn timed_members(&self, rows: &RecordBatch) -> Result<Vec<(BooleanBuffer, Duration)>> {
        match self.members_of(rows) {
            // Fewer profiles have fewer of them, but for one that has them all by itself.
            Err(Error::TooManyCombinations { .. }) if rows.num_rows() > 1 => {
                let half = rows.num_rows() / 2;
                let first = self.timed_members(&rows.slice(0, half))?;
                let second = self.timed_members(&rows.slice(half, rows.num_rows() - half))?;
                let both = first.iter().zip(&second);
                Ok(both
                    .map(|((first, took), (second, more))| {
                        (first.iter().chain(second).collect(), *took + *more)
                    })
                    .collect())
            }
            members => members,
        }
    }

    fn members_of(&self, rows: &RecordBatch) -> Result<Vec<(BooleanBuffer, Duration)>> {
        let count = rows.num_rows();
        let profiles = Column::of(Arc::new(StructArray::from(rows.clone())));
        let events = match rows.column_by_name(EVENTS) {
            Some(events) => Column::of(Arc::clone(events)),
            None => Column::Lists(Lists {
                offsets: vec![0; count + 1].into(),
                nulls: None,
                items: Box::new(profiles.clone()),
            }),
        };
        let events = never_null(events, count)?;
        let mut members: HashMap<String, BooleanBuffer> = HashMap::new();
        let mut all: HashMap<usize, (BooleanBuffer, Duration)> = HashMap::new();
        for wave in &self.waves {
            let mut found = Vec::new();
            let mut evaluator = Evaluator::new(
                self.now.millis(),
                Frames::of_profiles(count, profiles.clone(), self.most_combinations),
                events.clone(),
                &members,
                &self.patterns,
            );
            for number in wave {
                let Some(segment) = self.segments.get(*number) else {
                    continue;
                };
                let started = Instant::now();
                let holds = evaluator.condition(segment.checked.condition());
                let holds = holds.map_err(|error| error.in_segment(&segment.id))?;
                found.push((*number, holds, started.elapsed()));
            }
            drop(evaluator);
            for (number, holds, took) in found {
                if let Some(segment) = self.segments.get(number) {
                    members.insert(segment.id.clone(), holds.clone());
                }
                all.insert(number, (holds, took));
            }
        }
        let numbers = 0..self.segments.len();
        numbers
            .map(|number| {
                all.remove(&number)
                    .ok_or_else(|| Error::lacking("a segment"))
            })
            .collect()
    }
}

/// A profile without events has a list of none.
fn never_null(events: Column, rows: usize) -> Result<Column> {
    let lists = events.lists(rows)?;
    Ok(Column::Lists(Lists {
        nulls: None,
        ..lists
    }))
}
