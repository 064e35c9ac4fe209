//! A query's columns as those of what they are written into.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use profile_export::export::INGESTED_AT;

use crate::dialect::{Code, Error};
use crate::exact::changed;

/// Columns as they are written: each is made of one of a query's, or of nothing.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) schema: SchemaRef,
    /// The number of a query's column for each.
    pub(crate) sources: Vec<Option<usize>>,
}

impl Shape {
    /// A query's rows as they are written; `before` them there were so many.
    ///
    /// # Errors
    /// A value that the column's type can't hold.
    pub(crate) fn apply(&self, rows: &RecordBatch, before: u64) -> Result<RecordBatch, Error> {
        // What can't be is an error, not a null.
        let options = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        let columns = self.schema.fields().iter().zip(&self.sources);
        let failed = |error: ArrowError| Error::new(Code::DatatypeMismatch, error.to_string());
        let columns = columns.map(|(field, source)| {
            let Some(number) = source else {
                return Ok(new_null_array(field.data_type(), rows.num_rows()));
            };
            let column = rows.column(*number);
            if column.data_type() == field.data_type() {
                return Ok(Arc::clone(column));
            }
            if *column.data_type() == DataType::Null {
                return Ok(new_null_array(field.data_type(), rows.num_rows()));
            }
            let stored = stored_type(column.data_type());
            let column = cast_with_options(column, &stored, &options).map_err(failed)?;
            if let Some((row, value)) = changed(&*column, field.data_type()) {
                let message = format!(
                    "row {}: column {:?} is {}, which can't hold {value} as it is (a cast makes another of it); \
                     nothing is written",
                    before + row as u64 + 1,
                    field.name(),
                    field.data_type()
                );
                return Err(Error::new(Code::BadRow, message));
            }
            cast_with_options(&column, field.data_type(), &options).map_err(failed)
        });
        let columns = columns.collect::<Result<Vec<ArrayRef>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(failed)
    }
}

/// The names of a query's columns, by INSERT's list or as they are.
fn names<'a>(query: &'a Fields, columns: &'a [String]) -> Result<Vec<&'a str>, Error> {
    let names: Vec<&str> = match columns {
        [] => query.iter().map(|field| field.name().as_str()).collect(),
        columns if columns.len() == query.len() => columns.iter().map(String::as_str).collect(),
        columns => {
            let message = format!(
                "INSERT names {} columns, and the query has {}",
                columns.len(),
                query.len()
            );
            return Err(Error::new(Code::Syntax, message));
        }
    };
    unique(names.iter().copied())?;
    Ok(names)
}

/// Refuses names that differ in their case at the most.
pub(crate) fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    let mut known = HashSet::new();
    for name in names {
        if !known.insert(name.to_lowercase()) {
            let message =
                format!("two columns are called {name:?}; give one of them another name by AS");
            return Err(Error::new(Code::DuplicateColumn, message));
        }
    }
    Ok(())
}

/// A query's columns as records: a field each, of those that are known; others, too, where the dataset `is_open`.
///
/// # Errors
/// A column that is none of the dataset's, two of one name, a list of another length.
pub(crate) fn as_records(
    query: &Fields,
    known: &[String],
    columns: &[String],
    is_open: bool,
) -> Result<Shape, Error> {
    let fields = names(query, columns)?.into_iter().zip(query.iter()).map(|(name, column)| {
        if name.eq_ignore_ascii_case(INGESTED_AT) {
            let message = format!(
                "{INGESTED_AT} says when records came in, and is no field of theirs; leave the column out"
            );
            return Err(Error::new(Code::UndefinedColumn, message));
        }
        let own = known.iter().find(|own| own.to_lowercase() == name.to_lowercase());
        let name = match own {
            Some(own) => own,
            None if is_open => name,
            None => return Err(no_column(name)),
        };
        Ok(Field::new(name, column.data_type().clone(), true))
    });
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    Ok(Shape {
        schema: Arc::new(Schema::new(fields)),
        sources: (0..query.len()).map(Some).collect(),
    })
}

fn no_column(name: &str) -> Error {
    let message = format!(
        "the table has no column {name:?}; name the query's columns by AS, or list the table's behind its name"
    );
    Error::new(Code::UndefinedColumn, message)
}

/// A query's columns as those of a table that has some.
///
/// # Errors
/// A column that the table lacks, or has of another type; two of one name, a list of another length.
pub(crate) fn as_table(query: &Fields, table: &Fields, columns: &[String]) -> Result<Shape, Error> {
    let names = names(query, columns)?;
    let find = |wanted: &str| {
        names
            .iter()
            .position(|name| name.to_lowercase() == wanted.to_lowercase())
    };
    if let Some(name) = names.iter().find(|name| {
        !table
            .iter()
            .any(|field| field.name().to_lowercase() == name.to_lowercase())
    }) {
        return Err(no_column(name));
    }
    let mut sources = Vec::with_capacity(table.len());
    for field in table {
        let source = find(field.name());
        if let Some(number) = source
            && !fits(query[number].data_type(), field.data_type())
        {
            let message = format!(
                "column {:?} is {}, and the query's is {}: a cast makes one of the other",
                field.name(),
                field.data_type(),
                query[number].data_type()
            );
            return Err(Error::new(Code::DatatypeMismatch, message));
        }
        sources.push(source);
    }
    Ok(Shape {
        schema: Arc::new(Schema::new(table.clone())),
        sources,
    })
}

/// Whether values of a type can be written into a column without becoming others.
fn fits(from: &DataType, to: &DataType) -> bool {
    use DataType::{
        Date32, Decimal128, Float32, Float64, Int8, Int16, Int32, Int64, LargeList, List, Map,
        Null, Struct, Timestamp,
    };
    let to = stored_type(to);
    if *from == Null || stored_type(from) == to {
        return true;
    }
    let all = |from: &Fields, to: &Fields| {
        from.len() == to.len()
            && std::iter::zip(from, to).all(|(from, to)| fits(from.data_type(), to.data_type()))
    };
    match (from, &to) {
        (List(from) | LargeList(from), List(to)) => fits(from.data_type(), to.data_type()),
        (Struct(from), Struct(to)) => {
            std::iter::zip(from, to).all(|(from, to)| from.name() == to.name()) && all(from, to)
        }
        (Map(from, _), Map(to, _)) => match (from.data_type(), to.data_type()) {
            (Struct(from), Struct(to)) => all(from, to),
            _ => false,
        },
        _ => matches!(
            (stored_type(from), to),
            // A number that is too great is an error when it comes.
            (Int8 | Int16 | Int32 | Int64, Int8 | Int16 | Int32 | Int64)
                | (
                    Int8 | Int16 | Int32 | Int64 | Float32 | Decimal128(..),
                    Float64
                )
                | (Date32, Timestamp(..))
        ),
    }
}

/// Refuses what no file has: structs without fields.
///
/// # Errors
/// A column that is one, or has one in it.
pub(crate) fn check_types(schema: &Schema) -> Result<(), Error> {
    fn is_empty(ty: &DataType) -> bool {
        match ty {
            DataType::Struct(fields) => {
                fields.is_empty() || fields.iter().any(|field| is_empty(field.data_type()))
            }
            DataType::List(item) | DataType::Map(item, _) => is_empty(item.data_type()),
            _ => false,
        }
    }
    match schema
        .fields()
        .iter()
        .find(|field| is_empty(field.data_type()))
    {
        None => Ok(()),
        Some(field) => {
            let message = format!("column {:?} has a struct without fields", field.name());
            Err(Error::new(Code::DatatypeMismatch, message))
        }
    }
}

/// The type that a file has for values of a type: one that every reader of Parquet knows, and that this dialect reads again
/// as what it was.
pub(crate) fn stored_type(ty: &DataType) -> DataType {
    let list = |item: &Field| {
        let item = Field::new("element", stored_type(item.data_type()), true);
        DataType::List(Arc::new(item))
    };
    match ty {
        // What is always null.
        DataType::Null | DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::Date64 => DataType::Date32,
        DataType::Timestamp(..) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        DataType::Dictionary(_, values) => stored_type(values),
        DataType::RunEndEncoded(_, values) => stored_type(values.data_type()),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => list(item),
        DataType::Struct(fields) => DataType::Struct(stored_fields(fields)),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(parts) if parts.len() == 2 => {
                let parts: Fields = vec![
                    Field::new("key", stored_type(parts[0].data_type()), false),
                    Field::new("value", stored_type(parts[1].data_type()), true),
                ]
                .into();
                let entries = Field::new("key_value", DataType::Struct(parts), false);
                DataType::Map(Arc::new(entries), false)
            }
            _ => ty.clone(),
        },
        other => other.clone(),
    }
}

pub(crate) fn stored_fields(fields: &Fields) -> Fields {
    let stored = fields
        .iter()
        .map(|field| Field::new(field.name(), stored_type(field.data_type()), true));
    stored.collect()
}
