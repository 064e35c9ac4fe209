use std::fmt;

use xdm::quote_part;

use crate::decimal::Decimal;

/// A value of a record, wherever it is read from.
///
/// Implementations are small views that copy freely, and nothing is collected on the way from a text
/// to a column. A text is read from front to back: each value is to be gone through once more or
/// less, scalars with [`Self::kind`], containers to their end, and what nobody wants with
/// [`Self::skip`], before the value behind it is asked for.
pub(crate) trait Value<'a>: Copy {
    type Entries: ObjectEntries<'a, Value = Self>;

    /// What the value is; scalars come with their value.
    fn kind(self) -> Result<Kind<'a>, RecordError>;

    /// Calls `f` for each item of a list; goes past other kinds.
    fn items(self, f: &mut impl FnMut(Self) -> Result<(), RecordError>) -> Result<(), RecordError>;

    /// The entries of an object or map in order; none for other kinds.
    fn entries(self) -> Result<Self::Entries, RecordError>;

    /// Goes past the value; it may have been walked before, as a whole or in part.
    fn skip(self) -> Result<(), RecordError>;
}

/// The entries of an object or map that are still to come.
pub(crate) trait ObjectEntries<'a> {
    type Value: Value<'a>;

    /// The next entry. `likely` is the key that it probably has, with its quotes, or empty.
    fn next(&mut self, likely: &[u8]) -> Result<Option<(Key<'a>, Self::Value)>, RecordError>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key<'a> {
    /// The one that was said to be likely.
    Likely,
    Named(&'a str),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    /// An integer above `i64::MAX`.
    Large(u64),
    Float(f64),
    /// A decimal, from typed input only: what it becomes depends on the field.
    Decimal(&'a Decimal),
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
            Self::Decimal(d) => write!(f, "the decimal {d}"),
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
pub struct RecordError(Box<Problem>);

/// Behind a pointer, so that the results of the many calls that succeed stay small.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    path: String,
    what: String,
    /// Whether the load can't go on without it.
    is_fatal: bool,
}

impl RecordError {
    #[cold]
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(Box::new(Problem {
            path: String::new(),
            what: what.into(),
            is_fatal: false,
        }))
    }

    /// The error of an object whose keys seem to be data. It is no single record's fault.
    #[cold]
    pub(crate) fn too_many_fields() -> Self {
        let mut error = Self::new(
            "more than 1,000 different fields; where its keys are data, declare it a map: list its path \
             under \"maps\" in dataset.json, or give a schema",
        );
        error.0.is_fatal = true;
        error
    }

    /// The error of a record at which the work was asked to stop. Nobody hears of it: who asked has its
    /// own error.
    #[cold]
    pub(crate) fn stopped() -> Self {
        Self::new("the work was asked to stop")
    }

    /// Whether the whole load fails, even where bad records are skipped.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.0.is_fatal
    }

    /// The error of a field that one object has twice.
    #[cold]
    pub(crate) fn twice(name: &str) -> Self {
        Self::new("appears twice in one object").under(name)
    }

    /// The same error, seen from the object that has the field `name`.
    #[cold]
    pub(crate) fn under(mut self, name: &str) -> Self {
        self.0.path = match self.0.path.as_str() {
            "" => quote_part(name),
            path => format!("{}.{path}", quote_part(name)),
        };
        self
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { path, what, .. } = &*self.0;
        if path.is_empty() {
            f.write_str(what)
        } else {
            write!(f, "{path}: {what}")
        }
    }
}
