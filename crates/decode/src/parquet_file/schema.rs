//! As what a Parquet file's columns are read.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, TimeUnit};
use parquet::arrow::{
    FieldLevels, ProjectionMask, parquet_to_arrow_field_levels, parquet_to_arrow_schema,
    parquet_to_arrow_schema_by_columns,
};
use parquet::basic::{ConvertedType, LogicalType, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::file::metadata::FileMetaData;
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor, Type, TypePtr};

use super::{Problem, unreadable};
use crate::arrow_types::{UUID, Unmapped, is_uuid, type_of};

/// Arrow's name for a field's extension type in the field's metadata.
const EXTENSION_NAME: &str = "ARROW:extension:name";

/// As what a file is read.
pub(super) struct ReadAs {
    pub(super) fields: Fields,
    pub(super) levels: FieldLevels,
    /// The leaf columns of INT96 timestamps.
    pub(super) int96: Vec<usize>,
}

/// Decides as what each column is read, or refuses the file.
///
/// - Texts and bytes come as views into their pages and dictionaries, so that one long value that many rows
///   share is in memory once; they are taken for bytes, and whether they are text is found out where the
///   record is known.
/// - Dictionaries come as their values.
/// - INT96 comes in microseconds: nanoseconds end in the year 2262.
/// - What is a UUID by its Parquet type says so in its Arrow field.
pub(super) fn read_as(file: &FileMetaData) -> Result<ReadAs, Problem> {
    let columns = file.schema_descr();
    let schema = parquet_to_arrow_schema(columns, file.key_value_metadata())
        .map_err(|error| unreadable_column(file).unwrap_or_else(|| unreadable(error)))?;
    let mut reading = Reading {
        columns,
        next: 0,
        int96: Vec::new(),
    };
    let fields = reading.fields(schema.fields())?;
    for field in &fields {
        type_of(field)?;
    }
    let Reading { int96, .. } = reading;
    let plain = plain(columns.root_schema()).map_err(unreadable)?;
    let levels = parquet_to_arrow_field_levels(
        &SchemaDescriptor::new(plain),
        ProjectionMask::all(),
        Some(&fields),
    )
    .map_err(unreadable)?;
    Ok(ReadAs {
        fields,
        levels,
        int96,
    })
}

/// The column that the parquet crate can't read, where it is one.
fn unreadable_column(file: &FileMetaData) -> Option<Problem> {
    let columns = file.schema_descr();
    (0..columns.num_columns()).find_map(|leaf| {
        let mask = ProjectionMask::leaves(columns, [leaf]);
        let error = parquet_to_arrow_schema_by_columns(columns, mask, None).err()?;
        let path = columns.column(leaf).path().string();
        Some(Problem(format!("column {path} is not readable: {error}")))
    })
}

/// A walk over the fields of an Arrow schema, whose leaves are the file's columns in their order.
struct Reading<'a> {
    columns: &'a SchemaDescriptor,
    next: usize,
    int96: Vec<usize>,
}

impl Reading<'_> {
    fn fields(&mut self, fields: &Fields) -> Result<Fields, Unmapped> {
        fields.iter().map(|field| self.field(field)).collect()
    }

    fn field(&mut self, field: &Field) -> Result<FieldRef, Unmapped> {
        self.read_as(field)
            .map(Arc::new)
            .map_err(|unmapped| unmapped.under(field.name()))
    }

    /// The same for what has no name of its own in paths: a list's items, a map's entries.
    fn unnamed(&mut self, field: &Field) -> Result<FieldRef, Unmapped> {
        self.read_as(field).map(Arc::new)
    }

    fn read_as(&mut self, field: &Field) -> Result<Field, Unmapped> {
        let data_type = match field.data_type() {
            DataType::Struct(fields) => DataType::Struct(self.fields(fields)?),
            DataType::List(item) => DataType::List(self.unnamed(item)?),
            DataType::LargeList(item) => DataType::LargeList(self.unnamed(item)?),
            DataType::ListView(item) => DataType::ListView(self.unnamed(item)?),
            DataType::LargeListView(item) => DataType::LargeListView(self.unnamed(item)?),
            DataType::FixedSizeList(item, size) => {
                DataType::FixedSizeList(self.unnamed(item)?, *size)
            }
            DataType::Map(entries, sorted) => DataType::Map(self.unnamed(entries)?, *sorted),
            _ => return self.leaf(field),
        };
        Ok(field.clone().with_data_type(data_type))
    }

    fn leaf(&mut self, field: &Field) -> Result<Field, Unmapped> {
        let leaf = self.next;
        self.next += 1;
        if leaf >= self.columns.num_columns() {
            return Err(Unmapped::new("has no column in the file"));
        }
        let column = self.columns.column(leaf);
        if let Some(name) = unmapped_annotation(&column) {
            return Err(Unmapped::of(name));
        }
        let mut data_type = match field.data_type() {
            DataType::Dictionary(_, values) => values.as_ref().clone(),
            other => other.clone(),
        };
        match (column.physical_type(), &data_type) {
            (PhysicalType::INT96, _) => {
                self.int96.push(leaf);
                data_type = DataType::Timestamp(TimeUnit::Microsecond, None);
            }
            (
                PhysicalType::BYTE_ARRAY,
                DataType::Utf8
                | DataType::LargeUtf8
                | DataType::Utf8View
                | DataType::Binary
                | DataType::LargeBinary,
            ) => data_type = DataType::BinaryView,
            _ => {}
        }
        let mut field = field.clone().with_data_type(data_type);
        if column.logical_type_ref() == Some(&LogicalType::Uuid) && !is_uuid(&field) {
            let mut metadata = field.metadata().clone();
            metadata.insert(EXTENSION_NAME.to_owned(), UUID.to_owned());
            field.set_metadata(metadata);
        }
        Ok(field)
    }
}

/// The name of an annotation that says of bytes that they are something else than text.
fn unmapped_annotation(column: &ColumnDescriptor) -> Option<&'static str> {
    match (column.logical_type_ref(), column.converted_type()) {
        (Some(LogicalType::Bson), _) | (None, ConvertedType::BSON) => Some("BSON"),
        (Some(LogicalType::Geometry(_)), _) => Some("GEOMETRY"),
        (Some(LogicalType::Geography(_)), _) => Some("GEOGRAPHY"),
        (Some(LogicalType::_Unknown { .. }), _) => Some("of a newer version of Parquet"),
        _ => None,
    }
}

/// The same schema, whose texts are plain bytes to the parquet crate: it fails the whole file for one text
/// that is no UTF-8, and does not check those that are annotated as JSON or not at all.
fn plain(ty: &Type) -> Result<TypePtr, ParquetError> {
    let info = ty.get_basic_info();
    let id = info.has_id().then(|| info.id());
    match ty {
        Type::GroupType { fields, .. } => {
            let fields = fields
                .iter()
                .map(|field| plain(field))
                .collect::<Result<_, _>>()?;
            let mut group = Type::group_type_builder(ty.name())
                .with_logical_type(info.logical_type_ref().cloned())
                .with_converted_type(info.converted_type())
                .with_fields(fields)
                .with_id(id);
            if info.has_repetition() {
                group = group.with_repetition(info.repetition());
            }
            group.build().map(Arc::new)
        }
        Type::PrimitiveType {
            physical_type: PhysicalType::BYTE_ARRAY,
            ..
        } if is_text(ty) => Type::primitive_type_builder(ty.name(), PhysicalType::BYTE_ARRAY)
            .with_repetition(info.repetition())
            .with_id(id)
            .build()
            .map(Arc::new),
        Type::PrimitiveType { .. } => Ok(Arc::new(ty.clone())),
    }
}

fn is_text(ty: &Type) -> bool {
    let info = ty.get_basic_info();
    match info.logical_type_ref() {
        Some(logical) => matches!(
            logical,
            LogicalType::String | LogicalType::Json | LogicalType::Enum
        ),
        None => matches!(
            info.converted_type(),
            ConvertedType::UTF8 | ConvertedType::JSON | ConvertedType::ENUM
        ),
    }
}
