//! Fields as XDM writes them: in JSON Schema's form, as [`fields_from_json_schema`](crate::fields_from_json_schema) reads it.

use serde_json::{Map, Value, json};

use crate::{FieldType, Fields};

/// How XDM's JSON spells the names of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldNames {
    /// With prefixes: `xdm:person`, `@id`, `repo:createDate`. What begins with `_` has none, nor what is in it: those are
    /// fields of an organisation's own.
    Prefixed,
    /// As records have them, each field with its other spelling in `meta:xdmField`.
    Plain,
}

/// The properties of fields: JSON Schema by name.
#[must_use]
pub fn json_schema_properties(fields: &Fields, names: FieldNames) -> Map<String, Value> {
    properties(fields, names, Whose::Standard)
}

/// The same without nesting: each field that is no object by its path, parts with `/` between them and `[*]` behind a list.
/// What is in a map is told with the map.
#[must_use]
pub fn flat_json_schema_properties(fields: &Fields, names: FieldNames) -> Map<String, Value> {
    let mut flat = Map::new();
    flatten(&json_schema_properties(fields, names), "", &mut flat);
    flat
}

/// A record with a value in each field, its names with prefixes.
#[must_use]
pub fn sample_record(fields: &Fields) -> Value {
    let properties = json_schema_properties(fields, FieldNames::Prefixed);
    let values = properties
        .iter()
        .map(|(name, property)| (name.clone(), sample(property)));
    Value::Object(values.collect())
}

/// Whose fields are in an object.
#[derive(Clone, Copy, PartialEq)]
enum Whose {
    Standard,
    /// An organisation's: they have no prefix.
    Own,
    /// The object `_repo`, whose fields have a prefix of their own.
    Repo,
}

fn properties(fields: &Fields, names: FieldNames, whose: Whose) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, ty) in fields.iter() {
        let inner = match (whose, name) {
            (Whose::Standard, "_repo") => Whose::Repo,
            (Whose::Standard, name) if name.starts_with('_') => Whose::Own,
            _ => whose,
        };
        if let (Whose::Repo, FieldNames::Prefixed, FieldType::Object(fields)) = (inner, names, ty)
            && whose == Whose::Standard
        {
            all.extend(properties(fields, names, inner));
            continue;
        }
        let prefixed = match (whose, name) {
            (Whose::Standard, "_id") => "@id".to_owned(),
            (Whose::Standard, name) if !name.starts_with('_') => format!("xdm:{name}"),
            (Whose::Repo, name) => format!("repo:{name}"),
            (_, name) => name.to_owned(),
        };
        let mut property = property(ty, names, inner);
        property.insert("title".to_owned(), json!(name));
        match names {
            FieldNames::Prefixed => all.insert(prefixed, Value::Object(property)),
            FieldNames::Plain => {
                property.insert("meta:xdmField".to_owned(), json!(prefixed));
                all.insert(name.to_owned(), Value::Object(property))
            }
        };
    }
    all
}

fn property(ty: &FieldType, names: FieldNames, whose: Whose) -> Map<String, Value> {
    let (kind, xdm) = match ty {
        FieldType::Unknown | FieldType::String | FieldType::Text { .. } => ("string", "string"),
        FieldType::Boolean => ("boolean", "boolean"),
        FieldType::Byte => ("integer", "byte"),
        FieldType::Short => ("integer", "short"),
        FieldType::Int => ("integer", "int"),
        FieldType::Long { .. } => ("integer", "long"),
        FieldType::Double => ("number", "number"),
        FieldType::Date => ("string", "date"),
        FieldType::DateTime => ("string", "date-time"),
        FieldType::List(_) => ("array", "array"),
        FieldType::Map(_) => ("object", "map"),
        FieldType::Object(_) => ("object", "object"),
    };
    let mut property = Map::new();
    property.insert("type".to_owned(), json!(kind));
    property.insert("meta:xdmType".to_owned(), json!(xdm));
    let mut add = |name: &str, value| property.insert(name.to_owned(), value);
    match ty {
        FieldType::Byte => {
            add("minimum", json!(i8::MIN));
            add("maximum", json!(i8::MAX));
        }
        FieldType::Short => {
            add("minimum", json!(i16::MIN));
            add("maximum", json!(i16::MAX));
        }
        FieldType::Int => {
            add("minimum", json!(i32::MIN));
            add("maximum", json!(i32::MAX));
        }
        FieldType::Date | FieldType::DateTime => {
            add("format", json!(xdm));
        }
        FieldType::List(item) => {
            add("items", self::property(item, names, whose).into());
        }
        FieldType::Map(value) => {
            add(
                "additionalProperties",
                self::property(value, names, whose).into(),
            );
        }
        FieldType::Object(fields) => {
            add("properties", properties(fields, names, whose).into());
        }
        _ => {}
    }
    property
}

fn flatten(properties: &Map<String, Value>, above: &str, flat: &mut Map<String, Value>) {
    for (name, property) in properties {
        let path = match above {
            "" => name.clone(),
            above => format!("{above}/{name}"),
        };
        flatten_one(property, path, flat);
    }
}

fn flatten_one(property: &Value, path: String, flat: &mut Map<String, Value>) {
    match (&property["properties"], &property["items"]) {
        (Value::Object(inner), _) => flatten(inner, &path, flat),
        (_, Value::Object(item)) if item.contains_key("properties") => {
            flatten_one(&property["items"], format!("{path}[*]"), flat);
        }
        _ => {
            flat.insert(path, property.clone());
        }
    }
}

fn sample(property: &Value) -> Value {
    let inner = |name: &str| sample(&property[name]);
    match property["meta:xdmType"].as_str() {
        Some("boolean") => json!(true),
        Some("byte" | "short" | "int" | "long") => json!(7),
        Some("number") => json!(7.5),
        Some("date") => json!("2018-11-12"),
        Some("date-time") => json!("2018-11-12T20:20:39Z"),
        Some("array") => json!([inner("items")]),
        Some("map") => json!({"key": inner("additionalProperties")}),
        Some("object") => {
            let fields = property["properties"].as_object().into_iter().flatten();
            Value::Object(
                fields
                    .map(|(name, one)| (name.clone(), sample(one)))
                    .collect(),
            )
        }
        _ => json!("Sample value"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Class, fields_from_json_schema};

    fn object(fields: &[(&str, FieldType)]) -> FieldType {
        let fields = fields
            .iter()
            .map(|(name, ty)| ((*name).to_owned(), ty.clone()));
        FieldType::Object(fields.collect())
    }

    fn every_type() -> Fields {
        let long = FieldType::Long {
            declared: true,
            wide: false,
        };
        let list = |item| FieldType::List(Box::new(item));
        let mut fields = Class::Event.standard_fields();
        for (name, ty) in [
            ("flag", FieldType::Boolean),
            ("byte", FieldType::Byte),
            ("short", FieldType::Short),
            ("int", FieldType::Int),
            ("long", long.clone()),
            ("double", FieldType::Double),
            ("text", FieldType::String),
            ("day", FieldType::Date),
            ("tags", list(FieldType::String)),
            (
                "items",
                list(object(&[("sku", FieldType::String), ("n", long)])),
            ),
            (
                "_acme",
                object(&[("points", FieldType::Int), ("_id", FieldType::String)]),
            ),
            ("_repo", object(&[("createDate", FieldType::DateTime)])),
            (
                "person",
                object(&[("name", object(&[("first", FieldType::String)]))]),
            ),
        ] {
            fields.insert(name, ty);
        }
        fields
    }

    #[test]
    fn what_is_written_reads_back_as_the_same_fields() {
        for names in [FieldNames::Prefixed, FieldNames::Plain] {
            let schema = json!({"type": "object", "properties": json_schema_properties(&every_type(), names)});
            assert_eq!(
                fields_from_json_schema(&schema).expect("a schema"),
                every_type(),
                "{names:?}"
            );
        }
    }

    #[test]
    fn prefixes_stand_before_standard_fields_alone() {
        let prefixed = json_schema_properties(&every_type(), FieldNames::Prefixed);
        for name in [
            "@id",
            "xdm:timestamp",
            "xdm:identityMap",
            "repo:createDate",
            "_acme",
        ] {
            assert!(prefixed.contains_key(name), "{name}");
        }
        assert!(prefixed["_acme"]["properties"].get("points").is_some());
        assert!(prefixed["_acme"]["properties"].get("_id").is_some());
        let plain = json_schema_properties(&every_type(), FieldNames::Plain);
        assert_eq!(plain["_id"]["meta:xdmField"], "@id");
        assert_eq!(
            plain["person"]["properties"]["name"]["meta:xdmField"],
            "xdm:name"
        );
        assert_eq!(
            plain["_repo"]["properties"]["createDate"]["meta:xdmField"],
            "repo:createDate"
        );
    }

    #[test]
    fn flat_fields_have_their_paths_as_names() {
        let flat = flat_json_schema_properties(&every_type(), FieldNames::Prefixed);
        for path in [
            "xdm:person/xdm:name/xdm:first",
            "xdm:items[*]/xdm:sku",
            "xdm:tags",
            "_acme/points",
            "xdm:identityMap",
        ] {
            assert!(
                flat.contains_key(path),
                "{path} in {:?}",
                flat.keys().collect::<Vec<_>>()
            );
        }
        assert!(!flat.contains_key("xdm:person"));
    }

    #[test]
    fn a_sample_has_a_value_of_each_type() {
        let sample = sample_record(&every_type());
        assert_eq!(
            sample["xdm:person"]["xdm:name"]["xdm:first"],
            "Sample value"
        );
        assert_eq!(
            sample["xdm:items"],
            json!([{"xdm:sku": "Sample value", "xdm:n": 7}])
        );
        assert_eq!(sample["xdm:timestamp"], "2018-11-12T20:20:39Z");
        assert_eq!(sample["repo:createDate"], "2018-11-12T20:20:39Z");
    }
}
