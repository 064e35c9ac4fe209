//! What to do about an error, by its code: the last column of docs/errors.md.

/// The codes of jobs, batches and problems, and what comes next: a command where there is one.
const STEPS: [(&str, &str); 12] = [
    (
        "PE-0000",
        "Read the message and its causes, jobs get JOB has them; it may be a mistake of ours",
    ),
    (
        "PE-0001",
        "Mend the property, or the folder, that the message names; profile-export plan tries a request and writes nothing",
    ),
    (
        "PE-0002",
        "Mend the file that the message names, and run it again",
    ),
    (
        "PE-0003",
        "Do as the message says; profile-export datasets list, segments list and jobs list say what there is",
    ),
    (
        "PE-0004",
        "Mend the record that the message names, or load with --on-bad-record skip",
    ),
    (
        "PE-0005",
        "profile-export store verify lists all damage; load the data again, or, where it is the catalog, profile-export \
         store restore",
    ),
    (
        "PE-0006",
        "Make room, or give rights; then run it again; an export job by profile-export jobs retry JOB",
    ),
    (
        "PE-0007",
        "Make room, and keep the store off network shares; profile-export store verify says whether it is whole",
    ),
    (
        "PE-0008",
        "Make room, or give rights; then run it again; an export job by profile-export jobs retry JOB",
    ),
    (
        "PE-0009",
        "Run it again where it is still wanted, an export job by profile-export jobs retry JOB",
    ),
    (
        "PE-0010",
        "Run it again, an export job by profile-export jobs retry JOB; send a batch's files in smaller parts or in another form",
    ),
    ("106", "Send a file with records"),
];

/// What to do about an error of this code of docs/errors.md, in a sentence without a full stop; `None` where it is
/// none of a job, a batch or a problem, such as those of SQL.
#[must_use]
pub fn next_step(code: &str) -> Option<&'static str> {
    let found = STEPS.iter().find(|(own, _)| *own == code)?;
    Some(found.1)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn the_document_of_codes_and_what_the_program_says_are_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
        let text = std::fs::read_to_string(path).expect("docs/errors.md");
        let own = text.split("\n## ").next().expect("a first part");
        let rows = own.lines().filter(|line| line.starts_with("| "));
        let told: Vec<(String, String)> = rows
            .map(|line| {
                let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
                let step = cells.last().expect("cells").replace('`', "");
                (cells[0].trim().to_owned(), step.trim().to_owned())
            })
            .filter(|(code, _)| code != "code")
            .collect();
        let steps = STEPS.map(|(code, step)| (code.to_owned(), step.to_owned()));
        assert_eq!(told, steps);
    }

    #[test]
    fn every_kind_of_error_has_a_next_step() {
        for kind in ErrorKind::ALL {
            assert!(next_step(kind.code()).is_some(), "{kind:?}");
        }
        assert_eq!(next_step("42601"), None);
    }
}
