//! Why a statement is not run: the platform's code, what was found, and where.

use std::fmt;

use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::tokenizer::Span;

/// The kinds of refusals, each a code of the SQL standard or of PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// 42601
    Syntax,
    /// 42P01
    UndefinedTable,
    /// 42P07
    DuplicateTable,
    /// 42P05: of a prepared statement.
    DuplicateName,
    /// 26000: of a prepared statement.
    UndefinedName,
    /// 42P03: of a cursor.
    DuplicateCursor,
    /// 34000: of a cursor.
    UndefinedCursor,
    /// 42704: of a setting, or of a schema that a table is to be made on.
    UndefinedObject,
    /// 3F000
    UndefinedSchema,
    /// 22023: of a setting, or of an option.
    InvalidValue,
    /// 55P02: of a setting that nobody changes.
    CantChange,
    /// 42703
    UndefinedColumn,
    /// 42702
    AmbiguousColumn,
    /// 42701: of what a table is made of, or of INSERT's list.
    DuplicateColumn,
    /// 42883
    UndefinedFunction,
    /// 42804
    DatatypeMismatch,
    /// 22P02: of a list that is written in a text.
    InvalidText,
    /// 22000: a row that the dataset can't take.
    BadRow,
    /// 42809: such as rows for a view.
    WrongObject,
    /// 42501
    NotAllowed,
    /// 55000: such as a dataset that can't be dropped now.
    WrongState,
    /// 57014
    Cancelled,
    /// 0A000
    NotSupported,
    /// 53400
    LimitExceeded,
    /// 54001
    TooComplex,
    /// 58000: neither the statement nor its writer is to blame.
    System,
}

impl Code {
    /// Five characters.
    pub fn sqlstate(self) -> &'static str {
        match self {
            Self::Syntax => "42601",
            Self::UndefinedTable => "42P01",
            Self::DuplicateTable => "42P07",
            Self::DuplicateName => "42P05",
            Self::UndefinedName => "26000",
            Self::DuplicateCursor => "42P03",
            Self::UndefinedCursor => "34000",
            Self::UndefinedObject => "42704",
            Self::UndefinedSchema => "3F000",
            Self::InvalidValue => "22023",
            Self::CantChange => "55P02",
            Self::UndefinedColumn => "42703",
            Self::AmbiguousColumn => "42702",
            Self::DuplicateColumn => "42701",
            Self::UndefinedFunction => "42883",
            Self::DatatypeMismatch => "42804",
            Self::InvalidText => "22P02",
            Self::BadRow => "22000",
            Self::WrongObject => "42809",
            Self::NotAllowed => "42501",
            Self::WrongState => "55000",
            Self::Cancelled => "57014",
            Self::NotSupported => "0A000",
            Self::LimitExceeded => "53400",
            Self::TooComplex => "54001",
            Self::System => "58000",
        }
    }
}

/// A place in the statement's text, counted from one, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// The line.
    pub line: u64,
    /// The column in it.
    pub column: u64,
}

/// A statement that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Its kind.
    pub code: Code,
    /// What was found, and what would be right.
    pub message: String,
    /// Where, if that is known.
    pub position: Option<Position>,
}

impl Error {
    /// A refusal of that kind, at no known place.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            position: None,
        }
    }

    /// What was found, and where.
    pub fn with_place(&self) -> String {
        let message = &self.message;
        match self.position {
            Some(Position { line, column }) => format!("{message} (line {line}, column {column})"),
            None => message.clone(),
        }
    }

    /// Something that the dialect of the platform has and this one has not, by name.
    pub(crate) fn unsupported(what: impl fmt::Display) -> Self {
        Self::new(Code::NotSupported, format!("{what}: not supported"))
    }

    /// The same at that place, unless it has one already or the place is none.
    #[must_use]
    pub(crate) fn at(mut self, span: Span) -> Self {
        if self.position.is_none() && span.start.line > 0 {
            self.position = Some(Position {
                line: span.start.line,
                column: span.start.column,
            });
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.sqlstate(), self.with_place())
    }
}

impl std::error::Error for Error {}

/// Our own errors travel through DataFusion's planner as external ones.
impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        Self::External(Box::new(error))
    }
}

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        let error = match error {
            DataFusionError::External(error) => match error.downcast::<Self>() {
                Ok(error) => return *error,
                Err(error) => DataFusionError::External(error),
            },
            DataFusionError::Diagnostic(_, error) | DataFusionError::Context(_, error) => {
                return Self::from(*error);
            }
            DataFusionError::Collection(errors) => match errors.into_iter().next() {
                Some(error) => return Self::from(error),
                None => return Self::new(Code::System, "an error without a text"),
            },
            error => error,
        };
        let code = match &error {
            DataFusionError::SQL(..) => Code::Syntax,
            DataFusionError::NotImplemented(_) => Code::NotSupported,
            DataFusionError::SchemaError(..) => Code::UndefinedColumn,
            DataFusionError::Plan(_) => Code::DatatypeMismatch,
            DataFusionError::ResourcesExhausted(_) => Code::LimitExceeded,
            _ => Code::System,
        };
        Self::new(code, error.strip_backtrace())
    }
}
