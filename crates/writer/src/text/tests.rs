use std::io::Read;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, DictionaryArray, Float64Array, Int64Array, ListArray, RecordBatch,
    StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{Field, Int32Type, Schema};
use serde_json::{Value, json};

use crate::{Compression, CsvOptions, FileWriter, Format, WriterOptions};

/// Three rows: an object with text and a list, the object null, all null in it.
fn rows() -> RecordBatch {
    let name: ArrayRef = Arc::new(StringArray::from(vec![
        Some("An,n \"A\"\n"),
        Some("unseen"),
        None,
    ]));
    let points = ListArray::from_iter_primitive::<arrow::datatypes::Int64Type, _, _>([
        Some(vec![Some(1), None]),
        Some(vec![Some(9)]),
        None,
    ]);
    let points: ArrayRef = Arc::new(points);
    let field = |name: &str, array: &ArrayRef| Field::new(name, array.data_type().clone(), true);
    let fields = vec![field("name", &name), field("points", &points)];
    let person = StructArray::new(
        fields.into(),
        vec![name, points],
        Some(NullBuffer::from(vec![true, false, true])),
    );
    let at = TimestampMicrosecondArray::from(vec![Some(1_500_000), None, Some(0)]);
    let at: ArrayRef = Arc::new(at.with_timezone("UTC"));
    let tier: DictionaryArray<Int32Type> = [Some("gold"), None, Some("")].into_iter().collect();
    let tier: ArrayRef = Arc::new(tier);
    let ratio: ArrayRef = Arc::new(Float64Array::from(vec![0.1, f64::NAN, -2.0]));
    let id: ArrayRef = Arc::new(Int64Array::from(vec![i64::MAX, 0, -1]));
    let person: ArrayRef = Arc::new(person);
    let columns = [
        ("person", person),
        ("at", at),
        ("tier", tier),
        ("ratio", ratio),
        ("id", id),
    ];
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array)| field(name, array))
        .collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("rows")
}

fn written(format: Format, batches: &[RecordBatch]) -> Vec<u8> {
    let options = WriterOptions {
        format,
        ..WriterOptions::default()
    };
    let schema = batches[0].schema();
    let mut writer = FileWriter::new(Vec::new(), &schema, &options).expect("a writer");
    for rows in batches {
        writer.push(rows.clone()).expect("pushed");
    }
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let (bytes, written) = writer.finish().expect("finished");
    assert_eq!(written.rows, rows as u64);
    assert_eq!(written.length, bytes.len() as u64);
    assert_eq!(written.digest, xdm::digest128(&bytes));
    bytes
}

fn text(format: Format, batches: &[RecordBatch]) -> String {
    String::from_utf8(written(format, batches)).expect("text")
}

#[test]
fn json_has_an_object_a_line_without_what_is_null() {
    let text = text(Format::Ndjson(Compression::None), &[rows()]);
    let lines: Vec<Value> = (text.lines())
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(
        lines,
        [
            json!({"person": {"name": "An,n \"A\"\n", "points": [1, null]}, "at": "1970-01-01T00:00:01.500Z",
                   "tier": "gold", "ratio": 0.1, "id": i64::MAX}),
            // No number is null; as a float is null in a list.
            json!({"ratio": null, "id": 0}),
            json!({"person": {}, "at": "1970-01-01T00:00:00Z", "tier": "", "ratio": -2.0, "id": -1}),
        ]
    );
}

#[test]
fn csv_has_a_column_a_leaf_and_a_word_for_null() {
    let plain = text(
        Format::Csv(Compression::None, CsvOptions::default()),
        &[rows()],
    );
    assert_eq!(
        plain,
        "person.name,person.points,at,tier,ratio,id\n\
         \"An,n \"\"A\"\"\n\",\"[1,null]\",1970-01-01T00:00:01.500Z,gold,0.1,9223372036854775807\n\
         null,null,null,null,NaN,0\n\
         null,null,1970-01-01T00:00:00Z,,-2.0,-1\n"
    );
    let options = CsvOptions {
        delimiter: b'\t',
        null: String::new(),
        escapes_with_backslash: true,
        headers: vec![("person.name".to_owned(), "who".to_owned())],
    };
    let other = text(Format::Csv(Compression::None, options), &[rows()]);
    assert_eq!(
        other,
        "who\tperson.points\tat\ttier\tratio\tid\n\
         \"An,n \\\"A\\\"\n\"\t[1,null]\t1970-01-01T00:00:01.500Z\tgold\t0.1\t9223372036854775807\n\
         \t\t\t\tNaN\t0\n\
         \t\t1970-01-01T00:00:00Z\t\t-2.0\t-1\n"
    );
}

/// Values as a reader of each kind of quotes takes them: what was written.
#[test]
fn csv_reads_back_whatever_the_values_are() {
    let values = [
        "C:\\,dir\\",
        "\\",
        "a\"b",
        "[\"q\\\"uote\"]",
        "",
        "line\nline\r",
        "plain",
    ];
    let column: ArrayRef = Arc::new(StringArray::from(values.to_vec()));
    for column in [
        vec![("a", column.clone())],
        vec![("a", column.clone()), ("b", column)],
    ] {
        let width = column.len();
        let rows = RecordBatch::try_from_iter(column).expect("rows");
        for backslash in [false, true] {
            let options = CsvOptions {
                escapes_with_backslash: backslash,
                ..CsvOptions::default()
            };
            let lines = text(
                Format::Csv(Compression::None, options),
                std::slice::from_ref(&rows),
            );
            let read = read_csv(&lines, backslash);
            assert_eq!(read.len(), values.len() + 1, "{lines}");
            for (row, value) in std::iter::zip(&read[1..], values) {
                assert_eq!(*row, vec![value; width], "{lines}");
            }
        }
    }
}

/// A plain reader of CSV.
fn read_csv(text: &str, backslash: bool) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        match c {
            '\\' if quoted && backslash => cell.extend(letters.next()),
            '"' if quoted && !backslash && letters.peek() == Some(&'"') => {
                cell.extend(letters.next())
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    rows
}

#[test]
fn headers_of_no_column_and_columns_of_one_name_are_refused() {
    for (path, header, said) in [
        ("person.nam", "x", "person.name"),
        ("person.name", "id", "two columns"),
    ] {
        let options = WriterOptions {
            format: Format::Csv(
                Compression::None,
                CsvOptions {
                    headers: vec![(path.to_owned(), header.to_owned())],
                    ..CsvOptions::default()
                },
            ),
            ..WriterOptions::default()
        };
        let refused = FileWriter::new(Vec::new(), &rows().schema(), &options).err();
        let refused = refused.expect("refused").to_string();
        assert!(refused.contains(said), "{refused}");
    }
}

#[test]
fn compressed_text_is_the_same_text_in_the_same_order() {
    // More than is encoded at once.
    let numbers = |start: i64| {
        let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(start..start + 9000));
        RecordBatch::try_from_iter([("id", ids)]).expect("rows")
    };
    let batches = [numbers(0), numbers(9000), numbers(18_000)];
    let plain = written(Format::Ndjson(Compression::None), &batches);
    let expected: String = (0..27_000).map(|id| format!("{{\"id\":{id}}}\n")).collect();
    assert!(plain == expected.as_bytes());
    let packed = written(Format::Ndjson(Compression::Gzip), &batches);
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&packed[..])
        .read_to_end(&mut unpacked)
        .expect("gzip");
    assert!(unpacked == plain);
    let packed = written(Format::Ndjson(Compression::Zstd), &batches);
    assert!(zstd::decode_all(&packed[..]).expect("zstd") == plain);
}
