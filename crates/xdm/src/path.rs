use std::fmt;

use crate::{Spelling, spelling};

/// A dotted path to a field, such as `person.name.lastName` or `a."b.c".d`.
///
/// A part with dots, commas, parentheses or blanks is quoted, and one without a name is `""`; a quote inside a quoted part is
/// doubled. XDM's prefixes are dropped from unquoted parts, as they are from records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath {
    parts: Vec<String>,
}

/// The most parentheses inside each other.
const MOST_OPEN: usize = 64;
/// The most names, and bytes of names, that a list says: with parentheses a short text says many, since each path has all
/// that is before it once more.
const MOST_PARTS: usize = 100_000;
const MOST_BYTES: usize = 8 << 20;

/// Why a text is no field path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem} in field path {text:?}")]
pub struct PathError {
    text: String,
    problem: &'static str,
}

impl FieldPath {
    /// A path of ready parts.
    pub fn from_parts<S: Into<String>>(parts: impl IntoIterator<Item = S>) -> Self {
        Self {
            parts: parts.into_iter().map(Into::into).collect(),
        }
    }

    /// Reads one path.
    ///
    /// # Errors
    /// An empty text, an empty part that is not quoted, an unclosed quote, text beside a quoted part, or a comma.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let mut paths = Self::parse_list(text)?;
        match (paths.pop(), paths.is_empty()) {
            (Some(path), true) => Ok(path),
            (None, _) => Err(error(text, "nothing")),
            _ => Err(error(text, "a comma")),
        }
    }

    /// Reads a comma-separated list; blanks around names do not count. A blank text is an empty list. As in the selectors
    /// of the platform's projections, `person(name,gender)` is `person.name,person.gender`, at any depth.
    ///
    /// # Errors
    /// As for [`FieldPath::parse`], naming the whole text; parentheses that do not match, have nothing in them or are more
    /// than 64 inside each other; paths that have more than 100,000 names, or 8 MiB of them.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, PathError> {
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        let mut paths = Vec::new();
        // What stands before the parentheses that are open, and how much of it before each of them.
        let mut parts: Vec<String> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        let (mut all_parts, mut all_bytes) = (0_usize, 0_usize);
        let mut rest = text;
        loop {
            rest = rest.trim_start();
            if let Some(quoted) = rest.strip_prefix('"') {
                let (part, after) = unquote(quoted).ok_or_else(|| error(text, "an open quote"))?;
                parts.push(part);
                rest = after.trim_start();
                if !(rest.is_empty() || rest.starts_with(['.', ',', '(', ')'])) {
                    return Err(error(text, "text beside a quoted part"));
                }
            } else {
                let special = ['.', ',', '"', '(', ')'];
                let end = rest.find(special).unwrap_or(rest.len());
                let (part, after) = rest.split_at(end);
                if after.starts_with('"') {
                    return Err(error(text, "a quote inside a part"));
                }
                let part = part.trim_end();
                if part.is_empty() {
                    return Err(error(text, "an empty part"));
                }
                match spelling(part) {
                    Spelling::Field(name) => parts.push(name.to_owned()),
                    Spelling::Repo(name) => parts.extend(["_repo".to_owned(), name.to_owned()]),
                }
                rest = after;
            }
            if let Some(after) = rest.strip_prefix('.') {
                rest = after;
                continue;
            }
            if let Some(after) = rest.strip_prefix('(') {
                if open.len() == MOST_OPEN {
                    let problem = "more than 64 parentheses inside each other";
                    return Err(error(text, problem));
                }
                open.push(parts.len());
                rest = after;
                continue;
            }
            all_parts += parts.len();
            all_bytes += parts.iter().map(String::len).sum::<usize>();
            if all_parts > MOST_PARTS {
                return Err(error(text, "paths of more than 100000 names in all"));
            }
            if all_bytes > MOST_BYTES {
                return Err(error(text, "paths of more than 8 MiB in all"));
            }
            paths.push(Self::from_parts(parts.iter()));
            while let Some(after) = rest.strip_prefix(')') {
                open.pop()
                    .ok_or_else(|| error(text, "a parenthesis too many"))?;
                rest = after.trim_start();
            }
            parts.truncate(open.last().copied().unwrap_or(0));
            match rest.strip_prefix(',') {
                Some(after) => rest = after,
                None if !rest.is_empty() => return Err(error(text, "text beside a parenthesis")),
                None if !open.is_empty() => return Err(error(text, "an open parenthesis")),
                None => return Ok(paths),
            }
        }
    }

    /// The names from the outermost field inwards; never empty.
    #[must_use]
    pub fn parts(&self) -> &[String] {
        &self.parts
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, part) in self.parts.iter().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            f.write_str(&quote_part(part))?;
        }
        Ok(())
    }
}

/// One part of a path as it is written: quoted where it has special characters.
#[must_use]
pub fn quote_part(part: &str) -> String {
    let plain = |c: char| !c.is_whitespace() && !['.', ',', '"', '(', ')'].contains(&c);
    if !part.is_empty() && part.chars().all(plain) {
        part.to_owned()
    } else {
        format!("\"{}\"", part.replace('"', "\"\""))
    }
}

fn unquote(text: &str) -> Option<(String, &str)> {
    let mut part = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"')?;
        part.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                part.push('"');
                rest = more;
            }
            None => return Some((part, after)),
        }
    }
}

fn error(text: &str, problem: &'static str) -> PathError {
    PathError {
        text: text.to_owned(),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<Vec<String>> {
        FieldPath::parse_list(text)
            .expect("a list of paths")
            .into_iter()
            .map(|p| p.parts)
            .collect()
    }

    #[test]
    fn splits_at_commas_and_dots() {
        assert_eq!(
            parts(" _id, _experience.x "),
            [vec!["_id"], vec!["_experience", "x"]]
        );
        assert_eq!(parts("  "), Vec::<Vec<String>>::new());
    }

    #[test]
    fn quoted_parts_keep_dots_commas_and_quotes() {
        assert_eq!(
            parts(r#"a."b.c".d,"e,""f""""#),
            [vec!["a", "b.c", "d"], vec!["e,\"f\""]]
        );
    }

    #[test]
    fn parentheses_give_what_is_before_them_to_all_that_is_in_them() {
        for (short, long) in [
            ("person(name,gender)", "person.name,person.gender"),
            (
                "addresses(type,city.country)",
                "addresses.type,addresses.city.country",
            ),
            ("_id,a.b( c , d ( e,f ) ),g", "_id,a.b.c,a.b.d.e,a.b.d.f,g"),
            (r#""x.y"("z",xdm:w)"#, r#""x.y"."z","x.y".w"#),
            ("a(b)", "a.b"),
        ] {
            assert_eq!(parts(short), parts(long), "{short}");
        }
        for (text, problem) in [
            ("a(b", "an open parenthesis"),
            ("a(b,c(d)", "an open parenthesis"),
            ("a)", "a parenthesis too many"),
            ("a(b))", "a parenthesis too many"),
            ("a()", "an empty part"),
            ("(a)", "an empty part"),
            ("a.(b)", "an empty part"),
            ("a(b).c", "text beside a parenthesis"),
            ("a(b)c", "text beside a parenthesis"),
            ("a(b,)", "an empty part"),
        ] {
            let error = FieldPath::parse_list(text).expect_err(text);
            assert_eq!(error.problem, problem, "{text}");
        }
        let name = FieldPath::from_parts(["a(b)", "c"]);
        assert_eq!(name.to_string(), r#""a(b)".c"#);
        assert_eq!(FieldPath::parse(&name.to_string()), Ok(name));
    }

    #[test]
    fn a_short_text_that_says_very_much_is_refused_before_that_is_made() {
        let nested = |depth: usize, inner: &str| {
            format!("{}{inner}{}", "a(".repeat(depth), ")".repeat(depth))
        };
        let leaves = "b,".repeat(12_000) + "b";
        assert_eq!(parts(&nested(64, "b")).concat().len(), 65);
        assert_eq!(
            parts(&"b,".repeat(MOST_PARTS - 1)[..2 * MOST_PARTS - 3]).len(),
            MOST_PARTS - 1
        );
        for (text, problem) in [
            (
                nested(65, "b"),
                "more than 64 parentheses inside each other",
            ),
            (
                nested(1000, &leaves),
                "more than 64 parentheses inside each other",
            ),
            (
                nested(64, &leaves),
                "paths of more than 100000 names in all",
            ),
            (
                format!("{}a({leaves})", "a.".repeat(1000)),
                "paths of more than 100000 names in all",
            ),
            (
                format!("{}({leaves})", "a".repeat(10_000)),
                "paths of more than 8 MiB in all",
            ),
        ] {
            let error = FieldPath::parse_list(&text).expect_err(problem);
            assert_eq!(error.problem, problem);
        }
    }

    #[test]
    fn both_spellings_are_one() {
        assert_eq!(
            parts("xdm:person.xdm:name,@id,repo:createDate"),
            [
                vec!["person", "name"],
                vec!["_id"],
                vec!["_repo", "createDate"]
            ]
        );
    }

    #[test]
    fn writes_what_it_reads() {
        for text in [
            r#"a."b.c".d"#,
            "identityMap.Email",
            r#""a""b""#,
            r#""""#,
            r#"a."".b"#,
        ] {
            assert_eq!(FieldPath::parse(text).expect("a path").to_string(), text);
        }
    }

    #[test]
    fn refuses_what_is_no_path() {
        for text in ["a..b", ".a", "a.", "a,,b", "a,", "\"a", "a\"b\"", "\"a\"b"] {
            assert!(FieldPath::parse_list(text).is_err(), "{text}");
        }
        assert!(FieldPath::parse("").is_err());
        assert!(FieldPath::parse("a,b").is_err());
    }

    #[test]
    fn a_quoted_part_keeps_its_prefix() {
        let path = FieldPath::parse(r#""xdm:a"."@id""#).expect("a path");
        assert_eq!(path.parts(), ["xdm:a", "@id"]);
    }

    #[test]
    fn parts_with_blanks_are_written_in_quotes() {
        let path = FieldPath::from_parts(["a b", "c", ""]);
        assert_eq!(path.to_string(), r#""a b".c."""#);
    }

    #[test]
    fn an_error_says_what_was_found_and_in_which_text() {
        let error = FieldPath::parse_list("a, b..c").expect_err("an empty part");
        assert_eq!(
            error.to_string(),
            r#"an empty part in field path "a, b..c""#
        );
    }
}
