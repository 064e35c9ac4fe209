//! What profiles are made of, as [`Composition`] says it, by loops over records.

use std::collections::{BTreeMap, BTreeSet};

use profile_export::export::{Composition, Unstitched};
use serde_json::Value;

use super::{Identity, Record, Reference};

impl Reference {
    pub fn composition(&self, policy: &Value, since: &[i64]) -> Composition {
        let mut all = Composition {
            unstitched: vec![Unstitched::default(); since.len()],
            ..Composition::default()
        };
        for profile in self.profiles(policy) {
            let mut fragments: BTreeMap<(String, Identity), Vec<&Record>> = BTreeMap::new();
            for record in profile.fragments.iter().chain(&profile.events) {
                let of = (record.dataset.clone(), record.identity.clone());
                fragments.entry(of).or_default().push(record);
            }
            all.profiles += 1;
            all.fragments += fragments.len() as u64;
            all.records += profile.fragments.len() as u64;
            all.events += profile.events.len() as u64;
            let datasets: BTreeSet<String> = fragments.keys().map(|(id, _)| id.clone()).collect();
            *all.by_datasets
                .entry(datasets.into_iter().collect())
                .or_default() += 1;
            let mut namespaces = BTreeSet::new();
            for ((_, (own, _)), records) in &fragments {
                let maps = records
                    .iter()
                    .map(|record| record.body["identityMap"].as_object());
                let linked = maps.flatten().flat_map(|map| map.keys());
                let mut of_fragment: BTreeSet<String> =
                    linked.map(|code| code.to_lowercase()).collect();
                of_fragment.insert(own.clone());
                for namespace in &of_fragment {
                    *all.fragments_by_namespace
                        .entry(namespace.clone())
                        .or_default() += 1;
                }
                namespaces.extend(of_fragment);
            }
            *all.by_namespaces
                .entry(namespaces.into_iter().collect())
                .or_default() += 1;
            let Some((_, (own, _))) = fragments.keys().next().filter(|_| fragments.len() == 1)
            else {
                continue;
            };
            for (since, unstitched) in since.iter().zip(&mut all.unstitched) {
                let time = |event: &Record| event.body["timestamp"]["µs"].as_i64().unwrap();
                if profile.events.iter().all(|event| time(event) < *since) {
                    let events = profile.events.len() as u64;
                    unstitched.profiles += 1;
                    unstitched.events += events;
                    let both = unstitched.by_namespace.entry(own.clone()).or_default();
                    *both = (both.0 + 1, both.1 + events);
                }
            }
        }
        all
    }
}
