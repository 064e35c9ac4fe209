//! Profile Access: `/data/core/ups/access/entities`.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use export::read_value;
use profile_export::export::FoundProfile;
use profile_export::platform::{Error, EventPage, EventQuery, delete_profile, xid_of};
use profile_export::xdm::{Class, Identity, Timestamp};
use serde_json::{Map, Value, json};

use crate::auth::{ReadAccess, WriteAccess};
use crate::body::JsonBody;
use crate::entity_body::{EntitiesBody, Wanted, next_payload, of_query};
use crate::local::{delete, look};
use crate::problem::{Answer, Problem};
use crate::query::Query;
use crate::schemas::{Entities, Problems};

/// Look up a profile, or its events, by an identity
///
/// By a merge policy without an identity graph that is a primary identity, by one with a graph any that records link. An
/// identity that nobody has is answered as the platform does: a profile without fields and sources, or no events.
#[utoipa::path(
    get, path = "/data/core/ups/access/entities", tag = "Profile access",
    params(
        ("schema.name" = String, Query, description = "_xdm.context.profile or _xdm.context.experienceevent"),
        ("entityId" = Option<String>, Query, description = "An id of the namespace entityIdNS, or an XID"),
        ("entityIdNS" = Option<String>, Query, description = "A namespace's code"),
        ("relatedSchema.name" = Option<String>, Query, description = "_xdm.context.profile, whose events are looked up"),
        ("relatedEntityId" = Option<String>, Query, description = "Whose events"),
        ("relatedEntityIdNS" = Option<String>, Query, description = "The namespace of relatedEntityId"),
        ("fields" = Option<String>, Query, description = "Comma-separated field paths; all fields where it is missing"),
        ("mergePolicyId" = Option<String>, Query, description = "A merge policy; the default where it is missing"),
        ("orderby" = Option<String>, Query, description = "timestamp, or -timestamp for the latest first"),
        ("orderBy" = Option<String>, Query, description = "The same"),
        ("startTime" = Option<String>, Query, description = "Events from this moment on: milliseconds since 1970"),
        ("endTime" = Option<String>, Query, description = "Events before this moment"),
        ("limit" = Option<u32>, Query, description = "Events on a page, at the most and by default 1000", minimum = 1),
        ("start" = Option<String>, Query, description = "Where a page of events begins, as the one before says it"),
        ("offsets" = Option<String>, Query, description = "The same"),
        ("property" = Option<Vec<String>>, Query, description = "A condition on events, such as eventType=\"visit\"; up to three"),
        ("withCA" = Option<bool>, Query, description = "Computed attributes; there are none here"),
    ),
    responses((status = 200, description = "The profile by its XID, or a page of events", body = Entities), Problems),
)]
pub(crate) async fn get_entities(caller: ReadAccess, query: Query) -> Answer<Json<Value>> {
    query.flag("withCA")?;
    let (wanted, identity) = of_query(&query)?;
    let app = Arc::clone(caller.app());
    let answer = look(&caller, move |store, progress| match wanted {
        Wanted::Profile(lookup) => {
            let found = app.lookups.find(store, &lookup, &identity, progress)?;
            Ok(json!({xid_of(&identity): profile(&identity, found)}))
        }
        Wanted::Events(events) => {
            let page = app.lookups.events(store, &events, &identity, progress)?;
            let href = |cursor: &str| {
                let mut next = form_urlencoded::Serializer::new(String::from("/entities?"));
                // The platform's own client looks for offsets, the documents for start.
                next.append_pair("start", cursor)
                    .append_pair("offsets", cursor);
                let others = query
                    .pairs()
                    .filter(|(name, _)| !["start", "offsets"].contains(name));
                next.extend_pairs(others);
                json!({"href": next.finish()})
            };
            Ok(page_of_events(&identity, &events, page, href))
        }
    });
    answer.await.map(Json)
}

/// Look up profiles, or their events, by several identities
///
/// There is an entry for each identity that is asked for, by its XID, also where two are one person.
#[utoipa::path(
    post, path = "/data/core/ups/access/entities", tag = "Profile access", request_body = EntitiesBody,
    responses((status = 200, description = "Profiles, or pages of events, by XID", body = Entities), Problems),
)]
pub(crate) async fn post_entities(
    caller: ReadAccess,
    JsonBody(raw): JsonBody<Value>,
) -> Answer<Json<Value>> {
    let body: EntitiesBody = read_value(raw.clone())?;
    let wanted = body.wanted()?;
    let app = Arc::clone(caller.app());
    let answer = look(&caller, move |store, progress| {
        let mut found = Map::new();
        for (place, one) in body.identities.iter().enumerate() {
            progress.check().map_err(Error::from)?;
            let of_events = matches!(wanted, Wanted::Events(_));
            let identity = one.identity(of_events)?;
            let entry = match &wanted {
                Wanted::Profile(lookup) => {
                    let found = app.lookups.find(store, lookup, &identity, progress)?;
                    profile(&identity, found)
                }
                Wanted::Events(events) => {
                    let events = EventQuery {
                        cursor: one.start.clone().filter(|start| !start.is_empty()),
                        ..events.clone()
                    };
                    let page = app.lookups.events(store, &events, &identity, progress)?;
                    let next = |cursor: &str| json!({"href": "/entities", "payload": next_payload(&raw, place, cursor)});
                    page_of_events(&identity, &events, page, next)
                }
            };
            if found.insert(xid_of(&identity), entry).is_some() {
                return Err(Problem::bad_request(format!(
                    "identities[{place}]: found {identity} once more; an identity has one entry"
                )));
            }
        }
        Ok(Value::Object(found))
    });
    answer.await.map(Json)
}

/// Delete a profile, or its events
///
/// The records that bear the identity, as the primary one or in identityMap, are gone when this answers: fragments and
/// events of a profile, or its events alone. With a merge policy that has an identity graph those of all identities of the
/// profile go. That there are none is no error.
#[utoipa::path(
    delete, path = "/data/core/ups/access/entities", tag = "Profile access",
    params(
        ("schema.name" = String, Query, description = "_xdm.context.profile or _xdm.context.experienceevent"),
        ("entityId" = Option<String>, Query, description = "An id of the namespace entityIdNS, or an XID"),
        ("entityIdNS" = Option<String>, Query, description = "A namespace's code"),
        ("relatedSchema.name" = Option<String>, Query, description = "_xdm.context.profile, whose events are deleted"),
        ("relatedEntityId" = Option<String>, Query, description = "Whose events"),
        ("relatedEntityIdNS" = Option<String>, Query, description = "The namespace of relatedEntityId"),
        ("mergePolicyId" = Option<String>, Query, description = "A merge policy, by whose identity graph the profile is"),
    ),
    responses((status = 202, description = "The records are gone"), Problems),
)]
pub(crate) async fn delete_entity(caller: WriteAccess, query: Query) -> Answer<StatusCode> {
    let (wanted, identity) = of_query(&query)?;
    let deleted = delete(&caller, move |store, progress| {
        let (class, policy) = match wanted {
            Wanted::Profile(lookup) => (None, lookup.merge_policy),
            Wanted::Events(events) => (Some(Class::Event), events.merge_policy),
        };
        let policy = policy.as_deref();
        Ok(delete_profile(store, &identity, class, policy, progress)?)
    });
    let deleted = deleted.await?;
    let records: u64 = deleted.datasets.iter().map(|dataset| dataset.records).sum();
    tracing::info!(records, runs = deleted.runs, "records of a profile deleted");
    Ok(StatusCode::ACCEPTED)
}

pub(crate) fn profile(identity: &Identity, found: Option<FoundProfile>) -> Value {
    let (sources, entity, modified) = match found {
        Some(found) => (found.datasets, found.row, found.last_modified),
        // As the platform answers for somebody whom nobody knows.
        None => (vec![String::new()], json!({}), Timestamp::default()),
    };
    json!({
        "entityId": xid_of(identity),
        "sources": sources,
        "entity": entity,
        "lastModifiedAt": modified.to_string(),
    })
}

fn page_of_events(
    identity: &Identity,
    query: &EventQuery,
    page: Option<EventPage>,
    next: impl FnOnce(&str) -> Value,
) -> Value {
    let (events, cursor) = page.map_or((Vec::new(), None), |page| (page.events, page.next));
    let xid = xid_of(identity);
    let children = events.into_iter().map(|event| {
        json!({
            "relatedEntityId": xid,
            "entityId": event.id,
            "timestamp": event.timestamp.millis(),
            "entity": event.row,
            "lastModifiedAt": event.ingested.to_string(),
        })
    });
    let children: Vec<Value> = children.collect();
    let start = query.cursor.clone();
    json!({
        "_page": {
            "orderby": if query.descends { "-timestamp" } else { "timestamp" },
            "start": start.or_else(|| Some(children.first()?["entityId"].as_str()?.to_owned())).unwrap_or_default(),
            "count": children.len(),
            "next": cursor.as_deref().unwrap_or_default(),
        },
        "children": children,
        "_links": {"next": cursor.as_deref().map_or_else(|| json!({"href": ""}), next)},
    })
}
