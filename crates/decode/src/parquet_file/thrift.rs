//! Thrift's compact protocol, as far as it takes to look into footers and page headers.
//!
//! ```text
//!   struct   a header a field (delta of the id, type), its value; … 0
//!   integer  zigzag, then base 128        binary  length, bytes
//!   list     a header (size, type), items
//! ```
//!
//! Source: Apache Thrift's thrift-compact-protocol.md.

/// Reads Thrift's compact protocol; each step is none where the bytes end or make no sense.
pub(super) struct Compact<'a> {
    rest: &'a [u8],
}

impl<'a> Compact<'a> {
    pub(super) const TRUE: u8 = 1;
    pub(super) const FALSE: u8 = 2;
    pub(super) const BYTE: u8 = 3;
    pub(super) const I32: u8 = 5;
    pub(super) const I64: u8 = 6;
    pub(super) const BINARY: u8 = 8;
    pub(super) const LIST: u8 = 9;
    pub(super) const STRUCT: u8 = 12;
    /// Parquet's own structs nest a handful of levels.
    const DEEPEST: u8 = 32;

    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are still to be read.
    pub(super) fn rest(&self) -> usize {
        self.rest.len()
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    pub(super) fn bytes(&mut self, n: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(n)?;
        self.rest = rest;
        Some(bytes)
    }

    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// An integer of 16, 32 or 64 bits.
    pub(super) fn integer(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(super) fn binary(&mut self) -> Option<&'a [u8]> {
        let length = self.varint()?;
        self.bytes(length.try_into().ok()?)
    }

    /// Number and type of a struct's next field; none at its end. `last` is the field before it. Fields
    /// are in order: every writer has them so, and no one can hide a field behind another's bytes.
    pub(super) fn field(&mut self, last: &mut i64) -> Option<Option<(i64, u8)>> {
        let header = self.byte()?;
        if header == 0 {
            return Some(None);
        }
        let id = match header >> 4 {
            0 => self.integer()?,
            delta => last.checked_add(delta.into())?,
        };
        if id <= *last || id > i16::MAX.into() {
            return None;
        }
        *last = id;
        Some(Some((*last, header & 15)))
    }

    /// How many items a list or set has, and of what type. There are no more than bytes.
    pub(super) fn list(&mut self) -> Option<(usize, u8)> {
        let header = self.byte()?;
        let items = match header >> 4 {
            15 => self.varint()?.try_into().ok()?,
            items => items.into(),
        };
        (items <= self.rest.len()).then_some((items, header & 15))
    }

    pub(super) fn skip(&mut self, ty: u8, depth: u8) -> Option<()> {
        if depth > Self::DEEPEST {
            return None;
        }
        match ty {
            // A boolean field's value is its type.
            Self::TRUE | Self::FALSE => {}
            Self::BYTE => drop(self.byte()?),
            4..=6 => drop(self.varint()?),
            7 => drop(self.bytes(8)?),
            Self::BINARY => drop(self.binary()?),
            Self::LIST | 10 => {
                let (items, ty) = self.list()?;
                for _ in 0..items {
                    self.skip_item(ty, depth)?;
                }
            }
            11 => {
                let entries = self.varint()?;
                if entries > 0 {
                    let types = self.byte()?;
                    for _ in 0..entries {
                        self.skip_item(types >> 4, depth)?;
                        self.skip_item(types & 15, depth)?;
                    }
                }
            }
            Self::STRUCT => {
                let mut last = 0;
                while let Some((_, ty)) = self.field(&mut last)? {
                    self.skip(ty, depth + 1)?;
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// Skips an item of a list or map. Nothing of Parquet's has lists of booleans, of which the parquet
    /// crate and Thrift disagree how long they are.
    fn skip_item(&mut self, ty: u8, depth: u8) -> Option<()> {
        match ty {
            Self::TRUE | Self::FALSE => None,
            other => self.skip(other, depth + 1),
        }
    }
}
