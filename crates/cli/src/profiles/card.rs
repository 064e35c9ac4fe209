//! The card of a profile.

use profile_export::export::{Explanation, FoundProfile, leaves};
use serde_json::Value;

use crate::card::Card;
use crate::listing::{Cell, Table};
use crate::names::Names;
use crate::output::{count, short};

/// Events that are shown, the newest.
const MOST_EVENTS: usize = 20;
/// The column that a profile's events stand in.
const EVENTS: &str = "timeSeriesEvents";

/// What there is to say of a profile: its fields, with what lost where that is explained, and its newest events.
pub fn card(found: &FoundProfile, explained: Option<&Explanation>, names: &Names) -> Card {
    let mut identities =
        (found.identities.iter()).map(|(namespace, id)| format!("{namespace}:{id}"));
    let first = identities.next().unwrap_or_default();
    let others: Vec<String> = identities.collect();
    let sources: Vec<&str> = found.datasets.iter().map(|id| names.dataset(id)).collect();
    let card = Card::new(first)
        .line(
            "is also",
            Cell::of((!others.is_empty()).then(|| others.join(", "))),
        )
        .line("from", Cell::Text(sources.join(", ")))
        .line("changed", Cell::Time(found.last_modified));
    let card = match explained {
        Some(explained) => card.part("Fields", origins(explained)),
        None => card.part("Fields", fields(&found.row)),
    };
    let all = found.row.get(EVENTS).and_then(Value::as_array);
    let all = all.map_or(&[][..], Vec::as_slice);
    let title = match all.len() > MOST_EVENTS {
        true => format!(
            "Events: the newest {MOST_EVENTS} of {} (--json has all, and all of them)",
            count(all.len() as u64)
        ),
        // Other fields of theirs than the columns' are there, too.
        false => "Events (--json has all of them)".to_owned(),
    };
    card.part(title, events(all))
}

fn fields(row: &Value) -> Table<2> {
    let leaves = leaves(row).into_iter();
    let rows = leaves.filter(|(path, value)| path != EVENTS && !value.is_null());
    Table {
        head: ["FIELD", "VALUE"],
        rows: rows
            .map(|(path, value)| [Cell::Text(path), in_short(&value)])
            .collect(),
    }
}

fn origins(explained: &Explanation) -> Table<4> {
    let name = |number: usize| {
        let fragment = explained.fragments.get(number);
        fragment.map_or("", |fragment| &fragment.dataset).to_owned()
    };
    let rows = explained.fields.iter().map(|field| {
        let lost: Vec<String> = (field.lost.iter())
            .map(|lost| format!("{}: {}", name(lost.fragment), text(&lost.value)))
            .collect();
        let from = field
            .fragment
            .map_or_else(|| "several together".to_owned(), name);
        [
            Cell::Text(field.path.clone()),
            in_short(&field.value),
            Cell::Text(from),
            Cell::Text(lost.join("; ")),
        ]
    });
    Table {
        head: ["FIELD", "VALUE", "FROM", "WHAT LOST"],
        rows: rows.collect(),
    }
}

/// The newest events; they come oldest first.
fn events(all: &[Value]) -> Table<3> {
    let rows = all.iter().rev().take(MOST_EVENTS);
    let word = |event: &Value, name: &str| Cell::of(event.get(name).and_then(Value::as_str));
    Table {
        head: ["HAPPENED", "TYPE", "ID"],
        rows: rows
            .map(|event| {
                [
                    word(event, "timestamp"),
                    word(event, "eventType"),
                    word(event, "_id"),
                ]
            })
            .collect(),
    }
}

fn in_short(value: &Value) -> Cell {
    Cell::Text(text(value))
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => short(text),
        other => short(&other.to_string()),
    }
}
