//! Which parameters a query may have: those that the API's description has for its operation. One that
//! nobody asks for would look as if it were obeyed.

use std::collections::{BTreeMap, HashMap};

use axum::extract::MatchedPath;
use axum::http::Method;
use axum::http::request::Parts;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::{OpenApi, RefOr, Schema};
use xdm::nearest;

use crate::problem::{Answer, Problem};

/// Clients of the platform put their own limit behind the one of the link that they follow; a link has one of the others, too.
const REPEATED: &str = "limit";
const OF_LINKS: [&str; 2] = ["start", "offset"];

/// The query parameters of each operation.
pub(crate) struct Parameters(HashMap<(Method, String), Vec<Known>>);

/// A parameter that an operation knows.
struct Known {
    name: String,
    /// Whether it may come several times, each with a value of its own.
    is_list: bool,
}

impl Parameters {
    pub(crate) fn of(api: &OpenApi) -> Self {
        let mut known = HashMap::new();
        for (path, item) in &api.paths.paths {
            let operations = [
                (Method::GET, &item.get),
                (Method::HEAD, &item.head),
                (Method::POST, &item.post),
                (Method::PUT, &item.put),
                (Method::PATCH, &item.patch),
                (Method::DELETE, &item.delete),
            ];
            for (method, operation) in operations {
                if let Some(operation) = operation {
                    known.insert((method, path.clone()), parameters(operation));
                }
            }
        }
        Self(known)
    }

    /// Checks the query of a request.
    ///
    /// # Errors
    /// A parameter that its operation does not know, or that says two things.
    pub(crate) fn check(&self, parts: &Parts) -> Answer<()> {
        let Some(path) = parts.extensions.get::<MatchedPath>() else {
            return Ok(());
        };
        let of = |method: &Method| self.0.get(&(method.clone(), path.as_str().to_owned()));
        // What a GET answers, a HEAD does, too.
        let known = of(&parts.method).or_else(|| of(&Method::GET));
        let known = known.map_or(&[][..], Vec::as_slice);
        let query = parts.uri.query().unwrap_or_default();
        let (mut said, mut twice) = (HashMap::new(), BTreeMap::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.trim().to_owned();
            if value.is_empty() {
                continue;
            }
            let Some(known) = known.iter().find(|known| known.name == name) else {
                return Err(unknown(&name, known));
            };
            if known.is_list {
                continue;
            }
            let first = said.entry(name.clone()).or_insert_with(|| value.clone());
            if *first != value {
                twice.entry(name).or_insert((first.clone(), value));
            }
        }
        let is_link = OF_LINKS.iter().any(|name| said.contains_key(*name));
        match twice
            .into_iter()
            .find(|(name, _)| !(is_link && name == REPEATED))
        {
            Some((name, (first, second))) => Err(Problem::bad_request(format!(
                "{name}: found {first:?} and {second:?}; allowed is one value"
            ))),
            None => Ok(()),
        }
    }
}

fn parameters(operation: &Operation) -> Vec<Known> {
    let parameters = operation.parameters.iter().flatten();
    let in_query = parameters.filter_map(|parameter| match parameter {
        RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query => Some(parameter),
        _ => None,
    });
    let is_list = |schema: &RefOr<Schema>| matches!(schema, RefOr::T(Schema::Array(_)));
    let known = in_query.map(|parameter| Known {
        name: parameter.name.clone(),
        is_list: parameter.schema.as_ref().is_some_and(is_list),
    });
    known.collect()
}

fn unknown(name: &str, known: &[Known]) -> Problem {
    let known: Vec<&str> = known.iter().map(|known| known.name.as_str()).collect();
    let near = match nearest(name, known.iter().copied()).first() {
        Some(near) => format!("; did you mean {near:?}?"),
        None => String::new(),
    };
    let known = match &known[..] {
        [] => "there are none here".to_owned(),
        known => format!("known are {}", known.join(", ")),
    };
    Problem::bad_request(format!("unknown query parameter {name:?}{near} ({known})"))
}
