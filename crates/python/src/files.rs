//! How files are written, as Python says it.

use profile_export::export::{Codec, Compression, CsvOptions, Encodings, Format, WriterOptions};
use profile_export::jobs::NameTemplate;
use profile_export::request::RequestError;
use pyo3::prelude::*;

/// A file's format and what belongs to it: a dict of Python's.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct FileForm {
    format: String,
    compression: Option<String>,
    compatible: bool,
    delimiter: Option<char>,
    null: Option<String>,
    headers: Vec<(String, String)>,
}

impl FileForm {
    /// The engine's options.
    pub(crate) fn options(self) -> Result<WriterOptions, RequestError> {
        let defaults = WriterOptions::default();
        let compression = self.compression.as_deref();
        let text = || match compression {
            None => Ok(Compression::None),
            Some("gzip") => Ok(Compression::Gzip),
            Some("zstd") => Ok(Compression::Zstd),
            Some(other) => Err(refused("compression", other, "gzip, zstd, None")),
        };
        let format = match self.format.as_str() {
            "parquet" => Format::Parquet,
            "ndjson" => Format::Ndjson(text()?),
            "csv" => {
                let csv = CsvOptions::default();
                let delimiter = match self.delimiter {
                    None => csv.delimiter,
                    Some(character) => u8::try_from(character)
                        .ok()
                        .filter(u8::is_ascii)
                        .ok_or_else(|| refused("delimiter", &character.to_string(), "ASCII"))?,
                };
                let csv = CsvOptions {
                    delimiter,
                    null: self.null.unwrap_or(csv.null),
                    headers: self.headers,
                    ..csv
                };
                Format::Csv(text()?, csv)
            }
            other => return Err(refused("format", other, "parquet, ndjson, csv")),
        };
        let codec = match (&format, compression) {
            (Format::Parquet, Some("none")) => Codec::Uncompressed,
            (Format::Parquet, Some("snappy")) => Codec::Snappy,
            (Format::Parquet, Some("gzip")) => Codec::Gzip,
            (Format::Parquet, Some("zstd")) => Codec::Zstd(1),
            (Format::Parquet, None) if self.compatible => Codec::Snappy,
            (Format::Parquet, Some(other)) => {
                return Err(refused("compression", other, "zstd, snappy, gzip, none"));
            }
            _ => defaults.codec,
        };
        Ok(WriterOptions {
            format,
            codec,
            encodings: match self.compatible {
                true => Encodings::Dictionary,
                false => defaults.encodings,
            },
            ..defaults
        })
    }
}

/// A template of files' names; what it says of their format has to be true.
pub(crate) fn template_of(text: &str, format: &Format) -> Result<NameTemplate, RequestError> {
    let ending = format.ending();
    let template: NameTemplate = text
        .parse()
        .map_err(|problem: String| RequestError::new("name_template", problem))?;
    match text.ends_with(".{ext}") || text.ends_with(&format!(".{ending}")) {
        true => Ok(template),
        false => {
            let allowed = format!(".{{ext}} or .{ending} at its end, as the files are");
            Err(refused("name_template", text, &allowed))
        }
    }
}

fn refused(path: &str, found: &str, allowed: &str) -> RequestError {
    RequestError::new(path, format!("found {found:?}; allowed: {allowed}"))
}
