//! A folder of XDM documents, such as those of the platform's own field groups, that declared schemas may refer to.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value};
use xdm::fields_from_json_schema;

use super::generated::{standard, text};
use super::resource::{Resource, ResourceKind};
use crate::error::{Error, Result};

/// The most documents of a folder.
const MOST_DOCUMENTS: usize = 10_000;
/// The largest document, in bytes.
const LARGEST: u64 = 4 << 20;
/// The most that one may have, with all that it refers to.
const MOST_NODES: usize = 1_000_000;
/// How deep references may lead from one to another.
const DEEPEST: usize = 64;

/// The resources that a folder has: each file whose name ends with `.json` is one, in the folder or below it, but those
/// with `.example.` in their names. References within one, to another (`$id`, also with `#` and a pointer behind it) and to what is
/// always there are followed. What has the `$id` of something that is always there is left out.
///
/// # Errors
/// A file that can't be read, is no JSON Schema with a `$id`, or refers to what is nowhere; two with one `$id`.
pub fn schemas_of_folder(folder: &Path) -> Result<Vec<Resource>> {
    let mut documents = BTreeMap::new();
    collect(folder, &mut documents)?;
    let known = standard();
    let own: BTreeMap<&str, &Value> = (documents.iter())
        .map(|(id, (_, document))| (id.as_str(), document))
        .collect();
    let mut all = Vec::new();
    for (id, (path, document)) in &documents {
        if known.iter().any(|one| one.id == *id) {
            continue;
        }
        let problem = |problem: String| Error::Source {
            path: path.into(),
            problem,
        };
        let reader = Inliner {
            documents: &own,
            known: &known,
            left: Cell::new(MOST_NODES),
        };
        let whole = reader.inlined(document, document, 0).map_err(problem)?;
        let fields = fields_from_json_schema(&whole).map_err(|error| problem(error.to_string()))?;
        let Value::Object(document) = document else {
            continue;
        };
        let title = text(document, "title").unwrap_or(id);
        all.push(Resource {
            description: text(document, "description").unwrap_or("").to_owned(),
            ..Resource::global(id, kind(document, path), title, fields)
        });
    }
    Ok(all)
}

/// Documents by `$id`, each with its file.
type Documents = BTreeMap<String, (String, Value)>;

fn collect(folder: &Path, documents: &mut Documents) -> Result<()> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error: std::io::Error| Error::Source {
            path,
            problem: error.to_string(),
        }
    };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        entries.push(entry.map_err(failed(folder))?.path());
    }
    entries.sort();
    for path in entries {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("");
        if name.starts_with('.') {
            continue;
        }
        let about = fs::metadata(&path).map_err(failed(&path))?;
        if about.is_dir() {
            collect(&path, documents)?;
            continue;
        }
        if !name.ends_with(".json") || name.contains(".example.") {
            continue;
        }
        let problem = |problem: String| Error::Source {
            path: path.clone(),
            problem,
        };
        if about.len() > LARGEST || documents.len() >= MOST_DOCUMENTS {
            return Err(problem(format!(
                "a folder of schemas has at the most {MOST_DOCUMENTS} of up to {LARGEST} bytes each"
            )));
        }
        let bytes = fs::read(&path).map_err(failed(&path))?;
        let document: Value =
            serde_json::from_slice(&bytes).map_err(|error| problem(error.to_string()))?;
        let id = document["$id"]
            .as_str()
            .filter(|id| id.starts_with("https://"));
        let Some(id) = id.map(str::to_owned) else {
            return Err(problem(
                "it has no $id that begins with https://".to_owned(),
            ));
        };
        let place = path.to_string_lossy().into_owned();
        if let Some((other, _)) = documents.insert(id.clone(), (place, document)) {
            return Err(problem(format!("$id {id:?} is that of {other}, too")));
        }
    }
    Ok(())
}

/// What a document is: by what it says, else by the folder that it lies in.
fn kind(document: &Map<String, Value>, path: &str) -> ResourceKind {
    let said = text(document, "meta:resourceType").map(|said| match said {
        "mixins" => "fieldgroups",
        other => other,
    });
    let said = ResourceKind::ALL
        .into_iter()
        .find(|kind| Some(kind.word()) == said);
    let is_in = |name: &str| path.contains(&format!("/{name}/"));
    said.unwrap_or_else(|| {
        let extends = document.contains_key("meta:intendedToExtend");
        if extends || is_in("fieldgroups") || is_in("mixins") {
            ResourceKind::FieldGroups
        } else if is_in("classes") {
            ResourceKind::Classes
        } else if is_in("behaviors") {
            ResourceKind::Behaviors
        } else {
            ResourceKind::DataTypes
        }
    })
}

struct Inliner<'a> {
    documents: &'a BTreeMap<&'a str, &'a Value>,
    known: &'a [Resource],
    left: Cell<usize>,
}

impl Inliner<'_> {
    /// A part of a document with what it refers to in the place of the references.
    fn inlined(&self, part: &Value, root: &Value, depth: usize) -> Result<Value, String> {
        let left = self.left.get().checked_sub(1);
        self.left.set(left.ok_or_else(|| {
            format!("it has more than {MOST_NODES} parts with all that it refers to")
        })?);
        match part {
            Value::Object(object) => {
                if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
                    if depth >= DEEPEST {
                        return Err(format!(
                            "$ref {reference:?}: references lead deeper than {DEEPEST}"
                        ));
                    }
                    return self.referred(reference, root, depth + 1);
                }
                let mut inlined = Map::new();
                for (name, value) in object {
                    // What stands there is taken where it is referred to.
                    if name != "definitions" {
                        inlined.insert(name.clone(), self.inlined(value, root, depth)?);
                    }
                }
                Ok(Value::Object(inlined))
            }
            Value::Array(items) => {
                let items = items.iter().map(|item| self.inlined(item, root, depth));
                Ok(Value::Array(items.collect::<Result<_, _>>()?))
            }
            other => Ok(other.clone()),
        }
    }

    fn referred(&self, reference: &str, root: &Value, depth: usize) -> Result<Value, String> {
        let (id, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        let nowhere = || format!("$ref {reference:?} leads nowhere");
        if let Some(known) = self.known.iter().find(|one| one.id == id) {
            return Ok(known.properties());
        }
        let root = match id {
            "" => root,
            id => self.documents.get(id).copied().ok_or_else(nowhere)?,
        };
        self.inlined(root.pointer(pointer).ok_or_else(nowhere)?, root, depth)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tempfile::TempDir;
    use xdm::FieldType;

    use super::*;

    fn of(documents: &[(&str, Value)]) -> Result<Vec<Resource>, String> {
        let folder = TempDir::new().expect("a folder");
        for (name, document) in documents {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, document.to_string()).expect("written");
        }
        schemas_of_folder(folder.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn documents_have_the_fields_of_those_that_they_refer_to() {
        let names = json!({"$id": "https://ns.adobe.com/xdm/context/person-name", "title": "Name",
            "definitions": {"name": {"properties": {"xdm:first": {"type": "string"}}}},
            "allOf": [{"$ref": "#/definitions/name"}]});
        let group = json!({"$id": "https://ns.adobe.com/xdm/mixins/person", "title": "Person",
            "meta:intendedToExtend": ["https://ns.adobe.com/xdm/context/profile"],
            "definitions": {"own": {"properties": {
                "xdm:name": {"$ref": "https://ns.adobe.com/xdm/context/person-name"},
                "xdm:alias": {"$ref": "https://ns.adobe.com/xdm/context/person-name#/definitions/name"},
                "xdm:ids": {"type": "array", "items": {"$ref": "https://ns.adobe.com/xdm/context/identityitem"}}}}},
            "allOf": [{"$ref": "#/definitions/own"}]});
        let all = of(&[
            ("datatypes/name.schema.json", names),
            ("datatypes/name.example.1.json", json!({"xdm:first": "a"})),
            ("person.schema.json", group),
        ]);
        let all = all.expect("resources");
        let kinds: Vec<(&str, ResourceKind)> =
            all.iter().map(|one| (&*one.title, one.kind)).collect();
        assert_eq!(
            kinds,
            [
                ("Name", ResourceKind::DataTypes),
                ("Person", ResourceKind::FieldGroups)
            ]
        );
        let fields = &all[1].fields;
        for name in ["name", "alias"] {
            let Some(FieldType::Object(inner)) = fields.get(name) else {
                panic!("{fields:?}");
            };
            assert_eq!(inner.get("first"), Some(&FieldType::String));
        }
        assert!(matches!(fields.get("ids"), Some(FieldType::List(_))));
    }

    #[test]
    fn a_document_that_can_t_be_read_is_told_with_its_file() {
        let id = |id: &str| json!({"$id": format!("https://ns.adobe.com/{id}")});
        let refers =
            |to: &str| json!({"$id": "https://ns.adobe.com/a", "properties": {"b": {"$ref": to}}});
        for (documents, says) in [
            (vec![("a.json", json!({}))], "a.json: it has no $id"),
            (
                vec![("a.json", id("a")), ("b.json", id("a"))],
                "b.json: $id",
            ),
            (
                vec![("a.json", refers("https://ns.adobe.com/none"))],
                "leads nowhere",
            ),
            (
                vec![("a.json", refers("#/definitions/none"))],
                "leads nowhere",
            ),
            (
                vec![("a.json", refers("https://ns.adobe.com/a"))],
                "deeper than 64",
            ),
        ] {
            let error = of(&documents).expect_err(says);
            assert!(error.contains(says), "{error}");
        }
    }
}
