use super::Reader;
use crate::value::{Kind, RecordError};

/// The powers of ten up to the number of digits that a float64 always holds.
const POWERS: [f64; 16] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];

impl<'t> Reader<'t> {
    /// Reads the number that begins at `start`.
    #[inline]
    pub(super) fn number(&self, start: usize) -> Result<Kind<'t>, RecordError> {
        let is_negative = self.byte(start) == b'-';
        let first = start + usize::from(is_negative);
        let mut digits = 0;
        let mut at = self.digits(first, &mut digits);
        let whole = at - first;
        if whole == 0 || (whole > 1 && self.byte(first) == b'0') {
            return Err(self.malformed(start));
        }
        if !matches!(self.byte(at), b'.' | b'e' | b'E') {
            self.at.set(at);
            return if whole <= 18 {
                let value = digits as i64;
                Ok(Kind::Integer(if is_negative { -value } else { value }))
            } else {
                self.long_integer(start, at)
            };
        }
        let mut decimals = 0;
        if self.byte(at) == b'.' {
            let behind = self.digits(at + 1, &mut digits);
            decimals = behind - (at + 1);
            at = behind;
            if decimals == 0 {
                return Err(self.malformed(start));
            }
        }
        if matches!(self.byte(at), b'e' | b'E') {
            return self.long_float(start, at);
        }
        self.at.set(at);
        match POWERS.get(decimals) {
            // Both are exact, so that their quotient is rounded once.
            Some(power) if whole + decimals <= 15 => {
                let value = digits as f64 / power;
                Ok(Kind::Float(if is_negative { -value } else { value }))
            }
            _ => self.float(start, at),
        }
    }

    /// Reads digits from `at` on, as far as they go; where they are many, `value` is wrong.
    #[inline]
    fn digits(&self, mut at: usize, value: &mut u64) -> usize {
        while let digit @ b'0'..=b'9' = self.byte(at) {
            *value = value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            at += 1;
        }
        at
    }

    fn long_integer(&self, start: usize, end: usize) -> Result<Kind<'t>, RecordError> {
        let text = &self.text[start..end];
        match (text.parse(), text.parse()) {
            (Ok(value), _) => Ok(Kind::Integer(value)),
            (_, Ok(value)) => Ok(Kind::Large(value)),
            _ => Err(self.broken(start, "an integer that 64 bits do not hold")),
        }
    }

    /// Reads a number whose exponent begins at `at`.
    fn long_float(&self, start: usize, mut at: usize) -> Result<Kind<'t>, RecordError> {
        at += 1;
        at += usize::from(matches!(self.byte(at), b'+' | b'-'));
        let end = self.digits(at, &mut 0);
        if end == at {
            return Err(self.malformed(start));
        }
        self.at.set(end);
        self.float(start, end)
    }

    fn float(&self, start: usize, end: usize) -> Result<Kind<'t>, RecordError> {
        let text = &self.text[start..end];
        match text.parse() {
            Ok(value) if f64::is_finite(value) => Ok(Kind::Float(value)),
            Ok(_) => Err(self.broken(start, "a number that a 64-bit float does not hold")),
            Err(_) => Err(self.malformed(start)),
        }
    }

    #[cold]
    fn malformed(&self, start: usize) -> RecordError {
        self.broken(start, "a number that is malformed")
    }
}
