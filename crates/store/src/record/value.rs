use std::fmt;

use xdm::quote_part;

/// A value of a record, wherever it is read from.
///
/// Implementations are small views that copy freely; containers are walked with callbacks, so that
/// nothing is collected on the way from a parser's tape to a column.
pub(crate) trait Value<'a>: Copy {
    /// What the value is; scalars come with their value.
    fn kind(self) -> Kind<'a>;

    /// Calls `f` for each item of a list; does nothing for other kinds.
    fn items(self, f: &mut impl FnMut(Self) -> Result<(), RecordError>) -> Result<(), RecordError>;

    /// Calls `f` for each entry of an object or map in order; does nothing for other kinds.
    fn entries(
        self,
        f: &mut impl FnMut(&'a str, Self) -> Result<(), RecordError>,
    ) -> Result<(), RecordError>;
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    /// An integer above `i64::MAX`.
    Large(u64),
    Float(f64),
    Text(&'a str),
    /// Days since 1970, from typed input only.
    Date(i32),
    /// Microseconds since 1970 in UTC, from typed input only.
    DateTime(i64),
    List,
    Object,
    /// An object whose keys are data, from typed input only.
    Map,
}

impl fmt::Display for Kind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(b) => write!(f, "the boolean {b}"),
            Self::Integer(i) => write!(f, "the number {i}"),
            Self::Large(i) => write!(f, "the number {i}"),
            Self::Float(x) => write!(f, "the number {x}"),
            Self::Text(t) if t.chars().count() > 40 => {
                write!(
                    f,
                    "the string {:?}…",
                    t.chars().take(40).collect::<String>()
                )
            }
            Self::Text(t) => write!(f, "the string {t:?}"),
            Self::Date(_) => f.write_str("a date"),
            Self::DateTime(_) => f.write_str("a date-time"),
            Self::List => f.write_str("a list"),
            Self::Object | Self::Map => f.write_str("an object"),
        }
    }
}

/// Why a record is bad: the path of the field and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordError {
    path: String,
    problem: String,
}

impl RecordError {
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self {
            path: String::new(),
            problem: problem.into(),
        }
    }

    /// The same error, seen from the object that has the field `name`.
    pub(crate) fn under(mut self, name: &str) -> Self {
        self.path = match self.path.as_str() {
            "" => quote_part(name),
            path => format!("{}.{path}", quote_part(name)),
        };
        self
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.problem)
        } else {
            write!(f, "{}: {}", self.path, self.problem)
        }
    }
}
