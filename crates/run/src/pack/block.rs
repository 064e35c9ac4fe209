//! One buffer of an array as it lies in a packed file: a block.
//!
//! ```text
//! bytes     kind u8 │ length u64 │ data
//! integers  kind u8 │ planes u8 │ scale u8 │ count u32 │ base i64 │ data
//! ```
//!
//! Integers are `base + scale · n`, where `n` has as many bytes as the largest needs. The lowest bytes of all
//! of them come first, then the next ones (planes), so that bytes that are alike lie together: that is what
//! makes times, lengths and the keys of dictionaries small. An odd `kind` says that the data went through
//! Zstandard. A buffer that an array does not have is a block of no bytes.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use zstd::bulk::{Compressor, Decompressor};

use super::planes::{Integer, Planes, SCALES, join};

/// Zstandard's level: 3 makes a store smaller by 4 % and takes twice as long to write.
const LEVEL: i32 = 1;

const BYTES: u8 = 0;
const INTEGERS: u8 = 2;
const COMPRESSED: u8 = 1;

/// What a damaged block says; who reads it names the file.
pub(super) type Problem = &'static str;

/// A block of bytes as they are.
pub(super) fn of_bytes(bytes: &[u8]) -> Vec<u8> {
    let mut head = vec![BYTES];
    head.extend((bytes.len() as u64).to_le_bytes());
    finish(head, bytes)
}

/// A block of bytes that are random, and stay where they can be read in place.
pub(super) fn of_random_bytes(bytes: &[u8]) -> Vec<u8> {
    let mut block = Vec::with_capacity(HEAD_OF_BYTES + bytes.len());
    block.push(BYTES);
    block.extend((bytes.len() as u64).to_le_bytes());
    block.extend_from_slice(bytes);
    block
}

/// The length of what stands before a block's bytes.
pub(super) const HEAD_OF_BYTES: usize = 9;
const HEAD_OF_INTEGERS: usize = 15;

/// A block of integers.
pub(super) fn of_integers<T: Integer>(values: &[T]) -> Vec<u8> {
    let Planes {
        base,
        scale,
        planes,
        data,
    } = Planes::of(values);
    let mut head = vec![INTEGERS, planes, scale];
    head.extend((values.len() as u32).to_le_bytes());
    head.extend(base.to_le_bytes());
    finish(head, &data)
}

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// The head and the data behind it, compressed where that saves an eighth.
fn finish(mut head: Vec<u8>, data: &[u8]) -> Vec<u8> {
    if let Some(compressed) = compress(data)
        && compressed.len() < data.len() - data.len() / 8
    {
        if let Some(kind) = head.first_mut() {
            *kind |= COMPRESSED;
        }
        head.extend(compressed);
    } else {
        head.extend_from_slice(data);
    }
    head
}

/// `None` where nothing can be saved.
pub(super) fn compress(data: &[u8]) -> Option<Vec<u8>> {
    if data.len() < 32 {
        return None;
    }
    COMPRESSOR.with_borrow_mut(|compressor| {
        if compressor.is_none() {
            *compressor = Some(Compressor::new(LEVEL).ok()?);
        }
        compressor.as_mut()?.compress(data).ok()
    })
}

/// Exactly `length` bytes of what was compressed.
pub(super) fn decompress(data: &[u8], length: usize) -> Result<Vec<u8>, Problem> {
    // Our blocks shrink at the most to a 30,000th.
    if length / (1 << 16) > data.len() {
        return Err("a block that would grow beyond measure");
    }
    let mut bytes = Vec::with_capacity(length);
    let written = DECOMPRESSOR.with_borrow_mut(|decompressor| {
        if decompressor.is_none() {
            *decompressor = Some(Decompressor::new()?);
        }
        match decompressor {
            Some(decompressor) => decompressor.decompress_to_buffer(data, &mut bytes),
            None => unreachable!("it was made above"),
        }
    });
    match written {
        Ok(written) if written == length => Ok(bytes),
        _ => Err("a block that Zstandard can't read"),
    }
}

/// A block that was read, or one that is kept unpacked.
pub(super) enum Block {
    Read(Vec<u8>),
    Kept(Arc<[u8]>),
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Read(block) => block,
            Self::Kept(block) => block,
        }
    }
}

/// The same block without compression.
pub(super) fn plain(block: Vec<u8>) -> Result<Vec<u8>, Problem> {
    let Some((kind, _)) = block.split_first() else {
        return Ok(block);
    };
    let (head, data, length) = match *kind {
        k if k == BYTES | COMPRESSED => {
            let (head, data) = split(&block, HEAD_OF_BYTES)?;
            let length = head.last_chunk::<8>().map_or(0, |n| u64::from_le_bytes(*n));
            (head, data, length as usize)
        }
        k if k == INTEGERS | COMPRESSED => {
            let (head, data) = split(&block, HEAD_OF_INTEGERS)?;
            let &[_, planes, _, a, b, c, d, ..] = head else {
                return Err(SHORT);
            };
            let count = u32::from_le_bytes([a, b, c, d]);
            (head, data, planes as usize * count as usize)
        }
        _ => return Ok(block),
    };
    let mut plain = head.to_vec();
    if let Some(kind) = plain.first_mut() {
        *kind &= !COMPRESSED;
    }
    plain.extend(decompress(data, length)?);
    Ok(plain)
}

const SHORT: Problem = "a block without a head";

fn split(block: &[u8], head: usize) -> Result<(&[u8], &[u8]), Problem> {
    block.split_at_checked(head).ok_or(SHORT)
}

/// Those of the bytes of a block of bytes that are wanted.
pub(super) fn bytes(block: Block, wanted: Range<usize>) -> Result<Vec<u8>, Problem> {
    let block = match block {
        Block::Read(block) => block,
        Block::Kept(block) => {
            let (_, data) = split(&block, HEAD_OF_BYTES)?;
            let data = data.get(wanted).ok_or(FEWER)?;
            return Ok(data.to_vec());
        }
    };
    let mut bytes = all_bytes(block)?;
    if wanted.start > wanted.end || wanted.end > bytes.len() {
        return Err(FEWER);
    }
    if wanted.len() < bytes.len() {
        // What stays has no more memory than it needs.
        return Ok(bytes.drain(wanted).collect());
    }
    Ok(bytes)
}

const FEWER: Problem = "a block of fewer bytes than its array has";

/// All bytes of a block of bytes.
pub(super) fn all_bytes(block: Vec<u8>) -> Result<Vec<u8>, Problem> {
    let Some((head, data)) = block.split_first_chunk::<HEAD_OF_BYTES>() else {
        return Err("a block without a head");
    };
    let [kind, length @ ..] = *head;
    let length = u64::from_le_bytes(length) as usize;
    match kind {
        BYTES if data.len() == length => {
            let mut block = block;
            block.drain(..HEAD_OF_BYTES);
            Ok(block)
        }
        k if k == BYTES | COMPRESSED => decompress(data, length),
        _ => Err("a block of another kind or length"),
    }
}

/// Those of the numbers of a block of `length` integers that are wanted.
pub(super) fn integers<T: Integer>(
    block: &[u8],
    length: usize,
    wanted: Range<usize>,
) -> Result<Vec<T>, Problem> {
    let Some((head, data)) = block.split_first_chunk::<HEAD_OF_INTEGERS>() else {
        return Err("a block without a head");
    };
    let [
        kind,
        planes,
        scale,
        count @ ..,
        b0,
        b1,
        b2,
        b3,
        b4,
        b5,
        b6,
        b7,
    ] = *head;
    let count = u32::from_le_bytes(count) as usize;
    if count != length || wanted.end > count {
        return Err("other integers than its array has");
    }
    let base = i64::from_le_bytes([b0, b1, b2, b3, b4, b5, b6, b7]);
    let (Some(scale), true) = (SCALES.get(scale as usize), planes <= 8) else {
        return Err("integers of another kind");
    };
    let all_planes = count * planes as usize;
    let unpacked;
    let data = match kind {
        INTEGERS => data,
        k if k == INTEGERS | COMPRESSED => {
            unpacked = decompress(data, all_planes)?;
            &unpacked
        }
        _ => return Err("a block of another kind"),
    };
    if data.len() != all_planes {
        return Err("a block of another length");
    }
    Ok(join(data, count, wanted, base, *scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all<T: Integer>(block: &[u8], length: usize) -> Result<Vec<T>, Problem> {
        integers(block, length, 0..length)
    }

    #[test]
    fn integers_come_back() {
        let lists: [&[i64]; 8] = [
            &[],
            &[7],
            &[5, 5, 5],
            &[0, 255, 256],
            &[i64::MIN, i64::MAX, 0],
            &[-1_000_000, 3_000_000, 1_725_000_000_000_000_000],
            &[1_000, -5_000],
            &[-3, 1 << 40],
        ];
        for list in lists {
            let block = of_integers(list);
            assert_eq!(all::<i64>(&block, list.len()), Ok(list.to_vec()));
            for start in 0..list.len() {
                for end in start..=list.len() {
                    let wanted = integers::<i64>(&block, list.len(), start..end);
                    assert_eq!(wanted, Ok(list[start..end].to_vec()));
                }
            }
            integers::<i64>(&block, list.len(), 0..list.len() + 1).expect_err("too many");
            integers::<i64>(&block, list.len() + 1, 0..0).expect_err("another length");
        }
        let floats = [0.0, -0.0, 1.5, f64::MAX, f64::MIN_POSITIVE];
        let back = all::<f64>(&of_integers(&floats), floats.len()).expect("floats");
        assert_eq!(
            back.iter().map(|f| f.to_bits()).collect::<Vec<_>>(),
            floats.iter().map(|f| f.to_bits()).collect::<Vec<_>>()
        );
        let large = [u64::MAX, 0, 1 << 63];
        assert_eq!(all::<u64>(&of_integers(&large), 3), Ok(large.to_vec()));
    }

    #[test]
    fn what_is_alike_gets_small() {
        let times: Vec<i64> = (0..10_000)
            .map(|i| 1_725_000_000_000_000 + i * 1_000_000)
            .collect();
        let block = of_integers(&times);
        assert!(block.len() < 15_000);
        let unpacked = plain(block).expect("a plain block");
        assert_eq!(
            integers::<i64>(&unpacked, 10_000, 7..9),
            Ok(times[7..9].to_vec())
        );
        assert_eq!(of_integers(&[9i32; 10_000]).len(), HEAD_OF_INTEGERS);
        let text = b"all the same ".repeat(1_000);
        let block = of_bytes(&text);
        assert!(block.len() < 200);
        let unpacked = plain(block.clone()).expect("a plain block");
        assert_eq!(unpacked.len(), HEAD_OF_BYTES + text.len());
        let kept = || Block::Kept(unpacked.clone().into());
        assert_eq!(bytes(kept(), 13..20), Ok(b"all the".to_vec()));
        bytes(kept(), 0..text.len() + 1).expect_err("too many");
        let read = Block::Read(block.clone());
        assert_eq!(bytes(read, 13..20), Ok(b"all the".to_vec()));
        assert_eq!(all_bytes(block), Ok(text));
        assert_eq!(all_bytes(of_random_bytes(b"abc")), Ok(b"abc".to_vec()));
        let random = || Block::Read(of_random_bytes(b"abc"));
        assert_eq!(bytes(random(), 1..3), Ok(b"bc".to_vec()));
        bytes(random(), 1..4).expect_err("too many");
        assert_eq!(all_bytes(of_bytes(b"")), Ok(Vec::new()));
    }

    #[test]
    fn a_block_that_is_not_whole_is_an_error() {
        let block = of_integers(&[1i64, 900, 70_000]);
        for end in 0..block.len() {
            all::<i64>(&block[..end], 3).expect_err("integers");
        }
        all::<i64>(&of_bytes(b"0123456789abcdef"), 1).expect_err("no integers");
        let block = of_bytes(&[7; 1_000]);
        for end in 0..block.len() {
            all_bytes(block[..end].to_vec()).expect_err("bytes");
            let unpacked = plain(block[..end].to_vec());
            assert!(unpacked.is_err() || end == 0);
        }
        all_bytes(of_integers(&[1i64])).expect_err("no bytes");
    }
}
