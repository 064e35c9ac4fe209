//! What files of rows are: Parquet, or text.

use serde::{Deserialize, Serialize};

/// The format of a file of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Format {
    /// Parquet, which compresses by itself: [`WriterOptions::codec`](crate::WriterOptions::codec).
    #[default]
    Parquet,
    /// A JSON object a line, as the platform's dataset exports have them; fields that are null are left out.
    Ndjson(Compression),
    /// A line a row, a column for each leaf.
    Csv(Compression, CsvOptions),
}

/// How a text file is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// With gzip.
    Gzip,
    /// With zstd.
    Zstd,
}

/// How a CSV file is written. The defaults are those of the platform's file destinations, but that values are quoted
/// where they have to be, and a quote in them is doubled: without that nobody can read them back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CsvOptions {
    /// What stands between values.
    pub delimiter: u8,
    /// What stands for null.
    pub null: String,
    /// Whether a backslash stands before a quote in a value, instead of another quote.
    pub escapes_with_backslash: bool,
    /// Other names for columns: the path of a leaf, and its name in the header.
    pub headers: Vec<(String, String)>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            delimiter: b',',
            null: "null".to_owned(),
            escapes_with_backslash: false,
            headers: Vec::new(),
        }
    }
}

impl Format {
    /// What names of such files end with, without the first dot: `ndjson.gz`.
    #[must_use]
    pub fn ending(&self) -> String {
        match self {
            Self::Parquet => "parquet".to_owned(),
            Self::Ndjson(compression) => format!("ndjson{}", compression.ending()),
            Self::Csv(compression, _) => format!("csv{}", compression.ending()),
        }
    }
}

impl Compression {
    fn ending(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }
}
