use std::borrow::Cow;
use std::io::{self, ErrorKind, Read, Write};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::args::Arguments;
use crate::failure::Failure;
use crate::message::{acts, shown};

/// Prints a result. A reader that has gone away is no failure.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = out
        .write_all(text.as_bytes())
        .and_then(|()| {
            if text.ends_with('\n') {
                Ok(())
            } else {
                out.write_all(b"\n")
            }
        })
        .and_then(|()| out.flush());
    whether_printed(written)
}

/// What it means for the exit code whether standard output could be written.
pub fn whether_printed(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints a value as JSON, indented. What would act on a terminal stands as JSON's own escapes.
pub fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value);
    let text = text.map_err(|error| Failure::failed(format!("standard output: {error}")))?;
    print(&escaped(&text))
}

pub fn escaped(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        // Outside of strings JSON has no such characters but the ends of its lines.
        if c != '\n' && acts(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                shown.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Prints a result as JSON: indented, or as one line where lines are wanted.
pub fn print_result(arguments: &Arguments, value: &impl Serialize) -> Result<(), Failure> {
    match arguments.jsonl {
        true => print_json_lines(&[value]),
        false => print_json(value),
    }
}

/// Prints values as JSON, a line each.
pub fn print_json_lines(values: &[impl Serialize]) -> Result<(), Failure> {
    let mut text = String::new();
    for value in values {
        let line = serde_json::to_string(value);
        let line = line.map_err(|error| Failure::failed(format!("standard output: {error}")))?;
        text.push_str(&escaped(&line));
        text.push('\n');
    }
    match text.is_empty() {
        true => Ok(()),
        false => print(&text),
    }
}

/// The text of a file, or of standard input.
pub fn read(name: &str) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let read = if name == "-" {
        io::stdin().lock().read_to_end(&mut text).map(|_| ())
    } else {
        std::fs::read(name).map(|read| text = read)
    };
    read.map_err(|error| Failure::usage(format!("{name}: {error}")))?;
    Ok(text)
}

/// A number with its thousands apart.
pub fn count(n: u64) -> String {
    indicatif::HumanCount(n).to_string()
}

/// What is shown of a value in a table of rows.
const LONGEST_CELL: usize = 40;

/// A length in the unit that suits it.
pub fn bytes(n: u64) -> String {
    indicatif::HumanBytes(n).to_string()
}

/// Columns side by side, each as wide as its widest cell.
pub fn table<'a, const N: usize>(
    head: [&'a str; N],
    rows: impl Iterator<Item = [&'a str; N]>,
) -> String {
    let lines = std::iter::once(head).chain(rows);
    aligned(lines.map(|cells| cells.map(shown).to_vec()).collect())
}

/// The beginning of a value, as much as is shown of one.
pub fn short(text: &str) -> String {
    let short: String = text.chars().take(LONGEST_CELL).collect();
    match short.len() < text.len() {
        true => format!("{short}…"),
        false => short,
    }
}

/// JSON objects as a table of these columns; long values are cut.
pub fn print_rows(columns: &[String], rows: &[Map<String, Value>]) -> Result<(), Failure> {
    let cell = |row: &Map<String, Value>, column: &String| {
        let text = match row.get(column) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        short(&text)
    };
    let head: Vec<Cow<'_, str>> = columns.iter().map(|name| shown(name)).collect();
    let cells: Vec<Vec<String>> = (rows.iter())
        .map(|row| columns.iter().map(|column| cell(row, column)).collect())
        .collect();
    let rows = cells
        .iter()
        .map(|cells| cells.iter().map(|cell| shown(cell)).collect());
    print(&aligned(std::iter::once(head).chain(rows).collect()))
}

/// Lines of cells, each column as wide as its widest cell.
pub fn aligned(lines: Vec<Vec<Cow<'_, str>>>) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for line in &lines {
        widths.resize(widths.len().max(line.len()), 0);
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for line in lines {
        let cells: Vec<String> = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}
