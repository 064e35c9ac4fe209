//! Why a person is in a segment, or is not: each part of the expression, and what it saw.

mod filters;
mod parts;

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, UInt32Array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::take;
use decode::Progress;
use export::{RequestError, ToldPersons, json_values};
use merge::MergePolicy;
use pql::{Expression, Schema};
use segment::{EVENTS, Segment, schema_of};
use serde::Serialize;
use serde_json::{Map, Value};
use store::Store;
use xdm::{SEGMENT_NAMESPACE, Timestamp};

use self::parts::Parts;
use super::pass::{Audience, Chunk, Columns, Pass};
use super::standing::Standing;
use crate::error::Result;

/// Why a person is in a segment, or is not.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SegmentExplanation {
    /// The primary identities that are this profile, `Email:ann@example.com`: several by an identity graph.
    pub identities: Vec<String>,
    /// Whether it is in the segment.
    pub is_in: bool,
    /// Whether it opted out, and is therefore not in it whatever the expression says.
    pub is_opted_out: bool,
    /// The expression.
    pub expression: ExplainedPart,
    /// The membership that is stored, in an evaluation's words or in those of data: `{status, lastQualificationTime}`.
    pub stored: Option<StoredMembership>,
}

/// A membership that is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredMembership {
    /// What it says.
    pub status: String,
    /// When the person entered or left.
    pub last_qualification_time: Option<String>,
    /// Whether an evaluation made it, or data brought it along.
    pub is_evaluated: bool,
}

/// A part of an expression.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedPart {
    /// Its text.
    pub text: String,
    /// Whether it holds.
    pub holds: bool,
    /// What it is made of by `and`, `or` and `not`; the steps of a CHAIN, each with all before it; of several variables each
    /// one's own condition, which looks at no other.
    pub parts: Vec<ExplainedPart>,
    /// The profile's fields that it reads, where it is made of nothing: what is not there is null.
    pub values: Map<String, Value>,
    /// The events that fit, the first ones, where it asks for events: that its filters take, that a path to a field of theirs
    /// leads into. Of a step of a CHAIN those that it takes, in the order of the steps, if it takes any.
    pub events: Vec<Value>,
    /// How many events fit.
    pub event_count: Option<u64>,
    /// How many of them a step of a CHAIN takes, behind those of the steps before: as many as its COUNT where it is reached.
    /// None where steps are not in the order of the events' timestamps.
    pub taken_count: Option<u64>,
}

/// The most events that are shown of a part.
const MOST_EVENTS: usize = 3;

/// Explains a segment's expression for the profile of a primary identity; `None` where no record that takes part has that
/// identity.
///
/// # Errors
/// A field that the union schema does not have, an expression that can't be worked out, a damaged store.
pub fn explain_segment(
    store: &Store,
    policy: MergePolicy,
    (id, expression, definition): (&str, &Expression, Option<&Value>),
    (namespace, identity): (&str, &str),
    now: Timestamp,
    progress: &Arc<Progress>,
) -> Result<Option<SegmentExplanation>> {
    let snapshot = store.snapshot(None)?;
    let schema = schema_of(&snapshot.profile_union, &snapshot.event_union);
    let mut segments: Vec<Audience> = Vec::new();
    let whole = Segment::new(id, checked(expression, &schema)?);
    let always = Value::Null;
    segments.push(Audience::of_definition(
        whole,
        definition.unwrap_or(&always),
    ));
    let mut parts = Parts {
        schema: &schema,
        segments: &mut segments,
    };
    let tree = parts.part(expression.root(), &|node| node)?;
    let columns = Columns {
        identities: true,
        event_keys: true,
        persons: ToldPersons::Memberships,
    };
    let pass = Pass::new(store, &snapshot, policy, segments, now, columns, progress)?;
    let Some(pass) = pass.only(namespace, identity) else {
        return Ok(None);
    };
    let found = Mutex::new(None);
    pass.run(|chunk| {
        if chunk.rows.num_rows() > 0 {
            *found.lock().unwrap_or_else(PoisonError::into_inner) = Some(chunk);
        }
        Ok(true)
    })?;
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let Some(chunk) = found else { return Ok(None) };
    let row = json_values(&chunk.rows.slice(0, 1))?.pop();
    let row = row.unwrap_or_default();
    let events = each_event(&chunk.rows)?;
    let seen = Seen {
        chunk: &chunk,
        row: &row,
        events: events.as_ref(),
        now,
    };
    let persons = chunk.persons.as_ref();
    let identities = persons.map(|persons| {
        let all = persons.namespaces.iter().zip(&persons.ids);
        all.filter_map(|(namespace, id)| Some(format!("{}:{}", namespace?, id?)))
            .collect()
    });
    Ok(Some(SegmentExplanation {
        identities: identities.unwrap_or_default(),
        is_in: holds(&chunk, 0),
        is_opted_out: chunk.opted_out > 0,
        expression: tree.explained(&seen)?,
        stored: stored(&chunk, id),
    }))
}

/// What is seen of the profile that is explained.
struct Seen<'a> {
    chunk: &'a Chunk,
    row: &'a Value,
    /// The profile once for each of its events, and these.
    events: Option<&'a (RecordBatch, Vec<Value>)>,
    now: Timestamp,
}

fn checked(expression: &Expression, schema: &Schema) -> Result<pql::Checked> {
    let checked = expression.check(schema);
    checked.map_err(|error| RequestError::new("expression", error.to_string()).into())
}

/// Whether the only profile of a chunk is in a segment.
fn holds(chunk: &Chunk, number: usize) -> bool {
    let members = chunk.members.get(number);
    members.is_some_and(|members| members.value(0))
}

fn stored(chunk: &Chunk, id: &str) -> Option<StoredMembership> {
    let persons = chunk.persons.as_ref()?;
    let both = [(&persons.evaluated, true), (&persons.brought, false)];
    both.into_iter().find_map(|(index, is_evaluated)| {
        let is_it = |namespace: &str| namespace == SEGMENT_NAMESPACE;
        let own = index
            .segments()
            .filter(|one| one.id == id && is_it(one.namespace));
        let postings = own.flat_map(|one| one.postings());
        // What the next evaluation begins with.
        let before = Standing::of_all(postings.map(|one| Standing {
            status: one.status,
            qualified: one.qualified,
        }))?;
        Some(StoredMembership {
            status: before.status.to_string(),
            last_qualification_time: before.qualified.map(|time| time.to_string()),
            is_evaluated,
        })
    })
}

/// The only profile of a chunk once for each of its events, with that event alone; and the events as JSON.
fn each_event(rows: &RecordBatch) -> Result<Option<(RecordBatch, Vec<Value>)>> {
    let Some(lists) = rows
        .column_by_name(EVENTS)
        .and_then(|one| one.as_list_opt::<i32>())
    else {
        return Ok(None);
    };
    let lists = lists.slice(0, 1);
    let first = lists.value_offsets().first().copied().unwrap_or_default() as usize;
    let count = lists.value_length(0) as usize;
    let events = lists.values().slice(first, count);
    let nothing = UInt32Array::from(vec![0; count]);
    let each = |(field, column): (&arrow::datatypes::FieldRef, &ArrayRef)| -> Result<ArrayRef> {
        if field.name() != EVENTS {
            return Ok(take(column, &nothing, None).map_err(export::Error::from)?);
        }
        let item = match column.data_type() {
            arrow::datatypes::DataType::List(item) => Arc::clone(item),
            _ => unreachable!("events are a list"),
        };
        let one_each = OffsetBuffer::from_repeated_length(1, count);
        let lists = ListArray::try_new(item, one_each, Arc::clone(&events), None);
        Ok(Arc::new(lists.map_err(export::Error::from)?))
    };
    let schema = rows.schema();
    let columns = schema.fields().iter().zip(rows.columns()).map(each);
    let columns = columns.collect::<Result<_>>()?;
    let each = RecordBatch::try_new(schema, columns).map_err(export::Error::from)?;
    let shown = json_values(&RecordBatch::from(events.as_struct()))?;
    Ok(Some((each, shown)))
}
