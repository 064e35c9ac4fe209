//! What profiles are made of: `/data/core/ups/previewsamplestatus`. The platform looks at a sample, this server at everybody.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::http::HeaderMap;
use profile_export::export::{Progress, Unstitched};
use profile_export::platform::{
    IdentityNamespace, Lookups, ProfileReport, UNSTITCHED_DAYS, identity_namespaces,
    namespace_number, profile_report,
};
use profile_export::request::AttributeMergeType;
use profile_export::store::{BatchFilter, BatchProperty, BatchQuery, Scope, Store};
use profile_export::xdm::{Class, Timestamp};
use serde_json::{Map, Value, json};
use xdm::parse_date;

use crate::auth::ReadAccess;
use crate::local::look_in_turn;
use crate::problem::{Answer, Problem};
use crate::profile_report_schemas::{
    OverlapReport, ProfileSample, ProfilesByDataset, ProfilesByNamespace, UnknownProfiles,
    UnstitchedProfiles,
};
use crate::query::Query;
use crate::schemas::Problems;

/// How many reports are kept: one for each organisation and sandbox that was asked for last.
const MOST: usize = 16;
/// What the platform writes where there is nothing to say.
const NONE: &str = "\"null\"";
const MODEL: &str = "x-model-name";

type Turn = Arc<tokio::sync::Mutex<()>>;

/// Reports, the one that was asked for last in front.
#[derive(Default)]
pub(crate) struct ProfileReports {
    kept: Mutex<VecDeque<(Scope, Arc<ProfileReport>)>>,
    /// Who counts in a scope has its turn: others that want the same find it then. Those that somebody has or waits for.
    turns: Mutex<Vec<(Scope, Turn)>>,
}

impl ProfileReports {
    /// The turn of a scope.
    fn turn(&self, scope: &Scope) -> Turn {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|(_, turn)| Arc::strong_count(turn) > 1);
        if let Some((_, turn)) = turns.iter().find(|(known, _)| known == scope) {
            return Arc::clone(turn);
        }
        let turn = Turn::default();
        turns.push((scope.clone(), Arc::clone(&turn)));
        turn
    }

    /// What the profiles of a store are made of now; for who has the turn of its scope.
    fn of(&self, store: &Store, progress: &Arc<Progress>) -> Answer<Arc<ProfileReport>> {
        let now = Timestamp::now();
        if let Some(known) = self.known(store, now)? {
            return Ok(known);
        }
        let made = Arc::new(profile_report(store, now, progress)?);
        let scope = store.catalog().scope().clone();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(other, _)| *other != scope);
        kept.push_front((scope, Arc::clone(&made)));
        kept.truncate(MOST);
        Ok(made)
    }

    fn known(&self, store: &Store, now: Timestamp) -> Answer<Option<Arc<ProfileReport>>> {
        let kept = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let own = kept
                .iter()
                .find(|(scope, _)| scope == store.catalog().scope());
            own.map(|(_, report)| Arc::clone(report))
        };
        Ok(match kept {
            Some(report) if report.holds(store.catalog(), now)? => Some(report),
            _ => None,
        })
    }
}

/// Show how many profiles there are
///
/// The platform's figures are of a sample; these are of all profiles, by the default merge policy.
#[utoipa::path(
    get, path = "/data/core/ups/previewsamplestatus", tag = "Profile reports",
    responses((status = 200, description = "The figures", body = ProfileSample), Problems),
)]
pub(crate) async fn get_status(caller: ReadAccess) -> Answer<Json<Value>> {
    let app = Arc::clone(caller.app());
    let turn = app.reports.turn(caller.scope());
    let shown = look_in_turn(&caller, turn, move |store, progress| {
        let report = app.reports.of(store, progress)?;
        let counts = &report.composition;
        let at = seconds(report.made);
        let last = last_batch(store)?;
        let strategy = match report.policy.attribute_merge.kind {
            AttributeMergeType::TimestampOrdered => "timestampOrdered",
            AttributeMergeType::DataSetPrecedence => "dataSetPrecedence",
        };
        let graph = report.policy.identity_graph.kind.word();
        let documents = counts.records + counts.events;
        Ok(json!({
            "numRowsToRead": counts.profiles.to_string(),
            "totalRows": counts.profiles.to_string(),
            "totalFragmentCount": counts.fragments,
            "cosmosDocCount": format!("\"{documents}\""),
            "samplingRatio": 1.0,
            "mergeStrategy": format!("{strategy}_{graph}"),
            "status": "TASK_FINISHED",
            "sampleJobRunning": {"status": false, "submissionTimestamp": at},
            "lastSampledTimestamp": at,
            "lastBatchId": last.as_ref().map_or_else(|| NONE.to_owned(), |(id, _)| format!("\"{id}\"")),
            "lastSuccessfulBatchTimestamp": last
                .map_or_else(|| NONE.to_owned(), |(_, at)| format!("\"{}\"", at.millis())),
            "streamingDriven": "\"false\"",
        }))
    });
    Ok(Json(shown.await?))
}

/// Count profiles by the datasets that they are from
#[utoipa::path(
    get, path = "/data/core/ups/previewsamplestatus/report/dataset", tag = "Profile reports",
    params(("date" = Option<String>, Query, description = "The day of the report, YYYY-MM-DD: there is one of today alone")),
    responses((status = 200, description = "An entry for each dataset that profiles are from", body = ProfilesByDataset), Problems),
)]
pub(crate) async fn by_dataset(caller: ReadAccess, query: Query) -> Answer<Json<Value>> {
    shown(&caller, &query, |(store, _), report| {
        let counts = sums(&report.composition.by_datasets);
        let datasets = store.catalog().datasets()?;
        let entries = counts.into_iter().map(|(id, count)| {
            let known = datasets.iter().find(|dataset| dataset.id == *id);
            let description = known.and_then(|dataset| dataset.description.as_deref());
            let mut entry = figures(report, count);
            entry.extend(object(json!({
                "name": known.map_or("", |dataset| &dataset.name),
                "description": description.unwrap_or_default(),
                "value": id,
                "streamingIngestionEnabled": "",
                "createdUser": "",
            })));
            Value::Object(entry)
        });
        Ok(entries.collect())
    })
    .await
}

/// Count profiles by the namespaces of their identities
#[utoipa::path(
    get, path = "/data/core/ups/previewsamplestatus/report/namespace", tag = "Profile reports",
    params(("date" = Option<String>, Query, description = "The day of the report, YYYY-MM-DD: there is one of today alone")),
    responses((status = 200, description = "An entry for each namespace that profiles have identities of", body = ProfilesByNamespace), Problems),
)]
pub(crate) async fn by_namespace(caller: ReadAccess, query: Query) -> Answer<Json<Value>> {
    shown(&caller, &query, |(store, lookups), report| {
        let counts = &report.composition;
        let codes = Codes(identity_namespaces(store, lookups)?);
        let entries = sums(&counts.by_namespaces)
            .into_iter()
            .map(|(name, count)| {
                let fragments = counts.fragments_by_namespace.get(name);
                let mut entry = figures(report, count);
                entry.extend(object(json!({
                    "fullIDsFragmentCount": fragments.copied().unwrap_or(0),
                    "code": codes.of(name),
                    "value": namespace_number(name).to_string(),
                })));
                Value::Object(entry)
            });
        Ok(entries.collect())
    })
    .await
}

/// Count profiles by the exact set of datasets that they are from
#[utoipa::path(
    get, path = "/data/core/ups/previewsamplestatus/report/dataset/overlap", tag = "Profile reports",
    params(("date" = Option<String>, Query, description = "The day of the report, YYYY-MM-DD: there is one of today alone")),
    responses((status = 200, description = "Counts by comma-separated IDs", body = OverlapReport), Problems),
)]
pub(crate) async fn dataset_overlap(
    caller: ReadAccess,
    headers: HeaderMap,
    query: Query,
) -> Answer<Json<Value>> {
    check_model(&headers)?;
    shown(&caller, &query, |_, report| {
        let counts = report.composition.by_datasets.iter();
        let counts = counts.map(|(ids, count)| (ids.join(","), json!(count)));
        Ok(Value::Object(counts.collect()))
    })
    .await
}

/// Count profiles by the exact set of namespaces that they have identities of
#[utoipa::path(
    get, path = "/data/core/ups/previewsamplestatus/report/namespace/overlap", tag = "Profile reports",
    params(("date" = Option<String>, Query, description = "The day of the report, YYYY-MM-DD: there is one of today alone")),
    responses((status = 200, description = "Counts by comma-separated codes", body = OverlapReport), Problems),
)]
pub(crate) async fn namespace_overlap(
    caller: ReadAccess,
    headers: HeaderMap,
    query: Query,
) -> Answer<Json<Value>> {
    check_model(&headers)?;
    shown(&caller, &query, |(store, lookups), report| {
        let codes = Codes(identity_namespaces(store, lookups)?);
        let counts = report.composition.by_namespaces.iter();
        let counts = counts.map(|(names, count)| {
            let mut own: Vec<&str> = names.iter().map(|name| codes.of(name)).collect();
            own.sort_unstable();
            (own.join(","), json!(count))
        });
        Ok(Value::Object(counts.collect()))
    })
    .await
}

/// Count the profiles that are one fragment and have no new event
#[utoipa::path(
    get, path = "/data/core/ups/previewsamplestatus/report/unstitchedProfiles", tag = "Profile reports",
    responses((status = 200, description = "Counts by how many days there was no event", body = UnstitchedProfiles), Problems),
)]
pub(crate) async fn unstitched_profiles(caller: ReadAccess, query: Query) -> Answer<Json<Value>> {
    unstitched(&caller, &query, "unstitchedProfiles").await
}

/// The same by its later name
#[utoipa::path(
    get, path = "/data/core/ups/previewsamplestatus/report/unknownProfiles", tag = "Profile reports",
    responses((status = 200, description = "Counts by how many days there was no event", body = UnknownProfiles), Problems),
)]
pub(crate) async fn unknown_profiles(caller: ReadAccess, query: Query) -> Answer<Json<Value>> {
    unstitched(&caller, &query, "unknownProfiles").await
}

async fn unstitched(caller: &ReadAccess, query: &Query, name: &'static str) -> Answer<Json<Value>> {
    shown(caller, query, move |(store, lookups), report| {
        let counts = &report.composition;
        let codes = Codes(identity_namespaces(store, lookups)?);
        let both = |profiles: u64, events: u64| json!({"countOfProfiles": profiles, "eventsAssociated": events});
        let of_days = |counts: &Unstitched| {
            let namespaces = counts.by_namespace.iter();
            let namespaces = namespaces.map(|(name, (profiles, events))| {
                (codes.of(name).to_owned(), both(*profiles, *events))
            });
            let mut shown = both(counts.profiles, counts.events);
            shown["nsDistribution"] = Value::Object(namespaces.collect());
            shown
        };
        let periods = UNSTITCHED_DAYS.iter().zip(&counts.unstitched);
        let periods = periods.map(|(days, counts)| (format!("{days}days"), of_days(counts)));
        Ok(json!({
            "totalNumberOfProfiles": counts.profiles,
            "totalNumberOfEvents": counts.events,
            name: Value::Object(periods.collect()),
        }))
    })
    .await
}

/// What a report says, with its time.
async fn shown(
    caller: &ReadAccess,
    query: &Query,
    data: impl FnOnce((&Store, &Lookups), &ProfileReport) -> Answer<Value> + Send + 'static,
) -> Answer<Json<Value>> {
    let wanted = match query.get("date") {
        None => None,
        Some(text) => Some(parse_date(text).ok_or_else(|| {
            Problem::bad_request(format!(
                "date: found {text:?}; allowed is a day, YYYY-MM-DD"
            ))
        })?),
    };
    let app = Arc::clone(caller.app());
    let turn = app.reports.turn(caller.scope());
    let shown = look_in_turn(caller, turn, move |store, progress| {
        // Before all is counted in vain.
        if let Some(day) = wanted.filter(|day| *day != today()) {
            return Err(Problem::not_found(format!(
                "date: there is no report of the day {day} days after 1970-01-01; reports are made when they are asked for, \
                 of today (UTC)"
            )));
        }
        let report = app.reports.of(store, progress)?;
        Ok(
            json!({"data": data((store, &app.lookups), &report)?, "reportTimestamp": millis(report.made)}),
        )
    });
    Ok(Json(shown.await?))
}

fn today() -> i32 {
    Timestamp::now().seconds().div_euclid(86_400) as i32
}

/// Only profiles are reported of.
fn check_model(headers: &HeaderMap) -> Answer<()> {
    let model = headers
        .get(MODEL)
        .map(|model| model.to_str().unwrap_or_default());
    match model.filter(|model| *model != Class::Profile.schema_name()) {
        None => Ok(()),
        Some(model) => Err(Problem::bad_request(format!(
            "{MODEL}: found {model:?}; allowed is {:?}",
            Class::Profile.schema_name()
        ))),
    }
}

/// How many profiles have each of what combinations are of.
fn sums(combinations: &BTreeMap<Vec<String>, u64>) -> BTreeMap<&String, u64> {
    let mut sums = BTreeMap::new();
    for (names, count) in combinations {
        for name in names {
            *sums.entry(name).or_default() += count;
        }
    }
    sums
}

/// What the entries of all reports have: a sample's figures, and those of everybody, which are the same here.
fn figures(report: &ProfileReport, count: u64) -> Map<String, Value> {
    let all = report.composition.profiles.max(1) as f64;
    let share = (count as f64 / all * 1e6).round() / 1e6;
    object(json!({
        "sampleCount": count,
        "samplePercentage": share,
        "fullIDsCount": count,
        "fullIDsPercentage": share,
        "reportTimestamp": millis(report.made),
    }))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

/// How namespaces are spelled.
struct Codes(Vec<IdentityNamespace>);

impl Codes {
    fn of<'a>(&'a self, name: &'a str) -> &'a str {
        let known = self
            .0
            .iter()
            .find(|one| one.code.eq_ignore_ascii_case(name));
        known.map_or(name, |known| &known.code)
    }
}

/// The batch that came in last and is loaded: its ID, and when it was.
fn last_batch(store: &Store) -> Answer<Option<(String, Timestamp)>> {
    let loaded = store.catalog().batches(&BatchQuery {
        limit: Some(1),
        filters: vec![
            BatchFilter::CameIn,
            BatchFilter::Is(BatchProperty::Status, vec!["success".to_owned()]),
        ],
        order: vec![(BatchProperty::Updated, true)],
        ..BatchQuery::default()
    })?;
    Ok(loaded
        .into_iter()
        .next()
        .map(|batch| (batch.id, batch.updated)))
}

/// A time as the reports have it.
fn millis(at: Timestamp) -> String {
    let text = Timestamp::from_millis(at.millis()).to_string();
    text.trim_end_matches('Z').to_owned()
}

/// A time as the status has it.
fn seconds(at: Timestamp) -> String {
    let text = Timestamp::from_millis(at.seconds() * 1000).to_string();
    format!("{}.0", text.trim_end_matches('Z').replace('T', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_has_a_turn_of_its_own_for_as_long_as_somebody_wants_it() {
        let reports = ProfileReports::default();
        let scope = |sandbox: &str| Scope {
            org: "acme".to_owned(),
            sandbox: sandbox.to_owned(),
        };
        let first = reports.turn(&scope("prod"));
        let held = first.try_lock().expect("nobody has it");
        assert!(reports.turn(&scope("prod")).try_lock().is_err());
        assert!(reports.turn(&scope("dev")).try_lock().is_ok());
        drop(held);
        assert!(reports.turn(&scope("prod")).try_lock().is_ok());
        drop(first);
        reports.turn(&scope("dev"));
        assert_eq!(reports.turns.lock().expect("whole").len(), 1);
    }

    #[test]
    fn times_are_spelled_as_the_platform_does_in_each_place() {
        let at = Timestamp::from_micros(1_596_304_678_697_001);
        assert_eq!(millis(at), "2020-08-01T17:57:58.697");
        assert_eq!(seconds(at), "2020-08-01 17:57:58.0");
    }
}
