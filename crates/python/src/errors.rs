//! The engine's errors as the exceptions of `profile_export._errors`.

use platform::{Error, ErrorKind};
use profile_export::export::Error as ExportError;
use profile_export::request::RequestError;
use profile_export::store::{CatalogError, StoreError};
use pyo3::prelude::*;

use crate::objects::to_python;

/// A result whose error is to be raised.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// Why something can't be done: an error of the engine's, or an exception.
pub(crate) enum Failure {
    Engine(Error),
    Raised(PyErr),
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
    let class = py
        .import("profile_export._errors")?
        .getattr(class_of(error.kind()))?;
    let raised = class.call1((error.to_string(), code))?;
    match error {
        Error::Request(refused) => raised.setattr("path", &refused.path)?,
        Error::JobFailed { job, .. } | Error::JobCancelled { job, .. } => {
            raised.setattr("job", to_python(py, job)?)?;
        }
        _ => {}
    }
    Ok(PyErr::from_value(raised))
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Raised(raised) => raised,
            Failure::Engine(error) => {
                Python::attach(|py| exception(py, &error).unwrap_or_else(|broken| broken))
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
