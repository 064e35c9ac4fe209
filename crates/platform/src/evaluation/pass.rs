//! A pass over all profiles that works out whom segments take.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::buffer::BooleanBuffer;
use catalog::{Catalog, DocumentKind};
use decode::{Phase, Progress};
use export::{
    AdditionalFields, EventList, Export, ExportRequest, FilterRequest, PersonRows, Plan,
    RequestError, Shard, ToldPersons, UnionSchemas,
};
use merge::MergePolicy;
use pql::Expression;
use pql::typed::Column;
use run::Snapshot;
use segment::{Evaluation, Segment, schema_of};
use serde_json::Value;
use store::Store;
use xdm::{FieldType, Fields, IDENTITY_MAP, Timestamp, quote_part};

use super::definitions::{expression_of, has_expression, stored_members};
use crate::error::{Error, Result};
use crate::jobs::what_it_said;

/// Who said that no marketing is to be made for them.
const OPTED_OUT: &str = r#"select o from privacyOptOuts where o.optOutType = "general_opt_out" and o.optOutValue = "out""#;
/// What that is called among the segments: no segment's ID begins with a blank.
const OPT_OUTS: &str = " opted out";

/// A segment, and what its definition says beside the expression.
#[derive(Clone, Debug)]
pub struct Audience {
    segment: Segment,
    excludes_opt_outs: bool,
}

impl From<Segment> for Audience {
    fn from(segment: Segment) -> Self {
        Self {
            segment,
            excludes_opt_outs: true,
        }
    }
}

impl Audience {
    /// The segment with those, too, who opted out.
    pub(super) fn of_anybody(segment: Segment) -> Self {
        Self {
            segment,
            excludes_opt_outs: false,
        }
    }

    /// The segment as its definition has it: `dataGovernancePolicy.excludeOptOut` is true where it does not say so.
    #[must_use]
    pub fn of_definition(segment: Segment, definition: &Value) -> Self {
        let says = definition.pointer("/dataGovernancePolicy/excludeOptOut");
        Self {
            segment,
            excludes_opt_outs: says != Some(&Value::Bool(false)),
        }
    }
}

/// What a pass shows beside what the expressions read.
#[derive(Clone, Copy, Default)]
pub(super) struct Columns {
    pub(super) identities: bool,
    /// The time and `_id` of each event, where there are events.
    pub(super) event_keys: bool,
    pub(super) persons: ToldPersons,
}

/// A pass over all profiles with what some segments read.
pub(super) struct Pass {
    export: Export,
    evaluation: Evaluation,
    /// How many segments were given.
    given: usize,
    /// The place of who opted out among what is evaluated, if profiles say so at all.
    opt_outs: Option<usize>,
    columns: Columns,
    /// Whose profiles are looked at.
    shard: Shard,
}

/// What a pass found of some profiles.
pub(super) struct Chunk {
    pub(super) number: usize,
    pub(super) rows: RecordBatch,
    /// Where they were asked for.
    pub(super) persons: Option<PersonRows>,
    /// Who of the rows is in each of the segments that were given.
    pub(super) members: Vec<BooleanBuffer>,
    /// How long each of these took; what several ask is the first one's.
    pub(super) took: Vec<Duration>,
    /// How many opted out.
    pub(super) opted_out: u64,
}

impl Pass {
    pub(super) fn new(
        store: &Store,
        snapshot: &Snapshot,
        policy: MergePolicy,
        audiences: Vec<Audience>,
        now: Timestamp,
        columns: Columns,
        progress: &Arc<Progress>,
    ) -> Result<Self> {
        progress.begin(Phase::Prepare);
        let unions = UnionSchemas::from(snapshot);
        let given = audiences.len();
        let audiences = with_asked(store.catalog(), audiences, &unions)?;
        let who_opted_out = opted_out(&unions)?;
        let excluded = who_opted_out
            .as_ref()
            .filter(|_| audiences.iter().any(|one| one.excludes_opt_outs));
        let of = |one: Audience| match excluded {
            Some(who) if one.excludes_opt_outs => Segment::new(
                one.segment.id(),
                one.segment.checked().without(who.checked()),
            ),
            _ => one.segment,
        };
        let mut segments: Vec<Segment> = audiences.into_iter().map(of).collect();
        let opt_outs = excluded.map(|_| segments.len());
        segments.extend(excluded.cloned());
        let request = request_of(&segments, &unions, columns);
        let plan = Plan {
            persons: columns.persons,
            ..Plan::new(&request, policy, &unions)?
        };
        let evaluation = Evaluation::new(segments, now).map_err(refused)?;
        let export = Export::watched(snapshot, &plan, Arc::clone(progress))?.with_dictionaries();
        progress.begin(Phase::Export);
        Ok(Self {
            export,
            evaluation,
            given,
            opt_outs,
            columns,
            shard: Shard::ALL,
        })
    }

    /// The same over the profile of a primary identity alone; `None` where it is left out.
    pub(super) fn only(self, namespace: &str, id: &str) -> Option<Self> {
        let shard = self.export.shard_of(namespace, id)?;
        Some(Self { shard, ..self })
    }

    /// Evaluates all chunks, on as many threads as there are, until `take` has enough. All that were begun are taken.
    pub(super) fn run(&self, take: impl Fn(Chunk) -> Result<bool> + Sync) -> Result<()> {
        // None of rayon's threads, which make the rows: what waits for rows is no task of theirs.
        let chunks = Mutex::new(Some(
            self.export
                .batch(0)
                .in_shard(self.shard)
                .chunks()
                .enumerate(),
        ));
        let next = || {
            let mut chunks = chunks.lock().unwrap_or_else(PoisonError::into_inner);
            chunks.as_mut()?.next()
        };
        let stop = || *chunks.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let work = || -> Result<()> {
            while let Some((number, rows)) = next() {
                let done = rows
                    .map_err(Error::from)
                    .and_then(|rows| take(self.chunk(number, rows)?));
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

    fn chunk(&self, number: usize, rows: RecordBatch) -> Result<Chunk> {
        let (rows, persons) = match self.columns.persons {
            ToldPersons::Identities | ToldPersons::Memberships => {
                let (rows, persons) = PersonRows::split(&rows)?;
                (rows, Some(persons))
            }
            ToldPersons::None => (rows, None),
        };
        let found = self.evaluation.timed_members(&rows).map_err(refused)?;
        let (mut members, mut took): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        let opted_out = self.opt_outs.and_then(|place| members.get(place).cloned());
        // Behind those that were given are others that these ask for.
        members.truncate(self.given);
        took.truncate(self.given);
        Ok(Chunk {
            number,
            rows,
            persons,
            members,
            took,
            opted_out: opted_out.map_or(0, |who| who.count_set_bits() as u64),
        })
    }
}

/// Who opted out, as a segment; `None` where no profile has the fields that say so.
fn opted_out(unions: &UnionSchemas) -> Result<Option<Segment>> {
    let schema = schema_of(&unions.profile, &unions.event);
    let expression = Expression::parse(OPTED_OUT);
    let expression = expression.map_err(|error| Error::Panic(error.to_string()))?;
    let checked = expression.check(&schema).ok();
    Ok(checked.map(|checked| Segment::new(OPT_OUTS, checked)))
}

/// The segments, and behind them those that they ask for by `inSegment`, and these, and so on, by their definitions:
/// evaluated as they are now, by the same merge policy. Of one without an expression there is what is stored.
fn with_asked(
    catalog: &Catalog,
    mut segments: Vec<Audience>,
    unions: &UnionSchemas,
) -> Result<Vec<Audience>> {
    let schema = schema_of(&unions.profile, &unions.event);
    let mut looked_at = 0;
    while let Some(segment) = segments.get(looked_at) {
        looked_at += 1;
        for id in segment.segment.checked().segments().to_vec() {
            if segments.iter().any(|known| known.segment.id() == id) {
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
            let definition = definition.value();
            if !has_expression(definition) {
                let checked = stored_members(&id, &schema)?;
                segments.push(Audience::of_anybody(Segment::new(id, checked)));
                continue;
            }
            let expression =
                expression_of(definition).map_err(|error| refused(error.to_string()))?;
            let checked = expression
                .check(&schema)
                .map_err(|error| refused(error.to_string()))?;
            let segment = Segment::new(id, checked);
            segments.push(Audience::of_definition(segment, definition));
        }
    }
    Ok(segments)
}

pub(super) fn refused(error: segment::Error) -> Error {
    match error {
        segment::Error::Arrow(error) => export::Error::from(error).into(),
        error => Error::Request(RequestError::new("expression", error.to_string())),
    }
}

/// The export that gives the rows which segments are evaluated over. Their events are in order whether or not what orders
/// them is read, and an `_id` is most of what an event takes.
fn request_of(segments: &[Segment], unions: &UnionSchemas, columns: Columns) -> ExportRequest {
    let read: Vec<pql::typed::Columns> =
        segments.iter().map(|one| one.checked().columns()).collect();
    let profile = read.iter().flat_map(|columns| &columns.profile);
    let mut fields = paths(profile, &unions.profile);
    if let Some(fields) = &mut fields {
        if columns.identities && unions.profile.get(IDENTITY_MAP).is_some() {
            fields.push(IDENTITY_MAP.to_owned());
        }
        if fields.is_empty() {
            // Rows have a column at least: one that costs little.
            let known = unions.profile.get("_id").map(|_| "_id");
            let first = unions.profile.iter().next().map(|(name, _)| name);
            fields.extend(known.or(first).map(quote_part));
        }
    }
    let reads_events = read.iter().any(|columns| columns.events.is_some());
    // Where there is no event there is no field to read.
    let events = (reads_events && unions.event.iter().next().is_some()).then(|| {
        let read = read.iter().filter_map(|columns| columns.events.as_ref());
        let fields = paths(read.flatten(), &unions.event).map(|mut fields| {
            if columns.event_keys {
                fields.extend(["timestamp".to_owned(), quote_part("_id")]);
            }
            if fields.is_empty() {
                // An event has a field at least: one that costs little.
                fields.push("timestamp".to_owned());
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of events for an expression.
    fn event_fields(expression: &str, columns: Columns) -> Option<String> {
        let event: Fields = [
            ("_id".to_owned(), FieldType::String),
            ("timestamp".to_owned(), FieldType::DateTime),
            ("eventType".to_owned(), FieldType::String),
        ]
        .into_iter()
        .collect();
        let profile: Fields = [("id".to_owned(), FieldType::String)].into_iter().collect();
        let schema = schema_of(&profile, &event);
        let unions = UnionSchemas {
            profile,
            event,
            ..UnionSchemas::default()
        };
        let segment = Segment::parse("it", expression, &schema).expect("an expression");
        let request = request_of(&[segment], &unions, columns);
        request.additional_fields?.event_list?.fields
    }

    #[test]
    fn an_id_of_events_is_read_where_it_is_asked_for_alone() {
        let chain =
            r#"CHAIN(xEvent, timestamp, [A: WHAT(eventType = "a"), B: WHAT(eventType = "b")])"#;
        for (expression, fields) in [
            (chain, "eventType"),
            ("xEvent.count() > 1", "timestamp"),
            (
                r#"xEvent[timestamp occurs today and eventType = "a"]"#,
                "eventType,timestamp",
            ),
            ("exists A from xEvent, B from xEvent where A != B", "_id"),
        ] {
            let found = event_fields(expression, Columns::default());
            assert_eq!(found.as_deref(), Some(fields), "{expression}");
        }
        assert_eq!(event_fields("id", Columns::default()), None);
        let columns = Columns {
            event_keys: true,
            ..Columns::default()
        };
        let found = event_fields(chain, columns);
        assert_eq!(found.as_deref(), Some("eventType,timestamp,_id"));
        assert_eq!(event_fields("id", columns), None);
    }
}
