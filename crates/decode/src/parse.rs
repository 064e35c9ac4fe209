use std::cell::RefCell;

use arrow::array::Array;
use bumpalo::Bump;
use xdm::Fields;

use crate::arrow_cell::ArrowCell;
use crate::arrow_column::Reading;
use crate::chunk::{ChunkContent, InputChunk};
use crate::identify::{IdentifiedRows, identify};
use crate::json::{JsonParser, JsonValue};
use crate::progress::Progress;
use crate::record_builder::RecordBuilder;
use crate::spec::RecordSpec;
use crate::types::with_types_of_batch;
use crate::value::RecordError;

/// A chunk's records as columns, with the types they turned out to have.
pub struct Decoded {
    /// The good ones.
    pub rows: IdentifiedRows,
    /// The types for the chunks that follow, the ingest field among them.
    pub types: Fields,
    /// The bad ones, in order.
    pub bad: Vec<BadRecord>,
}

/// A bad record of a chunk.
pub struct BadRecord {
    /// Its line in its input, or its row in a Parquet file, counted from 1.
    pub line: u64,
    /// The field and what is wrong with it.
    pub error: RecordError,
    /// Its text, where it had one.
    pub text: Option<String>,
}

/// Where the records of a chunk stand.
pub struct RecordSpans<'a> {
    chunk: &'a InputChunk,
    /// The line (or row) that the chunk begins with, counted from 1.
    first_line: u64,
    /// Start and end of each record in the chunk's text.
    lines: Vec<(usize, usize)>,
    /// The line of each record, counted from the first.
    numbers: Vec<u64>,
    /// How many lines (or rows) the chunk has.
    count: u64,
}

impl<'a> RecordSpans<'a> {
    /// Finds the records of a chunk.
    #[must_use]
    pub fn new(chunk: &'a InputChunk) -> Self {
        let mut records = Self {
            chunk,
            first_line: 1,
            lines: Vec::new(),
            numbers: Vec::new(),
            count: 0,
        };
        match &chunk.content {
            ChunkContent::Batch(batch) => records.count = batch.len() as u64,
            ChunkContent::Lines(text) | ChunkContent::Documents(text, _) => {
                let mut start = 0;
                for end in memchr::memchr_iter(b'\n', text).chain([text.len()]) {
                    // Where files were put together, a byte order mark stands in the middle.
                    if text[start..end].starts_with(b"\xef\xbb\xbf") {
                        start += 3;
                    }
                    let line = &text[start..end];
                    if !line.iter().all(u8::is_ascii_whitespace) {
                        records.lines.push((start, end));
                        records.numbers.push(records.count);
                    }
                    // The last one is what is behind the last line's end: nothing, or no whole line.
                    if end < text.len() {
                        records.count += 1;
                    }
                    start = end + 1;
                }
            }
        }
        records
    }

    /// Says at what line they begin if they go on with an input; returns the line behind them.
    pub fn begin_at(&mut self, line: u64) -> u64 {
        if !self.chunk.starts_input {
            self.first_line = line;
        }
        self.first_line + self.count
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.chunk.content {
            ChunkContent::Lines(_) | ChunkContent::Documents(..) => self.lines.len(),
            ChunkContent::Batch(batch) => batch.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn line(&self, number: usize) -> u64 {
        let number = match &self.chunk.content {
            ChunkContent::Documents(_, lines) => return lines[number],
            ChunkContent::Lines(_) => self.numbers[number],
            ChunkContent::Batch(_) => number as u64,
        };
        self.first_line + number
    }

    fn text(&self, number: usize) -> Option<String> {
        let text = match &self.chunk.content {
            ChunkContent::Lines(text) | ChunkContent::Documents(text, _) => text,
            ChunkContent::Batch(_) => return None,
        };
        let (start, end) = *self.lines.get(number)?;
        Some(String::from_utf8_lossy(text.get(start..end)?).into_owned())
    }

    /// Hands each record to `f`, which says whether to go on.
    fn each(
        &self,
        parser: &mut JsonParser,
        progress: &Progress,
        mut f: impl FnMut(usize, RecordResult<'_, '_>) -> Result<(), RecordError>,
    ) -> Result<(), RecordError> {
        let go_on = || match progress.is_cancelled() {
            true => Err(RecordError::stopped()),
            false => Ok(()),
        };
        match &self.chunk.content {
            ChunkContent::Lines(text) | ChunkContent::Documents(text, _) => {
                let lines = self.lines.iter().copied();
                parser.parse_all(text, progress, lines, |number, value| {
                    go_on()?;
                    f(number, value.map(RecordValue::Json))
                })
            }
            ChunkContent::Batch(batch) => {
                let mut made = Bump::new();
                (0..batch.len()).try_for_each(|row| {
                    go_on()?;
                    made.reset();
                    let record = ArrowCell::record(batch, row, &made);
                    f(row, Ok(RecordValue::Arrow(record)))
                })
            }
        }
    }
}

type RecordResult<'r, 't> = Result<RecordValue<'r, 't>, RecordError>;

enum RecordValue<'r, 't> {
    Json(JsonValue<'r, 't>),
    Arrow(ArrowCell<'t>),
}

impl RecordValue<'_, '_> {
    fn append_to(self, columns: &mut RecordBuilder) -> Result<(), RecordError> {
        match self {
            Self::Json(value) => {
                columns.append(value)?;
                value.end()
            }
            Self::Arrow(value) => columns.append(value),
        }
    }
}

/// Decodes a chunk, starting from the types that are known so far.
///
/// The fast way takes all records to be good. Where one is not, the chunk is gone through once more
/// record by record, so that a bad record leaves no trace, not even in the types.
///
/// `first_sequence` is the first record's place in the store.
///
/// # Errors
/// A chunk that holds more than an array's offsets can count, or a column of a type that no XDM field
/// has.
pub fn decode(
    records: &RecordSpans<'_>,
    spec: &RecordSpec,
    types: &Fields,
    first_sequence: u64,
) -> crate::Result<Decoded> {
    decode_until(records, spec, types, first_sequence, &Progress::default())
}

/// [`decode`] that can be interrupted: it looks at `progress` before each record and within long ones.
///
/// # Errors
/// Those of [`decode`], and [`Error::Cancelled`](crate::Error::Cancelled) soon after `progress` was
/// cancelled.
pub fn decode_until(
    records: &RecordSpans<'_>,
    spec: &RecordSpec,
    types: &Fields,
    first_sequence: u64,
    progress: &Progress,
) -> crate::Result<Decoded> {
    let column_types = with_types_of_batch(types, records.chunk)?;
    // Not borrowed: where the thread waits for others, it may decode another chunk meanwhile.
    let mut parser = PARSER.take();
    let decoder = Decoder {
        records,
        spec,
        types: &column_types,
        first_sequence,
        progress,
    };
    let decoded = decoder.decode(&mut parser);
    PARSER.set(parser);
    let mut decoded = decoded?;
    if decoded.rows.keys.is_empty() {
        // Columns whose records are all bad leave no types either.
        decoded.types = types.clone();
    }
    Ok(decoded)
}

thread_local! {
    /// Each thread keeps a parser with the memory that it took.
    static PARSER: RefCell<JsonParser> = RefCell::default();
}

/// A chunk that is being decoded.
struct Decoder<'a> {
    records: &'a RecordSpans<'a>,
    spec: &'a RecordSpec,
    /// The types that are known so far, with those of the chunk's columns.
    types: &'a Fields,
    first_sequence: u64,
    progress: &'a Progress,
}

impl Decoder<'_> {
    fn decode(&self, parser: &mut JsonParser) -> crate::Result<Decoded> {
        let mut columns = self.columns(self.types);
        let fast = self.append_all(parser, &mut columns);
        self.progress.check()?;
        if fast.is_ok() {
            let grown = columns.types();
            let sequences = (0..self.records.len() as u64)
                .map(|n| self.first_sequence + n)
                .collect();
            if let Ok(rows) = identify(columns.finish()?, self.spec, sequences)? {
                return Ok(Decoded {
                    rows,
                    types: grown,
                    bad: Vec::new(),
                });
            }
        }
        self.decode_carefully(parser)
    }

    /// Appends all records, as long as they are good.
    fn append_all(
        &self,
        parser: &mut JsonParser,
        columns: &mut RecordBuilder,
    ) -> Result<(), RecordError> {
        if let ChunkContent::Batch(batch) = &self.records.chunk.content {
            let made = Bump::new();
            let reading = Reading {
                made: &made,
                progress: self.progress,
            };
            if columns.append_batch(batch, reading)? {
                return Ok(());
            }
        }
        let append = |_, record: RecordResult<'_, '_>| record?.append_to(columns);
        self.records.each(parser, self.progress, append)
    }

    /// Empty columns of these types.
    fn columns(&self, types: &Fields) -> RecordBuilder {
        RecordBuilder::new(self.spec.class, types, self.spec.selection())
    }

    fn decode_carefully(&self, parser: &mut JsonParser) -> crate::Result<Decoded> {
        let records = self.records;
        // Records that are bad whatever is before them. What else is bad is found anew without these, since
        // their fields have given nothing its type.
        let mut bad: Vec<Option<RecordError>> = vec![None; records.len()];
        loop {
            let (grown, errors) = self.find_bad(parser, &bad)?;
            // From the same types as a moment ago: what a field means may depend on those before it.
            let mut columns = self.columns(self.types);
            let mut good = Vec::new();
            let mut again: Option<(usize, RecordError)> = None;
            // What is left was appended without an error a moment ago, by narrower types.
            let appended = records.each(parser, self.progress, |number, record| {
                if errors[number].is_none() {
                    good.push(number);
                    let appended = record.and_then(|record| record.append_to(&mut columns));
                    if let Err(error) = appended {
                        again = Some((number, error.clone()));
                        return Err(error);
                    }
                }
                Ok(())
            });
            self.progress.check()?;
            match (appended, again) {
                (Ok(()), _) => {}
                (Err(_), Some((number, error))) => {
                    bad[number] = Some(error);
                    continue;
                }
                (Err(error), None) => unreachable!("an error of no record: {error}"),
            }
            let sequences = good
                .iter()
                .map(|n| self.first_sequence + *n as u64)
                .collect();
            match identify(columns.finish()?, self.spec, sequences)? {
                Ok(rows) => {
                    let bad_records = errors
                        .into_iter()
                        .enumerate()
                        .filter_map(|(number, error)| {
                            Some(BadRecord {
                                line: records.line(number),
                                error: error?,
                                text: records.text(number),
                            })
                        })
                        .collect();
                    return Ok(Decoded {
                        rows,
                        types: grown,
                        bad: bad_records,
                    });
                }
                // Records without an identity come to light only now; do it again without them.
                Err(nobodys) => {
                    for (row, error) in nobodys {
                        bad[good[row]] = Some(error);
                    }
                }
            }
        }
    }

    /// The errors of records that can't be appended, or are `bad` for another reason, and the types of the
    /// others.
    fn find_bad(
        &self,
        parser: &mut JsonParser,
        bad: &[Option<RecordError>],
    ) -> crate::Result<(Fields, Vec<Option<RecordError>>)> {
        let mut errors = vec![None; bad.len()];
        let mut good_types = self.types.clone();
        let mut columns = self.columns(&good_types);
        // What is held of bad records is of no concern here, only types are, which few records change: to copy
        // them for each record, or make columns anew, would take as long as the schema is wide.
        let mut growth = columns.growth();
        let walked = self.records.each(parser, self.progress, |number, record| {
            let appended = record.and_then(|record| record.append_to(&mut columns));
            let has_grown = columns.growth() != growth;
            match appended.err().or_else(|| bad[number].clone()) {
                None if has_grown => good_types = columns.types(),
                None => {}
                Some(error) => {
                    errors[number] = Some(error);
                    if has_grown {
                        columns = self.columns(&good_types);
                    }
                }
            }
            growth = columns.growth();
            Ok(())
        });
        // Nothing else ends it, and what was found by then is not to be believed.
        self.progress.check()?;
        walked.unwrap_or_else(|error| unreachable!("an error of no record: {error}"));
        Ok((good_types, errors))
    }
}

#[cfg(test)]
mod tests;
