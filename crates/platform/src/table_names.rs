//! Under which names the platform's query service knows datasets, whose clients go by them.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use xdm::Dataset;

/// The label that has it.
pub const TABLE_LABEL: &str = "adobe/pqs/table";

/// The table of each dataset of a sandbox: no two have one, and names that differ in their case alone are one.
pub struct TableNames(HashMap<String, String>);

impl TableNames {
    /// The names of all datasets of a sandbox. A dataset's own label counts, whoever came first; else its name with `_`
    /// for all that is neither letter nor digit. Where an earlier dataset has that already, its ID stands behind it.
    #[must_use]
    pub fn of(datasets: &[Dataset]) -> Self {
        let mut by_age: Vec<&Dataset> = datasets.iter().collect();
        by_age.sort_by_key(|dataset| (own_table(dataset).is_none(), dataset.created, &dataset.id));
        let mut taken = HashSet::new();
        let names = by_age.into_iter().map(|dataset| {
            let mut name = plain_name(dataset);
            if !taken.insert(name.to_lowercase()) {
                name = format!("{name}_{}", dataset.id);
                while !taken.insert(name.to_lowercase()) {
                    name.push('_');
                }
            }
            (dataset.id.clone(), name)
        });
        Self(names.collect())
    }

    /// That of a dataset.
    #[must_use]
    pub fn of_dataset(&self, dataset: &Dataset) -> String {
        let known = self.0.get(&dataset.id);
        known.map_or_else(|| plain_name(dataset), Clone::clone)
    }
}

fn plain_name(dataset: &Dataset) -> String {
    own_table(dataset).unwrap_or_else(|| plain(&dataset.name))
}

/// The table that a dataset's own label names.
#[must_use]
pub fn own_table(dataset: &Dataset) -> Option<String> {
    dataset.tags.get(TABLE_LABEL).and_then(first_text)
}

fn first_text(label: &Value) -> Option<String> {
    let text = match label {
        Value::Array(texts) => texts.first()?.as_str(),
        other => other.as_str(),
    };
    text.map(str::to_owned)
}

fn plain(name: &str) -> String {
    let fit = |c: char| {
        if c.is_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '_'
        }
    };
    name.chars().map(fit).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use xdm::Timestamp;

    use super::*;

    fn dataset(number: i64, name: &str) -> Dataset {
        Dataset {
            created: Timestamp::from_millis(number),
            ..Dataset::target(&format!("{number:024x}"), name)
        }
    }

    #[test]
    fn no_two_datasets_are_one_table() {
        let mut labelled = dataset(4, "other");
        labelled.tags.insert(TABLE_LABEL.to_owned(), json!(["c_d"]));
        // The newest first, as lists are.
        let all = [
            labelled,
            dataset(3, "a_b"),
            dataset(2, "c d"),
            dataset(1, "A b"),
        ];
        let tables = TableNames::of(&all);
        let names: Vec<String> = all[1..].iter().map(|one| tables.of_dataset(one)).collect();
        assert_eq!(
            names,
            [
                "a_b_000000000000000000000003",
                "c_d_000000000000000000000002",
                "a_b",
            ]
        );
    }

    #[test]
    fn case_makes_no_other_table_and_of_two_equal_labels_the_earlier_one_has_it() {
        let labelled = |number, name: &str, table: &str| {
            let mut one = dataset(number, name);
            one.tags.insert(TABLE_LABEL.to_owned(), json!([table]));
            one
        };
        let all = [
            dataset(1, "orders"),
            labelled(2, "a", "Orders"),
            labelled(3, "b", "ORDERS"),
            // Called as what stands behind another's name would make that.
            dataset(4, "orders 000000000000000000000001"),
        ];
        let tables = TableNames::of(&all);
        let names: Vec<String> = all.iter().map(|one| tables.of_dataset(one)).collect();
        assert_eq!(
            names,
            [
                "orders_000000000000000000000001",
                "Orders",
                "ORDERS_000000000000000000000003",
                "orders_000000000000000000000001_000000000000000000000004",
            ]
        );
    }
}
