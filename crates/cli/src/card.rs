//! Cards: what there is to say of one object, for people at a terminal.

use std::borrow::Cow;
use std::io::{IsTerminal, stdout};

use profile_export::xdm::Timestamp;
use serde::Serialize;

use crate::args::Arguments;
use crate::failure::Failure;
use crate::listing::{Cell, Table};
use crate::message::shown;
use crate::output::{aligned, print, print_result};

/// What there is to say of one object: what it is called, lines of a name and a value, and tables below.
pub struct Card {
    title: String,
    lines: Vec<(&'static str, Cell)>,
    parts: Vec<Part>,
}

/// A table below the lines.
struct Part {
    title: String,
    head: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Card {
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            lines: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// Adds a line; none where the cell is empty.
    pub fn line(mut self, name: &'static str, cell: Cell) -> Self {
        if !matches!(&cell, Cell::Empty) {
            self.lines.push((name, cell));
        }
        self
    }

    /// Adds an error as two lines: what went wrong, and what to do, where that is known.
    pub fn error(self, code: &str, message: &str) -> Self {
        let step = profile_export::platform::next_step(code);
        self.line("error", Cell::Text(format!("{code}: {message}")))
            .line("next", Cell::of(step))
    }

    /// Adds a table; none where it has no row.
    pub fn part<const N: usize>(mut self, title: impl Into<String>, table: Table<N>) -> Self {
        if !table.rows.is_empty() {
            self.parts.push(Part {
                title: title.into(),
                head: table.head.to_vec(),
                rows: table.rows.into_iter().map(Vec::from).collect(),
            });
        }
        self
    }

    fn text(&self, now: Timestamp) -> String {
        let lines = self.lines.iter();
        let lines =
            lines.map(|(name, cell)| vec![Cow::Borrowed(*name), for_people(cell, now).into()]);
        let mut text = format!("{}\n", shown(&self.title));
        indent(&mut text, &aligned(lines.collect()));
        for part in &self.parts {
            let head = part.head.iter().map(|name| Cow::Borrowed(*name)).collect();
            let rows = part.rows.iter();
            let rows = rows.map(|row| {
                row.iter()
                    .map(|cell| for_people(cell, now).into())
                    .collect()
            });
            text.push_str(&format!("\n{}\n", shown(&part.title)));
            indent(
                &mut text,
                &aligned(std::iter::once(head).chain(rows).collect()),
            );
        }
        text
    }
}

fn for_people(cell: &Cell, now: Timestamp) -> String {
    shown(&cell.for_people(now)).into_owned()
}

fn indent(text: &mut String, lines: &str) {
    for line in lines.lines() {
        text.push_str(&format!("  {line}\n"));
    }
}

/// Whether a card is wanted where the alternative is JSON.
pub fn wants_card(arguments: &Arguments) -> bool {
    stdout().is_terminal() && !arguments.is_for_machines()
}

/// Prints an object: its card on a terminal, else JSON.
pub fn print_object(
    arguments: &Arguments,
    object: &impl Serialize,
    card: impl FnOnce() -> Result<Card, Failure>,
) -> Result<(), Failure> {
    match wants_card(arguments) {
        true => print(&card()?.text(Timestamp::now())),
        false => print_result(arguments, object),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_has_what_is_there_and_nothing_that_acts_on_a_terminal() {
        let at = Timestamp::from_millis(0);
        let card = Card::new("job 1\u{1b}: FAILED")
            .line("profiles", Cell::Count(1234))
            .line("fields", Cell::Empty)
            .line("who", Cell::Text("a\nb".to_owned()))
            .error("106", "empty")
            .error("XX", "odd")
            .part(
                "Files",
                Table {
                    head: ["FILE", "SIZE"],
                    rows: vec![[Cell::Text("a".to_owned()), Cell::Bytes(2048)]],
                },
            )
            .part(
                "None",
                Table {
                    head: ["FILE"],
                    rows: Vec::new(),
                },
            );
        assert_eq!(
            card.text(at),
            "job 1\\u{1b}: FAILED\n  profiles  1,234\n  who       a\\nb\n  error     106: empty\n  \
             next      Send a file with records\n  error     XX: odd\n\nFiles\n  FILE  SIZE\n  a     2.00 KiB\n"
        );
    }
}
