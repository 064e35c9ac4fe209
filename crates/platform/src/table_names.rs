//! Under which names the platform's query service knows datasets, whose clients go by them.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use xdm::Dataset;

/// The label that has it.
pub const TABLE_LABEL: &str = "adobe/pqs/table";

/// The table of each dataset of a sandbox: no two have one.
pub struct TableNames(HashMap<String, String>);

impl TableNames {
    /// The names of all datasets of a sandbox. A dataset's own label counts; else its name with `_` for all that is
    /// neither letter nor digit. Where an earlier dataset has that already, its ID stands behind it.
    #[must_use]
    pub fn of(datasets: &[Dataset]) -> Self {
        let mut taken: HashSet<String> = datasets.iter().filter_map(own_table).collect();
        let mut by_age: Vec<&Dataset> = datasets
            .iter()
            .filter(|one| own_table(one).is_none())
            .collect();
        by_age.sort_by_key(|dataset| (dataset.created, &dataset.id));
        let names = by_age.into_iter().map(|dataset| {
            let plain = plain(&dataset.name);
            let name = match taken.insert(plain.clone()) {
                true => plain,
                false => format!("{plain}_{}", dataset.id),
            };
            (dataset.id.clone(), name)
        });
        Self(names.collect())
    }

    /// That of a dataset which has none of its own.
    #[must_use]
    pub fn of_dataset(&self, dataset: &Dataset) -> String {
        let known = self.0.get(&dataset.id);
        known.map_or_else(|| plain(&dataset.name), Clone::clone)
    }
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
}
