//! One spelling of each namespace as the key of a map: who reads an export names a key exactly.

use std::collections::HashMap;

use crate::SEGMENT_NAMESPACE;

/// The standard namespaces' codes, as the platform's identity service writes them, and that of its segments.
const STANDARD: [&str; 16] = [
    "AAID",
    "AAM",
    "AdCloud",
    "CORE",
    "ECID",
    "Email",
    "Email_LC_SHA256",
    "GAID",
    "IDFA",
    "Phone",
    "Phone_E164",
    "Phone_SHA256",
    "Phone_SHA256_E164",
    "TNTID",
    "WAID",
    SEGMENT_NAMESPACE,
];

/// How namespaces are spelled: the standard ones as the platform does, others as they came first.
///
/// ```
/// use profile_export_xdm::Namespaces;
///
/// let mut namespaces = Namespaces::default();
/// assert!(namespaces.add("crmId") && !namespaces.add("CRMID"));
/// assert_eq!(namespaces.spelled("CrmId"), "crmId");
/// assert_eq!(namespaces.spelled("EMAIL"), "Email");
/// assert_eq!(namespaces.spelled("other"), "other");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// In the order in which they came.
    codes: Vec<String>,
    /// The place of each, by its code in lower case.
    places: HashMap<String, usize>,
}

impl Namespaces {
    /// Adds a namespace in this spelling, a standard one in the platform's, unless it is there; says whether it was not.
    pub fn add(&mut self, code: &str) -> bool {
        if self.place(code).is_some() {
            return false;
        }
        let spelled = standard(code).unwrap_or(code);
        (self.places).insert(spelled.to_ascii_lowercase(), self.codes.len());
        self.codes.push(spelled.to_owned());
        true
    }

    /// The spelling of a namespace: its own, where it is neither here nor a standard one.
    #[must_use]
    pub fn spelled<'a>(&'a self, code: &'a str) -> &'a str {
        match standard(code) {
            Some(code) => code,
            None => self.place(code).map_or(code, |known| known),
        }
    }

    /// All of them, in the order in which they came.
    #[must_use]
    pub fn codes(&self) -> &[String] {
        &self.codes
    }

    fn place(&self, code: &str) -> Option<&str> {
        let place = match self.places.get(code) {
            Some(place) => place,
            None => self.places.get(&code.to_ascii_lowercase())?,
        };
        self.codes.get(*place).map(String::as_str)
    }
}

impl<S: AsRef<str>> FromIterator<S> for Namespaces {
    fn from_iter<T: IntoIterator<Item = S>>(codes: T) -> Self {
        let mut all = Self::default();
        for code in codes {
            all.add(code.as_ref());
        }
        all
    }
}

fn standard(code: &str) -> Option<&'static str> {
    let standard = STANDARD
        .iter()
        .find(|known| code.eq_ignore_ascii_case(known));
    standard.copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_spelling_stays_and_the_platforms_own_come_before_all() {
        let all: Namespaces = ["UPS", "Foo", "foo", "email", "FOO"].iter().collect();
        assert_eq!(all.codes(), ["ups", "Foo", "Email"]);
        for (code, spelled) in [("ups", "ups"), ("fOO", "Foo"), ("ecid", "ECID"), ("é", "é")] {
            assert_eq!(all.spelled(code), spelled);
        }
        // Case is ASCII's alone, as identities compare.
        assert_eq!(["Ä", "ä"].iter().collect::<Namespaces>().codes().len(), 2);
    }
}
