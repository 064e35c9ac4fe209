use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use serde::{Deserialize, Serialize};

use crate::{FieldPath, quote_part};

/// The type of an XDM field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FieldType {
    /// Only nulls were seen; exported as string.
    Unknown,
    /// True or false.
    Boolean,
    /// 8-bit integer, always declared.
    Byte,
    /// 16-bit integer, always declared.
    Short,
    /// 32-bit integer, always declared.
    Int,
    /// 64-bit integer.
    Long {
        /// A schema declares it, so fractions are bad records and do not widen it.
        declared: bool,
        /// Some value has no exact float64, so it can't widen.
        wide: bool,
    },
    /// 64-bit float.
    Double,
    /// UTF-8 text, for good: a schema declares it, or a store of before there was [`FieldType::Text`] has it.
    String,
    /// UTF-8 text that only data knows. It becomes a date or a date-time where that is what each of its
    /// values is, and another file, dataset or schema has that type.
    Text {
        /// Each value is an RFC 3339 timestamp, as [`Timestamp::parse`](crate::Timestamp::parse) reads them.
        date_times: bool,
        /// Each value is a day, as [`parse_date`](crate::parse_date) reads them.
        dates: bool,
    },
    /// A day.
    Date,
    /// A moment, at microsecond precision.
    DateTime,
    /// An array.
    List(Box<FieldType>),
    /// An object whose keys are data.
    Map(Box<FieldType>),
    /// An object whose keys are field names.
    Object(Fields),
}

/// Named fields in the order in which they were first seen or declared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fields(Vec<(String, FieldType)>);

/// Two types that no value has both of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path} is {known} in the union schema and can't be {found} too")]
pub struct TypeConflict {
    /// The dotted path of the field.
    pub path: String,
    /// The type it has.
    pub known: FieldType,
    /// The type it can't take as well.
    pub found: FieldType,
}

impl FieldType {
    /// Text that only data knows, before its first value.
    pub const TEXT: Self = Self::Text {
        date_times: true,
        dates: true,
    };

    /// The Arrow type of an exported column: `element` for list items, `key_value` for map entries,
    /// text where only nulls were seen.
    #[must_use]
    pub fn data_type(&self) -> DataType {
        self.arrow_type(&DataType::Utf8)
    }

    /// The Arrow type of a column in the store, where a field of which only nulls were seen has the
    /// type Null: a later load may give it any other.
    #[must_use]
    pub fn stored_type(&self) -> DataType {
        self.arrow_type(&DataType::Null)
    }

    fn arrow_type(&self, unknown: &DataType) -> DataType {
        match self {
            Self::Unknown => unknown.clone(),
            Self::String | Self::Text { .. } => DataType::Utf8,
            Self::Boolean => DataType::Boolean,
            Self::Byte => DataType::Int8,
            Self::Short => DataType::Int16,
            Self::Int => DataType::Int32,
            Self::Long { .. } => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Date => DataType::Date32,
            Self::DateTime => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::List(item) => list_of(item.arrow_type(unknown)),
            Self::Map(value) => map_of(value.arrow_type(unknown)),
            Self::Object(fields) => DataType::Struct(
                fields
                    .iter()
                    .map(|(name, ty)| Field::new(name, ty.arrow_type(unknown), true))
                    .collect(),
            ),
        }
    }

    /// Grows to take in values of the other type as well.
    ///
    /// Integers widen to larger ones and to float64 where nothing is lost; text becomes dates and
    /// date-times where all of it is such.
    ///
    /// # Errors
    /// A [`TypeConflict`] where no type holds both; then `self` may have grown in part.
    pub fn unite(&mut self, other: &Self) -> Result<(), TypeConflict> {
        self.unite_at(other, "")
    }

    fn unite_at(&mut self, other: &Self, path: &str) -> Result<(), TypeConflict> {
        match (&mut *self, other) {
            (_, Self::Unknown) => {}
            (Self::Unknown, _) => *self = other.clone(),
            (Self::List(a), Self::List(b)) | (Self::Map(a), Self::Map(b)) => {
                a.unite_at(b, path)?;
            }
            (Self::Object(a), Self::Object(b)) => a.unite_at(b, path)?,
            (a, b) if a == b => {}
            (a, b) => match widened(a, b).or_else(|| text_united(a, b)) {
                Some(wider) => *self = wider,
                None => {
                    return Err(TypeConflict {
                        path: path.to_owned(),
                        known: self.clone(),
                        found: other.clone(),
                    });
                }
            },
        }
        Ok(())
    }
}

/// The number type that holds both, if there is one.
fn widened(a: &FieldType, b: &FieldType) -> Option<FieldType> {
    use FieldType::{Byte, Double, Int, Long, Short};
    let rank = |t: &FieldType| match t {
        Byte => Some(1),
        Short => Some(2),
        Int => Some(3),
        Long { .. } => Some(4),
        Double => Some(5),
        _ => None,
    };
    let wide = |t: &FieldType| matches!(t, Long { wide: true, .. });
    let declared = |t: &FieldType| matches!(t, Byte | Short | Int | Long { declared: true, .. });
    let top = rank(a)?.max(rank(b)?);
    match top {
        5 if wide(a) || wide(b) => None,
        5 => Some(Double),
        4 => Some(Long {
            declared: declared(a) || declared(b),
            wide: wide(a) || wide(b),
        }),
        3 => Some(Int),
        _ => Some(Short),
    }
}

/// The type that holds both text and text, dates or date-times, if there is one.
fn text_united(a: &FieldType, b: &FieldType) -> Option<FieldType> {
    use FieldType::{Date, DateTime, String, Text};
    Some(match (a, b) {
        (
            Text { date_times, dates },
            Text {
                date_times: other_date_times,
                dates: other_dates,
            },
        ) => Text {
            date_times: *date_times && *other_date_times,
            dates: *dates && *other_dates,
        },
        (String, Text { .. }) | (Text { .. }, String) => String,
        #[rustfmt::skip]
        (DateTime, Text { date_times: true, .. }) | (Text { date_times: true, .. }, DateTime) => DateTime,
        (Date, Text { dates: true, .. }) | (Text { dates: true, .. }, Date) => Date,
        _ => return None,
    })
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("null"),
            Self::Boolean => f.write_str("boolean"),
            Self::Byte => f.write_str("byte"),
            Self::Short => f.write_str("short"),
            Self::Int => f.write_str("int"),
            Self::Long { .. } => f.write_str("long"),
            Self::Double => f.write_str("double"),
            Self::String | Self::Text { .. } => f.write_str("string"),
            Self::Date => f.write_str("date"),
            Self::DateTime => f.write_str("date-time"),
            Self::List(_) => f.write_str("a list"),
            Self::Map(_) => f.write_str("a map"),
            Self::Object(_) => f.write_str("an object"),
        }
    }
}

impl Fields {
    /// The type of a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&FieldType> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, t)| t)
    }

    /// Sets the type of a field; a new one goes to the end.
    pub fn insert(&mut self, name: &str, ty: FieldType) {
        match self.0.iter_mut().find(|(n, _)| n == name) {
            Some((_, known)) => *known = ty,
            None => self.0.push((name.to_owned(), ty)),
        }
    }

    /// Sets the type at a path, making the objects on the way.
    pub fn set_at(&mut self, path: &FieldPath, ty: FieldType) {
        fn set(fields: &mut Fields, parts: &[String], ty: FieldType) {
            match parts {
                [] => {}
                [last] => fields.insert(last, ty),
                [first, rest @ ..] => {
                    let mut inner = match fields.get(first) {
                        Some(FieldType::Object(inner)) => inner.clone(),
                        _ => Fields::default(),
                    };
                    set(&mut inner, rest, ty);
                    fields.insert(first, FieldType::Object(inner));
                }
            }
        }
        set(self, path.parts(), ty);
    }

    /// Takes a field out.
    pub fn remove(&mut self, name: &str) -> Option<FieldType> {
        let at = self.0.iter().position(|(n, _)| n == name)?;
        Some(self.0.remove(at).1)
    }

    /// Keeps the fields whose names `f` accepts.
    pub fn retain(&mut self, f: impl Fn(&str) -> bool) {
        self.0.retain(|(name, _)| f(name));
    }

    /// Names and types in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &FieldType)> {
        self.0.iter().map(|(n, t)| (n.as_str(), t))
    }

    /// How many fields the object among these and all within them has that has most.
    #[must_use]
    pub fn most_in_an_object(&self) -> usize {
        fn within(ty: &FieldType) -> usize {
            match ty {
                FieldType::List(inner) | FieldType::Map(inner) => within(inner),
                FieldType::Object(fields) => fields.most_in_an_object(),
                _ => 0,
            }
        }
        let inner = self.0.iter().map(|(_, ty)| within(ty)).max();
        self.0.len().max(inner.unwrap_or(0))
    }

    /// How many fields within these, at any depth, have no fields of their own.
    #[must_use]
    pub fn leaves(&self) -> usize {
        fn of(ty: &FieldType) -> usize {
            match ty {
                FieldType::List(inner) | FieldType::Map(inner) => of(inner),
                FieldType::Object(fields) => fields.leaves(),
                _ => 1,
            }
        }
        self.0.iter().map(|(_, ty)| of(ty)).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Grows to take in the other's fields; new ones go to the end.
    ///
    /// # Errors
    /// A [`TypeConflict`] where a field has two types that nothing holds both of.
    pub fn unite(&mut self, other: &Self) -> Result<(), TypeConflict> {
        self.unite_at(other, "")
    }

    fn unite_at(&mut self, other: &Self, path: &str) -> Result<(), TypeConflict> {
        for (i, (name, ty)) in other.0.iter().enumerate() {
            let inner = || {
                let part = quote_part(name);
                if path.is_empty() {
                    part
                } else {
                    format!("{path}.{part}")
                }
            };
            // The two lists mostly agree in order, so look in the same place first.
            let at = match self.0.get(i) {
                Some((n, _)) if n == name => Some(i),
                _ => self.0.iter().position(|(n, _)| n == name),
            };
            match at.and_then(|at| self.0.get_mut(at)) {
                Some((_, known)) if known == ty => {}
                Some((_, known)) => known.unite_at(ty, &inner())?,
                None => self.0.push((name.clone(), ty.clone())),
            }
        }
        Ok(())
    }
}

impl FromIterator<(String, FieldType)> for Fields {
    fn from_iter<T: IntoIterator<Item = (String, FieldType)>>(iter: T) -> Self {
        Self(iter.into_iter().collect())
    }
}

/// `list<element: T>` as every file of ours spells it.
#[must_use]
pub fn list_of(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("element", item, true)))
}

/// `map<key: string, value: T>` as every file of ours spells it.
#[must_use]
pub fn map_of(value: DataType) -> DataType {
    let entries = DataType::Struct(
        vec![
            Field::new("key", DataType::Utf8, false),
            Field::new("value", value, true),
        ]
        .into(),
    );
    DataType::Map(Arc::new(Field::new("key_value", entries, false)), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: FieldType = FieldType::Long {
        declared: false,
        wide: false,
    };

    #[test]
    fn integers_widen_to_float_unless_something_is_lost() {
        let mut ty = LONG;
        ty.unite(&FieldType::Double).expect("widens");
        assert_eq!(ty, FieldType::Double);

        let mut wide = FieldType::Long {
            declared: false,
            wide: true,
        };
        assert!(wide.unite(&FieldType::Double).is_err());
    }

    #[test]
    fn text_becomes_a_date_time_where_all_of_it_is_one() {
        let date_times = FieldType::Text {
            date_times: true,
            dates: false,
        };
        let plain = FieldType::Text {
            date_times: false,
            dates: false,
        };
        let united = |a: &FieldType, b: &FieldType| {
            let (mut ab, mut ba) = (a.clone(), b.clone());
            let (one, other) = (ab.unite(b).map(|()| ab), ba.unite(a).map(|()| ba));
            assert_eq!(one.as_ref().ok(), other.as_ref().ok(), "in either order");
            one.ok()
        };
        assert_eq!(
            united(&date_times, &FieldType::DateTime),
            Some(FieldType::DateTime)
        );
        assert_eq!(
            united(&FieldType::TEXT, &FieldType::Date),
            Some(FieldType::Date)
        );
        assert_eq!(united(&date_times, &FieldType::Date), None);
        assert_eq!(united(&plain, &FieldType::DateTime), None);
        assert_eq!(united(&FieldType::String, &FieldType::DateTime), None);
        assert_eq!(united(&date_times, &plain), Some(plain.clone()));
        assert_eq!(
            united(&date_times, &FieldType::String),
            Some(FieldType::String)
        );
    }

    #[test]
    fn objects_unite_field_by_field_and_name_the_path_of_a_conflict() {
        let object = |name: &str, ty| {
            let mut inner = Fields::default();
            inner.insert(name, ty);
            let mut outer = Fields::default();
            outer.insert("person", FieldType::Object(inner));
            outer
        };
        let mut union = object("age", LONG);
        union
            .unite(&object("name", FieldType::String))
            .expect("new fields go in");
        let conflict = union
            .unite(&object("age", FieldType::String))
            .expect_err("a conflict");
        assert_eq!(conflict.path, "person.age");
    }

    #[test]
    fn a_field_of_nulls_takes_any_type_and_leaves_as_text() {
        let mut ty = FieldType::Unknown;
        assert_eq!(ty.stored_type(), DataType::Null);
        assert_eq!(ty.data_type(), DataType::Utf8);
        ty.unite(&FieldType::Date).expect("takes it");
        assert_eq!(ty, FieldType::Date);
        ty.unite(&FieldType::Unknown).expect("stays");
        assert_eq!(ty, FieldType::Date);
    }

    #[test]
    fn lists_and_maps_are_spelled_as_parquet_spells_them() {
        let DataType::List(item) = list_of(DataType::Utf8) else {
            panic!("no list");
        };
        assert_eq!(
            (item.name().as_str(), item.is_nullable()),
            ("element", true)
        );
        let DataType::Map(entries, false) = map_of(DataType::Utf8) else {
            panic!("no map");
        };
        assert_eq!(entries.name(), "key_value");
        let DataType::Struct(parts) = entries.data_type() else {
            panic!("no entries");
        };
        let parts: Vec<_> = parts
            .iter()
            .map(|f| (f.name().as_str(), f.is_nullable()))
            .collect();
        assert_eq!(parts, [("key", false), ("value", true)]);
    }
}
