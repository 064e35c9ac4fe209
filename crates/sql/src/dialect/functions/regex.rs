//! Regular expressions as Java's, as far as Rust's has them: no look-around, no back references.

use std::collections::HashMap;
use std::sync::Arc;

use ::regex::Regex;
use datafusion::arrow::array::{
    Array as _, ArrayRef, BooleanArray, Int32Array, ListBuilder, StringArray, StringBuilder,
};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};

use super::super::error::{Code, Error};
use super::text::{longs, strings, textual};
use super::{Asked, Called, Row};

pub(super) const FUNCTIONS: &[Row] = &[
    ("spark_rlike", boolean_type, rlike),
    ("spark_regexp_replace", text_type, regexp_replace),
    ("spark_regexp_extract", text_type, regexp_extract),
    ("spark_regexp_extract_all", list_type, regexp_extract_all),
    ("spark_regexp_count", int_type, regexp_count),
    ("spark_split", list_type, split),
];

fn texts(asked: &Asked<'_>, data_type: DataType) -> Result<DataType> {
    if !asked.types.iter().all(textual) {
        return asked.refused("texts");
    }
    if let Some(pattern) = asked.text(1) {
        compiled(pattern)?;
    }
    Ok(data_type)
}

fn boolean_type(asked: &Asked<'_>) -> Result<DataType> {
    texts(asked, DataType::Boolean)
}

fn text_type(asked: &Asked<'_>) -> Result<DataType> {
    texts(asked, DataType::Utf8)
}

fn int_type(asked: &Asked<'_>) -> Result<DataType> {
    texts(asked, DataType::Int32)
}

fn list_type(asked: &Asked<'_>) -> Result<DataType> {
    texts(asked, super::list(DataType::Utf8))
}

/// Java's classes are of ASCII where Rust's are of all writing.
fn compiled(pattern: &str) -> Result<Regex> {
    let mut out = String::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    let mut in_class = 0_usize;
    while let Some(one) = characters.next() {
        match one {
            '\\' => match characters.next() {
                Some('d') => out.push_str("[0-9]"),
                Some('D') => out.push_str("[^0-9]"),
                Some('w') => out.push_str("[a-zA-Z0-9_]"),
                Some('W') => out.push_str("[^a-zA-Z0-9_]"),
                Some('s') => out.push_str(r"[ \t\n\x0B\f\r]"),
                Some('S') => out.push_str(r"[^ \t\n\x0B\f\r]"),
                Some(other @ ('b' | 'B')) => {
                    out.push_str("(?-u:\\");
                    out.push(other);
                    out.push(')');
                }
                Some(other) => {
                    out.push('\\');
                    out.push(other);
                }
                None => out.push('\\'),
            },
            '[' => {
                in_class += 1;
                out.push('[');
            }
            ']' => {
                in_class = in_class.saturating_sub(1);
                out.push(']');
            }
            // Without its flag, Java's $ is the end, or what stands before a line break at the end.
            '$' if in_class == 0 => out.push_str(r"(?:\r?\n?\z)"),
            other => out.push(other),
        }
    }
    Regex::new(&out).map_err(|error| {
        let last = error.to_string();
        let last = last
            .lines()
            .last()
            .unwrap_or_default()
            .trim_start_matches("error: ")
            .to_owned();
        Error::new(
            Code::NotSupported,
            format!("the regular expression {pattern}: {last}"),
        )
        .into()
    })
}

/// Expressions of the rows, each compiled once.
#[derive(Default)]
struct Compiled(HashMap<String, Arc<Regex>>);

impl Compiled {
    fn get(&mut self, pattern: &str) -> Result<Arc<Regex>> {
        if let Some(found) = self.0.get(pattern) {
            return Ok(Arc::clone(found));
        }
        let made = Arc::new(compiled(pattern)?);
        self.0.insert(pattern.to_owned(), Arc::clone(&made));
        Ok(made)
    }
}

/// A value of each row whose text and expression are no nulls.
fn each<V>(
    called: &Called<'_>,
    mut of: impl FnMut(usize, &str, &Regex) -> Result<Option<V>>,
) -> Result<Vec<Option<V>>> {
    let (texts, patterns) = (strings(called, 0)?, strings(called, 1)?);
    let mut compiled = Compiled::default();
    (0..called.rows)
        .map(|row| {
            if texts.is_null(row) || patterns.is_null(row) {
                return Ok(None);
            }
            of(row, texts.value(row), &*compiled.get(patterns.value(row))?)
        })
        .collect()
}

fn rlike(called: &Called<'_>) -> Result<ArrayRef> {
    let values = each(called, |_, text, regex| Ok(Some(regex.is_match(text))))?;
    Ok(Arc::new(BooleanArray::from(values)))
}

fn regexp_count(called: &Called<'_>) -> Result<ArrayRef> {
    let values = each(called, |_, text, regex| {
        Ok(i32::try_from(regex.find_iter(text).count()).ok())
    })?;
    Ok(Arc::new(Int32Array::from(values)))
}

/// Java's `$1` and `\x` in what takes the place.
fn replacement(java: &str) -> String {
    let mut out = String::with_capacity(java.len());
    let mut characters = java.chars().peekable();
    while let Some(one) = characters.next() {
        match one {
            '\\' => match characters.next() {
                Some('$') => out.push_str("$$"),
                Some(other) => out.push(other),
                None => {}
            },
            '$' => {
                let mut group = String::new();
                while let Some(digit) = characters.peek().copied().filter(char::is_ascii_digit) {
                    group.push(digit);
                    characters.next();
                }
                out.push_str(&if group.is_empty() {
                    "$$".to_owned()
                } else {
                    format!("${{{group}}}")
                });
            }
            other => out.push(other),
        }
    }
    out
}

fn regexp_replace(called: &Called<'_>) -> Result<ArrayRef> {
    let with = strings(called, 2)?;
    let values = each(called, |row, text, regex| {
        if with.is_null(row) {
            return Ok(None);
        }
        Ok(Some(
            regex
                .replace_all(text, replacement(with.value(row)).as_str())
                .into_owned(),
        ))
    })?;
    Ok(Arc::new(StringArray::from(values)))
}

/// The number of the group that is wanted in a row, 1 if none is said.
fn group(called: &Called<'_>) -> Result<Vec<Option<i64>>> {
    if called.args.len() > 2 {
        longs(called, 2)
    } else {
        Ok(vec![Some(1); called.rows])
    }
}

fn checked(group: i64, regex: &Regex) -> Result<usize> {
    match usize::try_from(group)
        .ok()
        .filter(|group| *group < regex.captures_len())
    {
        Some(group) => Ok(group),
        None => exec_err!("the regular expression {regex} has no group {group}"),
    }
}

/// The group of the first match; empty where there is none.
fn regexp_extract(called: &Called<'_>) -> Result<ArrayRef> {
    let groups = group(called)?;
    let values = each(called, |row, text, regex| {
        let Some(group) = groups[row] else {
            return Ok(None);
        };
        let group = checked(group, regex)?;
        let found = regex
            .captures(text)
            .and_then(|captures| captures.get(group).map(|found| found.as_str().to_owned()));
        Ok(Some(found.unwrap_or_default()))
    })?;
    Ok(Arc::new(StringArray::from(values)))
}

fn lists(rows: Vec<Option<Vec<String>>>) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for row in rows {
        match row {
            Some(texts) => {
                for text in texts {
                    builder.values().append_value(text);
                }
                builder.append(true);
            }
            None => builder.append(false),
        }
    }
    Arc::new(builder.finish())
}

fn regexp_extract_all(called: &Called<'_>) -> Result<ArrayRef> {
    let groups = group(called)?;
    let values = each(called, |row, text, regex| {
        let Some(group) = groups[row] else {
            return Ok(None);
        };
        let group = checked(group, regex)?;
        let all = regex.captures_iter(text).map(|captures| {
            captures
                .get(group)
                .map_or("", |found| found.as_str())
                .to_owned()
        });
        Ok(Some(all.collect()))
    })?;
    Ok(lists(values))
}

/// At each match; the third argument is how many parts there are at most, the rest in the last one.
fn split(called: &Called<'_>) -> Result<ArrayRef> {
    let limits = if called.args.len() > 2 {
        longs(called, 2)?
    } else {
        vec![Some(-1); called.rows]
    };
    let values = each(called, |row, text, regex| {
        let Some(limit) = limits[row] else {
            return Ok(None);
        };
        let most = usize::try_from(limit)
            .ok()
            .filter(|most| *most > 0)
            .unwrap_or(usize::MAX);
        let mut parts = Vec::new();
        let mut from = 0;
        for found in regex.find_iter(text) {
            if parts.len() + 1 >= most {
                break;
            }
            // Java makes no empty part of a match without width at the beginning, nor of one at the end.
            if found.is_empty() && (found.start() == 0 || found.start() == text.len()) {
                continue;
            }
            parts.push(text[from..found.start()].to_owned());
            from = found.end();
        }
        parts.push(text[from..].to_owned());
        Ok(Some(parts))
    })?;
    Ok(lists(values))
}
