use std::fmt;

use crate::Span;

/// Why a text or a JSON value is no expression, or why an expression doesn't fit a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What was found, and what would be right.
    pub problem: Problem,
    /// Where.
    pub place: Place,
}

/// Where an [`Error`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In an expression's text, or in the canonical text of one that came as JSON.
    Text {
        /// The bytes.
        span: Span,
        /// The line of the first character, from 1.
        line: usize,
        /// The first character in its line, from 1; characters are counted, not bytes.
        column: usize,
    },
    /// In a JSON value.
    Json {
        /// The JSON pointer to the node.
        pointer: String,
    },
}

/// What is wrong in an [`Error`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Something else stands where the language wants something.
    #[error("found {found}, where {wanted} would be right")]
    Found {
        /// What stands there.
        found: String,
        /// What could stand there.
        wanted: String,
    },
    /// Something is opened and never closed.
    #[error("{what} is opened here and never closed; it ends with {with}")]
    Open {
        /// What is open.
        what: &'static str,
        /// What would close it.
        with: &'static str,
    },
    /// A part of the platform's rules, or of another language, that is refused by its name.
    #[error("{what}: {instead}")]
    Refused {
        /// Its name.
        what: String,
        /// What to write instead, or why not.
        instead: String,
    },
    /// A field that the schema doesn't have.
    #[error("found the field {name:?}, which {owner} doesn't have{}", hint(.nearest))]
    UnknownField {
        /// The field.
        name: String,
        /// Whose field it would be.
        owner: String,
        /// The fields that look most like it.
        nearest: Vec<String>,
    },
    /// A function that PQL doesn't have.
    #[error("found the function {name:?}, which PQL doesn't have{}", hint(.nearest))]
    UnknownFunction {
        /// The function.
        name: String,
        /// The functions that look most like it.
        nearest: Vec<String>,
    },
    /// A function with too few or too many arguments.
    #[error("{function} has {found}, where {wanted} would be right")]
    Arguments {
        /// The function.
        function: String,
        /// How many there are.
        found: String,
        /// How many there may be.
        wanted: String,
    },
    /// A value of a type that can't stand in its place.
    #[error("found {found}, where {wanted} would be right")]
    Type {
        /// The type that is there.
        found: String,
        /// The types that could be there.
        wanted: String,
    },
    /// A regular expression that can't be used.
    #[error("the regular expression {pattern:?} can't be used: {reason}")]
    Pattern {
        /// The expression.
        pattern: String,
        /// Why.
        reason: String,
    },
    /// More than the limits allow.
    #[error("{what}; {limit} are allowed")]
    Limit {
        /// What is too much.
        what: &'static str,
        /// How much may be.
        limit: String,
    },
}

impl Error {
    /// An error at a place of a text.
    pub(crate) fn in_text(text: &str, span: Span, problem: Problem) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.matches('\n').count() + 1;
        let column = before
            .get(line_start..)
            .map_or(0, |head| head.chars().count())
            + 1;
        Self {
            problem,
            place: Place::Text { span, line, column },
        }
    }

    /// An error in a JSON value.
    pub(crate) fn in_json(pointer: String, problem: Problem) -> Self {
        Self {
            problem,
            place: Place::Json { pointer },
        }
    }
}

impl Problem {
    pub(crate) fn found(found: impl Into<String>, wanted: impl Into<String>) -> Self {
        Self::Found {
            found: found.into(),
            wanted: wanted.into(),
        }
    }

    pub(crate) fn refused(what: impl Into<String>, instead: impl Into<String>) -> Self {
        Self::Refused {
            what: what.into(),
            instead: instead.into(),
        }
    }

    pub(crate) fn types(found: impl Into<String>, wanted: impl Into<String>) -> Self {
        Self::Type {
            found: found.into(),
            wanted: wanted.into(),
        }
    }

    pub(crate) fn too_deep() -> Self {
        Self::Limit {
            what: "the expression nests too deep",
            limit: format!("{} levels", crate::MAX_DEPTH),
        }
    }

    pub(crate) fn too_large() -> Self {
        Self::Limit {
            what: "the expression has too many parts",
            limit: crate::MAX_NODES.to_string(),
        }
    }

    pub(crate) fn too_long() -> Self {
        Self::Limit {
            what: "the expression is too long",
            limit: format!("{} bytes", crate::MAX_TEXT),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Text { line, column, .. } => write!(f, "line {line}, column {column}: ")?,
            Place::Json { pointer } if pointer.is_empty() => f.write_str("the root node: ")?,
            Place::Json { pointer } => write!(f, "node {pointer}: ")?,
        }
        self.problem.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.problem)
    }
}

fn hint(nearest: &[String]) -> String {
    match nearest {
        [] => String::new(),
        [one] => format!("; did you mean {one:?}?"),
        [first, rest @ ..] => {
            let mut hint = format!("; did you mean {first:?}");
            for name in rest {
                hint.push_str(&format!(" or {name:?}"));
            }
            hint.push('?');
            hint
        }
    }
}

/// The most bytes of a name that a message shows.
const LONGEST_SHOWN: usize = 128;

/// A name as a message shows it.
pub(crate) fn shown(name: &str) -> String {
    let mut end = name.len().min(LONGEST_SHOWN);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    match name.get(..end) {
        Some(start) if end < name.len() => format!("{start}…"),
        _ => name.to_owned(),
    }
}

/// The names that look most like a word, best first, for hints.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Vec<String> {
    // The comparison takes the product of the lengths, and no field is called that.
    if word.len() > LONGEST_SHOWN {
        return Vec::new();
    }
    let folded = word.to_lowercase();
    let mut scored: Vec<(usize, &str)> = candidates
        .into_iter()
        // Swapped letters are one mistake; a third of the letters may be wrong.
        .map(|c| {
            let other = c.to_lowercase();
            (strsim::damerau_levenshtein(&folded, &other), c)
        })
        .filter(|(distance, c)| *distance * 3 <= c.chars().count().max(folded.chars().count()))
        .collect();
    scored.sort();
    scored.truncate(2);
    scored.into_iter().map(|(_, c)| c.to_owned()).collect()
}
