//! Under which names the platform's query service knows datasets, whose clients go by them.

use std::collections::{HashMap, HashSet};

use profile_export::xdm::Dataset;
use serde_json::Value;

use crate::problem::{Answer, Problem};

/// The label that has it.
pub(crate) const TABLE: &str = "adobe/pqs/table";

/// The table of each dataset of a sandbox: no two have one.
pub(crate) struct TableNames(HashMap<String, String>);

impl TableNames {
    /// The names of all datasets of a sandbox. A dataset's own label counts; else its name with `_` for all that is
    /// neither letter nor digit. Where an earlier dataset has that already, its ID stands behind it.
    pub(crate) fn of(datasets: &[Dataset]) -> Self {
        let mut taken: HashSet<String> = datasets.iter().filter_map(own).collect();
        let mut by_age: Vec<&Dataset> = datasets.iter().filter(|one| own(one).is_none()).collect();
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
    pub(crate) fn of_dataset(&self, dataset: &Dataset) -> String {
        let known = self.0.get(&dataset.id);
        known.map_or_else(|| plain(&dataset.name), Clone::clone)
    }
}

/// Checks that the table which a dataset's own label names is that of no other one, by a label or by its name.
///
/// # Errors
/// Another one of `datasets`, which are those before the change, has it.
pub(crate) fn check_own_table(datasets: &[Dataset], changed: &Dataset) -> Answer<()> {
    let Some(table) = own(changed) else {
        return Ok(());
    };
    let tables = TableNames::of(datasets);
    let mut others = datasets.iter().filter(|other| other.id != changed.id);
    let other = others.find(|other| {
        own(other)
            .unwrap_or_else(|| tables.of_dataset(other))
            .eq_ignore_ascii_case(&table)
    });
    match other {
        Some(other) => Err(Problem::conflict(format!(
            "tags: {TABLE} is {table:?}, which is the table of dataset {}; no two datasets are one table",
            other.id
        ))),
        None => Ok(()),
    }
}

/// The table that a dataset's own label names.
pub(crate) fn own(dataset: &Dataset) -> Option<String> {
    dataset.tags.get(TABLE).and_then(first_text)
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
    use profile_export::xdm::Timestamp;
    use serde_json::json;

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
        labelled.tags.insert(TABLE.to_owned(), json!(["c_d"]));
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
