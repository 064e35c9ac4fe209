//! Why a person is in a segment, or is not: each part of the expression, and what it saw.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, UInt32Array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::take;
use decode::Progress;
use export::{RequestError, json_values};
use merge::MergePolicy;
use pql::syntax::{Kind, Node, Quantifier, Root};
use pql::{Expression, Function, Schema};
use segment::{EVENTS, Evaluation, Segment, schema_of};
use serde::Serialize;
use serde_json::{Map, Value};
use store::Store;
use xdm::{SEGMENT_NAMESPACE, Timestamp};

use super::pass::{Audience, Chunk, Columns, Pass};
use super::standing::Standing;
use crate::error::{Error, Result};

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
    /// What it is made of by `and`, `or` and `not`.
    pub parts: Vec<ExplainedPart>,
    /// The profile's fields that it reads, where it is made of nothing: what is not there is null.
    pub values: Map<String, Value>,
    /// The events that its filters take, the first ones, where it has filters over events.
    pub events: Vec<Value>,
    /// How many those are.
    pub event_count: Option<u64>,
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
    let tree = Part::of(expression.root(), &|node| node, &schema, &mut segments)?;
    let columns = Columns {
        identities: true,
        event_keys: true,
        persons: true,
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
        expression: tree.explained(&chunk, &row, &events, now)?,
        stored: stored(&chunk, id),
    }))
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

/// A part, by the number of its segment among those that are evaluated.
struct Part {
    text: String,
    number: usize,
    parts: Vec<Part>,
    /// The paths of the profile's fields that it reads.
    fields: Vec<Vec<String>>,
    /// What its filters over events take, each as a condition on a profile of one event.
    filters: Vec<pql::Checked>,
}

impl Part {
    /// The parts of a node, each of which `close` puts into the binders around it.
    fn of(
        node: &Node,
        close: &dyn Fn(Node) -> Node,
        schema: &Schema,
        segments: &mut Vec<Audience>,
    ) -> Result<Self> {
        let own = tree(close(node.clone()))?;
        let checked = checked(&own, schema)?;
        let number = segments.len();
        let segment = Segment::new(format!(" part {number}"), checked.clone());
        segments.push(Audience::of_anybody(segment));
        let mut part = Self {
            text: tree(node.clone()).unwrap_or_else(|_| own.clone()).to_text(),
            number,
            parts: Vec::new(),
            fields: Vec::new(),
            filters: Vec::new(),
        };
        match node.kind() {
            Kind::Apply(Function::And | Function::Or | Function::Not, parts) => {
                for inner in parts {
                    part.parts.push(Self::of(inner, close, schema, segments)?);
                }
            }
            Kind::Let(name, value, body) => {
                let within = |inner: Node| {
                    let kind = Kind::Let(name.clone(), value.clone(), Box::new(inner));
                    close(Node::new(kind, node.span()))
                };
                part.parts.push(Self::of(body, &within, schema, segments)?);
            }
            _ => {
                let columns = checked.columns();
                let paths = columns.profile.into_iter().map(|column| column.path);
                part.fields = paths.filter(|path| !path.is_empty()).collect();
                collect_filters(node, close, schema, &mut part.filters);
            }
        }
        Ok(part)
    }

    fn explained(
        &self,
        chunk: &Chunk,
        row: &Value,
        events: &Option<(RecordBatch, Vec<Value>)>,
        now: Timestamp,
    ) -> Result<ExplainedPart> {
        let parts = self.parts.iter();
        let parts = parts.map(|part| part.explained(chunk, row, events, now));
        let values = self.fields.iter().map(|path| {
            // What is in a list or a map is shown with all of it.
            let mut found = Some(row);
            let mut shown: Vec<&str> = Vec::new();
            for name in path {
                let Some(Value::Object(object)) = found else {
                    break;
                };
                found = object.get(name);
                shown.push(name);
            }
            (shown.join("."), found.cloned().unwrap_or(Value::Null))
        });
        let mut taken: Vec<usize> = Vec::new();
        if let (Some((rows, _)), false) = (events, self.filters.is_empty()) {
            let filters = self.filters.iter().enumerate();
            let filters = filters.map(|(i, checked)| Segment::new(i.to_string(), checked.clone()));
            let evaluation = Evaluation::new(filters.collect(), now);
            // One that asks for other segments within a filter is not followed.
            if let Ok(evaluation) = evaluation {
                let members = evaluation.members(rows).map_err(super::pass::refused)?;
                for members in members {
                    taken.extend(members.set_indices());
                }
            }
            taken.sort_unstable();
            taken.dedup();
        }
        let event = |i: &usize| events.as_ref()?.1.get(*i).cloned();
        Ok(ExplainedPart {
            text: self.text.clone(),
            holds: holds(chunk, self.number),
            parts: parts.collect::<Result<_>>()?,
            values: values.collect(),
            events: taken.iter().take(MOST_EVENTS).filter_map(event).collect(),
            event_count: (!self.filters.is_empty()).then_some(taken.len() as u64),
        })
    }
}

fn tree(node: Node) -> Result<Expression> {
    let read = Expression::from_tree(&node);
    read.map_err(|error| Error::Panic(format!("a part of an expression is none: {error}")))
}

/// Finds the filters over events in a node that stand by themselves: those that use variables around them don't check.
fn collect_filters(
    node: &Node,
    close: &dyn Fn(Node) -> Node,
    schema: &Schema,
    filters: &mut Vec<pql::Checked>,
) {
    let is_over_events = match node.kind() {
        Kind::Apply(Function::Filter, parts) => parts.first().is_some_and(is_events),
        Kind::Quantified(Quantifier::Select | Quantifier::Exists, ranges) => match &ranges[..] {
            [range] => is_events(&range.source),
            _ => false,
        },
        _ => is_events(node),
    };
    if is_over_events {
        let checked = Expression::from_tree(&close(node.clone()));
        filters.extend(checked.ok().and_then(|one| one.check(schema).ok()));
        return;
    }
    node.kind()
        .for_each_child(&mut |child| collect_filters(child, close, schema, filters));
}

fn is_events(node: &Node) -> bool {
    match node.kind() {
        Kind::Fields(object, names) => {
            let is_profile = matches!(object.kind(), Kind::Root(Root::Profile));
            is_profile && matches!(&names[..], [name] if name.text == "xEvent")
        }
        _ => false,
    }
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
