use super::Reader;
use crate::is_same;
use crate::value::RecordError;

impl<'t> Reader<'t> {
    /// Reads the string whose opening quote is at `quote`.
    #[inline]
    pub(super) fn string(&self, quote: usize) -> Result<&'t str, RecordError> {
        let start = quote + 1;
        let end = special(self.text.as_bytes(), start);
        if self.byte(end) != b'"' {
            return self.escaped_string(quote, end);
        }
        self.at.set(end + 1);
        Ok(&self.text[start..end])
    }

    /// Reads a string whose first special byte, at `at`, is not its end.
    #[cold]
    fn escaped_string(&self, quote: usize, mut at: usize) -> Result<&'t str, RecordError> {
        let bytes = self.text.as_bytes();
        loop {
            match self.byte(at) {
                b'"' => break,
                b'\\' => at = special(bytes, at + 2),
                b'\n' => return Err(self.broken(at, "it ends too early")),
                _ => return Err(self.broken(at, "a control character in a string")),
            }
        }
        let quoted = &self.text[quote..=at];
        let text: String = serde_json::from_str(quoted)
            .map_err(|_| self.broken(quote, "a string with an escape that is none"))?;
        self.at.set(at + 1);
        Ok(self.unescaped.alloc_str(&text))
    }
}

/// Where the first quote, backslash or control character from `at` on is; behind the end where none is.
#[inline]
fn special(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);
    // The top bit of the first byte that is zero, and maybe of others above it.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & TOPS;
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*word);
        let found = zeros(word ^ (ONES * u64::from(b'"')))
            | zeros(word ^ (ONES * u64::from(b'\\')))
            | zeros(word & (ONES * 0xe0));
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or(&[]);
    let found = rest
        .iter()
        .position(|b| matches!(b, b'"' | b'\\' | 0..0x20));
    at + found.unwrap_or(rest.len())
}

/// Whether `likely` stands at a place; an empty one never does.
#[inline]
pub(super) fn is_at(bytes: &[u8], at: usize, likely: &[u8]) -> bool {
    let found = bytes.get(at..at + likely.len());
    !likely.is_empty() && found.is_some_and(|found| is_same(found, likely))
}
