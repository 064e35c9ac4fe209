//! Values in binary that are more than their bytes the other way round.

/// From 1970 to PostgreSQL's first day, 2000-01-01.
pub(super) const DAYS: i32 = 10_957;
pub(super) const MICROS: i64 = DAYS as i64 * 86_400_000_000;

/// A decimal in digits of base 10,000, of its text (`-12.50`).
///
/// ```text
/// digits  weight  sign  scale | digit digit …
/// i16     i16     i16   i16   | i16   i16
/// ```
pub(super) fn numeric(text: &str, out: &mut Vec<u8>) {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (0x4000_u16, digits),
        None => (0, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    let groups = whole.len().div_ceil(4);
    // Both sides of the point are filled up to whole groups.
    let mut padded = "0".repeat(groups * 4 - whole.len());
    padded.push_str(whole);
    padded.push_str(fraction);
    let missing = padded.len().next_multiple_of(4) - padded.len();
    padded.push_str(&"0".repeat(missing));
    let group = |four: &[u8]| {
        four.iter()
            .fold(0_u16, |sum, digit| sum * 10 + u16::from(digit - b'0'))
    };
    let all: Vec<u16> = padded.as_bytes().chunks(4).map(group).collect();
    let leading = all.iter().take_while(|group| **group == 0).count();
    let kept = &all[leading..];
    let trailing = kept.iter().rev().take_while(|group| **group == 0).count();
    let kept = &kept[..kept.len() - trailing];
    let weight = match kept {
        [] => 0,
        _ => groups as i16 - leading as i16 - 1,
    };
    out.extend((kept.len() as u16).to_be_bytes());
    out.extend(weight.to_be_bytes());
    out.extend(if kept.is_empty() { 0 } else { sign }.to_be_bytes());
    out.extend((fraction.len() as u16).to_be_bytes());
    for group in kept {
        out.extend(group.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_groups_of_four_digits_around_the_point() {
        let of = |text: &str| {
            let mut out = Vec::new();
            numeric(text, &mut out);
            let all: Vec<i16> = out
                .chunks(2)
                .map(|two| i16::from_be_bytes([two[0], two[1]]))
                .collect();
            all
        };
        assert_eq!(of("0.00"), [0, 0, 0, 2]);
        assert_eq!(of("12.50"), [2, 0, 0, 2, 12, 5000]);
        assert_eq!(of("-123456.789"), [3, 1, 0x4000, 3, 12, 3456, 7890]);
        assert_eq!(of("0.00001"), [1, -2, 0, 5, 1000]);
        assert_eq!(of("10000"), [1, 1, 0, 0, 1]);
    }
}
