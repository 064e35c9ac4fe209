use std::time::Duration;

use axum::http::Method;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use profile_export::jobs::JobStatus;

use crate::problem::{Answer, Problem};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    method: &'static str,
    /// The route's pattern, not the path: there are few of them.
    route: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct State {
    status: String,
}

/// What the server counts.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    seconds: Histogram,
    jobs: Family<State, Gauge>,
    ended: Family<State, Counter>,
    profiles: Counter,
    pub(crate) connections: Gauge,
    pub(crate) running: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("profile_export");
        let requests = Family::default();
        registry.register("http_requests", "Requests answered", requests.clone());
        let seconds = Histogram::new([0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0]);
        registry.register_with_unit(
            "http_request_duration",
            "Time from a request's head to its answer's head",
            Unit::Seconds,
            seconds.clone(),
        );
        let jobs = Family::default();
        registry.register("jobs", "Export jobs in the store, by state", jobs.clone());
        let ended = Family::default();
        registry.register(
            "jobs_ended",
            "Export jobs that this server ran",
            ended.clone(),
        );
        let profiles = Counter::default();
        registry.register(
            "exported_profiles",
            "Rows that its jobs wrote",
            profiles.clone(),
        );
        let connections = Gauge::default();
        registry.register("http_connections", "Open connections", connections.clone());
        let running = Gauge::default();
        registry.register("jobs_running", "Export jobs that run now", running.clone());
        Self {
            registry,
            requests,
            seconds,
            jobs,
            ended,
            profiles,
            connections,
            running,
        }
    }
}

impl Metrics {
    pub(crate) fn count_request(&self, method: &Method, route: &str, status: u16, took: Duration) {
        let request = Request {
            method: label(method),
            route: route.to_owned(),
            status,
        };
        self.requests.get_or_create(&request).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn count_ended(&self, status: JobStatus, profiles: u64) {
        let state = State {
            status: status.to_string(),
        };
        self.ended.get_or_create(&state).inc();
        self.profiles.inc_by(profiles);
    }

    /// All metrics as text; `jobs` is how many there are in each state.
    pub(crate) fn render(&self, jobs: &[(JobStatus, i64)]) -> Answer<String> {
        self.jobs.clear();
        for (status, count) in jobs {
            let state = State {
                status: status.to_string(),
            };
            self.jobs.get_or_create(&state).set(*count);
        }
        let mut text = String::new();
        encode(&mut text, &self.registry).map_err(|e| Problem::internal(&e))?;
        Ok(text)
    }
}

/// The methods that HTTP names, and one word for all others: anybody may send any word there is, and a
/// series is never forgotten.
fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::CONNECT => "CONNECT",
        _ => "other",
    }
}
