use super::thrift::Compact;

/// The kind of pages that hold no values.
pub(super) const INDEX_PAGE: i64 = 1;
pub(super) const DICTIONARY_PAGE: i64 = 2;

/// What a page says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PageHeader {
    pub(super) kind: i64,
    /// Bytes of the header, of the page behind it, and of the page when it is unpacked.
    pub(super) length: u64,
    pub(super) packed: u64,
    pub(super) unpacked: u64,
    /// How many values a dictionary has.
    pub(super) values: u64,
    /// Bytes at the page's beginning that are not packed, and whether the others are, where their column is.
    pub(super) levels: u64,
    pub(super) is_packed: bool,
}

impl PageHeader {
    /// None where the bytes end too early, or are no header.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut thrift = Compact::new(bytes);
        let mut header = Self {
            kind: 0,
            length: 0,
            packed: 0,
            unpacked: 0,
            values: 0,
            levels: 0,
            is_packed: true,
        };
        let mut last = 0;
        while let Some((field, ty)) = thrift.field(&mut last)? {
            match (field, ty) {
                (1, Compact::I32) => header.kind = thrift.integer()?,
                (2, Compact::I32) => header.unpacked = thrift.integer()?.try_into().ok()?,
                (3, Compact::I32) => header.packed = thrift.integer()?.try_into().ok()?,
                (4, Compact::I32) => thrift.skip(ty, 0)?,
                (7, Compact::STRUCT) if header.kind == DICTIONARY_PAGE => {
                    header.values = first_integer(&mut thrift)?.try_into().ok()?;
                }
                (8, Compact::STRUCT) if header.kind != DICTIONARY_PAGE => {
                    (header.levels, header.is_packed) = levels(&mut thrift)?;
                }
                // The parquet crate does not look at types: what it reads is to be what is read here.
                (1..=4 | 8, _) => return None,
                (5..=7, _) if header.kind == DICTIONARY_PAGE => return None,
                _ => thrift.skip(ty, 0)?,
            }
        }
        header.length = (bytes.len() - thrift.rest()) as u64;
        Some(header)
    }
}

/// The field 1 of a struct, which is read to its end.
fn first_integer(thrift: &mut Compact<'_>) -> Option<i64> {
    let (mut first, mut last) = (0, 0);
    while let Some((field, ty)) = thrift.field(&mut last)? {
        match (field, ty) {
            (1, Compact::I32) => first = thrift.integer()?,
            (1, _) => return None,
            _ => thrift.skip(ty, 0)?,
        }
    }
    Some(first)
}

/// The length of a second version's levels, and whether what is behind them is packed.
fn levels(thrift: &mut Compact<'_>) -> Option<(u64, bool)> {
    let (mut length, mut is_packed, mut last) = (0, true, 0);
    while let Some((field, ty)) = thrift.field(&mut last)? {
        match (field, ty) {
            (5 | 6, Compact::I32) => length += u64::try_from(thrift.integer()?).ok()?,
            (7, Compact::TRUE | Compact::FALSE) => is_packed = ty == Compact::TRUE,
            (5..=7, _) => return None,
            _ => thrift.skip(ty, 0)?,
        }
    }
    Some((length, is_packed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_what_its_page_takes() {
        // A dictionary of 2³¹-1 values in 21 bytes.
        let header = [
            0x15, 4, 0x15, 42, 0x15, 42, 0x4c, 0x15, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0x15, 0, 0, 0,
        ];
        let expected = PageHeader {
            kind: 2,
            length: header.len() as u64,
            packed: 21,
            unpacked: 21,
            values: i32::MAX as u64,
            levels: 0,
            is_packed: true,
        };
        assert_eq!(PageHeader::read(&header), Some(expected));
        for end in 0..header.len() {
            assert_eq!(PageHeader::read(&header[..end]), None);
        }
    }

    #[test]
    fn a_header_of_the_second_version_says_where_what_is_packed_begins() {
        // 7 values, 0 nulls, 1 row, PLAIN; levels of 3 and 2 bytes; not packed.
        let header = [
            0x15, 6, 0x15, 42, 0x15, 42, 0x5c, 0x15, 14, 0x15, 0, 0x15, 2, 0x15, 0, 0x15, 6, 0x15,
            4, 0x12, 0, 0,
        ];
        let found = PageHeader::read(&header).expect("a header");
        assert_eq!((found.kind, found.levels, found.is_packed), (3, 5, false));
    }
}
