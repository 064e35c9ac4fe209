//! One spelling of the platform's own namespace of segments: who reads an export names a map's key exactly.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::datatypes::Int32Type;
use xdm::SEGMENT_NAMESPACE;

/// The keys of memberships, with `UPS` in whatever case as `ups`.
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
    let is_it = |text: &str| text.eq_ignore_ascii_case(SEGMENT_NAMESPACE);
    let is_other = |text: Option<&str>| text.is_some_and(|t| is_it(t) && t != SEGMENT_NAMESPACE);
    texts.iter().any(is_other).then(|| {
        let own = |text| if is_it(text) { SEGMENT_NAMESPACE } else { text };
        texts.iter().map(|text| text.map(own)).collect()
    })
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, DictionaryArray, Int32Array};

    use super::*;

    #[test]
    fn the_own_namespace_has_one_spelling_and_others_keep_theirs() {
        let texts = StringArray::from(vec![Some("UPS"), Some("AAM"), None, Some("ups")]);
        let expected = StringArray::from(vec![Some("ups"), Some("AAM"), None, Some("ups")]);
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
