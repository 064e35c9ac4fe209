//! Values that clients bind to parameters, as expressions of statements.

use chrono::{DateTime, NaiveDate};
use datafusion::sql::sqlparser::ast::{self, Expr, UnaryOperator, Value};

use super::binary::{DAYS, MICROS};
use super::{list, moment};
use crate::refusal::{BAD_BYTES, BAD_ENCODING, OUT_OF_RANGE, Refusal};

/// What a parameter can be.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Bool,
    Whole,
    Real,
    Numeric,
    Text,
    Date,
    Timestamp,
}

fn kind(oid: u32) -> Result<Kind, Refusal> {
    Ok(match oid {
        16 => Kind::Bool,
        20 | 21 | 23 | 26 => Kind::Whole,
        700 | 701 => Kind::Real,
        1700 => Kind::Numeric,
        // Unknown is a text, as one that is written.
        0 | 18 | 19 | 25 | 114 | 705 | 1042 | 1043 | 2950 => Kind::Text,
        1082 => Kind::Date,
        1114 | 1184 => Kind::Timestamp,
        other => {
            return Err(Refusal::unsupported(format!(
                "A parameter of the type {other}"
            )));
        }
    })
}

/// The value of a parameter of that type; `None` is null.
///
/// # Errors
///
/// The bytes are none of that type, or the type is none that parameters can have.
pub(crate) fn expression(oid: u32, binary: bool, value: Option<&[u8]>) -> Result<Expr, Refusal> {
    if let Some(item) = list::item_type(oid) {
        return list::expression(item, binary, value);
    }
    let kind = kind(oid)?;
    let Some(bytes) = value else {
        return Ok(typed_null(kind));
    };
    match binary {
        true => of_binary(kind, oid, bytes),
        false => of_text(kind, oid, utf8(bytes)?),
    }
}

/// Something of that type, to see what rows a statement would give.
pub(crate) fn unbound(oid: u32) -> Result<Expr, Refusal> {
    if let Some(item) = list::item_type(oid) {
        return list::unbound(item);
    }
    Ok(match kind(oid)? {
        // It may stand behind LIMIT.
        Kind::Whole => number("1"),
        kind => typed_null(kind),
    })
}

fn typed_null(kind: Kind) -> Expr {
    let null = Expr::Value(Value::Null.into());
    match kind {
        Kind::Bool => cast(null, ast::DataType::Boolean),
        Kind::Whole => cast(null, ast::DataType::BigInt(None)),
        Kind::Real | Kind::Numeric => cast(null, double()),
        Kind::Text => cast(null, ast::DataType::String(None)),
        Kind::Date => cast(null, ast::DataType::Date),
        Kind::Timestamp => cast(null, timestamp()),
    }
}

fn of_text(kind: Kind, oid: u32, text: &str) -> Result<Expr, Refusal> {
    let trimmed = text.trim();
    Ok(match kind {
        Kind::Bool => match trimmed.to_lowercase().as_str() {
            "t" | "true" | "1" | "on" | "yes" => boolean(true),
            "f" | "false" | "0" | "off" | "no" => boolean(false),
            _ => return Err(bad("boolean", text)),
        },
        Kind::Whole => {
            let value: i64 = trimmed.parse().map_err(|_| bad("whole number", text))?;
            whole(value)
        }
        Kind::Real => {
            real(trimmed)?;
            cast(string(trimmed), double())
        }
        Kind::Numeric => numeric(trimmed)?,
        Kind::Text => string(text),
        Kind::Date => cast(string(&moment::date(trimmed)?), ast::DataType::Date),
        Kind::Timestamp => cast(
            string(&moment::timestamp(trimmed, oid == 1184)?),
            timestamp(),
        ),
    })
}

fn of_binary(kind: Kind, oid: u32, bytes: &[u8]) -> Result<Expr, Refusal> {
    let wrong = || {
        let message = format!("{} bytes are no value of the type {oid}", bytes.len());
        Refusal::new(BAD_BYTES, message)
    };
    Ok(match kind {
        Kind::Bool => match bytes {
            [byte] => boolean(*byte != 0),
            _ => return Err(wrong()),
        },
        Kind::Whole => whole(match (oid, bytes.len()) {
            (26, 4) => i64::from(u32::from_be_bytes(array(bytes).ok_or_else(wrong)?)),
            (_, 2) => i64::from(i16::from_be_bytes(array(bytes).ok_or_else(wrong)?)),
            (_, 4) => i64::from(i32::from_be_bytes(array(bytes).ok_or_else(wrong)?)),
            _ => i64::from_be_bytes(array(bytes).ok_or_else(wrong)?),
        }),
        Kind::Real => {
            let value = match bytes.len() {
                4 => f64::from(f32::from_be_bytes(array(bytes).ok_or_else(wrong)?)),
                _ => f64::from_be_bytes(array(bytes).ok_or_else(wrong)?),
            };
            cast(string(&sql::double_text(value)), double())
        }
        Kind::Numeric => numeric(&numeric_text(bytes).ok_or_else(wrong)?)?,
        Kind::Text => match oid {
            2950 => string(&uuid(bytes).ok_or_else(wrong)?),
            _ => string(utf8(bytes)?),
        },
        Kind::Date => {
            let days = i32::from_be_bytes(array(bytes).ok_or_else(wrong)?);
            let date = days.checked_add(DAYS).and_then(NaiveDate::from_epoch_days);
            let date = moment::date_text(date)?;
            cast(string(&date), ast::DataType::Date)
        }
        Kind::Timestamp => {
            let micros = i64::from_be_bytes(array(bytes).ok_or_else(wrong)?);
            let moment = micros
                .checked_add(MICROS)
                .and_then(DateTime::from_timestamp_micros);
            let text = moment::timestamp_text(moment.map(|moment| moment.naive_utc()))?;
            cast(string(&text), timestamp())
        }
    })
}

/// Digits of base 10,000 as a text: the other way round of `binary::numeric`.
fn numeric_text(bytes: &[u8]) -> Option<String> {
    let mut shorts = bytes
        .chunks(2)
        .map(|two| Some(u16::from_be_bytes(array(two)?)));
    let mut short = || shorts.next().flatten();
    let (count, weight) = (short()?, short()? as i16);
    let (sign, scale) = (short()?, short()?);
    let digits: Vec<u16> = (0..count).map(|_| short()).collect::<Option<_>>()?;
    let sign = match sign {
        0 => "",
        0x4000 => "-",
        0xc000 => return Some("NaN".to_owned()),
        _ => return None,
    };
    let at = |place: i32| {
        let index = usize::try_from(i32::from(weight) - place).ok();
        index
            .and_then(|index| digits.get(index))
            .copied()
            .unwrap_or(0)
    };
    let whole: String = (0..=i32::from(weight).max(0))
        .rev()
        .map(|place| format!("{:04}", at(place)))
        .collect();
    let groups = scale.div_ceil(4);
    let fraction: String = (1..=i32::from(groups))
        .map(|place| format!("{:04}", at(-place)))
        .collect();
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = &fraction[..usize::from(scale)];
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{sign}{whole}{point}{fraction}"))
}

/// A double, whatever its value: what rows a statement gives is told before there are values. One that no double is
/// would be another number, and is refused.
fn numeric(text: &str) -> Result<Expr, Refusal> {
    let value = real(text)?;
    if value.is_finite() && significant(text) != significant(&format!("{value:e}")) {
        let message = format!("the parameter {text} has more digits than a double");
        let hint = "as a text it is taken as it is: cast(? AS decimal(38, 10))";
        return Err(Refusal::new(OUT_OF_RANGE, message).with_hint(hint));
    }
    Ok(cast(string(text), double()))
}

/// A number as a double is nearest to it.
fn real(text: &str) -> Result<f64, Refusal> {
    let value: f64 = text.parse().map_err(|_| bad("number", text))?;
    match value.is_infinite() && text.contains(|one: char| one.is_ascii_digit()) {
        true => Err(Refusal::new(
            OUT_OF_RANGE,
            format!("the parameter {text} is greater than any double"),
        )),
        false => Ok(value),
    }
}

/// Whether a number is negative, its digits from the first to the last that is not 0, and where its point stands
/// before these; `None` for what is no number.
fn significant(text: &str) -> Option<(bool, String, i64)> {
    let unsigned = text.trim_start_matches(['-', '+']);
    let (digits, exponent) = match unsigned.split_once(['e', 'E']) {
        None => (unsigned, 0),
        Some((digits, exponent)) => (digits, exponent.parse().ok()?),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    let digits = all.trim_start_matches('0');
    if digits.is_empty() {
        return Some((false, String::new(), 0));
    }
    let zeros = i64::try_from(all.len() - digits.len()).ok()?;
    let point = i64::try_from(whole.len()).ok()? - zeros;
    let point = point.checked_add(exponent)?;
    let digits = digits.trim_end_matches('0').to_owned();
    Some((text.starts_with('-'), digits, point))
}

fn uuid(bytes: &[u8]) -> Option<String> {
    let value = u128::from_be_bytes(array(bytes)?);
    let hex = format!("{value:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
    Some(parts.map(|part| &hex[part]).join("-"))
}

fn array<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

pub(super) fn utf8(bytes: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(bytes).map_err(|_| Refusal::new(BAD_ENCODING, "a parameter is no UTF-8"))
}

fn bad(what: &str, text: &str) -> Refusal {
    Refusal::new(BAD_BYTES, format!("a parameter is no {what}: {text:?}"))
}

fn boolean(value: bool) -> Expr {
    Expr::Value(Value::Boolean(value).into())
}

fn number(digits: &str) -> Expr {
    Expr::Value(Value::Number(digits.to_owned(), false).into())
}

fn whole(value: i64) -> Expr {
    let digits = number(&value.unsigned_abs().to_string());
    match value {
        // Its digits alone are no bigint.
        i64::MIN => cast(string(&value.to_string()), ast::DataType::BigInt(None)),
        value if value < 0 => Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr: Box::new(digits),
        },
        _ => digits,
    }
}

fn string(text: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.to_owned()).into())
}

fn double() -> ast::DataType {
    ast::DataType::Double(ast::ExactNumberInfo::None)
}

fn timestamp() -> ast::DataType {
    ast::DataType::Timestamp(None, ast::TimezoneInfo::None)
}

fn cast(expr: Expr, data_type: ast::DataType) -> Expr {
    Expr::Cast {
        kind: ast::CastKind::Cast,
        expr: Box::new(expr),
        data_type,
        array: false,
        format: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(oid: u32, value: &str) -> String {
        expression(oid, false, Some(value.as_bytes()))
            .expect("a value")
            .to_string()
    }

    fn binary(oid: u32, value: &[u8]) -> String {
        expression(oid, true, Some(value))
            .expect("a value")
            .to_string()
    }

    #[test]
    fn values_in_text_and_in_binary_are_the_same_expressions() {
        assert_eq!(text(20, "-5"), binary(20, &(-5_i64).to_be_bytes()));
        assert_eq!(text(21, "7"), binary(21, &7_i16.to_be_bytes()));
        assert_eq!(text(16, "t"), binary(16, &[1]));
        assert_eq!(text(701, "0.5"), binary(701, &0.5_f64.to_be_bytes()));
        assert_eq!(text(25, "it's"), binary(25, b"it's"));
        assert_eq!(text(1082, "2000-01-02"), binary(1082, &1_i32.to_be_bytes()));
        assert_eq!(
            text(1184, "2000-01-01 00:00:01.500000"),
            binary(1184, &1_500_000_i64.to_be_bytes())
        );
    }

    #[test]
    fn decimals_come_back_as_they_were_written() {
        for value in [
            "0",
            "12.50",
            "-123456.789",
            "0.00001",
            "10000",
            "99999999999999999999.5",
        ] {
            let mut bytes = Vec::new();
            super::super::binary::numeric(value, &mut bytes);
            assert_eq!(numeric_text(&bytes).as_deref(), Some(value));
        }
    }

    #[test]
    fn what_is_no_value_of_its_type_is_refused() {
        for (oid, value) in [(20, "x"), (16, "maybe"), (701, "1,5"), (1700, "")] {
            let refusal = expression(oid, false, Some(value.as_bytes())).expect_err(value);
            assert_eq!(refusal.code, BAD_BYTES, "{value}");
        }
        assert!(expression(20, true, Some(b"abc")).is_err());
        assert!(expression(25, false, Some(b"\xff")).is_err());
    }

    #[test]
    fn a_decimal_is_of_one_type_whatever_its_value_and_none_loses_digits() {
        let told = unbound(1700).expect("a type").to_string();
        assert_eq!(told, "CAST(NULL AS DOUBLE)");
        for value in [
            "5",
            "-12.50",
            "0.1",
            "1e3",
            "0.000",
            "NaN",
            "9007199254740992",
        ] {
            assert_eq!(text(1700, value), format!("CAST('{value}' AS DOUBLE)"));
        }
        for value in [
            "9007199254740993",
            "0.12345678901234567890",
            "1e999",
            "-1e400",
        ] {
            let refusal = expression(1700, false, Some(value.as_bytes())).expect_err(value);
            assert_eq!(refusal.code, OUT_OF_RANGE, "{value}");
        }
        let refusal = expression(701, false, Some(b"1e999")).expect_err("none");
        assert_eq!(refusal.code, OUT_OF_RANGE);
    }

    proptest::proptest! {
        #[test]
        fn every_double_is_a_decimal_that_is_taken(value: f64) {
            for text in [value.to_string(), format!("{value:e}")] {
                proptest::prop_assert!(numeric(&text).is_ok(), "{}", text);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(oid in 0_u32..2952, binary: bool, value: Vec<u8>) {
            let _ = expression(oid, binary, Some(&value));
        }
    }
}
