use arrow::array::{Array, AsArray, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::Field;
use arrow::error::ArrowError;
use xdm::{Class, FieldType, Fields, Spelling, spelling};

use crate::arrow_column::ArrowColumn;
use crate::column_builder::{ColumnBuilder, ColumnValues};
use crate::field_order::FieldOrder;
use crate::is_same;
use crate::segments;
use crate::selection::ColumnTerms;
use crate::value::{Key, Kind, ObjectEntries, RecordError, Value};

/// How many different fields an object may have: more are keys that are data.
pub const MOST_FIELDS: usize = 1000;

#[derive(Default)]
pub(crate) struct ObjectBuilder {
    fields: Vec<FieldBuilder>,
    order: FieldOrder,
    /// Whether this is an entry of segmentMembership, whose older form says `timestamp` for
    /// `lastQualificationTime`.
    membership: bool,
    pub(crate) terms: ColumnTerms,
    /// The top-level field that this object is the value of, whose children XDM may know.
    top: Option<String>,
}

struct FieldBuilder {
    name: String,
    /// The name as a key in JSON, by which the field is known at once; empty where a key of this name
    /// is not simply this field's.
    key: String,
    column: ColumnBuilder,
}

impl FieldBuilder {
    fn new(name: &str, column: ColumnBuilder) -> Self {
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

impl ObjectBuilder {
    /// An object with these fields, before its first row.
    pub(crate) fn new(fields: &Fields, terms: &ColumnTerms) -> Self {
        Self {
            fields: fields
                .iter()
                .map(|(name, ty)| FieldBuilder::new(name, ColumnBuilder::new(ty, terms.of(name))))
                .collect(),
            order: FieldOrder::new(fields.iter().count()),
            membership: false,
            terms: terms.clone(),
            top: None,
        }
    }

    /// Says that its fields are the top-level ones.
    pub(crate) fn at_top(mut self) -> Self {
        for field in &mut self.fields {
            field.column.set_top(&field.name);
        }
        self
    }

    pub(crate) fn set_top(&mut self, name: &str) {
        self.top = Some(name.to_owned());
    }

    /// An object of a map of maps is an entry of segmentMembership where it has the field that these have.
    pub(crate) fn mark_membership(&mut self) {
        self.membership = self.has("lastQualificationTime");
        if self.membership
            && let Some(field) = self.fields.iter_mut().find(|f| f.name == "timestamp")
        {
            field.key.clear();
        }
    }

    /// The types of its fields as they are now.
    pub(crate) fn types(&self) -> Fields {
        self.fields
            .iter()
            .map(|field| (field.name.clone(), field.column.field_type()))
            .collect()
    }

    fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name)
    }

    /// Says that the next field is the first of a row.
    #[inline]
    pub(crate) fn begin_row(&mut self) {
        self.order.begin_row();
    }

    #[inline]
    fn find(&mut self, name: &str, class: Option<Class>) -> Result<usize, RecordError> {
        let likely = self.order.likely();
        let expected = self.fields.get(likely);
        if expected.is_some_and(|field| is_same(field.name.as_bytes(), name.as_bytes())) {
            self.order.step();
            return Ok(likely);
        }
        let known = self.order.place(name, &self.fields, |field| &field.name);
        let at = match known {
            Some(at) => at,
            None => self.add(name, class)?,
        };
        self.order.step_to(at);
        Ok(at)
    }

    fn add(&mut self, name: &str, class: Option<Class>) -> Result<usize, RecordError> {
        if self.fields.len() >= MOST_FIELDS {
            return Err(RecordError::too_many_fields());
        }
        let ty = match (class, &self.top) {
            (Some(class), _) => class.standard_type(name),
            (None, Some(top)) => xdm::standard_child(top, name),
            (None, None) => None,
        };
        let ty = ty.unwrap_or(FieldType::Unknown);
        let mut column = ColumnBuilder::new(&ty, self.terms.of(name));
        if class.is_some() {
            column.set_top(name);
        }
        self.fields.push(FieldBuilder::new(name, column));
        self.terms.grow();
        Ok(self.fields.len() - 1)
    }

    /// The column of a field, ready for its value in row `row`. `class` is given at the root.
    pub(crate) fn begin(
        &mut self,
        row: usize,
        name: &str,
        class: Option<Class>,
    ) -> Result<&mut ColumnBuilder, RecordError> {
        let name = if self.membership && name == "timestamp" {
            "lastQualificationTime"
        } else {
            name
        };
        let at = self.find(name, class)?;
        let Some(field) = self.fields.get_mut(at) else {
            return Err(RecordError::new("no such field"));
        };
        field.begin(row)?;
        Ok(&mut field.column)
    }

    /// Sets the fields of row `row`, whose column is not the root.
    pub(crate) fn append<'a>(
        &mut self,
        row: usize,
        value: impl Value<'a>,
    ) -> Result<(), RecordError> {
        self.begin_row();
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
    pub(crate) fn set_likely<'a, E: ObjectEntries<'a>>(
        &mut self,
        row: usize,
        entries: &mut E,
    ) -> Result<Option<(&'a str, E::Value)>, RecordError> {
        loop {
            let mut expected = self.fields.get_mut(self.order.likely());
            let likely = expected.as_ref().map_or("", |field| &field.key);
            match entries.next(likely.as_bytes())? {
                None => return Ok(None),
                Some((Key::Named(key), value)) => return Ok(Some((key, value))),
                Some((Key::Likely, value)) => {
                    if let Some(field) = &mut expected {
                        field.set(row, value)?;
                    }
                    self.order.step();
                }
            }
        }
    }

    pub(crate) fn set<'a>(
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
    pub(crate) fn set_segments<'a>(
        &mut self,
        row: usize,
        name: &str,
        value: impl Value<'a>,
        class: Option<Class>,
    ) -> Result<(), RecordError> {
        self.begin(row, "segmentMembership", class)
            .and_then(|column| segments::append(column, value))
            .map_err(|e| e.under(name))?;
        value.skip()
    }

    /// Sets a field of the `_repo` object of row `row`.
    pub(crate) fn set_repo<'a>(
        &mut self,
        row: usize,
        name: &str,
        value: impl Value<'a>,
    ) -> Result<(), RecordError> {
        let at = self.find("_repo", None)?;
        let FieldBuilder { column, .. } = &mut self.fields[at];
        if matches!(column.values, ColumnValues::Unknown) {
            column.values = ColumnValues::Object(ObjectBuilder {
                terms: column.terms.clone(),
                ..ObjectBuilder::default()
            });
            column.terms.grow();
        }
        if column.len() < row {
            column.append_nulls(row - column.len());
        }
        if column.len() == row {
            column.nulls.append_non_null();
        } else if !column.nulls.is_valid(row) {
            // It came as a null before.
            return Err(RecordError::twice("_repo"));
        }
        match &mut column.values {
            ColumnValues::Object(repo) => repo
                .set(row, name, value, None)
                .map_err(|e| e.under("_repo")),
            _ => Err(RecordError::new("expected an object").under("_repo")),
        }
    }

    /// Which field each of a struct's columns is of, by the columns' numbers, where whole columns may be
    /// taken in. They may not where a row decides what a column is: one of a field that is not known, or of a
    /// part of `_repo`, two of one field.
    pub(crate) fn columns_of(
        &mut self,
        columns: &StructArray,
        nulls: Option<&NullBuffer>,
    ) -> Option<Vec<(usize, usize)>> {
        let mut found = Vec::with_capacity(columns.num_columns());
        let mut taken = vec![false; self.fields.len()];
        self.begin_row();
        for (number, (field, column)) in columns.fields().iter().zip(columns.columns()).enumerate()
        {
            let name = match spelling(field.name()) {
                Spelling::Field(name) if name != "_repo" => name,
                _ => return None,
            };
            if self.membership && name == "timestamp" {
                return None;
            }
            let likely = self.order.likely();
            let at = match self.fields.get(likely) {
                Some(expected) if expected.name == name => {
                    self.order.step();
                    likely
                }
                _ => match self.order.place(name, &self.fields, |field| &field.name) {
                    Some(at) => {
                        self.order.step_to(at);
                        at
                    }
                    // No row has it.
                    None if is_all_null(column.as_ref(), nulls) => continue,
                    None => return None,
                },
            };
            if std::mem::replace(&mut taken[at], true) {
                return None;
            }
            found.push((at, number));
        }
        Some(found)
    }

    /// Takes in whole columns, as [`Self::columns_of`] found them, whose rows begin with `row`.
    pub(crate) fn append_columns(
        &mut self,
        row: usize,
        object: ArrowColumn<'_>,
        nulls: Option<&NullBuffer>,
        columns: &[(usize, usize)],
    ) -> Result<(), RecordError> {
        let of = object.array.as_struct();
        for (at, number) in columns {
            let (field, array) = (&of.fields()[*number], &of.columns()[*number]);
            let builder = &mut self.fields[*at];
            builder.begin(row)?;
            let column = object.inner(field, array.as_ref(), nulls);
            (builder.column.append_column(column)).map_err(|e| e.under(&builder.name))?;
        }
        Ok(())
    }

    pub(crate) fn finish(
        self,
        length: usize,
        nulls: Option<NullBuffer>,
    ) -> Result<StructArray, ArrowError> {
        let mut fields = Vec::with_capacity(self.fields.len());
        let mut arrays = Vec::with_capacity(self.fields.len());
        for FieldBuilder {
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

/// Whether an array has no value in the rows that count.
fn is_all_null(array: &dyn Array, nulls: Option<&NullBuffer>) -> bool {
    let nulls = NullBuffer::union(array.nulls(), nulls);
    nulls.map_or(0, |nulls| nulls.null_count()) == array.len()
}

impl FieldBuilder {
    /// Makes the column ready for its value in row `row`.
    #[inline]
    fn begin(&mut self, row: usize) -> Result<(), RecordError> {
        let length = self.column.len();
        if length > row {
            return Err(RecordError::twice(&self.name));
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
