//! Arithmetic: a division by zero is null, and texts are the numbers that they spell.

use std::sync::Arc;

use datafusion::arrow::array::{Array as _, ArrayRef, AsArray as _, Float64Array, Int64Array};
use datafusion::arrow::compute;
use datafusion::arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::common::Result;

use super::{Asked, Called, Row, cast};

pub(super) const FUNCTIONS: &[Row] = &[
    ("spark_divide", double_type, divide),
    ("spark_div", long_type, div),
    ("spark_modulo", modulo_type, modulo),
    ("spark_abs", same_number, abs),
    ("spark_ceil", long_type, ceil),
    ("spark_floor", long_type, floor),
    ("spark_round", round_type, round),
    ("spark_sqrt", double_type, sqrt),
    ("spark_power", double_type, power),
];

fn number(data_type: &DataType) -> bool {
    data_type.is_numeric() || matches!(data_type, DataType::Utf8 | DataType::Null)
}

fn double_type(asked: &Asked<'_>) -> Result<DataType> {
    if asked.types.iter().all(number) {
        Ok(DataType::Float64)
    } else {
        asked.refused("numbers")
    }
}

fn long_type(asked: &Asked<'_>) -> Result<DataType> {
    if asked.types.iter().all(number) {
        Ok(DataType::Int64)
    } else {
        asked.refused("numbers")
    }
}

fn modulo_type(asked: &Asked<'_>) -> Result<DataType> {
    if asked.types.iter().all(DataType::is_integer) {
        Ok(DataType::Int64)
    } else {
        double_type(asked)
    }
}

fn same_number(asked: &Asked<'_>) -> Result<DataType> {
    match asked.of(0)? {
        whole if whole.is_integer() => Ok(DataType::Int64),
        _ => double_type(asked),
    }
}

fn round_type(asked: &Asked<'_>) -> Result<DataType> {
    match asked.types {
        [_] => same_number(asked),
        [value, places] if places.is_integer() && number(value) => {
            if value.is_integer() {
                Ok(DataType::Int64)
            } else {
                Ok(DataType::Float64)
            }
        }
        _ => asked.refused("a number, and how many digits stay"),
    }
}

fn doubles(array: &ArrayRef) -> Result<Float64Array> {
    Ok(cast::to(array, &DataType::Float64)?
        .as_primitive::<Float64Type>()
        .clone())
}

fn longs(array: &ArrayRef) -> Result<Int64Array> {
    Ok(compute::cast(array, &DataType::Int64)?
        .as_primitive::<Int64Type>()
        .clone())
}

fn of_two(called: &Called<'_>, of: impl Fn(f64, f64) -> Option<f64>) -> Result<ArrayRef> {
    let (left, right) = (doubles(called.arg(0)?)?, doubles(called.arg(1)?)?);
    let values: Float64Array = left
        .iter()
        .zip(&right)
        .map(|(left, right)| of(left?, right?))
        .collect();
    Ok(Arc::new(values))
}

fn divide(called: &Called<'_>) -> Result<ArrayRef> {
    of_two(called, |left, right| (right != 0.0).then(|| left / right))
}

/// Of two whole numbers; nothing by zero.
fn of_longs(called: &Called<'_>, of: impl Fn(i64, i64) -> i64) -> Result<ArrayRef> {
    let (left, right) = (longs(called.arg(0)?)?, longs(called.arg(1)?)?);
    let pairs = left.iter().zip(&right);
    let values: Int64Array = pairs
        .map(|(left, right)| Some(of(left?, right.filter(|one| *one != 0)?)))
        .collect();
    Ok(Arc::new(values))
}

/// Towards zero.
fn div(called: &Called<'_>) -> Result<ArrayRef> {
    if [called.arg(0)?, called.arg(1)?]
        .iter()
        .all(|array| array.data_type().is_integer())
    {
        return of_longs(called, i64::wrapping_div);
    }
    cast::to(&divide(called)?, &DataType::Int64)
}

/// With the sign of the left.
fn modulo(called: &Called<'_>) -> Result<ArrayRef> {
    if *called.data_type == DataType::Int64 {
        return of_longs(called, i64::wrapping_rem);
    }
    of_two(called, |left, right| (right != 0.0).then(|| left % right))
}

fn of_one(called: &Called<'_>, of: impl Fn(f64) -> f64) -> Result<ArrayRef> {
    let values: Float64Array = doubles(called.arg(0)?)?
        .iter()
        .map(|value| value.map(&of))
        .collect();
    Ok(Arc::new(values))
}

fn abs(called: &Called<'_>) -> Result<ArrayRef> {
    if *called.data_type == DataType::Int64 {
        let values: Int64Array = longs(called.arg(0)?)?
            .iter()
            .map(|value| value.map(i64::wrapping_abs))
            .collect();
        return Ok(Arc::new(values));
    }
    of_one(called, f64::abs)
}

fn whole(called: &Called<'_>, of: impl Fn(f64) -> f64) -> Result<ArrayRef> {
    if called.arg(0)?.data_type().is_integer() {
        return Ok(Arc::new(longs(called.arg(0)?)?));
    }
    cast::to(&of_one(called, of)?, &DataType::Int64)
}

fn ceil(called: &Called<'_>) -> Result<ArrayRef> {
    whole(called, f64::ceil)
}

fn floor(called: &Called<'_>) -> Result<ArrayRef> {
    whole(called, f64::floor)
}

fn sqrt(called: &Called<'_>) -> Result<ArrayRef> {
    of_one(called, f64::sqrt)
}

fn power(called: &Called<'_>) -> Result<ArrayRef> {
    of_two(called, |base, exponent| Some(base.powf(exponent)))
}

/// Halves away from zero, of the number as its shortest text spells it (as Spark rounds decimals).
fn round(called: &Called<'_>) -> Result<ArrayRef> {
    let places = match called.args {
        [_, places] => longs(places)?,
        _ => Int64Array::from(vec![0; called.rows]),
    };
    if *called.data_type == DataType::Int64 {
        let values: Int64Array = longs(called.arg(0)?)?
            .iter()
            .zip(&places)
            .map(|(value, places)| whole_rounded(value?, places?))
            .collect();
        return Ok(Arc::new(values));
    }
    let values: Float64Array = doubles(called.arg(0)?)?
        .iter()
        .zip(&places)
        .map(|(value, places)| Some(rounded(value?, places?)))
        .collect();
    Ok(Arc::new(values))
}

fn whole_rounded(value: i64, places: i64) -> Option<i64> {
    if places >= 0 {
        return Some(value);
    }
    let Some(unit) = u32::try_from(-places)
        .ok()
        .and_then(|exponent| 10_i128.checked_pow(exponent))
    else {
        return Some(0);
    };
    let value = i128::from(value);
    let half = unit / 2 * value.signum();
    i64::try_from((value + half) / unit * unit).ok()
}

fn rounded(value: f64, places: i64) -> f64 {
    if !value.is_finite() {
        return value;
    }
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let digits: Vec<u8> = mantissa
        .bytes()
        .filter(u8::is_ascii_digit)
        .map(|byte| byte - b'0')
        .collect();
    // How many of the digits stay.
    let keep = exponent + 1 + places;
    let Ok(keep) = usize::try_from(keep) else {
        return 0.0;
    };
    if keep >= digits.len() {
        // A decimal has no negative zero.
        return value + 0.0;
    }
    let up = digits.get(keep).is_some_and(|digit| *digit >= 5);
    let kept: String = digits[..keep]
        .iter()
        .map(|digit| char::from(digit + b'0'))
        .collect();
    let kept: u128 = if kept.is_empty() {
        0
    } else {
        kept.parse().unwrap_or(0)
    };
    let size: f64 = format!("{}e{}", kept + u128::from(up), -places)
        .parse()
        .unwrap_or(value);
    if value.is_sign_negative() && size != 0.0 {
        -size
    } else {
        size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_away_from_zero() {
        let cases = [
            (2.5, 0, 3.0),
            (-2.5, 0, -3.0),
            (2.345, 2, 2.35),
            (1.005, 2, 1.01),
            (0.5, 0, 1.0),
            (0.4, 0, 0.0),
            (1234.5, -2, 1200.0),
            (1250.0, -2, 1300.0),
            (9.99, 1, 10.0),
            (49.9, -2, 0.0),
            (50.0, -2, 100.0),
        ];
        for (value, places, wanted) in cases {
            assert_eq!(rounded(value, places), wanted, "{value} {places}");
        }
        for value in [-0.4, -0.0, -0.004] {
            assert!(rounded(value, 0).is_sign_positive(), "{value}");
        }
        assert_eq!(whole_rounded(15, -1), Some(20));
        assert_eq!(whole_rounded(-15, -1), Some(-20));
        assert_eq!(whole_rounded(15, 3), Some(15));
    }
}
