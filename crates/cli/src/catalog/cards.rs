//! The cards of datasets, merge policies and segments.

use profile_export::request::MergePolicy;
use profile_export::store::Store;
use profile_export::xdm::{Dataset, Timestamp};
use serde_json::Value;

use crate::card::Card;
use crate::failure::Failure;
use crate::listing::Cell;
use crate::names::Names;

/// A dataset, with what the store holds of it.
pub fn dataset(store: &Store, dataset: &Dataset) -> Result<Card, Failure> {
    let stats = store.stats()?;
    let own = stats.datasets.iter().find(|one| one.id == dataset.id);
    let schema = match (&dataset.ad_hoc, &dataset.schema) {
        (Some(_), _) => "rows of its own, no records",
        (None, Some(_)) => "declared",
        (None, None) => "as the records have it",
    };
    Ok(Card::new(format!("dataset {}", dataset.name))
        .line("id", Cell::Text(dataset.id.clone()))
        .line("class", Cell::Text(dataset.class.word().to_owned()))
        .line("description", Cell::of(dataset.description.clone()))
        .line(
            "primary identity",
            Cell::of(dataset.primary_identity.clone()),
        )
        .line("ingested at", Cell::of(dataset.ingested_at_field.clone()))
        .line("schema", Cell::Text(schema.to_owned()))
        .line("maps", words(&dataset.maps))
        .line("placeholders", words(&dataset.placeholder_identities))
        .line("records", Cell::count(own.map(|own| own.records)))
        .line(
            "size",
            own.map_or(Cell::Empty, |own| Cell::Bytes(own.bytes)),
        )
        .line("runs", Cell::count(own.map(|own| own.runs)))
        .line("created", Cell::Time(dataset.created)))
}

/// A merge policy.
pub fn merge_policy(store: &Store, policy: &MergePolicy) -> Result<Card, Failure> {
    let names = Names::of(store)?;
    let order = &policy.attribute_merge.order;
    let order: Vec<String> = (order.iter())
        .map(|id| names.dataset(id).to_owned())
        .collect();
    let wins = match order.is_empty() {
        true => Cell::Text("the latest value".to_owned()),
        false => words(&order),
    };
    let made = Timestamp::from_millis(policy.update_epoch.saturating_mul(1000));
    let name = match policy.name.is_empty() {
        true => &policy.id,
        false => &policy.name,
    };
    Ok(Card::new(format!("merge policy {name}"))
        .line("id", Cell::Text(policy.id.clone()))
        .line("version", Cell::Text(policy.version.to_string()))
        .line(
            "default",
            Cell::of(policy.default.then_some("for jobs that name none")),
        )
        .line("class", Cell::Text(policy.schema.name.clone()))
        .line(
            "identity graph",
            Cell::Text(policy.identity_graph.kind.word().to_owned()),
        )
        .line("wins", wins)
        .line(
            "changed",
            // Those that every store has were never made.
            match policy.update_epoch {
                0 => Cell::Empty,
                _ => Cell::Time(made),
            },
        ))
}

/// A segment's definition.
pub fn segment(segment: &Value) -> Card {
    let text = |path: &str| segment.pointer(path).and_then(Value::as_str);
    let id = text("/id").unwrap_or_default();
    Card::new(format!("segment {}", text("/name").unwrap_or(id)))
        .line("id", Cell::Text(id.to_owned()))
        .line("description", Cell::of(text("/description")))
        .line("expression", Cell::of(text("/expression/value")))
        .line("merge policy", Cell::of(text("/mergePolicyId")))
}

fn words(words: &[String]) -> Cell {
    Cell::of((!words.is_empty()).then(|| words.join(", ")))
}
