//! Who is in a segment, by its expression: over the store as it is now, with nothing written.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use catalog::{Catalog, DocumentKind};
use decode::{Phase, Progress};
use export::{
    AdditionalFields, EventList, Export, ExportRequest, FilterRequest, Plan, RequestError,
    UnionSchemas, json_values,
};
use merge::MergePolicy;
use pql::typed::{Column, Columns};
use pql::{Expression, Schema};
use segment::{Evaluation, Segment, schema_of};
use serde_json::Value;
use store::Store;
use xdm::{Class, FieldType, Fields, Timestamp, quote_part};

use crate::error::{Error, Result};
use crate::jobs::what_it_said;
use crate::policies::named_policy;
use crate::resolve::resolve_policy;
use crate::segments::policy_of;

/// The identities of a person: what a preview shows beside the fields of the expression.
const IDENTITY_MAP: &str = "identityMap";

/// How many people are in segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// All profiles, those that have events alone, too.
    pub profiles: u64,
    /// Those in each segment, in the order in which they were given.
    pub members: Vec<u64>,
}

/// The schema that expressions over a store are checked against: its union schemas.
///
/// # Errors
/// The catalog can't be read.
pub fn expression_schema(catalog: &Catalog) -> Result<Schema> {
    let profile = catalog.union(Class::Profile, None)?;
    Ok(schema_of(&profile, &catalog.union(Class::Event, None)?))
}

/// The expression of a segment's definition: `expression.value`, text or JSON.
///
/// # Errors
/// It has none, or one that can't be read; a type that is not PQL.
pub fn expression_of(definition: &Value) -> Result<Expression> {
    let at = "expression";
    let refused = |problem: String| Error::Request(RequestError::new(at, problem));
    let expression = definition.get(at).ok_or_else(|| {
        refused("missing; allowed is {\"type\": \"PQL\", \"value\": \"…\"}".to_owned())
    })?;
    let kind = expression.get("type").and_then(Value::as_str);
    if let Some(kind) = kind.filter(|kind| !kind.eq_ignore_ascii_case("PQL")) {
        return Err(refused(format!(
            "found the type {kind:?}; allowed is \"PQL\""
        )));
    }
    let value = expression.get("value").unwrap_or(&Value::Null);
    Expression::from_json(value).map_err(|error| refused(error.to_string()))
}

/// Refuses a definition whose expression can't be read. One without an expression is kept: it stands for memberships
/// that data brings along. Whether the fields are there is looked at when it is evaluated.
///
/// # Errors
/// What is wrong with it, with line and column.
pub fn check_definition(definition: &Value) -> Result<()> {
    let has_value = |expression: &Value| expression.get("value").is_some();
    match definition.get("expression").is_some_and(has_value) {
        true => expression_of(definition).map(drop),
        false => Ok(()),
    }
}

/// A definition that asks for a segment by `inSegment`, if one does.
///
/// # Errors
/// The catalog can't be read.
pub fn dependent_of(catalog: &Catalog, id: &str) -> Result<Option<String>> {
    let schema = expression_schema(catalog)?;
    for document in catalog.documents(DocumentKind::Segment)? {
        let definition = document.value();
        // One that can't be evaluated asks for nothing.
        let checked = expression_of(definition).map(|expression| expression.check(&schema));
        let Ok(Ok(checked)) = checked else { continue };
        if checked.segments().iter().any(|asked| asked == id) {
            let own = definition.get("id").and_then(Value::as_str);
            return Ok(own.map(str::to_owned));
        }
    }
    Ok(None)
}

/// The merge policy that a segment is evaluated with: the one that is asked for, that of its definition, or the default.
///
/// # Errors
/// There is no such policy.
pub fn policy_of_segment(
    catalog: &Catalog,
    asked: Option<&str>,
    definition: Option<&Value>,
) -> Result<MergePolicy> {
    let own = definition.and_then(policy_of);
    match asked.or(own) {
        Some(id) => named_policy(catalog, id, None, "mergePolicy"),
        None => resolve_policy(catalog, &ExportRequest::default()),
    }
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
    segments: Vec<Segment>,
    now: Timestamp,
    progress: &Arc<Progress>,
) -> Result<Estimate> {
    let none = vec![0; segments.len()];
    let pass = Pass::new(store, policy, segments, now, false, progress)?;
    let counts = Mutex::new(Estimate {
        profiles: 0,
        members: none,
    });
    pass.run(|_, rows, members| {
        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.profiles += rows.num_rows() as u64;
        for (count, members) in counts.members.iter_mut().zip(members) {
            *count += members.count_set_bits() as u64;
        }
        true
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
    segment: Segment,
    now: Timestamp,
    most: usize,
    progress: &Arc<Progress>,
) -> Result<Vec<Value>> {
    let pass = Pass::new(store, policy, vec![segment], now, true, progress)?;
    let found: Mutex<Vec<(usize, RecordBatch)>> = Mutex::default();
    let failed = Mutex::new(None);
    pass.run(|number, rows, members| {
        let Some(members) = members.first() else {
            return false;
        };
        let kept = filter_record_batch(rows, &BooleanArray::new(members.clone(), None));
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        match kept {
            Ok(kept) => found.push((number, kept)),
            Err(error) => {
                *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                return false;
            }
        }
        // Chunks that were begun before are all done before this returns.
        found.iter().map(|(_, rows)| rows.num_rows()).sum::<usize>() < most
    })?;
    if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(export::Error::from(error).into());
    }
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_by_key(|(number, _)| *number);
    let mut people = Vec::new();
    for (_, rows) in found {
        let rows = rows.slice(0, rows.num_rows().min(most - people.len()));
        people.extend(json_values(&rows)?);
    }
    Ok(people)
}

/// A pass over all profiles with what some segments read.
struct Pass {
    export: Export,
    evaluation: Evaluation,
}

impl Pass {
    fn new(
        store: &Store,
        policy: MergePolicy,
        segments: Vec<Segment>,
        now: Timestamp,
        shows_identities: bool,
        progress: &Arc<Progress>,
    ) -> Result<Self> {
        progress.begin(Phase::Prepare);
        let snapshot = store.snapshot(None)?;
        let unions = UnionSchemas::from(&snapshot);
        let segments = with_asked(store.catalog(), segments, &unions)?;
        let request = request_of(&segments, &unions, shows_identities);
        let plan = Plan::new(&request, policy, &unions)?;
        let evaluation = Evaluation::new(segments, now).map_err(refused)?;
        let export = Export::new(&snapshot, &plan)?.with_dictionaries();
        progress.begin(Phase::Export);
        Ok(Self {
            export: export.with_progress(Arc::clone(progress)),
            evaluation,
        })
    }

    /// Evaluates all chunks, on as many threads as there are, until `take` has enough: it gets the number of each chunk,
    /// its rows and who of them is in each segment. All that were begun are taken.
    fn run(
        &self,
        take: impl Fn(usize, &RecordBatch, &[BooleanBuffer]) -> bool + Sync,
    ) -> Result<()> {
        // None of rayon's threads, which make the rows: what waits for rows is no task of theirs.
        let chunks = Mutex::new(Some(self.export.batch(0).chunks().enumerate()));
        let next = || {
            let mut chunks = chunks.lock().unwrap_or_else(PoisonError::into_inner);
            chunks.as_mut()?.next()
        };
        let stop = || *chunks.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let work = || -> Result<()> {
            while let Some((number, rows)) = next() {
                let done = rows.map_err(Error::from).and_then(|rows| {
                    let members = self.evaluation.members(&rows).map_err(refused)?;
                    Ok(take(number, &rows, &members))
                });
                match done {
                    Ok(true) => {}
                    Ok(false) => stop(),
                    Err(error) => {
                        stop();
                        return Err(error);
                    }
                }
            }
            Ok(())
        };
        thread::scope(|scope| {
            let others: Vec<_> = (1..rayon::current_num_threads())
                .map_while(|_| thread::Builder::new().spawn_scoped(scope, work).ok())
                .collect();
            let mut done = work();
            for other in others {
                let other = other.join();
                let other = other.unwrap_or_else(|panic| Err(Error::Panic(what_it_said(&*panic))));
                done = done.and(other);
            }
            done
        })
    }
}

/// The segments, and behind them those that they ask for by `inSegment`, and these, and so on, by their definitions:
/// evaluated as they are now, by the same merge policy.
fn with_asked(
    catalog: &Catalog,
    mut segments: Vec<Segment>,
    unions: &UnionSchemas,
) -> Result<Vec<Segment>> {
    let schema = schema_of(&unions.profile, &unions.event);
    let mut looked_at = 0;
    while let Some(segment) = segments.get(looked_at) {
        looked_at += 1;
        for id in segment.checked().segments().to_vec() {
            if segments.iter().any(|known| known.id() == id) {
                continue;
            }
            // One that is not there is refused by its name.
            let Some(definition) = catalog.document(DocumentKind::Segment, &id, None)? else {
                continue;
            };
            let refused = |problem: String| {
                let problem = format!("segment {id}, which is asked for: {problem}");
                Error::Request(RequestError::new("expression", problem))
            };
            let expression = expression_of(definition.value())?;
            let checked = expression
                .check(&schema)
                .map_err(|error| refused(error.to_string()))?;
            segments.push(Segment::new(id, checked));
        }
    }
    Ok(segments)
}

fn refused(error: segment::Error) -> Error {
    match error {
        segment::Error::Arrow(error) => export::Error::from(error).into(),
        error => Error::Request(RequestError::new("expression", error.to_string())),
    }
}

/// The export that gives the rows which segments are evaluated over, with the identities of each or without.
fn request_of(
    segments: &[Segment],
    unions: &UnionSchemas,
    shows_identities: bool,
) -> ExportRequest {
    let columns: Vec<Columns> = segments.iter().map(|one| one.checked().columns()).collect();
    let profile = columns.iter().flat_map(|columns| &columns.profile);
    let mut fields = paths(profile, &unions.profile);
    if let Some(fields) = &mut fields {
        if shows_identities && unions.profile.get(IDENTITY_MAP).is_some() {
            fields.push(IDENTITY_MAP.to_owned());
        }
        if fields.is_empty() {
            // Rows have a column at least: one that costs little.
            let known = unions.profile.get("_id").map(|_| "_id");
            let first = unions.profile.iter().next().map(|(name, _)| name);
            fields.extend(known.or(first).map(quote_part));
        }
    }
    let reads_events = columns.iter().any(|columns| columns.events.is_some());
    // Where there is no event there is no field to read.
    let events = (reads_events && unions.event.iter().next().is_some()).then(|| {
        let read = columns.iter().filter_map(|columns| columns.events.as_ref());
        let fields = paths(read.flatten(), &unions.event).map(|mut fields| {
            fields.push("timestamp".to_owned());
            fields.push(quote_part("_id"));
            fields.join(",")
        });
        AdditionalFields {
            event_list: Some(EventList {
                fields,
                filter: None,
            }),
        }
    });
    ExportRequest {
        fields: fields.map(|fields| fields.join(",")),
        filter: Some(FilterRequest {
            empty_profiles: Some(true),
            ..FilterRequest::default()
        }),
        additional_fields: events,
        ..ExportRequest::default()
    }
}

/// The paths of columns; `None` where one is the whole row. What is in lists and maps is read with these.
fn paths<'a>(columns: impl Iterator<Item = &'a Column>, union: &Fields) -> Option<Vec<String>> {
    let mut all = Vec::new();
    for column in columns {
        let mut path = Vec::new();
        let mut fields = Some(union);
        for name in &column.path {
            let Some(inner) = fields.and_then(|fields| fields.get(name)) else {
                break;
            };
            path.push(quote_part(name));
            fields = match inner {
                FieldType::Object(fields) => Some(fields),
                _ => None,
            };
        }
        match (path.is_empty(), column.only_shape) {
            (false, _) => all.push(path.join(".")),
            (true, true) => {}
            (true, false) => return None,
        }
    }
    all.sort();
    all.dedup();
    Some(all)
}
