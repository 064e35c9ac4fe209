//! How many people expressions take.

use std::collections::BTreeMap;

use profile_export::platform::{
    Audience, Estimate, estimate, estimate_by_namespace, expression_schema,
};
use profile_export::request::MergePolicy;
use profile_export::store::Store;
use serde_json::{Value, json};

use super::wanted::{Wanted, now};
use crate::args::{Arguments, EvaluationArgs};
use crate::failure::Failure;
use crate::listing::{Cell, Table, print_list};
use crate::message::say;
use crate::output::{count, print};
use crate::progress::Watch;

/// What was counted of an expression.
#[derive(Clone)]
struct Found {
    policy: String,
    members: u64,
    profiles: u64,
    by_namespace: BTreeMap<String, u64>,
}

/// Counts those of each merge policy in one pass.
pub fn tell_estimates(
    arguments: &Arguments,
    store: &Store,
    (at, by_namespace): (&EvaluationArgs, bool),
    wanted: Vec<Wanted>,
) -> Result<(), Failure> {
    let schema = expression_schema(store.catalog())?;
    let now = now(at.now.as_deref())?;
    let mut by_policy: Vec<(MergePolicy, Vec<usize>)> = Vec::new();
    for (number, one) in wanted.iter().enumerate() {
        if one.checked(&schema)?.is_number() {
            let whose = match one.definition {
                Some(_) => format!("segment {}", one.name),
                None => "the expression".to_owned(),
            };
            say(
                arguments,
                &format!(
                    "warning: {whose} is a number, and whoever has one is in, also of 0; compare it, as in xEvent.count() > 0"
                ),
            );
        }
        let policy = one.policy(store, at)?;
        match by_policy.iter_mut().find(|(known, _)| *known == policy) {
            Some((_, numbers)) => numbers.push(number),
            None => by_policy.push((policy, vec![number])),
        }
    }
    let mut found: Vec<Option<Found>> = vec![None; wanted.len()];
    let watch = Watch::start(arguments, 0);
    for (policy, numbers) in by_policy {
        let of = |number: &usize| wanted.get(*number).map(|one| one.segment(&schema));
        let segments: Vec<Audience> = numbers.iter().filter_map(of).collect::<Result<_, _>>()?;
        let id = policy.id.clone();
        let Estimate {
            profiles,
            members,
            by_namespace: mut namespaces,
            ..
        } = match by_namespace {
            true => estimate_by_namespace(store, policy, segments, now, &watch.progress)?,
            false => estimate(store, policy, segments, now, &watch.progress)?,
        };
        namespaces.resize(members.len(), BTreeMap::new());
        let counted = members.into_iter().zip(namespaces);
        for (number, (members, by_namespace)) in numbers.iter().zip(counted) {
            if let Some(slot) = found.get_mut(*number) {
                *slot = Some(Found {
                    policy: id.clone(),
                    members,
                    profiles,
                    by_namespace,
                });
            }
        }
    }
    drop(watch);
    let lines: Vec<(&Wanted, Found)> = (wanted.iter().zip(found))
        .filter_map(|(one, found)| Some((one, found?)))
        .collect();
    if let [(one, found)] = &lines[..]
        && one.definition.is_none()
        && !arguments.is_for_machines()
    {
        print(&count(found.members))?;
        let by_namespace = found.by_namespace.iter();
        let by_namespace: Vec<String> = by_namespace
            .map(|(namespace, members)| format!("{namespace} {}", count(*members)))
            .collect();
        if !by_namespace.is_empty() {
            say(
                arguments,
                &format!("with identities of {}", by_namespace.join(", ")),
            );
        }
        say(
            arguments,
            &format!(
                "of {} profiles, by merge policy {}, at {now}",
                count(found.profiles),
                found.policy
            ),
        );
        return Ok(());
    }
    let entries: Vec<Value> = (lines.iter())
        .map(|(one, found)| {
            let mut entry = json!({"segmentId": one.definition.as_ref().map(|_| &one.id), "name": one.name,
                "members": found.members, "profiles": found.profiles, "mergePolicyId": found.policy,
                "now": now.to_string()});
            if by_namespace {
                entry["membersByNamespace"] = json!(found.by_namespace);
            }
            entry
        })
        .collect();
    print_list(arguments, &entries, &entries, || {
        Ok(Table {
            head: ["SEGMENT", "MEMBERS", "OF PROFILES", "MERGE POLICY", "NAME"],
            rows: (lines.iter())
                .map(|(one, found)| {
                    let text = |text: &str| Cell::Text(text.to_owned());
                    [
                        text(&one.id),
                        Cell::Count(found.members),
                        Cell::Count(found.profiles),
                        text(&found.policy),
                        text(&one.name),
                    ]
                })
                .collect(),
        })
    })
}
