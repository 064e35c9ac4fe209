//! Paths that this server does not answer: clients of the platform know more of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use utoipa::openapi::OpenApi;

use crate::app::App;
use crate::problem::Problem;

/// The most paths that are named.
const MOST_NAMED: usize = 8;

/// The paths that are answered, as the description has them.
pub(crate) struct KnownPaths(Vec<String>);

impl KnownPaths {
    pub(crate) fn of(api: &OpenApi) -> Self {
        Self(api.paths.paths.keys().cloned().collect())
    }

    /// What there is beside a path that is not answered: what begins like it, and of that no more than a few.
    fn beside(&self, path: &str) -> Vec<String> {
        let parts = |path: &str| -> Vec<String> {
            let parts = path.split('/').skip(1);
            parts.map(str::to_owned).collect()
        };
        let wanted = parts(path);
        let known: Vec<Vec<String>> = self.0.iter().map(|known| parts(known)).collect();
        let same = |known: &Vec<String>| {
            let pairs = known.iter().zip(&wanted);
            pairs.take_while(|(known, wanted)| known == wanted).count()
        };
        let most = known.iter().map(same).max().unwrap_or(0);
        let mut depth = usize::MAX;
        loop {
            let like_it = known.iter().filter(|known| same(known) == most);
            let named: BTreeSet<String> = like_it
                .map(|known| format!("/{}", known[..known.len().min(depth)].join("/")))
                .collect();
            if named.len() <= MOST_NAMED || depth <= most + 1 {
                return named.into_iter().collect();
            }
            depth = depth.min(8) - 1;
        }
    }
}

/// What the query service begins with, which only a program that was built with SQL has.
const QUERY_SERVICE: &str = "/data/foundation/query/";

/// Says that a path is not answered, and what there is.
pub(crate) async fn answer(State(app): State<Arc<App>>, uri: Uri) -> Problem {
    let without_sql = match uri.path().starts_with(QUERY_SERVICE) && app.settings.sql.is_none() {
        true => " since it was built without SQL (--features sql; released programs have it)",
        false => "",
    };
    let beside = app.paths.beside(uri.path());
    Problem::not_found(format!(
        "no path {}: this server does not answer it{without_sql}. There is {}; /openapi.json describes all, /reference shows that",
        uri.path(),
        beside.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_like_a_path_is_named_and_less_of_it_where_there_is_much() {
        let many = (0..20).map(|number| format!("/data/core/ups/config/{number}/{{id}}"));
        let others = [
            "/data/core/ups/jobs",
            "/data/core/ups/jobs/{id}",
            "/data/catalog/sets",
            "/ims/token",
        ];
        let known = KnownPaths(many.chain(others.map(str::to_owned)).collect());
        let beside = |path| known.beside(path).join(" ");
        assert_eq!(
            beside("/data/core/ups/jobs/1/files"),
            "/data/core/ups/jobs /data/core/ups/jobs/{id}"
        );
        assert_eq!(
            beside("/data/core/ups/other"),
            "/data/core/ups/config /data/core/ups/jobs"
        );
        assert_eq!(
            beside("/data/query/queries"),
            "/data/catalog/sets /data/core/ups/config /data/core/ups/jobs"
        );
        assert_eq!(
            beside("/elsewhere"),
            "/data/catalog/sets /data/core/ups/config /data/core/ups/jobs /ims/token"
        );
    }
}
