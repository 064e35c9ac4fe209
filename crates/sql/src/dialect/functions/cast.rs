//! Casts as Spark's with ANSI off: what can't be had is null.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array as _, ArrayRef, ArrowPrimitiveType, AsArray as _, BooleanArray, PrimitiveArray,
    StringArray, TimestampMicrosecondArray, new_null_array,
};
use datafusion::arrow::compute;
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use datafusion::common::{Result, exec_err};

use super::{Asked, Called, Row, java_time, timestamp};

pub(super) const FUNCTIONS: &[Row] = &[
    ("spark_cast", cast_type, cast),
    ("spark_text", text_type, cast),
    ("spark_number", number_type, cast),
    ("spark_same", same_type, cast),
    // A value that is looked for behind ANY or ALL.
    ("spark_sought", same_type, cast),
];

/// A type that can be cast to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Target {
    Text,
    Boolean,
    Byte,
    Short,
    Int,
    Long,
    Float,
    Double,
    Date,
    Timestamp,
}

impl Target {
    /// The type of that name in lower case, of Spark or of PostgreSQL.
    pub(in super::super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "string" | "text" | "varchar" => Self::Text,
            "boolean" | "bool" => Self::Boolean,
            "tinyint" | "byte" => Self::Byte,
            "smallint" | "short" | "int2" => Self::Short,
            "int" | "integer" | "int4" => Self::Int,
            "bigint" | "long" | "int8" => Self::Long,
            "float" | "real" | "float4" => Self::Float,
            "double" | "double precision" | "float8" => Self::Double,
            "date" => Self::Date,
            "timestamp" | "timestamp without time zone" | "timestamp with time zone" => {
                Self::Timestamp
            }
            _ => return None,
        })
    }

    pub(in super::super) fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Boolean => "boolean",
            Self::Byte => "tinyint",
            Self::Short => "smallint",
            Self::Int => "int",
            Self::Long => "bigint",
            Self::Float => "float",
            Self::Double => "double",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Boolean => DataType::Boolean,
            Self::Byte => DataType::Int8,
            Self::Short => DataType::Int16,
            Self::Int => DataType::Int32,
            Self::Long => DataType::Int64,
            Self::Float => DataType::Float32,
            Self::Double => DataType::Float64,
            Self::Date => DataType::Date32,
            Self::Timestamp => timestamp(),
        }
    }

    /// Whether a text can be cast to it.
    pub(in super::super) fn takes(self, text: &str) -> bool {
        let text: ArrayRef = Arc::new(StringArray::from(vec![text]));
        to(&text, &self.data_type()).is_ok_and(|value| value.null_count() == 0)
    }
}

fn cast_type(asked: &Asked<'_>) -> Result<DataType> {
    let Some(target) = asked.text(1).and_then(Target::named) else {
        return asked.refused("a value and the name of a type");
    };
    let to = target.data_type();
    if matches!(target, Target::Date | Target::Timestamp) {
        asked.no_word_for_a_time(0)?;
    }
    if castable(asked.of(0)?, &to) {
        Ok(to)
    } else {
        asked.refused(&format!("what a {} can be made of", target.name()))
    }
}

fn text_type(asked: &Asked<'_>) -> Result<DataType> {
    if castable(asked.of(0)?, &DataType::Utf8) {
        Ok(DataType::Utf8)
    } else {
        asked.refused("a text")
    }
}

fn number_type(asked: &Asked<'_>) -> Result<DataType> {
    match asked.of(0)? {
        DataType::Utf8 | DataType::Null => Ok(DataType::Float64),
        number if number.is_numeric() => Ok(number.clone()),
        _ => asked.refused("a number"),
    }
}

fn same_type(asked: &Asked<'_>) -> Result<DataType> {
    asked.of(0).cloned()
}

fn castable(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    if from == to || *from == T::Null {
        return true;
    }
    let number = from.is_numeric();
    match to {
        T::Utf8 => number || matches!(from, T::Boolean | T::Date32 | T::Timestamp(..)),
        T::Boolean => number || *from == T::Utf8,
        T::Date32 => matches!(from, T::Utf8 | T::Timestamp(..)),
        T::Timestamp(..) => number || matches!(from, T::Utf8 | T::Date32),
        _ => number || matches!(from, T::Utf8 | T::Boolean | T::Timestamp(..)),
    }
}

fn cast(called: &Called<'_>) -> Result<ArrayRef> {
    to(called.arg(0)?, called.data_type)
}

/// The values as that type, null where a value has none.
pub(super) fn to(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    use DataType as T;
    let from = array.data_type();
    if from == data_type {
        return Ok(Arc::clone(array));
    }
    match (from, data_type) {
        (T::Null, _) => Ok(new_null_array(data_type, array.len())),
        (_, T::Utf8) => texts(array),
        (T::Utf8, T::Boolean) => {
            let values: BooleanArray = array
                .as_string::<i32>()
                .iter()
                .map(|text| boolean(text?))
                .collect();
            Ok(Arc::new(values))
        }
        (_, T::Boolean) => {
            let zero = PrimitiveArray::<Float64Type>::new_scalar(0.0);
            Ok(Arc::new(compute::kernels::cmp::neq(
                &compute::cast(array, &T::Float64)?,
                &zero,
            )?))
        }
        (T::Utf8, T::Date32) => Ok(parsed::<Date32Type>(array, java_time::date)),
        (T::Timestamp(..), T::Date32) => Ok(mapped::<TimestampMicrosecondType, Date32Type>(
            array,
            |micros| i32::try_from(micros.div_euclid(java_time::DAY)).ok(),
        )),
        (T::Utf8, T::Timestamp(..)) => Ok(utc(array
            .as_string::<i32>()
            .iter()
            .map(|text| java_time::timestamp(text?)))),
        (T::Date32, T::Timestamp(..)) => {
            let days = array.as_primitive::<Date32Type>();
            Ok(utc(days
                .iter()
                .map(|day| i64::from(day?).checked_mul(java_time::DAY))))
        }
        (_, T::Timestamp(..)) => {
            let seconds = compute::cast(array, &T::Float64)?;
            let whole = from.is_integer();
            let exact = if whole {
                Some(compute::cast(array, &T::Int64)?)
            } else {
                None
            };
            Ok(match exact {
                Some(exact) => utc(exact
                    .as_primitive::<Int64Type>()
                    .iter()
                    .map(|one| one?.checked_mul(1_000_000))),
                None => utc(seconds
                    .as_primitive::<Float64Type>()
                    .iter()
                    .map(|one| one.filter(|one| one.is_finite()).map(|one| long(one * 1e6)))),
            })
        }
        (T::Utf8, T::Int8) => Ok(mapped::<Int64Type, Int8Type>(&longs(array)?, |value| {
            i8::try_from(value).ok()
        })),
        (T::Utf8, T::Int16) => Ok(mapped::<Int64Type, Int16Type>(&longs(array)?, |value| {
            i16::try_from(value).ok()
        })),
        // By way of an int, as in Java.
        (T::Float32 | T::Float64, T::Int8) => Ok(mapped::<Int32Type, Int8Type>(
            &to(array, &T::Int32)?,
            |value| Some(value as i8),
        )),
        (T::Float32 | T::Float64, T::Int16) => Ok(mapped::<Int32Type, Int16Type>(
            &to(array, &T::Int32)?,
            |value| Some(value as i16),
        )),
        (_, T::Int8) => Ok(narrow::<Int8Type>(&longs(array)?, |value| value as i8)),
        (_, T::Int16) => Ok(narrow::<Int16Type>(&longs(array)?, |value| value as i16)),
        (_, T::Int32) => match from {
            // A double is cut off at the ends of an int, a bigint wraps around.
            T::Float32 | T::Float64 => {
                let doubles = compute::cast(array, &T::Float64)?;
                Ok(mapped::<Float64Type, Int32Type>(&doubles, |value| {
                    Some(value as i32)
                }))
            }
            T::Utf8 => Ok(mapped::<Int64Type, Int32Type>(&longs(array)?, |value| {
                i32::try_from(value).ok()
            })),
            _ => Ok(narrow::<Int32Type>(&longs(array)?, |value| value as i32)),
        },
        (_, T::Int64) => longs(array),
        (_, T::Float64) => doubles(array),
        (_, T::Float32) => match from {
            T::Utf8 | T::Timestamp(..) | T::Boolean => {
                Ok(compute::cast(&doubles(array)?, &T::Float32)?)
            }
            _ => Ok(compute::cast(array, &T::Float32)?),
        },
        (from, to) => exec_err!(
            "a {} can't be made of a {}",
            super::spelled(to),
            super::spelled(from)
        ),
    }
}

fn mapped<F: ArrowPrimitiveType, T: ArrowPrimitiveType>(
    array: &ArrayRef,
    one: impl Fn(F::Native) -> Option<T::Native>,
) -> ArrayRef {
    let values: PrimitiveArray<T> = array
        .as_primitive::<F>()
        .iter()
        .map(|value| one(value?))
        .collect();
    Arc::new(values)
}

fn parsed<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    one: impl Fn(&str) -> Option<T::Native>,
) -> ArrayRef {
    let values: PrimitiveArray<T> = array
        .as_string::<i32>()
        .iter()
        .map(|text| one(text?))
        .collect();
    Arc::new(values)
}

fn narrow<T: ArrowPrimitiveType>(longs: &ArrayRef, one: impl Fn(i64) -> T::Native) -> ArrayRef {
    mapped::<Int64Type, T>(longs, |value| Some(one(value)))
}

/// Timestamps in microseconds.
pub(super) fn utc(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(
        values
            .collect::<TimestampMicrosecondArray>()
            .with_timezone("UTC"),
    )
}

fn longs(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Utf8 => parsed::<Int64Type>(array, whole),
        DataType::Timestamp(..) => mapped::<TimestampMicrosecondType, Int64Type>(array, |micros| {
            Some(micros.div_euclid(1_000_000))
        }),
        DataType::Float32 | DataType::Float64 => {
            let doubles = compute::cast(array, &DataType::Float64)?;
            mapped::<Float64Type, Int64Type>(&doubles, |value| Some(long(value)))
        }
        _ => compute::cast(array, &DataType::Int64)?,
    })
}

/// Cut off towards zero, and at the ends of a bigint; what is no number is 0.
fn long(value: f64) -> i64 {
    value as i64
}

fn doubles(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Utf8 => parsed::<Float64Type>(array, double),
        DataType::Timestamp(..) => {
            mapped::<TimestampMicrosecondType, Float64Type>(array, |micros| {
                Some(micros as f64 / 1e6)
            })
        }
        _ => compute::cast(array, &DataType::Float64)?,
    })
}

/// Without the blanks and control characters of ASCII at both ends; those of all writing stay.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches(|one: char| one <= ' ')
}

/// `12`, `+12`, `12.9`: what stands behind the point is cut off, but must be digits.
fn whole(text: &str) -> Option<i64> {
    let text = trimmed(text);
    let (number, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match number {
        "" | "+" | "-" if !fraction.is_empty() => Some(0),
        number => number.parse().ok(),
    }
}

/// As Java reads a double, a `d` or `f` behind it included.
fn double(text: &str) -> Option<f64> {
    let text = trimmed(text);
    let digits = text
        .strip_suffix(['d', 'D', 'f', 'F'])
        .filter(|rest| rest.ends_with(|c: char| c.is_ascii_digit() || c == '.'));
    digits.unwrap_or(text).parse().ok()
}

fn boolean(text: &str) -> Option<bool> {
    match trimmed(text).to_ascii_lowercase().as_str() {
        "t" | "true" | "y" | "yes" | "1" => Some(true),
        "f" | "false" | "n" | "no" | "0" => Some(false),
        _ => None,
    }
}

fn texts(array: &ArrayRef) -> Result<ArrayRef> {
    let values: StringArray = match array.data_type() {
        DataType::Float64 => array
            .as_primitive::<Float64Type>()
            .iter()
            .map(|value| value.map(double_text))
            .collect(),
        DataType::Float32 => array
            .as_primitive::<Float32Type>()
            .iter()
            .map(|value| value.map(float_text))
            .collect(),
        DataType::Timestamp(..) => array
            .as_primitive::<TimestampMicrosecondType>()
            .iter()
            .map(|micros| java_time::timestamp_text(micros?))
            .collect(),
        DataType::Date32 => array
            .as_primitive::<Date32Type>()
            .iter()
            .map(|day| java_time::date_text(day?))
            .collect(),
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64 => {
            return Ok(compute::cast(array, &DataType::Utf8)?);
        }
        other => return exec_err!("a text can't be made of a {}", super::spelled(other)),
    };
    Ok(Arc::new(values))
}

/// As Java writes a double, and so Spark and the platform: `1.0`, `1.0E10`, `Infinity`.
#[must_use]
pub fn double_text(value: f64) -> String {
    java(value, &format!("{value:e}"))
}

/// The same of a float, whose digits are fewer.
#[must_use]
pub fn float_text(value: f32) -> String {
    java(f64::from(value), &format!("{value:e}"))
}

/// As Java writes a double: with a point from 0.001 on to 10 million, else with an exponent. `scientific` is the
/// shortest text with an exponent that is that number.
fn java(value: f64, scientific: &str) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if value == 0.0 {
        return if value.is_sign_negative() {
            "-0.0"
        } else {
            "0.0"
        }
        .to_owned();
    }
    let size = value.abs();
    if (1e-3..1e7).contains(&size) {
        let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        return pointed(mantissa, exponent);
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let point = if mantissa.contains('.') { "" } else { ".0" };
    format!("{mantissa}{point}E{exponent}")
}

/// `1.25` and the exponent 1 as `12.5`.
fn pointed(mantissa: &str, exponent: i32) -> String {
    let (sign, mantissa) = mantissa
        .strip_prefix('-')
        .map_or(("", mantissa), |rest| ("-", rest));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    if exponent < 0 {
        let zeros = "0".repeat(usize::try_from(-exponent - 1).unwrap_or(0));
        return format!("{sign}0.{zeros}{digits}");
    }
    let whole = usize::try_from(exponent).unwrap_or(0) + 1;
    if digits.len() <= whole {
        return format!("{sign}{digits}{}.0", "0".repeat(whole - digits.len()));
    }
    let (whole, fraction) = digits.split_at(whole);
    format!("{sign}{whole}.{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_written_as_java_does() {
        let cases = [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (-12.5, "-12.5"),
            (173.15, "173.15"),
            (0.001, "0.001"),
            (0.00099, "9.9E-4"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (1.234e10, "1.234E10"),
            (100.0, "100.0"),
            (f64::NAN, "NaN"),
            (0.0, "0.0"),
        ];
        for (value, text) in cases {
            assert_eq!(java(value, &format!("{value:e}")), text);
        }
    }

    #[test]
    fn texts_are_read_as_spark_reads_them() {
        assert_eq!(whole(" 12 "), Some(12));
        assert_eq!(whole("12.9"), Some(12));
        assert_eq!(whole("-.5"), Some(0));
        assert_eq!(whole("1e3"), None);
        assert_eq!(whole(""), None);
        assert_eq!(whole("\u{1}12\t"), Some(12));
        assert_eq!(whole("\u{a0}12"), None);
        assert_eq!(double("1e3"), Some(1000.0));
        assert_eq!(double("1.5d"), Some(1.5));
        assert_eq!(double("abc"), None);
        assert_eq!(boolean(" Yes"), Some(true));
        assert_eq!(boolean("2"), None);
    }
}
