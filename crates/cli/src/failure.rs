use std::process::ExitCode;

use profile_export::jobs::Job;
use profile_export::platform::{Error, ErrorKind, next_step};
use profile_export::request::RequestError;
use profile_export::store::{CatalogError, DecodeError, Kind, StoreError};

use crate::message::tell;

/// The job failed.
const FAILED: u8 = 1;
/// Wrong usage or a bad request.
pub const USAGE: u8 = 2;
/// There is no such thing.
const NOT_FOUND: u8 = 3;
/// Done, but not as was demanded.
const INCOMPLETE: u8 = 4;
/// What is asked for contradicts what there is.
const CONFLICT: u8 = 5;
/// Interrupted.
pub const INTERRUPTED: u8 = 130;

/// Why the program ends without success: an exit code and a message.
pub struct Failure {
    code: u8,
    message: String,
    /// What docs/errors.md calls it.
    named: Option<String>,
}

impl Failure {
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            code: USAGE,
            message: message.into(),
            named: None,
        }
    }

    pub fn not_found(kind: Kind, id: impl std::fmt::Display) -> Self {
        CatalogError::not_found(kind, id).into()
    }

    /// There is no such thing, and the message says what would be right.
    pub fn missing(message: impl Into<String>) -> Self {
        Self {
            code: NOT_FOUND,
            message: message.into(),
            named: None,
        }
    }

    pub fn failed(message: impl Into<String>) -> Self {
        Self {
            code: FAILED,
            message: message.into(),
            named: None,
        }
    }

    /// What was done is there, and not all that was demanded of it holds.
    pub fn incomplete(message: impl Into<String>) -> Self {
        Self {
            code: INCOMPLETE,
            message: message.into(),
            named: None,
        }
    }

    /// Interrupted behind what is done.
    pub fn interrupted(message: impl Into<String>) -> Self {
        Self {
            code: INTERRUPTED,
            message: message.into(),
            named: None,
        }
    }

    /// A statement of SQL that is refused, or that failed, with its code.
    #[cfg(feature = "sql")]
    pub fn of_statement(is_refusal: bool, message: String, code: &str) -> Self {
        Self {
            code: if is_refusal { USAGE } else { FAILED },
            message,
            named: Some(code.to_owned()),
        }
    }

    pub fn is_interrupt(&self) -> bool {
        self.code == INTERRUPTED
    }

    pub fn is_usage(&self) -> bool {
        self.code == USAGE
    }

    /// A job that ended otherwise than by success, as somebody else ran it.
    pub fn of_job(job: Job) -> Self {
        let Some(error) = job.errors.first() else {
            return Self::failed(format!("job {} is {}", job.id, job.status));
        };
        let message = error.msg.clone();
        let job = Box::new(job);
        Error::JobFailed {
            id: job.id,
            job,
            message,
        }
        .into()
    }

    /// Says the message on standard error, and what to do about it, and gives the exit code.
    pub fn report(self) -> ExitCode {
        if !self.message.is_empty() {
            let named = (self.named.as_ref()).map_or_else(String::new, |code| format!(" [{code}]"));
            tell(&format!("profile-export: {}{named}", self.message));
            if let Some(step) = self.named.as_deref().and_then(next_step) {
                tell(&format!("next: {step}"));
            }
        }
        ExitCode::from(self.code)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = error.kind();
        let named = match &error {
            // Its own error says more than that it failed.
            Error::JobFailed { job, .. } => job.errors.first().map(|error| error.code.clone()),
            error => Some(error.code().to_owned()),
        };
        Self {
            named: named.filter(|_| kind != ErrorKind::Cancelled),
            code: match kind {
                ErrorKind::Cancelled => INTERRUPTED,
                ErrorKind::NotFound => NOT_FOUND,
                ErrorKind::Conflict => CONFLICT,
                kind if kind.is_refusal() => USAGE,
                _ => FAILED,
            },
            message: error.to_string(),
        }
    }
}

macro_rules! from {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Error::from(error).into()
            }
        }
    )*};
}

from!(StoreError, CatalogError, DecodeError, RequestError);
