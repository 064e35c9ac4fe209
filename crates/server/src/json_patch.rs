//! JSON Patch (RFC 6902), as far as the platform's documents use it: `add`, `replace` and `remove`.

use serde::Deserialize;
use serde_json::Value;

use crate::problem::{Answer, Problem};

/// One change of a patch.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    op: String,
    path: String,
    value: Option<Value>,
}

impl Change {
    /// The member of the document that it changes, or changes something of.
    pub(crate) fn member(&self) -> String {
        self.names().next().unwrap_or_default()
    }

    /// Makes the change.
    ///
    /// # Errors
    /// Another operation; a path that leads nowhere; nothing to put there.
    pub(crate) fn apply(&self, document: &mut Value) -> Answer<()> {
        let nowhere = || refused("path", &self.path, "allowed is one that leads somewhere");
        let names: Vec<String> = self.names().collect();
        let (Some((last, parents)), true) = (names.split_last(), self.path.starts_with('/')) else {
            return Err(refused(
                "path",
                &self.path,
                "allowed is a JSON pointer, such as \"/name\"",
            ));
        };
        let mut place = document;
        for name in parents {
            place = inner(place, name).ok_or_else(nowhere)?;
        }
        let value = || {
            let missing = || Problem::bad_request("value: missing, or null; remove takes away");
            self.value.clone().ok_or_else(missing)
        };
        match (self.op.as_str(), place) {
            ("add", Value::Object(object)) => {
                object.insert(last.clone(), value()?);
            }
            ("add", Value::Array(list)) => {
                let end = list.len();
                let at = match last.as_str() {
                    "-" => end,
                    number => index(number).filter(|at| *at <= end).ok_or_else(nowhere)?,
                };
                list.insert(at, value()?);
            }
            ("replace", place) => *inner(place, last).ok_or_else(nowhere)? = value()?,
            ("remove", Value::Object(object)) => {
                object.shift_remove(last).ok_or_else(nowhere)?;
            }
            ("remove", Value::Array(list)) => {
                let at = index(last).filter(|at| *at < list.len());
                list.remove(at.ok_or_else(nowhere)?);
            }
            ("add" | "remove", _) => return Err(nowhere()),
            (other, _) => {
                return Err(refused("op", other, "allowed are add, replace and remove"));
            }
        }
        Ok(())
    }

    /// The names of the path, without what escapes them.
    fn names(&self) -> impl Iterator<Item = String> {
        let names = self.path.split('/').skip(1);
        names.map(|name| name.replace("~1", "/").replace("~0", "~"))
    }
}

fn refused(part: &str, found: &str, allowed: &str) -> Problem {
    Problem::bad_request(format!("{part}: found {found:?}; {allowed}"))
}

fn inner<'a>(place: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    match place {
        Value::Object(object) => object.get_mut(name),
        Value::Array(list) => list.get_mut(index(name)?),
        _ => None,
    }
}

/// A place in a list: digits without a zero in front.
fn index(name: &str) -> Option<usize> {
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = name == "0" || !name.starts_with('0');
    name.parse().ok().filter(|_| is_number && is_plain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patched(change: Value) -> Result<Value, String> {
        let mut document = json!({"name": "a", "a/b": {"c~d": 1}, "labels": ["x", "y"]});
        let change: Change = serde_json::from_value(change).expect("a change");
        match change.apply(&mut document) {
            Ok(()) => Ok(document),
            Err(problem) => Err(problem.detail),
        }
    }

    #[test]
    fn members_and_items_are_added_replaced_and_removed() {
        for (change, name, right) in [
            (
                json!({"op": "add", "path": "/new", "value": {"a": 1}}),
                "new",
                json!({"a": 1}),
            ),
            (
                json!({"op": "add", "path": "/name", "value": "b"}),
                "name",
                json!("b"),
            ),
            (
                json!({"op": "replace", "path": "/name", "value": "b"}),
                "name",
                json!("b"),
            ),
            (
                json!({"op": "remove", "path": "/name"}),
                "name",
                Value::Null,
            ),
            (
                json!({"op": "replace", "path": "/a~1b/c~0d", "value": 2}),
                "a/b",
                json!({"c~d": 2}),
            ),
            (
                json!({"op": "add", "path": "/labels/0", "value": "w"}),
                "labels",
                json!(["w", "x", "y"]),
            ),
            (
                json!({"op": "add", "path": "/labels/-", "value": "z"}),
                "labels",
                json!(["x", "y", "z"]),
            ),
            (
                json!({"op": "replace", "path": "/labels/1", "value": "z"}),
                "labels",
                json!(["x", "z"]),
            ),
            (
                json!({"op": "remove", "path": "/labels/0"}),
                "labels",
                json!(["y"]),
            ),
        ] {
            let found = patched(change.clone()).expect("it is made");
            assert_eq!(found.get(name).unwrap_or(&Value::Null), &right, "{change}");
        }
    }

    #[test]
    fn what_leads_nowhere_is_refused() {
        for (change, says) in [
            (
                json!({"op": "replace", "path": "/none", "value": 1}),
                "path: found \"/none\"",
            ),
            (json!({"op": "remove", "path": "/none"}), "path"),
            (
                json!({"op": "add", "path": "/none/of/it", "value": 1}),
                "path",
            ),
            (json!({"op": "add", "path": "/name/x", "value": 1}), "path"),
            (
                json!({"op": "add", "path": "/labels/3", "value": 1}),
                "path",
            ),
            (
                json!({"op": "add", "path": "/labels/+1", "value": 1}),
                "path",
            ),
            (json!({"op": "remove", "path": "/labels/01"}), "path"),
            (
                json!({"op": "add", "path": "name", "value": 1}),
                "JSON pointer",
            ),
            (json!({"op": "add", "path": "", "value": 1}), "JSON pointer"),
            (json!({"op": "add", "path": "/name"}), "value: missing"),
            (
                json!({"op": "move", "path": "/name", "value": "/x"}),
                "op: found \"move\"",
            ),
        ] {
            let found = patched(change.clone()).expect_err("it is refused");
            assert!(found.contains(says), "{change}: {found}");
        }
    }
}
