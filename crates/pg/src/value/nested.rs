//! Lists, maps and objects in the platform's words, as its documents show them:
//!
//! ```text
//! object   (background,"(USD,NULL)",t)
//! list     {(a,t),(b,f)}
//! map      [AAID -> "{(id,t)}"]
//! ```
//!
//! What is nested within an object or behind an arrow has quotes around it, and what is within a list has not. Quotes
//! within quotes are as they are: these texts are for people, JSON (`SET auto_to_json = true`) is for programs.

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Float32Type, Float64Type, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use sql::{double_text, float_text};

use super::text;

/// Each value of a column.
pub(super) fn texts(column: &ArrayRef) -> Result<StringArray, ArrowError> {
    let mut out = StringBuilder::new();
    let mut text = Vec::new();
    for row in 0..column.len() {
        if column.is_null(row) {
            out.append_null();
            continue;
        }
        text.clear();
        value(column, row, &mut text)?;
        out.append_value(String::from_utf8_lossy(&text));
    }
    Ok(out.finish())
}

/// A value that is not null.
fn value(array: &ArrayRef, row: usize, out: &mut Vec<u8>) -> Result<(), ArrowError> {
    match array.data_type() {
        DataType::Struct(_) => {
            out.push(b'(');
            for (number, field) in array.as_struct().columns().iter().enumerate() {
                if number > 0 {
                    out.push(b',');
                }
                part(field, row, true, out)?;
            }
            out.push(b')');
        }
        DataType::List(_) => list(&array.as_list::<i32>().value(row), out)?,
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(row), out)?,
        DataType::FixedSizeList(..) => list(&array.as_fixed_size_list().value(row), out)?,
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let [keys, values] = [0, 1].map(|at| entries.column(at));
            out.push(b'[');
            for entry in 0..entries.len() {
                if entry > 0 {
                    out.extend(b", ");
                }
                part(keys, entry, true, out)?;
                out.extend(b" -> ");
                part(values, entry, true, out)?;
            }
            out.push(b']');
        }
        _ => plain(array, row, out)?,
    }
    Ok(())
}

fn list(items: &ArrayRef, out: &mut Vec<u8>) -> Result<(), ArrowError> {
    out.push(b'{');
    for row in 0..items.len() {
        if row > 0 {
            out.push(b',');
        }
        part(items, row, false, out)?;
    }
    out.push(b'}');
    Ok(())
}

/// A value within another one.
fn part(array: &ArrayRef, row: usize, quoted: bool, out: &mut Vec<u8>) -> Result<(), ArrowError> {
    if array.is_null(row) {
        out.extend(b"NULL");
        return Ok(());
    }
    if array.data_type().is_nested() && !matches!(array.data_type(), DataType::Dictionary(..)) {
        let quote: &[u8] = if quoted { b"\"" } else { b"" };
        out.extend(quote);
        value(array, row, out)?;
        out.extend(quote);
        return Ok(());
    }
    let start = out.len();
    plain(array, row, out)?;
    // What would look like the end of it.
    let special = |byte: &u8| b",(){}[]\"".contains(byte);
    let text = &out[start..];
    if text.is_empty() || text.iter().any(special) {
        let quoted = String::from_utf8_lossy(text).replace('"', "\"\"");
        out.truncate(start);
        out.extend(format!("\"{quoted}\"").bytes());
    }
    Ok(())
}

/// A value that has no parts.
fn plain(array: &ArrayRef, row: usize, out: &mut Vec<u8>) -> Result<(), ArrowError> {
    match array.data_type() {
        DataType::Boolean => text::boolean(array.as_boolean().value(row), out),
        DataType::Float64 => {
            let value = array.as_primitive::<Float64Type>().value(row);
            out.extend(double_text(value).bytes());
        }
        DataType::Float32 => {
            let value = array.as_primitive::<Float32Type>().value(row);
            out.extend(float_text(value).bytes());
        }
        DataType::Timestamp(_, zone) => {
            let one = array.slice(row, 1);
            let micros = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
            let micros = arrow::compute::cast(&one, &micros)?;
            let micros = micros.as_primitive::<TimestampMicrosecondType>().value(0);
            text::timestamp(micros, out).ok_or_else(|| {
                ArrowError::ComputeError(format!(
                    "a timestamp is out of range: {micros} since 1970"
                ))
            })?;
        }
        DataType::Utf8 => out.extend_from_slice(array.as_string::<i32>().value(row).as_bytes()),
        _ => {
            let options = FormatOptions::new();
            let formatter = ArrayFormatter::try_new(array, &options)?;
            out.extend(formatter.value(row).try_to_string()?.bytes());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::RecordBatch;
    use arrow::datatypes::{Field, Fields, Schema};
    use arrow::json::ReaderBuilder;

    use super::*;

    /// The column of rows that JSON tells.
    fn column(ty: DataType, values: &[&str]) -> ArrayRef {
        let schema = Arc::new(Schema::new(vec![Field::new("c", ty, true)]));
        let lines: String = values
            .iter()
            .map(|value| format!("{{\"c\":{value}}}\n"))
            .collect();
        let rows: Vec<RecordBatch> = ReaderBuilder::new(schema)
            .build(lines.as_bytes())
            .expect("a reader")
            .collect::<Result<_, _>>()
            .expect("rows");
        Arc::clone(rows[0].column(0))
    }

    fn fields(all: &[(&str, DataType)]) -> Fields {
        all.iter()
            .map(|(name, ty)| Field::new(*name, ty.clone(), true))
            .collect()
    }

    fn of(ty: DataType, value: &str) -> String {
        let texts = texts(&column(ty, &[value])).expect("texts");
        texts.value(0).to_owned()
    }

    #[test]
    fn the_samples_of_the_documents() {
        let code = DataType::Struct(fields(&[("code", DataType::Utf8)]));
        let id = fields(&[
            ("id", DataType::Utf8),
            ("namespace", code),
            ("primary", DataType::Boolean),
        ]);
        let aaid = DataType::Struct(fields(&[("aaid", DataType::Struct(id))]));
        let experience = DataType::Struct(fields(&[("_experience", aaid)]));
        let value =
            r#"{"_experience":{"aaid":{"id":"31-E6","namespace":{"code":"AAID"},"primary":true}}}"#;
        assert_eq!(of(experience, value), r#"("("(31-E6,"(AAID)",t)")")"#);

        let identity = fields(&[("id", DataType::Utf8), ("primary", DataType::Boolean)]);
        let list = Field::new_list_field(DataType::Struct(identity), true);
        let entries = fields(&[("value", DataType::List(Arc::new(list)))]);
        let key = Field::new("key", DataType::Utf8, false);
        let entries = DataType::Struct(
            [Arc::new(key), Arc::clone(&entries[0])]
                .into_iter()
                .collect(),
        );
        let map = DataType::Map(Arc::new(Field::new("entries", entries, false)), false);
        assert_eq!(
            of(map, r#"{"AAID":[{"id":"31-E6","primary":true}]}"#),
            r#"[AAID -> "{(31-E6,t)}"]"#
        );
    }

    #[test]
    fn numbers_nulls_and_texts_with_commas() {
        let place = fields(&[
            ("lat", DataType::Float64),
            ("lon", DataType::Float64),
            ("name", DataType::Utf8),
            ("agent", DataType::Utf8),
            ("size", DataType::Int64),
        ]);
        let value = r#"{"lat":34.01,"lon":-84,"name":"Search Results","agent":"(KHTML, \"like\")","size":null}"#;
        assert_eq!(
            of(DataType::Struct(place), value),
            r#"(34.01,-84.0,Search Results,"(KHTML, ""like"")",NULL)"#
        );
    }

    #[test]
    fn a_null_is_none_and_an_empty_list_is_braces() {
        let list = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
        let texts = texts(&column(list, &["null", "[]", r#"["a",null,""]"#])).expect("texts");
        let all: Vec<_> = texts.iter().collect();
        assert_eq!(all, [None, Some("{}"), Some("{a,NULL,\"\"}")]);
    }
}
