use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Outer {
    one: Inner,
    #[serde(default)]
    maybe: Option<Inner>,
    #[serde(default)]
    list: Vec<Inner>,
    #[serde(default)]
    map: BTreeMap<String, Inner>,
    #[serde(default)]
    kind: Kind,
    #[serde(default)]
    any: Value,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Inner {
    text: String,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
enum Kind {
    #[default]
    Plain,
    Pair(u8, u8),
    New(Inner),
    Fields {
        text: String,
    },
}

fn read<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, String> {
    let mut json = serde_json::Deserializer::from_str(text);
    T::deserialize(Strict(&mut json)).map_err(|e| e.to_string())
}

#[test]
fn what_is_as_it_should_be_is_read_as_without() {
    for text in [
        r#"{"one": {"text": "a"}, "maybe": {"text": "b"}, "list": [{"text": "c"}, {"text": "d\n"}],
            "map": {"x": {"text": "e"}, "y": {"text": "f"}}, "any": {"x": [1, -2, 0.5, null, true, {"y": {}}]}}"#,
        r#"{"one": {"text": "a"}, "maybe": null, "kind": {"Pair": [1, 2]}, "any": "text"}"#,
        r#"{"one": {"text": "a"}, "kind": {"New": {"text": "b"}}}"#,
        r#"{"one": {"text": "a"}, "kind": {"Fields": {"text": "b"}}}"#,
        r#"{"one": {"text": "a"}, "kind": "Plain"}"#,
    ] {
        let strict: Outer = read(text).expect(text);
        assert_eq!(strict, serde_json::from_str(text).expect(text));
        let value: Value = read(text).expect(text);
        assert_eq!(value, serde_json::from_str::<Value>(text).expect(text));
    }
}

#[test]
fn a_list_is_no_object_at_any_depth() {
    for text in [
        r#"[{"text": "a"}, null, [], {}, "Plain", null]"#,
        r#"{"one": ["a"]}"#,
        r#"{"one": {"text": "a"}, "maybe": ["b"]}"#,
        r#"{"one": {"text": "a"}, "list": [["b"]]}"#,
        r#"{"one": {"text": "a"}, "map": {"x": ["b"]}}"#,
        r#"{"one": {"text": "a"}, "kind": {"New": ["b"]}}"#,
    ] {
        serde_json::from_str::<Outer>(text).expect("serde takes it");
        let refused = read::<Outer>(text).expect_err(text);
        assert!(
            refused.contains("sequence, expected an object"),
            "{refused}"
        );
        let value: Value = serde_json::from_str(text).expect("JSON");
        let refused = Outer::deserialize(Strict(value))
            .expect_err(text)
            .to_string();
        assert!(refused.contains("expected an object"), "{refused}");
    }
    let text = r#"{"one": {"text": "a"}, "kind": {"Fields": ["b"]}}"#;
    read::<Outer>(text).expect_err("a list as a variant's fields");
}

#[test]
fn a_property_comes_once_in_an_object() {
    for text in [
        r#"{"a": 1, "a": 1}"#,
        r#"{"a": [{"b": {"c\u0061": 1, "ca": 2}}]}"#,
    ] {
        let refused = read::<Value>(text).expect_err(text);
        assert!(refused.contains("comes twice"), "{refused}");
        read::<BTreeMap<String, Value>>(text).expect_err(text);
    }
    let elsewhere = r#"{"a": {"a": 1}, "b": [{"a": 1}, {"a": 1}]}"#;
    assert_eq!(
        read::<Value>(elsewhere).expect("once each")["b"][1],
        json!({"a": 1})
    );
}
