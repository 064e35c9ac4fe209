/// Where a field of an object belongs, whichever of XDM's two spellings names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling<'a> {
    /// A field of this name.
    Field(&'a str),
    /// A field of the `_repo` object beside it (`repo:createDate` is `_repo.createDate`).
    Repo(&'a str),
}

/// Reads a key of XDM's JSON: `xdm:person` is `person`, `@id` is `_id`.
#[inline]
#[must_use]
pub fn spelling(key: &str) -> Spelling<'_> {
    match key.as_bytes().first() {
        Some(b'x') => Spelling::Field(key.strip_prefix("xdm:").unwrap_or(key)),
        Some(b'r') => match key.strip_prefix("repo:") {
            Some(rest) => Spelling::Repo(rest),
            None => Spelling::Field(key),
        },
        Some(b'@') if key == "@id" => Spelling::Field("_id"),
        _ => Spelling::Field(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_name_the_same_field() {
        assert_eq!(spelling("xdm:person"), Spelling::Field("person"));
        assert_eq!(spelling("person"), Spelling::Field("person"));
        assert_eq!(spelling("@id"), Spelling::Field("_id"));
        assert_eq!(spelling("repo:createDate"), Spelling::Repo("createDate"));
    }

    #[test]
    fn a_name_that_only_begins_like_a_prefix_stays() {
        for name in [
            "xdm", "xdmName", "@ids", "@type", "repo", "report", "my:xdm:a", "",
        ] {
            assert_eq!(spelling(name), Spelling::Field(name));
        }
    }
}
