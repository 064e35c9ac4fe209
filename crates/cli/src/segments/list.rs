//! The definitions of segments, and how many members each has.

use profile_export::platform::{members_by_segment, segments};
use profile_export::store::Store;
use serde_json::{Value, json};

use crate::args::Arguments;
use crate::failure::Failure;
use crate::listing::{Cell, Table, print_list};
use crate::progress::Watch;

/// Lists the definitions.
pub fn list(arguments: &Arguments, store: &Store) -> Result<(), Failure> {
    let segments = segments(store.catalog())?;
    print_list(arguments, &segments, &segments, || {
        let rows = segments.iter();
        let rows = rows.map(|s| [text(s, "id"), text(s, "mergePolicyId"), text(s, "name")]);
        Ok(Table {
            head: ["ID", "MERGE POLICY", "NAME"],
            rows: rows.collect(),
        })
    })
}

/// Lists the definitions with their members.
pub fn list_with_counts(arguments: &Arguments, store: &Store) -> Result<(), Failure> {
    let mut segments = segments(store.catalog())?;
    let watch = Watch::start(arguments, 0);
    let members = members_by_segment(store, &watch.progress)?;
    drop(watch);
    let mut rows = Vec::new();
    for segment in &mut segments {
        let id = segment.get("id").and_then(Value::as_str);
        // One that no record names has nobody.
        let members = id
            .and_then(|id| members.get(id))
            .copied()
            .unwrap_or_default();
        rows.push([
            text(segment, "id"),
            text(segment, "mergePolicyId"),
            Cell::Count(members.realized),
            Cell::Count(members.existing),
            Cell::Count(members.exited),
            text(segment, "name"),
        ]);
        if let Some(segment) = segment.as_object_mut() {
            let members = json!({"realized": members.realized, "existing": members.existing,
                                 "exited": members.exited});
            segment.insert("members".to_owned(), members);
        }
    }
    print_list(arguments, &segments, &segments, || {
        Ok(Table {
            head: [
                "ID",
                "MERGE POLICY",
                "REALIZED",
                "EXISTING",
                "EXITED",
                "NAME",
            ],
            rows,
        })
    })
}

fn text(segment: &Value, name: &str) -> Cell {
    Cell::of(segment.get(name).and_then(Value::as_str))
}
