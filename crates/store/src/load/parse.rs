use std::cell::RefCell;

use arrow::array::{Array, StructArray};
use arrow::error::ArrowError;
use xdm::{FieldType, Fields, Spelling, spelling};

use super::LoadTarget;
use super::input::{Chunk, ChunkRecords};
use super::system::{Keyed, add_system_columns, remove_type};
use crate::record::{ArrowValue, Columns, JsonParser, JsonValue, RecordError, type_of};

/// A chunk's records as columns, with the types they turned out to have.
pub(super) struct Parsed {
    pub(super) keyed: Keyed,
    /// The types for the chunks that follow, the ingest field among them.
    pub(super) types: Fields,
    pub(super) bad: Vec<Bad>,
}

/// A bad record of a chunk.
pub(super) struct Bad {
    pub(super) line: u64,
    pub(super) error: RecordError,
    pub(super) text: Option<String>,
}

/// Where the records of a chunk stand.
pub(super) struct Records<'a> {
    chunk: &'a Chunk,
    /// The line (or row) that the chunk begins with, counted from 1.
    first_line: u64,
    /// Start and end of each record in the chunk's text.
    lines: Vec<(usize, usize)>,
    /// The line of each record, counted from the first.
    numbers: Vec<u64>,
    /// How many lines (or rows) the chunk has.
    count: u64,
}

impl<'a> Records<'a> {
    pub(super) fn new(chunk: &'a Chunk) -> Self {
        let mut records = Self {
            chunk,
            first_line: 1,
            lines: Vec::new(),
            numbers: Vec::new(),
            count: 0,
        };
        match &chunk.records {
            ChunkRecords::Batch(batch) => records.count = batch.len() as u64,
            ChunkRecords::Lines(text) => {
                let mut start = 0;
                for end in memchr::memchr_iter(b'\n', text).chain([text.len()]) {
                    let line = text.get(start..end).unwrap_or_default();
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
    pub(super) fn begin_at(&mut self, line: u64) -> u64 {
        if !self.chunk.starts_input {
            self.first_line = line;
        }
        self.first_line + self.count
    }

    pub(super) fn len(&self) -> usize {
        match &self.chunk.records {
            ChunkRecords::Lines(_) => self.lines.len(),
            ChunkRecords::Batch(batch) => batch.len(),
        }
    }

    fn line(&self, number: usize) -> u64 {
        let number = match &self.chunk.records {
            ChunkRecords::Lines(_) => self.numbers.get(number).copied().unwrap_or(0),
            ChunkRecords::Batch(_) => number as u64,
        };
        self.first_line + number
    }

    fn text(&self, number: usize) -> Option<String> {
        let ChunkRecords::Lines(text) = &self.chunk.records else {
            return None;
        };
        let (start, end) = *self.lines.get(number)?;
        Some(String::from_utf8_lossy(text.get(start..end)?).into_owned())
    }

    /// Hands each record to `f`, which says whether to go on.
    fn each(
        &self,
        parser: &mut JsonParser,
        mut f: impl FnMut(usize, Result<Record<'_, '_>, RecordError>) -> Result<(), RecordError>,
    ) -> Result<(), RecordError> {
        match &self.chunk.records {
            ChunkRecords::Lines(text) => {
                parser.parse_all(text, self.lines.iter().copied(), |number, value| {
                    f(number, value.map(Record::Json))
                })
            }
            ChunkRecords::Batch(batch) => (0..batch.len())
                .try_for_each(|row| f(row, Ok(Record::Arrow(ArrowValue::new(batch, row))))),
        }
    }
}

enum Record<'r, 't> {
    Json(JsonValue<'r, 't>),
    Arrow(ArrowValue<'t>),
}

impl Record<'_, '_> {
    fn append_to(self, columns: &mut Columns) -> Result<(), RecordError> {
        match self {
            Self::Json(value) => {
                columns.append(value)?;
                value.end()
            }
            Self::Arrow(value) => columns.append(value),
        }
    }
}

/// Parses a chunk, starting from the types that are known so far.
///
/// The fast way takes all records to be good. Where one is not, the chunk is gone through once more
/// record by record, so that a bad record leaves no trace, not even in the types.
pub(super) fn parse(
    records: &Records<'_>,
    target: &LoadTarget<'_>,
    types: &Fields,
    first_sequence: u64,
) -> Result<Parsed, ArrowError> {
    PARSER.with_borrow_mut(|parser| parse_with(parser, records, target, types, first_sequence))
}

thread_local! {
    /// Each thread keeps a parser with the memory that it took.
    static PARSER: RefCell<JsonParser> = RefCell::default();
}

fn parse_with(
    parser: &mut JsonParser,
    records: &Records<'_>,
    target: &LoadTarget<'_>,
    types: &Fields,
    first_sequence: u64,
) -> Result<Parsed, ArrowError> {
    let types = &with_types_of_batch(types, records.chunk);
    let mut columns = Columns::new(target.class, types, target.kept());
    let fast = records.each(parser, |_, record| record?.append_to(&mut columns));
    if fast.is_ok() {
        let grown = columns.types();
        let sequences = (0..records.len() as u64)
            .map(|n| first_sequence + n)
            .collect();
        if let Ok(keyed) = add_system_columns(columns.finish()?, target, sequences)? {
            return Ok(Parsed {
                keyed,
                types: grown,
                bad: Vec::new(),
            });
        }
    }
    parse_carefully(parser, records, target, types, first_sequence)
}

fn parse_carefully(
    parser: &mut JsonParser,
    records: &Records<'_>,
    target: &LoadTarget<'_>,
    types: &Fields,
    first_sequence: u64,
) -> Result<Parsed, ArrowError> {
    let mut errors: Vec<Option<RecordError>> = vec![None; records.len()];
    loop {
        let grown = find_bad(parser, records, target, types, &mut errors);
        let mut columns = Columns::new(target.class, &grown, target.kept());
        let mut good = Vec::new();
        // What is left was appended without an error a moment ago.
        let _ = records.each(parser, |number, record| {
            if errors.get(number).is_some_and(Option::is_none) {
                good.push(number);
                record?.append_to(&mut columns)?;
            }
            Ok(())
        });
        let sequences = good.iter().map(|n| first_sequence + *n as u64).collect();
        match add_system_columns(columns.finish()?, target, sequences)? {
            Ok(keyed) => {
                let bad = errors
                    .into_iter()
                    .enumerate()
                    .filter_map(|(number, error)| {
                        Some(Bad {
                            line: records.line(number),
                            error: error?,
                            text: records.text(number),
                        })
                    })
                    .collect();
                return Ok(Parsed {
                    keyed,
                    types: grown,
                    bad,
                });
            }
            // Records without an identity come to light only now; do it again without them.
            Err(bad) => {
                for (row, error) in bad {
                    if let Some(slot) = good.get(row).and_then(|n| errors.get_mut(*n)) {
                        *slot = Some(error);
                    }
                }
            }
        }
    }
}

/// Fills in the errors of records that can't be appended and returns the types of the others.
fn find_bad(
    parser: &mut JsonParser,
    records: &Records<'_>,
    target: &LoadTarget<'_>,
    types: &Fields,
    errors: &mut [Option<RecordError>],
) -> Fields {
    let mut good_types = types.clone();
    let mut columns = Columns::new(target.class, &good_types, target.kept());
    let _ = records.each(parser, |number, record| {
        let Some(slot) = errors.get_mut(number) else {
            return Ok(());
        };
        if slot.is_some() {
            return Ok(());
        }
        match record.and_then(|record| record.append_to(&mut columns)) {
            Ok(()) => good_types = columns.types(),
            Err(error) => {
                *slot = Some(error);
                columns = Columns::new(target.class, &good_types, target.kept());
            }
        }
        Ok(())
    });
    good_types
}

/// A Parquet file's columns have types even where all their values are null.
fn with_types_of_batch(types: &Fields, chunk: &Chunk) -> Fields {
    let mut types = types.clone();
    if let ChunkRecords::Batch(batch) = &chunk.records {
        add_types_of(&mut types, batch);
    }
    types
}

fn add_types_of(types: &mut Fields, batch: &StructArray) {
    for field in batch.fields() {
        if let Spelling::Field(name) = spelling(field.name())
            && types.get(name).is_none()
            && !matches!(
                name,
                "segments" | "segmentMembership" | "extSourceSystemAudit"
            )
            && let Some(ty) = type_of(field.data_type())
        {
            types.insert(name, normalised(ty));
        }
    }
}

/// The type with XDM's prefixes taken from the names of its fields.
fn normalised(ty: FieldType) -> FieldType {
    match ty {
        FieldType::Object(fields) => {
            let mut plain = Fields::default();
            for (name, ty) in fields.iter() {
                if let Spelling::Field(name) = spelling(name) {
                    plain.insert(name, normalised(ty.clone()));
                }
            }
            FieldType::Object(plain)
        }
        FieldType::List(item) => FieldType::List(Box::new(normalised(*item))),
        FieldType::Map(value) => FieldType::Map(Box::new(normalised(*value))),
        other => other,
    }
}

/// The types of a load without the field that gave the ingest timestamps.
pub(super) fn exported_types(types: &Fields, target: &LoadTarget<'_>) -> Fields {
    let mut types = types.clone();
    if let Some(path) = &target.ingested_at_field {
        remove_type(&mut types, path.parts());
    }
    types
}
