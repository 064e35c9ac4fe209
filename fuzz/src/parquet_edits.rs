//! Changes of Parquet files that leave their parts where the footer says they are: bytes that are moved make it
//! damaged at once, and nothing behind the first check is reached.

use libfuzzer_sys::fuzzer_mutate;

use crate::dice::Dice;

/// The length of the footer and the magic at a file's end.
const TAIL: usize = 8;
/// How many bytes a footer grows by in one step.
const GROWTH: usize = 16;

/// Changes an input of the target `source` and returns its length.
pub fn edit(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut dice = Dice::new(seed);
    let footer = footer(&data[..size]);
    match (footer, dice.roll(8)) {
        (Some(footer), 0..=3) => {
            edit_in_place(&mut data[1..footer], &mut dice);
            size
        }
        (Some(footer), 4..=5) => {
            edit_in_place(&mut data[footer..size - TAIL], &mut dice);
            size
        }
        (Some(footer), 6) => edit_footer(data, footer, size, max_size),
        _ => fuzzer_mutate(data, size, max_size),
    }
}

/// Where the footer begins, where the input has one behind its first byte.
fn footer(input: &[u8]) -> Option<usize> {
    let rest = input.strip_suffix(b"PAR1")?;
    let (rest, length) = rest.split_last_chunk()?;
    let start = rest
        .len()
        .checked_sub(u32::from_le_bytes(*length) as usize)?;
    (start > 1).then_some(start)
}

fn edit_in_place(bytes: &mut [u8], dice: &mut Dice) {
    for _ in 0..=dice.roll(4) {
        let at = dice.roll(bytes.len());
        let kind = dice.roll(5);
        let from = dice.roll(bytes.len());
        let length = dice.roll(8).min(bytes.len() - from.max(at));
        let Some(byte) = bytes.get_mut(at) else {
            return;
        };
        match kind {
            0 => *byte ^= 1 << dice.roll(8),
            1 => *byte = dice.roll(256) as u8,
            2 => *byte = byte.wrapping_add(2),
            3 => *byte = [0, 1, 2, 0x7f, 0x80, 0xff][dice.roll(6)],
            _ => bytes.copy_within(from..from + length, at),
        }
    }
}

fn edit_footer(data: &mut [u8], footer: usize, size: usize, max_size: usize) -> usize {
    let mut bytes = data[footer..size - TAIL].to_vec();
    let old = bytes.len();
    bytes.resize(old + GROWTH.min(max_size - size), 0);
    let most = bytes.len();
    let new = fuzzer_mutate(&mut bytes, old, most);
    let end = footer + new;
    data[footer..end].copy_from_slice(&bytes[..new]);
    data[end..end + 4].copy_from_slice(&(new as u32).to_le_bytes());
    data[end + 4..end + TAIL].copy_from_slice(b"PAR1");
    end + TAIL
}
