//! The counts themselves: by numbers in the place of names, so that a profile costs no memory.

use std::collections::HashMap;

use super::{Composition, Unstitched};
use crate::RequestError;
use crate::error::{Error, Result};

/// The most different combinations of datasets, or of namespaces, that are told apart: each takes memory until the end.
const MOST_COMBINATIONS: usize = 100_000;

/// Counts by numbers: those of datasets, and those that namespaces have here.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) profiles: u64,
    pub(super) fragments: u64,
    pub(super) records: u64,
    pub(super) events: u64,
    pub(super) namespaces: Vec<String>,
    pub(super) by_datasets: HashMap<Box<[u32]>, u64>,
    pub(super) by_namespaces: HashMap<Box<[u32]>, u64>,
    /// By the number of each namespace.
    pub(super) fragments_by_namespace: Vec<u64>,
    /// For each moment, profiles and events by the number of a namespace.
    pub(super) unstitched: Vec<HashMap<u32, (u64, u64)>>,
}

pub(super) fn sort(numbers: &mut Vec<u32>) {
    numbers.sort_unstable();
    numbers.dedup();
}

pub(super) fn add_combination(
    known: &mut HashMap<Box<[u32]>, u64>,
    one: &[u32],
    count: u64,
) -> Result<()> {
    if let Some(known) = known.get_mut(one) {
        *known += count;
        return Ok(());
    }
    if known.len() >= MOST_COMBINATIONS {
        return Err(Error::Request(RequestError::new(
            "report",
            format!(
                "profiles have more than {MOST_COMBINATIONS} combinations of datasets or namespaces, which is more than is counted"
            ),
        )));
    }
    known.insert(one.into(), count);
    Ok(())
}

impl Counts {
    /// The number of a namespace, whatever its case.
    pub(super) fn number(&mut self, namespace: &str) -> u32 {
        let mut known = self.namespaces.iter();
        // There are few, and the same come again and again.
        let found = known.position(|known| known.eq_ignore_ascii_case(namespace));
        let number = found.unwrap_or_else(|| {
            self.namespaces.push(namespace.to_ascii_lowercase());
            self.fragments_by_namespace.push(0);
            self.namespaces.len() - 1
        });
        number as u32
    }

    /// Both together.
    pub(super) fn with(mut self, other: Self) -> Result<Self> {
        self.profiles += other.profiles;
        self.fragments += other.fragments;
        self.records += other.records;
        self.events += other.events;
        let numbers: Vec<u32> = (other.namespaces.iter())
            .map(|namespace| self.number(namespace))
            .collect();
        for (number, count) in numbers.iter().zip(&other.fragments_by_namespace) {
            self.fragments_by_namespace[*number as usize] += count;
        }
        for (combination, count) in &other.by_datasets {
            add_combination(&mut self.by_datasets, combination, *count)?;
        }
        for (combination, count) in &other.by_namespaces {
            let mut own: Vec<u32> = (combination.iter())
                .map(|number| numbers[*number as usize])
                .collect();
            sort(&mut own);
            add_combination(&mut self.by_namespaces, &own, *count)?;
        }
        for (own, others) in self.unstitched.iter_mut().zip(&other.unstitched) {
            for (number, (profiles, events)) in others {
                let own = own.entry(numbers[*number as usize]).or_default();
                own.0 += profiles;
                own.1 += events;
            }
        }
        Ok(self)
    }

    /// The same by the IDs of datasets and the names of namespaces.
    pub(super) fn named(self, datasets: &[String]) -> Composition {
        let namespaces = &self.namespaces;
        let combinations = |counts: &HashMap<Box<[u32]>, u64>, names: &[String]| {
            let counts = counts.iter().map(|(combination, count)| {
                let names = combination.iter().map(|n| names[*n as usize].clone());
                let mut names: Vec<String> = names.collect();
                names.sort_unstable();
                (names, *count)
            });
            counts.collect()
        };
        let unstitched = self.unstitched.iter().map(|counts| Unstitched {
            profiles: counts.values().map(|(profiles, _)| profiles).sum(),
            events: counts.values().map(|(_, events)| events).sum(),
            by_namespace: (counts.iter())
                .map(|(number, both)| (namespaces[*number as usize].clone(), *both))
                .collect(),
        });
        Composition {
            profiles: self.profiles,
            fragments: self.fragments,
            records: self.records,
            events: self.events,
            by_datasets: combinations(&self.by_datasets, datasets),
            by_namespaces: combinations(&self.by_namespaces, namespaces),
            unstitched: unstitched.collect(),
            fragments_by_namespace: (namespaces.iter().cloned())
                .zip(self.fragments_by_namespace.iter().copied())
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Profiles of one dataset each, with identities of these namespaces, one of which is unstitched by its first.
    fn counts(profiles: &[(u32, &[&str])]) -> Counts {
        let mut counts = Counts {
            unstitched: vec![HashMap::new()],
            ..Counts::default()
        };
        for (dataset, namespaces) in profiles {
            let mut numbers: Vec<u32> = namespaces.iter().map(|name| counts.number(name)).collect();
            counts.profiles += 1;
            counts.fragments += 1;
            let unstitched = counts.unstitched[0].entry(numbers[0]).or_default();
            *unstitched = (unstitched.0 + 1, unstitched.1 + 2);
            for number in &numbers {
                counts.fragments_by_namespace[*number as usize] += 1;
            }
            sort(&mut numbers);
            add_combination(&mut counts.by_namespaces, &numbers, 1).expect("few");
            add_combination(&mut counts.by_datasets, &[*dataset], 1).expect("few");
        }
        counts
    }

    #[test]
    fn counts_of_parts_are_together_those_of_all_whatever_numbers_namespaces_have_in_each() {
        let all: [(u32, &[&str]); 5] = [
            (0, &["Email", "ECID"]),
            (0, &["ecid"]),
            (1, &["CRMID", "email"]),
            (1, &["ECID", "Email"]),
            (0, &["Email"]),
        ];
        let datasets = ["a".to_owned(), "b".to_owned()];
        let whole = counts(&all).named(&datasets);
        for cut in 0..=all.len() {
            let (first, second) = all.split_at(cut);
            let both = counts(first).with(counts(second)).expect("few");
            assert_eq!(both.named(&datasets), whole, "{cut}");
        }
        let both = vec!["ecid".to_owned(), "email".to_owned()];
        assert_eq!(whole.by_namespaces[&both], 2);
        assert_eq!(whole.unstitched[0].by_namespace["ecid"], (2, 4));
    }

    #[test]
    fn more_combinations_than_are_counted_are_an_error() {
        let mut known = HashMap::new();
        for number in 0..MOST_COMBINATIONS as u32 {
            add_combination(&mut known, &[number], 1).expect("not too many");
        }
        add_combination(&mut known, &[7], 1).expect("a known one");
        let error = add_combination(&mut known, &[u32::MAX], 1).expect_err("one too many");
        assert!(error.to_string().contains("100000"), "{error}");
    }
}
