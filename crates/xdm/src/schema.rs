use std::cell::Cell;

use serde_json::{Map, Value};

use crate::{FieldType, Fields, Spelling, spelling};

/// The most fields that a schema has, with all that it refers to.
const MOST_FIELDS: usize = 100_000;

/// Why a declared schema can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("schema at {path}: {problem}")]
pub struct SchemaError {
    /// A JSON pointer into the schema.
    pub path: String,
    /// What was found there and what would be right.
    pub problem: String,
}

/// Reads the fields of an XDM schema in JSON Schema's form.
///
/// `type`, `format` (`date`, `date-time`) and `meta:xdmType` give the type; `properties`, `items`,
/// `additionalProperties` (a map's value), `allOf` and references within the document are followed.
/// Source: XDM's field type constraints.
///
/// # Errors
/// A [`SchemaError`] that names the place: an unknown type, a reference out of the document.
pub fn fields_from_json_schema(schema: &Value) -> Result<Fields, SchemaError> {
    let reader = Reader {
        root: schema,
        left: Cell::new(MOST_FIELDS),
    };
    match reader.field(schema, "", 0)? {
        FieldType::Object(fields) => Ok(fields),
        other => Err(SchemaError {
            path: "/".to_owned(),
            problem: format!("a record is an object, not {other}"),
        }),
    }
}

struct Reader<'a> {
    root: &'a Value,
    /// How many more fields it may have: references within it may multiply them.
    left: Cell<usize>,
}

impl Reader<'_> {
    fn field(&self, schema: &Value, path: &str, depth: usize) -> Result<FieldType, SchemaError> {
        let error = |problem: String| SchemaError {
            path: if path.is_empty() {
                "/".into()
            } else {
                path.into()
            },
            problem,
        };
        let left = self.left.get().checked_sub(1);
        self.left
            .set(left.ok_or_else(|| error(format!("more than {MOST_FIELDS} fields")))?);
        if depth > 128 {
            return Err(error("nested deeper than 128".to_owned()));
        }
        let Value::Object(schema) = schema else {
            return Err(error(format!("expected an object, found {schema}")));
        };
        if let Some(reference) = schema.get("$ref") {
            let target = reference
                .as_str()
                .and_then(|r| r.strip_prefix('#'))
                .and_then(|pointer| self.root.pointer(pointer));
            return match target {
                Some(target) => self.field(target, path, depth + 1),
                None => Err(error(format!(
                    "reference {reference} leads out of the document; give the resolved schema"
                ))),
            };
        }
        let text = |key: &str| schema.get(key).and_then(Value::as_str);
        let json_type = match schema.get("type") {
            Some(Value::Array(types)) => types
                .iter()
                .filter_map(Value::as_str)
                .find(|t| *t != "null"),
            _ => text("type"),
        };
        let long = FieldType::Long {
            declared: true,
            wide: false,
        };
        Ok(match (text("meta:xdmType"), json_type, text("format")) {
            (Some("boolean"), ..) | (None, Some("boolean"), _) => FieldType::Boolean,
            (Some("byte"), ..) => FieldType::Byte,
            (Some("short"), ..) => FieldType::Short,
            (Some("int" | "integer"), ..) => FieldType::Int,
            (Some("long"), ..) | (None, Some("integer"), _) => long,
            (Some("double" | "number"), ..) | (None, Some("number"), _) => FieldType::Double,
            (Some("date"), ..) => FieldType::Date,
            (Some("date-time"), ..) => FieldType::DateTime,
            (None, Some("string"), Some("date")) => FieldType::Date,
            (None, Some("string"), Some("date-time")) => FieldType::DateTime,
            (Some("string"), ..) | (None, Some("string"), _) => FieldType::String,
            (Some("array"), ..) | (None, Some("array"), _) => {
                let items = schema
                    .get("items")
                    .ok_or_else(|| error("an array without items".to_owned()))?;
                let item = self.field(items, &format!("{path}/items"), depth + 1)?;
                FieldType::List(Box::new(item))
            }
            (Some("map"), ..) => self.map(schema, path, depth)?,
            (Some("object"), ..) | (None, Some("object") | None, _) => {
                let is_map = !schema.contains_key("properties")
                    && schema
                        .get("additionalProperties")
                        .is_some_and(Value::is_object);
                if is_map {
                    self.map(schema, path, depth)?
                } else {
                    self.object(schema, path, depth)?
                }
            }
            (Some(other), ..) => {
                return Err(error(format!(
                    "unknown meta:xdmType {other:?}; allowed are string, boolean, byte, short, int, \
                     long, double, date, date-time, array, map, object"
                )));
            }
            (None, Some(other), _) => {
                return Err(error(format!(
                    "unknown type {other:?}; allowed are string, boolean, integer, number, array, object"
                )));
            }
        })
    }

    fn map(
        &self,
        schema: &Map<String, Value>,
        path: &str,
        depth: usize,
    ) -> Result<FieldType, SchemaError> {
        let at = format!("{path}/additionalProperties");
        match schema.get("additionalProperties") {
            Some(value @ Value::Object(_)) => Ok(FieldType::Map(Box::new(self.field(
                value,
                &at,
                depth + 1,
            )?))),
            _ => Err(SchemaError {
                path: at,
                problem: "a map gives the type of its values here".to_owned(),
            }),
        }
    }

    fn object(
        &self,
        schema: &Map<String, Value>,
        path: &str,
        depth: usize,
    ) -> Result<FieldType, SchemaError> {
        let mut fields = Fields::default();
        let mut add = |name: &str, ty: FieldType, at: &str| {
            let mut one = Fields::default();
            match spelling(name) {
                Spelling::Field(name) => one.insert(name, ty),
                Spelling::Repo(name) => {
                    let mut repo = Fields::default();
                    repo.insert(name, ty);
                    one.insert("_repo", FieldType::Object(repo));
                }
            }
            fields.unite(&one).map_err(|conflict| SchemaError {
                path: at.to_owned(),
                problem: conflict.to_string(),
            })
        };
        if let Some(Value::Array(parts)) = schema.get("allOf") {
            for (i, part) in parts.iter().enumerate() {
                let at = format!("{path}/allOf/{i}");
                if let FieldType::Object(inner) = self.field(part, &at, depth + 1)? {
                    for (name, ty) in inner.iter() {
                        add(name, ty.clone(), &at)?;
                    }
                }
            }
        }
        if let Some(Value::Object(properties)) = schema.get("properties") {
            for (name, property) in properties {
                let at = format!("{path}/properties/{name}");
                add(name, self.field(property, &at, depth + 1)?, &at)?;
            }
        }
        Ok(FieldType::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_every_type() {
        let schema = json!({"type": "object", "properties": {
            "xdm:s": {"type": "string"},
            "b": {"type": "boolean"},
            "byte": {"type": "integer", "meta:xdmType": "byte"},
            "short": {"type": "integer", "meta:xdmType": "short"},
            "int": {"type": "integer", "meta:xdmType": "int"},
            "long": {"type": "integer"},
            "double": {"type": "number"},
            "day": {"type": "string", "format": "date"},
            "moment": {"type": "string", "format": "date-time"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "scores": {"type": "object", "meta:xdmType": "map", "additionalProperties": {"type": "number"}},
            "repo:createDate": {"$ref": "#/definitions/moment"},
        }, "definitions": {"moment": {"type": "string", "meta:xdmType": "date-time"}}});
        let fields = fields_from_json_schema(&schema).expect("a schema");
        let types: Vec<String> = fields.iter().map(|(n, t)| format!("{n} {t}")).collect();
        assert_eq!(
            types,
            [
                "s string",
                "b boolean",
                "byte byte",
                "short short",
                "int int",
                "long long",
                "double double",
                "day date",
                "moment date-time",
                "tags a list",
                "scores a map",
                "_repo an object"
            ]
        );
    }

    #[test]
    fn names_the_place_of_a_mistake() {
        let schema = json!({"type": "object", "properties": {"a": {"type": "text"}}});
        let error = fields_from_json_schema(&schema).expect_err("no such type");
        assert_eq!(error.path, "/properties/a");
        assert!(error.problem.contains("allowed are string"), "{error}");
    }

    #[test]
    fn the_parts_of_all_of_are_one_object() {
        let part = |name: &str| {
            let inner = json!({name: {"type": "string"}});
            json!({"properties": {"person": {"type": "object", "properties": inner}}})
        };
        let schema = json!({"allOf": [part("first"), part("last")],
            "properties": {"age": {"type": ["null", "integer"]}}});
        let fields = fields_from_json_schema(&schema).expect("a schema");
        let names: Vec<&str> = fields.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["person", "age"]);
        let Some(FieldType::Object(person)) = fields.get("person") else {
            panic!("no object: {fields:?}");
        };
        assert!(person.get("first").is_some() && person.get("last").is_some());
    }

    /// Each of its forty definitions has the next one twice.
    fn doubling() -> Value {
        let twice = |next: &str| json!({"properties": {"a": {"$ref": next}, "b": {"$ref": next}}});
        let definitions =
            (0..40).map(|n| (n.to_string(), twice(&format!("#/definitions/{}", n + 1))));
        let mut definitions: Map<String, Value> = definitions.collect();
        definitions.insert("40".to_owned(), json!({"type": "string"}));
        json!({"properties": {"a": {"$ref": "#/definitions/0"}}, "definitions": definitions})
    }

    #[test]
    fn a_schema_that_leads_out_of_itself_or_never_ends_is_refused() {
        let of = |a| json!({"properties": {"a": a}});
        for (wrong, problem) in [
            (
                of(json!({"$ref": "https://ns.adobe.com/xdm/x"})),
                "out of the document",
            ),
            (of(json!({"$ref": "#"})), "deeper than 128"),
            (of(json!({"type": "array"})), "without items"),
            (of(json!({"meta:xdmType": "map"})), "type of its values"),
            (
                of(json!({"meta:xdmType": "decimal"})),
                "unknown meta:xdmType",
            ),
            (json!({"type": "string"}), "a record is an object"),
            (doubling(), "more than 100000 fields"),
        ] {
            let error = fields_from_json_schema(&wrong).expect_err(problem);
            assert!(error.problem.contains(problem), "{error}");
        }
    }
}
