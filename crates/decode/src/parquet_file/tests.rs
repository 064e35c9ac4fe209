use arrow::array::{
    Array, ArrayRef, BooleanArray, Decimal256Array, Int64Array, ListArray, RecordBatch,
    StringArray, TimestampMillisecondArray,
};
use arrow::datatypes::{Int32Type, Schema, i256};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{BrotliLevel, Encoding};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor};
use xdm::{Class, Dataset, Timestamp};

use super::*;
use crate::{RecordSpans, RecordSpec, decode};

#[derive(Default)]
struct Chunks(Vec<InputChunk>);

impl ChunkSink for Chunks {
    fn send(&mut self, chunk: InputChunk) -> bool {
        self.0.push(chunk);
        true
    }

    fn buffer(&mut self) -> Vec<u8> {
        Vec::new()
    }
}

pub(super) fn chunks(file: Bytes) -> Result<Vec<InputChunk>> {
    let mut chunks = Chunks::default();
    read(file, &"a.parquet".into(), &mut chunks)?;
    Ok(chunks.0)
}

fn problem(file: &'static [u8]) -> String {
    let error = chunks(Bytes::from_static(file)).err().expect("an error");
    error.to_string()
}

fn written(batch: &RecordBatch, properties: WriterProperties) -> Bytes {
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), Some(properties))
        .expect("a schema that Parquet has");
    writer.write(batch).expect("rows");
    writer.close().expect("a file");
    file.into()
}

pub(super) fn rows_of(chunks: &[InputChunk]) -> Vec<usize> {
    let rows = chunks.iter().map(|chunk| match &chunk.content {
        ChunkContent::Batch(batch) => batch.len(),
        ChunkContent::Lines(_) | ChunkContent::Documents(..) => 0,
    });
    rows.collect()
}

#[test]
fn what_is_no_file_of_ours_is_told_apart() {
    assert_eq!(
        problem(b""),
        "a.parquet: not readable as Parquet: it is empty, and even a file without rows has a footer"
    );
    assert!(problem(b"PAR1").contains("it has only 4 bytes"));
    assert!(problem(b"PAR1....PAR2").contains("is it whole?"));
    assert_eq!(
        problem(b"PARE....PARE"),
        "a.parquet: it is encrypted Parquet, which is not read; decrypt it first"
    );
    assert!(is_parquet(b"PARE") && is_parquet(b"PAR1..") && !is_parquet(b"PAR"));
    assert!(is_name(Path::new("x/a.PARQUET")) && !is_name(Path::new("parquet")));
}

#[test]
fn what_a_panic_said_is_in_the_error() {
    struct Panics;
    impl ChunkSink for Panics {
        fn send(&mut self, chunk: InputChunk) -> bool {
            panic!("{} went wrong", chunk.file)
        }

        fn buffer(&mut self) -> Vec<u8> {
            Vec::new()
        }
    }
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let batch = RecordBatch::try_from_iter([("v", numbers)]).expect("a batch");
    let file = written(&batch, WriterProperties::new());
    let error = read(file, &"a".into(), &mut Panics).expect_err("a panic");
    assert_eq!(
        error.to_string(),
        "a: not readable as Parquet: the reader gave up: a went wrong"
    );
}

#[test]
fn chunks_are_cut_by_the_bytes_of_their_rows() {
    // One text of 1 MiB that 100 rows share: it is in the file once.
    let long = "x".repeat(1 << 20);
    let texts: ArrayRef = Arc::new(StringArray::from(vec![long.as_str(); 100]));
    let batch = RecordBatch::try_from_iter([("v", texts)]).expect("a batch");
    let file = written(&batch, WriterProperties::new());
    let chunks = chunks(file).expect("chunks");
    assert_eq!(rows_of(&chunks), [1; 100]);
    let starts: Vec<bool> = chunks.iter().map(|chunk| chunk.starts_input).collect();
    assert!(starts[0] && !starts[1..].contains(&true));

    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..10_000));
    let batch = RecordBatch::try_from_iter([("v", numbers)]).expect("a batch");
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(3_000))
        .build();
    let chunks = self::chunks(written(&batch, properties)).expect("chunks");
    assert_eq!(rows_of(&chunks), [4096, 4096, 1808]);
}

fn columns(message: &str) -> SchemaDescPtr {
    let schema = parse_message_type(message).expect("a schema");
    Arc::new(SchemaDescriptor::new(Arc::new(schema)))
}

fn group(columns: &SchemaDescPtr, rows: i64, bytes: i64, values: i64) -> RowGroupMetaData {
    let column = ColumnChunkMetaData::builder(columns.column(0))
        .set_total_uncompressed_size(bytes)
        .set_num_values(values)
        .build()
        .expect("a column");
    RowGroupMetaData::builder(Arc::clone(columns))
        .set_num_rows(rows)
        .set_column_metadata(vec![column])
        .build()
        .expect("a row group")
}

#[test]
fn batches_are_as_large_as_row_groups_let_them() {
    let columns = columns("message m { required binary v; }");
    let small = || group(&columns, 10_000, 100_000, 10_000);
    let large = group(&columns, 10, 9 << 20, 10);
    let lists = group(&columns, 100, 1_000, 1_000_000);
    let part = |batch, row_groups: &[usize]| Part {
        batch,
        row_groups: row_groups.to_vec(),
    };
    let expected = [
        part(4096, &[0, 1]),
        part(2, &[2]),
        part(16, &[3]),
        part(4096, &[4]),
    ];
    let groups = [small(), small(), large, lists, small()];
    assert_eq!(parts(&groups).expect("parts"), expected);
    let enormous = group(&columns, 2, 200 << 20, 2);
    let problem = parts(&[enormous]).expect_err("too large");
    assert_eq!(
        problem.0,
        "its records unfold to 100 MiB each; the most that is taken is 64 MiB"
    );
}

#[test]
fn a_codec_that_is_not_built_in_is_named() {
    let columns = columns("message m { required group a { required binary b; } }");
    let codec = Compression::BROTLI(BrotliLevel::default());
    let column = ColumnChunkMetaData::builder(columns.column(0))
        .set_compression(codec)
        .build()
        .expect("a column");
    let group = RowGroupMetaData::builder(Arc::clone(&columns))
        .set_column_metadata(vec![column])
        .build()
        .expect("a row group");
    let file = parquet::file::metadata::FileMetaData::new(1, 0, None, None, columns, None);
    let problem = check_codecs(&ParquetMetaData::new(file, vec![group])).expect_err("Brotli");
    assert!(
        problem
            .0
            .starts_with("column a.b is compressed with Brotli"),
        "{}",
        problem.0
    );
}

/// Columns of many kinds, as several encodings store them.
fn files() -> Vec<Bytes> {
    let keys: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "ab"]));
    let lists = [
        Some(vec![Some(1), None]),
        None,
        Some(vec![Some(2), Some(3)]),
    ];
    let decimals = Decimal256Array::from(vec![Some(i256::MINUS_ONE), None, Some(i256::ONE)]);
    let batch = RecordBatch::try_from_iter([
        ("k", keys),
        (
            "n",
            Arc::new(Int64Array::from(vec![Some(1), None, Some(1)])) as ArrayRef,
        ),
        ("b", Arc::new(BooleanArray::from(vec![true, false, true]))),
        (
            "t",
            Arc::new(TimestampMillisecondArray::from(vec![1, 2, 3])),
        ),
        ("d", Arc::new(decimals)),
        (
            "l",
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists)),
        ),
    ]);
    let batch = batch.expect("a batch");
    let plain = |encoding| {
        WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_column_encoding("k".into(), encoding)
    };
    let second = plain(Encoding::DELTA_LENGTH_BYTE_ARRAY);
    let properties = [
        WriterProperties::builder().build(),
        plain(Encoding::DELTA_BYTE_ARRAY).build(),
        second
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .build(),
    ];
    properties
        .map(|properties| written(&batch, properties))
        .into()
}

fn decoded(chunks: &[InputChunk], spec: &RecordSpec) -> usize {
    let decoded = chunks
        .iter()
        .map(|chunk| decode(&RecordSpans::new(chunk), spec, &spec.types, 0));
    decoded
        .map(|decoded| decoded.map_or(0, |decoded| decoded.rows.keys.len()))
        .sum()
}

#[test]
fn damaged_bytes_are_an_error_or_other_records() {
    let mut dataset = Dataset::new("0000000000000000000000a1", "crm", Class::Profile);
    dataset.primary_identity = Some("k=Email".to_owned());
    let union = Class::Profile.standard_fields();
    let spec = RecordSpec::new(&dataset, &union, Timestamp::now()).expect("a description");
    for file in files() {
        assert_eq!(decoded(&chunks(file.clone()).expect("chunks"), &spec), 3);
        for at in 0..file.len() {
            for damage in [0x01, 0x80, 0xff] {
                let mut damaged = file.to_vec();
                damaged[at] ^= damage;
                if let Ok(chunks) = chunks(damaged.into()) {
                    decoded(&chunks, &spec);
                }
            }
            assert!(chunks(file.slice(..at)).is_err());
        }
    }
}

#[test]
fn a_file_without_rows_or_columns_has_no_chunks() {
    let empty = RecordBatch::new_empty(Arc::new(Schema::empty()));
    assert_eq!(
        chunks(written(&empty, WriterProperties::new()))
            .expect("chunks")
            .len(),
        0
    );
}
