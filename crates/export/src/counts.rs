use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a batch, or a part of it, holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BatchCounts {
    /// Rows.
    pub profiles: u64,
    /// Events in the rows.
    pub events: u64,
    /// Profiles that are left out since they lack a mandatory field, or an identity where each has a row.
    pub lacking: u64,
    /// Profiles that are left out since another one has their key.
    pub duplicates: u64,
    /// Rows by the namespace of their primary identity.
    pub by_namespace: BTreeMap<String, u64>,
}

impl BatchCounts {
    /// Adds what another part of the batch holds.
    pub fn add(&mut self, more: Self) {
        self.profiles += more.profiles;
        self.events += more.events;
        self.lacking += more.lacking;
        self.duplicates += more.duplicates;
        for (namespace, count) in more.by_namespace {
            *self.by_namespace.entry(namespace).or_default() += count;
        }
    }
}
