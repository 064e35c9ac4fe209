//! Why a profile is in an export, or is not, for people to read.

use profile_export::export::{Explanation, FragmentPart};
use profile_export::request::MergePolicy;
use profile_export::xdm::Identity;
use serde_json::{Value, json};

use crate::args::{Arguments, ExplainArgs};
use crate::audience;
use crate::failure::Failure;
use crate::message::shown;
use crate::origin::Work;
use crate::output::{count, print, print_result, short, table};
use crate::settings::Settings;

/// Events that are shown one by one.
const MOST_EVENTS: usize = 20;

pub fn explain(
    arguments: &Arguments,
    settings: &Settings,
    explain: &ExplainArgs,
) -> Result<(), Failure> {
    let work = Work::to_look(settings, &explain.look)?;
    let request = audience::request(&explain.look.audience)?;
    let wanted = &explain.identity;
    let (found, _) = work.looked_at(arguments, &request, |prepared| {
        let explanation = prepared.export.explain(&wanted.namespace, &wanted.id)?;
        Ok((explanation, prepared.policy.clone()))
    })?;
    let (explanation, policy) = found;
    let explanation = explanation.ok_or_else(|| {
        Failure::missing(format!(
            "no profile has {wanted}: without an identity graph (--merge-policy) only primary identities are known; {}",
            "the case of an id counts, that of a namespace does not; of whom there are only events, --events and \
             --empty-profiles tell"
        ))
    })?;
    if arguments.is_for_machines() {
        let policy = json!({"id": policy.id, "name": policy.name, "version": policy.version});
        return print_result(
            arguments,
            &json!({"mergePolicy": policy, "explanation": explanation}),
        );
    }
    print(&written(&explanation, wanted, &policy))
}

fn written(explanation: &Explanation, wanted: &Identity, policy: &MergePolicy) -> String {
    let mut text = String::new();
    let verdict = match explanation.is_exported {
        true => "in the export",
        false => "not in the export",
    };
    let (first, others) = match &explanation.identities[..] {
        [first, others @ ..] => (first.as_str(), others),
        [] => ("nobody", &[][..]),
    };
    let is_wanted = |identity: &String| {
        let parts = identity.split_once(':');
        parts.is_some_and(|(namespace, id)| {
            namespace.eq_ignore_ascii_case(&wanted.namespace) && id == wanted.id
        })
    };
    if !explanation.identities.iter().any(is_wanted) {
        text.push_str(&format!(
            "{} belongs to {}\n",
            shown(&wanted.to_string()),
            shown(first)
        ));
    }
    text.push_str(&format!("{} is {verdict}\n", shown(first)));
    if !others.is_empty() {
        text.push_str(&format!("one profile with {}\n", shown(&others.join(", "))));
    }
    text.push_str(&format!(
        "merge policy: {} (version {})\n",
        policy.id, policy.version
    ));
    text.push_str("\nWhat decides\n");
    for condition in &explanation.conditions {
        let mark = if condition.holds { "yes" } else { "NO " };
        text.push_str(&format!("  {mark}  {}\n", shown(&condition.text)));
    }
    for (title, part) in [
        ("Memberships that were looked at", memberships(explanation)),
        ("Fragments, best first", fragments(explanation)),
        ("Fields", fields(explanation)),
        ("Events", events(explanation)),
    ] {
        if !part.is_empty() {
            text.push_str(&format!("\n{title}\n"));
            part.lines()
                .for_each(|line| text.push_str(&format!("  {line}\n")));
        }
    }
    text
}

/// A fragment in a word: its number among all, counted from 1, and its dataset.
fn name(number: usize, fragments: &[FragmentPart]) -> String {
    let dataset = fragments
        .get(number)
        .map_or("", |fragment| &fragment.dataset);
    format!("{} {dataset}", number + 1)
}

fn fragments(explanation: &Explanation) -> String {
    let parts = explanation
        .fragments
        .iter()
        .enumerate()
        .map(|(number, part)| {
            let updated = match part.updated == part.ingested {
                true => String::new(),
                false => format!("competes by {}", part.updated),
            };
            [
                (number + 1).to_string(),
                part.dataset.clone(),
                part.identity.clone(),
                part.ingested.clone(),
                updated,
            ]
        });
    let others = explanation.records_without_part.iter().map(|one| {
        let reason = format!("no part: {}", one.reason);
        [
            "-".to_owned(),
            one.dataset.clone(),
            one.identity.clone(),
            one.ingested.clone(),
            reason,
        ]
    });
    rows(
        ["", "DATASET", "IDENTITY", "CAME IN", ""],
        parts.chain(others),
    )
}

fn fields(explanation: &Explanation) -> String {
    let rows_of = explanation.fields.iter().map(|field| {
        let winner = match field.fragment {
            Some(number) => name(number, &explanation.fragments),
            None => "several together".to_owned(),
        };
        let lost: Vec<String> = (field.lost.iter())
            .map(|lost| {
                format!(
                    "{}: {}",
                    name(lost.fragment, &explanation.fragments),
                    in_short(&lost.value)
                )
            })
            .collect();
        [
            field.path.clone(),
            in_short(&field.value),
            winner,
            lost.join("; "),
        ]
    });
    rows(["FIELD", "VALUE", "FROM", "WHAT LOST"], rows_of)
}

fn memberships(explanation: &Explanation) -> String {
    let seen = explanation
        .batches
        .iter()
        .flat_map(|batch| &batch.memberships);
    let rows_of = seen.map(|one| {
        let mark = if one.counts { "yes" } else { "NO" };
        [
            mark.to_owned(),
            format!("{}:{}", one.namespace, one.segment_id),
            one.status.clone(),
            one.qualified.clone().unwrap_or_default(),
            name(one.fragment, &explanation.fragments),
            one.reason.clone(),
        ]
    });
    rows(["", "SEGMENT", "STATUS", "QUALIFIED", "FROM", ""], rows_of)
}

fn events(explanation: &Explanation) -> String {
    let events = &explanation.events;
    let rows_of = events.iter().take(MOST_EVENTS).map(|event| {
        let mark = if event.is_added { "yes" } else { "NO" };
        [
            mark.to_owned(),
            event.timestamp.clone().unwrap_or_default(),
            event.ingested.clone(),
            event.dataset.clone(),
            event.event_type.clone().unwrap_or_default(),
            event.id.clone(),
            event.reason.clone().unwrap_or_default(),
        ]
    });
    let mut text = rows(
        ["", "HAPPENED", "CAME IN", "DATASET", "TYPE", "ID", ""],
        rows_of,
    );
    let added = events.iter().filter(|event| event.is_added).count();
    if let Some(more) = events
        .len()
        .checked_sub(MOST_EVENTS)
        .filter(|more| *more > 0)
    {
        text.push_str(&format!(
            "and {} more (--json has all)\n",
            count(more as u64)
        ));
    }
    if !events.is_empty() {
        text.push_str(&format!("{added} of {} are added\n", events.len()));
    }
    text
}

/// A table of some rows; nothing where there are none.
fn rows<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = rows.collect();
    match rows.is_empty() {
        true => String::new(),
        false => table(
            head,
            rows.iter().map(|row| row.each_ref().map(String::as_str)),
        ),
    }
}

/// A value in short.
fn in_short(value: &Value) -> String {
    match value {
        Value::String(text) => short(text),
        other => short(&other.to_string()),
    }
}
