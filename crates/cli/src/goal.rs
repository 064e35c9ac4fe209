//! Where an export goes, and what its files are and are called.

use std::ffi::OsStr;
use std::path::Path;

use profile_export::export::{Codec, Compression, CsvOptions, Encodings, Format, WriterOptions};

use profile_export::jobs::BatchNames;
use profile_export::platform::is_bucket;

use crate::args::{CompressionArg, CsvEscape, FileArgs, FormatArg, ParquetProfile};
use crate::failure::Failure;

/// Where an export goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal<'a> {
    /// Into the store.
    Store,
    /// Into folders in this one.
    Folder(&'a Path),
    /// Into folders below this address of an object store.
    Bucket(&'a str),
    /// Into this file.
    File(&'a Path),
    /// To standard output.
    Standard,
}

impl<'a> Goal<'a> {
    /// What `--out` means. What ends in a slash is a folder, whatever it is called.
    pub fn of(out: Option<&'a Path>) -> Self {
        match out {
            None => Self::Store,
            Some(out) if out.as_os_str() == "-" => Self::Standard,
            Some(out) if is_bucket(out) => match out.to_str() {
                Some(address) => Self::Bucket(address),
                None => Self::Folder(out),
            },
            Some(out) if out.as_os_str().as_encoded_bytes().ends_with(b"/") => Self::Folder(out),
            Some(out) => match of_name(out) {
                (Some(_), _) => Self::File(out),
                (None, _) => Self::Folder(out),
            },
        }
    }

    /// What files are called there: `usual`, where no template says it.
    pub fn names(self, files: &FileArgs, usual: BatchNames) -> Result<BatchNames, Failure> {
        let Some(template) = &files.name_template else {
            return Ok(usual);
        };
        match self {
            Self::Folder(_) | Self::Bucket(_) => Ok(BatchNames::Template(template.clone())),
            Self::File(_) | Self::Standard | Self::Store => Err(Failure::usage(
                "--name-template is for --out with a folder or an address in a bucket",
            )),
        }
    }

    /// How files are written there.
    pub fn writer(self, files: &FileArgs) -> Result<WriterOptions, Failure> {
        // The name of the file, or of all files, where it says what they are.
        let named = match (self, &files.name_template) {
            (Self::File(file), _) => Some(file),
            (Self::Folder(_) | Self::Bucket(_), Some(template)) => {
                let template = template.as_str();
                Some(Path::new(template)).filter(|_| !template.ends_with(".{ext}"))
            }
            _ => None,
        };
        let (by_name, packed) = match (self, named) {
            (Self::Standard, _) => (Some(FormatArg::Ndjson), None),
            (_, Some(name)) => of_name(name),
            (_, None) => (None, None),
        };
        if let (Some(name), None) = (named, by_name) {
            let text = format!(
                "{}: names of files end in .{{ext}}, or as their format does: .parquet, .ndjson, .csv, .csv.gz …",
                name.display()
            );
            return Err(Failure::usage(text));
        }
        if let (Some(name), Some(wanted)) = (named, files.format)
            && by_name != Some(wanted)
        {
            let text = format!(
                "{}: --format says another format than this name",
                name.display()
            );
            return Err(Failure::usage(text));
        }
        let format = files.format.or(by_name).unwrap_or(FormatArg::Parquet);
        if let (Some(name), Some(wanted), true) =
            (named, files.compression, format != FormatArg::Parquet)
            && wanted != packed.unwrap_or(CompressionArg::None)
        {
            let text = format!(
                "{}: --compression says other than this name; names of compressed text end in .gz or .zst",
                name.display(),
            );
            return Err(Failure::usage(text));
        }
        let compression = files.compression.or(packed);
        check(format, files, packed)?;
        let defaults = WriterOptions::default();
        let compatible = files.parquet_profile == ParquetProfile::Compatible;
        let codec = match compression {
            None if compatible => Codec::Snappy,
            None => defaults.codec,
            Some(CompressionArg::None) => Codec::Uncompressed,
            Some(CompressionArg::Snappy) => Codec::Snappy,
            Some(CompressionArg::Gzip) => Codec::Gzip,
            Some(CompressionArg::Zstd) => Codec::Zstd(1),
        };
        let text = match compression {
            Some(CompressionArg::Gzip) => Compression::Gzip,
            Some(CompressionArg::Zstd) => Compression::Zstd,
            _ => Compression::None,
        };
        Ok(WriterOptions {
            format: match format {
                FormatArg::Parquet => Format::Parquet,
                FormatArg::Ndjson => Format::Ndjson(text),
                FormatArg::Csv => Format::Csv(text, csv(files)),
            },
            codec,
            encodings: match compatible {
                true => Encodings::Dictionary,
                false => defaults.encodings,
            },
            ..defaults
        })
    }
}

/// Refuses options that would be without effect.
fn check(
    format: FormatArg,
    files: &FileArgs,
    packed: Option<CompressionArg>,
) -> Result<(), Failure> {
    let of_csv = files.csv_delimiter.is_some()
        || files.csv_null.is_some()
        || files.csv_escape.is_some()
        || !files.csv_header.is_empty();
    if of_csv && format != FormatArg::Csv {
        return Err(Failure::usage("--csv-… options are for --format csv"));
    }
    if format == FormatArg::Parquet {
        return match packed {
            None => Ok(()),
            Some(_) => Err(Failure::usage(
                "Parquet compresses its pages by itself: name the file .parquet, and give --compression",
            )),
        };
    }
    if files.parquet_profile == ParquetProfile::Compatible {
        return Err(Failure::usage("--parquet-profile is for Parquet"));
    }
    match files.compression {
        Some(CompressionArg::Snappy) => Err(Failure::usage(
            "--compression snappy is for Parquet; text takes gzip or zstd",
        )),
        _ => Ok(()),
    }
}

fn csv(files: &FileArgs) -> CsvOptions {
    let defaults = CsvOptions::default();
    CsvOptions {
        delimiter: files.csv_delimiter.unwrap_or(defaults.delimiter),
        null: files.csv_null.clone().unwrap_or(defaults.null),
        escapes_with_backslash: files.csv_escape == Some(CsvEscape::Backslash),
        headers: files.csv_header.clone(),
    }
}

/// The format and compression that a file's name says.
fn of_name(file: &Path) -> (Option<FormatArg>, Option<CompressionArg>) {
    let ending = |name: &Path| name.extension().map(OsStr::to_ascii_lowercase);
    let ends = |name: &Path| ending(name).and_then(|ending| ending.into_string().ok());
    let packed = match ends(file).as_deref() {
        Some("gz") => Some(CompressionArg::Gzip),
        Some("zst" | "zstd") => Some(CompressionArg::Zstd),
        _ => None,
    };
    let inner = match packed {
        Some(_) => file.with_extension(""),
        None => file.to_owned(),
    };
    let format = match ends(&inner).as_deref() {
        Some("parquet") => Some(FormatArg::Parquet),
        Some("ndjson" | "json" | "jsonl" | "jsonlines") => Some(FormatArg::Ndjson),
        Some("csv") => Some(FormatArg::Csv),
        _ => None,
    };
    (format, packed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_a_file_is() {
        for (name, expected) in [
            ("a.parquet", Goal::File(Path::new("a.parquet"))),
            ("x/A.CSV.GZ", Goal::File(Path::new("x/A.CSV.GZ"))),
            ("a.json.zst", Goal::File(Path::new("a.json.zst"))),
            ("a.gz", Goal::Folder(Path::new("a.gz"))),
            ("a.csv/", Goal::Folder(Path::new("a.csv/"))),
            ("csv", Goal::Folder(Path::new("csv"))),
            ("-", Goal::Standard),
            ("s3://b/x.csv", Goal::Bucket("s3://b/x.csv")),
            ("./s3:/x", Goal::Folder(Path::new("./s3:/x"))),
        ] {
            assert_eq!(Goal::of(Some(Path::new(name))), expected, "{name}");
        }
        assert_eq!(Goal::of(None), Goal::Store);
    }
}
