use std::cmp::Reverse;

use gather::RowRef;
use xdm::Timestamp;

use crate::policy::{AttributeMergeType, MergePolicy};

/// A fragment of a profile, with what decides between it and others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Where it lies.
    pub at: RowRef,
    /// Its dataset's place in the policy, see [`Precedence::rank`].
    pub rank: u32,
    /// Its custom timestamp, else its ingest time.
    pub updated: Timestamp,
    /// Its place in the store.
    pub sequence: u64,
}

/// The order that a merge policy makes among datasets.
#[derive(Clone, Debug)]
pub struct Precedence {
    by_time: bool,
    /// Datasets, best first.
    order: Vec<String>,
    /// Whether the order says which event datasets take part.
    events_listed: bool,
}

impl Precedence {
    /// The order of a policy over these datasets: IDs with whether they hold events.
    pub fn new<'a>(
        policy: &MergePolicy,
        datasets: impl IntoIterator<Item = (&'a str, bool)>,
    ) -> Self {
        let datasets: Vec<(&str, bool)> = datasets.into_iter().collect();
        match policy.attribute_merge.kind {
            AttributeMergeType::TimestampOrdered => {
                // At the same time the greater ID wins.
                let mut order: Vec<String> =
                    datasets.iter().map(|(id, _)| (*id).to_owned()).collect();
                order.sort_by(|a, b| b.cmp(a));
                order.dedup();
                Self {
                    by_time: true,
                    order,
                    events_listed: false,
                }
            }
            AttributeMergeType::DataSetPrecedence => Self {
                by_time: false,
                events_listed: policy
                    .attribute_merge
                    .order
                    .iter()
                    .any(|id| datasets.contains(&(id.as_str(), true))),
                order: policy.attribute_merge.order.clone(),
            },
        }
    }

    /// The place of a profile dataset, best 0; `None` where it takes no part.
    #[must_use]
    pub fn rank(&self, dataset: &str) -> Option<u32> {
        let at = self.order.iter().position(|id| id == dataset)?;
        Some(at as u32)
    }

    /// Whether the events of a dataset are collected.
    #[must_use]
    pub fn takes_events(&self, dataset: &str) -> bool {
        self.by_time || !self.events_listed || self.order.iter().any(|id| id == dataset)
    }

    /// Sorts a profile's fragments, best first.
    pub fn sort(&self, fragments: &mut [Fragment]) {
        if self.by_time {
            fragments.sort_unstable_by_key(|f| (Reverse(f.updated), f.rank, Reverse(f.sequence)));
        } else {
            fragments.sort_unstable_by_key(|f| (f.rank, Reverse(f.updated), Reverse(f.sequence)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AttributeMerge, AttributeMergeType};

    fn by_dataset(order: &[&str]) -> MergePolicy {
        MergePolicy {
            attribute_merge: AttributeMerge {
                kind: AttributeMergeType::DataSetPrecedence,
                order: order.iter().map(|id| (*id).to_owned()).collect(),
            },
            ..MergePolicy::built_in()[0].clone()
        }
    }

    fn by_time() -> MergePolicy {
        MergePolicy::built_in()[0].clone()
    }

    /// Fragments given as dataset, time and sequence, as the policy sorts them.
    fn sorted(order: &Precedence, fragments: &[(&str, i64, u64)]) -> Vec<(u32, i64, u64)> {
        let mut fragments: Vec<Fragment> = fragments
            .iter()
            .map(|(dataset, micros, sequence)| Fragment {
                at: RowRef::NULL,
                rank: order.rank(dataset).expect("a dataset that takes part"),
                updated: Timestamp::from_micros(*micros),
                sequence: *sequence,
            })
            .collect();
        order.sort(&mut fragments);
        let shown = |f: &Fragment| (f.rank, f.updated.micros(), f.sequence);
        fragments.iter().map(shown).collect()
    }

    #[test]
    fn by_time_the_latest_is_best_then_the_greater_dataset_then_the_later_in_the_store() {
        let order = Precedence::new(&by_time(), [("a", false), ("c", false), ("b", false)]);
        assert_eq!(
            ["c", "b", "a"].map(|id| order.rank(id)),
            [Some(0), Some(1), Some(2)]
        );
        let fragments = [
            ("a", 1, 9),
            ("a", 2, 1),
            ("c", 1, 1),
            ("a", 1, 8),
            ("b", 1, 5),
        ];
        let expected = [(2, 2, 1), (0, 1, 1), (1, 1, 5), (2, 1, 9), (2, 1, 8)];
        assert_eq!(sorted(&order, &fragments), expected);
    }

    #[test]
    fn by_dataset_the_order_counts_before_the_time_and_one_not_listed_takes_no_part() {
        let datasets = [("a", false), ("b", false), ("c", false)];
        let order = Precedence::new(&by_dataset(&["b", "a"]), datasets);
        let fragments = [("a", 9, 1), ("b", 1, 1), ("b", 2, 0), ("a", 9, 2)];
        assert_eq!(
            sorted(&order, &fragments),
            [(0, 2, 0), (0, 1, 1), (1, 9, 2), (1, 9, 1)]
        );
        assert_eq!(order.rank("c"), None);
    }

    #[test]
    fn events_are_of_all_datasets_unless_some_of_theirs_are_listed() {
        let datasets = [("a", false), ("web", true), ("shop", true)];
        let taken = |policy: &MergePolicy| {
            let order = Precedence::new(policy, datasets);
            ["web", "shop"].map(|id| order.takes_events(id))
        };
        assert_eq!(taken(&by_time()), [true, true]);
        assert_eq!(taken(&by_dataset(&["a"])), [true, true]);
        assert_eq!(taken(&by_dataset(&["a", "shop"])), [false, true]);
    }
}
