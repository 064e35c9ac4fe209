//! Integers as planes of bytes.

use std::ops::Range;

/// What numbers are divided by where all are multiples of it: moments are mostly of whole seconds or milliseconds.
pub(super) const SCALES: [i64; 3] = [1, 1_000, 1_000_000];

/// So many numbers are taken apart or put together at a time: what they are made of stays in the processor's nearest cache.
const AT_ONCE: usize = 512;

/// An integer that a block can have.
pub(super) trait Integer: Copy {
    /// The number, or for floats and numbers beyond `i64` its bits.
    fn to_bits(self) -> i64;
    /// What [`Integer::to_bits`] made `base + scale · n` of; other numbers are cut.
    fn scaled(base: i64, n: u64, scale: i64) -> Self;
}

macro_rules! integers {
    ($($ty:ty),*) => {$(
        impl Integer for $ty {
            fn to_bits(self) -> i64 {
                self as i64
            }

            fn scaled(base: i64, n: u64, scale: i64) -> Self {
                // Cut before it is summed up, which gives the same.
                (base as Self).wrapping_add((n as Self).wrapping_mul(scale as Self))
            }
        }
    )*};
}

integers!(i8, i16, i32, i64, u32, u64);

impl Integer for f64 {
    fn to_bits(self) -> i64 {
        f64::to_bits(self).cast_signed()
    }

    fn scaled(base: i64, n: u64, scale: i64) -> Self {
        f64::from_bits(i64::scaled(base, n, scale).cast_unsigned())
    }
}

/// `base + scale · n` of each number: the lowest bytes of all `n`, behind them the next ones, up to the highest that one needs.
pub(super) struct Planes {
    pub(super) base: i64,
    /// Which of [`SCALES`].
    pub(super) scale: u8,
    pub(super) planes: u8,
    pub(super) data: Vec<u8>,
}

impl Planes {
    pub(super) fn of<T: Integer>(values: &[T]) -> Self {
        let (mut base, mut highest) = (i64::MAX, i64::MIN);
        for bits in values.iter().map(|value| value.to_bits()) {
            base = base.min(bits);
            highest = highest.max(bits);
        }
        if values.is_empty() {
            (base, highest) = (0, 0);
        }
        let widest = above(base, highest);
        let is_multiple = |scale: i64| {
            let scale = scale.cast_unsigned();
            // Few would have all others go through for nothing.
            let mut all = values.iter();
            widest.is_multiple_of(scale)
                && all.all(|value| above(base, value.to_bits()).is_multiple_of(scale))
        };
        let scale = (1..SCALES.len()).rev().find(|i| is_multiple(SCALES[*i]));
        let scale = scale.unwrap_or(0);
        let largest = widest / SCALES[scale].cast_unsigned();
        let planes = (u64::BITS - largest.leading_zeros()).div_ceil(8) as usize;
        // To divide by what is known beforehand is no division.
        let data = match scale {
            0 => take_apart::<T, { SCALES[0].cast_unsigned() }>(values, base, planes),
            1 => take_apart::<T, { SCALES[1].cast_unsigned() }>(values, base, planes),
            _ => take_apart::<T, { SCALES[2].cast_unsigned() }>(values, base, planes),
        };
        Self {
            base,
            scale: scale as u8,
            planes: planes as u8,
            data,
        }
    }
}

fn above(base: i64, bits: i64) -> u64 {
    bits.wrapping_sub(base).cast_unsigned()
}

fn take_apart<T: Integer, const SCALE: u64>(values: &[T], base: i64, planes: usize) -> Vec<u8> {
    let count = values.len();
    let mut data = vec![0; planes * count];
    if data.is_empty() {
        return data;
    }
    for (start, values) in (0..).step_by(AT_ONCE).zip(values.chunks(AT_ONCE)) {
        // Halves of 32 bits: a processor takes several of them apart at once.
        let mut halves = [[0u32; AT_ONCE]; 2];
        let [low, high] = &mut halves;
        for ((low, high), value) in low.iter_mut().zip(high).zip(values) {
            let n = above(base, value.to_bits()) / SCALE;
            *low = n as u32;
            *high = (n >> 32) as u32;
        }
        for (number, plane) in data.chunks_exact_mut(count).enumerate() {
            let shift = 8 * (number % 4);
            let half = &halves[number / 4];
            for (byte, n) in plane[start..start + values.len()].iter_mut().zip(half) {
                *byte = (n >> shift) as u8;
            }
        }
    }
    data
}

/// Puts what is wanted of planes of `count` bytes together again.
pub(super) fn join<T: Integer>(
    data: &[u8],
    count: usize,
    wanted: Range<usize>,
    base: i64,
    scale: i64,
) -> Vec<T> {
    let mut joined = Vec::with_capacity(wanted.len());
    for start in wanted.clone().step_by(AT_ONCE) {
        let end = wanted.end.min(start + AT_ONCE);
        // Halves of 32 bits: a processor puts several of them together at once.
        let mut halves = [[0u32; AT_ONCE]; 2];
        let mut planes = 0;
        for plane in data.chunks_exact(count) {
            let half = &mut halves[planes / 4];
            for (n, byte) in half.iter_mut().zip(&plane[start..end]) {
                *n |= u32::from(*byte) << (8 * (planes % 4));
            }
            planes += 1;
        }
        let [low, high] = halves.each_ref().map(|half| &half[..end - start]);
        match planes {
            ..=4 => {
                let low = low.iter();
                joined.extend(low.map(|low| T::scaled(base, u64::from(*low), scale)));
            }
            _ => {
                let both = std::iter::zip(low, high);
                let both = both.map(|(low, high)| u64::from(*low) | u64::from(*high) << 32);
                joined.extend(both.map(|n| T::scaled(base, n, scale)));
            }
        }
    }
    joined
}
