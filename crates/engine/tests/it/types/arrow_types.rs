//! The types of Arrow, in the order of its documentation.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::*;
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::*;

use super::outcome::{Outcome, columns, written};

/// A type, some of its values, and what becomes of them.
pub struct Case {
    pub field: Field,
    pub values: ArrayRef,
    expected: Expected,
}

enum Expected {
    Refused(String),
    Field(&'static str, Vec<Result<&'static str, &'static str>>),
}

impl Case {
    pub fn name(&self) -> String {
        match self.field.extension_type_name() {
            Some(extension) => format!("{} ({extension})", self.field.data_type()),
            None => self.field.data_type().to_string(),
        }
    }

    pub fn expected(&self) -> Outcome {
        match &self.expected {
            Expected::Refused(reason) => Outcome::Refused(reason.clone()),
            Expected::Field(becomes, values) => Outcome::Field {
                becomes: (*becomes).to_owned(),
                values: values
                    .iter()
                    .map(|value| value.map(str::to_owned).map_err(str::to_owned))
                    .collect(),
            },
        }
    }

    /// The values in a Parquet file, if the type can be in one.
    pub fn as_parquet(&self) -> Option<Vec<u8>> {
        // The writer panics at unions.
        let has_place = !matches!(self.field.data_type(), DataType::Union(..));
        has_place.then(|| written(&columns(&self.field, &self.values)))?
    }
}

type Values = Vec<Result<&'static str, &'static str>>;

fn field(array: &dyn Array) -> Field {
    Field::new("v", array.data_type().clone(), true)
}

fn taken(values: impl Array + 'static, becomes: &'static str, expected: Values) -> Case {
    Case {
        field: field(&values),
        values: Arc::new(values),
        expected: Expected::Field(becomes, expected),
    }
}

fn refused(values: impl Array + 'static) -> Case {
    let ty = values.data_type();
    let reason = format!(
        "column v has the type {ty}, which no XDM field has; cast it to a string or a number"
    );
    Case {
        field: field(&values),
        expected: Expected::Refused(reason),
        values: Arc::new(values),
    }
}

pub fn cases() -> Vec<Case> {
    [numbers(), texts(), times(), nested(), encoded()]
        .into_iter()
        .flatten()
        .collect()
}

fn numbers() -> Vec<Case> {
    let decimal128 = |values: Vec<i128>, scale| {
        Decimal128Array::from(values)
            .with_precision_and_scale(38, scale)
            .unwrap()
    };
    vec![
        taken(NullArray::new(1), "null", vec![Ok("null")]),
        taken(BooleanArray::from(vec![true]), "boolean", vec![Ok("true")]),
        taken(Int8Array::from(vec![i8::MIN]), "long", vec![Ok("-128")]),
        taken(Int16Array::from(vec![i16::MIN]), "long", vec![Ok("-32768")]),
        taken(
            Int32Array::from(vec![i32::MIN]),
            "long",
            vec![Ok("-2147483648")],
        ),
        taken(
            Int64Array::from(vec![i64::MIN]),
            "long",
            vec![Ok("-9223372036854775808")],
        ),
        taken(UInt8Array::from(vec![u8::MAX]), "long", vec![Ok("255")]),
        taken(UInt16Array::from(vec![u16::MAX]), "long", vec![Ok("65535")]),
        taken(
            UInt32Array::from(vec![u32::MAX]),
            "long",
            vec![Ok("4294967295")],
        ),
        taken(
            UInt64Array::from(vec![i64::MAX as u64, u64::MAX]),
            "long",
            vec![
                Ok("9223372036854775807"),
                Err("the number 18446744073709551615 does not fit the field's type long"),
            ],
        ),
        taken(
            cast(&Float32Array::from(vec![-0.5]), &DataType::Float16)
                .unwrap()
                .as_primitive::<Float16Type>()
                .clone(),
            "double",
            vec![Ok("-0.5")],
        ),
        taken(
            Float32Array::from(vec![0.1]),
            "double",
            vec![Ok("0.10000000149011612")],
        ),
        taken(Float64Array::from(vec![0.1]), "double", vec![Ok("0.1")]),
        taken(
            Decimal32Array::from(vec![1999])
                .with_precision_and_scale(9, 2)
                .unwrap(),
            "double",
            vec![Ok("19.99")],
        ),
        taken(
            Decimal64Array::from(vec![-7])
                .with_precision_and_scale(18, 0)
                .unwrap(),
            "long",
            vec![Ok("-7")],
        ),
        taken(
            decimal128(vec![150, 1_234_567_890_123_456_789], 2),
            "double",
            vec![
                Ok("1.5"),
                Err(
                    "the decimal 12345678901234567.89 is not exactly a double; a field that is declared a string takes it",
                ),
            ],
        ),
        taken(
            decimal128(vec![42, 12_345_678_901_234_567_890_123], 0),
            "long",
            vec![
                Ok("42"),
                Err(
                    "the decimal 12345678901234567890123 does not fit 64 bits; a field that is declared a string takes it",
                ),
            ],
        ),
        taken(decimal128(vec![-12], -2), "long", vec![Ok("-1200")]),
        taken(
            Decimal256Array::from(vec![
                i256::from_string("1500000000000000000000000000000000000000").unwrap(),
            ])
            .with_precision_and_scale(76, 39)
            .unwrap(),
            "double",
            vec![Ok("1.5")],
        ),
    ]
}

const NO_TEXT: &str = "2 bytes that are no UTF-8 text (near byte 1)";

fn texts() -> Vec<Case> {
    let bytes: [&[u8]; 2] = [b"Oslo", b"a\xff"];
    let both = || vec![Ok("Oslo"), Err(NO_TEXT)];
    let fixed = FixedSizeBinaryArray::try_from_iter([b"DE", b"a\xff"].into_iter()).unwrap();
    let mut uuid = taken(
        FixedSizeBinaryArray::try_from_iter([(0..16).collect::<Vec<u8>>()].into_iter()).unwrap(),
        "string",
        vec![Ok("00010203-0405-0607-0809-0a0b0c0d0e0f")],
    );
    let extension = HashMap::from([("ARROW:extension:name".to_owned(), "arrow.uuid".to_owned())]);
    uuid.field.set_metadata(extension);
    vec![
        taken(StringArray::from(vec!["Oslo"]), "string", vec![Ok("Oslo")]),
        taken(
            LargeStringArray::from(vec!["Oslo"]),
            "string",
            vec![Ok("Oslo")],
        ),
        taken(
            StringViewArray::from(vec!["Oslo"]),
            "string",
            vec![Ok("Oslo")],
        ),
        taken(BinaryArray::from_iter_values(bytes), "string", both()),
        taken(LargeBinaryArray::from_iter_values(bytes), "string", both()),
        taken(BinaryViewArray::from_iter_values(bytes), "string", both()),
        taken(fixed, "string", vec![Ok("DE"), Err(NO_TEXT)]),
        uuid,
    ]
}

fn times() -> Vec<Case> {
    let day = 86_400_000;
    vec![
        taken(Date32Array::from(vec![-1]), "date", vec![Ok("1969-12-31")]),
        taken(
            Date64Array::from(vec![day, 1]),
            "date",
            vec![
                Ok("1970-01-02"),
                Err("a date of 1 ms since 1970, which is no whole day"),
            ],
        ),
        taken(
            TimestampSecondArray::from(vec![1, i64::MAX]),
            "date-time",
            vec![
                Ok("1970-01-01T00:00:01Z"),
                Err(
                    "a timestamp of 9223372036854775807 s since 1970, which is beyond what microseconds hold",
                ),
            ],
        ),
        taken(
            TimestampMillisecondArray::from(vec![1, i64::MIN]),
            "date-time",
            vec![
                Ok("1970-01-01T00:00:00.001Z"),
                Err(
                    "a timestamp of -9223372036854775808 ms since 1970, which is beyond what microseconds hold",
                ),
            ],
        ),
        taken(
            TimestampMicrosecondArray::from(vec![1]).with_timezone("+02:00"),
            "date-time",
            vec![Ok("1970-01-01T00:00:00.000001Z")],
        ),
        taken(
            TimestampNanosecondArray::from(vec![1_999, -1]),
            "date-time",
            vec![
                Ok("1970-01-01T00:00:00.000001Z"),
                Ok("1969-12-31T23:59:59.999999Z"),
            ],
        ),
        refused(Time32SecondArray::from(vec![1])),
        refused(Time32MillisecondArray::from(vec![1])),
        refused(Time64MicrosecondArray::from(vec![1])),
        refused(Time64NanosecondArray::from(vec![1])),
        refused(DurationSecondArray::from(vec![1])),
        refused(DurationMillisecondArray::from(vec![1])),
        refused(DurationMicrosecondArray::from(vec![1])),
        refused(DurationNanosecondArray::from(vec![1])),
        refused(IntervalYearMonthArray::from(vec![1])),
        refused(IntervalDayTimeArray::from(vec![IntervalDayTime::new(1, 2)])),
        refused(IntervalMonthDayNanoArray::from(vec![
            IntervalMonthDayNano::new(1, 2, 3),
        ])),
    ]
}

fn nested() -> Vec<Case> {
    let rows = || [Some(vec![Some(7), None]), Some(vec![Some(8), Some(9)])];
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>(rows());
    let large = LargeListArray::from_iter_primitive::<Int64Type, _, _>(rows());
    let fixed = FixedSizeListArray::from_iter_primitive::<Int64Type, _, _>(rows(), 2);
    let both = || vec![Ok("[7, null]"), Ok("[8, 9]")];
    let times: ArrayRef = Arc::new(Time64MicrosecondArray::from(vec![1]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    let bytes: ArrayRef = Arc::new(BinaryArray::from_iter_values([b"x"]));
    let amounts: ArrayRef = Arc::new(
        Decimal128Array::from(vec![5])
            .with_precision_and_scale(9, 1)
            .unwrap(),
    );
    let object = |columns: Vec<(&str, &ArrayRef)>| {
        let columns: Vec<_> = columns
            .into_iter()
            .map(|(name, array)| (name, array.clone()))
            .collect();
        StructArray::try_from(columns).unwrap()
    };
    let map = |keys: &ArrayRef, values: &ArrayRef| {
        let entries = object(vec![("key", keys), ("value", values)]);
        let fields: Fields = vec![
            Field::new("key", keys.data_type().clone(), false),
            Field::new("value", values.data_type().clone(), true),
        ]
        .into();
        let (_, columns, _) = entries.into_parts();
        let entries = StructArray::new(fields.clone(), columns, None);
        let field = Field::new("key_value", DataType::Struct(fields), false);
        MapArray::new(
            Arc::new(field),
            OffsetBuffer::from_lengths([1]),
            entries,
            None,
            false,
        )
    };
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let inner: ArrayRef = Arc::new(object(vec![("t", &times)]));
    let list_of_objects = ListArray::new(
        Arc::new(Field::new("element", inner.data_type().clone(), true)),
        OffsetBuffer::from_lengths([1]),
        inner,
        None,
    );
    let path = "column v.t has the type Time64(µs), which no XDM field has; cast it to a string or a number";
    let keys = "column v is a map with keys of the type Int32; a map's keys are strings";
    let reasoned = |mut case: Case, reason: &str| {
        case.expected = Expected::Refused(reason.to_owned());
        case
    };
    let unions = [(0, Field::new("i", DataType::Int32, true))];
    let union = UnionArray::try_new(
        unions
            .into_iter()
            .map(|(id, field)| (id, Arc::new(field)))
            .collect(),
        ScalarBuffer::from(vec![0_i8]),
        None,
        vec![numbers.clone()],
    );
    let mut union = refused(union.unwrap());
    // A union has no nulls of its own.
    union.field.set_nullable(false);
    vec![
        taken(list.clone(), "list of long", both()),
        taken(large.clone(), "list of long", both()),
        taken(fixed, "list of long", both()),
        taken(ListViewArray::from(list), "list of long", both()),
        taken(LargeListViewArray::from(large), "list of long", both()),
        taken(
            object(vec![("a", &bytes), ("b", &amounts)]),
            "object",
            vec![Ok("{a: x, b: 0.5}")],
        ),
        reasoned(refused(list_of_objects), path),
        taken(map(&texts, &numbers), "map of long", vec![Ok("{x: 1}")]),
        taken(map(&bytes, &amounts), "map of double", vec![Ok("{x: 0.5}")]),
        reasoned(refused(map(&numbers, &texts)), keys),
        union,
    ]
}

fn encoded() -> Vec<Case> {
    let texts = StringArray::from(vec!["b", "a", "b"]);
    let dictionary = |key| DataType::Dictionary(Box::new(key), Box::new(DataType::Utf8));
    let narrow = cast(&texts, &dictionary(DataType::Int8)).unwrap();
    let wide = cast(&texts, &dictionary(DataType::UInt64)).unwrap();
    let three = || vec![Ok("b"), Ok("a"), Ok("b")];
    let numbers = Int32Array::from(vec![0, 0]);
    let days = DictionaryArray::new(numbers, Arc::new(Date32Array::from(vec![1])));
    let runs = RunArray::try_new(
        &Int32Array::from(vec![2, 3]),
        &StringArray::from(vec!["x", "y"]),
    );
    vec![
        taken(
            narrow.as_dictionary::<Int8Type>().clone(),
            "string",
            three(),
        ),
        taken(
            wide.as_dictionary::<UInt64Type>().clone(),
            "string",
            three(),
        ),
        taken(days, "date", vec![Ok("1970-01-02"); 2]),
        taken(runs.unwrap(), "string", vec![Ok("x"), Ok("x"), Ok("y")]),
    ]
}
