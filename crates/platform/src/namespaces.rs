//! Namespaces of identities, as the platform's identity service lists them: the standard ones, those that records have,
//! and those that somebody described.

use std::collections::BTreeMap;

use catalog::{Document, DocumentKind, Kind};
use export::RequestError;
use serde::{Deserialize, Serialize};
use store::Store;
use xdm::{Timestamp, digest128};

use crate::access::Lookups;
use crate::error::Result;

/// What the identities of a namespace are. It is kept and told, and has no effect on the identity graph.
pub const ID_TYPES: [&str; 15] = [
    "COOKIE",
    "CROSS_DEVICE",
    "DEVICE",
    "EMAIL",
    "MOBILE",
    "NON_PEOPLE",
    "PHONE",
    "B2B_ACCOUNT",
    "B2B_ACCOUNT_PERSON",
    "B2B_CAMPAIGN",
    "B2B_CAMPAIGN_MEMBER",
    "B2B_MARKETING_LIST",
    "B2B_MARKETING_LIST_MEMBER",
    "B2B_OPPORTUNITY",
    "B2B_OPPORTUNITY_PERSON",
];

/// The standard namespaces: code, number where the platform's documents have it, type, name.
const STANDARD: [(&str, Option<u32>, &str, &str); 15] = [
    ("CORE", Some(0), "COOKIE", "CORE"),
    ("ECID", Some(4), "COOKIE", "ECID"),
    ("Email", Some(6), "EMAIL", "Email"),
    ("Phone", Some(7), "PHONE", "Phone"),
    ("AAID", Some(10), "COOKIE", "Adobe Analytics"),
    ("AdCloud", Some(411), "COOKIE", "AdCloud"),
    ("AAM", None, "COOKIE", "Audience Manager"),
    (
        "Email_LC_SHA256",
        None,
        "EMAIL",
        "Emails (SHA256, lowercased)",
    ),
    ("GAID", None, "DEVICE", "Google Ad ID"),
    ("IDFA", None, "DEVICE", "Apple IDFA"),
    ("Phone_E164", None, "PHONE", "Phone (E.164)"),
    ("Phone_SHA256", None, "PHONE", "Phone (SHA256)"),
    ("Phone_SHA256_E164", None, "PHONE", "Phone (SHA256, E.164)"),
    ("TNTID", None, "COOKIE", "Adobe Target"),
    ("WAID", None, "DEVICE", "Windows AID"),
];

/// Numbers of namespaces that are none of the platform's begin here, as those of its customers' own do.
const FIRST_OWN: u32 = 10_000_000;
/// How many numbers there are for them.
const OWN_NUMBERS: u128 = 1 << 30;
/// The longest code, in bytes.
const LONGEST_CODE: usize = 100;

/// A namespace of identities, in the platform's JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentityNamespace {
    /// Its number. Where the platform's documents have none it follows from the code, so that it is the same in any store.
    pub id: u32,
    /// What stands in records; compares without regard to ASCII case.
    pub code: String,
    /// For people.
    pub name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What its identities are, one of [`ID_TYPES`]; missing where records alone know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_type: Option<String>,
    /// Always `ACTIVE`.
    pub status: String,
    /// Whether it is none of the platform's own.
    pub custom: bool,
    /// When it was described; missing where nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_time: Option<i64>,
    /// When that last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_time: Option<i64>,
}

/// The body of the platform's `POST /idnamespace/identities`, and of `PUT`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = NamespaceRequest))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamespaceBody {
    /// For people.
    #[cfg_attr(feature = "openapi", schema(pattern = r"\S"))]
    pub name: String,
    /// One word: letters, digits, `_`, `-` and `.`.
    #[cfg_attr(feature = "openapi", schema(pattern = r"^[A-Za-z0-9_.\-]{1,100}$"))]
    pub code: String,
    /// What its identities are, in any case: COOKIE, CROSS_DEVICE, DEVICE, EMAIL, MOBILE, NON_PEOPLE, PHONE, or one of B2B.
    pub id_type: String,
    /// For people.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub description: Option<String>,
}

/// All namespaces of a sandbox, by their numbers. Those of memberships alone are none. What records have is looked for once,
/// and kept by `lookups` until the store changes.
///
/// # Errors
/// The catalog can't be read, a damaged run.
pub fn identity_namespaces(store: &Store, lookups: &Lookups) -> Result<Vec<IdentityNamespace>> {
    let mut all: BTreeMap<u32, IdentityNamespace> = BTreeMap::new();
    for namespace in standard() {
        all.insert(namespace.id, namespace);
    }
    for document in store.catalog().documents(DocumentKind::IdentityNamespace)? {
        let own = read(&document)?;
        all.insert(own.id, own);
    }
    for code in lookups.namespaces_of_records(store)?.iter() {
        let id = namespace_number(code);
        all.entry(id).or_insert_with(|| IdentityNamespace {
            id,
            name: code.clone(),
            code: code.clone(),
            description: None,
            id_type: None,
            status: ACTIVE.to_owned(),
            custom: true,
            create_time: None,
            update_time: None,
        });
    }
    Ok(all.into_values().collect())
}

/// Describes a namespace: a new one, or one that records have.
///
/// # Errors
/// A code that is none, or is described already; an unknown type.
pub fn create_identity_namespace(
    store: &Store,
    body: NamespaceBody,
    now: Timestamp,
) -> Result<IdentityNamespace> {
    let id = namespace_number(&body.code);
    let made = body.check(id, now)?;
    store.catalog().atomically(|catalog| {
        if let Some(known) = known(catalog, id)? {
            let problem = format!(
                "namespace {:?} is there already, with the number {id}",
                known.code
            );
            return Err(catalog::Error::Conflict(problem).into());
        }
        put(catalog, &made)?;
        Ok(made)
    })
}

/// Replaces what is said of a namespace, by its number; its code stays.
///
/// # Errors
/// There is no such namespace, or it is a standard one; another code, an unknown type.
pub fn replace_identity_namespace(
    store: &Store,
    lookups: &Lookups,
    id: u32,
    body: NamespaceBody,
    now: Timestamp,
) -> Result<IdentityNamespace> {
    let all = identity_namespaces(store, lookups)?;
    let Some(namespace) = all.iter().find(|namespace| namespace.id == id) else {
        return Err(catalog::Error::not_found(Kind::IdentityNamespace, id).into());
    };
    if !body.code.eq_ignore_ascii_case(&namespace.code) {
        let problem = format!(
            "found {:?}; allowed is {:?}: the code of a namespace stays",
            body.code, namespace.code
        );
        return Err(RequestError::new("code", problem).into());
    }
    let made = body.check(id, now)?;
    store.catalog().atomically(|catalog| {
        let create_time = known(catalog, id)?.map_or(made.create_time, |known| known.create_time);
        let made = IdentityNamespace {
            code: namespace.code.clone(),
            create_time,
            ..made
        };
        put(catalog, &made)?;
        Ok(made)
    })
}

const ACTIVE: &str = "ACTIVE";

impl NamespaceBody {
    fn check(self, id: u32, now: Timestamp) -> Result<IdentityNamespace> {
        let refuse = |path: &str, problem: String| Err(RequestError::new(path, problem).into());
        let is_word = |c: char| c.is_ascii_alphanumeric() || ['_', '-', '.'].contains(&c);
        let Self {
            name,
            code,
            id_type,
            description,
        } = self;
        if !(1..=LONGEST_CODE).contains(&code.len()) || !code.chars().all(is_word) {
            return refuse(
                "code",
                format!("found {code:?}; allowed is one word of letters, digits, _, - and ."),
            );
        }
        if standard().any(|standard| standard.code.eq_ignore_ascii_case(&code)) {
            return refuse("code", format!("{code:?} is a standard namespace"));
        }
        if name.trim().is_empty() {
            return refuse("name", "found \"\"; a namespace needs a name".to_owned());
        }
        let id_type = id_type.to_ascii_uppercase();
        if !ID_TYPES.contains(&id_type.as_str()) {
            return refuse(
                "idType",
                format!("found {id_type:?}; allowed are {}", ID_TYPES.join(", ")),
            );
        }
        Ok(IdentityNamespace {
            id,
            code,
            name,
            description,
            id_type: Some(id_type),
            status: ACTIVE.to_owned(),
            custom: true,
            create_time: Some(now.millis()),
            update_time: Some(now.millis()),
        })
    }
}

fn standard() -> impl Iterator<Item = IdentityNamespace> {
    STANDARD
        .into_iter()
        .map(|(code, id, id_type, name)| IdentityNamespace {
            id: id.unwrap_or_else(|| derived(code)),
            code: code.to_owned(),
            name: name.to_owned(),
            description: None,
            id_type: Some(id_type.to_owned()),
            status: ACTIVE.to_owned(),
            custom: false,
            create_time: None,
            update_time: None,
        })
}

/// The number of a namespace, whatever the case of its code.
#[must_use]
pub fn namespace_number(code: &str) -> u32 {
    let standard = STANDARD
        .iter()
        .find(|(known, ..)| known.eq_ignore_ascii_case(code));
    let documented = standard.and_then(|(_, id, ..)| *id);
    documented.unwrap_or_else(|| derived(code))
}

fn derived(code: &str) -> u32 {
    let digest = digest128(code.to_ascii_lowercase().as_bytes());
    FIRST_OWN + (digest % OWN_NUMBERS) as u32
}

fn known(catalog: &catalog::Catalog, id: u32) -> Result<Option<IdentityNamespace>> {
    let document = catalog.document(DocumentKind::IdentityNamespace, &id.to_string(), None)?;
    document.as_ref().map(read).transpose()
}

fn put(catalog: &catalog::Catalog, namespace: &IdentityNamespace) -> Result<()> {
    let id = namespace.id.to_string();
    let document = Document::of(namespace).map_err(|error| damaged(&id, &error))?;
    Ok(catalog.put_document(DocumentKind::IdentityNamespace, &id, 1, &document)?)
}

fn read(document: &Document) -> Result<IdentityNamespace> {
    document.read().map_err(|error| {
        let id = document.value().get("id").map(ToString::to_string);
        damaged(&id.unwrap_or_default(), &error).into()
    })
}

fn damaged(id: &str, problem: &serde_json::Error) -> catalog::Error {
    catalog::Error::Damaged {
        kind: Kind::IdentityNamespace,
        id: id.to_owned(),
        problem: problem.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use xdm::Namespaces;

    use super::*;

    #[test]
    fn standard_codes_are_spelled_as_in_exports_and_have_numbers_of_their_own() {
        let all = Namespaces::default();
        for (code, ..) in STANDARD {
            assert_eq!(all.spelled(&code.to_ascii_lowercase()), code);
        }
        let mut numbers: Vec<u32> = standard().map(|one| one.id).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), STANDARD.len());
    }

    #[test]
    fn a_number_follows_from_the_code_whatever_its_case() {
        assert_eq!(namespace_number("email"), 6);
        assert_eq!(namespace_number("crmId"), namespace_number("CRMID"));
        assert!(
            namespace_number("crmId") >= FIRST_OWN
                && namespace_number("crmId") != namespace_number("loyalty")
        );
    }
}
