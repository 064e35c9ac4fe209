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
use super::regex_java::{self, End, Java};
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
        compiled(asked.name, pattern)?;
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

/// What a function does with the matches of an expression.
#[derive(Clone, Copy, PartialEq)]
enum Use {
    /// Asks whether there is one.
    Test,
    /// Takes a group of the first.
    First,
    /// Takes them all.
    All,
}

impl Use {
    fn of(name: &str) -> Self {
        match name {
            "spark_rlike" => Self::Test,
            "spark_regexp_extract" => Self::First,
            _ => Self::All,
        }
    }
}

/// The expression for that function.
fn compiled(name: &str, pattern: &str) -> Result<Java> {
    let java = regex_java::compiled(pattern)?;
    if Use::of(name) != Use::All {
        return Ok(java);
    }
    // Matches without width go on in another way in Java. Nothing at all is what texts are split into characters by.
    let characters = name == "spark_split" && pattern.is_empty();
    let why = if java.end != End::None {
        "$ where the matches are taken"
    } else if !characters && empty(&java.regex) {
        "it can match the empty text, and all matches are taken"
    } else {
        return Ok(java);
    };
    let message = format!("the regular expression {pattern}: {why}");
    Err(Error::new(Code::NotSupported, message).into())
}

/// Whether an expression can match the empty text somewhere: tried where its borders and edges hold, and don't.
fn empty(regex: &Regex) -> bool {
    ["", "a", "-", " a-", "\n"]
        .iter()
        .any(|text| regex.find_iter(text).any(|found| found.is_empty()))
}

/// Expressions of the rows, each compiled once.
#[derive(Default)]
struct Compiled(HashMap<String, Arc<Java>>);

impl Compiled {
    fn get(&mut self, name: &str, pattern: &str) -> Result<Arc<Java>> {
        if let Some(found) = self.0.get(pattern) {
            return Ok(Arc::clone(found));
        }
        let made = Arc::new(compiled(name, pattern)?);
        self.0.insert(pattern.to_owned(), Arc::clone(&made));
        Ok(made)
    }
}

/// A value of each row whose text and expression are no nulls.
fn each<V>(
    called: &Called<'_>,
    mut of: impl FnMut(usize, &str, &Java) -> Result<Option<V>>,
) -> Result<Vec<Option<V>>> {
    let (texts, patterns) = (strings(called, 0)?, strings(called, 1)?);
    let mut compiled = Compiled::default();
    (0..called.rows)
        .map(|row| {
            if texts.is_null(row) || patterns.is_null(row) {
                return Ok(None);
            }
            let java = compiled.get(called.name, patterns.value(row))?;
            of(row, texts.value(row), &java)
        })
        .collect()
}

fn rlike(called: &Called<'_>) -> Result<ArrayRef> {
    let values = each(called, |_, text, java| Ok(Some(java.regex.is_match(text))))?;
    Ok(Arc::new(BooleanArray::from(values)))
}

fn regexp_count(called: &Called<'_>) -> Result<ArrayRef> {
    let values = each(called, |_, text, java| {
        Ok(i32::try_from(java.regex.find_iter(text).count()).ok())
    })?;
    Ok(Arc::new(Int32Array::from(values)))
}

/// Java's `$1` and `\x` in what takes the place: a number is as long as there is such a group.
fn replacement(java: &str, groups: usize) -> Result<String> {
    let refused = |why: &str| {
        let message = format!("regexp_replace with '{java}': {why}");
        Error::new(Code::NotSupported, message)
    };
    let mut out = String::with_capacity(java.len());
    let mut characters = java.chars().peekable();
    while let Some(one) = characters.next() {
        match one {
            '\\' => match characters.next() {
                Some('$') => out.push_str("$$"),
                Some(other) => out.push(other),
                None => return Err(refused("nothing stands behind the backslash").into()),
            },
            '$' => {
                let mut group: Option<usize> = None;
                while let Some(digit) = characters.peek().and_then(|one| one.to_digit(10)) {
                    let longer = group.unwrap_or(0) * 10 + digit as usize;
                    if group.is_some() && longer >= groups {
                        break;
                    }
                    group = Some(longer);
                    characters.next();
                }
                match group {
                    Some(group) if group < groups => out.push_str(&format!("${{{group}}}")),
                    Some(group) => {
                        return Err(refused(&format!("there is no group {group}")).into());
                    }
                    None => return Err(refused("the number of a group stands behind $").into()),
                }
            }
            other => out.push(other),
        }
    }
    Ok(out)
}

fn regexp_replace(called: &Called<'_>) -> Result<ArrayRef> {
    let with = strings(called, 2)?;
    let values = each(called, |row, text, java| {
        if with.is_null(row) {
            return Ok(None);
        }
        let with = replacement(with.value(row), java.regex.captures_len())?;
        Ok(Some(
            java.regex.replace_all(text, with.as_str()).into_owned(),
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
    let values = each(called, |row, text, java| {
        let Some(group) = groups[row] else {
            return Ok(None);
        };
        let group = checked(group, &java.regex)?;
        if java.end == End::InGroup || java.end == End::Outside && group == 0 {
            let message = "regexp_extract of a group with $ in it";
            return Err(Error::new(Code::NotSupported, message).into());
        }
        let found = java
            .regex
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
    let values = each(called, |row, text, java| {
        let Some(group) = groups[row] else {
            return Ok(None);
        };
        let group = checked(group, &java.regex)?;
        let all = java.regex.captures_iter(text).map(|captures| {
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
    let values = each(called, |row, text, java| {
        let Some(limit) = limits[row] else {
            return Ok(None);
        };
        let most = usize::try_from(limit)
            .ok()
            .filter(|most| *most > 0)
            .unwrap_or(usize::MAX);
        let mut parts = Vec::new();
        let mut from = 0;
        for found in java.regex.find_iter(text) {
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
