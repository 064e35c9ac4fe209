//! A document as serde_json reads it.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

/// A document with all that it says, the order of its fields and those that come twice.
#[derive(Debug)]
pub enum Tree {
    Null,
    Boolean(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    pub fn read(text: &[u8]) -> serde_json::Result<Self> {
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        deserializer.disable_recursion_limit();
        let tree = Self::deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(tree)
    }

    /// How many containers stand in each other.
    pub fn depth(&self) -> usize {
        match self {
            Self::List(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Self::Object(entries) => 1 + entries.iter().map(|(_, v)| v.depth()).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// Whether a number may be an integer that no 64 bits hold: serde_json makes a float64 of it.
    pub fn has_large_numbers(&self) -> bool {
        match self {
            Self::Float(x) => x.abs() > 9e18,
            Self::List(items) => items.iter().any(Self::has_large_numbers),
            Self::Object(entries) => entries.iter().any(|(_, v)| v.has_large_numbers()),
            _ => false,
        }
    }

    /// Whether some object has a key twice.
    pub fn has_duplicates(&self) -> bool {
        match self {
            Self::List(items) => items.iter().any(Self::has_duplicates),
            Self::Object(entries) => {
                let mut keys = HashSet::new();
                entries
                    .iter()
                    .any(|(key, value)| !keys.insert(key) || value.has_duplicates())
            }
            _ => false,
        }
    }
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
