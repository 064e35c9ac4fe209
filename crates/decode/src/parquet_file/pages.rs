//! The pages of a file, each looked at before it is unpacked, and before its values are.
//!
//! How much memory a page takes is up to its header: some bytes can claim a dictionary of 2³¹ values, and the
//! parquet crate reserves room for them, which aborts the process. So a file has a budget: what its open
//! pages unfold to at once.

use std::sync::Arc;

use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::ChunkReader;
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::ColumnDescPtr;

use super::budget::Budget;
use super::delta::{size_of_lengths, size_of_texts};
use super::page_header::{DICTIONARY_PAGE, INDEX_PAGE, PageHeader};
use super::record_sizes::RecordSizes;
use super::unbounded::Unbounded;

/// What the parquet crate reserves for a value of a dictionary.
const DICTIONARY_WIDTH: u64 = 16;
/// What a value of a list takes: a view or a number, two levels, and as much again while they grow.
const LIST_WIDTH: u64 = 32;
/// How much of a page is read at first for its header, and at most: it may hold the largest value.
const HEADER_BYTES: u64 = 256;
const LARGEST_HEADER: u64 = 64 << 20;

/// Some row groups of a file.
pub(super) struct CheckedRowGroups<R> {
    pub(super) file: Arc<R>,
    pub(super) metadata: Arc<ParquetMetaData>,
    pub(super) row_groups: Vec<usize>,
    /// How many rows are read at once.
    pub(super) batch: usize,
    pub(super) budget: Arc<Budget>,
}

impl<R: ChunkReader + 'static> RowGroups for CheckedRowGroups<R> {
    fn num_rows(&self) -> usize {
        let rows = RowGroups::row_groups(self).map(RowGroupMetaData::num_rows);
        rows.map(|rows| usize::try_from(rows).unwrap_or(0)).sum()
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        Ok(Box::new(ColumnChunks {
            file: Arc::clone(&self.file),
            metadata: Arc::clone(&self.metadata),
            row_groups: self.row_groups.clone().into_iter(),
            column,
            batch: self.batch,
            budget: Arc::clone(&self.budget),
        }))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        let groups = self.row_groups.iter();
        Box::new(groups.map(|number| self.metadata.row_group(*number)))
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// The chunks of a column.
struct ColumnChunks<R> {
    file: Arc<R>,
    metadata: Arc<ParquetMetaData>,
    row_groups: std::vec::IntoIter<usize>,
    column: usize,
    batch: usize,
    budget: Arc<Budget>,
}

impl<R: ChunkReader + 'static> Iterator for ColumnChunks<R> {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        let group = self.metadata.row_group(self.row_groups.next()?);
        let chunk = group.column(self.column);
        let pages = CheckedPages::new(&self.file, group, chunk, self.batch, &self.budget);
        Some(pages.map(|pages| Box::new(pages) as _))
    }
}

impl<R: ChunkReader + 'static> PageIterator for ColumnChunks<R> {}

/// The pages of a column chunk.
struct CheckedPages<R: ChunkReader> {
    file: Arc<R>,
    pages: SerializedPageReader<R>,
    column: ColumnDescPtr,
    /// Where the next header stands, and how many bytes there are from there on.
    at: u64,
    rest: u64,
    /// How many values its pages may still have: a page without bytes can claim 2³¹ of them.
    values: u64,
    unbounded: Option<Unbounded>,
    /// How many rows are read at once, and how many values they have.
    batch: u64,
    records: RecordSizes,
    budget: Arc<Budget>,
    /// What the dictionary and the page before took from the budget.
    dictionary: u64,
    page: u64,
}

impl<R: ChunkReader> CheckedPages<R> {
    fn new(
        file: &Arc<R>,
        group: &RowGroupMetaData,
        chunk: &ColumnChunkMetaData,
        batch: usize,
        budget: &Arc<Budget>,
    ) -> Result<Self> {
        let rows = usize::try_from(group.num_rows())?;
        let (at, rest) = chunk.byte_range();
        Ok(Self {
            pages: SerializedPageReader::new(Arc::clone(file), chunk, rows, None)?,
            file: Arc::clone(file),
            column: chunk.column_descr_ptr(),
            values: u64::try_from(chunk.num_values())?,
            unbounded: Unbounded::of(chunk.compression()),
            batch: batch as u64,
            records: RecordSizes::default(),
            at,
            rest,
            budget: Arc::clone(budget),
            dictionary: 0,
            page: 0,
        })
    }

    /// The header of the next page that is no index; goes past the page. None where there is none.
    fn next_header(&mut self) -> Result<Option<PageHeader>> {
        while self.rest > 0 {
            let header = self.read_header()?;
            let length = header.length + header.packed;
            self.rest = self
                .rest
                .checked_sub(length)
                .ok_or_else(|| self.damaged())?;
            self.at += length;
            if header.kind != INDEX_PAGE {
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    fn read_header(&self) -> Result<PageHeader> {
        let mut size = HEADER_BYTES;
        loop {
            let bytes = self.file.get_bytes(self.at, size.min(self.rest) as usize)?;
            if let Some(header) = PageHeader::read(&bytes) {
                return Ok(header);
            }
            if size >= self.rest.min(LARGEST_HEADER) {
                return Err(self.damaged());
            }
            size *= 16;
        }
    }

    fn damaged(&self) -> ParquetError {
        let column = self.column.path().string();
        ParquetError::General(format!("column {column} has a damaged page"))
    }

    /// Takes from the budget what a page unfolds to, instead of what the one before did. A dictionary
    /// stays.
    fn open(&mut self, header: &PageHeader) -> Result<()> {
        self.budget.give_back(std::mem::take(&mut self.page));
        let size = match header.kind == DICTIONARY_PAGE {
            true => {
                let values = header.values.saturating_mul(DICTIONARY_WIDTH);
                let size = header.unpacked.saturating_add(values);
                self.dictionary += size;
                size
            }
            false => {
                self.page = header.unpacked;
                self.page
            }
        };
        self.budget.take(size)
    }

    /// Refuses a page that unfolds to more than its header says: the parquet crate unpacks it to its end before
    /// it looks at that.
    fn check_unpacked(&self, header: &PageHeader) -> Result<()> {
        let Some(codec) = self.unbounded else {
            return Ok(());
        };
        if !header.is_packed || !Unbounded::may_be_large(header.packed) {
            return Ok(());
        }
        let levels = header.levels;
        let sizes = (header.packed.checked_sub(levels)).zip(header.unpacked.checked_sub(levels));
        let (packed, unpacked) = sizes.ok_or_else(|| self.damaged())?;
        let bytes = self
            .file
            .get_bytes(self.at - packed, usize::try_from(packed)?)?;
        if codec.unfolds_beyond(&bytes, unpacked) {
            let column = self.column.path().string();
            return Err(ParquetError::General(format!(
                "column {column} has a page that unfolds to more than its header says, which is {unpacked} bytes"
            )));
        }
        Ok(())
    }

    /// Counts a page's values against those that the footer gives the chunk, by which batches are cut.
    fn count_values(&mut self, page: &Page) -> Result<()> {
        let values = page.num_values();
        let left = self.values.checked_sub(values.into()).ok_or_else(|| {
            ParquetError::General(format!(
                "column {} has a page of {values} values where the footer has {} left",
                self.column.path().string(),
                self.values
            ))
        })?;
        self.values = left;
        Ok(())
    }

    /// Takes from the budget what a page's lists add to the batch that is being read.
    fn take_lists(&mut self, page: &Page) -> Result<()> {
        let highest = self.column.max_rep_level();
        if highest == 0 {
            return Ok(());
        }
        let values = page.num_values().into();
        if has_old_levels(page) {
            self.records.take_unseen(values);
        } else {
            let levels = repetition_levels(page, highest);
            let taken = levels.and_then(|levels| self.records.take_page(levels, highest, values));
            taken.ok_or_else(|| self.damaged())?;
        }
        let values = self.records.most_of_batch(self.batch);
        self.budget.take_of_batch(values.saturating_mul(LIST_WIDTH))
    }

    /// Checks values whose size is not that of their page.
    fn check_values(&mut self, page: &Page) -> Result<()> {
        let size = match page.encoding() {
            Encoding::DELTA_LENGTH_BYTE_ARRAY => size_of_lengths,
            Encoding::DELTA_BYTE_ARRAY => size_of_texts,
            _ => return Ok(()),
        };
        let body = self.behind_levels(page).ok_or_else(|| self.damaged())?;
        // A page of nulls has no values.
        if body.is_empty() {
            return Ok(());
        }
        let size = size(body, page.num_values().into()).ok_or_else(|| self.damaged())?;
        self.page += size;
        self.budget.take(size)
    }

    /// The values of a data page.
    fn behind_levels<'a>(&self, page: &'a Page) -> Option<&'a [u8]> {
        match page {
            Page::DataPage {
                buf,
                num_values,
                def_level_encoding,
                rep_level_encoding,
                ..
            } => {
                let levels = [
                    (self.column.max_rep_level(), *rep_level_encoding),
                    (self.column.max_def_level(), *def_level_encoding),
                ];
                let mut rest = buf.as_ref();
                for (highest, encoding) in levels {
                    if highest > 0 {
                        rest = behind(rest, highest, encoding, *num_values)?;
                    }
                }
                Some(rest)
            }
            Page::DataPageV2 {
                buf,
                def_levels_byte_len,
                rep_levels_byte_len,
                ..
            } => buf.get(*def_levels_byte_len as usize + *rep_levels_byte_len as usize..),
            Page::DictionaryPage { .. } => None,
        }
    }
}

/// The repetition levels of a data page.
fn repetition_levels(page: &Page, highest: i16) -> Option<&[u8]> {
    match page {
        Page::DataPage {
            buf,
            num_values,
            rep_level_encoding,
            ..
        } => {
            let rest = behind(buf, highest, *rep_level_encoding, *num_values)?;
            buf.get(size_of::<u32>()..buf.len() - rest.len())
        }
        Page::DataPageV2 {
            buf,
            rep_levels_byte_len,
            ..
        } => buf.get(..*rep_levels_byte_len as usize),
        Page::DictionaryPage { .. } => None,
    }
}

/// Whether a page's repetition levels are in the form of before there were runs, which takes room for each.
fn has_old_levels(page: &Page) -> bool {
    #[allow(deprecated)]
    let old = Encoding::BIT_PACKED;
    matches!(page, Page::DataPage { rep_level_encoding, .. } if *rep_level_encoding == old)
}

/// What is behind the levels that a page of the first version begins with.
fn behind(page: &[u8], highest: i16, encoding: Encoding, values: u32) -> Option<&[u8]> {
    #[allow(deprecated)]
    if encoding == Encoding::BIT_PACKED {
        let width = u64::from(i16::BITS - highest.leading_zeros());
        let bytes = (u64::from(values) * width).div_ceil(8);
        return page.get(usize::try_from(bytes).ok()?..);
    }
    let (length, rest) = page.split_first_chunk()?;
    rest.get(u32::from_le_bytes(*length) as usize..)
}

impl<R: ChunkReader> PageReader for CheckedPages<R> {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let Some(header) = self.next_header()? else {
            return self.pages.get_next_page();
        };
        self.open(&header)?;
        self.check_unpacked(&header)?;
        let page = self.pages.get_next_page()?;
        if let Some(page) = page.as_ref().filter(|page| page.is_data_page()) {
            self.count_values(page)?;
            self.take_lists(page)?;
            self.check_values(page)?;
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.next_header()?;
        self.pages.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.pages.at_record_boundary()
    }
}

impl<R: ChunkReader> Iterator for CheckedPages<R> {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl<R: ChunkReader> Drop for CheckedPages<R> {
    fn drop(&mut self) {
        self.budget.give_back(self.dictionary + self.page);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_the_first_version_are_skipped() {
        assert_eq!(
            behind(&[2, 0, 0, 0, 9, 9, 7], 1, Encoding::RLE, 3),
            Some(&[7][..])
        );
        assert_eq!(behind(&[2, 0, 0, 0, 9], 1, Encoding::RLE, 3), None);
        #[allow(deprecated)]
        let packed = Encoding::BIT_PACKED;
        assert_eq!(behind(&[9, 9, 7], 2, packed, 5), Some(&[7][..]));
    }
}
