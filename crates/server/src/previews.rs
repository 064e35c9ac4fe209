//! Previews and estimates of expressions: `/data/core/ups/preview` and `/data/core/ups/estimate`.

use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderName, StatusCode};
use axum::response::IntoResponse;
use profile_export::platform::{estimate_by_namespace, first_members, namespace_number};
use profile_export::xdm::Class;
use serde_json::{Map, Value, json};
use xdm::is_identity;

use crate::app::App;
use crate::auth::ReadAccess;
use crate::body::JsonBody;
use crate::local::look;
use crate::path::Path;
use crate::preview_body::PreviewBody;
use crate::preview_list::{Counted, EXECUTION, Preview, State};
use crate::problem::{Answer, Problem};
use crate::query::Query;
use crate::schemas::{EstimateObject, Looked, PreviewObject, PreviewResults, Problems};

/// The most people on a page, and how many there are where nobody says.
const PAGE: u32 = 1000;
/// The most people that are shown of a preview: those before a page are found anew with it.
const SHOWN: usize = 10_000;
/// Where the platform tells what was made.
const X_LOCATION: HeaderName = HeaderName::from_static("x-location");
/// What a person is called whose records have no identity map: its primary identity stands in another field.
const UNNAMED: &str = "(no identityMap)";

/// Count the people that an expression takes, in the background
///
/// The expression is held against the union schemas at once, and counted over all profiles then: estimate has the
/// counts, and preview the people. Previews are kept in memory, the newest 1,000 of the server, until it ends.
#[utoipa::path(
    post, path = "/data/core/ups/preview", tag = "Previews and estimates", request_body = PreviewBody,
    responses((status = 201, description = "The preview, whose ID its estimate has, too", body = PreviewObject), Problems),
)]
pub(crate) async fn create_preview(
    caller: ReadAccess,
    JsonBody(body): JsonBody<PreviewBody>,
) -> Answer<impl IntoResponse> {
    let (app, scope) = (caller.app(), caller.scope().clone());
    let (body, asked) = caller
        .on_store(move |store| body.resolve(store).map(|asked| (body, asked)))
        .await?;
    let preview = app.previews.add(scope, asked, body.size())?;
    let made = json!({
        "state": preview.state().word(),
        "previewQueryId": preview.query,
        "previewQueryStatus": preview.state().word(),
        "previewId": preview.id,
        "previewExecutionId": EXECUTION,
    });
    let place = [(X_LOCATION, address(&preview))];
    tokio::spawn(work_out(Arc::clone(app), preview));
    Ok((StatusCode::CREATED, place, Json(made)))
}

async fn work_out(app: Arc<App>, preview: Arc<Preview>) {
    let counted = Arc::clone(&preview);
    let work = app.on_store(&preview.scope, move |store| {
        let Preview {
            segment,
            policy,
            now,
            progress,
            ..
        } = &*counted;
        let segments = vec![segment.clone()];
        let counted = estimate_by_namespace(store, policy.clone(), segments, *now, progress)?;
        let profiles = counted.profiles;
        let mut counts = counted.members.into_iter().zip(counted.by_namespace);
        let (members, by_namespace) = counts
            .next()
            .ok_or_else(|| Problem::internal(&"a segment has one count"))?;
        Ok(Counted {
            profiles,
            members,
            by_namespace,
        })
    });
    app.previews.work_out(&preview, work).await;
}

/// Show the people that an expression takes
///
/// At the most the first 10,000, in the order of an export's rows. They are those of the store as it is now; `now` in
/// the expression is the moment when the preview was made. A person is called by its primary identity.
#[utoipa::path(
    get, path = "/data/core/ups/preview/{id}", tag = "Previews and estimates",
    params(
        ("id" = String, Path, description = "The preview's ID"),
        ("offset" = Option<u32>, Query, description = "How many people are left out before the first"),
        ("limit" = Option<u32>, Query, description = "People on a page, at the most and by default 1000", minimum = 1),
    ),
    responses((status = 200, description = "A page of people; none before the state is RESULT_READY", body = PreviewResults), Problems),
)]
pub(crate) async fn get_preview(
    caller: ReadAccess,
    Path(id): Path<String>,
    query: Query,
) -> Answer<Json<Value>> {
    let offset = query.number("offset", 0, u32::MAX)?.unwrap_or(0) as usize;
    let limit = query.number("limit", 1, PAGE)?.unwrap_or(PAGE) as usize;
    let preview = caller.app().previews.get(caller.scope(), &id)?;
    let state = preview.state();
    let most = offset.saturating_add(limit).min(SHOWN);
    let (people, all) = match &state {
        State::Ready(counted) if offset < most => {
            let people = first_people(&caller, Arc::clone(&preview), most).await?;
            (people, counted.members)
        }
        _ => (Vec::new(), 0),
    };
    let results: Vec<Value> = people.iter().skip(offset).map(person).collect();
    let at = |offset: usize| format!("{}?offset={offset}&limit={limit}", address(&preview));
    let is_last = results.len() < limit || most >= SHOWN || most as u64 >= all;
    let mut page = json!({
        "page": {"offset": offset, "size": results.len()},
        "links": {
            "_self": at(offset),
            "next": if is_last { String::new() } else { at(most) },
            "prev": if offset == 0 { String::new() } else { at(offset.saturating_sub(limit)) },
        },
        "results": results,
    });
    tell(&mut page, &state);
    Ok(Json(page))
}

/// The first people of a preview, with their identities.
async fn first_people(
    caller: &ReadAccess,
    preview: Arc<Preview>,
    most: usize,
) -> Answer<Vec<Value>> {
    look(caller, move |store, progress| {
        let (segment, policy) = (preview.segment.clone(), preview.policy.clone());
        let people = first_members(store, policy, segment, preview.now, most, progress);
        Ok(people?)
    })
    .await
}

/// Forget a preview, and stop its work
#[utoipa::path(
    delete, path = "/data/core/ups/preview/{id}", tag = "Previews and estimates",
    params(("id" = String, Path, description = "The preview's ID")),
    responses((status = 200, description = "It is gone, and its estimate with it", body = Looked), Problems),
)]
pub(crate) async fn remove_preview(
    caller: ReadAccess,
    Path(id): Path<String>,
) -> Answer<Json<Value>> {
    caller.app().previews.remove(caller.scope(), &id)?;
    let message = format!("deleted preview {id}");
    Ok(Json(json!({"status": true, "message": message})))
}

/// Say how many people an expression takes
///
/// Always exact: all profiles are read, none is sampled. The counts are there once the state is RESULT_READY; in
/// estimatedNamespaceDistribution a profile of several namespaces counts for each.
#[utoipa::path(
    get, path = "/data/core/ups/estimate/{id}", tag = "Previews and estimates",
    params(("id" = String, Path, description = "The preview's ID")),
    responses((status = 200, description = "The counts, as far as they are there", body = EstimateObject), Problems),
)]
pub(crate) async fn get_estimate(
    caller: ReadAccess,
    Path(id): Path<String>,
) -> Answer<Json<Value>> {
    let preview = caller.app().previews.get(caller.scope(), &id)?;
    let state = preview.state();
    let policy = &preview.policy;
    let mut told = json!({
        "now": preview.now.to_string(),
        "mergePolicy": {"id": policy.id, "version": policy.version},
        "_links": {"preview": address(&preview)},
    });
    tell(&mut told, &state);
    if let State::Ready(counted) = &state {
        for name in ["numRowsToRead", "totalRows", "profilesReadSoFar"] {
            told[name] = json!(counted.profiles);
        }
        for name in ["estimatedSize", "profilesMatchedSoFar"] {
            told[name] = json!(counted.members);
        }
        let of_namespace = |(code, count): (&String, &u64)| {
            let id = namespace_number(code).to_string();
            json!({"namespaceId": id, "profilesMatchedSoFar": count})
        };
        let by_namespace = counted.by_namespace.iter().map(of_namespace);
        told["estimatedNamespaceDistribution"] = by_namespace.collect();
        told["standardError"] = json!(0);
        told["confidenceInterval"] = json!("95%");
    }
    Ok(Json(told))
}

/// Tells the state, and what went wrong.
fn tell(answer: &mut Value, state: &State) {
    answer["state"] = json!(state.word());
    if let State::Failed(problem) = state {
        // Where in the program is nobody's business outside.
        answer["error"] = json!({"description": problem, "traceback": ""});
    }
}

fn address(preview: &Preview) -> String {
    format!("/data/core/ups/preview/{}", preview.id)
}

/// A person in the platform's form: by one identity, with all that there are.
fn person(profile: &Value) -> Value {
    let identities = identities(profile);
    let all: Map<String, Value> = (identities.iter())
        .map(|one| (one.xid(), json!({"_href": one.href()})))
        .collect();
    let primary = identities.iter().find(|one| one.is_primary);
    let mut shown = json!({"endCustomerIds": all});
    let Some(own) = primary.or(identities.first()) else {
        return json!({UNNAMED: shown});
    };
    shown["_href"] = json!(own.href());
    json!({own.xid(): shown})
}

struct Identity<'a> {
    namespace: &'a str,
    id: &'a str,
    is_primary: bool,
}

impl Identity<'_> {
    /// As the project writes identities everywhere: `Namespace:id`.
    fn xid(&self) -> String {
        format!("{}:{}", self.namespace, self.id)
    }

    /// Where the platform has the person.
    fn href(&self) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("schema.name", Class::Profile.schema_name())
            .append_pair("entityId", self.id)
            .append_pair("entityIdNS", self.namespace)
            .finish();
        format!("/data/core/ups/access/entities?{query}")
    }
}

/// The identities of a profile, by namespace; within one in the order of its identity map.
fn identities(profile: &Value) -> Vec<Identity<'_>> {
    let map = profile.get("identityMap").and_then(Value::as_object);
    let mut all: Vec<Identity<'_>> = (map.into_iter().flatten())
        .flat_map(|(namespace, list)| {
            let list = list.as_array().into_iter().flatten();
            list.filter_map(move |one| {
                let id = one.get("id")?.as_str()?;
                let is_primary = one.get("primary") == Some(&Value::Bool(true));
                is_identity(id, &[]).then_some(Identity {
                    namespace,
                    id,
                    is_primary,
                })
            })
        })
        .collect();
    all.sort_by_key(|one| one.namespace);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_called_by_its_primary_identity() {
        let profile = json!({"identityMap": {
            "Email": [{"id": "b&c@x.example", "primary": true}, {"id": "a@x.example"}, {"id": "null"}],
            "CRMID": [{"id": "C1"}],
        }});
        let href = "/data/core/ups/access/entities?schema.name=_xdm.context.profile&entityId=";
        let of = |id: &str, namespace: &str| json!({"_href": format!("{href}{id}&entityIdNS={namespace}")});
        let shown = json!({"Email:b&c@x.example": {
            "_href": format!("{href}b%26c%40x.example&entityIdNS=Email"),
            "endCustomerIds": {
                "CRMID:C1": of("C1", "CRMID"),
                "Email:b&c@x.example": of("b%26c%40x.example", "Email"),
                "Email:a@x.example": of("a%40x.example", "Email"),
            },
        }});
        assert_eq!(person(&profile), shown);
    }

    #[test]
    fn a_person_without_a_flag_is_called_by_the_first_identity() {
        let named = |profile: Value| {
            let shown = person(&profile);
            shown.as_object().and_then(|one| one.keys().next().cloned())
        };
        let profile = json!({"identityMap": {"ECID": [{"id": "2"}, {"id": "1"}], "CRMID": []}});
        assert_eq!(named(profile).as_deref(), Some("ECID:2"));
        assert_eq!(named(json!({})).as_deref(), Some(UNNAMED));
        let placeholder = json!({"identityMap": {"Email": [{"id": "Anonymous"}]}});
        assert_eq!(named(placeholder).as_deref(), Some(UNNAMED));
    }
}
