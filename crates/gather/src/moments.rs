//! Text that is read as dates or date-times: each of its values was seen to be one before the field's type
//! became that ([`xdm::FieldType::Text`]).

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, Date32Array, PrimitiveArray, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::take;
use arrow::datatypes::{Date32Type, Int32Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use xdm::{Timestamp, parse_date};

/// Timestamps of a text array; `None` where it is none.
///
/// # Errors
/// A value that is no RFC 3339 timestamp.
pub(crate) fn date_times(text: &ArrayRef) -> Result<Option<TimestampMicrosecondArray>, ArrowError> {
    parsed::<TimestampMicrosecondType>(text, |text| Timestamp::parse(text).map(Timestamp::micros))
}

/// Days of a text array; `None` where it is none.
///
/// # Errors
/// A value that is no day.
pub(crate) fn dates(text: &ArrayRef) -> Result<Option<Date32Array>, ArrowError> {
    parsed::<Date32Type>(text, parse_date)
}

fn parsed<T: ArrowPrimitiveType>(
    text: &ArrayRef,
    parse: impl Fn(&str) -> Option<T::Native>,
) -> Result<Option<PrimitiveArray<T>>, ArrowError> {
    let each = |values: &StringArray| -> PrimitiveArray<T> {
        values.iter().map(|value| value.and_then(&parse)).collect()
    };
    let moments = if let Some(values) = text.as_string_opt::<i32>() {
        each(values)
    } else if let Some(dictionary) = text.as_dictionary_opt::<Int32Type>()
        && let Some(values) = dictionary.values().as_string_opt::<i32>()
    {
        let moments = take(&each(values), dictionary.keys(), None)?;
        moments.as_primitive::<T>().clone()
    } else {
        return Ok(None);
    };
    if moments.null_count() > text.logical_null_count() {
        return Err(ArrowError::CastError(format!(
            "a text is no {}",
            T::DATA_TYPE
        )));
    }
    Ok(Some(moments))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{DictionaryArray, Int32Array};
    use arrow::datatypes::DataType;

    use crate::{Column, RowRef};

    use super::*;

    fn target() -> DataType {
        xdm::FieldType::DateTime.data_type()
    }

    #[test]
    fn text_and_timestamps_meet_in_one_column() {
        let plain: ArrayRef = Arc::new(StringArray::from(vec![
            Some("1970-01-01T00:00:01Z"),
            None,
            Some("1970-01-01T01:00:00.0000025+01:00"),
        ]));
        let keys = Int32Array::from(vec![Some(1), None]);
        let values = StringArray::from(vec!["", "1970-01-01T00:00:03Z"]);
        let dictionary: ArrayRef =
            Arc::new(DictionaryArray::try_new(keys, Arc::new(values)).expect("a dictionary"));
        let times: ArrayRef =
            Arc::new(TimestampMicrosecondArray::from(vec![4_000_000]).with_timezone("UTC"));
        let column = Column::new(&target(), &[Some(plain), Some(dictionary), Some(times)]);
        let rows = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0)];
        let rows: Vec<_> = rows.map(|(source, row)| RowRef { source, row }).to_vec();
        let gathered = column.expect("a column").interleave(&rows);
        let gathered = gathered.expect("gathered");
        let expected = [
            Some(1_000_000),
            None,
            Some(2),
            Some(3_000_000),
            None,
            Some(4_000_000),
        ];
        let found: Vec<_> = gathered
            .as_primitive::<TimestampMicrosecondType>()
            .iter()
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn other_text_is_an_error() {
        let text: ArrayRef = Arc::new(StringArray::from(vec!["yesterday"]));
        let error = Column::new(&target(), &[Some(text)])
            .err()
            .expect("an error");
        assert!(error.to_string().contains("a text is no"), "{error}");
    }
}
