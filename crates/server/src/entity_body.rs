//! Whose profiles or events are looked up, and which of them: query parameters and bodies of Profile Access.

use profile_export::platform::{EventQuery, Lookup, Property, identity_of_xid};
use profile_export::xdm::{Class, Identity, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::problem::{Answer, Problem};
use crate::query::Query;

/// The most events of a page, and how many there are where nobody says.
const PAGE: u32 = 1000;
/// The most identities of a body.
const MOST_IDENTITIES: usize = 1000;
/// The same where each has a page of events.
const MOST_WITH_EVENTS: usize = 50;
/// Times below are seconds, as the platform's samples have them; it says milliseconds, which these would be of 1973 at the
/// latest.
const SECONDS_BELOW: i64 = 100_000_000_000;

/// What is looked up.
pub(crate) enum Wanted {
    Profile(Lookup),
    Events(EventQuery),
}

/// An identity of a body.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EntityIdentity {
    /// An id of the namespace, or an XID where that is missing.
    #[serde(default)]
    #[schema(nullable = false)]
    entity_id: Option<String>,
    #[serde(default, rename = "entityIdNS")]
    #[schema(nullable = false)]
    entity_id_ns: Option<NamespaceCode>,
    /// Whose events.
    #[serde(default)]
    #[schema(nullable = false)]
    related_entity_id: Option<String>,
    #[serde(default, rename = "relatedEntityIdNS")]
    #[schema(nullable = false)]
    related_entity_id_ns: Option<NamespaceCode>,
    /// Where its page of events begins, as an earlier page says it.
    #[serde(default)]
    #[schema(nullable = false)]
    pub(crate) start: Option<String>,
}

/// A namespace.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NamespaceCode {
    /// Such as Email.
    code: String,
}

/// The name of a class.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClassName {
    /// _xdm.context.profile, or _xdm.context.experienceevent.
    name: String,
}

/// A window of events.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TimeFilter {
    /// From this moment on, in milliseconds since 1970.
    #[serde(default)]
    #[schema(nullable = false)]
    start_time: Option<i64>,
    /// Before this moment.
    #[serde(default)]
    #[schema(nullable = false)]
    end_time: Option<i64>,
}

/// Profiles or events of several identities.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EntitiesBody {
    schema: ClassName,
    /// The class whose events they are: _xdm.context.profile.
    #[serde(default)]
    #[schema(nullable = false)]
    related_schema: Option<ClassName>,
    /// Field paths; all fields where it is missing or empty.
    #[serde(default)]
    #[schema(nullable = false)]
    fields: Option<Vec<String>>,
    /// At the most 1000, of events 50; none twice.
    pub(crate) identities: Vec<EntityIdentity>,
    #[serde(default)]
    #[schema(nullable = false)]
    time_filter: Option<TimeFilter>,
    /// Events of each identity, at the most and by default 1000.
    #[serde(default)]
    #[schema(nullable = false, minimum = 1)]
    limit: Option<u32>,
    /// timestamp, or -timestamp for the latest first.
    #[serde(default, alias = "orderBy")]
    #[schema(nullable = false)]
    orderby: Option<String>,
    /// The platform's computed attributes; there are none here.
    #[serde(default, rename = "withCA")]
    #[schema(nullable = false)]
    _with_ca: Option<bool>,
    #[serde(default)]
    #[schema(nullable = false)]
    merge_policy_id: Option<String>,
}

impl EntitiesBody {
    pub(crate) fn wanted(&self) -> Answer<Wanted> {
        let fields = self.fields.as_ref().map(|fields| fields.join(","));
        let related = self
            .related_schema
            .as_ref()
            .map(|schema| schema.name.as_str());
        let merge_policy = self.merge_policy_id.clone();
        let of_events = asks_for_events(Some(&self.schema.name), related)?;
        let most = if of_events {
            MOST_WITH_EVENTS
        } else {
            MOST_IDENTITIES
        };
        if self.identities.len() > most {
            return Err(Problem::bad_request(format!(
                "identities: found {}; allowed are {most}",
                self.identities.len()
            )));
        }
        if !of_events {
            return Ok(Wanted::Profile(Lookup {
                fields,
                event_fields: None,
                merge_policy,
            }));
        }
        let limit = match self.limit {
            Some(0) => {
                return Err(Problem::bad_request(
                    "limit: found 0; allowed is a number from 1 to 1000",
                ));
            }
            limit => limit.unwrap_or(PAGE).min(PAGE),
        };
        let window = self.time_filter.as_ref();
        Ok(Wanted::Events(EventQuery {
            fields,
            merge_policy,
            start: window.and_then(|window| window.start_time).map(moment),
            end: window.and_then(|window| window.end_time).map(moment),
            descends: descends(self.orderby.as_deref())?,
            limit: limit as usize,
            cursor: None,
            properties: Vec::new(),
        }))
    }
}

impl EntityIdentity {
    /// Whose profile, or whose events.
    pub(crate) fn identity(&self, of_events: bool) -> Answer<Identity> {
        let own = (
            self.entity_id.as_deref(),
            self.entity_id_ns.as_ref(),
            "entityId",
        );
        let related = (
            self.related_entity_id.as_deref(),
            self.related_entity_id_ns.as_ref(),
            "relatedEntityId",
        );
        let (id, namespace, name) = match of_events && related.0.is_some() {
            true => related,
            false => own,
        };
        identity(name, id, namespace.map(|namespace| namespace.code.as_str()))
    }
}

/// What a query asks for, and of whom.
pub(crate) fn of_query(query: &Query) -> Answer<(Wanted, Identity)> {
    let text = |name: &str| query.text(name);
    if !asks_for_events(query.get("schema.name"), query.get("relatedSchema.name"))? {
        for name in ["startTime", "endTime", "property", "start", "offsets"] {
            if query.get(name).is_some() {
                return Err(Problem::bad_request(format!(
                    "{name}: it is about events; schema.name={} asks for them",
                    Class::Event.schema_name()
                )));
            }
        }
        let lookup = Lookup {
            fields: text("fields"),
            event_fields: None,
            merge_policy: text("mergePolicyId"),
        };
        let own = identity("entityId", query.get("entityId"), query.get("entityIdNS"))?;
        return Ok((Wanted::Profile(lookup), own));
    }
    let properties = query.all("property").map(Property::parse);
    let properties: Vec<Property> = properties.collect::<Result<_, _>>()?;
    if properties.len() > 3 {
        return Err(Problem::bad_request("property: found more than three"));
    }
    let order = query.by_any_name(&["orderby", "orderBy"])?;
    let events = EventQuery {
        fields: text("fields"),
        merge_policy: text("mergePolicyId"),
        start: time(query, "startTime")?,
        end: time(query, "endTime")?,
        descends: descends(order)?,
        limit: query.number("limit", 1, PAGE)?.unwrap_or(PAGE) as usize,
        // The platform's own client goes on by offsets where the documents say start.
        cursor: text("start").or_else(|| text("offsets")),
        properties,
    };
    let name = match query.get("relatedEntityId") {
        Some(_) => "relatedEntityId",
        None => "entityId",
    };
    let own = identity(name, query.get(name), query.get(&format!("{name}NS")))?;
    Ok((Wanted::Events(events), own))
}

fn asks_for_events(schema: Option<&str>, related: Option<&str>) -> Answer<bool> {
    let [profile, event] = [Class::Profile.schema_name(), Class::Event.schema_name()];
    if related.is_some_and(|related| related != profile) {
        return Err(Problem::bad_request(format!(
            "relatedSchema.name: allowed is {profile}, whose events are looked up"
        )));
    }
    match schema {
        Some(name) if name == profile => Ok(false),
        Some(name) if name == event => Ok(true),
        other => Err(Problem::bad_request(format!(
            "schema.name: found {other:?}; allowed are {profile} and {event}"
        ))),
    }
}

pub(crate) fn identity(name: &str, id: Option<&str>, namespace: Option<&str>) -> Answer<Identity> {
    let Some(id) = id.filter(|id| !id.is_empty()) else {
        return Err(Problem::bad_request(format!(
            "{name}: missing; an XID, or with {name}NS an id of that namespace"
        )));
    };
    match namespace {
        Some(namespace) => Ok(Identity {
            namespace: namespace.to_owned(),
            id: id.to_owned(),
        }),
        None => identity_of_xid(id).ok_or_else(|| {
            Problem::bad_request(format!(
                "{name}: found {id:?}, which is no XID of this server; an id of a namespace goes with {name}NS"
            ))
        }),
    }
}

fn descends(order: Option<&str>) -> Answer<bool> {
    match order.map(|order| order.trim_start_matches('+').trim()) {
        None | Some("" | "timestamp") => Ok(false),
        Some("-timestamp") => Ok(true),
        Some(other) => Err(Problem::bad_request(format!(
            "orderby: found {other:?}; allowed are timestamp and -timestamp"
        ))),
    }
}

fn time(query: &Query, name: &str) -> Answer<Option<Timestamp>> {
    let Some(text) = query.get(name) else {
        return Ok(None);
    };
    let millis: i64 = text.parse().map_err(|_| {
        Problem::bad_request(format!(
            "{name}: found {text:?}; allowed are milliseconds since 1970"
        ))
    })?;
    Ok(Some(moment(millis)))
}

fn moment(number: i64) -> Timestamp {
    Timestamp::from_millis(match (-SECONDS_BELOW..SECONDS_BELOW).contains(&number) {
        true => number.saturating_mul(1000),
        false => number,
    })
}

/// The payload that asks for the next page of an identity's events.
pub(crate) fn next_payload(body: &Value, place: usize, cursor: &str) -> Value {
    let others = body.as_object().into_iter().flatten();
    let others = others.filter(|(name, _)| *name != "identities");
    let mut payload: Map<String, Value> = others
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut identity = body["identities"][place].clone();
    identity["start"] = Value::from(cursor);
    payload.insert("identities".to_owned(), Value::Array(vec![identity]));
    Value::Object(payload)
}
