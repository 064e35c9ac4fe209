//! The forms of the schema registry: what a client says in `Accept` that it wants to have.

use axum::http::{HeaderMap, header};
use profile_export::platform::{Resource, ResourceForm};
use serde_json::{Value, json};
use xdm::FieldNames;

const TYPE: &str = "application/vnd.adobe.";

/// The form of an answer, such as that of `application/vnd.adobe.xed-full-notext+json; version=1`. Whatever isn't one of these
/// is answered in the plain one: no client is refused for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) resource: ResourceForm,
    /// IDs alone.
    pub(crate) is_id: bool,
    /// Paths alone.
    pub(crate) is_link: bool,
    /// Lists of descriptors in pages.
    pub(crate) is_v2: bool,
    /// With the descriptors of a schema.
    pub(crate) has_descriptors: bool,
}

impl Form {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let accepted = headers.get_all(header::ACCEPT).into_iter();
        let accepted = accepted.filter_map(|value| value.to_str().ok());
        let mut ranges = accepted.flat_map(|value| value.split(','));
        let words = ranges.find_map(|range| {
            let name = range.split(';').next()?.trim().strip_prefix(TYPE)?;
            let words: Vec<&str> = name.strip_suffix("+json")?.split('-').collect();
            matches!(words.first(), Some(&("xed" | "xdm"))).then_some(words)
        });
        let words = words.unwrap_or_else(|| vec!["xed"]);
        let has = |word: &str| words.contains(&word);
        Self {
            resource: ResourceForm {
                names: match has("xdm") {
                    true => FieldNames::Prefixed,
                    false => FieldNames::Plain,
                },
                is_full: has("full"),
                is_flat: has("flat"),
                has_text: !has("notext"),
            },
            is_id: has("id"),
            is_link: has("link"),
            is_v2: has("v2"),
            has_descriptors: has("desc"),
        }
    }

    /// A resource in this form.
    pub(crate) fn shown(&self, resource: &Resource, descriptors: &[Value]) -> Value {
        if self.is_id {
            return resource.named();
        }
        let mut shown = resource.shown(self.resource);
        if self.has_descriptors {
            let own = descriptors.iter();
            let own = own.filter(|one| one["xdm:sourceSchema"] == *resource.id);
            shown["meta:descriptors"] = json!(own.collect::<Vec<_>>());
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn of(accept: &'static str) -> Form {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        Form::of(&headers)
    }

    #[test]
    fn each_word_of_the_media_type_says_something() {
        let plain = Form::of(&HeaderMap::new());
        assert_eq!(plain.resource.names, FieldNames::Plain);
        assert!(!plain.resource.is_full && !plain.is_id && plain.resource.has_text);
        let full = of("application/vnd.adobe.xdm-full-desc-flat+json; version=1");
        assert_eq!(full.resource.names, FieldNames::Prefixed);
        assert!(full.resource.is_full && full.resource.is_flat && full.has_descriptors);
        assert!(
            !of("application/vnd.adobe.xed-full-notext+json;version=1")
                .resource
                .has_text
        );
        let ids = of("application/vnd.adobe.xdm-v2-id+json");
        assert!(ids.is_id && ids.is_v2 && !ids.is_link);
        assert!(of("text/html, application/vnd.adobe.xed-id+json").is_id);
    }

    #[test]
    fn what_is_no_form_is_answered_in_the_plain_one() {
        let plain = Form::of(&HeaderMap::new());
        for other in [
            "*/*",
            "application/json",
            "application/vnd.adobe.xid+json",
            "application/vnd.adobe.xed-id",
        ] {
            assert_eq!(of(other), plain, "{other}");
        }
    }
}
