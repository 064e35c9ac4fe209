//! The events of a profile: a window of them, in order, a page at a time.

use decode::Progress;
use export::{FoundEvent, ProfileEvents, RequestError};
use store::Store;
use xdm::{Class, IDENTITY_MAP, Identity, Timestamp};

use super::{Lookup, Lookups, Property, policy_of};
use crate::error::Result;

/// What a cursor begins with that counts events, where an `_id` would not tell one from another.
const PLACE: char = '#';

/// Which events of a profile are looked up.
#[derive(Clone, Debug, PartialEq)]
pub struct EventQuery {
    /// Comma-separated field paths of events; all fields where it is missing or blank.
    pub fields: Option<String>,
    /// A merge policy's ID; the default where it is missing.
    pub merge_policy: Option<String>,
    /// From this moment on.
    pub start: Option<Timestamp>,
    /// Before this moment.
    pub end: Option<Timestamp>,
    /// Whether the latest come first.
    pub descends: bool,
    /// At the most so many.
    pub limit: usize,
    /// The cursor of the first, as an earlier page gave it.
    pub cursor: Option<String>,
    /// What has to hold of each.
    pub properties: Vec<Property>,
}

/// A page of events.
#[derive(Clone, Debug, PartialEq)]
pub struct EventPage {
    /// Its events.
    pub events: Vec<FoundEvent>,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}

impl Lookups {
    /// A page of the events of an identity's profile; `None` where there is no such profile. Of all its events the times are
    /// read that a window asks for, the fields of conditions, and the `_id`s where a cursor is one; of the page all that is
    /// shown.
    ///
    /// # Errors
    /// As for [`Lookups::find`]; a cursor that no page gave.
    pub fn events(
        &self,
        store: &Store,
        query: &EventQuery,
        identity: &Identity,
        progress: &Progress,
    ) -> Result<Option<EventPage>> {
        let state = self.state(store)?;
        let union = state.snapshot.union(Class::Event);
        let deciding = query.properties.iter();
        let deciding: Vec<String> = deciding
            .map(|property| property.check(union))
            .collect::<Result<_, _>>()?;
        let policy = policy_of(store, query.merge_policy.as_deref())?;
        let lookup = |event_fields: String| Lookup {
            fields: Some(IDENTITY_MAP.to_owned()),
            event_fields: Some(event_fields),
            merge_policy: query.merge_policy.clone(),
        };
        let fields = query.fields.as_deref().map(str::trim);
        let shown = match fields.filter(|fields| !fields.is_empty()) {
            Some(fields) => format!("{fields},_id,timestamp"),
            None => String::new(),
        };
        let reader = state.reader(policy.clone(), &lookup(shown))?;
        let found = reader.events_of(&identity.namespace, &identity.id, progress)?;
        let Some(mut events) = found else {
            return Ok(None);
        };
        let (start, end) = (query.start, query.end);
        if start.is_some() || end.is_some() {
            events.retain_at(|at| {
                start.is_none_or(|start| at >= start) && end.is_none_or(|end| at < end)
            })?;
        }
        if !deciding.is_empty() {
            let plan = state.plan(policy, &lookup(deciding.join(",")))?;
            events.retain(&plan, |event| {
                query.properties.iter().all(|one| one.holds(event))
            })?;
        }
        if query.descends {
            events.reverse();
        }
        let first = match &query.cursor {
            None => 0,
            Some(cursor) => place_of(&events, cursor)?,
        };
        Ok(Some(EventPage {
            next: cursor_of(&events, first.saturating_add(query.limit))?,
            events: events.page(first, query.limit)?,
        }))
    }
}

/// What names the event at a place, if there is one: its `_id`, unless one before it has the same.
fn cursor_of(events: &ProfileEvents<'_>, at: usize) -> Result<Option<String>> {
    let found = events.id_at(at)?;
    Ok(found.map(
        |(id, is_first)| match is_first && !id.is_empty() && !id.starts_with(PLACE) {
            true => id,
            false => format!("{PLACE}{at}"),
        },
    ))
}

fn place_of(events: &ProfileEvents<'_>, cursor: &str) -> Result<usize> {
    let counted = cursor
        .strip_prefix(PLACE)
        .and_then(|at| at.parse::<usize>().ok());
    let found = match counted {
        Some(at) => Some(at),
        None => events.position(cursor)?,
    };
    found.ok_or_else(|| {
        let problem = format!("found {cursor:?}, which is the _id of none of these events");
        RequestError::new("start", problem).into()
    })
}
