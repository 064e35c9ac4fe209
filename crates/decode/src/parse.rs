use std::cell::RefCell;

use arrow::array::Array;
use arrow::error::ArrowError;
use bumpalo::Bump;
use xdm::Fields;

use crate::arrow_cell::ArrowCell;
use crate::chunk::{ChunkContent, InputChunk};
use crate::identify::{IdentifiedRows, identify};
use crate::json::{JsonParser, JsonValue};
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
        mut f: impl FnMut(usize, Result<RecordValue<'_, '_>, RecordError>) -> Result<(), RecordError>,
    ) -> Result<(), RecordError> {
        match &self.chunk.content {
            ChunkContent::Lines(text) | ChunkContent::Documents(text, _) => {
                parser.parse_all(text, self.lines.iter().copied(), |number, value| {
                    f(number, value.map(RecordValue::Json))
                })
            }
            ChunkContent::Batch(batch) => {
                let mut made = Bump::new();
                (0..batch.len()).try_for_each(|row| {
                    made.reset();
                    let record = ArrowCell::record(batch, row, &made);
                    f(row, Ok(RecordValue::Arrow(record)))
                })
            }
        }
    }
}

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
    let column_types = with_types_of_batch(types, records.chunk)?;
    // Not borrowed: where the thread waits for others, it may decode another chunk meanwhile.
    let mut parser = PARSER.take();
    let decoded = decode_with(&mut parser, records, spec, &column_types, first_sequence);
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

fn decode_with(
    parser: &mut JsonParser,
    records: &RecordSpans<'_>,
    spec: &RecordSpec,
    types: &Fields,
    first_sequence: u64,
) -> Result<Decoded, ArrowError> {
    let mut columns = RecordBuilder::new(spec.class, types, spec.selection());
    let fast = records.each(parser, |_, record| record?.append_to(&mut columns));
    if fast.is_ok() {
        let grown = columns.types();
        let sequences = (0..records.len() as u64)
            .map(|n| first_sequence + n)
            .collect();
        if let Ok(rows) = identify(columns.finish()?, spec, sequences)? {
            return Ok(Decoded {
                rows,
                types: grown,
                bad: Vec::new(),
            });
        }
    }
    decode_carefully(parser, records, spec, types, first_sequence)
}

fn decode_carefully(
    parser: &mut JsonParser,
    records: &RecordSpans<'_>,
    spec: &RecordSpec,
    types: &Fields,
    first_sequence: u64,
) -> Result<Decoded, ArrowError> {
    // Records that are bad whatever is before them. What else is bad is found anew without these, since their
    // fields have given nothing its type.
    let mut bad: Vec<Option<RecordError>> = vec![None; records.len()];
    loop {
        let (grown, errors) = find_bad(parser, records, spec, types, &bad);
        // From the same types as a moment ago: what a field means may depend on those before it.
        let mut columns = RecordBuilder::new(spec.class, types, spec.selection());
        let mut good = Vec::new();
        let mut again: Option<(usize, RecordError)> = None;
        // What is left was appended without an error a moment ago, by narrower types.
        let appended = records.each(parser, |number, record| {
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
        match (appended, again) {
            (Ok(()), _) => {}
            (Err(_), Some((number, error))) => {
                bad[number] = Some(error);
                continue;
            }
            (Err(error), None) => unreachable!("an error of no record: {error}"),
        }
        let sequences = good.iter().map(|n| first_sequence + *n as u64).collect();
        match identify(columns.finish()?, spec, sequences)? {
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
            // RecordSpans without an identity come to light only now; do it again without them.
            Err(nobodys) => {
                for (row, error) in nobodys {
                    bad[good[row]] = Some(error);
                }
            }
        }
    }
}

/// The errors of records that can't be appended, or are `bad` for another reason, and the types of the others.
fn find_bad(
    parser: &mut JsonParser,
    records: &RecordSpans<'_>,
    spec: &RecordSpec,
    types: &Fields,
    bad: &[Option<RecordError>],
) -> (Fields, Vec<Option<RecordError>>) {
    let mut errors = vec![None; bad.len()];
    let mut good_types = types.clone();
    let mut columns = RecordBuilder::new(spec.class, &good_types, spec.selection());
    let _ = records.each(parser, |number, record| {
        let appended = record.and_then(|record| record.append_to(&mut columns));
        match appended.err().or_else(|| bad[number].clone()) {
            None => good_types = columns.types(),
            Some(error) => {
                errors[number] = Some(error);
                columns = RecordBuilder::new(spec.class, &good_types, spec.selection());
            }
        }
        Ok(())
    });
    (good_types, errors)
}

#[cfg(test)]
mod tests;
