use crate::format::Format;

/// What stands in the number's place has so many digits at least.
const DIGITS: usize = 5;

/// What the files of a batch are called, from its folder on: the same texts with the file's number between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileNames(Vec<String>);

impl FileNames {
    /// Names that are these texts, in order, with the number between each two. With a single one there is one file.
    #[must_use]
    pub fn new(texts: Vec<String>) -> Self {
        Self(texts)
    }

    /// `part-00000.parquet` and so on, in a folder within the batch's where that is given.
    #[must_use]
    pub fn parts(folder: Option<&str>, format: &Format) -> Self {
        let folder = folder.map_or_else(String::new, |folder| format!("{folder}/"));
        Self(vec![
            format!("{folder}part-"),
            format!(".{}", format.ending()),
        ])
    }

    /// Whether there is a name for each of several files.
    #[must_use]
    pub fn are_numbered(&self) -> bool {
        self.0.len() > 1
    }

    /// The name of the file with this number: a path whose parts are separated by slashes.
    #[must_use]
    pub fn of(&self, number: usize) -> String {
        self.0.join(&format!("{number:0DIGITS$}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_stands_between_the_texts() {
        let names = FileNames::new(vec!["a/".to_owned(), "-".to_owned(), ".csv".to_owned()]);
        assert_eq!(names.of(7), "a/00007-00007.csv");
        assert!(names.are_numbered());
        let single = FileNames::new(vec!["a.csv".to_owned()]);
        assert_eq!(single.of(0), "a.csv");
        assert!(!single.are_numbered());
        let parts = FileNames::parts(Some("segmentId=gold"), &Format::Parquet);
        assert_eq!(parts.of(123_456), "segmentId=gold/part-123456.parquet");
    }
}
