//! How many people are in each two of some segments.

use profile_export::platform::{Audience, expression_schema, overlap};
use profile_export::request::MergePolicy;
use profile_export::store::Store;
use serde_json::json;

use super::wanted::{Wanted, now};
use crate::args::{Arguments, EvaluationArgs};
use crate::failure::Failure;
use crate::listing::{Cell, Table, print_list};
use crate::output::print_result;
use crate::progress::Watch;

/// Tells how many are in each two of some definitions: a line for each two, or a matrix for machines.
pub fn tell_overlap(
    arguments: &Arguments,
    store: &Store,
    at: &EvaluationArgs,
    wanted: &[Wanted],
) -> Result<(), Failure> {
    let schema = expression_schema(store.catalog())?;
    let now = now(at.now.as_deref())?;
    let mut policies: Vec<MergePolicy> = Vec::new();
    for one in wanted {
        let policy = one.policy(store, at)?;
        if !policies.contains(&policy) {
            policies.push(policy);
        }
    }
    let policy = match policies.pop() {
        Some(policy) if policies.is_empty() => policy,
        Some(_) => {
            return Err(Failure::usage(
                "the definitions have different merge policies, and profiles differ with these: say one by --merge-policy",
            ));
        }
        None => return Err(Failure::missing("no segment has a definition")),
    };
    let segments = wanted.iter().map(|one| one.segment(&schema));
    let segments: Vec<Audience> = segments.collect::<Result<_, _>>()?;
    let watch = Watch::start(arguments, 0);
    let id = policy.id.clone();
    let counts: Vec<Vec<u64>> = overlap(store, policy, segments, now, &watch.progress)?;
    drop(watch);
    let ids: Vec<&str> = wanted.iter().map(|one| &*one.id).collect();
    let whole =
        json!({"segments": ids, "counts": counts, "mergePolicyId": id, "now": now.to_string()});
    if arguments.is_for_machines() {
        return print_result(arguments, &whole);
    }
    let count = |row: usize, column: usize| counts.get(row).and_then(|row| row.get(column));
    let count = |row, column| Cell::Count(count(row, column).copied().unwrap_or_default());
    let mut rows = Vec::new();
    for (first, one) in wanted.iter().enumerate() {
        for (second, other) in wanted.iter().enumerate().skip(first + 1) {
            rows.push([
                Cell::Text(one.name.clone()),
                Cell::Text(other.name.clone()),
                count(first, second),
                count(first, first),
                count(second, second),
            ]);
        }
    }
    let table = Table {
        head: ["FIRST", "SECOND", "IN BOTH", "IN FIRST", "IN SECOND"],
        rows,
    };
    print_list(arguments, &whole, std::slice::from_ref(&whole), || {
        Ok(table)
    })
}
