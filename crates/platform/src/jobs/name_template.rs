//! What the files of an export are called, where its user says so: `{segment.name}/{date}/part-{n}.{ext}`.

use std::str::FromStr;

use writer::{FileNames, Format};
use xdm::{Timestamp, nearest};

use super::batch_names::{PARTITION, escaped};

/// The longest name that file systems take, in bytes.
const MOST_BYTES: usize = 255;

/// What files are called, from the folder or address of the export on.
///
/// ```
/// use profile_export_platform::NameTemplate;
///
/// let template: NameTemplate = "{segment.name}/{date}/part-{n}.{ext}".parse().unwrap();
/// let refused = "{segment}.parquet".parse::<NameTemplate>().unwrap_err();
/// assert!(refused.contains(r#"did you mean "segment.id"?"#), "{refused}");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameTemplate {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Value(Placeholder),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placeholder {
    SegmentName,
    SegmentId,
    Date,
    Time,
    JobId,
    BatchId,
    Number,
    Ending,
}

impl Placeholder {
    const WORDS: [(&'static str, Self); 8] = [
        ("segment.name", Self::SegmentName),
        ("segment.id", Self::SegmentId),
        ("date", Self::Date),
        ("time", Self::Time),
        ("job.id", Self::JobId),
        ("batch.id", Self::BatchId),
        ("n", Self::Number),
        ("ext", Self::Ending),
    ];

    fn of(word: &str) -> Result<Self, String> {
        let known = Self::WORDS.iter().find(|(known, _)| *known == word);
        known.map(|(_, placeholder)| *placeholder).ok_or_else(|| {
            let words = || Self::WORDS.iter().map(|(known, _)| *known);
            let near = match nearest(word, words()).first() {
                Some(near) => format!("; did you mean {near:?}?"),
                None => String::new(),
            };
            let all: Vec<String> = words().map(|word| format!("{{{word}}}")).collect();
            format!(
                "{{{word}}} stands for nothing{near} (there are {})",
                all.join(", ")
            )
        })
    }
}

/// What a template's placeholders stand for in the names of a batch.
pub(crate) struct BatchValues<'a> {
    /// The ID and name of its segment, where it is of one alone.
    pub(crate) segment: Option<(&'a str, &'a str)>,
    /// When the export was begun.
    pub(crate) begun: Timestamp,
    /// Its job, where it has one that somebody could look at.
    pub(crate) job: Option<i64>,
    /// Its ID.
    pub(crate) batch: &'a str,
    /// The format of its files.
    pub(crate) format: &'a Format,
}

impl NameTemplate {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether files of one batch have different names.
    #[must_use]
    pub fn has_number(&self) -> bool {
        self.parts.contains(&Part::Value(Placeholder::Number))
    }

    /// Whether no two exports give a file the same name.
    #[must_use]
    pub fn has_batch_id(&self) -> bool {
        self.parts.contains(&Part::Value(Placeholder::BatchId))
    }

    /// The names of a batch's files.
    ///
    /// # Errors
    /// In words: a placeholder stands for nothing here, or a name is none that file systems take.
    pub(crate) fn names(&self, values: &BatchValues<'_>) -> Result<FileNames, String> {
        let mut texts = vec![String::new()];
        for part in &self.parts {
            let is_first = texts.len() == 1;
            let Some(text) = texts.last_mut() else {
                unreachable!("a list that is never emptied");
            };
            let value = match part {
                Part::Text(plain) => {
                    text.push_str(plain);
                    continue;
                }
                Part::Value(Placeholder::Number) => {
                    texts.push(String::new());
                    continue;
                }
                Part::Value(placeholder) => values.of(*placeholder)?,
            };
            // Readers pass over what begins so, and a name of dots is a place.
            let begins = text.ends_with('/') || (is_first && text.is_empty());
            match value.strip_prefix(['.', '_']).filter(|_| begins) {
                Some(rest) => {
                    let first = value.as_bytes().first().copied().unwrap_or_default();
                    text.push_str(&format!("%{first:02X}{rest}"));
                }
                None => text.push_str(&value),
            }
        }
        let names = FileNames::new(texts);
        // Numbers of more digits than that are of files that nobody has.
        let name = names.of(99_999);
        match name.split('/').find(|part| part.len() > MOST_BYTES) {
            Some(part) => Err(format!(
                "a name of {} bytes, where file systems take {MOST_BYTES}: {part:?}; leave out {{segment.name}}",
                part.len()
            )),
            None => Ok(names),
        }
    }
}

impl BatchValues<'_> {
    fn of(&self, placeholder: Placeholder) -> Result<String, String> {
        let (id, name) = match (placeholder, self.segment) {
            (Placeholder::SegmentId | Placeholder::SegmentName, None) => {
                return Err(
                    "{segment.id} and {segment.name} stand for nothing: a batch is of several segments or of none; \
                     export one segment, or a batch for each (--segment-per-batch)"
                        .to_owned(),
                );
            }
            (_, segment) => segment.unwrap_or_default(),
        };
        let begun = || self.begun.to_string();
        Ok(match placeholder {
            Placeholder::SegmentName => escaped(name),
            Placeholder::SegmentId => escaped(id),
            Placeholder::Date => begun().chars().take(10).collect(),
            // 13:22:04 without the colons, which Hadoop takes in no path.
            Placeholder::Time => (begun().chars().skip(11).take(8))
                .filter(char::is_ascii_digit)
                .collect(),
            Placeholder::JobId => match self.job {
                Some(job) => job.to_string(),
                None => {
                    return Err(
                        "{job.id} stands for nothing: this export is no job of a store; {batch.id} and {time} are its own"
                            .to_owned(),
                    );
                }
            },
            Placeholder::BatchId => self.batch.to_owned(),
            Placeholder::Ending => self.format.ending(),
            Placeholder::Number => unreachable!("it stands between texts"),
        })
    }
}

impl FromStr for NameTemplate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = parts(text)?;
        if text.contains(char::is_control) {
            return Err("a control character can't be in a name".to_owned());
        }
        if text.starts_with('/') {
            return Err(
                "a path of its own: names begin below --out; leave out the first slash".to_owned(),
            );
        }
        let begins = text.get(..PARTITION.len());
        if begins.is_some_and(|begins| begins.eq_ignore_ascii_case(PARTITION)) {
            return Err(format!(
                "{PARTITION} begins the names of folders that each are one batch; begin with something else"
            ));
        }
        for part in text.split('/') {
            match part {
                "" => {
                    return Err(
                        "a file's name is missing, or two slashes are side by side".to_owned()
                    );
                }
                "." | ".." => {
                    return Err(format!("{part:?} leads elsewhere: names stay below --out"));
                }
                _ if part.starts_with(['.', '_']) => {
                    return Err(format!(
                        "{part:?}: readers pass over what begins with a dot or an underscore"
                    ));
                }
                _ => {}
            }
        }
        Ok(Self {
            text: text.to_owned(),
            parts,
        })
    }
}

/// Texts and placeholders; `{{` and `}}` are braces.
fn parts(text: &str) -> Result<Vec<Part>, String> {
    let (mut parts, mut plain) = (Vec::new(), String::new());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, behind) = rest.split_at(at);
        plain.push_str(before);
        if let Some(escaped) = ["{{", "}}"].iter().find(|two| behind.starts_with(**two)) {
            plain.push_str(escaped.get(..1).unwrap_or_default());
            rest = behind.get(2..).unwrap_or_default();
            continue;
        }
        let inner = behind
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'));
        let Some((word, behind)) = inner else {
            return Err("a brace without its other one; {{ and }} are braces in names".to_owned());
        };
        let placeholder = Placeholder::of(word)?;
        if !plain.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut plain)));
        }
        parts.push(Part::Value(placeholder));
        rest = behind;
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values<'a>(segment: Option<(&'a str, &'a str)>) -> BatchValues<'a> {
        BatchValues {
            segment,
            begun: Timestamp::parse("2018-10-25T13:22:04.5Z").expect("a time"),
            job: Some(7),
            batch: "1a22",
            format: &Format::Parquet,
        }
    }

    fn name(template: &str, segment: (&str, &str)) -> Result<String, String> {
        let template: NameTemplate = template.parse()?;
        Ok(template.names(&values(Some(segment)))?.of(1))
    }

    #[test]
    fn placeholders_stand_for_what_the_export_is() {
        let gold = ("b2", "gold members");
        for (template, expected) in [
            (
                "{segment.name}/{date}/part-{n}.{ext}",
                "gold members/2018-10-25/part-00001.parquet",
            ),
            ("{segment.id}-{time}.parquet", "b2-132204.parquet"),
            (
                "{{{job.id}}}/{batch.id}/{n}/{n}.{ext}",
                "{7}/1a22/00001/00001.parquet",
            ),
        ] {
            assert_eq!(name(template, gold).as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn names_of_segments_stay_names() {
        for (segment, expected) in [
            ("a/b=c", "a%2Fb%3Dc.csv"),
            ("..", "%2E..csv"),
            (".hidden", "%2Ehidden.csv"),
            ("_x\n", "%5Fx%0A.csv"),
            ("Ümlaut", "Ümlaut.csv"),
        ] {
            assert_eq!(
                name("{segment.name}.csv", ("1", segment)).as_deref(),
                Ok(expected)
            );
        }
        // In the middle of a name a dot hides nothing.
        assert_eq!(
            name("x{segment.name}.csv", ("1", ".a")).as_deref(),
            Ok("x.a.csv")
        );
    }

    #[test]
    fn what_can_be_no_name_is_refused_with_what_can() {
        for (template, word) in [
            ("{name}.csv", "{segment.name}"),
            ("/tmp/{n}.csv", "--out"),
            ("a/../{n}.csv", "--out"),
            ("a//b.csv", "slashes"),
            ("a/", "missing"),
            ("", "missing"),
            (".a/b.csv", "underscore"),
            ("a/_b.csv", "underscore"),
            ("batchid={segment.id}/{n}.csv", "batchId="),
            ("a\tb.csv", "control"),
            ("{n.csv", "brace"),
            ("n}.csv", "brace"),
        ] {
            let refused = template.parse::<NameTemplate>().expect_err(template);
            assert!(refused.contains(word), "{template}: {refused}");
        }
        let long = "x".repeat(300);
        let refused = name("{segment.name}.csv", ("1", &long)).expect_err("too long");
        assert!(refused.contains("304 bytes"), "{refused}");
    }

    #[test]
    fn a_placeholder_without_a_value_is_refused() {
        let of = |text: &str, values: &BatchValues<'_>| {
            let template: NameTemplate = text.parse().expect("a template");
            template.names(values).expect_err("refused")
        };
        let refused = of("{segment.name}.csv", &values(None));
        assert!(refused.contains("--segment-per-batch"), "{refused}");
        let no_job = BatchValues {
            job: None,
            ..values(None)
        };
        let refused = of("{job.id}.csv", &no_job);
        assert!(refused.contains("{batch.id}"), "{refused}");
    }
}
