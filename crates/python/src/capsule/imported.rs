//! Arrow data from the other side of the C interface, as arrays of ours.
//!
//! arrow's own reader (`ArrowArrayStreamReader`) panics on an error without a text, and on slices of structs in structs, as
//! pyarrow gives them: to make an array of a struct's data that begins at an offset it cuts the struct's children, and
//! theirs with them, and then cuts those again. So arrays are made here from the inside out.

use std::ffi::CStr;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayData, ArrayRef, RecordBatch, RecordBatchReader, StructArray, make_array,
};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi_and_data_type};
use arrow::ffi_stream::FFI_ArrowArrayStream;

type Result<T, E = ArrowError> = std::result::Result<T, E>;

/// The record batches of a stream.
pub(super) struct Imported {
    stream: FFI_ArrowArrayStream,
    schema: SchemaRef,
}

impl Imported {
    /// Asks the stream for its schema.
    #[expect(unsafe_code, reason = "the stream's functions are another library's")]
    pub(super) fn new(mut stream: FFI_ArrowArrayStream) -> Result<Self> {
        let get_schema = stream.get_schema.ok_or_else(released)?;
        let mut schema = FFI_ArrowSchema::empty();
        // SAFETY: the stream is not released, as it has its functions, and both pointers are of this function's own values.
        let code = unsafe { get_schema(&raw mut stream, &raw mut schema) };
        if code != 0 {
            return Err(said(&mut stream));
        }
        Ok(Self {
            schema: Arc::new(Schema::try_from(&schema)?),
            stream,
        })
    }

    #[expect(unsafe_code, reason = "the stream's functions are another library's")]
    fn take(&mut self) -> Result<Option<RecordBatch>> {
        let get_next = self.stream.get_next.ok_or_else(released)?;
        let mut array = FFI_ArrowArray::empty();
        // SAFETY: as in `new`.
        let code = unsafe { get_next(&raw mut self.stream, &raw mut array) };
        if code != 0 {
            return Err(said(&mut self.stream));
        }
        if array.is_released() {
            return Ok(None);
        }
        batch_of(array, &self.schema).map(Some)
    }
}

impl Iterator for Imported {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.take().transpose()
    }
}

impl RecordBatchReader for Imported {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// The record batch that a struct array of this schema is.
#[expect(
    unsafe_code,
    reason = "what an array's pointers point to is another library's word"
)]
pub(super) fn batch_of(array: FFI_ArrowArray, schema: &SchemaRef) -> Result<RecordBatch> {
    let data_type = DataType::Struct(schema.fields().clone());
    // SAFETY: that the buffers are what the schema says is the other side's promise, which is what the interface is.
    let data = unsafe { from_ffi_and_data_type(array, data_type) }?;
    let rows = struct_of(&data)?;
    if rows.null_count() > 0 {
        let problem = "rows that are null are no records".to_owned();
        return Err(ArrowError::InvalidArgumentError(problem));
    }
    let length = rows.len();
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(length));
    RecordBatch::try_new_with_options(Arc::clone(schema), rows.into_parts().1, &options)
}

/// The array of some data, made from the inside out.
#[expect(
    unsafe_code,
    reason = "to check all texts again would cost more than to load them"
)]
fn array_of(data: &ArrayData) -> Result<ArrayRef> {
    if data.child_data().is_empty() {
        return Ok(make_array(data.clone()));
    }
    if matches!(data.data_type(), DataType::Struct(_)) {
        return Ok(Arc::new(struct_of(data)?));
    }
    let children = data.child_data().iter();
    let children = children.map(|child| Ok(array_of(child)?.to_data()));
    let builder = data.clone().into_builder();
    let builder = builder.child_data(children.collect::<Result<_>>()?);
    // SAFETY: the children have the types, lengths and values that they had.
    Ok(make_array(unsafe { builder.build_unchecked() }))
}

/// The same of a struct: its children have rows before its first one, and behind its last.
///
/// ```text
///   offset 1, length 2   child [a, b, c, d]   →   [b, c]
/// ```
fn struct_of(data: &ArrayData) -> Result<StructArray> {
    let DataType::Struct(fields) = data.data_type() else {
        let problem = format!(
            "found an array of the type {}; expected rows",
            data.data_type()
        );
        return Err(ArrowError::SchemaError(problem));
    };
    let (offset, length) = (data.offset(), data.len());
    let columns = data.child_data().iter().map(|child| {
        if child.len() < offset + length {
            let problem = format!(
                "a field of {} values in a struct of {}",
                child.len(),
                offset + length
            );
            return Err(ArrowError::InvalidArgumentError(problem));
        }
        Ok(array_of(child)?.slice(offset, length))
    });
    let columns = columns.collect::<Result<_>>()?;
    StructArray::try_new_with_length(fields.clone(), columns, data.nulls().cloned(), length)
}

/// What the other side says of its last error.
#[expect(unsafe_code, reason = "the stream's functions are another library's")]
fn said(stream: &mut FFI_ArrowArrayStream) -> ArrowError {
    let text = stream.get_last_error.and_then(|get_last_error| {
        // SAFETY: the stream is not released. The text, if there is one, ends in a zero and lives until the next call.
        unsafe {
            let text = get_last_error(&raw mut *stream);
            (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
        }
    });
    ArrowError::CDataInterface(
        text.unwrap_or_else(|| "the source failed without a word".to_owned()),
    )
}

fn released() -> ArrowError {
    ArrowError::CDataInterface("it was taken before; give it anew".to_owned())
}
