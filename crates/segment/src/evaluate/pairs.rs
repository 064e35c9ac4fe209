//! Items of a list beside those of another: expressions with several variables.
//!
//! What a condition asks of the inner item alone is worked out once for each profile, not for each pair; and where it
//! asks events for a window about the outer item, two searches in the events, which come in the order of their
//! timestamps, find where that begins and ends. Only pairs within are made, and the rest of the condition looks at them.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array, UInt32Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::Int64Type;
use pql::Type;
use pql::typed::{Condition, Term, Test, Value, Window};

use super::Evaluator;
use super::occurs::Each;
use crate::column::{Column, Lists};
use crate::error::{Error, Result};
use crate::windows::Bounds;

impl<'a> Evaluator<'a> {
    /// For each row of the innermost frame, the items of a profile's list that may meet a condition, and where they
    /// do; `None` where this is about the profiles themselves, or the list is another for each row.
    pub(super) fn pairs(
        &mut self,
        source: &'a Value,
        condition: &'a Condition,
    ) -> Result<Option<(Lists, BooleanBuffer)>> {
        let Some(profiles) = self.frames.rows_at(0)? else {
            return Ok(None);
        };
        if looks_around(|see| source.scopes(see), 0) {
            return Ok(None);
        }
        let all: Vec<&'a Condition> = match &*condition.test {
            Test::And(all) => all.iter().collect(),
            _ => vec![condition],
        };
        let (own, others): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|part| !looks_around(|see| part.scopes(see), 1));
        let items = self.about_profiles(|evaluator| evaluator.with_all(source, &own))?;
        let (times, bounds) = match is_by_time(source) {
            true => (times(&items)?, self.windows(&others)?),
            false => (None, Vec::new()),
        };
        let ranges = profiles.values().iter().enumerate().map(|(row, profile)| {
            let mut range = items.range(*profile as usize);
            for bounds in &bounds {
                let Some(times) = &times else { break };
                // What is not there is in no window.
                let (from, to) = bounds.at(row).map_or((0, 0), Bounds::span);
                let own = times.values().get(range.clone()).unwrap_or_default();
                let start = own.partition_point(|time| *time < from);
                let end = own.partition_point(|time| *time < to).max(start);
                range = range.start + start..range.start + end;
            }
            range
        });
        let ranges: Vec<_> = ranges.collect();
        self.frames
            .check(ranges.iter().map(|range| range.len() as u64).sum())?;
        let mut offsets = vec![0];
        let mut numbers = Vec::new();
        for range in ranges {
            numbers.extend(range.map(|item| item as u32));
            offsets.push(numbers.len() as u32);
        }
        let is_there = |nulls: &NullBuffer| {
            let profiles = profiles.values().iter();
            profiles
                .map(|profile| nulls.is_valid(*profile as usize))
                .collect()
        };
        let lists = Lists {
            offsets: offsets.into(),
            nulls: items.nulls.as_ref().map(is_there),
            items: Box::new(items.items.gather(&UInt32Array::from(numbers))?),
        };
        let holds = self.about(source, &lists, |inner| inner.all_of(&others))?;
        Ok(Some((lists, holds)))
    }

    /// The lists with those of their items that meet all of some conditions.
    fn with_all(&mut self, source: &'a Value, conditions: &[&'a Condition]) -> Result<Lists> {
        let lists = self.lists(source)?;
        if conditions.is_empty() {
            return Ok(lists);
        }
        let holds = self.about(source, &lists, |inner| inner.all_of(conditions))?;
        lists.with_items(|items| {
            let kept = items.filter(|item| holds.value(*item));
            kept.map(|item| item as u32).collect()
        })
    }

    fn all_of(&mut self, conditions: &[&'a Condition]) -> Result<BooleanBuffer> {
        let mut holds = BooleanBuffer::new_set(self.rows());
        for condition in conditions {
            holds = &holds & &self.condition(condition)?;
        }
        Ok(holds)
    }

    /// What the windows among conditions take that an event's timestamp must be in, for each row of the innermost frame.
    fn windows(&mut self, conditions: &[&'a Condition]) -> Result<Vec<Each<Bounds>>> {
        let windows = conditions.iter().filter_map(|part| window_of(part));
        let windows: Vec<&'a Window> = windows.collect();
        // To the windows the row is the scope around the event's, of which they see nothing.
        let rows = self.rows() as u32;
        let row = Column::Constant(Arc::new(Int64Array::new_null(1)));
        self.frames
            .push(row, UInt32Array::from_iter_values(0..rows));
        let bounds = windows.into_iter().map(|window| self.bounds(window));
        let bounds = bounds.collect();
        self.frames.pop();
        bounds
    }
}

/// Whether something looks at a scope of a level from this one on outwards.
fn looks_around(scopes: impl FnOnce(&mut dyn FnMut(u32)), from: u32) -> bool {
    let mut looks = false;
    scopes(&mut |level| looks |= level >= from);
    looks
}

/// Whether a list has the profile's events, or some of them, in their order.
fn is_by_time(source: &Value) -> bool {
    match &*source.term {
        Term::Events => true,
        Term::Filter(source, _) => is_by_time(source),
        _ => false,
    }
}

/// The timestamps of events in milliseconds; `None` where one has none, or some are not in their order: the caller's rows
/// may be no export's.
fn times(events: &Lists) -> Result<Option<Int64Array>> {
    let times = events.items.field(&["timestamp".to_owned()]);
    // Events of which no expression asks for it may come without.
    let Ok(times) = times else { return Ok(None) };
    let times = times.flat(&Type::Timestamp, events.total())?;
    let times = times
        .as_primitive_opt::<Int64Type>()
        .ok_or_else(|| Error::lacking("a time"))?;
    let is_sorted = || {
        let of_profile = |events: Range<usize>| times.values().get(events);
        let mut all = events.ranges().map(of_profile);
        all.all(|own| own.is_some_and(<[i64]>::is_sorted))
    };
    Ok((times.null_count() == 0 && is_sorted()).then(|| times.clone()))
}

/// The window that a condition asks the item's timestamp for, if it says nothing else of the item.
fn window_of(condition: &Condition) -> Option<&Window> {
    let Test::Occurs(time, window) = &*condition.test else {
        return None;
    };
    let Term::Field(object, names) = &*time.term else {
        return None;
    };
    let is_own = matches!(*object.term, Term::Scope(0)) && names == &["timestamp"];
    let mut sees_item = false;
    window.scopes(&mut |level| sees_item |= level == 0);
    (is_own && !sees_item).then_some(window)
}
