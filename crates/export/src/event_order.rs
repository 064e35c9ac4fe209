//! The order of a profile's events: by time and `_id`; where two datasets have the same, by the datasets' IDs, so that the
//! order of loads does not matter.

use std::ops::Range;

use arrow::datatypes::DataType;
use gather::{Column, RowRef};
use merge::Groups;
use xdm::{Class, FieldType, Fields, Timestamp};

use crate::columns::{FieldSet, Set};
use crate::error::Result;
use crate::people::EventRange;
use crate::sources::Sources;

/// The field that says what an event is.
const EVENT_TYPE: &str = "eventType";

/// What events are ordered by.
///
/// Those of one person in one run are in order already. An `_id` is most of what an event takes, and hardly any two events
/// of a profile are of one moment: so times are read first, and of those alone that times leave open the `_id`.
pub(crate) struct EventOrder {
    times: FieldSet,
    ids: FieldSet,
}

/// Where the events of a profile are of several persons or sources.
#[derive(Default)]
pub(crate) struct Tied(Vec<Range<usize>>);

impl Tied {
    /// Looks at a profile that has so many events, of these ranges, behind the others.
    pub(crate) fn add(&mut self, others: &Groups, count: usize, ranges: &[EventRange]) {
        if ranges.len() > 1 && count > 1 {
            let start = others.rows().len();
            self.0.push(start..start + count);
        }
    }
}

impl EventOrder {
    /// Of the events of some sources.
    pub(crate) fn new(sources: &Sources) -> Result<Self> {
        let of = |set, name: &str, ty| {
            let fields: Fields = [(name.to_owned(), ty)].into_iter().collect();
            FieldSet::new(set, &[Class::Event], &fields, sources)
        };
        Ok(Self {
            times: of(Set::EventTimes, "timestamp", FieldType::DateTime)?,
            ids: of(Set::EventIds, "_id", FieldType::String)?,
        })
    }

    /// The time and `_id` of each of these events.
    pub(crate) fn times_and_ids(
        &self,
        sources: &Sources,
        events: &[RowRef],
    ) -> Result<Vec<(Option<Timestamp>, String)>> {
        let times = of_each(&self.times, sources, events, |column, at| {
            column.micros(at).map(Timestamp::from_micros)
        })?;
        let ids = of_each(&self.ids, sources, events, |column, at| {
            column.text(at).unwrap_or_default().to_owned()
        })?;
        Ok(std::iter::zip(times, ids).collect())
    }

    /// Puts the events of profiles in order.
    pub(crate) fn put_in_order(
        &self,
        sources: &Sources,
        events: &mut Groups,
        tied: &Tied,
    ) -> Result<()> {
        if tied.0.is_empty() {
            return Ok(());
        }
        let rows = events.rows_mut();
        let of_one_time = self.by_time(sources, rows, &tied.0)?;
        if !of_one_time.is_empty() {
            self.by_id(sources, rows, &of_one_time)?;
        }
        Ok(())
    }

    /// Sorts stretches of events by their times; tells those parts of them that times leave open.
    fn by_time(
        &self,
        sources: &Sources,
        rows: &mut [RowRef],
        stretches: &[Range<usize>],
    ) -> Result<Vec<Range<usize>>> {
        let all = all_of(rows, stretches);
        let mut times = of_each(&self.times, sources, &all, Column::micros)?.into_iter();
        let person = |at: RowRef| (at.source, sources.of(at).run.person_of_row(at.row));
        let mut of_one_time = Vec::new();
        for stretch in stretches {
            let own = &mut rows[stretch.clone()];
            let times = times.by_ref().take(own.len());
            let mut both: Vec<(Option<i64>, RowRef)> = times.zip(own.iter().copied()).collect();
            // What a person has of one time in a source stays as it is.
            both.sort_by_key(|(time, _)| *time);
            for (slot, (_, row)) in own.iter_mut().zip(&both) {
                *slot = *row;
            }
            let mut start = stretch.start;
            for same in both.chunk_by(|a, b| a.0 == b.0) {
                let end = start + same.len();
                if let [(_, first), others @ ..] = same
                    && others.iter().any(|(_, at)| person(*at) != person(*first))
                {
                    of_one_time.push(start..end);
                }
                start = end;
            }
        }
        Ok(of_one_time)
    }

    /// Sorts stretches of events of one time.
    fn by_id(
        &self,
        sources: &Sources,
        rows: &mut [RowRef],
        stretches: &[Range<usize>],
    ) -> Result<()> {
        let mut all = all_of(rows, stretches);
        let placed_of = all.clone();
        let columns = self.ids.gather(sources, &mut all)?;
        let [(_, ids)] = &columns[..] else {
            unreachable!("one field");
        };
        let mut placed = all.into_iter().zip(placed_of);
        let key = |(placed, row): &(RowRef, RowRef)| {
            let dataset = sources.of(*row).run.dataset.as_str();
            (ids.text(*placed), dataset)
        };
        for stretch in stretches {
            let own = &mut rows[stretch.clone()];
            let mut both: Vec<(RowRef, RowRef)> = placed.by_ref().take(own.len()).collect();
            both.sort_by(|a, b| key(a).cmp(&key(b)));
            for (slot, (_, row)) in own.iter_mut().zip(both) {
                *slot = row;
            }
        }
        Ok(())
    }
}

/// What each of these events is of, its `eventType`; none where records have anything but text there.
pub(crate) fn event_types(sources: &Sources, events: &[RowRef]) -> Result<Vec<Option<String>>> {
    let none = || Ok(vec![None; events.len()]);
    if events.is_empty() {
        return none();
    }
    let of_events = (sources.all.iter()).filter(|source| source.run.class == Class::Event);
    for source in of_events {
        if (source.run.kept_type(EVENT_TYPE)?).is_some_and(|kept| !is_text(&kept)) {
            return none();
        }
    }
    let fields: Fields = [(EVENT_TYPE.to_owned(), FieldType::String)]
        .into_iter()
        .collect();
    let types = FieldSet::new(Set::EventTypes, &[Class::Event], &fields, sources)?;
    of_each(&types, sources, events, |column, at| {
        column.text(at).map(str::to_owned)
    })
}

fn is_text(ty: &DataType) -> bool {
    match ty {
        DataType::Utf8 => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

fn all_of(rows: &[RowRef], stretches: &[Range<usize>]) -> Vec<RowRef> {
    let stretches = stretches.iter().cloned();
    stretches.flat_map(|s| rows[s].iter().copied()).collect()
}

/// What a field has of each of some rows.
fn of_each<T>(
    field: &FieldSet,
    sources: &Sources,
    rows: &[RowRef],
    value: impl Fn(&Column, RowRef) -> T,
) -> Result<Vec<T>> {
    let mut placed = rows.to_vec();
    let columns = field.gather(sources, &mut placed)?;
    let [(_, column)] = &columns[..] else {
        unreachable!("one field");
    };
    Ok(placed.iter().map(|at| value(column, *at)).collect())
}
