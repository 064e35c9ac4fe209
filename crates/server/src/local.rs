//! What the page asks beside the platform's own API: `/local/…`. Nothing of it changes a store.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use profile_export::arrow::datatypes::{DataType, Field};
use profile_export::export::{Progress, UnionSchemas};
use profile_export::jobs::JobStatus;
use profile_export::platform::{
    Members, NamedSegment, Prepared, SegmentsToCount, estimate, expression_schema, first_members,
    policy_of_segment, segment_jobs, segments,
};
use profile_export::request::ExportRequest;
use profile_export::segment::{Expression, ExpressionError, Segment};
use profile_export::store::{Scope, Store};
use profile_export::xdm::{Fields, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::auth::{ReadAccess, WriteAccess};
use crate::body::JsonBody;
use crate::problem::{Answer, Problem};
use crate::query::Query;
use crate::schemas::{Looked, Problems};

/// How long a look may take before it is given up: whoever looks at a page does not wait longer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Segments that are shown, the largest; the page says that there are more.
const MOST_SEGMENTS: usize = 300;
/// The namespace of evaluated segments.
const EVALUATED: &str = "ups";
/// People that are shown of those whom an expression takes.
const FIRST_MEMBERS: usize = 10;
/// Rows of a preview.
const MOST_ROWS: u32 = 100;

/// What was counted of the audiences of a scope, and of which state of it: generation and merge policy.
pub(crate) type CountedAudiences =
    BTreeMap<(String, String), ((i64, String, i64), Arc<BTreeMap<NamedSegment, Members>>)>;

/// Work that stops when nobody waits for it any more.
struct Look(Arc<Progress>);

impl Drop for Look {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Looks at the store in the caller's scope; what takes too long is given up.
pub(crate) async fn look<T: Send + 'static>(
    caller: &ReadAccess,
    work: impl FnOnce(&Store, &Arc<Progress>) -> Answer<T> + Send + 'static,
) -> Answer<T> {
    let look = Look(Arc::default());
    let progress = Arc::clone(&look.0);
    given_up_in_time(caller.on_store(move |store| work(store, &progress))).await
}

/// The same for work that others want, too: who waits for `turn` has no permit, and nothing is done for whoever went away meanwhile.
pub(crate) async fn look_in_turn<T: Send + 'static>(
    caller: &ReadAccess,
    turn: Arc<tokio::sync::Mutex<()>>,
    work: impl FnOnce(&Store, &Arc<Progress>) -> Answer<T> + Send + 'static,
) -> Answer<T> {
    let look = Look(Arc::default());
    let progress = Arc::clone(&look.0);
    let looked = async {
        let turn = turn.lock_owned().await;
        let work = move |store: &Store| {
            // Until the work is done, whether or not its client still waits.
            let _turn = turn;
            progress.check().map_err(export::Error::from)?;
            work(store, &progress)
        };
        caller.on_store(work).await
    };
    given_up_in_time(looked).await
}

async fn given_up_in_time<T>(looked: impl Future<Output = Answer<T>>) -> Answer<T> {
    match tokio::time::timeout(PATIENCE, looked).await {
        Ok(looked) => looked,
        Err(_) => Err(Problem::busy(
            "it takes longer than half a minute, and was given up",
        )),
    }
}

/// Deletes from the store in the caller's scope, with the time that it takes to wait for others and to write runs anew.
/// It is given up where the client goes away meanwhile.
pub(crate) async fn delete<T: Send + 'static>(
    caller: &WriteAccess,
    work: impl FnOnce(&Store, &Arc<Progress>) -> Answer<T> + Send + 'static,
) -> Answer<T> {
    let look = Look(Arc::default());
    let progress = Arc::clone(&look.0);
    let deleted = async {
        let turn = Arc::clone(&caller.app().deleting).lock_owned().await;
        let work = move |store: &Store| {
            // Until the work is done, whether or not its client still waits.
            let _turn = turn;
            work(store, &progress)
        };
        caller.on_store(work).await
    };
    let limit = caller.app().settings.deletion_timeout;
    match tokio::time::timeout(limit, deleted).await {
        Ok(deleted) => deleted,
        Err(_) => Err(Problem::busy(format!(
            "the deletion took, or waited, longer than {} s, and was given up: ask for it again",
            limit.as_secs_f64()
        ))),
    }
}

/// List the organisations and sandboxes that have something
///
/// None where a token file says who may come in: tokens name theirs.
#[utoipa::path(
    get, path = "/local/scopes", tag = "The page",
    responses((status = 200, description = "Their names", body = Looked), Problems),
    security(())
)]
pub(crate) async fn list_scopes(State(app): State<Arc<App>>) -> Answer<Json<Value>> {
    if app.tokens.is_some() {
        return Ok(Json(json!({"scopes": []})));
    }
    let shared = Arc::clone(&app);
    let scopes = app.blocking(move || Answer::Ok(shared.stores.any()?.catalog().scopes()?));
    let scopes = scopes.await?;
    let scopes = scopes
        .iter()
        .map(|scope| json!({"org": scope.org, "sandbox": scope.sandbox}));
    Ok(Json(json!({"scopes": scopes.collect::<Vec<_>>()})))
}

/// Say what an export would give: profiles and events of each batch
#[utoipa::path(
    post, path = "/local/plan", tag = "The page", request_body = ExportRequest,
    responses((status = 200, description = "Profiles and events, merge policy and fields", body = Looked), Problems),
)]
pub(crate) async fn plan(
    caller: ReadAccess,
    JsonBody(request): JsonBody<ExportRequest>,
) -> Answer<Json<Value>> {
    let planned = look(&caller, move |store, progress| {
        let prepared = Prepared::new(store, &request, None, progress)?;
        let counts = prepared.counts()?;
        let batches = counts.iter().enumerate().map(|(number, counts)| {
            let segment = prepared.request.batch_segment(number);
            json!({"segmentId": segment.map(|segment| &segment.segment_id),
                   "profiles": counts.profiles, "events": counts.events})
        });
        let batches: Vec<Value> = batches.collect();
        let schema = prepared.export.schema();
        let fields: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
        let unknown = prepared.export.unknown_segments()?;
        let unknown: Vec<&String> = unknown.iter().map(|segment| &segment.id).collect();
        let policy = &prepared.policy;
        Ok(json!({
            "profiles": counts.iter().map(|counts| counts.profiles).sum::<u64>(),
            "events": counts.iter().map(|counts| counts.events).sum::<u64>(),
            "batches": batches,
            "fields": fields,
            "unknownSegments": unknown,
            "mergePolicy": {"id": policy.id, "name": policy.name, "version": policy.version,
                            "why": prepared.why_policy()},
        }))
    });
    Ok(Json(planned.await?))
}

/// Show the first profiles of an export
#[utoipa::path(
    post, path = "/local/preview", tag = "The page", request_body = ExportRequest,
    params(("limit" = Option<u32>, Query, description = "How many, 20 if it is missing", minimum = 1, maximum = 100)),
    responses((status = 200, description = "The profiles", body = Looked), Problems),
)]
pub(crate) async fn preview(
    caller: ReadAccess,
    query: Query,
    JsonBody(request): JsonBody<ExportRequest>,
) -> Answer<Json<Value>> {
    let limit = query.number("limit", 1, MOST_ROWS)?.unwrap_or(20) as usize;
    let rows = look(&caller, move |store, progress| {
        let prepared = Prepared::new(store, &request, None, progress)?;
        Ok(prepared.first_rows(limit)?)
    });
    Ok(Json(json!({"rows": rows.await?})))
}

/// Say why a profile is in an export, or is not
#[utoipa::path(
    post, path = "/local/explain", tag = "The page", request_body = ExportRequest,
    params(("identity" = String, Query, description = "NAMESPACE:ID: a primary identity, or with an identity graph any that records link")),
    responses((status = 200, description = "Conditions, fragments, fields, memberships, events", body = Looked), Problems),
)]
pub(crate) async fn explain(
    caller: ReadAccess,
    query: Query,
    JsonBody(request): JsonBody<ExportRequest>,
) -> Answer<Json<Value>> {
    let identity = query.text("identity").unwrap_or_default();
    let parts = identity
        .split_once(':')
        .filter(|(namespace, id)| !namespace.is_empty() && !id.is_empty());
    let (namespace, id) = parts.ok_or_else(|| {
        Problem::bad_request("identity: expected NAMESPACE:ID, such as Email:ann@example.com")
    })?;
    let (namespace, id) = (namespace.to_owned(), id.to_owned());
    let explained = look(&caller, move |store, progress| {
        let prepared = Prepared::new(store, &request, None, progress)?;
        let explanation = prepared.export.explain(&namespace, &id)?;
        let explanation = explanation.ok_or_else(|| {
            Problem::not_found(format!(
                "no profile has {identity:?}: without an identity graph only primary identities are known"
            ))
        })?;
        let policy = &prepared.policy;
        Ok(json!({
            "mergePolicy": {"id": policy.id, "name": policy.name, "version": policy.version},
            "explanation": explanation,
        }))
    });
    Ok(Json(explained.await?))
}

/// An expression that is looked at.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ExpressionBody {
    /// Its text, in PQL.
    expression: String,
    /// The merge policy; the default one where it is missing.
    #[schema(nullable = false)]
    merge_policy_id: Option<String>,
}

/// Say how many profiles an expression takes, and show the first of them
#[utoipa::path(
    post, path = "/local/expression", tag = "The page", request_body = ExpressionBody,
    responses((status = 200, description = "Counts, and ten people", body = Looked), Problems),
)]
pub(crate) async fn expression(
    caller: ReadAccess,
    JsonBody(asked): JsonBody<ExpressionBody>,
) -> Answer<Json<Value>> {
    let found = look(&caller, move |store, progress| {
        let refused = |error: ExpressionError| Problem::bad_request(error.to_string());
        let expression = Expression::parse(&asked.expression).map_err(refused)?;
        let schema = expression_schema(store.catalog())?;
        let segment = Segment::new("expression", expression.check(&schema).map_err(refused)?);
        let policy = policy_of_segment(store.catalog(), asked.merge_policy_id.as_deref(), None)?;
        let now = Timestamp::now();
        let all = vec![segment.clone()];
        let counted = estimate(store, policy.clone(), all, now, progress)?;
        let people = first_members(store, policy.clone(), segment, now, FIRST_MEMBERS, progress)?;
        Ok(json!({
            "members": counted.members.first(),
            "profiles": counted.profiles,
            "people": people,
            "mergePolicy": {"id": policy.id, "name": policy.name, "version": policy.version},
        }))
    });
    Ok(Json(found.await?))
}

/// Show the union schemas of profiles and events
#[utoipa::path(
    get, path = "/local/schema", tag = "The page",
    responses((status = 200, description = "Their fields, as trees", body = Looked), Problems),
)]
pub(crate) async fn schema(caller: ReadAccess) -> Answer<Json<Value>> {
    let schema = look(&caller, |store, _| {
        let unions = UnionSchemas::from(&store.snapshot(None)?);
        Ok(json!({"profile": tree(&unions.profile), "event": tree(&unions.event)}))
    });
    Ok(Json(schema.await?))
}

/// Count the members of each segment, by status; those that are defined and that no record names have none
#[utoipa::path(
    get, path = "/local/audiences", tag = "The page",
    responses((status = 200, description = "The segments that were counted, the largest first, and definitions behind them", body = Looked), Problems),
)]
pub(crate) async fn list_audiences(caller: ReadAccess) -> Answer<Json<Value>> {
    let (app, scope) = (Arc::clone(caller.app()), caller.scope().clone());
    let counted = look(&caller, move |store, progress| {
        audiences(&app, &scope, store, progress)
    });
    Ok(Json(counted.await?))
}

fn audiences(app: &App, scope: &Scope, store: &Store, progress: &Arc<Progress>) -> Answer<Value> {
    let wanted = SegmentsToCount::of(store, progress)?;
    let counts = match &wanted {
        Some(wanted) => counted(app, scope, wanted)?,
        None => Arc::default(),
    };
    let definitions = segments(store.catalog())?;
    let names: HashMap<&str, &str> = (definitions.iter())
        .filter_map(|segment| Some((segment["id"].as_str()?, segment["name"].as_str()?)))
        .collect();
    let name = |id: &str| names.get(id);
    let mut largest: Vec<(&NamedSegment, &Members)> = counts.iter().collect();
    largest.sort_by_key(|(_, members)| std::cmp::Reverse(members.realized + members.existing));
    let smaller = largest.len().saturating_sub(MOST_SEGMENTS);
    let largest = largest.into_iter().take(MOST_SEGMENTS);
    let mut audiences: Vec<Value> = largest
        .map(|((namespace, id), members)| {
            let Members {
                realized,
                existing,
                exited,
            } = members;
            json!({"namespace": namespace, "id": id, "name": name(id), "realized": realized, "existing": existing,
                   "exited": exited})
        })
        .collect();
    // Definitions that no record names: nobody is in them, or nobody has looked yet.
    let named: BTreeSet<&str> = counts.keys().map(|(_, id)| id.as_str()).collect();
    let defined = definitions
        .iter()
        .filter_map(|segment| segment["id"].as_str());
    let mut others: Vec<&str> = defined.filter(|id| !named.contains(id)).collect();
    let more = others.split_off(MOST_SEGMENTS.min(others.len()));
    let evaluated = match others.is_empty() {
        true => BTreeSet::new(),
        false => evaluated(store)?,
    };
    audiences.extend(others.into_iter().map(|id| {
        json!({"namespace": EVALUATED, "id": id, "name": name(id), "realized": 0, "existing": 0, "exited": 0,
               "isEvaluated": evaluated.contains(id)})
    }));
    let policy = wanted.as_ref().map(|wanted| {
        let policy = &wanted.prepared.policy;
        json!({"id": policy.id, "version": policy.version})
    });
    let left_out = smaller + more.len();
    Ok(json!({"audiences": audiences, "leftOut": left_out, "mergePolicy": policy}))
}

/// The members of the segments that records name, kept until the store changes.
fn counted(
    app: &App,
    scope: &Scope,
    wanted: &SegmentsToCount,
) -> Answer<Arc<BTreeMap<NamedSegment, Members>>> {
    let Prepared {
        generation, policy, ..
    } = &wanted.prepared;
    let of = (*generation, policy.id.clone(), policy.version);
    let place = (scope.org.clone(), scope.sandbox.clone());
    let held = app
        .counted_audiences()
        .get(&place)
        .filter(|(held, _)| *held == of)
        .cloned();
    if let Some((_, counts)) = held {
        return Ok(counts);
    }
    let counts = Arc::new(wanted.count()?);
    app.counted_audiences()
        .insert(place, (of, Arc::clone(&counts)));
    Ok(counts)
}

/// The segments that an evaluation has looked for members of.
fn evaluated(store: &Store) -> Answer<BTreeSet<String>> {
    let jobs = segment_jobs(store)?.into_iter();
    let done = jobs.filter(|job| job.status == JobStatus::Succeeded);
    let counted = done.flat_map(|job| job.metrics.segmented_profile_counter.into_keys());
    Ok(counted.collect())
}

fn tree(fields: &Fields) -> Vec<Value> {
    let fields = fields.iter();
    fields
        .map(|(name, ty)| node(&Field::new(name, ty.data_type(), true)))
        .collect()
}

/// A field, its type in XDM's words, and what is in it.
fn node(field: &Field) -> Value {
    let (word, inner) = match field.data_type() {
        DataType::Struct(fields) => ("object", fields.iter().map(|field| node(field)).collect()),
        DataType::List(item) => ("list", inner(item)),
        DataType::Map(entry, _) => match entry.data_type() {
            DataType::Struct(parts) => (
                "map",
                parts.get(1).map(|value| inner(value)).unwrap_or_default(),
            ),
            _ => ("map", Vec::new()),
        },
        DataType::Utf8 => ("string", Vec::new()),
        DataType::Boolean => ("boolean", Vec::new()),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
            ("integer", Vec::new())
        }
        DataType::Float64 => ("number", Vec::new()),
        DataType::Timestamp(..) => ("date-time", Vec::new()),
        DataType::Date32 => ("date", Vec::new()),
        _ => ("other", Vec::new()),
    };
    json!({"name": field.name(), "type": word, "fields": inner})
}

/// What is in the items of a list, or the values of a map, if they are objects.
fn inner(item: &Field) -> Vec<Value> {
    match item.data_type() {
        DataType::Struct(fields) => fields.iter().map(|field| node(field)).collect(),
        _ => Vec::new(),
    }
}
