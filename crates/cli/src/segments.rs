//! Segments: their definitions, their expressions, and whom these take.

use std::collections::BTreeMap;

use profile_export::platform::{
    Audience, Estimate, SegmentJobTarget, estimate_by_namespace, evaluate_segments, expression_of,
    expression_schema, first_members, overlap, policy_id, policy_of_segment, segment, segment_id,
    segments as list_segments,
};
use profile_export::request::MergePolicy;
use profile_export::segment::{Checked, Expression, ExpressionError, Schema, Segment};
use profile_export::store::Store;
use profile_export::xdm::Timestamp;
use serde_json::{Value, json};

use crate::args::{Arguments, EvaluationArgs, SegmentsCommand};
use crate::audience::start;
use crate::catalog;
use crate::failure::Failure;
use crate::listing::{Cell, Table, print_list};
use crate::message::say;
use crate::output::{count, print, print_result, read};
use crate::plan::print_profiles;
use crate::progress::Watch;
use crate::stores::open;

/// What an expression that stands in no definition is called.
const UNNAMED: &str = "(expression)";

pub fn segments(arguments: &Arguments, command: &SegmentsCommand) -> Result<(), Failure> {
    match command {
        SegmentsCommand::Definitions(command) => catalog::segments(arguments, command),
        SegmentsCommand::Check { file, store } => {
            let store = store.as_deref().map(|store| open(arguments, store));
            check(arguments, file, store.transpose()?.as_ref())
        }
        SegmentsCommand::Estimate {
            expression,
            segment,
            all,
            at,
        } => {
            let store = open(arguments, &at.store.store)?;
            let wanted = match expression {
                Some(text) => vec![Wanted::unnamed(Expression::parse(text))?],
                None => Wanted::of_definitions(&store, segment, *all)?,
            };
            tell_estimates(arguments, &store, at, wanted)
        }
        SegmentsCommand::Evaluate {
            segment,
            all,
            now,
            store,
        } => evaluate(
            arguments,
            &open(arguments, &store.store)?,
            (segment, *all),
            now.as_deref(),
        ),
        SegmentsCommand::Overlap { segment, all, at } => {
            let store = open(arguments, &at.store.store)?;
            let wanted = Wanted::of_definitions(&store, segment, *all)?;
            tell_overlap(arguments, &store, at, &wanted)
        }
        SegmentsCommand::Preview {
            expression,
            limit,
            at,
        } => {
            let store = open(arguments, &at.store.store)?;
            let wanted = Wanted::unnamed(Expression::parse(expression))?;
            let schema = expression_schema(store.catalog())?;
            let segment = wanted.segment(&schema)?;
            let policy = wanted.policy(&store, at)?;
            let now = now(at.now.as_deref())?;
            let watch = Watch::start(arguments, 0);
            let people = first_members(&store, policy, segment, now, *limit, &watch.progress)?;
            drop(watch);
            match arguments.is_for_machines() {
                true => print_result(arguments, &people),
                false => print_profiles(&people),
            }
        }
    }
}

/// An expression, and the definition that it is of, if it is of one.
struct Wanted {
    id: String,
    name: String,
    definition: Option<Value>,
    expression: Expression,
}

impl Wanted {
    /// What was read of an expression that stands in no definition.
    fn unnamed(read: Result<Expression, ExpressionError>) -> Result<Self, Failure> {
        Ok(Self {
            id: UNNAMED.to_owned(),
            name: UNNAMED.to_owned(),
            definition: None,
            expression: read.map_err(|error| refused(UNNAMED, &error))?,
        })
    }

    fn of_definition(definition: Value) -> Result<Self, Failure> {
        let text = |name: &str| {
            definition
                .get(name)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let id = text("id").unwrap_or_else(|| UNNAMED.to_owned());
        Ok(Self {
            name: text("name").unwrap_or_else(|| id.clone()),
            expression: expression_of(&definition)
                .map_err(|error| Failure::usage(format!("segment {id}: {error}")))?,
            id,
            definition: Some(definition),
        })
    }

    fn of_definitions(store: &Store, wanted: &[String], all: bool) -> Result<Vec<Self>, Failure> {
        let catalog = store.catalog();
        let definitions = match all {
            true => list_segments(catalog)?,
            false => {
                let ids = wanted
                    .iter()
                    .map(|name| segment_id(catalog, name, "--segment"));
                let found = ids.map(|id| segment(catalog, &id?));
                found.collect::<Result<_, _>>()?
            }
        };
        definitions.into_iter().map(Self::of_definition).collect()
    }

    fn checked(&self, schema: &Schema) -> Result<Checked, Failure> {
        self.expression
            .check(schema)
            .map_err(|error| refused(&self.name, &error))
    }

    fn segment(&self, schema: &Schema) -> Result<Audience, Failure> {
        let segment = Segment::new(self.id.clone(), self.checked(schema)?);
        Ok(match &self.definition {
            Some(definition) => Audience::of_definition(segment, definition),
            None => segment.into(),
        })
    }

    fn policy(&self, store: &Store, at: &EvaluationArgs) -> Result<MergePolicy, Failure> {
        let catalog = store.catalog();
        let asked = at.merge_policy.as_deref();
        let asked = asked
            .map(|name| policy_id(catalog, name, "--merge-policy"))
            .transpose()?;
        Ok(policy_of_segment(
            catalog,
            asked.as_deref(),
            self.definition.as_ref(),
        )?)
    }
}

fn refused(whose: &str, error: &ExpressionError) -> Failure {
    Failure::usage(match whose {
        UNNAMED => error.to_string(),
        whose => format!("segment {whose}: {error}"),
    })
}

fn now(asked: Option<&str>) -> Result<Timestamp, Failure> {
    let asked = start("--now", asked)?;
    Ok(asked
        .and_then(|text| Timestamp::parse(&text))
        .unwrap_or_else(Timestamp::now))
}

/// Tells how many are in each two of some definitions: a line for each two, or a matrix for machines.
fn tell_overlap(
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
    print_list(arguments, &whole, std::slice::from_ref(&whole), || table)
}

/// Evaluates definitions and tells how they came out.
fn evaluate(
    arguments: &Arguments,
    store: &Store,
    (wanted, all): (&[String], bool),
    at: Option<&str>,
) -> Result<(), Failure> {
    let catalog = store.catalog();
    let target = match all {
        true => SegmentJobTarget::All,
        false => {
            let ids = wanted
                .iter()
                .map(|name| segment_id(catalog, name, "SEGMENT"));
            SegmentJobTarget::Segments(ids.collect::<Result<_, _>>()?)
        }
    };
    let watch = Watch::start(arguments, 0);
    let job = evaluate_segments(store, &target, now(at)?, &watch.progress)?;
    drop(watch);
    let names = list_segments(catalog)?;
    let name_of = |id: &str| {
        let mut own = names.iter().filter(|one| one["id"] == id);
        own.next()
            .and_then(|one| one["name"].as_str())
            .unwrap_or(id)
            .to_owned()
    };
    let metrics = &job.metrics;
    let counters = &metrics.segmented_profile_by_status_counter;
    let lines = metrics
        .segmented_profile_counter
        .iter()
        .map(|(id, members)| {
            let of_status = |status: &str| counters.get(id).and_then(|of| of.get(status));
            let count = |status| of_status(status).copied().unwrap_or_default();
            let left = metrics.exited_profile_counter.get(id).copied();
            (
                id,
                *members,
                [
                    count("realized"),
                    count("existing"),
                    left.unwrap_or_default(),
                ],
            )
        });
    let lines: Vec<_> = lines.collect();
    if arguments.is_for_machines() {
        return print_result(arguments, &job);
    }
    let rows = lines.iter().map(|(id, members, [entered, stayed, left])| {
        [
            Cell::Text((*id).clone()),
            Cell::Count(*members),
            Cell::Count(*entered),
            Cell::Count(*stayed),
            Cell::Count(*left),
            Cell::Text(name_of(id)),
        ]
    });
    let table = Table {
        head: ["SEGMENT", "IN", "ENTERED", "STAYED", "LEFT", "NAME"],
        rows: rows.collect(),
    };
    print_list(arguments, &lines, &lines, || table)?;
    let opted_out: u64 = metrics.opted_out_profiles_by_merge_policy.values().sum();
    if opted_out > 0 {
        say(
            arguments,
            &format!(
                "{} opted out and are in no segment that heeds it",
                count(opted_out)
            ),
        );
    }
    let took = metrics.total_time.total_time_in_ms.unwrap_or_default();
    let by_policy = metrics.total_profiles_by_merge_policy.iter();
    let by_policy: Vec<String> = by_policy
        .map(|(policy, profiles)| format!("{} by merge policy {policy}", count(*profiles)))
        .collect();
    say(
        arguments,
        &format!(
            "of profiles: {}, at {}, in {:.3} s",
            by_policy.join(", "),
            job.evaluation_time,
            took as f64 / 1000.0
        ),
    );
    Ok(())
}

/// What was counted of an expression.
#[derive(Clone)]
struct Found {
    policy: String,
    members: u64,
    profiles: u64,
    by_namespace: BTreeMap<String, u64>,
}

/// Counts those of each merge policy in one pass.
fn tell_estimates(
    arguments: &Arguments,
    store: &Store,
    at: &EvaluationArgs,
    wanted: Vec<Wanted>,
) -> Result<(), Failure> {
    let schema = expression_schema(store.catalog())?;
    let now = now(at.now.as_deref())?;
    let mut by_policy: Vec<(MergePolicy, Vec<usize>)> = Vec::new();
    for (number, one) in wanted.iter().enumerate() {
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
            by_namespace,
            ..
        } = estimate_by_namespace(store, policy, segments, now, &watch.progress)?;
        let counted = members.into_iter().zip(by_namespace);
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
            json!({"segmentId": one.definition.as_ref().map(|_| &one.id), "name": one.name, "members": found.members,
                   "membersByNamespace": found.by_namespace, "profiles": found.profiles,
                   "mergePolicyId": found.policy, "now": now.to_string()})
        })
        .collect();
    print_list(arguments, &entries, &entries, || Table {
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
}

/// Reads expressions, and holds them against the fields of a store, if there is one.
fn check(arguments: &Arguments, file: &str, store: Option<&Store>) -> Result<(), Failure> {
    let text = read(file)?;
    let text =
        String::from_utf8(text).map_err(|_| Failure::usage(format!("{file}: no UTF-8 text")))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let wanted = match serde_json::from_str::<Value>(text) {
        Ok(Value::Array(definitions)) if definitions.is_empty() => {
            return Err(Failure::usage(format!("{file}: a list of no definition")));
        }
        Ok(Value::Array(definitions)) => definitions
            .into_iter()
            .map(Wanted::of_definition)
            .collect::<Result<_, _>>()?,
        Ok(definition) if definition.get("expression").is_some() => {
            vec![Wanted::of_definition(definition)?]
        }
        Ok(json @ (Value::Object(_) | Value::String(_))) => {
            vec![Wanted::unnamed(Expression::from_json(&json))?]
        }
        _ => vec![Wanted::unnamed(Expression::parse(text))?],
    };
    let schema = store
        .map(|store| expression_schema(store.catalog()))
        .transpose()?;
    let mut told = Vec::new();
    for one in &wanted {
        let mut entry = json!({"name": one.name, "expression": one.expression.to_text()});
        if let Some(schema) = &schema {
            let checked = one.checked(schema)?;
            let columns = checked.columns();
            let path = |column: &profile_export::segment::Column| match column.path.is_empty() {
                true => "(all)".to_owned(),
                false => column.path.join("."),
            };
            entry["fields"] = columns.profile.iter().map(path).collect();
            entry["eventFields"] = columns.events.iter().flatten().map(path).collect();
            entry["segments"] = json!(checked.segments());
        }
        told.push(entry);
    }
    if arguments.is_for_machines() {
        return match &told[..] {
            [one] => print_result(arguments, one),
            all => print_result(arguments, &all),
        };
    }
    let lines: Vec<String> = (told.iter())
        .map(|entry| {
            let expression = entry["expression"].as_str().unwrap_or_default();
            match entry["name"].as_str() {
                Some(UNNAMED) | None => expression.to_owned(),
                Some(name) => format!("{name}: {expression}"),
            }
        })
        .collect();
    print(&lines.join("\n"))?;
    if schema.is_none() {
        say(
            arguments,
            "no store was given: its fields were not looked at",
        );
    }
    Ok(())
}
