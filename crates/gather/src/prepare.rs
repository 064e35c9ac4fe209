use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, TimeUnit};
use arrow::error::ArrowError;
use rayon::prelude::*;

use crate::column::{Column, Sources, Validity, Values};
use crate::dictionaries::Dictionaries;
use crate::moments;
use crate::text::Text;

impl Column {
    /// Prepares a field of type `target` that lies in `sources`; `None` is a source without it.
    ///
    /// Struct fields are found by name; missing ones and ones of type Null are null; integers may be narrower than the
    /// target; text may be `Utf8` or `Dictionary(Int32, Utf8)`, and dates and timestamps may be such text.
    ///
    /// # Errors
    /// A source's type can't become the target's, or the target is no type of ours.
    pub fn new(target: &DataType, sources: &[Option<ArrayRef>]) -> Result<Self, ArrowError> {
        Self::with_dictionaries(target, sources, &Dictionaries::default())
    }

    /// The same, where many columns are made of batches that have the same dictionaries.
    ///
    /// # Errors
    /// As [`Column::new`].
    pub fn with_dictionaries(
        target: &DataType,
        sources: &[Option<ArrayRef>],
        known: &Dictionaries,
    ) -> Result<Self, ArrowError> {
        Self::under(target, sources, &[], known)
    }

    /// The same for a field of objects, which are null where `parents` say so, source by source: what
    /// lies under a null object is no value, though Arrow lets it be there.
    fn under(
        target: &DataType,
        sources: &[Option<ArrayRef>],
        parents: &[Option<NullBuffer>],
        known: &Dictionaries,
    ) -> Result<Self, ArrowError> {
        let mut nulls: Vec<Option<NullBuffer>> = sources
            .iter()
            .enumerate()
            .map(|(i, source)| {
                let own = source.as_ref().and_then(|source| source.logical_nulls());
                let parent = parents.get(i).and_then(Option::as_ref);
                let nulls = NullBuffer::union(own.as_ref(), parent);
                nulls.filter(|nulls| nulls.null_count() > 0)
            })
            .collect();
        // Nulls alone are like none: a dictionary would add a value that no row has, and whether a source has such
        // a column depends on what types were known when it was made.
        let has_values = |source: &ArrayRef, nulls: &Option<NullBuffer>| {
            nulls.as_ref().map_or(0, NullBuffer::null_count) < source.len()
        };
        let mut sources = Cow::Borrowed(sources);
        for (i, nulls) in nulls.iter_mut().enumerate() {
            if (sources[i].as_ref()).is_some_and(|source| !has_values(source, nulls)) {
                sources.to_mut()[i] = None;
                *nulls = None;
            }
        }
        let sources = &*sources;
        let values = if sources.iter().all(Option::is_none) {
            missing(target)?
        } else {
            present(target, sources, &nulls, known)?
        };
        let validity = std::iter::zip(sources, nulls)
            .map(|(source, nulls)| match (source, nulls) {
                (None, _) => Validity::Absent,
                (Some(_), None) => Validity::All,
                (Some(_), Some(nulls)) => Validity::Some(nulls),
            })
            .collect();
        Ok(Self {
            data_type: actual_type(target, &values),
            validity,
            values,
        })
    }
}

impl Column {
    /// A column of objects with type Null wherever no source has a value within this field of theirs.
    #[must_use]
    pub fn without_missing_in(mut self, name: &str) -> Self {
        if let Values::Struct(fields, columns) = self.values {
            let columns: Vec<Self> = std::iter::zip(&fields, columns)
                .map(|(field, column)| match field.name() == name {
                    true => column.without_missing(),
                    false => column,
                })
                .collect();
            let fields: Fields = std::iter::zip(&fields, &columns)
                .map(|(field, column)| renewed(field, column.data_type()))
                .collect();
            self.data_type = DataType::Struct(fields.clone());
            self.values = Values::Struct(fields, columns);
        }
        self
    }

    fn without_missing(self) -> Self {
        let Self {
            data_type,
            validity,
            values,
        } = self;
        let (data_type, values) = match values {
            _ if !validity.iter().any(|v| !matches!(v, Validity::Absent)) => {
                (DataType::Null, Values::Missing)
            }
            Values::Struct(fields, columns) => {
                let columns: Vec<Self> = columns.into_iter().map(Self::without_missing).collect();
                let fields: Fields = std::iter::zip(&fields, &columns)
                    .map(|(field, column)| renewed(field, column.data_type()))
                    .collect();
                (
                    DataType::Struct(fields.clone()),
                    Values::Struct(fields, columns),
                )
            }
            Values::List(item, offsets, items) => {
                let items = items.without_missing();
                let item = renewed(&item, items.data_type());
                (
                    DataType::List(item.clone()),
                    Values::List(item, offsets, Box::new(items)),
                )
            }
            Values::Map(entries, offsets, columns) => {
                let (keys, values) = *columns;
                let values = values.without_missing();
                let entries = match entries.data_type() {
                    DataType::Struct(parts) => {
                        let types = [keys.data_type(), values.data_type()];
                        let parts = std::iter::zip(parts, types);
                        let parts = parts.map(|(part, ty)| renewed(part, ty)).collect();
                        renewed(&entries, &DataType::Struct(parts))
                    }
                    _ => entries,
                };
                let ty = DataType::Map(entries.clone(), false);
                (ty, Values::Map(entries, offsets, Box::new((keys, values))))
            }
            values => (data_type, values),
        };
        Self {
            data_type,
            validity,
            values,
        }
    }
}

/// A field that no source has a value of; it keeps its shape, so that callers can walk it.
fn missing(target: &DataType) -> Result<Values, ArrowError> {
    let column = |ty: &DataType| Column::new(ty, &[]);
    Ok(match target {
        DataType::Struct(fields) => {
            let columns = fields.iter().map(|field| column(field.data_type()));
            Values::Struct(fields.clone(), columns.collect::<Result<_, _>>()?)
        }
        DataType::List(item) => Values::List(
            item.clone(),
            Vec::new(),
            Box::new(column(item.data_type())?),
        ),
        DataType::Map(entries, _) => {
            let (key, value) = key_and_value(entries)?;
            let columns = (column(key.data_type())?, column(value.data_type())?);
            Values::Map(entries.clone(), Vec::new(), Box::new(columns))
        }
        _ => Values::Missing,
    })
}

/// The fields of a map's entries.
fn key_and_value(entries: &Field) -> Result<(&FieldRef, &FieldRef), ArrowError> {
    match entries.data_type() {
        DataType::Struct(parts) if let [key, value] = parts.as_ref() => Ok((key, value)),
        other => Err(mismatch(
            other,
            &DataType::Map(entries.clone().into(), false),
        )),
    }
}

fn present(
    target: &DataType,
    sources: &[Option<ArrayRef>],
    nulls: &[Option<NullBuffer>],
    known: &Dictionaries,
) -> Result<Values, ArrowError> {
    Ok(match target {
        DataType::Null => Values::Missing,
        DataType::Boolean => {
            Values::Boolean(map(sources, target, |a| a.as_boolean_opt().cloned())?)
        }
        DataType::Int8 => Values::Int8(primitive(sources, target)?),
        DataType::Int16 => Values::Int16(primitive(sources, target)?),
        DataType::Int32 => Values::Int32(primitive(sources, target)?),
        DataType::Int64 => Values::Int64(primitive(sources, target)?),
        DataType::UInt64 => Values::UInt64(primitive(sources, target)?),
        DataType::Float64 => Values::Float64(primitive(sources, target)?),
        DataType::Date32 => Values::Date32(primitive(&parsed(sources, moments::dates)?, target)?),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Values::Timestamp(primitive(&parsed(sources, moments::date_times)?, target)?)
        }
        DataType::FixedSizeBinary(16) => Values::Bytes16(map(sources, target, |a| {
            a.as_fixed_size_binary_opt().cloned()
        })?),
        DataType::Utf8 | DataType::Dictionary(..) => Values::Text(Text::new(sources, known)?),
        DataType::Struct(fields) => {
            let column = |field: &FieldRef| {
                let inner = map_some(sources, |a| {
                    let source = a
                        .as_struct_opt()
                        .ok_or_else(|| mismatch(a.data_type(), target))?;
                    Ok(source.column_by_name(field.name()).cloned())
                })?;
                Column::under(field.data_type(), &inner, nulls, known)
            };
            // Uniting dictionaries takes a while where sources are many; where nothing is united, handing it to other
            // threads would take longer.
            let columns: Vec<Column> = match known.unites() {
                true => fields.par_iter().map(column).collect::<Result<_, _>>()?,
                false => fields.iter().map(column).collect::<Result<_, _>>()?,
            };
            let fields = fields
                .iter()
                .zip(&columns)
                .map(|(field, column)| renewed(field, column.data_type()))
                .collect();
            Values::Struct(fields, columns)
        }
        DataType::List(item) => {
            let lists = map(sources, target, |a| a.as_list_opt::<i32>().cloned())?;
            let items: Vec<_> = lists
                .iter()
                .map(|l| l.as_ref().map(|l| l.values().clone()))
                .collect();
            let items = Column::under(item.data_type(), &items, &[], known)?;
            Values::List(
                renewed(item, items.data_type()),
                lists
                    .iter()
                    .map(|l| l.as_ref().map(|l| l.offsets().clone()))
                    .collect(),
                Box::new(items),
            )
        }
        DataType::Map(entries, _) => {
            let (key, value) = key_and_value(entries)?;
            let maps = map(sources, target, |a| a.as_map_opt().cloned())?;
            let part = |of: fn(&arrow::array::MapArray) -> &ArrayRef| -> Vec<Option<ArrayRef>> {
                maps.iter()
                    .map(|m| m.as_ref().map(|m| of(m).clone()))
                    .collect()
            };
            let keys = Column::under(key.data_type(), &part(|m| m.keys()), &[], known)?;
            let values = Column::under(value.data_type(), &part(|m| m.values()), &[], known)?;
            let parts = Fields::from(vec![
                renewed(key, keys.data_type()),
                renewed(value, values.data_type()),
            ]);
            Values::Map(
                renewed(entries, &DataType::Struct(parts)),
                maps.iter()
                    .map(|m| m.as_ref().map(|m| m.offsets().clone()))
                    .collect(),
                Box::new((keys, values)),
            )
        }
        other => {
            return Err(ArrowError::SchemaError(format!(
                "{other} is no type of an XDM field"
            )));
        }
    })
}

fn actual_type(target: &DataType, values: &Values) -> DataType {
    match values {
        Values::Text(text) => text.data_type(),
        Values::Struct(fields, _) => DataType::Struct(fields.clone()),
        Values::List(item, ..) => DataType::List(item.clone()),
        Values::Map(entries, ..) => DataType::Map(entries.clone(), false),
        _ => target.clone(),
    }
}

fn renewed(field: &Field, data_type: &DataType) -> FieldRef {
    Arc::new(field.clone().with_data_type(data_type.clone()))
}

fn map_some<A>(
    sources: &[Option<ArrayRef>],
    f: impl Fn(&ArrayRef) -> Result<Option<A>, ArrowError>,
) -> Result<Sources<A>, ArrowError> {
    sources
        .iter()
        .map(|source| source.as_ref().map_or(Ok(None), &f))
        .collect()
}

fn map<A>(
    sources: &[Option<ArrayRef>],
    target: &DataType,
    f: impl Fn(&ArrayRef) -> Option<A>,
) -> Result<Sources<A>, ArrowError> {
    map_some(sources, |a| {
        f(a).map(Some)
            .ok_or_else(|| mismatch(a.data_type(), target))
    })
}

/// The sources with moments in place of text.
fn parsed<A: Array + 'static>(
    sources: &[Option<ArrayRef>],
    parse: impl Fn(&ArrayRef) -> Result<Option<A>, ArrowError>,
) -> Result<Vec<Option<ArrayRef>>, ArrowError> {
    let parsed = |source: &ArrayRef| {
        Ok(match parse(source)? {
            Some(moments) => Arc::new(moments) as ArrayRef,
            None => Arc::clone(source),
        })
    };
    let sources = sources.iter();
    sources
        .map(|source| source.as_ref().map(parsed).transpose())
        .collect()
}

fn primitive<T: ArrowPrimitiveType>(
    sources: &[Option<ArrayRef>],
    target: &DataType,
) -> Result<Sources<PrimitiveArray<T>>, ArrowError> {
    map_some(sources, |a| {
        if let Some(same) = a.as_primitive_opt::<T>() {
            return Ok(Some(same.clone()));
        }
        let widens = a.data_type().is_integer()
            && (T::DATA_TYPE.is_integer() || T::DATA_TYPE == DataType::Float64);
        if !widens {
            return Err(mismatch(a.data_type(), target));
        }
        let wider = cast(a, &T::DATA_TYPE)?;
        if wider.null_count() > a.null_count() {
            // What does not fit comes out as null.
            return Err(ArrowError::CastError(format!(
                "a value of {} does not fit {}",
                a.data_type(),
                T::DATA_TYPE
            )));
        }
        Ok(wider.as_primitive_opt::<T>().cloned())
    })
}

fn mismatch(found: &DataType, target: &DataType) -> ArrowError {
    ArrowError::SchemaError(format!("{found} can't be read as {target}"))
}

#[cfg(test)]
mod tests;
