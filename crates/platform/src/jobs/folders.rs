//! What the folders of batches outside of a store are called.

use xdm::Dataset;

/// What Hive, and so Spark, writes as %XX in the values of partitions, control characters besides. What is no ASCII
/// stays: names of files have few bytes.
const NOT_IN_VALUES: &str = "\"#%'*/:=?\\{[]^\u{7f}";

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
    pub(crate) fn of_segment(self, segment: &str) -> Option<String> {
        match self {
            Self::Ids => None,
            Self::Partitions => {
                let mut folder = "segmentId=".to_owned();
                for c in segment.chars() {
                    match c < ' ' || NOT_IN_VALUES.contains(c) {
                        true => folder.push_str(&format!("%{:02X}", c as u32)),
                        false => folder.push(c),
                    }
                }
                Some(folder)
            }
        }
    }
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

    #[test]
    fn partitions_have_values_that_hive_reads() {
        let folder = |segment| BatchFolders::Partitions.of_segment(segment);
        assert_eq!(folder("gold"), Some("segmentId=gold".to_owned()));
        assert_eq!(
            folder("a/b=c %é"),
            Some("segmentId=a%2Fb%3Dc %25é".to_owned())
        );
        assert_eq!(folder(".."), Some("segmentId=..".to_owned()));
        assert_eq!(BatchFolders::Ids.of_segment("gold"), None);
    }
}
