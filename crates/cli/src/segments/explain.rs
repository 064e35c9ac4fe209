//! Why a person is in a segment, or is not.

use profile_export::platform::{
    ExplainedPart, SegmentExplanation, explain_segment, segment, segment_id,
};
use profile_export::store::Store;
use profile_export::xdm::Timestamp;

use super::wanted::{Wanted, now};
use crate::args::{Arguments, EvaluationArgs};
use crate::failure::Failure;
use crate::message::shown;
use crate::output::{count, print, print_result};
use crate::progress::Watch;
use profile_export::xdm::Identity;

/// Explains a definition for the profile of a primary identity.
pub fn explain(
    arguments: &Arguments,
    store: &Store,
    (name, identity): (&str, &Identity),
    at: &EvaluationArgs,
) -> Result<(), Failure> {
    let catalog = store.catalog();
    let definition = segment(catalog, &segment_id(catalog, name, "SEGMENT")?)?;
    let wanted = Wanted::of_definition(definition)?;
    let policy = wanted.policy(store, at)?;
    let now = now(at.now.as_deref())?;
    let watch = Watch::start(arguments, 0);
    let definition = wanted.definition.as_ref();
    let found = explain_segment(
        store,
        policy,
        (&wanted.id, &wanted.expression, definition),
        (&identity.namespace, &identity.id),
        now,
        &watch.progress,
    )?;
    drop(watch);
    let found = found.ok_or_else(|| {
        Failure::missing(format!(
            "no record has {identity} as its primary identity; the case of an id counts, that of a namespace does not"
        ))
    })?;
    match arguments.is_for_machines() {
        true => print_result(arguments, &found),
        false => print(&written(&found, &wanted.name, now)),
    }
}

fn written(found: &SegmentExplanation, name: &str, now: Timestamp) -> String {
    let who = found.identities.first().map_or("nobody", String::as_str);
    let verdict = if found.is_in { "in" } else { "not in" };
    let mut lines = vec![format!(
        "{} is {verdict} {}, at {now}",
        shown(who),
        shown(name)
    )];
    if found.identities.len() > 1 {
        lines.push(format!(
            "  one profile of {}",
            shown(&found.identities.join(", "))
        ));
    }
    if found.is_opted_out {
        lines.push("  it opted out (privacyOptOuts), and the segment heeds that".to_owned());
    }
    lines.push(match &found.stored {
        None => "  no membership is stored".to_owned(),
        Some(stored) => {
            let whose = match stored.is_evaluated {
                true => "the last evaluation",
                false => "what data says",
            };
            let time = stored
                .last_qualification_time
                .as_deref()
                .unwrap_or("no time");
            format!("  stored: {} since {time}, by {whose}", stored.status)
        }
    });
    lines.push(String::new());
    add(&found.expression, 0, &mut lines);
    lines.join("\n")
}

fn add(part: &ExplainedPart, depth: usize, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    let holds = if part.holds { "true " } else { "false" };
    lines.push(format!("{holds}  {indent}{}", shown(&part.text)));
    for (path, value) in &part.values {
        lines.push(format!(
            "       {indent}  {} is {}",
            shown(path),
            shown(&value.to_string())
        ));
    }
    if let Some(events) = part.event_count {
        let taken = part.taken_count.map(|taken| {
            let taken = count(taken);
            format!("; behind those of the steps before it takes {taken}")
        });
        lines.push(format!(
            "       {indent}  events that fit: {}{}",
            count(events),
            taken.unwrap_or_default()
        ));
    }
    for event in &part.events {
        lines.push(format!("       {indent}    {}", shown(&event.to_string())));
    }
    for inner in &part.parts {
        add(inner, depth + 1, lines);
    }
}
