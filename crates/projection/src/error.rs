/// Why the fields that are asked for can't be exported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProjectionError {
    /// The union schema has no such field.
    #[error("no field {path} in the union schema: {}{hint}", found(.at, .part))]
    NoSuchField {
        /// The path as it was asked for.
        path: String,
        /// The part that is not there.
        part: String,
        /// The object that lacks it; empty for the record itself.
        at: String,
        /// What was perhaps meant.
        hint: String,
    },
    /// An object of which no field was ever seen.
    #[error("{path} is an object without fields, which Parquet can't hold; leave it out")]
    EmptyObject {
        /// The path as it was asked for.
        path: String,
    },
    /// Two names that common readers take for one.
    #[error(
        "{first} and {second} differ only in case, which Spark and others can't tell apart; \
         name one of them in \"fields\" and leave the other out"
    )]
    CaseConflict {
        /// The path of one field.
        first: String,
        /// The path of the other.
        second: String,
    },
    /// Nothing would be left to export.
    #[error("the union schema has no fields yet; load some records first")]
    NoFields,
}

fn found(at: &str, part: &str) -> String {
    if at.is_empty() {
        format!("it has no {part:?}")
    } else {
        format!("{at} has no {part:?}")
    }
}
