use std::cell::RefCell;

use arrow::array::{Array, StructArray};
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use xdm::{Dataset, FieldType, Fields, Spelling, spelling};

use crate::arrow_cell::{ArrowCell, type_of};
use crate::identify::{IdentifiedRows, identify};
use crate::input::{ChunkContent, InputChunk};
use crate::json::{JsonParser, JsonValue};
use crate::record_builder::RecordBuilder;
use crate::spec::RecordSpec;
use crate::types::remove_type;
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
            ChunkContent::Lines(text) => {
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
            ChunkContent::Lines(_) => self.lines.len(),
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
            ChunkContent::Lines(_) => self.numbers.get(number).copied().unwrap_or(0),
            ChunkContent::Batch(_) => number as u64,
        };
        self.first_line + number
    }

    fn text(&self, number: usize) -> Option<String> {
        let ChunkContent::Lines(text) = &self.chunk.content else {
            return None;
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
            ChunkContent::Lines(text) => {
                parser.parse_all(text, self.lines.iter().copied(), |number, value| {
                    f(number, value.map(RecordValue::Json))
                })
            }
            ChunkContent::Batch(batch) => (0..batch.len())
                .try_for_each(|row| f(row, Ok(RecordValue::Arrow(ArrowCell::new(batch, row))))),
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
/// A chunk that holds more than an array's offsets can count.
pub fn decode(
    records: &RecordSpans<'_>,
    spec: &RecordSpec,
    types: &Fields,
    first_sequence: u64,
) -> crate::Result<Decoded> {
    PARSER.with_borrow_mut(|parser| Ok(decode_with(parser, records, spec, types, first_sequence)?))
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
    let types = &with_types_of_batch(types, records.chunk);
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
    let mut errors: Vec<Option<RecordError>> = vec![None; records.len()];
    loop {
        let grown = find_bad(parser, records, spec, types, &mut errors);
        // From the same types as a moment ago: what a field means may depend on those before it.
        let mut columns = RecordBuilder::new(spec.class, types, spec.selection());
        let mut good = Vec::new();
        let appended = records.each(parser, |number, record| {
            if errors.get(number).is_some_and(Option::is_none) {
                good.push(number);
                record?.append_to(&mut columns)?;
            }
            Ok(())
        });
        if let Err(error) = appended
            && let Some(slot) = good.last().and_then(|number| errors.get_mut(*number))
        {
            *slot = Some(error);
            continue;
        }
        let sequences = good.iter().map(|n| first_sequence + *n as u64).collect();
        match identify(columns.finish()?, spec, sequences)? {
            Ok(rows) => {
                let bad = errors
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
                    bad,
                });
            }
            // RecordSpans without an identity come to light only now; do it again without them.
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
    records: &RecordSpans<'_>,
    spec: &RecordSpec,
    types: &Fields,
    errors: &mut [Option<RecordError>],
) -> Fields {
    let mut good_types = types.clone();
    let mut columns = RecordBuilder::new(spec.class, &good_types, spec.selection());
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
                columns = RecordBuilder::new(spec.class, &good_types, spec.selection());
            }
        }
        Ok(())
    });
    good_types
}

/// A Parquet file's columns have types even where all their values are null.
fn with_types_of_batch(types: &Fields, chunk: &InputChunk) -> Fields {
    let mut types = types.clone();
    if let ChunkContent::Batch(batch) = &chunk.content {
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

/// The fields of records that come in batches of an Arrow schema.
///
/// # Errors
/// A column whose type no XDM field has.
pub fn fields_of(dataset: &Dataset, schema: &Schema) -> crate::Result<Fields> {
    let ingest_field = dataset.ingest_field()?;
    let mut fields = Fields::default();
    for field in schema.fields() {
        let Some(ty) = type_of(field.data_type()) else {
            return Err(crate::Error::Input {
                name: dataset.name.clone(),
                problem: format!(
                    "column {} has the type {}, which no XDM field has",
                    field.name(),
                    field.data_type()
                ),
            });
        };
        if let Spelling::Field(name) = spelling(field.name()) {
            let standard = dataset.class.standard_type(name);
            fields.insert(name, standard.unwrap_or_else(|| normalised(ty)));
        }
    }
    if let Some(path) = ingest_field {
        remove_type(&mut fields, path.parts());
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use xdm::{Class, Timestamp};

    use super::*;

    fn decoded(lines: &[&str]) -> Decoded {
        let mut dataset = Dataset::new("5b020a27e7040801dedba61a", "crm", Class::Profile);
        dataset.primary_identity = Some("id=ID".to_owned());
        let union = Class::Profile.standard_fields();
        let spec = RecordSpec::new(&dataset, &union, Timestamp::default()).expect("a dataset");
        let chunk = InputChunk::of_lines("records", lines.join("\n").into_bytes());
        decode(&RecordSpans::new(&chunk), &spec, &spec.types, 0).expect("few records")
    }

    fn only_error(line: &str) -> String {
        let bad = decoded(&[line]).bad;
        let [bad] = bad.as_slice() else {
            panic!("{line} is not bad");
        };
        bad.error.to_string()
    }

    #[test]
    fn what_a_field_means_does_not_depend_on_bad_records_or_on_later_ones() {
        let good = [
            r#"{"id":"a","segments":[{"segmentID":{"_id":"s"}}]}"#,
            r#"{"id":"b","segments":["own"]}"#,
            r#"{"id":"c"}"#,
        ];
        let alone = decoded(&good);
        assert_eq!(alone.rows.keys.len(), 3);
        for bad in ["{", r#"{"id":null}"#] {
            let [a, b, c] = good;
            let beside = decoded(&[a, b, bad, c]);
            let lines: Vec<u64> = beside.bad.iter().map(|bad| bad.line).collect();
            assert_eq!(lines, [3]);
            assert_eq!(beside.rows.records, alone.rows.records);
            assert_eq!(beside.types, alone.types);
        }
    }

    #[test]
    fn a_repo_that_is_null_has_no_other_part() {
        for line in [
            r#"{"id":"a","_repo":null,"repo:path":"x"}"#,
            r#"{"id":"a","repo:path":"x","_repo":null}"#,
        ] {
            assert_eq!(only_error(line), "_repo: appears twice in one object");
        }
    }

    #[test]
    fn a_membership_keeps_what_is_called_segment_id_further_inside() {
        let decoded = decoded(&[
            r#"{"id":"a","segments":[{"segmentID":{"_id":"s"},"more":{"segmentID":"t"}}]}"#,
        ]);
        let FieldType::Map(of_namespace) = decoded.types.get("segmentMembership").expect("a map")
        else {
            panic!("memberships are a map");
        };
        let FieldType::Map(of_segment) = &**of_namespace else {
            panic!("memberships are a map of maps");
        };
        let FieldType::Object(membership) = &**of_segment else {
            panic!("a membership is an object");
        };
        assert_eq!(membership.get("segmentID"), None);
        let inner: Fields = [("segmentID".to_owned(), FieldType::String)]
            .into_iter()
            .collect();
        assert_eq!(membership.get("more"), Some(&FieldType::Object(inner)));
    }

    #[test]
    fn a_membership_names_one_segment() {
        let error = only_error(
            r#"{"id":"a","segments":[{"segmentID":{"_id":"s"},"segmentID":{"_id":"t"}}]}"#,
        );
        assert_eq!(error, "segmentID: appears twice in one object");
    }
}
