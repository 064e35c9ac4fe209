use arrow::array::{Array, ArrayRef, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::error::ArrowError;
use xdm::{Class, Fields, Spelling, spelling};

use crate::arrow_column::{ArrowColumn, Reading};
use crate::object_builder::ObjectBuilder;
use crate::segments::{self, Form};
use crate::selection::{ColumnTerms, FieldSelection};
use crate::value::{Kind, RecordError, Value};

/// Typed columns that grow record by record.
///
/// A field's type is what the union schema says, else what its first value is; integers widen to
/// float64 when they meet a fraction. After an error the columns hold a part of the record and must
/// be thrown away.
pub(crate) struct RecordBuilder {
    fields: ObjectBuilder,
    rows: usize,
    class: Class,
}

impl RecordBuilder {
    /// Empty columns for records of a class with these known types.
    pub(crate) fn new(class: Class, types: &Fields, kept: FieldSelection) -> Self {
        Self {
            fields: ObjectBuilder::new(types, &ColumnTerms::new(kept)).at_top(),
            rows: 0,
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
        let row = self.rows;
        self.rows += 1;
        let object = &mut self.fields;
        object.begin_row();
        let mut entries = record.entries()?;
        while let Some((key, value)) = object.set_likely(row, &mut entries)? {
            match spelling(key) {
                Spelling::Field(name) => match segments::form_of(name, value)? {
                    Form::Memberships => object.set_segments(row, name, value, class)?,
                    Form::Nothing => {}
                    Form::Field => object.set(row, name, value, class)?,
                },
                Spelling::Repo(name) => object.set_repo(row, name, value)?,
            }
        }
        Ok(())
    }

    /// Takes in the records of a batch, column by column; false where they have to be taken one by one.
    pub(crate) fn append_batch(
        &mut self,
        batch: &StructArray,
        reading: Reading<'_>,
    ) -> Result<bool, RecordError> {
        let memberships = ["segmentMembership", "segments"];
        let is_of_rows = |(field, column): (&FieldRef, &ArrayRef)| match spelling(field.name()) {
            // In the form of a list it may be anything.
            Spelling::Field(name) if memberships.contains(&name) => {
                !matches!(column.data_type(), DataType::Map(..) | DataType::Struct(_))
            }
            Spelling::Field(_) => false,
            Spelling::Repo(_) => true,
        };
        let mut columns = batch.fields().iter().zip(batch.columns());
        if batch.nulls().is_some() || columns.any(is_of_rows) {
            return Ok(false);
        }
        let Some(columns) = self.fields.columns_of(batch, None) else {
            return Ok(false);
        };
        let row = self.rows;
        self.rows += batch.len();
        let records = Field::new("", batch.data_type().clone(), false);
        let records = ArrowColumn {
            field: &records,
            array: batch,
            shown: None,
            reading,
        };
        self.fields.append_columns(row, records, None, &columns)?;
        Ok(true)
    }

    /// How often the types have grown: they are what they were where this is what it was.
    pub(crate) fn growth(&self) -> u64 {
        self.fields.terms.growth()
    }

    /// The types as they are now.
    pub(crate) fn types(&self) -> Fields {
        self.fields.types()
    }

    /// The records as one struct array; fields that are not kept have the type Null in it.
    pub(crate) fn finish(self) -> Result<StructArray, ArrowError> {
        self.fields.finish(self.rows, None)
    }
}
