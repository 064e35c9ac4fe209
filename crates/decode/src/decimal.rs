//! Decimals of any width, and when a float64 is one of them to its last digit.

use std::fmt;

use arrow::datatypes::i256;

use crate::numbers::is_exact;
use crate::value::Kind;

/// A float64 holds any fifteen digits.
const SAFE: i128 = 1_000_000_000_000_000;

/// The number `unscaled` · 10^-`scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    unscaled: i256,
    scale: i8,
}

impl Decimal {
    pub(crate) fn new(unscaled: i256, scale: i8) -> Self {
        Self { unscaled, scale }
    }

    /// Whether its type holds whole numbers only.
    pub(crate) fn is_integer_type(self) -> bool {
        self.scale <= 0
    }

    /// The number as an integer, if it is a whole one that 64 bits hold.
    pub(crate) fn integer(self) -> Option<Kind<'static>> {
        let value = self.whole()?;
        if let Ok(value) = i64::try_from(value) {
            return Some(Kind::Integer(value));
        }
        u64::try_from(value).ok().map(Kind::Large)
    }

    /// The float64 that is this number: whose shortest decimal is this one, or that is exactly this
    /// integer.
    pub(crate) fn float(self) -> Option<f64> {
        if let Some(unscaled) = self.unscaled.to_i128()
            && unscaled.abs() < SAFE
            && (0..=22).contains(&self.scale)
        {
            // Both are exact, so the quotient is the nearest float64.
            return Some(unscaled as f64 / 10f64.powi(self.scale.into()));
        }
        let nearest: f64 = self.to_string().parse().ok()?;
        let is_same = self.digits() == digits_of(nearest);
        let is_whole = || self.whole().is_some_and(is_exact);
        (is_same || is_whole()).then_some(nearest)
    }

    /// The whole number that it is.
    fn whole(self) -> Option<i128> {
        let power = i256::from_i128(10).checked_pow(self.scale.unsigned_abs().into())?;
        if self.scale <= 0 {
            return self.unscaled.checked_mul(power)?.to_i128();
        }
        let is_whole = self.unscaled.checked_rem(power)? == i256::ZERO;
        is_whole
            .then(|| self.unscaled.checked_div(power))??
            .to_i128()
    }

    /// Its digits without zeros at the ends, and the power of ten of the first.
    fn digits(self) -> (String, i32) {
        let digits = self.unsigned();
        let exponent = digits.len() as i32 - 1 - i32::from(self.scale);
        without_zeros(&digits, exponent)
    }

    /// The digits of its unscaled value.
    fn unsigned(self) -> String {
        let mut text = match self.unscaled.to_i128() {
            Some(value) => value.to_string(),
            None => self.unscaled.to_string(),
        };
        if text.starts_with('-') {
            text.remove(0);
        }
        text
    }
}

/// The digits of a float64's shortest decimal, and the power of ten of the first.
fn digits_of(x: f64) -> (String, i32) {
    let text = format!("{:e}", x.abs());
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    without_zeros(&digits.replace('.', ""), exponent.parse().unwrap_or(0))
}

fn without_zeros(digits: &str, exponent: i32) -> (String, i32) {
    let rest = digits.trim_start_matches('0');
    if rest.is_empty() {
        return (String::new(), 0);
    }
    let skipped = digits.len() - rest.len();
    let digits = rest.trim_end_matches('0').to_owned();
    (digits, exponent - skipped as i32)
}

/// All digits of its scale, as databases print it.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.unscaled.is_negative() {
            f.write_str("-")?;
        }
        let digits = self.unsigned();
        if self.scale <= 0 {
            f.write_str(&digits)?;
            let zeros = match digits.as_str() {
                "0" => 0,
                _ => usize::from(self.scale.unsigned_abs()),
            };
            return f.write_str(&"0".repeat(zeros));
        }
        let scale = usize::from(self.scale.unsigned_abs());
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        write!(f, "{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(unscaled: &str, scale: i8) -> Decimal {
        Decimal::new(i256::from_string(unscaled).expect("digits"), scale)
    }

    #[test]
    fn text_has_all_digits_of_the_scale() {
        for (unscaled, scale, text) in [
            ("0", 0, "0"),
            ("0", 2, "0.00"),
            ("-5", 2, "-0.05"),
            ("150", 2, "1.50"),
            ("-12345", 2, "-123.45"),
            ("12", -3, "12000"),
            ("0", -3, "0"),
            (
                "99999999999999999999999999999999999999999999999999999999999999999999999999",
                38,
                "999999999999999999999999999999999999.99999999999999999999999999999999999999",
            ),
        ] {
            assert_eq!(decimal(unscaled, scale).to_string(), text);
        }
    }

    #[test]
    fn a_float_is_taken_where_its_shortest_decimal_is_the_number() {
        for (unscaled, scale, x) in [
            ("0", 9, 0.0),
            ("1", 1, 0.1),
            ("-1999", 2, -19.99),
            ("1000000000000000000000000000", 28, 0.1),
            ("150000000000000000000000000000000000000", 38, 1.5),
            ("1234567890123456", 2, 12_345_678_901_234.56),
            // Exactly this, though its shortest decimal is another.
            ("11529215046068469760", 1, 1_152_921_504_606_846_976.0),
        ] {
            assert_eq!(
                decimal(unscaled, scale).float(),
                Some(x),
                "{unscaled}e-{scale}"
            );
        }
        for (unscaled, scale) in [
            ("1234567890123456789", 2),
            ("10000000000000001", 16),
            ("1000000000000000055511151231", 28),
            ("90071992547409930", 1),
        ] {
            assert_eq!(
                decimal(unscaled, scale).float(),
                None,
                "{unscaled}e-{scale}"
            );
        }
    }

    #[test]
    fn integers_are_whole_numbers_that_64_bits_hold() {
        for (unscaled, scale, kind) in [
            ("-9223372036854775808", 0, Some(Kind::Integer(i64::MIN))),
            ("9223372036854775808", 0, Some(Kind::Large(1 << 63))),
            ("18446744073709551616", 0, None),
            ("-9223372036854775809", 0, None),
            ("700", 2, Some(Kind::Integer(7))),
            ("701", 2, None),
            ("7", -2, Some(Kind::Integer(700))),
            ("1", -30, None),
            ("1", -100, None),
        ] {
            assert_eq!(
                decimal(unscaled, scale).integer(),
                kind,
                "{unscaled}e-{scale}"
            );
        }
    }
}
