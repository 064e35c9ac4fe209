//! Arrow's C interface in Python's capsules: the only unsafe code here.
//!
//! A capsule holds a structure of Arrow's and frees it when nobody took what is in it. Source: Arrow's PyCapsule
//! interface, which names the capsules and says that whoever takes a structure leaves a released one behind.

mod imported;

use std::ffi::CStr;
use std::ptr::NonNull;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch, RecordBatchIterator, RecordBatchReader, StructArray};
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema, to_ffi};
use arrow::ffi_stream::FFI_ArrowArrayStream;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple};

use self::imported::{Imported, batch_of};

const SCHEMA: &CStr = c"arrow_schema";
const ARRAY: &CStr = c"arrow_array";
const STREAM: &CStr = c"arrow_array_stream";

/// A reader of record batches that came from Python.
pub(crate) type Reader = Box<dyn RecordBatchReader + Send>;

/// A schema as `__arrow_c_schema__` gives it.
pub(crate) fn of_schema<'py>(py: Python<'py>, schema: &Schema) -> PyResult<Bound<'py, PyCapsule>> {
    let schema = FFI_ArrowSchema::try_from(schema).map_err(refused)?;
    PyCapsule::new_with_value(py, schema, SCHEMA)
}

/// A record batch as `__arrow_c_array__` gives it: its schema and its rows.
pub(crate) fn of_batch<'py>(py: Python<'py>, batch: &RecordBatch) -> PyResult<Bound<'py, PyTuple>> {
    let rows = StructArray::from(batch.clone()).into_data();
    let (array, _) = to_ffi(&rows).map_err(refused)?;
    let array = PyCapsule::new_with_value(py, array, ARRAY)?;
    // That of the batch has its metadata, too.
    PyTuple::new(py, [of_schema(py, &batch.schema())?, array])
}

/// A stream as `__arrow_c_stream__` gives it.
pub(crate) fn of_stream(py: Python<'_>, reader: Reader) -> PyResult<Bound<'_, PyCapsule>> {
    PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(reader), STREAM)
}

/// The rows of an object of Python's that has `__arrow_c_stream__` (a table, a frame, a reader) or `__arrow_c_array__` (a
/// record batch). What it says of its memory is believed, as the interface has it.
pub(crate) fn reader_of(object: &Bound<'_, PyAny>) -> PyResult<Reader> {
    if object.hasattr("__arrow_c_stream__")? {
        let capsule = object.call_method0("__arrow_c_stream__")?;
        return stream_in(capsule.cast::<PyCapsule>()?);
    }
    if object.hasattr("__arrow_c_array__")? {
        let pair = object.call_method0("__arrow_c_array__")?;
        let pair = pair.cast::<PyTuple>()?;
        let batch = batch_in(&pair.get_item(0)?, &pair.get_item(1)?)?;
        let schema = batch.schema();
        return Ok(Box::new(RecordBatchIterator::new([Ok(batch)], schema)));
    }
    Err(PyTypeError::new_err(format!(
        "found {}; expected Arrow data: what has __arrow_c_stream__ or __arrow_c_array__, such as a pyarrow.Table, a \
         polars.DataFrame or a pandas.DataFrame",
        object.get_type().qualname()?
    )))
}

/// The schema of an object that has `__arrow_c_schema__`.
pub(crate) fn schema_of(object: &Bound<'_, PyAny>) -> PyResult<Schema> {
    if !object.hasattr("__arrow_c_schema__")? {
        return Err(PyTypeError::new_err(format!(
            "found {}; expected an Arrow schema: what has __arrow_c_schema__, such as a pyarrow.Schema",
            object.get_type().qualname()?
        )));
    }
    let capsule = object.call_method0("__arrow_c_schema__")?;
    schema_in(&capsule)
}

#[expect(
    unsafe_code,
    reason = "what a capsule holds is known by its name alone"
)]
fn schema_in(capsule: &Bound<'_, PyAny>) -> PyResult<Schema> {
    let found = pointer::<FFI_ArrowSchema>(capsule, SCHEMA)?;
    // SAFETY: a capsule of this name holds an ArrowSchema as long as it lives, and it lives: `capsule` is borrowed. Python's
    // lock is held, so nobody takes it meanwhile; it is only read.
    let found = unsafe { found.as_ref() };
    Schema::try_from(found).map_err(refused)
}

#[expect(
    unsafe_code,
    reason = "what a capsule holds is known by its name alone"
)]
fn stream_in(capsule: &Bound<'_, PyCapsule>) -> PyResult<Reader> {
    let found = pointer::<FFI_ArrowArrayStream>(capsule, STREAM)?;
    // SAFETY: a capsule of this name holds an ArrowArrayStream, alive as above. It is moved out, and a released one is left
    // behind, so it is released once.
    let stream = unsafe { FFI_ArrowArrayStream::from_raw(found.as_ptr()) };
    Ok(Box::new(Imported::new(stream).map_err(refused)?))
}

#[expect(
    unsafe_code,
    reason = "what a capsule holds is known by its name alone"
)]
fn batch_in(schema: &Bound<'_, PyAny>, array: &Bound<'_, PyAny>) -> PyResult<RecordBatch> {
    let schema = Arc::new(schema_in(schema)?);
    let array = pointer::<FFI_ArrowArray>(array, ARRAY)?;
    // SAFETY: a capsule of this name holds an ArrowArray, alive as above. It is moved out, and a released one is left behind.
    let array = unsafe { FFI_ArrowArray::from_raw(array.as_ptr()) };
    if array.is_released() {
        return Err(PyValueError::new_err("it was taken before; give it anew"));
    }
    batch_of(array, &schema).map_err(refused)
}

/// Where the structure of a capsule is.
fn pointer<T>(capsule: &Bound<'_, PyAny>, name: &CStr) -> PyResult<NonNull<T>> {
    let capsule = capsule.cast::<PyCapsule>()?;
    Ok(capsule.pointer_checked(Some(name))?.cast())
}

fn refused(error: ArrowError) -> PyErr {
    PyValueError::new_err(error.to_string())
}
