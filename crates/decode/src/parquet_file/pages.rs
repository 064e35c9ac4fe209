//! The pages of a file, each looked at before it is unpacked, and before its values are.
//!
//! How much memory a page takes is up to its header: some bytes can claim a dictionary of 2³¹ values, and the
//! parquet crate reserves room for them, which aborts the process. So a file has a budget: what its open
//! pages unfold to at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::ChunkReader;
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::ColumnDescPtr;

use super::delta::{size_of_lengths, size_of_texts};
use super::page_header::{DICTIONARY_PAGE, INDEX_PAGE, PageHeader};

/// What any file may unfold to at once, in bytes.
const LEAST_BUDGET: u64 = 256 << 20;
/// How many times its own size a larger file may unfold to.
const MOST_TIMES: u64 = 100;
/// What the parquet crate reserves for a value of a dictionary.
const DICTIONARY_WIDTH: u64 = 16;
/// How much of a page is read at first for its header, and at most: it may hold the largest value.
const HEADER_BYTES: u64 = 256;
const LARGEST_HEADER: u64 = 64 << 20;

/// The memory that a file's open pages take.
#[derive(Debug)]
pub(super) struct Budget {
    taken: AtomicU64,
    most: u64,
}

impl Budget {
    pub(super) fn of_file(length: u64) -> Self {
        Self {
            taken: AtomicU64::new(0),
            most: LEAST_BUDGET.max(length.saturating_mul(MOST_TIMES)),
        }
    }

    fn take(&self, bytes: u64) -> Result<()> {
        let before = self.taken.fetch_add(bytes, Ordering::Relaxed);
        let all = before.saturating_add(bytes);
        if all > self.most {
            return Err(ParquetError::General(format!(
                "its pages unfold to {} MiB at once; beyond {} MiB they may be {MOST_TIMES} times the file",
                all >> 20,
                LEAST_BUDGET >> 20
            )));
        }
        Ok(())
    }

    fn give_back(&self, bytes: u64) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Some row groups of a file.
pub(super) struct CheckedRowGroups<R> {
    pub(super) file: Arc<R>,
    pub(super) metadata: Arc<ParquetMetaData>,
    pub(super) row_groups: Vec<usize>,
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
    budget: Arc<Budget>,
}

impl<R: ChunkReader + 'static> Iterator for ColumnChunks<R> {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        let group = self.metadata.row_group(self.row_groups.next()?);
        let pages = CheckedPages::new(&self.file, group, self.column, &self.budget);
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
    budget: Arc<Budget>,
    /// What the dictionary and the page before took from the budget.
    dictionary: u64,
    page: u64,
}

impl<R: ChunkReader> CheckedPages<R> {
    fn new(
        file: &Arc<R>,
        group: &RowGroupMetaData,
        column: usize,
        budget: &Arc<Budget>,
    ) -> Result<Self> {
        let chunk = group.column(column);
        let rows = usize::try_from(group.num_rows())?;
        let (at, rest) = chunk.byte_range();
        Ok(Self {
            pages: SerializedPageReader::new(Arc::clone(file), chunk, rows, None)?,
            file: Arc::clone(file),
            column: chunk.column_descr_ptr(),
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
        let page = self.pages.get_next_page()?;
        if let Some(page) = &page {
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
    fn a_budget_grows_with_the_file() {
        let small = Budget::of_file(1 << 10);
        small.take(LEAST_BUDGET).expect("as much as any may");
        assert!(small.take(1).is_err());
        let large = Budget::of_file(1 << 30);
        large.take(MOST_TIMES << 30).expect("a hundred times");
        large.give_back(1);
        large.take(1).expect("it was given back");
    }

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
