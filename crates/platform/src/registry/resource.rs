//! One thing of the registry, and the forms that it is shown in.

use chrono::DateTime;
use serde_json::{Map, Value, json};
use xdm::{
    Class, FieldNames, Fields, flat_json_schema_properties, json_schema_properties, sample_record,
};

use super::NAMESPACE;

/// Whose a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// The platform's.
    Global,
    /// The organisation's.
    Tenant,
}

/// What a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceKind {
    /// A schema of records.
    Schemas,
    /// All fields of a class.
    Unions,
    /// What a schema is of.
    Classes,
    /// What a class is of.
    Behaviors,
    /// Fields that a schema may have.
    FieldGroups,
    /// Fields that an object may have.
    DataTypes,
}

impl Container {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Global, Self::Tenant];

    /// The word in paths.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Tenant => "tenant",
        }
    }
}

impl ResourceKind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::Schemas,
        Self::Unions,
        Self::Classes,
        Self::Behaviors,
        Self::FieldGroups,
        Self::DataTypes,
    ];

    /// The word in paths.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Schemas => "schemas",
            Self::Unions => "unions",
            Self::Classes => "classes",
            Self::Behaviors => "behaviors",
            Self::FieldGroups => "fieldgroups",
            Self::DataTypes => "datatypes",
        }
    }
}

/// How a resource is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceForm {
    /// How fields are spelled.
    pub names: FieldNames,
    /// Its fields, and not what they come from.
    pub is_full: bool,
    /// Its fields by their paths.
    pub is_flat: bool,
    /// Whether titles and descriptions are told.
    pub has_text: bool,
}

/// One thing of the registry.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Its `$id`, a URI.
    pub id: String,
    /// What it is.
    pub kind: ResourceKind,
    /// Whose it is.
    pub container: Container,
    /// For people.
    pub title: String,
    /// For people; may be empty.
    pub description: String,
    /// The class of the records.
    pub class: Option<Class>,
    /// The `$id`s of what its fields come from.
    pub references: Vec<String>,
    /// Its `allOf` and `definitions` as somebody declared them.
    pub declared: Map<String, Value>,
    /// `union` where its records are part of the union.
    pub tags: Vec<String>,
    /// All of its fields.
    pub fields: Fields,
    /// From 1, one more with each change.
    pub version: i64,
    /// When it was made, in milliseconds since 1970; 0 of what was always there.
    pub created: i64,
    /// When it last changed.
    pub updated: i64,
}

impl Resource {
    /// One that everybody has and nobody declared, of no class.
    pub(super) fn global(id: &str, kind: ResourceKind, title: &str, fields: Fields) -> Self {
        Self {
            id: id.to_owned(),
            kind,
            container: Container::Global,
            title: title.to_owned(),
            description: String::new(),
            class: None,
            references: Vec::new(),
            declared: Map::new(),
            tags: Vec::new(),
            fields,
            version: 1,
            created: 0,
            updated: 0,
        }
    }

    /// Its `meta:altId`: the `$id` as one word.
    #[must_use]
    pub fn alt_id(&self) -> String {
        let name = self.id.strip_prefix(NAMESPACE).unwrap_or(&self.id);
        format!("_{}", name.replace(['/', ':'], "."))
    }

    /// In a form.
    #[must_use]
    pub fn shown(&self, form: ResourceForm) -> Value {
        let mut shown = self.head();
        let shows_fields = form.is_full || form.is_flat;
        if shows_fields || (self.references.is_empty() && self.declared.is_empty()) {
            let properties = match form.is_flat {
                true => flat_json_schema_properties(&self.fields, form.names),
                false => json_schema_properties(&self.fields, form.names),
            };
            shown["properties"] = Value::Object(properties);
        } else if self.declared.is_empty() {
            let references = self.references.iter();
            let references = references
                .map(|id| json!({"$ref": id, "type": "object", "meta:xdmType": "object"}));
            shown["allOf"] = references.collect();
        } else {
            for (name, value) in &self.declared {
                shown[name] = value.clone();
            }
        }
        if !form.has_text {
            without_text(&mut shown);
        }
        shown
    }

    /// Its ID alone.
    #[must_use]
    pub fn named(&self) -> Value {
        json!({
            "title": self.title,
            "$id": self.id,
            "meta:altId": self.alt_id(),
            "version": self.version_text(),
        })
    }

    /// Its fields as an object of JSON Schema.
    #[must_use]
    pub(super) fn properties(&self) -> Value {
        let properties = json_schema_properties(&self.fields, FieldNames::Plain);
        json!({"type": "object", "properties": properties})
    }

    /// Its ID with when it was made and changed.
    #[must_use]
    pub fn recent(&self) -> Value {
        let time = |millis: i64| {
            let time = DateTime::from_timestamp_millis(millis)?;
            Some(
                time.format("%a %b %d %Y %H:%M:%S GMT+0000 (UTC)")
                    .to_string(),
            )
        };
        let mut named = self.named();
        named["description"] = json!(self.description);
        named["meta:resourceType"] = json!(self.kind.word());
        named["meta:created"] = json!(time(self.created));
        named["meta:updated"] = json!(time(self.updated));
        named
    }

    /// A record of it.
    #[must_use]
    pub fn sample(&self) -> Value {
        sample_record(&self.fields)
    }

    fn version_text(&self) -> String {
        format!("1.{}", self.version - 1)
    }

    fn head(&self) -> Value {
        let mut head = json!({
            "$id": self.id,
            "meta:altId": self.alt_id(),
            "meta:resourceType": self.kind.word(),
            "version": self.version_text(),
            "title": self.title,
            "type": "object",
            "description": self.description,
            "meta:xdmType": "object",
            "meta:containerId": self.container.word(),
            "meta:abstract": self.kind != ResourceKind::Schemas && self.kind != ResourceKind::Unions,
            "meta:extensible": self.kind != ResourceKind::Schemas && self.kind != ResourceKind::Unions,
            "meta:extends": self.references,
            "meta:registryMetadata": {
                "repo:createdDate": self.created,
                "repo:lastModifiedDate": self.updated,
            },
        });
        if let Some(class) = self.class {
            match self.kind {
                ResourceKind::FieldGroups => {
                    head["meta:intendedToExtend"] = json!([class.class_id()]);
                }
                _ => head["meta:class"] = json!(class.class_id()),
            }
        }
        if !self.tags.is_empty() {
            head["meta:immutableTags"] = json!(self.tags);
        }
        head
    }
}

/// Takes titles and descriptions away, but not fields that are called so.
fn without_text(schema: &mut Value) {
    let Value::Object(object) = schema else {
        return;
    };
    for text in ["title", "description"] {
        if object.get(text).is_some_and(Value::is_string) {
            object.shift_remove(text);
        }
    }
    for (name, value) in object {
        match (name.as_str(), value) {
            ("properties" | "definitions", Value::Object(fields)) => {
                fields.values_mut().for_each(without_text);
            }
            ("allOf", Value::Array(parts)) => parts.iter_mut().for_each(without_text),
            ("items" | "additionalProperties", inner) => without_text(inner),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use xdm::FieldType;

    use super::*;

    #[test]
    fn texts_go_and_fields_that_are_called_so_stay() {
        let mut fields = Fields::default();
        fields.insert("title", FieldType::String);
        let resource = Resource {
            id: "https://ns.adobe.com/acme/schemas/a".to_owned(),
            kind: ResourceKind::Schemas,
            container: Container::Tenant,
            title: "A".to_owned(),
            description: "b".to_owned(),
            class: Some(Class::Profile),
            references: Vec::new(),
            declared: Map::new(),
            tags: Vec::new(),
            fields,
            version: 1,
            created: 0,
            updated: 0,
        };
        let shown = resource.shown(ResourceForm {
            names: FieldNames::Plain,
            is_full: true,
            is_flat: false,
            has_text: false,
        });
        assert!(shown.get("title").is_none() && shown.get("description").is_none());
        assert_eq!(shown["properties"]["title"]["type"], "string");
        assert!(shown["properties"]["title"].get("title").is_none());
        assert_eq!(shown["meta:altId"], "_acme.schemas.a");
    }
}
