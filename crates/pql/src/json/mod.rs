//! `pql/json`: the tree as the platform's JSON nodes, as far as they are documented.
//!
//! Documented are `fnApply`, `fieldLookup`, `parameterReference`, `literal`, `varRef`, `varDecl`, `set`, `fnCreate`
//! (Segmentation Service), `select` and `quantification` (XDM's expressions). Times, chains, `let`, aggregates over
//! variables and items of filters are nowhere written down as JSON: `occurs`, `chain`, `let`, `aggregation`,
//! `itemReference`, `list` and `object` are nodes of our own.

mod read;
mod write;

use serde_json::Value;

use crate::error::Problem;
use crate::parse::{Scope, resolve};
use crate::{Error, Expression, MAX_DEPTH, MAX_NODES, MAX_TEXT};

/// A level of the tree is up to five of JSON: a step of a chain, its window, its moment.
const MAX_JSON_DEPTH: usize = 5 * MAX_DEPTH as usize;

impl Expression {
    /// Reads an expression's `value`: a JSON node, a string that holds one, or a string that holds text.
    ///
    /// A string that doesn't begin with `{` is text, whatever its `format` says: the platform's documents have
    /// `pql/json` beside a text.
    ///
    /// # Errors
    /// A node that is no expression, with its JSON pointer; what [`Expression::parse`] refuses.
    pub fn from_json(value: &Value) -> Result<Self, Error> {
        match value {
            Value::String(text) if text.trim_start().starts_with('{') => Self::from_json_text(text),
            Value::String(text) => Self::parse(text),
            value => Self::from_node(value),
        }
    }

    /// The expression as JSON nodes. Equal expressions have equal nodes.
    #[must_use]
    pub fn to_json(&self) -> Value {
        write::node(self.root())
    }

    fn from_json_text(text: &str) -> Result<Self, Error> {
        let refuse = |problem| Err(Error::in_json(String::new(), problem));
        // JSON is some twenty times as long as the text it stands for.
        if text.len() > 64 * MAX_TEXT {
            return refuse(Problem::too_long());
        }
        // Before serde_json's recursion: it has to be told to go as deep as we do.
        if text_depth(text) > MAX_JSON_DEPTH {
            return refuse(Problem::too_deep());
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        reader.disable_recursion_limit();
        let value = serde::Deserialize::deserialize(&mut reader)
            .and_then(|value: Value| reader.end().map(|()| value));
        match value {
            Ok(value) => Self::from_node(&value),
            Err(error) => refuse(Problem::found(
                format!("no JSON ({error})"),
                "a JSON node, or text that doesn't begin with {",
            )),
        }
    }

    fn from_node(value: &Value) -> Result<Self, Error> {
        let refuse = |problem| Err(Error::in_json(String::new(), problem));
        let Some(nodes) = measure(value) else {
            return refuse(Problem::too_deep());
        };
        // A name, a type and what it says: no node has fewer values.
        if nodes > 8 * MAX_NODES {
            return refuse(Problem::too_large());
        }
        let mut root = read::Reader::default().read(value)?;
        if root.height() > MAX_DEPTH {
            return refuse(Problem::too_deep());
        }
        resolve(&mut root, &mut Scope::default())
            .map_err(|(_, problem)| Error::in_json(String::new(), problem))?;
        Self::from_tree(&root)
    }
}

/// How deep the brackets of a JSON text go.
fn text_depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// How many values there are in a value, or nothing if it is too deep; without recursion.
fn measure(value: &Value) -> Option<usize> {
    let mut ahead = vec![(value, 1)];
    let mut values = 0;
    while let Some((value, depth)) = ahead.pop() {
        values += 1;
        if depth > MAX_JSON_DEPTH {
            return None;
        }
        match value {
            Value::Array(items) => ahead.extend(items.iter().map(|v| (v, depth + 1))),
            Value::Object(members) => ahead.extend(members.values().map(|v| (v, depth + 1))),
            _ => {}
        }
    }
    Some(values)
}
