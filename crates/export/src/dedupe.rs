//! Deduplication: of the profiles of a batch that have one key, one stays.
//!
//! Which one that is takes a look at all of them. So a first pass makes the rows of the batch with nothing but their
//! keys and memberships, and notes for each chunk which rows stay; the export itself is the second pass, over the same
//! people in the same chunks.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, MapArray, RecordBatch, StringArray, new_null_array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use filter::{MembershipFilter, MembershipVerdict};
use membership::{Posting, Status};
use projection::Projection;
use xdm::{FieldPath, FieldType, Fields, IDENTITY_MAP, SEGMENT_MEMBERSHIP, Timestamp, digest128};

use crate::error::{Error, Result};
use crate::identity_rows::{ids_in, text};
use crate::plan::Plan;
use crate::request::RequestError;
use crate::rows::{complete, field};

/// Where a request has its keys.
const AT: &str = "deduplicationKeys";

/// How profiles of one key become one.
#[derive(Clone, Debug)]
pub struct Deduplication {
    keys: Vec<Key>,
    /// The export of the keys alone.
    first_pass: Plan,
}

/// A part of what makes two profiles one.
#[derive(Clone, Debug)]
enum Key {
    /// The value of a field.
    Field(FieldPath),
    /// The first identity of a namespace.
    Namespace(String),
}

/// Which rows of each chunk stay, before any of them is left out for something else.
pub(crate) type Kept = Vec<BooleanBuffer>;

/// A mistake of ours: to drop rows by what was found of others would be a loss in silence.
pub(crate) fn passes_differ() -> Error {
    let problem = "the passes of a deduplication differ in their rows; this is a mistake of ours";
    ArrowError::ComputeError(problem.to_owned()).into()
}

/// Why there are no shards of it.
pub(crate) fn no_shard() -> RequestError {
    let problem = "it looks at all profiles, and a shard has a part of them; export it whole";
    RequestError::new(AT, problem)
}

impl Deduplication {
    /// Reads the keys of a request for what the plan is otherwise.
    pub(crate) fn new(texts: &[String], plan: &Plan, union: &Fields) -> Result<Self> {
        let mut keys = Vec::new();
        let mut needed = plan.mandatory.clone();
        for (i, text) in texts.iter().enumerate() {
            let refused = |problem: String| RequestError::new(format!("{AT}[{i}]"), problem);
            let path = FieldPath::parse(text).map_err(|error| refused(error.to_string()))?;
            let key = match path.parts() {
                [map, namespace] if map == IDENTITY_MAP => {
                    needed.push(FieldPath::from_parts([IDENTITY_MAP]));
                    Key::Namespace(namespace.clone())
                }
                _ => {
                    check_scalar(&path, union).map_err(refused)?;
                    needed.push(path.clone());
                    Key::Field(path)
                }
            };
            keys.push(key);
        }
        let is_open = plan.batches.iter().all(MembershipFilter::is_open);
        if !is_open && union.get(SEGMENT_MEMBERSHIP).is_some() {
            needed.push(FieldPath::from_parts([SEGMENT_MEMBERSHIP]));
        }
        let projection = Projection::new(&needed, union).map_err(|error| (AT, error))?;
        let first_pass = Plan {
            projection,
            events: None,
            deduplication: None,
            row_per_identity: None,
            mandatory: Vec::new(),
            ..plan.clone()
        };
        Ok(Self { keys, first_pass })
    }

    pub(crate) fn first_pass(&self) -> &Plan {
        &self.first_pass
    }

    /// Which rows stay of those that the first pass makes of a batch: of one key the one whose membership was
    /// qualified last, of several of these the first. One that lacks a part of the key is nobody's duplicate; one that
    /// lacks a mandatory field makes none.
    pub(crate) fn kept(
        &self,
        chunks: impl Iterator<Item = Result<RecordBatch>>,
        membership: &MembershipFilter,
        mandatory: &[FieldPath],
    ) -> Result<Kept> {
        let mut kept: Vec<Vec<bool>> = Vec::new();
        // The time in microseconds, the least where there is none, and where the row is.
        let mut best: HashMap<u128, (i64, u32, u32)> = HashMap::new();
        for (chunk, rows) in chunks.enumerate() {
            let rows = rows?;
            let mut of_chunk = vec![true; rows.num_rows()];
            let times = qualified(&rows, membership)?;
            let is_complete = complete(&rows, mandatory);
            for (row, key) in self.digests(&rows)?.into_iter().enumerate() {
                let Some(key) = key else { continue };
                if is_complete.as_ref().is_some_and(|all| !all.value(row)) {
                    continue;
                }
                let time = times.get(row).copied().flatten();
                let time = time.map_or(i64::MIN, Timestamp::micros);
                let place = (time, chunk as u32, row as u32);
                match best.entry(key) {
                    Entry::Vacant(slot) => {
                        slot.insert(place);
                    }
                    Entry::Occupied(mut slot) if slot.get().0 < time => {
                        let (_, old_chunk, old_row) = slot.insert(place);
                        let (old_chunk, old_row) = (old_chunk as usize, old_row as usize);
                        let old = match old_chunk == chunk {
                            true => Some(&mut of_chunk),
                            false => kept.get_mut(old_chunk),
                        };
                        if let Some(stays) = old.and_then(|rows| rows.get_mut(old_row)) {
                            *stays = false;
                        }
                    }
                    Entry::Occupied(_) => {
                        if let Some(stays) = of_chunk.get_mut(row) {
                            *stays = false;
                        }
                    }
                }
            }
            kept.push(of_chunk);
        }
        Ok(kept.into_iter().map(BooleanBuffer::from).collect())
    }

    /// The digest of each row's key, where it has all of it. Among 2^32 keys two have one digest with a chance of
    /// 1 in 2^65.
    fn digests(&self, rows: &RecordBatch) -> Result<Vec<Option<u128>>> {
        let mut nulls: Option<NullBuffer> = None;
        let mut columns = Vec::new();
        for key in &self.keys {
            let (column, own) = match key {
                Key::Field(path) => field(rows, path),
                Key::Namespace(namespace) => {
                    let first = first_ids(rows, namespace)?;
                    let own = first.logical_nulls();
                    (Some(first), own)
                }
            };
            let Some(column) = column else {
                return Ok(vec![None; rows.num_rows()]);
            };
            nulls = NullBuffer::union(nulls.as_ref(), own.as_ref());
            columns.push(column);
        }
        let fields = columns
            .iter()
            .map(|column| SortField::new(column.data_type().clone()));
        let keys = RowConverter::new(fields.collect())?.convert_columns(&columns)?;
        let digest = |(row, key): (usize, arrow::row::Row<'_>)| {
            let is_whole = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
            is_whole.then(|| digest128(key.as_ref()))
        };
        Ok(keys.iter().enumerate().map(digest).collect())
    }
}

fn check_scalar(path: &FieldPath, union: &Fields) -> Result<(), String> {
    let mut among = Some(union);
    let mut found = None;
    for part in path.parts() {
        found = among.and_then(|fields| fields.get(part));
        among = match found {
            Some(FieldType::Object(fields)) => Some(fields),
            _ => None,
        };
    }
    let name = path.parts().join(".");
    match found {
        None => Err(format!(
            "found {name:?}, which is no field of the union schema; a namespace is written identityMap.Email"
        )),
        Some(FieldType::Object(_) | FieldType::List(_) | FieldType::Map(_)) => Err(format!(
            "found {name:?}, which has no single value; name a field in it"
        )),
        Some(_) => Ok(()),
    }
}

/// The first identity of a namespace of each row.
fn first_ids(rows: &RecordBatch, namespace: &str) -> Result<ArrayRef> {
    let Some(map) = rows.column_by_name(IDENTITY_MAP) else {
        return Ok(new_null_array(&DataType::Utf8, rows.num_rows()));
    };
    let mut first: Vec<Option<String>> = vec![None; rows.num_rows()];
    for (row, id) in ids_in(map, namespace)? {
        if let Some(slot) = first.get_mut(row) {
            slot.get_or_insert(id);
        }
    }
    Ok(Arc::new(StringArray::from(first)))
}

/// When the newest membership that counts was qualified, of each row. Empty where none is asked for.
fn qualified(rows: &RecordBatch, filter: &MembershipFilter) -> Result<Vec<Option<Timestamp>>> {
    let mut latest = vec![None; rows.num_rows()];
    let (Some(map), false) = (rows.column_by_name(SEGMENT_MEMBERSHIP), filter.is_open()) else {
        return Ok(Vec::new());
    };
    let map = map.as_map();
    let namespaces = text(map.keys())?;
    let segments = map.values().as_map();
    let Some(memberships) = Memberships::of(segments)? else {
        return Ok(latest);
    };
    for (row, slot) in latest.iter_mut().enumerate() {
        if map.is_null(row) {
            continue;
        }
        for of_namespace in entries(map, row) {
            if segments.is_null(of_namespace) {
                continue;
            }
            let namespace = namespaces.value(of_namespace).to_ascii_lowercase();
            for at in entries(segments, of_namespace) {
                let statuses = filter.statuses_of(&namespace, memberships.ids.value(at));
                let posting = memberships.posting(at);
                if filter.verdict(&statuses, posting) == MembershipVerdict::Counts {
                    *slot = (*slot).max(posting.qualified);
                }
            }
        }
    }
    Ok(latest)
}

fn entries(map: &MapArray, at: usize) -> std::ops::Range<usize> {
    let offsets = map.value_offsets();
    let end = |at: usize| offsets.get(at).map_or(0, |end| *end as usize);
    end(at)..end(at + 1)
}

/// The memberships of a chunk.
struct Memberships {
    ids: StringArray,
    times: ArrayRef,
    statuses: Option<StringArray>,
}

impl Memberships {
    fn of(segments: &MapArray) -> Result<Option<Self>> {
        let objects = segments.values().as_struct();
        let Some(times) = objects.column_by_name("lastQualificationTime") else {
            return Ok(None);
        };
        let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let statuses = objects.column_by_name("status").map(text).transpose()?;
        Ok(Some(Self {
            ids: text(segments.keys())?,
            times: cast(times, &micros)?,
            statuses,
        }))
    }

    fn posting(&self, at: usize) -> Posting {
        let status = self
            .statuses
            .as_ref()
            .filter(|statuses| statuses.is_valid(at));
        let times = self.times.as_primitive_opt::<TimestampMicrosecondType>();
        let time = times.filter(|times| times.is_valid(at));
        Posting {
            row: 0,
            status: Status::of(status.map(|statuses| statuses.value(at))),
            qualified: time.map(|times| Timestamp::from_micros(times.value(at))),
        }
    }
}
