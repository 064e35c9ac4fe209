use std::sync::Arc;

use arrow::array::NullBufferBuilder;
use arrow::array::{
    ArrayRef, BooleanArray, BooleanBufferBuilder, ListArray, MapArray, NullArray, PrimitiveArray,
    StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    DataType, Date32Type, Field, Fields as ArrowFields, Float64Type, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use xdm::{Class, FieldType, Fields, Spelling, parse_date, parse_rfc3339, spelling};

use super::numbers::{integer, integers, is_exact};
use super::segments;
use super::{Entries, Key, Kind, RecordError, TextBuilder, Value, is_same};

/// Typed columns that grow record by record.
///
/// A field's type is what the union schema says, else what its first value is; integers widen to
/// float64 when they meet a fraction. After an error the columns hold a part of the record and must
/// be thrown away.
pub(crate) struct Columns {
    root: Column,
    class: Class,
}

/// Which fields' values are kept. Those of the others are checked, and give the field its type, but are
/// not held: a field's text costs more than all else about it.
#[derive(Clone, Debug, Default)]
pub(crate) enum Kept {
    #[default]
    All,
    Nothing,
    /// Only the fields of these names, with all that is in them.
    Only(Arc<[String]>),
}

impl Kept {
    /// What is kept of the field `name`.
    fn of(&self, name: &str) -> Self {
        match self {
            Self::All => Self::All,
            Self::Only(names) if names.iter().any(|kept| kept == name) => Self::All,
            Self::Only(_) | Self::Nothing => Self::Nothing,
        }
    }

    fn text(&self) -> TextBuilder {
        match self {
            Self::Nothing => TextBuilder::discarding(),
            Self::All | Self::Only(_) => TextBuilder::new(),
        }
    }
}

impl Columns {
    /// Empty columns for records of a class with these known types.
    pub(crate) fn new(class: Class, types: &Fields, kept: Kept) -> Self {
        Self {
            root: Column::new(&FieldType::Object(types.clone()), kept),
            class,
        }
    }

    /// Takes in one record.
    pub(crate) fn append<'a>(&mut self, record: impl Value<'a>) -> Result<(), RecordError> {
        let kind = record.kind()?;
        if !matches!(kind, Kind::Object | Kind::Map) {
            return Err(RecordError::new(format!(
                "a record is an object, found {kind}"
            )));
        }
        let class = Some(self.class);
        let row = self.root.len();
        self.root.nulls.append_non_null();
        let Values::Object(object) = &mut self.root.values else {
            return Ok(());
        };
        object.cursor = 0;
        let mut entries = record.entries()?;
        while let Some((key, value)) = object.set_likely(row, &mut entries)? {
            match spelling(key) {
                Spelling::Field(name) if segments::is_array_form(name, value)? => {
                    object.set_segments(row, name, value, class)?;
                }
                Spelling::Field(name) => object.set(row, name, value, class)?,
                Spelling::Repo(name) => object.set_repo(row, name, value)?,
            }
        }
        Ok(())
    }

    /// The types as they are now.
    pub(crate) fn types(&self) -> Fields {
        match self.root.field_type() {
            FieldType::Object(fields) => fields,
            _ => Fields::default(),
        }
    }

    /// The records as one struct array; fields that are not kept have the type Null in it.
    pub(crate) fn finish(self) -> Result<StructArray, ArrowError> {
        let length = self.root.len();
        match self.root.values {
            Values::Object(object) => object.finish(length, None),
            _ => Ok(StructArray::new_empty_fields(length, None)),
        }
    }
}

pub(super) struct Column {
    nulls: NullBufferBuilder,
    pub(super) values: Values,
    kept: Kept,
}

pub(super) enum Values {
    Unknown,
    Boolean(BooleanBufferBuilder),
    Integer { values: Vec<i64>, ty: FieldType },
    Double(Vec<f64>),
    Text(TextBuilder),
    Date(Vec<i32>),
    DateTime(Vec<i64>),
    List(Vec<i32>, Box<Column>),
    Map(Vec<i32>, TextBuilder, Box<Column>),
    Object(Object),
}

#[derive(Default)]
pub(super) struct Object {
    fields: Vec<Named>,
    /// Where the next field is looked for first: records mostly agree in the order of their fields.
    cursor: usize,
    /// Whether this is an entry of segmentMembership, whose older form says `timestamp` for
    /// `lastQualificationTime`.
    membership: bool,
    kept: Kept,
}

struct Named {
    name: String,
    /// The name as a key in JSON, by which the field is known at once; empty where a key of this name
    /// is not simply this field's.
    key: String,
    column: Column,
}

impl Named {
    fn new(name: &str, column: Column) -> Self {
        let is_special = spelling(name) != Spelling::Field(name)
            || matches!(name, "_repo" | "segments" | "segmentMembership")
            || name.contains(|c: char| c == '"' || c == '\\' || c.is_control());
        Self {
            name: name.to_owned(),
            key: if is_special {
                String::new()
            } else {
                format!("\"{name}\"")
            },
            column,
        }
    }
}

impl Column {
    fn new(ty: &FieldType, kept: Kept) -> Self {
        Self {
            nulls: NullBufferBuilder::new(0),
            values: Values::new(ty, 0, &kept),
            kept,
        }
    }

    fn len(&self) -> usize {
        self.nulls.len()
    }

    fn append_nulls(&mut self, n: usize) {
        self.nulls.append_n_nulls(n);
        self.values.append_defaults(n);
    }

    /// Appends a non-null row of a list or map whose items `f` appends.
    pub(super) fn append_container(
        &mut self,
        f: impl FnOnce(&mut Values) -> Result<(), RecordError>,
    ) -> Result<(), RecordError> {
        self.nulls.append_non_null();
        f(&mut self.values)?;
        self.values.close_row()
    }

    pub(super) fn append<'a>(&mut self, value: impl Value<'a>) -> Result<(), RecordError> {
        let kind = value.kind()?;
        if kind == Kind::Null {
            self.append_nulls(1);
            return Ok(());
        }
        if matches!(self.values, Values::Unknown) {
            self.values = Values::new(&first_type(kind)?, self.len(), &self.kept);
        }
        let row = self.len();
        self.nulls.append_non_null();
        let conflict = |expected: &str| {
            Err(RecordError::new(format!(
                "expected {expected}, found {kind}"
            )))
        };
        match (&mut self.values, kind) {
            (Values::Boolean(bits), Kind::Boolean(b)) => bits.append(b),
            (Values::Boolean(_), _) => return conflict("a boolean"),
            (Values::Integer { values, ty }, _) => match integer(ty, kind)? {
                Some(i) => values.push(i),
                None => {
                    let Kind::Float(x) = kind else {
                        return conflict("a number");
                    };
                    let mut floats: Vec<f64> = values.iter().map(|i| *i as f64).collect();
                    floats.push(x);
                    self.values = Values::Double(floats);
                }
            },
            (Values::Double(values), Kind::Float(x)) => values.push(x),
            (Values::Double(values), Kind::Integer(i)) if is_exact(i.into()) => {
                values.push(i as f64);
            }
            (Values::Double(values), Kind::Large(i)) if is_exact(i.into()) => {
                values.push(i as f64);
            }
            (Values::Double(_), Kind::Integer(_) | Kind::Large(_)) => {
                return Err(RecordError::new(format!(
                    "{kind} does not fit the field's type double without loss"
                )));
            }
            (Values::Double(_), _) => return conflict("a number"),
            (Values::Text(text), Kind::Text(t)) => text.push(t),
            (Values::Text(_), _) => return conflict("a string"),
            (Values::Date(values), Kind::Date(days)) => values.push(days),
            (Values::Date(values), Kind::Text(text)) => match parse_date(text) {
                Some(days) => values.push(days),
                None => return conflict("a date YYYY-MM-DD"),
            },
            (Values::Date(_), _) => return conflict("a date"),
            (Values::DateTime(values), Kind::DateTime(micros)) => values.push(micros),
            (Values::DateTime(values), Kind::Text(text)) => match parse_rfc3339(text) {
                Some(micros) => values.push(micros),
                None => return conflict("an RFC 3339 timestamp with an offset"),
            },
            (Values::DateTime(_), _) => return conflict("a date-time"),
            (Values::List(offsets, items), Kind::List) => {
                value.items(&mut |item| items.append(item))?;
                offsets.push(offset(items.len())?);
            }
            (Values::List(..), _) => return conflict("a list"),
            (Values::Map(offsets, keys, values), Kind::Object | Kind::Map) => {
                // Most maps have one entry: that takes no list.
                let mut first: Option<&str> = None;
                let mut others: Vec<&str> = Vec::new();
                let mut entries = value.entries()?;
                while let Some((Key::Named(key), value)) = entries.next(b"")? {
                    if first == Some(key) || others.contains(&key) {
                        return Err(twice(key));
                    }
                    match first {
                        None => first = Some(key),
                        Some(_) => others.push(key),
                    }
                    keys.push(key);
                    values.append(value).map_err(|e| e.under(key))?;
                }
                offsets.push(offset(values.len())?);
            }
            (Values::Map(..), _) => return conflict("a map"),
            (Values::Object(object), Kind::Object | Kind::Map) => {
                object.append(row, value)?;
            }
            (Values::Object(_), _) => return conflict("an object"),
            (Values::Unknown, _) => {}
        }
        Ok(())
    }

    fn field_type(&self) -> FieldType {
        match &self.values {
            Values::Unknown => FieldType::Unknown,
            Values::Boolean(_) => FieldType::Boolean,
            Values::Integer { ty, .. } => ty.clone(),
            Values::Double(_) => FieldType::Double,
            Values::Text(_) => FieldType::String,
            Values::Date(_) => FieldType::Date,
            Values::DateTime(_) => FieldType::DateTime,
            Values::List(_, items) => FieldType::List(Box::new(items.field_type())),
            Values::Map(_, _, values) => FieldType::Map(Box::new(values.field_type())),
            Values::Object(object) => FieldType::Object(
                object
                    .fields
                    .iter()
                    .map(|field| (field.name.clone(), field.column.field_type()))
                    .collect(),
            ),
        }
    }

    fn finish(mut self) -> Result<ArrayRef, ArrowError> {
        let length = self.len();
        if matches!(self.kept, Kept::Nothing) {
            return Ok(Arc::new(NullArray::new(length)));
        }
        let nulls = self.nulls.finish();
        Ok(match self.values {
            Values::Unknown => Arc::new(NullArray::new(length)),
            Values::Boolean(mut bits) => Arc::new(BooleanArray::new(bits.finish(), nulls)),
            Values::Integer { values, ty } => integers(values, &ty, nulls),
            Values::Double(values) => {
                Arc::new(PrimitiveArray::<Float64Type>::new(values.into(), nulls))
            }
            Values::Text(text) => text.finish(nulls)?,
            Values::Date(values) => {
                Arc::new(PrimitiveArray::<Date32Type>::new(values.into(), nulls))
            }
            Values::DateTime(values) => Arc::new(
                PrimitiveArray::<TimestampMicrosecondType>::new(values.into(), nulls)
                    .with_timezone("UTC"),
            ),
            Values::List(offsets, items) => {
                let items = items.finish()?;
                let field = Field::new("element", items.data_type().clone(), true);
                Arc::new(ListArray::try_new(
                    Arc::new(field),
                    OffsetBuffer::new(offsets.into()),
                    items,
                    nulls,
                )?)
            }
            Values::Map(offsets, keys, values) => {
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
            Values::Object(object) => Arc::new(object.finish(length, nulls)?),
        })
    }
}

impl Values {
    /// Empty values of a type, after `rows` null rows.
    fn new(ty: &FieldType, rows: usize, kept: &Kept) -> Self {
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
            FieldType::String => Self::Text(kept.text()),
            FieldType::Date => Self::Date(Vec::new()),
            FieldType::DateTime => Self::DateTime(Vec::new()),
            FieldType::List(item) => Self::List(vec![0], Box::new(Column::new(item, kept.clone()))),
            FieldType::Map(value) => {
                let mut value = Column::new(value, kept.clone());
                if let Values::Map(_, _, memberships) = &mut value.values
                    && let Values::Object(object) = &mut memberships.values
                {
                    object.membership = object.has("lastQualificationTime");
                    if object.membership
                        && let Some(field) =
                            object.fields.iter_mut().find(|f| f.name == "timestamp")
                    {
                        field.key.clear();
                    }
                }
                Self::Map(vec![0], kept.text(), Box::new(value))
            }
            FieldType::Object(fields) => Self::Object(Object {
                fields: fields
                    .iter()
                    .map(|(name, ty)| Named::new(name, Column::new(ty, kept.of(name))))
                    .collect(),
                cursor: 0,
                membership: false,
                kept: kept.clone(),
            }),
        };
        values.append_defaults(rows);
        values
    }

    /// Values for null rows. An object's fields catch up later.
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
            Self::Text(text) => text.push_empty(n),
            Self::Date(values) => extend(values, n),
            Self::List(offsets, _) | Self::Map(offsets, ..) => {
                let last = offsets.last().copied().unwrap_or(0);
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

impl Object {
    fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name)
    }

    #[inline]
    fn find(&mut self, name: &str, class: Option<Class>) -> usize {
        let expected = self.fields.get(self.cursor);
        let at = if expected.is_some_and(|field| is_same(field.name.as_bytes(), name.as_bytes())) {
            self.cursor
        } else {
            match self.fields.iter().position(|field| field.name == name) {
                Some(at) => at,
                None => {
                    let ty = class
                        .and_then(|class| class.standard_type(name))
                        .unwrap_or(FieldType::Unknown);
                    let column = Column::new(&ty, self.kept.of(name));
                    self.fields.push(Named::new(name, column));
                    self.fields.len() - 1
                }
            }
        };
        self.cursor = at + 1;
        at
    }

    /// The column of a field, ready for its value in row `row`. `class` is given at the root.
    fn begin(
        &mut self,
        row: usize,
        name: &str,
        class: Option<Class>,
    ) -> Result<&mut Column, RecordError> {
        let name = if self.membership && name == "timestamp" {
            "lastQualificationTime"
        } else {
            name
        };
        let at = self.find(name, class);
        let Some(field) = self.fields.get_mut(at) else {
            return Err(RecordError::new("no such field"));
        };
        field.begin(row)?;
        Ok(&mut field.column)
    }

    /// Sets the fields of row `row`, whose column is not the root.
    fn append<'a>(&mut self, row: usize, value: impl Value<'a>) -> Result<(), RecordError> {
        self.cursor = 0;
        let mut entries = value.entries()?;
        while let Some((key, value)) = self.set_likely(row, &mut entries)? {
            match spelling(key) {
                Spelling::Field(name) => self.set(row, name, value, None)?,
                Spelling::Repo(name) => self.set_repo(row, name, value)?,
            }
        }
        Ok(())
    }

    /// Sets fields of row `row` as long as they come in the expected order; returns the first that
    /// does not.
    #[inline]
    fn set_likely<'a, E: Entries<'a>>(
        &mut self,
        row: usize,
        entries: &mut E,
    ) -> Result<Option<(&'a str, E::Value)>, RecordError> {
        loop {
            let mut expected = self.fields.get_mut(self.cursor);
            let likely = expected.as_ref().map_or("", |field| &field.key);
            match entries.next(likely.as_bytes())? {
                None => return Ok(None),
                Some((Key::Named(key), value)) => return Ok(Some((key, value))),
                Some((Key::Likely, value)) => {
                    if let Some(field) = &mut expected {
                        field.set(row, value)?;
                    }
                    self.cursor += 1;
                }
            }
        }
    }

    fn set<'a>(
        &mut self,
        row: usize,
        name: &str,
        value: impl Value<'a>,
        class: Option<Class>,
    ) -> Result<(), RecordError> {
        if name == "_repo" && value.kind()? == Kind::Object {
            // It may come in parts: as an object here and as `repo:` keys beside it.
            let mut entries = value.entries()?;
            while let Some((Key::Named(key), value)) = entries.next(b"")? {
                let (Spelling::Field(name) | Spelling::Repo(name)) = spelling(key);
                self.set_repo(row, name, value)?;
            }
            return Ok(());
        }
        self.begin(row, name, class)?
            .append(value)
            .map_err(|e| e.under(name))
    }

    /// Sets the memberships of row `row` from a top-level field in the array form.
    fn set_segments<'a>(
        &mut self,
        row: usize,
        name: &str,
        value: impl Value<'a>,
        class: Option<Class>,
    ) -> Result<(), RecordError> {
        if name == "segments" {
            // It may be a field of the record's own, or an empty list that says nothing.
            if self.has(name) {
                return self.set(row, name, value, class);
            }
            if !segments::has_members(value)? {
                return Ok(());
            }
        }
        self.begin(row, "segmentMembership", class)
            .and_then(|column| segments::append(column, value))
            .map_err(|e| e.under(name))?;
        value.skip()
    }

    /// Sets a field of the `_repo` object of row `row`.
    fn set_repo<'a>(
        &mut self,
        row: usize,
        name: &str,
        value: impl Value<'a>,
    ) -> Result<(), RecordError> {
        let at = self.find("_repo", None);
        let Some(Named { column, .. }) = self.fields.get_mut(at) else {
            return Ok(());
        };
        if matches!(column.values, Values::Unknown) {
            column.values = Values::Object(Object {
                kept: column.kept.clone(),
                ..Object::default()
            });
        }
        if column.len() < row {
            column.append_nulls(row - column.len());
        }
        if column.len() == row {
            column.nulls.append_non_null();
        }
        match &mut column.values {
            Values::Object(repo) => repo
                .set(row, name, value, None)
                .map_err(|e| e.under("_repo")),
            _ => Err(RecordError::new("expected an object").under("_repo")),
        }
    }

    fn finish(self, length: usize, nulls: Option<NullBuffer>) -> Result<StructArray, ArrowError> {
        let mut fields = Vec::with_capacity(self.fields.len());
        let mut arrays = Vec::with_capacity(self.fields.len());
        for Named {
            name, mut column, ..
        } in self.fields
        {
            column.append_nulls(length.saturating_sub(column.len()));
            let array = column.finish()?;
            fields.push(Field::new(name, array.data_type().clone(), true));
            arrays.push(array);
        }
        StructArray::try_new_with_length(fields.into(), arrays, nulls, length)
    }
}

impl Named {
    /// Makes the column ready for its value in row `row`.
    #[inline]
    fn begin(&mut self, row: usize) -> Result<(), RecordError> {
        let length = self.column.len();
        if length > row {
            return Err(twice(&self.name));
        }
        if length < row {
            self.column.append_nulls(row - length);
        }
        Ok(())
    }

    #[inline]
    fn set<'a>(&mut self, row: usize, value: impl Value<'a>) -> Result<(), RecordError> {
        self.begin(row)?;
        self.column.append(value).map_err(|e| e.under(&self.name))
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
        Kind::Float(_) => FieldType::Double,
        Kind::Text(_) => FieldType::String,
        Kind::Date(_) => FieldType::Date,
        Kind::DateTime(_) => FieldType::DateTime,
        Kind::List => FieldType::List(Box::new(FieldType::Unknown)),
        Kind::Object => FieldType::Object(Fields::default()),
        Kind::Map => FieldType::Map(Box::new(FieldType::Unknown)),
    })
}

fn offset(length: usize) -> Result<i32, RecordError> {
    i32::try_from(length).map_err(|_| RecordError::new("more than 2³¹ items in one load step"))
}

fn twice(name: &str) -> RecordError {
    RecordError::new("appears twice in one object").under(name)
}
