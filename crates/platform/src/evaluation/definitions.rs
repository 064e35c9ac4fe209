//! Segment definitions as what is evaluated: their expressions and merge policies.

use catalog::Catalog;
use export::{ExportRequest, RequestError};
use merge::MergePolicy;
use pql::{Checked, Expression, Schema};
use segment::schema_of;
use serde_json::Value;
use xdm::{Class, SEGMENT_MEMBERSHIP, SEGMENT_NAMESPACE};

use crate::error::{Error, Result};
use crate::policies::named_policy;
use crate::resolve::resolve_policy;
use crate::segments::policy_of;

/// The schema that expressions over a store are checked against: its union schemas.
///
/// # Errors
/// The catalog can't be read.
pub fn expression_schema(catalog: &Catalog) -> Result<Schema> {
    let profile = catalog.union(Class::Profile, None)?;
    Ok(schema_of(&profile, &catalog.union(Class::Event, None)?))
}

/// The expression of a segment's definition: `expression.value`, text or JSON.
///
/// # Errors
/// It has none, or one that can't be read; a type that is not PQL.
pub fn expression_of(definition: &Value) -> Result<Expression> {
    let at = "expression";
    let refused = |problem: String| Error::Request(RequestError::new(at, problem));
    let expression = definition.get(at).ok_or_else(|| {
        refused("missing; allowed is {\"type\": \"PQL\", \"value\": \"…\"}".to_owned())
    })?;
    let kind = expression.get("type").and_then(Value::as_str);
    if let Some(kind) = kind.filter(|kind| !kind.eq_ignore_ascii_case("PQL")) {
        return Err(refused(format!(
            "found the type {kind:?}; allowed is \"PQL\""
        )));
    }
    let value = expression.get("value").unwrap_or(&Value::Null);
    Expression::from_json(value).map_err(|error| refused(error.to_string()))
}

/// Whether a definition has an expression. One without stands for memberships that data brings along.
#[must_use]
pub fn has_expression(definition: &Value) -> bool {
    definition.pointer("/expression/value").is_some()
}

/// Who is in a segment that is not evaluated: by the membership that data brought along, realized where it says nothing.
pub(super) fn stored_members(id: &str, schema: &Schema) -> Result<Checked> {
    // JSON's quotes are PQL's.
    let quoted = Value::from(id);
    let stored = format!("{SEGMENT_MEMBERSHIP}.get(\"{SEGMENT_NAMESPACE}\").get({quoted})");
    let text = format!(
        r#"{stored} and ({stored}.status.isNull() or {stored}.status in ["realized", "existing"])"#
    );
    // Every union schema of profiles has the field.
    let expression = Expression::parse(&text).and_then(|expression| expression.check(schema));
    expression.map_err(|error| Error::Panic(format!("the stored members of {id}: {error}")))
}

/// Refuses a definition whose expression can't be read. One without an expression is kept: it stands for memberships
/// that data brings along. Whether the fields are there is looked at when it is evaluated.
///
/// # Errors
/// What is wrong with it, with line and column.
pub fn check_definition(definition: &Value) -> Result<()> {
    match has_expression(definition) {
        true => expression_of(definition).map(drop),
        false => Ok(()),
    }
}

/// Why a definition can't be evaluated over the store as it is: a field that the union schemas don't have, and the like. None
/// where it can, has no expression, or the store has no schema yet.
///
/// # Errors
/// An expression that can't be read; the catalog can't be read.
pub fn misfit(catalog: &Catalog, definition: &Value) -> Result<Option<String>> {
    let has_fields = |class: Class| -> Result<bool> {
        Ok(catalog.union(class, None)? != class.standard_fields())
    };
    if !has_expression(definition) || !(has_fields(Class::Profile)? || has_fields(Class::Event)?) {
        return Ok(None);
    }
    let checked = expression_of(definition)?.check(&expression_schema(catalog)?);
    Ok(checked.err().map(|error| error.to_string()))
}

/// The merge policy that a segment is evaluated with: the one that is asked for, that of its definition, or the default.
///
/// # Errors
/// There is no such policy.
pub fn policy_of_segment(
    catalog: &Catalog,
    asked: Option<&str>,
    definition: Option<&Value>,
) -> Result<MergePolicy> {
    let own = definition.and_then(policy_of);
    match asked.or(own) {
        Some(id) => named_policy(catalog, id, None, "mergePolicy"),
        None => resolve_policy(catalog, &ExportRequest::default()),
    }
}
