//! The types of Parquet: physical ones with their annotations, as files have them.

use std::sync::Arc;

use parquet::data_type::{
    ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int32Type,
    Int64Type, Int96, Int96Type,
};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::outcome::Outcome;

/// A column as a Parquet schema declares it, some of its values, and what becomes of them.
pub struct Case {
    pub name: &'static str,
    /// The column in the language of Parquet schemas, without its repetition.
    column: &'static str,
    values: Values,
    /// What they are, for who reads the document.
    pub inputs: Vec<&'static str>,
    expected: Result<(&'static str, Vec<Result<&'static str, &'static str>>), &'static str>,
}

pub enum Values {
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    /// Nanoseconds of a Julian day.
    Int96(Vec<(u64, i32)>),
    Bytes(Vec<Vec<u8>>),
    Fixed(Vec<Vec<u8>>),
}

impl Case {
    pub fn expected(&self) -> Outcome {
        match &self.expected {
            Err(reason) => Outcome::Refused((*reason).to_owned()),
            Ok((becomes, values)) => Outcome::Field {
                becomes: (*becomes).to_owned(),
                values: values
                    .iter()
                    .map(|value| value.map(str::to_owned).map_err(str::to_owned))
                    .collect(),
            },
        }
    }

    pub fn file(&self) -> Vec<u8> {
        file(self.column, &self.values)
    }
}

/// A file with a column of bytes.
pub fn bytes(column: &str, values: &[&[u8]]) -> Vec<u8> {
    file(
        column,
        &Values::Bytes(values.iter().map(|value| value.to_vec()).collect()),
    )
}

/// A file with keys, and a column `v` of these values behind a null.
fn file(column: &str, values: &Values) -> Vec<u8> {
    let schema = format!("message m {{ required binary k (STRING); optional {column}; }}");
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let mut file = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut file, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let count = match values {
        Values::Int32(values) => values.len(),
        Values::Int64(values) => values.len(),
        Values::Int96(values) => values.len(),
        Values::Bytes(values) | Values::Fixed(values) => values.len(),
    };
    let mut keys = vec![ByteArray::from("none")];
    keys.extend((0..count).map(|n| ByteArray::from(n.to_string().as_str())));
    write::<ByteArrayType>(&mut group, &keys, None);
    let mut levels = vec![1; count + 1];
    levels[0] = 0;
    let levels = Some(levels.as_slice());
    match values {
        Values::Int32(values) => write::<Int32Type>(&mut group, values, levels),
        Values::Int64(values) => write::<Int64Type>(&mut group, values, levels),
        Values::Int96(values) => {
            let values: Vec<Int96> = values
                .iter()
                .map(|(nanos, day)| vec![*nanos as u32, (nanos >> 32) as u32, *day as u32].into())
                .collect();
            write::<Int96Type>(&mut group, &values, levels);
        }
        Values::Bytes(values) => {
            let values: Vec<ByteArray> = values.iter().cloned().map(ByteArray::from).collect();
            write::<ByteArrayType>(&mut group, &values, levels);
        }
        Values::Fixed(values) => {
            let values: Vec<FixedLenByteArray> = values
                .iter()
                .cloned()
                .map(FixedLenByteArray::from)
                .collect();
            write::<FixedLenByteArrayType>(&mut group, &values, levels);
        }
    }
    group.close().unwrap();
    writer.close().unwrap();
    file
}

fn write<T: DataType>(
    group: &mut parquet::file::writer::SerializedRowGroupWriter<'_, &mut Vec<u8>>,
    values: &[T::T],
    levels: Option<&[i16]>,
) {
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<T>()
        .write_batch(values, levels, None)
        .unwrap();
    column.close().unwrap();
}

fn taken(
    name: &'static str,
    column: &'static str,
    values: Values,
    inputs: Vec<&'static str>,
    becomes: &'static str,
    expected: Vec<Result<&'static str, &'static str>>,
) -> Case {
    Case {
        name,
        column,
        values,
        inputs,
        expected: Ok((becomes, expected)),
    }
}

fn refused(name: &'static str, column: &'static str, values: Values, reason: &'static str) -> Case {
    Case {
        name,
        column,
        values,
        inputs: Vec::new(),
        expected: Err(reason),
    }
}

fn text(value: &[u8]) -> Values {
    Values::Bytes(vec![value.to_vec()])
}

const NO_TEXT: &str = "2 bytes that are no UTF-8 text (near byte 1)";
/// 1970-01-01 as a Julian day.
const EPOCH: i32 = 2_440_588;

pub fn cases() -> Vec<Case> {
    [bytes_and_numbers(), times(), left_out()]
        .into_iter()
        .flatten()
        .collect()
}

fn bytes_and_numbers() -> Vec<Case> {
    let uuid = Values::Fixed(vec![(0..16).collect()]);
    vec![
        taken(
            "BYTE_ARRAY, STRING",
            "binary v (STRING)",
            text(b"Oslo"),
            vec!["Oslo"],
            "string",
            vec![Ok("Oslo")],
        ),
        taken(
            "BYTE_ARRAY, ENUM",
            "binary v (ENUM)",
            text(b"RED"),
            vec!["RED"],
            "string",
            vec![Ok("RED")],
        ),
        taken(
            "BYTE_ARRAY, JSON",
            "binary v (JSON)",
            text(b"{}"),
            vec!["{}"],
            "string",
            vec![Ok("{}")],
        ),
        taken(
            "BYTE_ARRAY",
            "binary v",
            Values::Bytes(vec![b"Oslo".to_vec(), b"a\xff".to_vec()]),
            vec!["4f 73 6c 6f", "61 ff"],
            "string",
            vec![Ok("Oslo"), Err(NO_TEXT)],
        ),
        taken(
            "FIXED_LEN_BYTE_ARRAY",
            "fixed_len_byte_array(2) v",
            Values::Fixed(vec![b"DE".to_vec(), b"a\xff".to_vec()]),
            vec!["44 45", "61 ff"],
            "string",
            vec![Ok("DE"), Err(NO_TEXT)],
        ),
        taken(
            "FIXED_LEN_BYTE_ARRAY, UUID",
            "fixed_len_byte_array(16) v (UUID)",
            uuid,
            vec!["00 01 … 0f"],
            "string",
            vec![Ok("00010203-0405-0607-0809-0a0b0c0d0e0f")],
        ),
        taken(
            "FIXED_LEN_BYTE_ARRAY, FLOAT16",
            "fixed_len_byte_array(2) v (FLOAT16)",
            Values::Fixed(vec![vec![0, 0xb8]]),
            vec!["-0.5"],
            "double",
            vec![Ok("-0.5")],
        ),
        taken(
            "INT32, INTEGER(8, true) to (32, true)",
            "int32 v (INTEGER(8, true))",
            Values::Int32(vec![-128]),
            vec!["-128"],
            "long",
            vec![Ok("-128")],
        ),
        taken(
            "INT64, INTEGER(64, false)",
            "int64 v (INTEGER(64, false))",
            Values::Int64(vec![1, -1]),
            vec!["1", "18446744073709551615"],
            "long",
            vec![
                Ok("1"),
                Err("the number 18446744073709551615 does not fit the field's type long"),
            ],
        ),
        taken(
            "INT32, DECIMAL(9, 2)",
            "int32 v (DECIMAL(9, 2))",
            Values::Int32(vec![1999]),
            vec!["19.99"],
            "double",
            vec![Ok("19.99")],
        ),
        taken(
            "INT64, DECIMAL(18, 0)",
            "int64 v (DECIMAL(18, 0))",
            Values::Int64(vec![-7]),
            vec!["-7"],
            "long",
            vec![Ok("-7")],
        ),
        taken(
            "BYTE_ARRAY, DECIMAL(38, 2)",
            "binary v (DECIMAL(38, 2))",
            text(&[0xff, 0x6a]),
            vec!["-1.50"],
            "double",
            vec![Ok("-1.5")],
        ),
        taken(
            "FIXED_LEN_BYTE_ARRAY(32), DECIMAL(76, 38)",
            "fixed_len_byte_array(32) v (DECIMAL(76, 38))",
            Values::Fixed(vec![one_and_a_half()]),
            vec!["1.5"],
            "double",
            vec![Ok("1.5")],
        ),
    ]
}

/// 15 · 10³⁷ as 32 bytes, the highest first.
fn one_and_a_half() -> Vec<u8> {
    let mut bytes = vec![0; 16];
    bytes.extend((15 * 10_u128.pow(37)).to_be_bytes());
    bytes
}

fn times() -> Vec<Case> {
    vec![
        taken(
            "INT32, DATE",
            "int32 v (DATE)",
            Values::Int32(vec![-1]),
            vec!["1969-12-31"],
            "date",
            vec![Ok("1969-12-31")],
        ),
        taken(
            "INT64, TIMESTAMP(MILLIS, true)",
            "int64 v (TIMESTAMP(MILLIS, true))",
            Values::Int64(vec![1, i64::MIN]),
            vec!["1 ms after 1970", "2⁶³ ms before 1970"],
            "date-time",
            vec![
                Ok("1970-01-01T00:00:00.001Z"),
                Err(
                    "a timestamp of -9223372036854775808 ms since 1970, which is beyond what microseconds hold",
                ),
            ],
        ),
        taken(
            "INT64, TIMESTAMP(MICROS, false)",
            "int64 v (TIMESTAMP(MICROS, false))",
            Values::Int64(vec![1]),
            vec!["1 µs after 1970, without a time zone"],
            "date-time",
            vec![Ok("1970-01-01T00:00:00.000001Z")],
        ),
        taken(
            "INT64, TIMESTAMP(NANOS, true)",
            "int64 v (TIMESTAMP(NANOS, true))",
            Values::Int64(vec![1_999]),
            vec!["1,999 ns after 1970"],
            "date-time",
            vec![Ok("1970-01-01T00:00:00.000001Z")],
        ),
        taken(
            "INT96",
            "int96 v",
            Values::Int96(vec![(1_999, EPOCH), (0, EPOCH + 2_932_896)]),
            vec!["1,999 ns after 1970", "9999-12-31"],
            "date-time",
            vec![
                Ok("1970-01-01T00:00:00.000001Z"),
                Ok("9999-12-31T00:00:00Z"),
            ],
        ),
    ]
}

fn left_out() -> Vec<Case> {
    vec![
        refused(
            "INT96 beyond the year 294246",
            "int96 v",
            Values::Int96(vec![(0, EPOCH), (0, i32::MAX)]),
            "column v has an INT96 timestamp on the Julian day 2147483647, which is beyond what microseconds hold",
        ),
        refused(
            "INT32, TIME(MILLIS, …)",
            "int32 v (TIME(MILLIS, true))",
            Values::Int32(vec![1]),
            "column v has the type Time32(ms), which no XDM field has; cast it to a string or a number",
        ),
        refused(
            "INT64, TIME(MICROS or NANOS, …)",
            "int64 v (TIME(MICROS, true))",
            Values::Int64(vec![1]),
            "column v has the type Time64(µs), which no XDM field has; cast it to a string or a number",
        ),
        refused(
            "FIXED_LEN_BYTE_ARRAY, INTERVAL",
            "fixed_len_byte_array(12) v (INTERVAL)",
            Values::Fixed(vec![vec![0; 12]]),
            "column v has the type Interval(DayTime), which no XDM field has; cast it to a string or a number",
        ),
        refused(
            "BYTE_ARRAY, BSON",
            "binary v (BSON)",
            text(b"\x05\0\0\0\0"),
            "column v has the type BSON, which no XDM field has; cast it to a string or a number",
        ),
    ]
}
