//! The lengths of texts in DELTA_LENGTH_BYTE_ARRAY and DELTA_BYTE_ARRAY pages.
//!
//! The parquet crate reserves memory for as many lengths as a page claims, and makes texts of a prefix of the
//! one before and a suffix, however long they become. Here it is found out before what that would take.
//!
//! ```text
//!   lengths   block size, miniblocks a block, count, first; blocks: least delta, widths, packed deltas
//!   DELTA_BYTE_ARRAY   lengths of prefixes, lengths of suffixes, suffixes
//! ```
//!
//! Source: parquet-format's Encodings.md.

use super::thrift::Compact;

/// Blocks of equal deltas take a byte for some hundred values; no writer gets a thousand into one.
const MOST_VALUES_A_BYTE: u64 = 1024;
/// What the parquet crate reserves for a length.
const LENGTH_WIDTH: u64 = 4;

/// The memory that lengths take; none where they make no sense, or are more than the page has values.
pub(super) fn size_of_lengths(page: &[u8], values: u64) -> Option<u64> {
    let lengths = Lengths::new(page)?;
    is_plausible(&lengths, page, values).then(|| lengths.left * LENGTH_WIDTH)
}

/// The memory that texts take which share prefixes; none where they make no sense.
pub(super) fn size_of_texts(page: &[u8], values: u64) -> Option<u64> {
    let mut prefixes = Lengths::new(page)?;
    if !is_plausible(&prefixes, page, values) {
        return None;
    }
    let mut end = Lengths::new(page)?;
    end.skip_all()?;
    let rest = page.get(end.at..)?;
    let mut suffixes = Lengths::new(rest)?;
    if suffixes.left != prefixes.left {
        return None;
    }
    let mut size = 2 * LENGTH_WIDTH * prefixes.left;
    let mut last = 0;
    while prefixes.left > 0 {
        let prefix = u64::try_from(prefixes.take()?).ok()?;
        let suffix = u64::try_from(suffixes.take()?).ok()?;
        if prefix > last {
            return None;
        }
        last = prefix + suffix;
        size += last;
    }
    Some(size)
}

fn is_plausible(lengths: &Lengths<'_>, page: &[u8], values: u64) -> bool {
    lengths.left <= values && lengths.left <= (page.len() as u64).saturating_mul(MOST_VALUES_A_BYTE)
}

/// Lengths that are still to be read. Each step is none where the bytes end or make no sense.
struct Lengths<'a> {
    bytes: &'a [u8],
    /// Where the next block or miniblock begins.
    at: usize,
    left: u64,
    last: i32,
    is_first: bool,
    miniblocks: usize,
    values_a_miniblock: usize,
    least_delta: i32,
    /// Widths of the block's miniblocks that are still to come.
    widths: &'a [u8],
    width: usize,
    /// The place of the next packed delta in the miniblock, and how many there are.
    bit: usize,
    packed: usize,
}

impl<'a> Lengths<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let mut header = Compact::new(bytes);
        let block = header.varint()?;
        let miniblocks = header.varint()?;
        let left = header.varint()?;
        let last = i32::try_from(header.integer()?).ok()?;
        let values_a_miniblock = block.checked_div(miniblocks)?;
        if values_a_miniblock == 0 || values_a_miniblock % 32 != 0 {
            return None;
        }
        Some(Self {
            bytes,
            at: bytes.len() - header.rest(),
            left,
            last,
            is_first: true,
            miniblocks: usize::try_from(miniblocks).ok()?,
            values_a_miniblock: usize::try_from(values_a_miniblock).ok()?,
            least_delta: 0,
            widths: &[],
            width: 0,
            bit: 0,
            packed: 0,
        })
    }

    fn take(&mut self) -> Option<i32> {
        self.left = self.left.checked_sub(1)?;
        if self.is_first {
            self.is_first = false;
            return Some(self.last);
        }
        if self.packed == 0 {
            self.begin_miniblock()?;
        }
        let delta = self.bits()?;
        self.packed -= 1;
        self.last = self.last.wrapping_add(self.least_delta).wrapping_add(delta);
        Some(self.last)
    }

    fn skip_all(&mut self) -> Option<()> {
        if self.left > 0 {
            self.take()?;
        }
        while self.left > 0 {
            self.begin_miniblock()?;
            self.left = self.left.saturating_sub(self.packed as u64);
        }
        Some(())
    }

    fn begin_miniblock(&mut self) -> Option<()> {
        if self.widths.is_empty() {
            let mut block = Compact::new(self.bytes.get(self.at..)?);
            self.least_delta = i32::try_from(block.integer()?).ok()?;
            self.widths = block.bytes(self.miniblocks)?;
            self.at = self.bytes.len() - block.rest();
        }
        let (width, widths) = self.widths.split_first()?;
        if *width > 32 {
            return None;
        }
        self.widths = widths;
        self.width = usize::from(*width);
        self.bit = self.at.checked_mul(8)?;
        self.packed = self.values_a_miniblock;
        // Whole bytes: a miniblock has a multiple of 32 values.
        self.at = self
            .at
            .checked_add(self.width.checked_mul(self.packed / 8)?)?;
        Some(())
    }

    /// The next packed delta; the lowest bits come first.
    fn bits(&mut self) -> Option<i32> {
        if self.width == 0 {
            return Some(0);
        }
        let end = self.bit + self.width;
        let bytes = self.bytes.get(self.bit / 8..end.div_ceil(8))?;
        let wide = (bytes.iter().rev()).fold(0, |wide, byte| wide << 8 | u64::from(*byte));
        let value = (wide >> (self.bit % 8)) & ((1 << self.width) - 1);
        self.bit = end;
        Some(value as u32 as i32)
    }
}

#[cfg(test)]
mod tests {
    use parquet::basic::Encoding;
    use parquet::column::page::Page;
    use parquet::data_type::{ByteArray, ByteArrayType};
    use parquet::file::properties::WriterProperties;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use proptest::prelude::*;

    use super::*;

    /// The body of a page that the parquet crate wrote.
    fn page(texts: &[String], encoding: Encoding) -> Vec<u8> {
        let schema = parse_message_type("message m { required binary t; }").expect("a schema");
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_encoding(encoding)
            .build();
        let mut file = Vec::new();
        let mut writer =
            SerializedFileWriter::new(&mut file, schema.into(), properties.into()).expect("a file");
        let mut group = writer.next_row_group().expect("a row group");
        let mut column = group.next_column().expect("no error").expect("a column");
        let values: Vec<ByteArray> = texts.iter().map(|text| text.as_str().into()).collect();
        let typed = column.typed::<ByteArrayType>();
        typed.write_batch(&values, None, None).expect("values");
        column.close().expect("a column");
        group.close().expect("a row group");
        writer.close().expect("a file");
        let reader = SerializedFileReader::new(bytes::Bytes::from(file)).expect("a file");
        let group = reader.get_row_group(0).expect("a row group");
        let mut pages = group.get_column_page_reader(0).expect("pages");
        match pages.get_next_page().expect("no error") {
            Some(Page::DataPage { buf, .. }) => buf.to_vec(),
            _ => panic!("another page"),
        }
    }

    proptest! {
        #[test]
        fn sizes_are_those_of_the_texts(
            texts in prop::collection::vec("[ab]{0,9}|c{20,400}", 1..700)
        ) {
            let count = texts.len() as u64;
            let total: usize = texts.iter().map(String::len).sum();
            let page_of_lengths = page(&texts, Encoding::DELTA_LENGTH_BYTE_ARRAY);
            prop_assert_eq!(size_of_lengths(&page_of_lengths, count), Some(4 * count));
            let page_of_texts = page(&texts, Encoding::DELTA_BYTE_ARRAY);
            prop_assert_eq!(size_of_texts(&page_of_texts, count), Some(8 * count + total as u64));
        }

        #[test]
        fn any_bytes_have_a_size_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = size_of_lengths(&bytes, u64::MAX);
            let _ = size_of_texts(&bytes, u64::MAX);
        }
    }

    #[test]
    fn a_small_page_of_long_texts_has_their_size() {
        let texts = vec!["x".repeat(10_000); 1_000];
        let page = page(&texts, Encoding::DELTA_BYTE_ARRAY);
        assert!(page.len() < 12_000);
        assert_eq!(size_of_texts(&page, 1_000), Some(10_008_000));
        assert_eq!(size_of_texts(&page, 999), None);
    }

    #[test]
    fn a_count_that_no_page_holds_is_refused() {
        // 128 values a block of 4, 2^34 values, the first is 0.
        let page = [0x80, 1, 4, 0x80, 0x80, 0x80, 0x80, 0x40, 0];
        assert_eq!(size_of_lengths(&page, u64::MAX), None);
        assert_eq!(size_of_texts(&page, u64::MAX), None);
    }
}
