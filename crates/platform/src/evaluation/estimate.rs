//! How many people segments take, and the first of them: over the store as it is now, with nothing written.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use decode::Progress;
use export::{ToldPersons, json_values};
use merge::MergePolicy;
use serde_json::Value;
use store::Store;
use xdm::Timestamp;

use super::changes::{add_by_namespace, by_namespace};
use super::pass::{Audience, Columns, Pass};
use crate::error::Result;

/// How many people are in segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// All profiles, those that have events alone, too.
    pub profiles: u64,
    /// Those in each segment, in the order in which they were given.
    pub members: Vec<u64>,
    /// The same by the namespaces of their identities, in lower case, where that is asked for: a profile of several
    /// counts for each.
    pub by_namespace: Vec<BTreeMap<String, u64>>,
    /// Those with a general opt-out, whom segments leave out unless they say otherwise.
    pub opted_out: u64,
}

/// Counts the people in segments, in one pass over all profiles. Those that they ask for by `inSegment` are evaluated
/// with them, by their definitions.
///
/// # Errors
/// A field that the union schema does not have, an expression that can't be worked out, a damaged store; `progress` was
/// cancelled.
pub fn estimate(
    store: &Store,
    policy: MergePolicy,
    segments: Vec<impl Into<Audience>>,
    now: Timestamp,
    progress: &Arc<Progress>,
) -> Result<Estimate> {
    count(store, policy, segments, now, false, progress)
}

/// The same by namespace, too, for which all identities are read.
///
/// # Errors
/// As for [`estimate`].
pub fn estimate_by_namespace(
    store: &Store,
    policy: MergePolicy,
    segments: Vec<impl Into<Audience>>,
    now: Timestamp,
    progress: &Arc<Progress>,
) -> Result<Estimate> {
    count(store, policy, segments, now, true, progress)
}

fn count(
    store: &Store,
    policy: MergePolicy,
    segments: Vec<impl Into<Audience>>,
    now: Timestamp,
    counts_namespaces: bool,
    progress: &Arc<Progress>,
) -> Result<Estimate> {
    let snapshot = store.snapshot(None)?;
    let counts = Mutex::new(Estimate {
        profiles: 0,
        members: vec![0; segments.len()],
        by_namespace: match counts_namespaces {
            true => vec![BTreeMap::new(); segments.len()],
            false => Vec::new(),
        },
        opted_out: 0,
    });
    let segments = segments.into_iter().map(Into::into).collect();
    let columns = Columns {
        identities: counts_namespaces,
        persons: match counts_namespaces {
            true => ToldPersons::Identities,
            false => ToldPersons::None,
        },
        ..Columns::default()
    };
    let pass = Pass::new(store, &snapshot, policy, segments, now, columns, progress)?;
    pass.run(|chunk| {
        let found = match counts_namespaces {
            true => by_namespace(&chunk)?,
            false => Vec::new(),
        };
        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.profiles += chunk.rows.num_rows() as u64;
        counts.opted_out += chunk.opted_out;
        for (count, members) in counts.members.iter_mut().zip(&chunk.members) {
            *count += members.count_set_bits() as u64;
        }
        for (total, found) in counts.by_namespace.iter_mut().zip(&found) {
            add_by_namespace(total, found);
        }
        Ok(true)
    })?;
    Ok(counts.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// How many people are in each two of some segments: a row and a column for each, in the order in which they were given,
/// with those in one segment where it meets itself.
///
/// # Errors
/// As for [`estimate`].
pub fn overlap(
    store: &Store,
    policy: MergePolicy,
    segments: Vec<impl Into<Audience>>,
    now: Timestamp,
    progress: &Arc<Progress>,
) -> Result<Vec<Vec<u64>>> {
    let snapshot = store.snapshot(None)?;
    let counts = Mutex::new(vec![vec![0; segments.len()]; segments.len()]);
    let segments = segments.into_iter().map(Into::into).collect();
    let columns = Columns::default();
    let pass = Pass::new(store, &snapshot, policy, segments, now, columns, progress)?;
    pass.run(|chunk| {
        let both = |first: &BooleanBuffer| -> Vec<u64> {
            let others = chunk.members.iter();
            others
                .map(|second| (first & second).count_set_bits() as u64)
                .collect()
        };
        let found: Vec<Vec<u64>> = chunk.members.iter().map(both).collect();
        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        let total = counts.iter_mut().flatten();
        total
            .zip(found.into_iter().flatten())
            .for_each(|(total, found)| *total += found);
        Ok(true)
    })?;
    Ok(counts.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// The first people in a segment, in the order of an export's rows, at the most so many: the fields that the expression
/// reads, and their identities, as JSON objects.
///
/// # Errors
/// As for [`estimate`].
pub fn first_members(
    store: &Store,
    policy: MergePolicy,
    segment: impl Into<Audience>,
    now: Timestamp,
    most: usize,
    progress: &Arc<Progress>,
) -> Result<Vec<Value>> {
    let snapshot = store.snapshot(None)?;
    let columns = Columns {
        identities: true,
        event_keys: true,
        ..Columns::default()
    };
    let segments = vec![segment.into()];
    let pass = Pass::new(store, &snapshot, policy, segments, now, columns, progress)?;
    let found: Mutex<Vec<(usize, RecordBatch)>> = Mutex::default();
    pass.run(|chunk| {
        let Some(members) = chunk.members.first() else {
            return Ok(false);
        };
        let kept = filter_record_batch(&chunk.rows, &BooleanArray::new(members.clone(), None));
        let kept = kept.map_err(export::Error::from)?;
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        found.push((chunk.number, kept));
        // Chunks that were begun before are all done before this returns.
        Ok(found.iter().map(|(_, rows)| rows.num_rows()).sum::<usize>() < most)
    })?;
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_by_key(|(number, _)| *number);
    let mut people = Vec::new();
    for (_, rows) in found {
        let rows = rows.slice(0, rows.num_rows().min(most - people.len()));
        people.extend(json_values(&rows)?);
    }
    Ok(people)
}
