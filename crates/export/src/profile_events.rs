//! The events of one profile, of which those that are asked for are read.

use arrow::array::RecordBatch;
use decode::Progress;
use gather::RowRef;
use serde_json::Value;
use xdm::{Class, FieldType, Fields, Timestamp};

use crate::columns::{FieldSet, Set};
use crate::error::Result;
use crate::lookup::ProfileReader;
use crate::pipeline::Pipeline;
use crate::plan::Plan;
use crate::sources::Sources;
use crate::times::Times;
use crate::values::json_values;

/// Events that are looked at in one piece: what is read of them is let go of before the next.
const PIECE: usize = 4096;

/// The events of a profile: where they are, eight bytes each, until their values are asked for. In their order: by time
/// and `_id`.
pub struct ProfileEvents<'a> {
    pipeline: &'a Pipeline,
    rows: Vec<RowRef>,
    progress: &'a Progress,
}

/// An event of a profile.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundEvent {
    /// Its `_id`; empty where it has none.
    pub id: String,
    /// When it happened.
    pub timestamp: Timestamp,
    /// When it came in.
    pub ingested: Timestamp,
    /// What the plan shows of it.
    pub row: Value,
}

impl ProfileReader {
    /// The events of the profile of an identity, as [`ProfileReader::look_up`] finds it; none where the plan adds no events.
    /// `None` where there is no such profile.
    ///
    /// # Errors
    /// A damaged run; it was cancelled.
    pub fn events_of<'a>(
        &'a self,
        namespace: &str,
        id: &str,
        progress: &'a Progress,
    ) -> Result<Option<ProfileEvents<'a>>> {
        let Some((_, rows)) = self.profile_of(namespace, id, progress)? else {
            self.pipeline().sources().check_whole()?;
            return Ok(None);
        };
        Ok(Some(ProfileEvents {
            rows: self.pipeline().event_rows(&rows)?,
            pipeline: self.pipeline(),
            progress,
        }))
    }
}

impl ProfileEvents<'_> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Puts the last first.
    pub fn reverse(&mut self) {
        self.rows.reverse();
    }

    /// Keeps those that happened at moments that are wanted.
    ///
    /// # Errors
    /// A damaged run; it was cancelled.
    pub fn retain_at(&mut self, is_wanted: impl Fn(Timestamp) -> bool) -> Result<()> {
        let moments = self.field_set("timestamp", FieldType::DateTime)?;
        self.retain_pieces(|this, rows| {
            let mut placed = rows.to_vec();
            let columns = moments.gather(this.sources(), &mut placed)?;
            let column = columns.iter().map(|(_, column)| column).next();
            let moments = placed.iter().map(|at| column?.micros(*at));
            Ok(moments.map(|at| is_wanted(moment(at))).collect())
        })
    }

    /// Keeps those of which something holds, as another plan over the same snapshot shows them; one without events shows
    /// none.
    ///
    /// # Errors
    /// A damaged run; it was cancelled.
    pub fn retain(&mut self, plan: &Plan, holds: impl Fn(&Value) -> bool) -> Result<()> {
        self.retain_pieces(|this, rows| {
            let shown = this.values(plan, rows)?;
            Ok(shown.iter().map(&holds).collect())
        })
    }

    fn retain_pieces(
        &mut self,
        are_wanted: impl Fn(&Self, &[RowRef]) -> Result<Vec<bool>>,
    ) -> Result<()> {
        let mut kept = Vec::new();
        for piece in self.rows.chunks(PIECE) {
            self.progress.check()?;
            let are_wanted = are_wanted(self, piece)?;
            let wanted = std::iter::zip(piece, are_wanted).filter(|(_, is_wanted)| *is_wanted);
            kept.extend(wanted.map(|(at, _)| *at));
        }
        self.rows = kept;
        Ok(())
    }

    /// The place of the first event with an `_id`.
    ///
    /// # Errors
    /// A damaged run; it was cancelled.
    pub fn position(&self, id: &str) -> Result<Option<usize>> {
        self.position_among(&self.rows, id, |_| true)
    }

    /// The `_id` of the event at a place, and whether none before it has the same; `None` behind the last.
    ///
    /// # Errors
    /// A damaged run; it was cancelled.
    pub fn id_at(&self, at: usize) -> Result<Option<(String, bool)>> {
        let Some(row) = self.rows.get(at) else {
            return Ok(None);
        };
        let id = self.ids(&[*row])?.pop().unwrap_or_default();
        // Within a dataset no `_id` comes twice.
        let dataset = |at: &RowRef| self.sources().of(*at).run.dataset.as_str();
        let own = dataset(row);
        let before = &self.rows[..at];
        let earlier = self.position_among(before, &id, |other| dataset(other) != own)?;
        Ok(Some((id, earlier.is_none())))
    }

    /// The place of the first event of some that has an `_id`.
    fn position_among(
        &self,
        rows: &[RowRef],
        id: &str,
        is_looked_at: impl Fn(&RowRef) -> bool,
    ) -> Result<Option<usize>> {
        for (piece, first) in rows.chunks(PIECE).zip((0..).step_by(PIECE)) {
            self.progress.check()?;
            let (places, rows): (Vec<usize>, Vec<RowRef>) = (first..)
                .zip(piece.iter().copied())
                .filter(|(_, at)| is_looked_at(at))
                .unzip();
            let ids = self.ids(&rows)?;
            if let Some((place, _)) = places.iter().zip(ids).find(|(_, found)| found == id) {
                return Ok(Some(*place));
            }
        }
        Ok(None)
    }

    /// The events from a place on, so many at the most.
    ///
    /// # Errors
    /// A damaged run; it was cancelled.
    pub fn page(&self, first: usize, limit: usize) -> Result<Vec<FoundEvent>> {
        let end = first.saturating_add(limit).min(self.rows.len());
        let mut events = Vec::new();
        let mut times = Times::new(self.sources());
        for rows in self.rows[first.min(end)..end].chunks(PIECE) {
            self.progress.check()?;
            let ordered = self.pipeline.times_and_ids(rows)?;
            let shown = self.values(self.pipeline.plan(), rows)?;
            for ((at, (timestamp, id)), row) in rows.iter().zip(ordered).zip(shown) {
                events.push(FoundEvent {
                    id,
                    timestamp: timestamp.unwrap_or_default(),
                    ingested: times.ingested(*at)?,
                    row,
                });
            }
        }
        self.sources().check_whole()?;
        Ok(events)
    }

    /// What a plan shows of events.
    fn values(&self, plan: &Plan, rows: &[RowRef]) -> Result<Vec<Value>> {
        let Some(events) = plan.events.as_ref().filter(|_| !rows.is_empty()) else {
            return Ok(Vec::new());
        };
        let needed = events.projection.needed();
        let fields = FieldSet::new(Set::Events, &[Class::Event], needed, self.sources())?;
        let mut placed = rows.to_vec();
        let columns = fields.gather(self.sources(), &mut placed)?;
        let shown = (self.pipeline).shown_events(&events.projection, &columns, &placed)?;
        let shown = shown.into_iter().map(|(name, column)| (name, column, true));
        json_values(&RecordBatch::try_from_iter_with_nullable(shown)?)
    }

    fn ids(&self, rows: &[RowRef]) -> Result<Vec<String>> {
        let mut placed = rows.to_vec();
        let ids = self.field_set("_id", FieldType::String)?;
        let columns = ids.gather(self.sources(), &mut placed)?;
        let column = columns.iter().map(|(_, column)| column).next();
        let id = |at: &RowRef| column.and_then(|column| column.text(*at));
        let ids = placed
            .iter()
            .map(|at| id(at).unwrap_or_default().to_owned());
        Ok(ids.collect())
    }

    /// A field of events by itself.
    fn field_set(&self, name: &str, ty: FieldType) -> Result<FieldSet> {
        let fields: Fields = [(name.to_owned(), ty)].into_iter().collect();
        FieldSet::new(Set::Events, &[Class::Event], &fields, self.sources())
    }

    fn sources(&self) -> &Sources {
        self.pipeline.sources()
    }
}

/// The moment of an event; that of one without is 1970.
fn moment(micros: Option<i64>) -> Timestamp {
    micros.map_or_else(Timestamp::default, Timestamp::from_micros)
}
