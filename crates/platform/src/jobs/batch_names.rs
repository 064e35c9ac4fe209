//! What the folders and files of batches outside of a store are called.

use std::collections::BTreeMap;

use export::ExportRequest;
use writer::{FileNames, Format};
use xdm::{Dataset, Timestamp};

use super::name_template::{BatchValues, NameTemplate};

/// What Hive, and so Spark, writes as %XX in the values of partitions, control characters besides. What is no ASCII
/// stays: names of files have few bytes.
const NOT_IN_VALUES: &str = "\"#%'*/:=?\\{[]^\u{7f}";

/// What the folders and files of batches outside of a store are called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BatchNames {
    /// A folder for each batch, called by its ID, with `part-00000.parquet` and so on.
    #[default]
    Ids,
    /// The same as Hive's partitions, `batchId=…`, and in them `segmentId=…` where each segment has a batch: Spark,
    /// DuckDB, pandas and Polars read a folder of them as one table with these columns.
    Partitions,
    /// Files as a template says, wherever it puts them: batches have no folders of their own.
    Template(NameTemplate),
}

/// Where a batch is, from the folder of the export on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BatchPlace {
    /// Its own folder; where it has none, its files lie among others.
    pub(crate) folder: Option<String>,
    /// Its files, from there on.
    pub(crate) files: FileNames,
}

impl BatchPlace {
    /// Where the file with this number is, from the folder of the export on.
    pub(crate) fn file(&self, number: usize) -> String {
        let file = self.files.of(number);
        match &self.folder {
            Some(folder) => format!("{folder}/{file}"),
            None => file,
        }
    }
}

/// An export whose batches are to be named.
pub(crate) struct NamedExport<'a> {
    pub(crate) request: &'a ExportRequest,
    /// What the segments of the request are called, in its order.
    pub(crate) segment_names: &'a [String],
    /// When it was begun.
    pub(crate) begun: Timestamp,
    /// Its job, where it has one that somebody could look at.
    pub(crate) job: Option<i64>,
    pub(crate) format: &'a Format,
    /// Whether a batch may have several files.
    pub(crate) has_many_files: bool,
}

impl BatchNames {
    /// The name of a batch's folder, where it has one of its own.
    #[must_use]
    pub fn folder_of(&self, batch: &str) -> Option<String> {
        match self {
            Self::Ids => Some(batch.to_owned()),
            Self::Partitions => Some(format!("{PARTITION}{batch}")),
            Self::Template(_) => None,
        }
    }

    /// Where each batch of an export is.
    ///
    /// # Errors
    /// In words: a template by which two files would have one name, or that says nothing here.
    pub(crate) fn places(
        &self,
        export: &NamedExport<'_>,
        ids: &[String],
    ) -> Result<Vec<BatchPlace>, String> {
        let places = ids.iter().enumerate().map(|(number, id)| {
            let segment = segment_of(export, number);
            let files = match self {
                Self::Ids => FileNames::parts(None, export.format),
                Self::Partitions => {
                    let own = export.request.batch_segment(number);
                    let folder = own.map(|own| format!("segmentId={}", escaped(&own.segment_id)));
                    FileNames::parts(folder.as_deref(), export.format)
                }
                Self::Template(template) => template.names(&BatchValues {
                    segment,
                    begun: export.begun,
                    job: export.job,
                    batch: id,
                    format: export.format,
                })?,
            };
            Ok(BatchPlace {
                folder: self.folder_of(id),
                files,
            })
        });
        let places: Vec<BatchPlace> = places.collect::<Result<_, String>>()?;
        if let Self::Template(template) = self {
            check_different(template, export, &places)?;
        }
        Ok(places)
    }
}

/// Refuses two files of one name; also of names that differ in case alone, which some file systems take for one.
fn check_different(
    template: &NameTemplate,
    export: &NamedExport<'_>,
    places: &[BatchPlace],
) -> Result<(), String> {
    if export.has_many_files && !template.has_number() {
        return Err(format!(
            "{:?} has no {{n}}, and a batch may have several files: --max-rows-per-file",
            template.as_str()
        ));
    }
    let mut known = BTreeMap::new();
    for (number, place) in places.iter().enumerate() {
        let name = place.file(0);
        if let Some(other) = known.insert(name.to_lowercase(), number) {
            let called = |number: usize| segment_of(export, number).map_or("?", |(id, _)| id);
            return Err(format!(
                "{:?} gives two files the name {name:?}, those of the segments {:?} and {:?}: {{segment.id}} and \
                 {{batch.id}} are different for each",
                template.as_str(),
                called(other),
                called(number)
            ));
        }
    }
    Ok(())
}

/// The ID and name of the segment that a batch is of, where it is of one alone.
fn segment_of<'a>(export: &'a NamedExport<'_>, number: usize) -> Option<(&'a str, &'a str)> {
    let segments = export.request.filter.as_ref()?.segments.as_deref()?;
    let number = match (export.request.batch_segment(number), segments) {
        (Some(_), _) => number,
        (None, [_]) => 0,
        (None, _) => return None,
    };
    let id = &segments.get(number)?.segment_id;
    let name = export.segment_names.get(number).unwrap_or(id);
    Some((id, name))
}

/// A text as the value of a partition, or a part of a path.
pub(crate) fn escaped(value: &str) -> String {
    let mut text = String::new();
    for c in value.chars() {
        match c < ' ' || NOT_IN_VALUES.contains(c) {
            true => text.push_str(&format!("%{:02X}", c as u32)),
            false => text.push(c),
        }
    }
    text
}

/// What names of batches' folders begin with where they are partitions.
pub(crate) const PARTITION: &str = "batchId=";

/// The ID of the batch whose folder is called so, as a partition.
pub(crate) fn batch_of(name: &str) -> Option<&str> {
    name.strip_prefix(PARTITION).filter(|id| Dataset::is_id(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(segments: &[&str], per_batch: bool) -> ExportRequest {
        let segments: Vec<_> = segments
            .iter()
            .map(|id| serde_json::json!({"segmentId": id}))
            .collect();
        let body = serde_json::json!({
            "schema": {"name": "_xdm.context.profile"},
            "filter": {"segments": segments},
            "destination": {"segmentPerBatch": per_batch},
        });
        ExportRequest::from_json(body.to_string().as_bytes()).expect("a request")
    }

    fn files(
        names: &BatchNames,
        request: &ExportRequest,
        segment_names: &[&str],
        many: bool,
    ) -> Result<Vec<String>, String> {
        let segment_names: Vec<String> = segment_names.iter().map(|n| (*n).to_owned()).collect();
        let export = NamedExport {
            request,
            segment_names: &segment_names,
            begun: Timestamp::parse("2018-10-25T13:22:04Z").expect("a time"),
            job: None,
            format: &Format::Parquet,
            has_many_files: many,
        };
        let count = match request.destination.segment_per_batch {
            Some(true) => segment_names.len(),
            _ => 1,
        };
        let ids: Vec<String> = (0..count).map(|n| format!("{n}")).collect();
        let places = names.places(&export, &ids)?;
        Ok(places.iter().map(|place| place.file(0)).collect())
    }

    fn template(text: &str) -> BatchNames {
        BatchNames::Template(text.parse().expect("a template"))
    }

    #[test]
    fn partitions_have_values_that_hive_reads() {
        let request = request(&["gold", "a/b=c %é", ".."], true);
        let of = |names| files(&names, &request, &["1", "2", "3"], false).expect("names");
        assert_eq!(
            of(BatchNames::Partitions),
            [
                "batchId=0/segmentId=gold/part-00000.parquet",
                "batchId=1/segmentId=a%2Fb%3Dc %25é/part-00000.parquet",
                "batchId=2/segmentId=../part-00000.parquet",
            ]
        );
        assert_eq!(of(BatchNames::Ids)[0], "0/part-00000.parquet");
    }

    #[test]
    fn a_template_names_each_segments_files() {
        let two = request(&["a", "b"], true);
        let names = template("{segment.name}/{n}.{ext}");
        let of = |names: &[&str]| files(&template("{segment.name}/{n}.{ext}"), &two, names, true);
        let expected = ["Gold/00000.parquet", "Silver/00000.parquet"];
        assert_eq!(of(&["Gold", "Silver"]).expect("names"), expected);
        for same in [["Gold", "Gold"], ["Gold", "gold"]] {
            let refused = of(&same).expect_err("one name");
            assert!(refused.contains(r#""a" and "b""#), "{refused}");
        }
        // One batch is of one segment where only one is asked for.
        let one = request(&["a"], false);
        assert_eq!(
            files(&names, &one, &["Gold"], true).expect("names"),
            expected[..1]
        );
        let none = request(&["a", "b"], false);
        assert!(files(&names, &none, &["Gold", "Silver"], true).is_err());
    }

    #[test]
    fn several_files_need_a_number() {
        let one = request(&["a"], false);
        let names = template("{segment.id}.parquet");
        assert!(files(&names, &one, &["a"], false).is_ok());
        let refused = files(&names, &one, &["a"], true).expect_err("one name");
        assert!(refused.contains("{n}"), "{refused}");
    }
}
