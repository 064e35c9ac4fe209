//! Texts: counted in characters, null where an argument is.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanArray, Int32Array, StringArray,
};
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::Result;

use super::access::span;
use super::{Asked, Called, Row, cast, lists};

pub(super) const FUNCTIONS: &[Row] = &[
    ("spark_length", int_type, length),
    ("spark_lower", text_type, lower),
    ("spark_upper", text_type, upper),
    ("spark_trim", text_type, trim),
    ("spark_ltrim", text_type, ltrim),
    ("spark_rtrim", text_type, rtrim),
    ("spark_concat", concat_type, concat),
    ("spark_concat_ws", concat_ws_type, concat_ws),
    ("spark_substring", text_type, substring),
    ("spark_left", text_type, left),
    ("spark_right", text_type, right),
    ("spark_replace", text_type, replace),
    ("spark_reverse", reverse_type, reverse),
    ("spark_repeat", text_type, repeat),
    ("spark_lpad", text_type, lpad),
    ("spark_rpad", text_type, rpad),
    ("spark_instr", int_type, instr),
    ("spark_locate", int_type, locate),
    ("spark_startswith", boolean_type, startswith),
    ("spark_endswith", boolean_type, endswith),
    ("spark_contains", boolean_type, contains),
];

/// Whether a text can be made of it without a cast's being written.
pub(super) fn textual(data_type: &DataType) -> bool {
    data_type.is_numeric()
        || matches!(
            data_type,
            DataType::Utf8
                | DataType::Null
                | DataType::Boolean
                | DataType::Date32
                | DataType::Timestamp(..)
        )
}

fn texts(asked: &Asked<'_>, data_type: DataType) -> Result<DataType> {
    if asked.types.iter().all(textual) {
        Ok(data_type)
    } else {
        asked.refused("texts")
    }
}

fn text_type(asked: &Asked<'_>) -> Result<DataType> {
    texts(asked, DataType::Utf8)
}

fn int_type(asked: &Asked<'_>) -> Result<DataType> {
    texts(asked, DataType::Int32)
}

fn boolean_type(asked: &Asked<'_>) -> Result<DataType> {
    texts(asked, DataType::Boolean)
}

fn reverse_type(asked: &Asked<'_>) -> Result<DataType> {
    match asked.of(0)? {
        DataType::List(_) => asked.of(0).cloned(),
        _ => text_type(asked),
    }
}

fn concat_type(asked: &Asked<'_>) -> Result<DataType> {
    match asked.of(0)? {
        DataType::List(_)
            if asked
                .types
                .iter()
                .all(|one| one.equals_datatype(&asked.types[0])) =>
        {
            asked.of(0).cloned()
        }
        DataType::List(_) => asked.refused("lists of one type"),
        _ => texts(asked, DataType::Utf8),
    }
}

fn concat_ws_type(asked: &Asked<'_>) -> Result<DataType> {
    let fine = |data_type: &DataType| match data_type {
        DataType::List(element) => textual(&super::plain_type(element.data_type())),
        other => textual(other),
    };
    if asked.types.iter().all(fine) {
        Ok(DataType::Utf8)
    } else {
        asked.refused("texts and lists of texts")
    }
}

/// An argument as texts.
pub(super) fn strings(called: &Called<'_>, number: usize) -> Result<StringArray> {
    Ok(cast::to(called.arg(number)?, &DataType::Utf8)?
        .as_string::<i32>()
        .clone())
}

/// An argument as whole numbers.
pub(super) fn longs(called: &Called<'_>, number: usize) -> Result<Vec<Option<i64>>> {
    Ok(cast::to(called.arg(number)?, &DataType::Int64)?
        .as_primitive::<Int64Type>()
        .iter()
        .collect())
}

fn of_one(called: &Called<'_>, of: impl Fn(&str) -> String) -> Result<ArrayRef> {
    let values: StringArray = strings(called, 0)?
        .iter()
        .map(|text| text.map(&of))
        .collect();
    Ok(Arc::new(values))
}

fn length(called: &Called<'_>) -> Result<ArrayRef> {
    let values: Int32Array = strings(called, 0)?
        .iter()
        .map(|text| i32::try_from(text?.chars().count()).ok())
        .collect();
    Ok(Arc::new(values))
}

fn lower(called: &Called<'_>) -> Result<ArrayRef> {
    of_one(called, str::to_lowercase)
}

fn upper(called: &Called<'_>) -> Result<ArrayRef> {
    of_one(called, str::to_uppercase)
}

/// Blanks, or the characters of the second argument.
fn trimmed(
    called: &Called<'_>,
    of: impl for<'t> Fn(&'t str, &[char]) -> &'t str,
) -> Result<ArrayRef> {
    let what = if called.args.len() > 1 {
        Some(strings(called, 1)?)
    } else {
        None
    };
    let values: StringArray = strings(called, 0)?
        .iter()
        .enumerate()
        .map(|(row, text)| {
            let characters: Vec<char> = match &what {
                None => vec![' '],
                Some(what) if what.is_null(row) => return None,
                Some(what) => what.value(row).chars().collect(),
            };
            Some(of(text?, &characters).to_owned())
        })
        .collect();
    Ok(Arc::new(values))
}

fn trim(called: &Called<'_>) -> Result<ArrayRef> {
    trimmed(called, |text, what| text.trim_matches(what))
}

fn ltrim(called: &Called<'_>) -> Result<ArrayRef> {
    trimmed(called, |text, what| text.trim_start_matches(what))
}

fn rtrim(called: &Called<'_>) -> Result<ArrayRef> {
    trimmed(called, |text, what| text.trim_end_matches(what))
}

fn concat(called: &Called<'_>) -> Result<ArrayRef> {
    if matches!(called.data_type, DataType::List(_)) {
        return lists::concat(called);
    }
    let all = (0..called.args.len())
        .map(|number| strings(called, number))
        .collect::<Result<Vec<_>>>()?;
    let values: StringArray = (0..called.rows)
        .map(|row| {
            let mut text = String::new();
            for part in &all {
                if part.is_null(row) {
                    return None;
                }
                text.push_str(part.value(row));
            }
            Some(text)
        })
        .collect();
    Ok(Arc::new(values))
}

/// What is null is left out; a list stands for its elements.
fn concat_ws(called: &Called<'_>) -> Result<ArrayRef> {
    enum Part {
        Text(StringArray),
        List(ArrayRef, StringArray),
    }
    let separators = strings(called, 0)?;
    let mut parts = Vec::new();
    for number in 1..called.args.len() {
        let arg = called.arg(number)?;
        parts.push(match arg.data_type() {
            DataType::List(_) => {
                let elements = super::plain(arg.as_list::<i32>().values())?;
                let elements = cast::to(&elements, &DataType::Utf8)?
                    .as_string::<i32>()
                    .clone();
                Part::List(Arc::clone(arg), elements)
            }
            _ => Part::Text(strings(called, number)?),
        });
    }
    let values: StringArray = (0..called.rows)
        .map(|row| {
            if separators.is_null(row) {
                return None;
            }
            let mut texts = Vec::new();
            for part in &parts {
                match part {
                    Part::Text(part) if part.is_valid(row) => texts.push(part.value(row)),
                    Part::List(list, elements) if list.is_valid(row) => {
                        let places = span(list.as_list::<i32>().value_offsets(), row);
                        texts.extend(
                            places
                                .filter(|&at| elements.is_valid(at))
                                .map(|at| elements.value(at)),
                        );
                    }
                    _ => {}
                }
            }
            Some(texts.join(separators.value(row)))
        })
        .collect();
    Ok(Arc::new(values))
}

/// From the `from`th character on (1 is the first, 0 too, -1 the last), as many.
fn part(text: &str, from: i64, many: i64) -> String {
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let start = match from {
        0 => 0,
        from if from > 0 => from - 1,
        from => length + from,
    };
    let end = start.saturating_add(many).min(length);
    let start = start.max(0);
    if end <= start {
        return String::new();
    }
    let skip = usize::try_from(start).unwrap_or(usize::MAX);
    text.chars()
        .skip(skip)
        .take(usize::try_from(end - start).unwrap_or(0))
        .collect()
}

fn with_numbers(called: &Called<'_>, of: impl Fn(&str, i64, i64) -> String) -> Result<ArrayRef> {
    let texts = strings(called, 0)?;
    let first = longs(called, 1)?;
    let second = if called.args.len() > 2 {
        longs(called, 2)?
    } else {
        vec![Some(i64::from(i32::MAX)); called.rows]
    };
    let values: StringArray = texts
        .iter()
        .zip(first.into_iter().zip(second))
        .map(|(text, (first, second))| Some(of(text?, first?, second?)))
        .collect();
    Ok(Arc::new(values))
}

fn substring(called: &Called<'_>) -> Result<ArrayRef> {
    with_numbers(called, part)
}

fn left(called: &Called<'_>) -> Result<ArrayRef> {
    with_numbers(called, |text, many, _| part(text, 1, many))
}

fn right(called: &Called<'_>) -> Result<ArrayRef> {
    with_numbers(called, |text, many, _| {
        if many <= 0 {
            String::new()
        } else {
            part(text, -many, many)
        }
    })
}

fn repeat(called: &Called<'_>) -> Result<ArrayRef> {
    let longest = (0..called.rows)
        .zip(longs(called, 1)?)
        .filter_map(|(_, many)| many)
        .max();
    if longest.is_some_and(|many| many > 1_000_000) {
        return datafusion::common::exec_err!("repeat: a text is repeated a million times at most");
    }
    with_numbers(called, |text, many, _| {
        text.repeat(usize::try_from(many).unwrap_or(0))
    })
}

fn replace(called: &Called<'_>) -> Result<ArrayRef> {
    let (texts, from) = (strings(called, 0)?, strings(called, 1)?);
    let to = if called.args.len() > 2 {
        Some(strings(called, 2)?)
    } else {
        None
    };
    let values: StringArray = (0..called.rows)
        .map(|row| {
            let to = match &to {
                None => "",
                Some(to) if to.is_null(row) => return None,
                Some(to) => to.value(row),
            };
            if texts.is_null(row) || from.is_null(row) {
                return None;
            }
            let (text, from) = (texts.value(row), from.value(row));
            Some(if from.is_empty() {
                text.to_owned()
            } else {
                text.replace(from, to)
            })
        })
        .collect();
    Ok(Arc::new(values))
}

fn reverse(called: &Called<'_>) -> Result<ArrayRef> {
    if matches!(called.data_type, DataType::List(_)) {
        return lists::reverse(called);
    }
    of_one(called, |text| text.chars().rev().collect())
}

/// A text of that many characters, with the padding in front or behind.
fn padded(called: &Called<'_>, front: bool) -> Result<ArrayRef> {
    let texts = strings(called, 0)?;
    let lengths = longs(called, 1)?;
    let paddings = if called.args.len() > 2 {
        Some(strings(called, 2)?)
    } else {
        None
    };
    if lengths.iter().flatten().any(|length| *length > 1_000_000) {
        return datafusion::common::exec_err!(
            "{}: a text is padded to a million characters at most",
            called.name
        );
    }
    let values: StringArray = (0..called.rows)
        .map(|row| {
            let padding = match &paddings {
                None => " ",
                Some(paddings) if paddings.is_null(row) => return None,
                Some(paddings) => paddings.value(row),
            };
            let length = usize::try_from(lengths[row]?).unwrap_or(0);
            if texts.is_null(row) {
                return None;
            }
            let text = texts.value(row);
            let missing = length.saturating_sub(text.chars().count());
            let padding: String = padding
                .chars()
                .cycle()
                .take(if padding.is_empty() { 0 } else { missing })
                .collect();
            let text: String = text.chars().take(length).collect();
            Some(if front {
                padding + &text
            } else {
                text + &padding
            })
        })
        .collect();
    Ok(Arc::new(values))
}

fn lpad(called: &Called<'_>) -> Result<ArrayRef> {
    padded(called, true)
}

fn rpad(called: &Called<'_>) -> Result<ArrayRef> {
    padded(called, false)
}

fn of_two<T: FromIterator<Option<V>>, V>(
    called: &Called<'_>,
    of: impl Fn(&str, &str) -> V,
) -> Result<T> {
    let (left, right) = (strings(called, 0)?, strings(called, 1)?);
    Ok(left
        .iter()
        .zip(&right)
        .map(|(left, right)| Some(of(left?, right?)))
        .collect())
}

/// Where a text is in another one, from 1 on; 0 where it isn't.
fn place(text: &str, part: &str) -> i32 {
    match text.find(part) {
        Some(at) => i32::try_from(text[..at].chars().count() + 1).unwrap_or(i32::MAX),
        None => 0,
    }
}

fn instr(called: &Called<'_>) -> Result<ArrayRef> {
    Ok(Arc::new(of_two::<Int32Array, _>(called, place)?))
}

fn locate(called: &Called<'_>) -> Result<ArrayRef> {
    Ok(Arc::new(of_two::<Int32Array, _>(called, |part, text| {
        place(text, part)
    })?))
}

fn startswith(called: &Called<'_>) -> Result<ArrayRef> {
    Ok(Arc::new(of_two::<BooleanArray, _>(
        called,
        |text, part| text.starts_with(part),
    )?))
}

fn endswith(called: &Called<'_>) -> Result<ArrayRef> {
    Ok(Arc::new(of_two::<BooleanArray, _>(
        called,
        |text, part| text.ends_with(part),
    )?))
}

fn contains(called: &Called<'_>) -> Result<ArrayRef> {
    Ok(Arc::new(of_two::<BooleanArray, _>(
        called,
        |text, part| text.contains(part),
    )?))
}
