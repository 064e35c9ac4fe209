use std::fmt;

use xxhash_rust::xxh3::{xxh3_128, xxh3_128_with_seed};

/// An identity: a value in a namespace, such as an e-mail address in `Email`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The namespace's code as it was spelled.
    pub namespace: String,
    /// The value; compared exactly.
    pub id: String,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.namespace, self.id)
    }
}

/// Whether an id tells somebody from others. Empty and blank ones don't, nor do the placeholders that the
/// platform's identity service does not take, `null`, `anonymous`, `invalid`, nor those that a dataset names
/// as its own; their ASCII case does not count.
///
/// ```
/// # use profile_export_xdm::is_identity;
/// assert!(is_identity("a@x.example", &[]) && !is_identity(" ", &[]) && !is_identity("NULL", &[]));
/// assert!(!is_identity("N/A", &["n/a".to_owned()]));
/// ```
#[must_use]
pub fn is_identity(id: &str, placeholders: &[String]) -> bool {
    let id = id.trim();
    let is = |it: &str| id.eq_ignore_ascii_case(it);
    let are_common = ["null", "anonymous", "invalid"].into_iter().any(is);
    !id.is_empty() && !are_common && !placeholders.iter().any(|it| is(it.trim()))
}

/// 128 bits that stand for an identity: equal for namespaces that differ only in ASCII case.
///
/// The store sorts by it, so its value is part of the file format: XXH3-128 of the namespace in
/// lower case followed by the id, seeded with the namespace's length. Two identities among a
/// billion share a key with a probability below 10^-20, so keys stand for identities everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonKey(pub u128);

impl PersonKey {
    /// The key of an identity.
    #[must_use]
    pub fn of(namespace: &str, id: &str) -> Self {
        let mut short = [0u8; 256];
        let length = namespace.len() + id.len();
        if let Some(bytes) = short.get_mut(..length) {
            let (name, rest) = bytes.split_at_mut(namespace.len());
            name.copy_from_slice(namespace.as_bytes());
            name.make_ascii_lowercase();
            rest.copy_from_slice(id.as_bytes());
            return Self(xxh3_128_with_seed(bytes, namespace.len() as u64));
        }
        let mut bytes = namespace.to_ascii_lowercase().into_bytes();
        bytes.extend_from_slice(id.as_bytes());
        Self(xxh3_128_with_seed(&bytes, namespace.len() as u64))
    }

    /// The 16 bytes as files hold them: big-endian, so that bytes sort as numbers do.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The key of 16 bytes from a file.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

/// XXH3-128, the project's one digest: of event `_id`s and of files.
#[must_use]
pub fn digest128(bytes: &[u8]) -> u128 {
    xxh3_128(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_border_between_namespace_and_id_counts() {
        assert_ne!(PersonKey::of("ab", "c"), PersonKey::of("a", "bc"));
    }

    #[test]
    fn long_identities_hash_like_short_ones() {
        let id = "x".repeat(300);
        assert_eq!(PersonKey::of("CRMID", &id), PersonKey::of("crmid", &id));
        assert_ne!(
            PersonKey::of("CRMID", &id),
            PersonKey::of("crmid", &id[1..])
        );
    }

    #[test]
    fn keys_are_part_of_the_file_format_and_never_change() {
        assert_eq!(
            format!("{:032x}", PersonKey::of("Email", "ann@example.com").0),
            "b82ef76a327f68b74f4423aa23f3ae26"
        );
        let id = "x".repeat(300);
        let bytes = format!("crmid{id}");
        assert_eq!(
            PersonKey::of("CRMID", &id).0,
            xxh3_128_with_seed(bytes.as_bytes(), 5)
        );
        assert_eq!(
            format!("{:032x}", digest128(b"")),
            "99aa06d3014798d86001c324468d497f"
        );
    }

    #[test]
    fn only_the_ascii_case_of_a_namespace_does_not_count() {
        assert_eq!(PersonKey::of("Email", "a"), PersonKey::of("eMAIL", "a"));
        assert_ne!(PersonKey::of("Email", "a"), PersonKey::of("Email", "A"));
        assert_ne!(PersonKey::of("É", "a"), PersonKey::of("é", "a"));
    }

    #[test]
    fn the_bytes_of_keys_sort_as_the_keys_do() {
        let (low, high) = (PersonKey(0xff), PersonKey(0x100));
        assert!(low.to_bytes() < high.to_bytes());
        assert_eq!(PersonKey::from_bytes(high.to_bytes()), high);
    }
}
