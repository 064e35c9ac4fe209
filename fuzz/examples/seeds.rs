//! Writes the Parquet files of `corpus/source` anew: `cargo run --example seeds` in this folder.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, ListArray,
    MapBuilder, RecordBatch, StringArray, StringBuilder, StructArray, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Float64Type};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, GzipLevel, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int96, Int96Type};
use parquet::file::properties::{
    EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion,
};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

fn main() {
    let plain = || properties().set_dictionary_enabled(false);
    write("parquet-plain", b'0', &file(&scalars(), plain(), true));
    write(
        "parquet-dictionary",
        b'0',
        &file(&repeated(), properties(), true),
    );
    write("parquet-nested", b'0', &file(&nested(), properties(), true));
    // Without the Arrow schema in the footer.
    write(
        "parquet-nested-plain",
        b'0',
        &file(&nested(), plain(), false),
    );
    write("parquet-in-gzip", b'4', &file(&texts(), plain(), false));
    let codecs = [
        ("zstd", Compression::ZSTD(ZstdLevel::default())),
        ("gzip", Compression::GZIP(GzipLevel::default())),
        ("snappy", Compression::SNAPPY),
        ("lz4", Compression::LZ4_RAW),
    ];
    for (name, codec) in codecs {
        let packed = plain().set_compression(codec);
        write(
            &format!("parquet-{name}"),
            b'0',
            &file(&texts(), packed, false),
        );
    }
    let encodings = [
        ("lengths", Encoding::DELTA_LENGTH_BYTE_ARRAY, texts()),
        ("prefixes", Encoding::DELTA_BYTE_ARRAY, texts()),
        ("deltas", Encoding::DELTA_BINARY_PACKED, numbers()),
        ("split", Encoding::BYTE_STREAM_SPLIT, numbers()),
    ];
    for (name, encoding, batch) in encodings {
        let encoded = plain()
            .set_encoding(encoding)
            .set_column_encoding("id".into(), Encoding::PLAIN)
            .set_writer_version(WriterVersion::PARQUET_2_0);
        write(
            &format!("parquet-{name}"),
            b'0',
            &file(&batch, encoded, false),
        );
    }
    let groups = plain().set_max_row_group_row_count(Some(1));
    write("parquet-groups", b'0', &file(&texts(), groups, false));
    write("parquet-int96", b'0', &old_timestamps());
}

fn properties() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_statistics_enabled(EnabledStatistics::None)
        .set_created_by(String::new())
        .set_offset_index_disabled(true)
}

fn write(name: &str, choice: u8, file: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus/source")
        .join(name);
    fs::write(path, [&[choice], file].concat()).expect("room");
}

fn file(batch: &RecordBatch, properties: WriterPropertiesBuilder, has_schema: bool) -> Vec<u8> {
    let mut file = Vec::new();
    let options = ArrowWriterOptions::new()
        .with_properties(properties.build())
        .with_skip_arrow_metadata(!has_schema);
    let writer = ArrowWriter::try_new_with_options(&mut file, batch.schema(), options);
    let mut writer = writer.expect("a schema that Parquet has");
    writer.write(batch).expect("rows");
    writer.close().expect("a file");
    file
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let id: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
    let columns = std::iter::once(("id", id)).chain(columns);
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true)))
        .expect("a batch")
}

fn scalars() -> RecordBatch {
    let decimals = Decimal128Array::from(vec![Some(105), None, Some(-7)]);
    let decimals = decimals.with_precision_and_scale(20, 2).expect("a scale");
    batch(vec![
        (
            "b",
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
        ),
        (
            "l",
            Arc::new(Int64Array::from(vec![Some(1), None, Some(-1)])),
        ),
        ("d", Arc::new(Float64Array::from(vec![0.5, f64::NAN, -0.0]))),
        ("day", Arc::new(Date32Array::from(vec![0, 19_000, -1]))),
        (
            "at",
            Arc::new(TimestampMillisecondArray::from(vec![1, 2, 3])),
        ),
        ("n", Arc::new(decimals)),
    ])
}

fn texts() -> RecordBatch {
    batch(vec![(
        "t",
        Arc::new(StringArray::from(vec![Some("ab"), None, Some("abc")])),
    )])
}

fn numbers() -> RecordBatch {
    batch(vec![("l", Arc::new(Int64Array::from(vec![1, 3, 300])))])
}

fn repeated() -> RecordBatch {
    batch(vec![(
        "t",
        Arc::new(StringArray::from(vec!["x", "y", "x"])),
    )])
}

fn nested() -> RecordBatch {
    let lists = [Some(vec![Some(1.5), None]), None, Some(vec![])];
    let lists = ListArray::from_iter_primitive::<Float64Type, _, _>(lists);
    let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for entries in [&["k", "l"][..], &[], &["k"]] {
        for key in entries {
            maps.keys().append_value(key);
            maps.values().append_value("v");
        }
        maps.append(true).expect("an entry");
    }
    let names: ArrayRef = Arc::new(StringArray::from(vec![Some("Ann"), None, Some("Ben")]));
    let object = StructArray::from(vec![(
        Arc::new(Field::new("first", DataType::Utf8, true)),
        names,
    )]);
    batch(vec![
        ("list", Arc::new(lists)),
        ("map", Arc::new(maps.finish())),
        ("o", Arc::new(object)),
    ])
}

/// Timestamps as old writers have them.
fn old_timestamps() -> Vec<u8> {
    let schema = parse_message_type("message m { required binary id (UTF8); optional int96 at; }");
    let schema = Arc::new(schema.expect("a schema"));
    let mut file = Vec::new();
    let properties = Arc::new(properties().build());
    let writer = SerializedFileWriter::new(&mut file, schema, properties);
    let mut writer = writer.expect("a schema");
    let mut group = writer.next_row_group().expect("a row group");
    let mut column = group.next_column().expect("no error").expect("a column");
    let ids = [ByteArray::from("a"), ByteArray::from("b")];
    let typed = column.typed::<ByteArrayType>();
    typed.write_batch(&ids, None, None).expect("values");
    column.close().expect("a column");
    let mut column = group.next_column().expect("no error").expect("a column");
    let mut at = Int96::new();
    at.set_data(0, 0, 2_440_589);
    let typed = column.typed::<Int96Type>();
    typed
        .write_batch(&[at], Some(&[1, 0]), None)
        .expect("values");
    column.close().expect("a column");
    group.close().expect("a row group");
    writer.close().expect("a file");
    file
}
