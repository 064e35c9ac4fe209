use arrow::error::ArrowError;
use pql::Type;

/// Why segments can't be evaluated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Rows lack what an expression is about: they are of another schema than it was checked against.
    #[error("the rows lack {0}, which the expression was checked with")]
    Lacking(String),
    /// An expression takes a value of a kind that can't be worked out in its place.
    #[error("segment {segment}: {what}")]
    Refused {
        /// The segment.
        segment: String,
        /// What of it, and what would be right.
        what: String,
    },
    /// A profile has too many combinations of events.
    #[error(
        "segment {segment}: {rows} combinations of the events that its variables are about, for one profile, and {most} \
         are the most; give each variable conditions of its own, a window between their timestamps, or use CHAIN"
    )]
    TooManyCombinations {
        /// The segment.
        segment: String,
        /// How many.
        rows: u64,
        /// How many may be.
        most: usize,
    },
    /// The same before it is known whether one profile has them all.
    #[error("{rows} combinations of events at once, and {most} are the most")]
    TooManyPairs {
        /// How many.
        rows: u64,
        /// How many may be.
        most: usize,
    },
    /// Segments that ask for each other in a circle, or for one that is not there.
    #[error("{0}")]
    Segments(String),
    /// An Arrow operation failed.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn lacking(what: &str) -> Self {
        Self::Lacking(what.to_owned())
    }

    pub(crate) fn shape(ty: &Type) -> Self {
        Self::refused(format!("{ty} stands where a single value is worked out"))
    }

    /// Of a segment that is named later.
    pub(crate) fn refused(what: String) -> Self {
        Self::Refused {
            segment: String::new(),
            what,
        }
    }

    pub(crate) fn in_segment(self, id: &str) -> Self {
        match self {
            Self::Refused { what, .. } => Self::Refused {
                segment: id.to_owned(),
                what,
            },
            Self::TooManyPairs { rows, most } => Self::TooManyCombinations {
                segment: id.to_owned(),
                rows,
                most,
            },
            other => other,
        }
    }
}
