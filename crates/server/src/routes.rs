//! All paths, and what surrounds every request.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::propagate_header::PropagateHeaderLayer;
use tower_http::set_header::{SetRequestHeaderLayer, SetResponseHeaderLayer};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::problem::{Answer, Problem};
use crate::work::what_it_said;
use crate::{
    audiences, batches, clusters, data_access, dataset_changes, datasets, descriptors, elsewhere,
    entities, host, import, ims, jobs, local, merge_policies, namespaces, nowhere, openapi,
    operation, page, previews, profile_reports, projections, query_schedules, query_service,
    query_templates, reference, registry, sandboxes, schedules, segment_jobs, segments,
    system_jobs, uploads,
};

/// The API's routes and their description, with those of the query service where there is one.
pub(crate) fn api(has_queries: bool) -> (Router<Arc<App>>, OpenApi) {
    let router = OpenApiRouter::with_openapi(openapi::start())
        .routes(routes!(jobs::list_jobs, jobs::create_export_job))
        .routes(routes!(jobs::get_job, jobs::delete_job))
        .routes(routes!(datasets::list_datasets, datasets::create_dataset))
        .routes(routes!(
            datasets::get_dataset,
            datasets::delete_dataset,
            dataset_changes::replace_dataset,
            dataset_changes::patch_dataset
        ))
        .routes(routes!(dataset_changes::patch_dataset_v2))
        .routes(routes!(batches::list_batches))
        .routes(routes!(batches::get_batch, batches::remove_batch))
        .routes(routes!(batches::list_last_batches))
        .routes(routes!(data_access::list_batch_files))
        .routes(routes!(data_access::list_failed_files))
        .routes(routes!(data_access::list_meta_files))
        .routes(routes!(data_access::get_file))
        .routes(routes!(
            merge_policies::list_merge_policies,
            merge_policies::create_merge_policy
        ))
        .routes(routes!(merge_policies::bulk_get_merge_policies))
        .routes(routes!(
            merge_policies::get_merge_policy,
            merge_policies::replace_merge_policy,
            merge_policies::patch_merge_policy,
            merge_policies::remove_merge_policy
        ))
        .routes(routes!(segments::list_segments, segments::create_segment))
        .routes(routes!(segments::bulk_get_segments))
        .routes(routes!(segments::convert_segment))
        .routes(routes!(
            segments::get_segment,
            segments::patch_segment,
            segments::remove_segment
        ))
        .routes(routes!(
            segment_jobs::list_segment_jobs,
            segment_jobs::create_segment_job
        ))
        .routes(routes!(segment_jobs::bulk_get_segment_jobs))
        .routes(routes!(
            segment_jobs::get_segment_job,
            segment_jobs::delete_segment_job
        ))
        .routes(routes!(
            audiences::list_audiences,
            audiences::create_audience
        ))
        .routes(routes!(
            audiences::get_audience,
            audiences::replace_audience,
            audiences::patch_audience,
            audiences::remove_audience
        ))
        .routes(routes!(
            schedules::list_schedules,
            schedules::create_schedule
        ))
        .routes(routes!(
            schedules::get_schedule,
            schedules::patch_schedule,
            schedules::delete_schedule
        ))
        .routes(routes!(projections::read_projection))
        .routes(routes!(
            projections::list_destinations,
            projections::create_destination
        ))
        .routes(routes!(
            projections::get_destination,
            projections::replace_destination,
            projections::remove_destination
        ))
        .routes(routes!(
            projections::list_projections,
            projections::create_projection
        ))
        .routes(routes!(
            projections::get_projection,
            projections::replace_projection,
            projections::remove_projection
        ))
        .routes(routes!(
            namespaces::list_namespaces,
            namespaces::create_namespace
        ))
        .routes(routes!(
            namespaces::get_namespace,
            namespaces::replace_namespace
        ))
        .routes(routes!(namespaces::list_namespaces_of_org))
        .routes(routes!(clusters::get_xid))
        .routes(routes!(clusters::get_cluster))
        .routes(routes!(clusters::post_clusters))
        .routes(routes!(
            entities::get_entities,
            entities::post_entities,
            entities::delete_entity
        ))
        .routes(routes!(
            system_jobs::list_system_jobs,
            system_jobs::create_system_job
        ))
        .routes(routes!(
            system_jobs::get_system_job,
            system_jobs::delete_system_job
        ))
        .routes(routes!(previews::create_preview))
        .routes(routes!(previews::get_preview, previews::remove_preview))
        .routes(routes!(previews::get_estimate))
        .routes(routes!(profile_reports::get_status))
        .routes(routes!(profile_reports::by_dataset))
        .routes(routes!(profile_reports::by_namespace))
        .routes(routes!(profile_reports::dataset_overlap))
        .routes(routes!(profile_reports::namespace_overlap))
        .routes(routes!(profile_reports::unstitched_profiles))
        .routes(routes!(profile_reports::unknown_profiles))
        .routes(routes!(registry::get_stats))
        .routes(routes!(registry::list_resources, registry::declare))
        .routes(routes!(
            registry::get_resource,
            registry::replace,
            registry::patch,
            registry::forget
        ))
        .routes(routes!(registry::get_sample))
        .routes(routes!(registry::export_resource))
        .routes(routes!(
            descriptors::list_descriptors,
            descriptors::make_descriptor
        ))
        .routes(routes!(
            descriptors::get_descriptor,
            descriptors::put_descriptor,
            descriptors::remove_descriptor
        ))
        .routes(routes!(import::create_incoming_batch))
        .routes(routes!(
            import::get_incoming_batch,
            import::end_incoming_batch
        ))
        .routes(routes!(
            import::upload_file,
            uploads::begin_or_end_file,
            uploads::upload_part,
            uploads::show_upload
        ))
        .routes(routes!(sandboxes::list_own_sandboxes))
        .routes(routes!(sandboxes::list_sandboxes))
        .routes(routes!(sandboxes::get_sandbox))
        .routes(routes!(sandboxes::list_sandbox_types))
        .routes(routes!(ims::token_v3))
        .routes(routes!(ims::token_v2))
        .routes(routes!(local::list_scopes))
        .routes(routes!(local::plan))
        .routes(routes!(local::preview))
        .routes(routes!(local::explain))
        .routes(routes!(local::expression))
        .routes(routes!(local::schema))
        .routes(routes!(local::list_audiences));
    match has_queries {
        true => router.merge(queries()).split_for_parts(),
        false => router.split_for_parts(),
    }
}

/// The query service's.
fn queries() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(query_service::list_queries, query_service::create))
        .routes(routes!(
            query_service::get_query,
            query_service::change_query,
            query_service::delete_query
        ))
        .routes(routes!(query_service::connection_parameters))
        .routes(routes!(
            query_templates::list_templates,
            query_templates::create_template
        ))
        .routes(routes!(
            query_templates::get_template,
            query_templates::replace_template,
            query_templates::delete_template
        ))
        .routes(routes!(
            query_schedules::list_query_schedules,
            query_schedules::create_schedule
        ))
        .routes(routes!(
            query_schedules::get_query_schedule,
            query_schedules::patch_query_schedule,
            query_schedules::remove_query_schedule
        ))
        .routes(routes!(
            query_schedules::list_runs,
            query_schedules::trigger
        ))
        .routes(routes!(
            query_schedules::get_run,
            query_schedules::cancel_run
        ))
}

/// Everything that the server answers.
pub(crate) fn all(app: Arc<App>, api: Router<Arc<App>>) -> Router {
    api.route("/health", get(operation::health))
        .route("/metrics", get(operation::metrics))
        .route("/openapi.json", get(operation::openapi))
        .merge(page::routes())
        .merge(reference::routes())
        .fallback(nowhere::answer)
        .method_not_allowed_fallback(async || {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "the header Allow names the methods that there are",
            )
        })
        .layer(CatchPanicLayer::custom(
            |panic: Box<dyn std::any::Any + Send>| {
                Problem::internal(&what_it_said(&*panic)).into_response()
            },
        ))
        // The last is the outermost: what surrounds a request knows its ID.
        .layer(middleware::from_fn_with_state(Arc::clone(&app), surround))
        .layer(PropagateHeaderLayer::new(REQUEST_ID))
        .layer(SetRequestHeaderLayer::overriding(REQUEST_ID, request_id))
        .layer(SetResponseHeaderLayer::overriding(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .with_state(app)
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives every request a line in the log, and takes those alone that are meant for this server.
async fn surround(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request.headers().get(REQUEST_ID).cloned();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("unknown", MatchedPath::as_str).to_owned();
    let list = elsewhere::scope_of_list(&method, &route, request.headers());
    let mut response = match check_host(&app, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    if let Some(scope) = list {
        elsewhere::warn(&app, &scope, &mut response).await;
    }
    let took = started.elapsed();
    let status = response.status().as_u16();
    app.metrics.count_request(&method, &route, status, took);
    let id = id.as_ref().and_then(|id| id.to_str().ok());
    let took_ms = took.as_secs_f64() * 1000.0;
    if status < 400 && method == Method::GET && POLLED.contains(&route.as_str()) {
        tracing::debug!(request_id = id, %method, path, status, took_ms, "request");
    } else {
        tracing::info!(request_id = id, %method, path, status, took_ms, "request");
    }
    response
}

/// What is asked again and again, by whoever waits or watches.
const POLLED: [&str; 9] = [
    "/health",
    "/metrics",
    "/data/core/ups/export/jobs/{id}",
    "/data/core/ups/segment/jobs/{id}",
    "/data/core/ups/preview/{id}",
    "/data/core/ups/estimate/{id}",
    "/data/foundation/catalog/batches/{id}",
    "/data/foundation/import/batches/{id}",
    "/data/foundation/query/queries/{id}",
];

/// The client's own ID where it is a fit one; else a new one.
fn request_id(request: &Request) -> Option<HeaderValue> {
    let is_fit = |id: &&HeaderValue| {
        (1..=100).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    match request.headers().get(REQUEST_ID).filter(is_fit) {
        Some(id) => Some(id.clone()),
        None => catalog::new_id().try_into().ok(),
    }
}

/// A page from elsewhere whose name was made to lead here must not reach an open server.
fn check_host(app: &App, headers: &HeaderMap) -> Answer<()> {
    let is_local = host::is_local(headers)?;
    if app.tokens.is_none() && !is_local {
        return Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "Host: without a token file only localhost and loopback addresses are answered",
        ));
    }
    Ok(())
}
