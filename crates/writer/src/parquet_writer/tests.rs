use arrow::array::{ArrayRef, DictionaryArray, StructArray};
use arrow::compute::concat_batches;
use arrow::datatypes::Int32Type;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Encoding;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::schema::printer::print_schema;
use serde_json::{Value, json};
use xdm::{FieldType, testing};

use super::*;
use crate::Codec;

fn written(batches: &[RecordBatch], options: &WriterOptions) -> (Vec<u8>, Written) {
    let mut writer = ParquetWriter::new(Vec::new(), &batches[0].schema(), options).expect("a file");
    for batch in batches {
        writer.push(batch.clone()).expect("rows");
    }
    writer.finish().expect("a footer")
}

fn metadata(bytes: Vec<u8>) -> ParquetMetaData {
    let mut reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
    reader.try_parse(&Bytes::from(bytes)).expect("a footer");
    reader.finish().expect("metadata")
}

fn read(bytes: Vec<u8>) -> RecordBatch {
    let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).expect("a file");
    let schema = builder.schema().clone();
    let batches: Vec<_> = builder
        .build()
        .expect("a reader")
        .collect::<Result<_, _>>()
        .expect("rows");
    concat_batches(&schema, &batches).expect("rows")
}

fn numbers(numbers: std::ops::Range<i64>) -> RecordBatch {
    let rows: Vec<Value> = numbers.map(|n| json!(n)).collect();
    let column = testing::array(&testing::LONG, &rows);
    RecordBatch::try_from_iter([("n", column)]).expect("a batch")
}

fn batch<const N: usize>(columns: [(&str, FieldType, Value); N]) -> RecordBatch {
    let columns = columns.map(|(name, ty, rows)| {
        let rows = rows.as_array().expect("rows");
        (name, testing::array(&ty, rows), true)
    });
    RecordBatch::try_from_iter_with_nullable(columns).expect("a batch")
}

/// A field of each type.
fn every_type() -> RecordBatch {
    let item = testing::object([("sku", FieldType::String), ("price", FieldType::Double)]);
    batch([
        ("flag", FieldType::Boolean, json!([true, null])),
        ("byte", FieldType::Byte, json!([-128, null])),
        ("short", FieldType::Short, json!([-32768, null])),
        ("int", FieldType::Int, json!([i32::MIN, null])),
        ("long", testing::LONG, json!([i64::MIN, null])),
        ("double", FieldType::Double, json!([-0.5, null])),
        ("text", FieldType::String, json!(["é", null])),
        ("day", FieldType::Date, json!(["1969-12-31", null])),
        (
            "moment",
            FieldType::DateTime,
            json!(["0001-01-01T00:00:00.000001Z", null]),
        ),
        (
            "items",
            testing::list(item),
            json!([[{"sku": "a", "price": null}, null], []]),
        ),
        (
            "tags",
            testing::map(testing::list(FieldType::String)),
            json!([{"b": [null], "a": null}, {}]),
        ),
    ])
}

#[test]
fn every_type_reads_back_as_it_was_written() {
    let rows = every_type();
    let (bytes, _) = written(std::slice::from_ref(&rows), &WriterOptions::default());
    let back = read(bytes);
    assert_eq!(back.schema().fields(), rows.schema().fields());
    assert_eq!(
        testing::values(&StructArray::from(back)),
        testing::values(&StructArray::from(rows))
    );
}

#[test]
fn lists_maps_and_moments_are_spelled_as_common_readers_expect() {
    let (bytes, _) = written(&[every_type()], &WriterOptions::default());
    let mut text = Vec::new();
    print_schema(&mut text, metadata(bytes).file_metadata().schema());
    let expected = "\
message schema {
  OPTIONAL BOOLEAN flag;
  OPTIONAL INT32 byte (INTEGER(8,true));
  OPTIONAL INT32 short (INTEGER(16,true));
  OPTIONAL INT32 int;
  OPTIONAL INT64 long;
  OPTIONAL DOUBLE double;
  OPTIONAL BYTE_ARRAY text (STRING);
  OPTIONAL INT32 day (DATE);
  OPTIONAL INT64 moment (TIMESTAMP(MICROS,true));
  OPTIONAL group items (LIST) {
    REPEATED group list {
      OPTIONAL group element {
        OPTIONAL BYTE_ARRAY sku (STRING);
        OPTIONAL DOUBLE price;
      }
    }
  }
  OPTIONAL group tags (MAP) {
    REPEATED group key_value {
      REQUIRED BYTE_ARRAY key (STRING);
      OPTIONAL group value (LIST) {
        REPEATED group list {
          OPTIONAL BYTE_ARRAY element (STRING);
        }
      }
    }
  }
}
";
    assert_eq!(String::from_utf8(text).expect("text"), expected);
}

#[test]
fn a_row_group_ends_after_so_many_rows_or_bytes() {
    let groups = |batches: &[RecordBatch], row_group_rows, row_group_bytes| -> Vec<i64> {
        let options = WriterOptions {
            row_group_rows,
            row_group_bytes,
            ..WriterOptions::default()
        };
        let (bytes, written) = written(batches, &options);
        let groups: Vec<i64> = metadata(bytes)
            .row_groups()
            .iter()
            .map(|g| g.num_rows())
            .collect();
        assert_eq!(groups.iter().sum::<i64>(), written.rows as i64);
        groups
    };
    let batches = [numbers(0..3), numbers(3..3), numbers(3..10)];
    assert_eq!(groups(&batches, 4, usize::MAX), [4, 4, 2]);
    assert_eq!(groups(&batches, 5, usize::MAX), [5, 5]);
    assert_eq!(groups(&batches[..1], 0, usize::MAX), [1, 1, 1]);
    assert_eq!(groups(&batches, 100, 1), [3, 7]);
    assert_eq!(groups(&batches[1..2], 4, 1), [] as [i64; 0]);
}

#[test]
fn slices_of_a_batch_count_their_own_bytes() {
    let rows = numbers(0..1_000);
    let slices: Vec<RecordBatch> = (0..10).map(|i| rows.slice(i * 100, 100)).collect();
    let options = WriterOptions {
        row_group_bytes: 2 * rows.get_array_memory_size(),
        ..WriterOptions::default()
    };
    let (bytes, _) = written(&slices, &options);
    assert_eq!(metadata(bytes).num_row_groups(), 1);
}

#[test]
fn rows_keep_their_order_over_row_groups() {
    let options = WriterOptions {
        row_group_rows: 4,
        ..WriterOptions::default()
    };
    let (bytes, _) = written(&[numbers(0..3), numbers(3..10)], &options);
    assert_eq!(read(bytes).column(0), numbers(0..10).column(0));
}

#[test]
fn pages_are_compressed_as_asked_for() {
    for (codec, word) in [
        (Codec::Uncompressed, "UNCOMPRESSED"),
        (Codec::Snappy, "SNAPPY"),
        (Codec::Gzip, "GZIP"),
        (Codec::Zstd(1), "ZSTD"),
        (Codec::Zstd(22), "ZSTD"),
    ] {
        let options = WriterOptions {
            codec,
            ..WriterOptions::default()
        };
        let (bytes, _) = written(&[numbers(0..3)], &options);
        let found = metadata(bytes).row_group(0).column(0).compression();
        assert!(
            format!("{found:?}").starts_with(word),
            "{codec:?}: {found:?}"
        );
    }
    for level in [0, 23] {
        let options = WriterOptions {
            codec: Codec::Zstd(level),
            ..WriterOptions::default()
        };
        let schema = numbers(0..1).schema();
        assert!(
            ParquetWriter::new(Vec::new(), &schema, &options).is_err(),
            "{level}"
        );
    }
}

#[test]
fn each_kind_of_value_has_the_encoding_that_its_options_say() {
    let repeated: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::from_iter(["a", "a"]));
    let rows = batch([
        (
            "moment",
            FieldType::DateTime,
            json!(["1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z"]),
        ),
        ("text", FieldType::String, json!(["a", "a"])),
        ("double", FieldType::Double, json!([1.0, 1.0])),
        ("long", testing::LONG, json!([1, 1])),
        (
            "tags",
            testing::list(FieldType::String),
            json!([["a"], ["a"]]),
        ),
    ]);
    let columns = rows.columns().iter().cloned().chain([repeated]);
    let names = ["moment", "text", "double", "long", "tags", "repeated"];
    let columns = names
        .into_iter()
        .zip(columns)
        .map(|(name, column)| (name, column, true));
    let rows = RecordBatch::try_from_iter_with_nullable(columns).expect("a batch");
    let (delta, plain, dictionary) = (
        Encoding::DELTA_BINARY_PACKED,
        Encoding::PLAIN,
        Encoding::RLE_DICTIONARY,
    );
    for (encodings, expected) in [
        (
            Encodings::Compact,
            [delta, plain, plain, dictionary, plain, dictionary],
        ),
        (Encodings::Dictionary, [dictionary; 6]),
        (Encodings::Plain, [plain; 6]),
    ] {
        let options = WriterOptions {
            encodings,
            ..WriterOptions::default()
        };
        let (bytes, _) = written(std::slice::from_ref(&rows), &options);
        for (column, expected) in metadata(bytes).row_group(0).columns().iter().zip(expected) {
            let found: Vec<Encoding> = column.encodings().collect();
            let context = format!("{encodings:?} {}: {found:?}", column.column_path());
            for one in [delta, dictionary] {
                assert_eq!(found.contains(&one), one == expected, "{context}");
            }
            let has_dictionary = column.dictionary_page_offset().is_some();
            assert_eq!(has_dictionary, expected == dictionary, "{context}");
        }
    }
}

#[test]
fn length_and_digest_are_those_of_the_bytes() {
    let (bytes, written) = written(&[numbers(0..3)], &WriterOptions::default());
    let expected = Written {
        length: bytes.len() as u64,
        rows: 3,
        digest: xdm::digest128(&bytes),
    };
    assert_eq!(written, expected);
}

#[test]
fn a_file_has_its_metadata_statistics_and_page_index() {
    let options = WriterOptions {
        metadata: vec![("job".to_owned(), "7".to_owned())],
        ..WriterOptions::default()
    };
    let (bytes, _) = written(&[numbers(-2..3)], &options);
    let metadata = metadata(bytes);
    let file = metadata.file_metadata();
    let pairs = file.key_value_metadata().expect("key-value metadata");
    let pairs: Vec<_> = pairs
        .iter()
        .map(|p| (p.key.as_str(), p.value.as_deref()))
        .collect();
    assert_eq!(pairs, [("job", Some("7"))]);
    assert!(
        file.created_by()
            .is_some_and(|by| by.starts_with("profile-export "))
    );
    let column = metadata.row_group(0).column(0);
    let statistics = column.statistics().expect("statistics");
    assert_eq!(statistics.min_bytes_opt(), Some(&(-2i64).to_le_bytes()[..]));
    assert_eq!(statistics.max_bytes_opt(), Some(&2i64.to_le_bytes()[..]));
    assert!(column.column_index_offset().is_some() && column.offset_index_offset().is_some());
}

#[test]
fn the_bytes_do_not_depend_on_the_number_of_threads() {
    let numbers = numbers(0..2_000);
    let columns = ["a", "b", "c", "d"].map(|name| (name, numbers.column(0).clone()));
    let rows = RecordBatch::try_from_iter(columns).expect("a batch");
    let options = WriterOptions {
        row_group_rows: 700,
        ..WriterOptions::default()
    };
    let [one, four] = [1, 4].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("threads")
            .install(|| written(std::slice::from_ref(&rows), &options))
    });
    assert_eq!(one, four);
}

#[test]
fn a_column_of_another_type_is_an_error() {
    let schema = numbers(0..1).schema();
    for (ty, rows) in [
        (FieldType::String, json!(["1"])),
        (FieldType::Double, json!([1.0])),
        (FieldType::Int, json!([1])),
        (FieldType::DateTime, json!(["1970-01-01T00:00:00Z"])),
        (testing::list(testing::LONG), json!([[1]])),
        (testing::object([("n", testing::LONG)]), json!([{"n": 1}])),
    ] {
        let rows = batch([("n", ty.clone(), rows)]);
        let writer = ParquetWriter::new(Vec::new(), &schema, &WriterOptions::default());
        let mut writer = writer.expect("a file");
        let done = writer.push(rows).and_then(|()| writer.finish());
        assert!(done.is_err(), "{ty}");
    }
}

#[test]
fn a_batch_with_too_few_columns_is_an_error() {
    let schema = batch([
        ("a", testing::LONG, json!([1])),
        ("b", testing::LONG, json!([1])),
    ])
    .schema();
    let writer = ParquetWriter::new(Vec::new(), &schema, &WriterOptions::default());
    let mut writer = writer.expect("a file");
    let done = writer.push(numbers(0..1)).and_then(|()| writer.finish());
    assert!(done.is_err());
}

#[test]
fn a_sink_that_takes_no_bytes_is_an_error() {
    let mut room = [0u8; 40];
    let schema = numbers(0..1).schema();
    let writer = ParquetWriter::new(&mut room[..], &schema, &WriterOptions::default());
    let mut writer = writer.expect("a file");
    let done = writer
        .push(numbers(0..1))
        .and_then(|()| writer.finish().map(drop));
    assert!(done.is_err());
}
