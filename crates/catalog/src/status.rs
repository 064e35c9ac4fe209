use std::fmt;

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use serde::{Deserialize, Serialize};

/// Gives an enum its words: how it is written in JSON, in the catalog and in messages.
macro_rules! words {
    ($name:ident { $($variant:ident => $word:literal,)* }) => {
        impl $name {
            /// All of them, in the order in which they follow each other.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The platform's word.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// The status that the platform's word means.
            #[must_use]
            pub fn of(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|status| status.word() == word)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }

        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.word().into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let word = value.as_str()?;
                Self::of(word)
                    .ok_or_else(|| FromSqlError::Other(format!("unknown status {word:?}").into()))
            }
        }
    };
}

/// The state of an export job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum JobStatus {
    /// It waits.
    New,
    /// A process runs it.
    Processing,
    /// Its batches are visible.
    Succeeded,
    /// It wrote nothing that is visible; its errors say why.
    Failed,
    /// Somebody did not want it any more.
    Cancelled,
}

words! {
    JobStatus {
        New => "NEW",
        Processing => "PROCESSING",
        Succeeded => "SUCCEEDED",
        Failed => "FAILED",
        Cancelled => "CANCELLED",
    }
}

impl JobStatus {
    /// Whether it will not change any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// The state of a batch. One that a job wrote is `success` from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchStatus {
    /// It comes in and takes files.
    Loading,
    /// Its files are complete and wait.
    Staged,
    /// Its records are being loaded.
    Processing,
    /// Its records, or rows, are there.
    Success,
    /// None of its records was loaded; its errors say why.
    Failed,
    /// Its sender gave it up.
    Aborted,
}

words! {
    BatchStatus {
        Loading => "loading",
        Staged => "staged",
        Processing => "processing",
        Success => "success",
        Failed => "failed",
        Aborted => "aborted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_same_in_json_and_in_the_catalog() {
        for status in JobStatus::ALL {
            let json = serde_json::to_string(status).expect("JSON");
            assert_eq!(json, format!("{:?}", status.word()));
            assert_eq!(JobStatus::of(status.word()), Some(*status));
        }
        for status in BatchStatus::ALL {
            let json = serde_json::to_string(status).expect("JSON");
            assert_eq!(json, format!("{:?}", status.word()));
            assert_eq!(BatchStatus::of(status.word()), Some(*status));
        }
        assert_eq!(JobStatus::of("new"), None);
    }
}
