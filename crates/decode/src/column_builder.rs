use std::sync::Arc;

use arrow::array::NullBufferBuilder;
use arrow::array::{
    ArrayRef, BooleanArray, BooleanBufferBuilder, ListArray, MapArray, NullArray, PrimitiveArray,
    StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Field, Fields as ArrowFields, Float64Type, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use xdm::{FieldType, Fields, Timestamp, parse_date};

use crate::distinct::Distinct;
use crate::numbers::{integer, integers, is_exact, is_fixed, number};
use crate::object_builder::ObjectBuilder;
use crate::selection::ColumnTerms;
use crate::text::TextBuilder;
use crate::text_form::TextForm;
use crate::value::{Key, Kind, ObjectEntries, RecordError, Value};

pub(crate) struct ColumnBuilder {
    pub(crate) nulls: NullBufferBuilder,
    pub(crate) values: ColumnValues,
    pub(crate) terms: ColumnTerms,
    /// The name of a top-level field.
    top: Option<String>,
}

pub(crate) enum ColumnValues {
    Unknown,
    Boolean(BooleanBufferBuilder),
    Integer { values: Vec<i64>, ty: FieldType },
    Double(Vec<f64>),
    Text(TextBuilder, TextForm),
    Date(Vec<i32>),
    DateTime(Vec<i64>),
    List(Vec<i32>, Box<ColumnBuilder>),
    Map(Vec<i32>, TextBuilder, Box<ColumnBuilder>),
    Object(ObjectBuilder),
}

impl ColumnBuilder {
    pub(crate) fn new(ty: &FieldType, terms: ColumnTerms) -> Self {
        Self {
            nulls: NullBufferBuilder::new(0),
            values: ColumnValues::new(ty, 0, &terms),
            terms,
            top: None,
        }
    }

    /// Says that the column is that of a top-level field.
    pub(crate) fn set_top(&mut self, name: &str) {
        self.top = Some(name.to_owned());
        if let ColumnValues::Object(object) = &mut self.values {
            object.set_top(name);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.nulls.len()
    }

    pub(crate) fn append_nulls(&mut self, n: usize) {
        self.nulls.append_n_nulls(n);
        self.values.append_defaults(n);
    }

    /// Appends a non-null row of a list or map whose items `f` appends.
    pub(crate) fn append_container(
        &mut self,
        f: impl FnOnce(&mut ColumnValues) -> Result<(), RecordError>,
    ) -> Result<(), RecordError> {
        self.nulls.append_non_null();
        f(&mut self.values)?;
        self.values.close_row()
    }

    pub(crate) fn append<'a>(&mut self, value: impl Value<'a>) -> Result<(), RecordError> {
        let kind = value.kind()?;
        match kind {
            Kind::Null => {
                self.append_nulls(1);
                Ok(())
            }
            // JSON has none of these.
            Kind::Decimal(_) | Kind::DateTime(_) | Kind::Date(_) => self.append_arrow(kind, value),
            _ => self.append_kind(kind, value),
        }
    }

    #[inline(never)]
    fn append_arrow<'a>(
        &mut self,
        kind: Kind<'a>,
        value: impl Value<'a>,
    ) -> Result<(), RecordError> {
        let kind = self.prepare_for(kind)?;
        self.append_kind(kind, value)
    }

    /// Where nearly all values of a load pass by: one copy of a kind more, and it takes a tenth longer.
    #[inline(always)]
    fn append_kind<'a>(
        &mut self,
        kind: Kind<'a>,
        value: impl Value<'a>,
    ) -> Result<(), RecordError> {
        if matches!(self.values, ColumnValues::Unknown) {
            self.values = ColumnValues::new(&first_type(kind)?, self.len(), &self.terms);
            self.terms.grow();
            if let (ColumnValues::Object(object), Some(top)) = (&mut self.values, &self.top) {
                object.set_top(top);
            }
        }
        let row = self.len();
        self.nulls.append_non_null();
        let conflict = |expected: &str| {
            Err(RecordError::new(format!(
                "expected {expected}, found {kind}"
            )))
        };
        match (&mut self.values, kind) {
            (ColumnValues::Boolean(bits), Kind::Boolean(b)) => bits.append(b),
            (ColumnValues::Boolean(_), _) => return conflict("a boolean"),
            (ColumnValues::Integer { values, ty }, _) => match integer(ty, kind, &self.terms)? {
                Some(i) => values.push(i),
                None => {
                    let Kind::Float(x) = kind else {
                        return conflict("a number");
                    };
                    let mut floats: Vec<f64> = values.iter().map(|i| *i as f64).collect();
                    floats.push(x);
                    self.values = ColumnValues::Double(floats);
                    self.terms.grow();
                }
            },
            (ColumnValues::Double(values), Kind::Float(x)) => values.push(x),
            (ColumnValues::Double(values), Kind::Integer(i)) if is_exact(i.into()) => {
                values.push(i as f64);
            }
            (ColumnValues::Double(values), Kind::Large(i)) if is_exact(i.into()) => {
                values.push(i as f64);
            }
            (ColumnValues::Double(_), Kind::Integer(_) | Kind::Large(_)) => {
                return Err(RecordError::new(format!(
                    "{kind} does not fit the field's type double without loss"
                )));
            }
            (ColumnValues::Double(_), _) => return conflict("a number"),
            (ColumnValues::Text(text, form), Kind::Text(t)) => {
                if text.push(t) {
                    form.note(t, &self.terms);
                }
            }
            (ColumnValues::Text(text, _), Kind::Decimal(d)) => {
                text.push(&d.to_string());
            }
            (ColumnValues::Text(..), _) => return conflict("a string"),
            (ColumnValues::Date(values), Kind::Date(days)) => values.push(days),
            (ColumnValues::Date(values), Kind::Text(text)) => match parse_date(text) {
                Some(days) => values.push(days),
                None => return conflict("a date YYYY-MM-DD"),
            },
            (ColumnValues::Date(_), _) => return conflict("a date"),
            (ColumnValues::DateTime(values), Kind::DateTime(micros)) => values.push(micros),
            (ColumnValues::DateTime(values), Kind::Text(text)) => match Timestamp::parse(text) {
                Some(time) => values.push(time.micros()),
                None => return conflict("an RFC 3339 timestamp with an offset"),
            },
            (ColumnValues::DateTime(_), _) => return conflict("a date-time"),
            (ColumnValues::List(offsets, items), Kind::List) => {
                value.items(&mut |item| items.append(item))?;
                offsets.push(offset(items.len())?);
            }
            (ColumnValues::List(..), _) => return conflict("a list"),
            (ColumnValues::Map(offsets, keys, values), Kind::Object | Kind::Map) => {
                let mut known = Distinct::default();
                let mut entries = value.entries()?;
                while let Some((Key::Named(key), value)) = entries.next(b"")? {
                    if !known.insert(key) {
                        return Err(RecordError::twice(key));
                    }
                    keys.push(key);
                    values.append(value).map_err(|e| e.under(key))?;
                }
                offsets.push(offset(values.len())?);
            }
            (ColumnValues::Map(..), _) => return conflict("a map"),
            (ColumnValues::Object(object), Kind::Object | Kind::Map) => {
                object.append(row, value)?;
            }
            (ColumnValues::Object(_), _) => return conflict("an object"),
            (ColumnValues::Unknown, _) => {}
        }
        Ok(())
    }

    /// A decimal becomes the number that it is, unless its text is wanted; a date or date-time that comes to texts
    /// which all are such makes that of them.
    fn prepare_for<'a>(&mut self, kind: Kind<'a>) -> Result<Kind<'a>, RecordError> {
        let rows = self.len();
        match (kind, &self.values) {
            (Kind::Decimal(decimal), ColumnValues::Integer { ty, .. }) => {
                return number(*decimal, is_fixed(ty));
            }
            (Kind::Decimal(_), ColumnValues::Text(_, form)) if form.is_declared() => {}
            (Kind::Decimal(decimal), _) => return number(*decimal, false),
            (Kind::DateTime(_), ColumnValues::Text(text, form)) if form.are_date_times() => {
                let micros = |text: &str| Timestamp::parse(text).map(Timestamp::micros);
                self.values = ColumnValues::DateTime(text.parsed(rows, micros)?);
                self.terms.grow();
            }
            (Kind::Date(_), ColumnValues::Text(text, form)) if form.are_dates() => {
                self.values = ColumnValues::Date(text.parsed(rows, parse_date)?);
                self.terms.grow();
            }
            _ => {}
        }
        Ok(kind)
    }

    pub(crate) fn field_type(&self) -> FieldType {
        match &self.values {
            ColumnValues::Unknown => FieldType::Unknown,
            ColumnValues::Boolean(_) => FieldType::Boolean,
            ColumnValues::Integer { ty, .. } => ty.clone(),
            ColumnValues::Double(_) => FieldType::Double,
            ColumnValues::Text(_, form) => form.field_type(),
            ColumnValues::Date(_) => FieldType::Date,
            ColumnValues::DateTime(_) => FieldType::DateTime,
            ColumnValues::List(_, items) => FieldType::List(Box::new(items.field_type())),
            ColumnValues::Map(_, _, values) => FieldType::Map(Box::new(values.field_type())),
            ColumnValues::Object(object) => FieldType::Object(object.types()),
        }
    }

    pub(crate) fn finish(mut self) -> Result<ArrayRef, ArrowError> {
        let length = self.len();
        if self.terms.keep_nothing() {
            return Ok(Arc::new(NullArray::new(length)));
        }
        let nulls = self.nulls.finish();
        Ok(match self.values {
            ColumnValues::Unknown => Arc::new(NullArray::new(length)),
            ColumnValues::Boolean(mut bits) => Arc::new(BooleanArray::new(bits.finish(), nulls)),
            ColumnValues::Integer { values, ty } => integers(values, &ty, nulls),
            ColumnValues::Double(values) => {
                Arc::new(PrimitiveArray::<Float64Type>::new(values.into(), nulls))
            }
            ColumnValues::Text(text, _) => text.finish(nulls)?,
            ColumnValues::Date(values) => {
                Arc::new(PrimitiveArray::<Date32Type>::new(values.into(), nulls))
            }
            ColumnValues::DateTime(values) => Arc::new(
                PrimitiveArray::<TimestampMicrosecondType>::new(values.into(), nulls)
                    .with_timezone("UTC"),
            ),
            ColumnValues::List(offsets, items) => {
                let items = items.finish()?;
                let field = Field::new("element", items.data_type().clone(), true);
                Arc::new(ListArray::try_new(
                    Arc::new(field),
                    OffsetBuffer::new(offsets.into()),
                    items,
                    nulls,
                )?)
            }
            ColumnValues::Map(offsets, keys, values) => {
                let (keys, values) = (keys.finish(None)?, values.finish()?);
                let parts = ArrowFields::from(vec![
                    Field::new("key", keys.data_type().clone(), false),
                    Field::new("value", values.data_type().clone(), true),
                ]);
                let entries = StructArray::try_new(parts.clone(), vec![keys, values], None)?;
                Arc::new(MapArray::try_new(
                    Arc::new(Field::new("key_value", DataType::Struct(parts), false)),
                    OffsetBuffer::new(offsets.into()),
                    entries,
                    nulls,
                    false,
                )?)
            }
            ColumnValues::Object(object) => Arc::new(object.finish(length, nulls)?),
        })
    }
}

impl ColumnValues {
    /// Empty values of a type, after `rows` null rows.
    fn new(ty: &FieldType, rows: usize, terms: &ColumnTerms) -> Self {
        let mut values = match ty {
            FieldType::Unknown => Self::Unknown,
            FieldType::Boolean => Self::Boolean(BooleanBufferBuilder::new(0)),
            FieldType::Byte | FieldType::Short | FieldType::Int | FieldType::Long { .. } => {
                Self::Integer {
                    values: Vec::new(),
                    ty: ty.clone(),
                }
            }
            FieldType::Double => Self::Double(Vec::new()),
            FieldType::String => Self::Text(terms.text(), TextForm::Declared),
            &FieldType::Text { date_times, dates } => {
                Self::Text(terms.text(), TextForm::Undeclared { date_times, dates })
            }
            FieldType::Date => Self::Date(Vec::new()),
            FieldType::DateTime => Self::DateTime(Vec::new()),
            FieldType::List(item) => {
                Self::List(vec![0], Box::new(ColumnBuilder::new(item, terms.clone())))
            }
            FieldType::Map(value) => {
                let mut value = ColumnBuilder::new(value, terms.clone());
                if let ColumnValues::Map(_, _, memberships) = &mut value.values
                    && let ColumnValues::Object(object) = &mut memberships.values
                {
                    object.mark_membership();
                }
                Self::Map(vec![0], terms.text(), Box::new(value))
            }
            FieldType::Object(fields) => Self::Object(ObjectBuilder::new(fields, terms)),
        };
        values.append_defaults(rows);
        values
    }

    /// ColumnValues for null rows. An object's fields catch up later.
    fn append_defaults(&mut self, n: usize) {
        fn extend<T: Default + Clone>(values: &mut Vec<T>, n: usize) {
            let length = values.len() + n;
            values.resize(length, T::default());
        }
        match self {
            Self::Unknown | Self::Object(_) => {}
            Self::Boolean(bits) => bits.append_n(n, false),
            Self::Integer { values, .. } | Self::DateTime(values) => extend(values, n),
            Self::Double(values) => extend(values, n),
            Self::Text(text, _) => text.push_empty(n),
            Self::Date(values) => extend(values, n),
            Self::List(offsets, _) | Self::Map(offsets, ..) => {
                // They begin with 0.
                let last = offsets[offsets.len() - 1];
                let length = offsets.len() + n;
                offsets.resize(length, last);
            }
        }
    }

    /// Ends the row of a list or map whose items have been appended.
    fn close_row(&mut self) -> Result<(), RecordError> {
        match self {
            Self::List(offsets, items) => offsets.push(offset(items.len())?),
            Self::Map(offsets, _, values) => offsets.push(offset(values.len())?),
            _ => {}
        }
        Ok(())
    }
}

/// The type of a field whose first value is this.
fn first_type(kind: Kind<'_>) -> Result<FieldType, RecordError> {
    Ok(match kind {
        Kind::Null => FieldType::Unknown,
        Kind::Boolean(_) => FieldType::Boolean,
        Kind::Integer(_) | Kind::Large(_) => FieldType::Long {
            declared: false,
            wide: false,
        },
        Kind::Float(_) | Kind::Decimal(_) => FieldType::Double,
        Kind::Text(_) => FieldType::TEXT,
        Kind::Date(_) => FieldType::Date,
        Kind::DateTime(_) => FieldType::DateTime,
        Kind::List => FieldType::List(Box::new(FieldType::Unknown)),
        Kind::Object => FieldType::Object(Fields::default()),
        Kind::Map => FieldType::Map(Box::new(FieldType::Unknown)),
    })
}

pub(crate) fn offset(length: usize) -> Result<i32, RecordError> {
    i32::try_from(length).map_err(|_| RecordError::new("more than 2³¹ items in one load step"))
}
