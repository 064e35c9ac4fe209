//! One spelling of the platform's own namespaces: who reads an export names a map's key exactly.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::datatypes::Int32Type;
use xdm::SEGMENT_NAMESPACE;

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

/// Namespaces as keys, the standard ones in the platform's spelling.
pub(super) fn spelled_alike(keys: ArrayRef) -> ArrayRef {
    if let Some(dictionary) = keys.as_dictionary_opt::<Int32Type>()
        && let Some(values) = dictionary.values().as_string_opt::<i32>()
    {
        return match replaced(values) {
            Some(values) => Arc::new(dictionary.with_values(Arc::new(values))),
            None => keys,
        };
    }
    match keys.as_string_opt::<i32>().and_then(replaced) {
        Some(keys) => Arc::new(keys),
        None => keys,
    }
}

/// The texts where one is spelled otherwise; that none is is the rule.
fn replaced(texts: &StringArray) -> Option<StringArray> {
    let is_other = |text: Option<&str>| text.is_some_and(|text| spelled(text) != text);
    texts
        .iter()
        .any(is_other)
        .then(|| texts.iter().map(|text| text.map(spelled)).collect())
}

fn spelled(text: &str) -> &str {
    let standard = STANDARD.iter().find(|code| text.eq_ignore_ascii_case(code));
    standard.copied().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, DictionaryArray, Int32Array};

    use super::*;

    #[test]
    fn standard_namespaces_have_one_spelling_and_others_keep_theirs() {
        let texts = StringArray::from(vec![Some("UPS"), Some("eMail"), None, Some("crmId")]);
        let expected = StringArray::from(vec![Some("ups"), Some("Email"), None, Some("crmId")]);
        let keys = Int32Array::from(vec![0, 1, 3]);
        let dictionary = DictionaryArray::new(keys.clone(), Arc::new(texts.clone()));
        let alike = spelled_alike(Arc::new(dictionary));
        let dictionary = alike.as_dictionary::<Int32Type>();
        assert_eq!(dictionary.keys(), &keys);
        assert_eq!(dictionary.values().as_string::<i32>(), &expected);
        let alike = spelled_alike(Arc::new(texts));
        assert_eq!(alike.as_string::<i32>(), &expected);
    }

    #[test]
    fn keys_that_are_right_stay_as_they_are() {
        let keys: ArrayRef = Arc::new(StringArray::from(vec!["ups", "upsell"]));
        let before = keys.to_data().buffers()[1].as_ptr();
        assert_eq!(spelled_alike(keys).to_data().buffers()[1].as_ptr(), before);
    }
}
