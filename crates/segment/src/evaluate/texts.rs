use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::buffer::BooleanBuffer;
use pql::Type;
use pql::typed::{Pattern, TextTest, Value};
use regex::Regex;

use super::Evaluator;
use crate::column::Column;
use crate::error::{Error, Result};

/// What a test of text says of rows whose text is in a dictionary, by each text of that once.
pub(super) fn of_dictionary(
    column: &Column,
    test: impl FnOnce(&StringArray) -> Result<BooleanBuffer>,
) -> Result<Option<BooleanBuffer>> {
    let Some((dictionary, at)) = column.dictionary() else {
        return Ok(None);
    };
    let Some(values) = dictionary.values().as_string_opt::<i32>() else {
        return Ok(None);
    };
    let rows = at.map_or(dictionary.len(), Array::len);
    if values.len() > rows {
        return Ok(None);
    }
    let of_values = test(values)?;
    let keys = dictionary.keys();
    let of_row = |row: usize| keys.is_valid(row) && of_values.value(keys.value(row) as usize);
    Ok(Some(match at {
        None => BooleanBuffer::collect_bool(rows, of_row),
        Some(at) => BooleanBuffer::collect_bool(rows, |row| {
            at.is_valid(row) && of_row(at.value(row) as usize)
        }),
    }))
}

pub(super) fn each(texts: &StringArray, test: impl Fn(&str) -> bool) -> BooleanBuffer {
    BooleanBuffer::collect_bool(texts.len(), |row| {
        texts.is_valid(row) && test(texts.value(row))
    })
}

/// The only text, where it is one.
pub(super) fn only(column: &Column) -> Option<Option<&str>> {
    match column {
        Column::Constant(value) => {
            let texts = value.as_string_opt::<i32>()?;
            Some(texts.is_valid(0).then(|| texts.value(0)))
        }
        _ => None,
    }
}

impl<'a> Evaluator<'a> {
    /// Where a test of each text holds.
    pub(super) fn of_texts(
        &mut self,
        value: &'a Value,
        test: impl Fn(&str) -> bool,
    ) -> Result<BooleanBuffer> {
        let column = self.value(value)?;
        let rows = self.rows();
        match of_dictionary(&column, |values| Ok(each(values, &test)))? {
            Some(holds) => Ok(holds),
            None => Ok(each(column.flat(&Type::String, rows)?.as_string(), &test)),
        }
    }

    pub(super) fn text_test(
        &mut self,
        test: TextTest,
        negated: bool,
        (value, with): (&'a Value, &'a Value),
        case_sensitive: bool,
    ) -> Result<BooleanBuffer> {
        let holds = |text: &str, with: &str| {
            let holds = match test {
                TextTest::StartsWith => text.starts_with(with),
                TextTest::EndsWith => text.ends_with(with),
                TextTest::Contains => text.contains(with),
                TextTest::Equals => text == with,
            };
            holds != negated
        };
        self.of_both(value, with, |text, with| match case_sensitive {
            true => holds(text, with),
            false => holds(&text.to_lowercase(), &with.to_lowercase()),
        })
    }

    pub(super) fn like(&mut self, value: &'a Value, pattern: &'a Value) -> Result<BooleanBuffer> {
        self.of_both(value, pattern, is_like)
    }

    fn of_both(
        &mut self,
        value: &'a Value,
        with: &'a Value,
        holds: impl Fn(&str, &str) -> bool,
    ) -> Result<BooleanBuffer> {
        let rows = self.rows();
        let other = self.value(with)?;
        match only(&other) {
            Some(None) => Ok(BooleanBuffer::new_unset(rows)),
            Some(Some(with)) => self.of_texts(value, |text| holds(text, with)),
            None => {
                let (texts, others) = (self.flat(value)?, other.flat(&with.ty, rows)?);
                let (texts, others) = (texts.as_string::<i32>(), others.as_string::<i32>());
                Ok(BooleanBuffer::collect_bool(rows, |row| {
                    let is_there = texts.is_valid(row) && others.is_valid(row);
                    is_there && holds(texts.value(row), others.value(row))
                }))
            }
        }
    }

    pub(super) fn matches(
        &mut self,
        value: &'a Value,
        pattern: &'a Pattern,
    ) -> Result<BooleanBuffer> {
        let regex = self.patterns.of(pattern)?;
        self.of_texts(value, |text| regex.is_match(text))
    }

    pub(super) fn regex_group(
        &mut self,
        text: &'a Value,
        pattern: &'a Pattern,
        group: u32,
    ) -> Result<Column> {
        let regex = self.patterns.of(pattern)?;
        let texts = self.flat(text)?;
        let texts = texts.as_string::<i32>().iter();
        let found = texts.map(|text| {
            Some(
                regex
                    .captures(text?)?
                    .get(group as usize)?
                    .as_str()
                    .to_owned(),
            )
        });
        let found: ArrayRef = Arc::new(found.collect::<StringArray>());
        Ok(Column::of(found))
    }
}

/// The regular expressions of an evaluation, each compiled once.
#[derive(Debug, Default)]
pub(crate) struct Patterns(Mutex<HashMap<String, Regex>>);

impl Patterns {
    fn of(&self, pattern: &Pattern) -> Result<Regex> {
        // What a thread that panicked left is whole.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(regex) = known.get(pattern.as_str()) {
            return Ok(regex.clone());
        }
        let regex = Regex::new(pattern.as_str());
        let regex = regex.map_err(|error| Error::refused(error.to_string()))?;
        known.insert(pattern.as_str().to_owned(), regex.clone());
        Ok(regex)
    }
}

/// Whether a text is like a pattern, where `%` is any text and `_` any character.
fn is_like(text: &str, pattern: &str) -> bool {
    let mut text = text.chars();
    let mut pattern = pattern.chars();
    // Where the last % was, to take one character more by it.
    let mut again: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let before = text.clone();
        match (text.next(), pattern.next()) {
            (_, Some('%')) => {
                again = Some((before.clone(), pattern.clone()));
                text = before;
            }
            (None, None) => return true,
            (Some(_), Some('_')) => {}
            (Some(one), Some(other)) if one == other => {}
            _ => {
                let Some((mut from, rest)) = again.take() else {
                    return false;
                };
                if from.next().is_none() {
                    return false;
                }
                again = Some((from.clone(), rest.clone()));
                (text, pattern) = (from, rest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn a_percent_sign_is_any_text_and_a_line_any_character() {
        for (text, pattern, expected) in [
            ("", "", true),
            ("", "%", true),
            ("a", "", false),
            ("abcab", "%ab", true),
            ("abcab", "ab%b", true),
            ("abcab", "a_c%", true),
            ("äöü", "_ö_", true),
            ("abc", "%d%", false),
            ("aaa", "a%a%a%a", false),
        ] {
            assert_eq!(is_like(text, pattern), expected, "{text} {pattern}");
        }
    }
}
