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
