//! What is done to segment definitions, whichever of their two faces asks: `/segment/definitions` or `/audiences`.

use std::cmp::Ordering;

use axum::http::StatusCode;
use profile_export::platform::{check_definition, delete_segment, namesake, put_segment, segment};
use profile_export::store::Store;
use profile_export::xdm::Timestamp;
use serde_json::{Value, json};

use crate::merge_policies::Sandbox;
use crate::problem::{Answer, Problem, if_there};

/// What the server says of a definition, whatever its sender says.
pub(crate) const GENERATED: [&str; 5] = [
    "creationTime",
    "updateTime",
    "updateEpoch",
    "imsOrgId",
    "sandbox",
];

/// Adds a definition.
///
/// # Errors
/// Its ID or its name is another one's; an expression that can't be read, or that asks for a segment that is not there or
/// for itself in a circle.
pub(crate) fn create(store: &Store, mut definition: Value) -> Answer<Value> {
    // An ID that is no text is refused below, with everything else that is no definition.
    if let Some(id) = definition.get("id").and_then(Value::as_str)
        && if_there(segment(store.catalog(), id))?.is_some()
    {
        return Err(Problem::conflict(format!(
            "id: there is a segment definition {id:?} already"
        )));
    }
    let now = Timestamp::now();
    generate(store, &mut definition, Some(json!(now.millis())), now);
    put(store, definition)
}

/// Puts a definition in the place of the one with an ID.
///
/// # Errors
/// There is none; it has another ID, or another one's name; an expression as for one that is created.
pub(crate) fn replace(store: &Store, id: &str, mut definition: Value) -> Answer<Value> {
    let kept = segment(store.catalog(), id)?;
    if let Some(object) = definition.as_object_mut() {
        let own = object.entry("id").or_insert_with(|| json!(id));
        if *own != json!(id) {
            return Err(Problem::bad_request(format!(
                "id: found {own}; allowed is {id:?}, or none"
            )));
        }
    }
    // Of one that a load or the command line brought, nobody may know when it was created.
    let created = kept.get("creationTime").cloned();
    generate(store, &mut definition, created, Timestamp::now());
    put(store, definition)
}

/// Says what the server says of a definition.
fn generate(store: &Store, definition: &mut Value, created: Option<Value>, now: Timestamp) {
    // What is no object is refused where it is read.
    let Some(object) = definition.as_object_mut() else {
        return;
    };
    for name in GENERATED {
        object.shift_remove(name);
    }
    let scope = store.catalog().scope();
    let said = [
        ("imsOrgId", Some(json!(scope.org))),
        ("sandbox", Some(json!(Sandbox::of(scope)))),
        ("creationTime", created),
        ("updateTime", Some(json!(now.millis()))),
        ("updateEpoch", Some(json!(now.seconds()))),
    ];
    for (name, value) in said {
        object.extend(value.map(|value| (name.to_owned(), value)));
    }
}

fn put(store: &Store, definition: Value) -> Answer<Value> {
    check_definition(&definition)?;
    if let Some(other) = namesake(store.catalog(), &definition)? {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!(
                "name: the segment definition {other:?} is called so already; change it by PATCH, or take another name"
            ),
        ));
    }
    Ok(put_segment(store.catalog(), definition)?)
}

/// Deletes a definition.
///
/// # Errors
/// There is none, or another one asks for it.
pub(crate) fn remove(store: &Store, id: &str) -> Answer<()> {
    Ok(delete_segment(store.catalog(), id)?)
}

/// In which order a list is shown.
pub(crate) struct Order {
    pub(crate) property: String,
    pub(crate) is_down: bool,
}

impl Default for Order {
    /// The newest first, as far as definitions say when they were made.
    fn default() -> Self {
        Self {
            property: "creationTime".to_owned(),
            is_down: true,
        }
    }
}

impl Order {
    /// Sorts definitions by `property:asc` or `property:desc`, or as usual; those that lack the property come last.
    ///
    /// # Errors
    /// Another direction, or a property that no definition has.
    pub(crate) fn sort(asked: Option<&str>, definitions: &mut [Value]) -> Answer<Self> {
        let Some(asked) = asked else {
            let usual = Self::default();
            usual.apply(definitions);
            return Ok(usual);
        };
        let refuse = |allowed: &str| {
            Err(Problem::bad_request(format!(
                "sort: found {asked:?}; {allowed}"
            )))
        };
        let (property, is_down) = match asked.rsplit_once(':') {
            None => (asked, false),
            Some((property, "asc")) => (property, false),
            Some((property, "desc")) => (property, true),
            Some(_) => return refuse("allowed is a property with :asc or :desc behind it"),
        };
        if !definitions.is_empty() && definitions.iter().all(|one| one.get(property).is_none()) {
            return refuse("no definition has that property");
        }
        let order = Self {
            property: property.to_owned(),
            is_down,
        };
        order.apply(definitions);
        Ok(order)
    }

    fn apply(&self, definitions: &mut [Value]) {
        let own = self.property.as_str();
        definitions.sort_by(|a, b| match (a.get(own), b.get(own)) {
            (Some(a), Some(b)) if self.is_down => compare(b, a),
            (Some(a), Some(b)) => compare(a, b),
            (a, b) => b.is_some().cmp(&a.is_some()),
        });
    }

    /// The platform's word for its direction.
    pub(crate) fn direction(&self) -> &'static str {
        match self.is_down {
            true => "desc",
            false => "asc",
        }
    }
}

/// Numbers by their size and before all else, which is sorted as text.
fn compare(a: &Value, b: &Value) -> Ordering {
    let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (None, None) => text(a).cmp(&text(b)),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}
