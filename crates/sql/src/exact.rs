//! Values that a column's type can't hold as they are: arrow's casts round without a word.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Int8Type, Int16Type, Int32Type, Int64Type,
};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// The first row that has a value, in lists, structs and maps too, that would be another in a column of type `to`; the value
/// as text. The array is of a type that files have (of `stored_type`).
pub(crate) fn changed(array: &dyn Array, to: &DataType) -> Option<(usize, String)> {
    if array.data_type() == to {
        return None;
    }
    match (array.data_type(), to) {
        (DataType::List(_), DataType::List(item)) => {
            let list = array.as_list::<i32>();
            changed(&**list.values(), item.data_type())?;
            first(array, |row| {
                changed(&*list.value(row), item.data_type()).map(|(_, value)| value)
            })
        }
        (DataType::Map(..), DataType::Map(entries, _)) => {
            let map = array.as_map();
            changed(map.entries(), entries.data_type())?;
            first(array, |row| {
                changed(&map.value(row), entries.data_type()).map(|(_, value)| value)
            })
        }
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let parts = array.as_struct();
            // What stands in a struct that is null is nothing.
            let columns = parts.columns().iter().zip(fields);
            let found = columns.filter_map(|(column, field)| {
                changed(&**column, field.data_type())?;
                first(array, |row| {
                    changed(&*column.slice(row, 1), field.data_type()).map(|(_, value)| value)
                })
            });
            found.min_by_key(|(row, _)| *row)
        }
        (DataType::Decimal128(_, scale), DataType::Float64) => {
            let (numbers, scale) = (array.as_primitive::<Decimal128Type>(), *scale);
            first(array, |row| {
                let is_same = is_decimal(
                    approximated(numbers.value_as_string(row)),
                    numbers.value(row),
                    scale,
                );
                (!is_same).then(|| numbers.value_as_string(row))
            })
        }
        (DataType::Date32, DataType::Timestamp(..)) => {
            let days = array.as_primitive::<Date32Type>();
            first(array, |row| {
                let is_there = i64::from(days.value(row)).checked_mul(MICROS_PER_DAY);
                is_there
                    .is_none()
                    .then(|| format!("day {} since 1970", days.value(row)))
            })
        }
        (_, to) => {
            let whole: Box<dyn Fn(usize) -> i64> = match array.data_type() {
                DataType::Int8 => {
                    Box::new(|row| array.as_primitive::<Int8Type>().value(row).into())
                }
                DataType::Int16 => {
                    Box::new(|row| array.as_primitive::<Int16Type>().value(row).into())
                }
                DataType::Int32 => {
                    Box::new(|row| array.as_primitive::<Int32Type>().value(row).into())
                }
                DataType::Int64 => Box::new(|row| array.as_primitive::<Int64Type>().value(row)),
                _ => return None,
            };
            first(array, |row| {
                let value = whole(row);
                (!holds(to, value)).then(|| value.to_string())
            })
        }
    }
}

/// The first row that is no null of which something is found.
fn first(array: &dyn Array, find: impl Fn(usize) -> Option<String>) -> Option<(usize, String)> {
    let rows = (0..array.len()).filter(|row| array.is_valid(*row));
    rows.filter_map(|row| Some((row, find(row)?))).next()
}

/// Whether a type has a whole number.
fn holds(to: &DataType, value: i64) -> bool {
    match to {
        DataType::Int8 => i8::try_from(value).is_ok(),
        DataType::Int16 => i16::try_from(value).is_ok(),
        DataType::Int32 => i32::try_from(value).is_ok(),
        // Far greater than it: the nearest to the greatest numbers is outside of 64 bits.
        DataType::Float64 => (value as f64) as i128 == i128::from(value),
        _ => true,
    }
}

/// The double that is nearest to a number.
fn approximated(text: String) -> f64 {
    text.parse().unwrap_or(f64::NAN)
}

/// Whether a double, as it is shown, is the number `unscaled` · 10^-`scale`: 0.1 is, as nobody sees that it is not.
fn is_decimal(shown: f64, unscaled: i128, scale: i8) -> bool {
    if unscaled == 0 {
        return shown == 0.0;
    }
    // The fewest digits that are this double, and no other.
    let text = format!("{shown:e}");
    let Some((digits, exponent)) = text.split_once('e') else {
        return false;
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let (Ok(mut number), Ok(exponent)) = (
        format!("{whole}{fraction}").parse::<i128>(),
        exponent.parse::<i64>(),
    ) else {
        return false;
    };
    let mut exponent = exponent - fraction.len() as i64;
    let (mut wanted, mut place) = (unscaled, -i64::from(scale));
    for (number, exponent) in [(&mut number, &mut exponent), (&mut wanted, &mut place)] {
        while *number % 10 == 0 {
            *number /= 10;
            *exponent += 1;
        }
    }
    (number, exponent) == (wanted, place)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Decimal128Array, Int64Array, ListArray, StructArray};
    use arrow::datatypes::Field;

    use super::*;

    #[test]
    fn numbers_that_a_double_shows_otherwise_are_found_wherever_they_stand() {
        let odd = (1_i64 << 53) + 1;
        let numbers = Int64Array::from(vec![Some(1), None, Some(odd), Some(i64::MAX)]);
        let found = Some((2, odd.to_string()));
        assert_eq!(changed(&numbers, &DataType::Float64), found);
        let great = Int64Array::from(vec![1 << 53, i64::MAX]);
        let found = changed(&great, &DataType::Float64);
        assert_eq!(found, Some((1, i64::MAX.to_string())));
        assert_eq!(changed(&great, &DataType::Int32).expect("too great").0, 0);

        let list = ListArray::from_iter_primitive::<Int64Type, _, _>([
            Some(vec![Some(1)]),
            None,
            Some(vec![Some(2), Some(odd)]),
        ]);
        let doubles = DataType::List(Arc::new(Field::new("element", DataType::Float64, true)));
        assert_eq!(changed(&list, &doubles).expect("one").0, 2);
        let list: ArrayRef = Arc::new(list);
        let field = Arc::new(Field::new("a", list.data_type().clone(), true));
        let all = StructArray::from(vec![(field, list)]);
        let doubles = DataType::Struct(vec![Field::new("a", doubles, true)].into());
        assert_eq!(changed(&all, &doubles).expect("one").0, 2);
    }

    #[test]
    fn decimals_are_doubles_where_they_are_shown_alike() {
        let decimals = |values: Vec<i128>, scale| {
            let decimals = Decimal128Array::from(values);
            let decimals = decimals
                .with_precision_and_scale(38, scale)
                .expect("decimals");
            changed(&decimals, &DataType::Float64)
        };
        assert_eq!(decimals(vec![0, 1, -3, 15, 123_456_789], 1), None);
        // Of an average: many places, few digits.
        assert_eq!(decimals(vec![300_000_000_000_000_000, 1], 18), None);
        let found = decimals(vec![1, 12_345_678_901_234_567_891], 10);
        assert_eq!(found, Some((1, "1234567890.1234567891".to_owned())));
    }
}
