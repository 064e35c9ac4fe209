//! What a text means is serde_json's say.

use std::fmt;

use proptest::prelude::*;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::{JsonParser, JsonValue};
use crate::progress::Progress;
use crate::value::{Key, Kind, ObjectEntries, RecordError, Value};

/// A document with all that it says, the order of its fields and those that come twice.
#[derive(Debug, PartialEq)]
enum Tree {
    Null,
    Boolean(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Tree;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Null)
            }

            fn visit_bool<E>(self, b: bool) -> Result<Tree, E> {
                Ok(Tree::Boolean(b))
            }

            fn visit_i64<E>(self, i: i64) -> Result<Tree, E> {
                Ok(Tree::Integer(i.into()))
            }

            fn visit_u64<E>(self, i: u64) -> Result<Tree, E> {
                Ok(Tree::Integer(i.into()))
            }

            fn visit_f64<E>(self, x: f64) -> Result<Tree, E> {
                Ok(Tree::Float(x))
            }

            fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
                Ok(Tree::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Tree::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
                let mut object = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    object.push(entry);
                }
                Ok(Tree::Object(object))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// Reads a value whole, always saying that the key `likely` comes next.
fn tree(value: JsonValue<'_, '_>, likely: &str) -> Result<Tree, RecordError> {
    Ok(match value.kind()? {
        Kind::Null => Tree::Null,
        Kind::Boolean(b) => Tree::Boolean(b),
        Kind::Integer(i) => Tree::Integer(i.into()),
        Kind::Large(i) => Tree::Integer(i.into()),
        Kind::Float(x) => Tree::Float(x),
        Kind::Text(text) => Tree::Text(text.to_owned()),
        Kind::List => {
            let mut list = Vec::new();
            value.items(&mut |item| {
                list.push(tree(item, likely)?);
                Ok(())
            })?;
            Tree::List(list)
        }
        _ => {
            let mut object = Vec::new();
            let mut entries = value.entries()?;
            while let Some((key, value)) = entries.next(format!("\"{likely}\"").as_bytes())? {
                let key = match key {
                    Key::Likely => likely,
                    Key::Named(name) => name,
                };
                object.push((key.to_owned(), tree(value, likely)?));
            }
            Tree::Object(object)
        }
    })
}

/// Reads the lines of a text as documents.
fn ours(text: &[u8], likely: &str) -> Vec<Result<Tree, RecordError>> {
    let mut lines = Vec::new();
    let mut start = 0;
    for line in text.split(|b| *b == b'\n') {
        lines.push((start, start + line.len()));
        start += line.len() + 1;
    }
    let mut trees = Vec::new();
    let (mut parser, progress) = (JsonParser::default(), Progress::default());
    let read = parser.parse_all(text, &progress, lines.into_iter(), |number, value| {
        assert_eq!(number, trees.len());
        trees.push(value.and_then(|value| {
            let walked = tree(value, likely)?;
            value.end()?;
            // It may be gone past again.
            value.skip()?;
            value.end()?;
            Ok(walked)
        }));
        Ok::<_, RecordError>(())
    });
    read.expect("no error of its own");
    trees
}

fn agree(ours: &Tree, theirs: &Tree) -> bool {
    match (ours, theirs) {
        // A whole number with a minus and nothing else is an integer here.
        (Tree::Integer(0), Tree::Float(x)) => *x == 0.0,
        (Tree::List(a), Tree::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| agree(a, b))
        }
        (Tree::Object(a), Tree::Object(b)) => {
            let same = |((key, a), (other, b)): (&(String, Tree), &(String, Tree))| {
                key == other && agree(a, b)
            };
            a.len() == b.len() && a.iter().zip(b).all(same)
        }
        _ => ours == theirs,
    }
}

fn holds_large(tree: &Tree) -> bool {
    match tree {
        Tree::Float(x) => x.abs() > 9e18,
        Tree::List(items) => items.iter().any(holds_large),
        Tree::Object(entries) => entries.iter().any(|(_, value)| holds_large(value)),
        _ => false,
    }
}

fn hold_against_serde(text: &[u8]) -> Result<(), TestCaseError> {
    for (line, read) in text.split(|b| *b == b'\n').zip(ours(text, "a")) {
        let expected: Result<Tree, _> = serde_json::from_slice(line);
        let shown = String::from_utf8_lossy(line);
        match (&read, &expected) {
            (Ok(ours), Ok(theirs)) => {
                prop_assert!(agree(ours, theirs), "{shown}: {ours:?}, {theirs:?}");
            }
            (Err(_), Err(_)) => {}
            // Of an integer that no 64 bits hold it makes a float64, and loses digits.
            (Err(_), Ok(theirs)) if holds_large(theirs) => {}
            _ => prop_assert!(false, "{shown}: {read:?}, {expected:?}"),
        }
    }
    Ok(())
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        any::<i32>().prop_map(|i| i.to_string()),
        any::<i64>().prop_map(|i| i.to_string()),
        any::<u64>().prop_map(|i| i.to_string()),
        any::<f64>()
            .prop_filter("JSON has no others", |x| x.is_finite())
            .prop_map(|x| format!("{x:?}")),
        "-?(0|[1-9][0-9]{0,20})\\.[0-9]{1,20}",
        "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?[eE][+-]?[0-9]{1,2}",
        text(),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c]{0,2}".prop_map(|t| format!("\"{t}\"")),
        "[ -~äß😀\\n\\t]{0,40}".prop_map(|t| serde_json::to_string(&t).expect("a string")),
        "(\\\\u[0-9a-fdD]{4}|\\\\[\"\\\\/bfnrtux]|[a-z]){0,6}".prop_map(|t| format!("\"{t}\"")),
    ]
}

fn document() -> impl Strategy<Value = String> {
    let space = || prop_oneof![4 => Just(""), 1 => Just(" "), 1 => Just("\t \r")];
    scalar().prop_recursive(4, 40, 5, move |inner| {
        let item = (space(), inner.clone(), space()).prop_map(|(a, v, b)| format!("{a}{v}{b}"));
        let entry = (space(), text(), space(), item.clone())
            .prop_map(|(a, key, b, value)| format!("{a}{key}{b}:{value}"));
        prop_oneof![
            (space(), prop::collection::vec(item, 0..5)).prop_map(|(s, items)| format!(
                "[{}{}]",
                s,
                items.join(",")
            )),
            (space(), prop::collection::vec(entry, 0..5)).prop_map(|(s, entries)| format!(
                "{{{}{}}}",
                s,
                entries.join(",")
            )),
        ]
    })
}

/// Documents, one a line, with some bytes put in, taken out or put in the place of others.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        prop::sample::select(br#"{}[]",:\ 0-.e1tn"#.to_vec()),
        any::<u8>(),
    ];
    let edits = prop::collection::vec((0..3, any::<prop::sample::Index>(), byte), 0..3);
    (prop::collection::vec(document(), 1..4), edits).prop_map(|(documents, edits)| {
        let mut text = documents.join("\n").into_bytes();
        for (edit, at, byte) in edits {
            let at = at.index(text.len() + 1);
            match edit {
                0 => text.insert(at, byte),
                1 if at < text.len() => text[at] = byte,
                _ if at < text.len() => {
                    text.remove(at);
                }
                _ => {}
            }
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn says_what_serde_json_says(text in lines()) {
        hold_against_serde(&text)?;
    }
}

#[test]
fn says_what_serde_json_says_of_what_is_easily_got_wrong() {
    for text in [
        "",
        " ",
        "01",
        "-",
        "-0",
        "-01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "+1",
        "0x1",
        "1e400",
        "-1e400",
        "1e-400",
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551615",
        "0.1",
        "123456789012345.6",
        "1234567.8901234",
        "5e-324",
        "tru",
        "truex",
        "nul",
        "NaN",
        "\"\\ud800\"",
        "\"\\ud83d\\ude00\"",
        "\"\\u00e4\"",
        "\"\\",
        "\"\\\"",
        "\"\t\"",
        "\"a",
        "\"",
        "{",
        "}",
        "{}",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1 \"a\":2}",
        "{a:1}",
        "{\"a\":1,\"a\":2}",
        "{\"a\" :1}",
        "{\"aa\":1}",
        "{\"\\u0061\":1}",
        "[",
        "[]",
        "[,]",
        "[1,]",
        "[1 2]",
        "[1]]",
        "{}{}",
        "\u{feff}{}",
        "{\"a\":1\n,\"a\":2}",
        "\"a\nb\"",
        "\"a\\\nb\"",
    ] {
        let held = hold_against_serde(text.as_bytes());
        held.unwrap_or_else(|e| panic!("{text}: {e}"));
    }
}

#[test]
fn an_integer_that_no_64_bits_hold_is_an_error() {
    for text in ["18446744073709551616", "-9223372036854775809"] {
        let read = ours(text.as_bytes(), "a");
        assert!(matches!(read.as_slice(), [Err(_)]), "{text}: {read:?}");
    }
}
