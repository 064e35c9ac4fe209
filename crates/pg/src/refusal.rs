//! Why a client does not get what it asked for.

use std::io;

use datafusion::error::DataFusionError;
use sql::dialect::{Code, Error};

use crate::work::BrokenOff;

/// A refusal as clients get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// SQLSTATE.
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// Where in the text, counted from one, in characters.
    pub(crate) position: Option<usize>,
    /// What would be right.
    pub(crate) hint: Option<String>,
}

impl Refusal {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            position: None,
            hint: None,
        }
    }

    /// Something that PostgreSQL has, and this front has not.
    pub(crate) fn unsupported(what: impl std::fmt::Display) -> Self {
        Self::new(NOT_SUPPORTED, format!("{what}: not supported"))
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

pub(crate) const NOT_SUPPORTED: &str = "0A000";
pub(crate) const PROTOCOL: &str = "08P01";
pub(crate) const BAD_VALUE: &str = "22023";
pub(crate) const OUT_OF_RANGE: &str = "22003";
pub(crate) const BAD_BYTES: &str = "22P02";
pub(crate) const BAD_ENCODING: &str = "22021";
pub(crate) const BAD_PASSWORD: &str = "28P01";
pub(crate) const NOT_FOR_YOU: &str = "28000";
pub(crate) const NO_DATABASE: &str = "3D000";
pub(crate) const NO_PORTAL: &str = "34000";
pub(crate) const NO_STATEMENT: &str = "26000";
pub(crate) const MAY_NOT: &str = "42501";
pub(crate) const SYNTAX: &str = "42601";
pub(crate) const NO_SETTING: &str = "42704";
pub(crate) const NAME_TAKEN: &str = "42P05";
pub(crate) const NO_SCHEMA: &str = "3F000";
pub(crate) const NO_TRANSACTION: &str = "25P01";
pub(crate) const NO_SAVEPOINT: &str = "3B001";
pub(crate) const TOO_MANY: &str = "53300";
pub(crate) const CANCELLED: &str = "57014";
pub(crate) const TOO_MANY_ITEMS: &str = "54000";
pub(crate) const STOPPING: &str = "57P01";
pub(crate) const TOO_COMPLEX: &str = "54001";
pub(crate) const READ_ONLY: &str = "25006";
pub(crate) const INTERNAL: &str = "XX000";
pub(crate) const IDLE: &str = "57P05";

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let hint =
            (error.code == Code::UndefinedTable).then(|| "SHOW TABLES lists them".to_owned());
        Self {
            code: error.code.sqlstate(),
            message: error.message,
            // Of lines and columns: whoever has the text makes it one number.
            position: None,
            hint,
        }
    }
}

/// Why work on a connection ends before it is done.
#[derive(Debug)]
pub(crate) enum Problem {
    /// What was asked for is refused; the session goes on.
    Refused(Refusal),
    /// The client is told, and the connection ends.
    Fatal(Refusal),
    /// There is nobody to be told any more.
    Gone,
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Refused(error.into())
    }
}

impl From<DataFusionError> for Problem {
    fn from(error: DataFusionError) -> Self {
        // Those of this crate travel through streams of rows as external ones.
        if let DataFusionError::External(own) = error.find_root() {
            if let Some(refusal) = own.downcast_ref::<Refusal>() {
                return refusal.clone().into();
            }
            if own.is::<BrokenOff>() {
                return BrokenOff.into();
            }
        }
        Error::from(error).into()
    }
}

impl From<arrow::error::ArrowError> for Problem {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::from(DataFusionError::from(error))
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        tracing::debug!(%error, "a connection broke off");
        Self::Gone
    }
}
