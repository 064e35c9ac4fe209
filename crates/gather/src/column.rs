use arrow::array::{BooleanArray, PrimitiveArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    DataType, Date32Type, FieldRef, Fields, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, UInt64Type,
};

use crate::RowRef;
use crate::text::Text;

/// One field as it lies in several sources, ready to gather rows from.
///
/// Cheap to make (it shares the sources' buffers), except that text dictionaries are united once.
pub struct Column {
    pub(crate) data_type: DataType,
    pub(crate) validity: Vec<Validity>,
    pub(crate) values: Values,
}

/// Which rows of a source have a value.
pub(crate) enum Validity {
    /// The source lacks the field, or has no value of it.
    Absent,
    All,
    Some(NullBuffer),
}

pub(crate) type Sources<A> = Vec<Option<A>>;

pub(crate) enum Values {
    /// No source has a value of the field.
    Missing,
    Boolean(Sources<BooleanArray>),
    Int8(Sources<PrimitiveArray<Int8Type>>),
    Int16(Sources<PrimitiveArray<Int16Type>>),
    Int32(Sources<PrimitiveArray<Int32Type>>),
    Int64(Sources<PrimitiveArray<Int64Type>>),
    UInt64(Sources<PrimitiveArray<UInt64Type>>),
    Float64(Sources<PrimitiveArray<Float64Type>>),
    Date32(Sources<PrimitiveArray<Date32Type>>),
    Timestamp(Sources<PrimitiveArray<TimestampMicrosecondType>>),
    Bytes16(Sources<arrow::array::FixedSizeBinaryArray>),
    Text(Text),
    Struct(Fields, Vec<Column>),
    List(FieldRef, Sources<OffsetBuffer<i32>>, Box<Column>),
    /// The entries' field, offsets, keys, values.
    Map(FieldRef, Sources<OffsetBuffer<i32>>, Box<(Column, Column)>),
}

/// What a column is made of.
pub enum Child<'a> {
    /// A value of its own, without parts.
    Leaf,
    /// A struct's fields and their columns.
    Struct(&'a Fields, &'a [Column]),
    /// A list's items.
    List(&'a Column),
    /// A map's keys and values.
    Map(&'a Column, &'a Column),
}

impl Column {
    /// The type of what [`Column::interleave`] returns: the target's, with text as
    /// `Dictionary(Int32, Utf8)` where every source holds it so.
    #[must_use]
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// What the column is made of.
    #[must_use]
    pub fn child(&self) -> Child<'_> {
        match &self.values {
            Values::Struct(fields, columns) => Child::Struct(fields, columns),
            Values::List(_, _, items) => Child::List(items),
            Values::Map(_, _, entries) => Child::Map(&entries.0, &entries.1),
            _ => Child::Leaf,
        }
    }

    /// Whether the row exists and is not null.
    #[inline]
    #[must_use]
    pub fn is_valid(&self, at: RowRef) -> bool {
        match self.validity.get(at.source as usize) {
            None | Some(Validity::Absent) => false,
            Some(Validity::All) => true,
            Some(Validity::Some(nulls)) => nulls.is_valid(at.row as usize),
        }
    }

    /// The first of the rows that is not null, or [`RowRef::NULL`].
    #[inline]
    #[must_use]
    pub fn first_valid(&self, candidates: &[RowRef]) -> RowRef {
        candidates
            .iter()
            .copied()
            .find(|at| self.is_valid(*at))
            .unwrap_or(RowRef::NULL)
    }

    /// The items of a list's or the entries of a map's row, as rows of the child columns.
    ///
    /// Empty for a null row and for a column that is neither list nor map.
    #[must_use]
    pub fn range(&self, at: RowRef) -> impl ExactSizeIterator<Item = RowRef> + Clone + use<> {
        let offsets = match &self.values {
            Values::List(_, offsets, _) | Values::Map(_, offsets, _) if self.is_valid(at) => {
                offsets.get(at.source as usize).and_then(Option::as_ref)
            }
            _ => None,
        };
        let (start, end) = offsets.map_or((0, 0), |o| bounds(o, at.row));
        (start..end).map(move |row| RowRef::new(at.source, row))
    }

    /// The text of a row; `None` where it is null or the column holds no text.
    #[inline]
    #[must_use]
    pub fn text(&self, at: RowRef) -> Option<&str> {
        match &self.values {
            Values::Text(text) if self.is_valid(at) => text.get(at),
            _ => None,
        }
    }

    /// Whether a boolean's row is true; false where it is null or of another type.
    #[inline]
    #[must_use]
    pub fn is_true(&self, at: RowRef) -> bool {
        match &self.values {
            Values::Boolean(sources) if self.is_valid(at) => {
                let source = sources.get(at.source as usize).and_then(Option::as_ref);
                source.is_some_and(|bits| bits.value(at.row as usize))
            }
            _ => false,
        }
    }

    /// The microseconds of a timestamp's row; `None` where it is null or of another type.
    #[inline]
    #[must_use]
    pub fn micros(&self, at: RowRef) -> Option<i64> {
        match &self.values {
            Values::Timestamp(sources) if self.is_valid(at) => {
                let source = sources.get(at.source as usize)?.as_ref()?;
                source.values().get(at.row as usize).copied()
            }
            _ => None,
        }
    }
}

/// Start and end of a row in its child, as rows.
#[inline]
pub(crate) fn bounds(offsets: &OffsetBuffer<i32>, row: u32) -> (u32, u32) {
    let row = row as usize;
    match (offsets.get(row), offsets.get(row + 1)) {
        // Arrow's offsets are never negative.
        (Some(start), Some(end)) => (start.cast_unsigned(), end.cast_unsigned()),
        _ => (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use xdm::{FieldType, testing};

    fn column(ty: &FieldType, sources: &[&[Value]]) -> Column {
        let sources: Vec<_> = sources
            .iter()
            .map(|rows| Some(testing::array(ty, rows)))
            .collect();
        Column::new(&ty.data_type(), &sources).expect("a column")
    }

    fn at(row: u32) -> RowRef {
        RowRef::new(0, row)
    }

    #[test]
    fn the_first_candidate_that_is_not_null_is_chosen() {
        let texts = column(
            &FieldType::String,
            &[&[json!(null), json!("")], &[json!("x")]],
        );
        let all = [RowRef::NULL, at(0), at(1), RowRef::new(1, 0)];
        assert_eq!(texts.first_valid(&all), at(1));
        assert_eq!(texts.first_valid(&all[..2]), RowRef::NULL);
        assert_eq!(texts.first_valid(&[]), RowRef::NULL);
    }

    #[test]
    fn the_range_of_a_row_is_its_items_in_its_source() {
        let numbers = testing::list(testing::LONG);
        let lists = column(
            &numbers,
            &[&[json!([7])], &[json!([1, 2]), json!(null), json!([3])]],
        );
        let range = |row| lists.range(RowRef::new(1, row)).collect::<Vec<_>>();
        assert_eq!(range(0), [RowRef::new(1, 0), RowRef::new(1, 1)]);
        assert_eq!(range(1), []);
        assert_eq!(range(2), [RowRef::new(1, 2)]);
        assert_eq!(lists.range(RowRef::NULL).len(), 0);
        let text = column(&FieldType::String, &[&[json!("no list")]]);
        assert_eq!(text.range(at(0)).len(), 0);
    }

    #[test]
    fn a_value_is_read_from_rows_that_have_one_of_the_type() {
        let text = column(&FieldType::String, &[&[json!("a"), json!(null)]]);
        assert_eq!([text.text(at(0)), text.text(at(1))], [Some("a"), None]);
        assert_eq!((text.is_true(at(0)), text.micros(at(0))), (false, None));
        let flags = column(
            &FieldType::Boolean,
            &[&[json!(true), json!(false), json!(null)]],
        );
        assert_eq!(
            [0, 1, 2].map(|row| flags.is_true(at(row))),
            [true, false, false]
        );
        let hidden = BooleanArray::new(vec![true].into(), Some(vec![false].into()));
        let hidden = Column::new(&DataType::Boolean, &[Some(std::sync::Arc::new(hidden))]);
        assert!(!hidden.expect("a column").is_true(at(0)));
        let times = column(
            &FieldType::DateTime,
            &[&[json!("1970-01-01T00:00:01Z"), json!(null)]],
        );
        assert_eq!(
            [times.micros(at(0)), times.micros(at(1))],
            [Some(1_000_000), None]
        );
        assert_eq!(times.text(at(0)), None);
    }
}
