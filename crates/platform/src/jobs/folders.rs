//! What the folders of batches outside of a store are called.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What Hive, and so Spark, writes as %XX in the values of partitions.
const NOT_IN_VALUES: &AsciiSet = &CONTROLS
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'\'')
    .add(b'*')
    .add(b'/')
    .add(b':')
    .add(b'=')
    .add(b'?')
    .add(b'\\')
    .add(b'{')
    .add(b'[')
    .add(b']')
    .add(b'^');

/// What the folders of batches outside of a store are called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BatchFolders {
    /// By their IDs.
    #[default]
    Ids,
    /// As Hive's partitions, `batchId=…`, and in them `segmentId=…` where each segment has a batch: Spark, DuckDB,
    /// pandas and Polars read a folder of them as one table with these columns.
    Partitions,
}

impl BatchFolders {
    /// The name of a batch's folder.
    #[must_use]
    pub fn of(self, batch: &str) -> String {
        match self {
            Self::Ids => batch.to_owned(),
            Self::Partitions => format!("{PARTITION}{batch}"),
        }
    }

    /// The folder in it for the files of a batch of one segment.
    pub(super) fn of_segment(self, segment: &str) -> Option<String> {
        match self {
            Self::Ids => None,
            Self::Partitions => {
                let value = utf8_percent_encode(segment, NOT_IN_VALUES);
                Some(format!("segmentId={value}"))
            }
        }
    }
}

/// What names of batches' folders begin with where they are partitions.
pub(crate) const PARTITION: &str = "batchId=";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_have_values_that_hive_reads() {
        let folder = |segment| BatchFolders::Partitions.of_segment(segment);
        assert_eq!(folder("gold"), Some("segmentId=gold".to_owned()));
        assert_eq!(
            folder("a/b=c %é"),
            Some("segmentId=a%2Fb%3Dc %25%C3%A9".to_owned())
        );
        assert_eq!(folder(".."), Some("segmentId=..".to_owned()));
        assert_eq!(BatchFolders::Ids.of_segment("gold"), None);
    }
}
