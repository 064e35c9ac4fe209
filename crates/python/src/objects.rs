//! Values that go to Python: Arrow's schemas and record batches by its C interface, the platform's objects as JSON.

use arrow::datatypes::SchemaRef;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple};
use serde::Serialize;

use crate::capsule;
use crate::errors::{Failure, Result};

/// The schema of an export's rows.
#[pyclass(frozen, module = "profile_export")]
pub(crate) struct Schema(pub(crate) SchemaRef);

#[pymethods]
impl Schema {
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        capsule::of_schema(py, &self.0)
    }

    #[getter]
    fn names(&self) -> Vec<String> {
        let fields = self.0.fields().iter();
        fields.map(|field| field.name().clone()).collect()
    }

    fn __len__(&self) -> usize {
        self.0.fields().len()
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    fn __repr__(&self) -> String {
        let fields = self.0.fields().iter();
        let fields = fields.map(|field| format!("{}: {}", field.name(), field.data_type()));
        format!("Schema({})", fields.collect::<Vec<_>>().join(", "))
    }
}

/// Some rows of an export.
#[pyclass(frozen, module = "profile_export")]
pub(crate) struct RecordBatch(pub(crate) arrow::array::RecordBatch);

#[pymethods]
impl RecordBatch {
    /// The interface lets producers ignore which schema is asked for; consumers cast.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let _ = requested_schema;
        capsule::of_batch(py, &self.0)
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        capsule::of_schema(py, &self.0.schema())
    }

    #[getter]
    fn schema(&self) -> Schema {
        Schema(self.0.schema())
    }

    #[getter]
    fn num_rows(&self) -> usize {
        self.0.num_rows()
    }

    fn __len__(&self) -> usize {
        self.0.num_rows()
    }

    fn __repr__(&self) -> String {
        let (rows, columns) = (self.0.num_rows(), self.0.num_columns());
        format!("RecordBatch({rows} rows, {columns} columns)")
    }
}

/// An object of the platform's as Python has JSON: dicts, lists, texts, numbers.
pub(crate) fn to_python<'py>(
    py: Python<'py>,
    object: &impl Serialize,
) -> PyResult<Bound<'py, PyAny>> {
    let text = serde_json::to_string(object)
        .map_err(|error| pyo3::exceptions::PyValueError::new_err(error.to_string()))?;
    py.import("json")?.call_method1("loads", (text,))
}

/// The same where what was done may have failed.
pub(crate) fn told<'py>(
    py: Python<'py>,
    object: Result<impl Serialize>,
) -> Result<Bound<'py, PyAny>> {
    to_python(py, &object?).map_err(Failure::from)
}
