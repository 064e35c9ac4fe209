//! The engine's errors as the exceptions of `profile_export._errors`.

use platform::{Error, ErrorKind};
use profile_export::export::Error as ExportError;
use profile_export::request::RequestError;
use profile_export::store::{CatalogError, StoreError};
use pyo3::prelude::*;
use serde_json::Value;

use crate::objects::to_python;

/// A result whose error is to be raised.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// Why something can't be done: an error of the engine's, or an exception.
pub(crate) enum Failure {
    Engine(Error),
    Raised(PyErr),
    /// A job has succeeded, but no manifest says so: the job, as JSON.
    Unsaid(Box<(Error, Value)>),
}

/// The exception that an error becomes.
fn class_of(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::BadRequest => "BadRequest",
        ErrorKind::NotFound => "NotFound",
        ErrorKind::Conflict => "Conflict",
        ErrorKind::BadSource
        | ErrorKind::BadInput
        | ErrorKind::InvalidDataset
        | ErrorKind::EmptyBatch => "BadInput",
        ErrorKind::BadRecord => "Rejected",
        ErrorKind::Damaged | ErrorKind::NewerFormat => "Damaged",
        ErrorKind::Io | ErrorKind::Catalog | ErrorKind::Write => "StorageError",
        ErrorKind::Cancelled => "Cancelled",
        ErrorKind::JobFailed => "JobFailed",
        ErrorKind::Internal => "ProfileExportError",
    }
}

/// The exception of an engine's error, with its code, and what else it has to say.
fn exception(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let code = match error {
        // Its own error says more than that it failed.
        Error::JobFailed { job, .. } => job.errors.first().map(|error| error.code.as_str()),
        _ => None,
    };
    let code = code.unwrap_or_else(|| error.code());
    let raised = raised(py, error, &error.to_string(), code)?;
    match error {
        Error::Request(refused) => raised.setattr("path", &refused.path)?,
        Error::JobFailed { job, .. } | Error::JobCancelled { job, .. } => {
            raised.setattr("job", to_python(py, job)?)?;
        }
        _ => {}
    }
    Ok(PyErr::from_value(raised))
}

fn raised<'py>(
    py: Python<'py>,
    error: &Error,
    text: &str,
    code: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let classes = py.import("profile_export._errors")?;
    classes.getattr(class_of(error.kind()))?.call1((text, code))
}

/// The exception of an error behind a job that has succeeded.
fn unsaid(py: Python<'_>, error: &Error, job: &Value) -> PyResult<PyErr> {
    let id = &job["id"];
    let text = format!(
        "{error}; job {id} has succeeded, and its batches are in the folder and in no manifest: delete_job({id}) and \
         delete them, or if_exists=\"replace\""
    );
    let raised = raised(py, error, &text, error.code())?;
    raised.setattr("job", to_python(py, job)?)?;
    Ok(PyErr::from_value(raised))
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Raised(raised) => raised,
            Failure::Engine(error) => {
                Python::attach(|py| exception(py, &error).unwrap_or_else(|broken| broken))
            }
            Failure::Unsaid(of) => {
                let (error, job) = &*of;
                Python::attach(|py| unsaid(py, error, job).unwrap_or_else(|broken| broken))
            }
        }
    }
}

impl From<PyErr> for Failure {
    fn from(raised: PyErr) -> Self {
        Self::Raised(raised)
    }
}

macro_rules! from {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::Engine(error.into())
            }
        }
    )*};
}

from!(Error, StoreError, CatalogError, RequestError, ExportError);
