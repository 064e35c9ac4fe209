//! What a store keeps beside records: datasets, merge policies, segments, and whom these take.

use platform::Error;
use profile_export::platform::{
    SegmentJobTarget, check_definition, dataset_id, delete_merge_policy as delete_policy,
    delete_segment as delete_definition, estimate as count, evaluate_segments,
    explain_segment as explain, expression_of, expression_schema, members_by_segment,
    merge_policies as list_policies, policy_id, policy_of_segment, put_merge_policy as put_policy,
    put_segment as put_definition, segment as definition, segment_id, segments as list_definitions,
};
use profile_export::request::{MergePolicy, RequestError, read_json};
use profile_export::segment::{Expression, ExpressionError, Segment};
use profile_export::store::Catalog;
use profile_export::xdm::Timestamp;
use pyo3::prelude::*;
use serde_json::{Value, json};

use crate::errors::Result;
use crate::ingest::moment;
use crate::objects::{to_python, told};
use crate::store::{Store, Watcher};

#[pyfunction]
pub(crate) fn datasets<'py>(py: Python<'py>, store: &Store) -> Result<Bound<'py, PyAny>> {
    told(py, store.look(py, |store| Ok(store.catalog().datasets()?)))
}

/// Deletes a dataset with its records.
#[pyfunction]
pub(crate) fn delete_dataset(py: Python<'_>, store: &Store, word: &str) -> Result<()> {
    store.look(py, |store| {
        let id = dataset_id(store.catalog(), word)?;
        Ok(store.delete_dataset(&id)?)
    })
}

#[pyfunction]
pub(crate) fn merge_policies<'py>(py: Python<'py>, store: &Store) -> Result<Bound<'py, PyAny>> {
    told(py, store.look(py, |store| list_policies(store.catalog())))
}

/// Keeps a merge policy, as the next version of the one with its ID; returns it as it is kept.
#[pyfunction]
pub(crate) fn put_merge_policy<'py>(
    py: Python<'py>,
    store: &Store,
    policy: &str,
) -> Result<Bound<'py, PyAny>> {
    let policy: MergePolicy = read_json(policy.as_bytes())?;
    let kept = store.look(py, |store| {
        put_policy(store.catalog(), policy, Timestamp::now())
    });
    told(py, kept)
}

#[pyfunction]
pub(crate) fn delete_merge_policy(py: Python<'_>, store: &Store, word: &str) -> Result<()> {
    store.look(py, |store| {
        let catalog = store.catalog();
        delete_policy(catalog, &policy_id(catalog, word, "merge_policy")?)
    })
}

/// The definitions, with how many members each has where that is asked for.
#[pyfunction]
pub(crate) fn segments<'py>(
    py: Python<'py>,
    store: &Store,
    counts: bool,
    watcher: Watcher<'py>,
) -> Result<Bound<'py, PyAny>> {
    let found = store.work(py, (watcher.as_ref(), 0), |store, progress| {
        let mut found = list_definitions(store.catalog())?;
        if counts {
            let members = members_by_segment(store, progress)?;
            for definition in found.iter_mut().filter_map(Value::as_object_mut) {
                let id = definition.get("id").and_then(Value::as_str);
                // One that no record names has nobody.
                let own = id.and_then(|id| members.get(id)).copied();
                let own = own.unwrap_or_default();
                let own = json!({"realized": own.realized, "existing": own.existing,
                                 "exited": own.exited});
                definition.insert("members".to_owned(), own);
            }
        }
        Ok(found)
    });
    told(py, found)
}

#[pyfunction]
pub(crate) fn segment<'py>(
    py: Python<'py>,
    store: &Store,
    word: &str,
) -> Result<Bound<'py, PyAny>> {
    let found = store.look(py, |store| definition_of(store.catalog(), word));
    told(py, found)
}

/// Keeps a segment definition, checked; returns it as it is kept.
#[pyfunction]
pub(crate) fn put_segment<'py>(
    py: Python<'py>,
    store: &Store,
    definition: &str,
) -> Result<Bound<'py, PyAny>> {
    let definition: Value = read_json(definition.as_bytes())?;
    let kept = store.look(py, |store| {
        check_definition(&definition)?;
        put_definition(store.catalog(), definition)
    });
    told(py, kept)
}

#[pyfunction]
pub(crate) fn delete_segment(py: Python<'_>, store: &Store, word: &str) -> Result<()> {
    store.look(py, |store| {
        let catalog = store.catalog();
        delete_definition(catalog, &segment_id(catalog, word, "segment")?)
    })
}

/// Evaluates segment definitions, all that have an expression where none is named; returns the segment job.
#[pyfunction]
pub(crate) fn evaluate<'py>(
    py: Python<'py>,
    store: &Store,
    wanted: Vec<String>,
    now: Option<String>,
    watcher: Watcher<'py>,
) -> Result<Bound<'py, PyAny>> {
    let now = at(now.as_deref())?;
    let job = store.work(py, (watcher.as_ref(), 0), |store, progress| {
        let ids = wanted
            .iter()
            .map(|word| segment_id(store.catalog(), word, "segments"));
        let target = match wanted.is_empty() {
            true => SegmentJobTarget::All,
            false => SegmentJobTarget::Segments(ids.collect::<Result<_, _>>()?),
        };
        evaluate_segments(store, &target, now, progress)
    });
    told(py, job)
}

/// Counts whom an expression takes, with nothing written.
#[pyfunction]
pub(crate) fn estimate<'py>(
    py: Python<'py>,
    store: &Store,
    expression: &str,
    merge_policy: Option<String>,
    now: Option<String>,
    watcher: Watcher<'py>,
) -> Result<Bound<'py, PyAny>> {
    let now = at(now.as_deref())?;
    let read = Expression::parse(expression).map_err(refused)?;
    let estimate = store.work(py, (watcher.as_ref(), 0), |store, progress| {
        let catalog = store.catalog();
        let checked = read.check(&expression_schema(catalog)?).map_err(refused)?;
        let policy = policy_of(catalog, merge_policy.as_deref(), None)?;
        let id = policy.id.clone();
        let segment = Segment::new("(expression)".to_owned(), checked);
        let found = count(store, policy, vec![segment], now, progress)?;
        Ok(
            json!({"members": found.members.first(), "profiles": found.profiles,
                      "optedOut": found.opted_out, "mergePolicyId": id, "now": now.to_string()}),
        )
    });
    told(py, estimate)
}

/// Why a primary identity is in a segment, or is not; `None` where no record has it.
#[pyfunction]
pub(crate) fn explain_segment<'py>(
    py: Python<'py>,
    store: &Store,
    wanted: (String, (String, String)),
    merge_policy: Option<String>,
    now: Option<String>,
    watcher: Watcher<'py>,
) -> Result<Bound<'py, PyAny>> {
    let (word, identity) = wanted;
    let now = at(now.as_deref())?;
    let found = store.work(py, (watcher.as_ref(), 0), |store, progress| {
        let catalog = store.catalog();
        let definition = definition_of(catalog, &word)?;
        let expression = expression_of(&definition)?;
        let policy = policy_of(catalog, merge_policy.as_deref(), Some(&definition))?;
        let id = definition
            .get("id")
            .and_then(Value::as_str)
            .unwrap_or(&word);
        let of = (id, &expression, Some(&definition));
        let who = (&*identity.0, &*identity.1);
        explain(store, policy, of, who, now, progress)
    })?;
    Ok(to_python(py, &found)?)
}

fn at(now: Option<&str>) -> Result<Timestamp, RequestError> {
    Ok(moment("now", now)?.unwrap_or_else(Timestamp::now))
}

fn definition_of(catalog: &Catalog, word: &str) -> Result<Value, Error> {
    definition(catalog, &segment_id(catalog, word, "segment")?)
}

fn policy_of(
    catalog: &Catalog,
    word: Option<&str>,
    definition: Option<&Value>,
) -> Result<MergePolicy, Error> {
    let asked = word.map(|word| policy_id(catalog, word, "merge_policy"));
    policy_of_segment(catalog, asked.transpose()?.as_deref(), definition)
}

fn refused(error: ExpressionError) -> RequestError {
    RequestError::new("expression", error.to_string())
}
