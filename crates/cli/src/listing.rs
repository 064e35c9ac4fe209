//! Lists: tables for people, other forms for machines.

use std::io::{IsTerminal, stdout};
use std::time::Duration;

use profile_export::xdm::Timestamp;
use serde::Serialize;

use crate::args::Arguments;
use crate::failure::Failure;
use crate::message::shown;
use crate::output::{aligned, bytes, count, print, print_json, print_json_lines};

/// What stands in a table.
#[derive(Clone, Debug)]
pub enum Cell {
    /// Nothing.
    Empty,
    /// A word.
    Text(String),
    /// A number of things.
    Count(u64),
    /// A length in bytes.
    Bytes(u64),
    /// A moment.
    Time(Timestamp),
    /// How long something took: seconds.
    Took(Duration),
}

/// A table of a list.
pub struct Table<const N: usize> {
    pub head: [&'static str; N],
    pub rows: Vec<[Cell; N]>,
}

/// For whom a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// For people: thousands apart, ages.
    Terminal,
    /// For pipes: the same columns, with bare numbers and whole moments.
    Plain,
    /// The same with tabs between.
    Tabs,
}

/// Whether a table is wanted where the alternative is JSON.
pub fn wants_table(arguments: &Arguments) -> bool {
    arguments.tsv || (stdout().is_terminal() && !arguments.is_for_machines())
}

/// Prints a list: the whole of it as JSON, its entries as JSON a line each, or its table.
pub fn print_list<T: Serialize, const N: usize>(
    arguments: &Arguments,
    whole: &impl Serialize,
    entries: &[T],
    table: impl FnOnce() -> Result<Table<N>, Failure>,
) -> Result<(), Failure> {
    if arguments.jsonl {
        return print_json_lines(entries);
    }
    if arguments.json {
        return print_json(whole);
    }
    let form = match (arguments.tsv, stdout().is_terminal()) {
        (true, _) => Form::Tabs,
        (false, true) => Form::Terminal,
        (false, false) => Form::Plain,
    };
    print(&table()?.text(form, Timestamp::now()))
}

impl<const N: usize> Table<N> {
    fn text(&self, form: Form, now: Timestamp) -> String {
        let head = self.head.iter().map(|name| (*name).to_owned()).collect();
        let rows = self.rows.iter().map(|row| {
            row.iter()
                .map(|cell| shown(&cell.text(form, now)).into_owned())
                .collect()
        });
        let lines: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
        if form == Form::Tabs {
            let lines = lines.iter().map(|cells| format!("{}\n", cells.join("\t")));
            return lines.collect();
        }
        let lines = lines
            .into_iter()
            .map(|cells| cells.into_iter().map(Into::into).collect());
        aligned(lines.collect())
    }
}

impl Cell {
    /// A word, if there is one.
    pub fn of(word: Option<impl Into<String>>) -> Self {
        word.map_or(Self::Empty, |word| Self::Text(word.into()))
    }

    /// A number, if it is known.
    pub fn count(number: Option<u64>) -> Self {
        number.map_or(Self::Empty, Self::Count)
    }

    /// What people read on a terminal.
    pub fn for_people(&self, now: Timestamp) -> String {
        self.text(Form::Terminal, now)
    }

    fn text(&self, form: Form, now: Timestamp) -> String {
        match (self, form) {
            (Self::Empty, _) => String::new(),
            (Self::Text(text), _) => text.clone(),
            (Self::Count(n), Form::Terminal) => count(*n),
            (Self::Bytes(n), Form::Terminal) => bytes(*n),
            (Self::Count(n) | Self::Bytes(n), _) => n.to_string(),
            (Self::Time(at), Form::Terminal) => {
                // To the second, with its zone.
                let whole = at.seconds();
                let moment = Timestamp::from_millis(whole * 1000).to_string();
                format!("{} ({})", moment, age(now.seconds() - whole))
            }
            (Self::Time(at), _) => at.to_string(),
            (Self::Took(time), Form::Terminal) => format!("{:.3} s", time.as_secs_f64()),
            (Self::Took(time), _) => time.as_secs_f64().to_string(),
        }
    }
}

/// How long ago something was, in the unit that suits it.
fn age(seconds: i64) -> String {
    match seconds {
        ..0 => "in the future".to_owned(),
        0..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_get_ages_and_thousands_and_machines_get_numbers_and_moments() {
        let at = Timestamp::parse("2026-01-02T03:04:05.678Z").expect("a moment");
        let now = Timestamp::from_millis(at.millis() + 200_000);
        let table = Table {
            head: ["NAME", "ROWS", "SIZE", "CREATED"],
            rows: vec![
                [
                    Cell::Text("a\tb".to_owned()),
                    Cell::Count(12_345),
                    Cell::Bytes(2048),
                    Cell::Time(at),
                ],
                [
                    Cell::Empty,
                    Cell::Count(1),
                    Cell::Empty,
                    Cell::Took(Duration::from_micros(1_250_400)),
                ],
            ],
        };
        assert_eq!(
            table.text(Form::Terminal, now),
            "NAME  ROWS    SIZE      CREATED\n\
             a\\tb  12,345  2.00 KiB  2026-01-02T03:04:05Z (3 min ago)\n      1                 1.250 s\n"
        );
        assert_eq!(
            table.text(Form::Tabs, now),
            "NAME\tROWS\tSIZE\tCREATED\na\\tb\t12345\t2048\t2026-01-02T03:04:05.678Z\n\t1\t\t1.2504\n"
        );
        for (seconds, expected) in [
            (-1, "in the future"),
            (59, "59 s ago"),
            (3599, "59 min ago"),
            (90_000, "25 h ago"),
            (200_000, "2 days ago"),
        ] {
            assert_eq!(age(seconds), expected);
        }
    }
}
