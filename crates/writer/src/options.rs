use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use serde::{Deserialize, Serialize};

use crate::format::Format;

/// How files are written. All but the format is about Parquet. What is written down of it leaves the metadata out, which is
/// each file's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WriterOptions {
    /// What they are.
    pub format: Format,
    /// How pages are compressed.
    pub codec: Codec,
    /// A row group ends after this many rows …
    pub row_group_rows: usize,
    /// … or this many bytes of Arrow data.
    pub row_group_bytes: usize,
    /// How values are encoded.
    pub encodings: Encodings,
    /// Key-value metadata of each file.
    #[serde(skip)]
    pub metadata: Vec<(String, String)>,
}

/// How pages are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Codec {
    /// Not at all.
    Uncompressed,
    /// With Snappy, which every reader knows.
    Snappy,
    /// With gzip.
    Gzip,
    /// With zstd at a level from 1 to 22.
    Zstd(i32),
}

/// How values are encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Encodings {
    /// Times as differences (DELTA_BINARY_PACKED), text that repeats in dictionaries, the rest plain.
    #[default]
    Compact,
    /// Dictionaries and plain values alone, for readers that know no others.
    Dictionary,
    /// Plain values alone.
    Plain,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            format: Format::default(),
            // Level 1 takes about half the time of 3 for files a few percent larger.
            codec: Codec::Zstd(1),
            row_group_rows: 1 << 16,
            row_group_bytes: 128 << 20,
            encodings: Encodings::default(),
            metadata: Vec::new(),
        }
    }
}

impl Codec {
    pub(crate) fn compression(self) -> parquet::errors::Result<Compression> {
        Ok(match self {
            Self::Uncompressed => Compression::UNCOMPRESSED,
            Self::Snappy => Compression::SNAPPY,
            Self::Gzip => Compression::GZIP(GzipLevel::default()),
            Self::Zstd(level) => Compression::ZSTD(ZstdLevel::try_new(level)?),
        })
    }
}
