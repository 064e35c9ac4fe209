//! `docs/segments.md` once more, plain and slow: what evaluations make of the memberships of each person.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Identity, Profile, Reference};

/// A profile's merged row and the bodies of its events, at a moment in microseconds since 1970.
pub type Takes = fn(&Value, &[Value], i64) -> bool;

/// A segment that is evaluated.
#[derive(Clone)]
pub struct Definition {
    pub id: &'static str,
    pub policy: Value,
    pub takes: Takes,
    pub excludes_opt_outs: bool,
}

/// How a segment came out: who is realized, existing, exited, and exited by this evaluation; and those who are in, by
/// namespace.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub statuses: [u64; 4],
    pub by_namespace: BTreeMap<String, u64>,
}

/// Status and time in microseconds.
type Standing = (String, Option<i64>);

const GONE_AFTER: i64 = 30 * 24 * 60 * 60 * 1_000_000;

fn is_in(standing: &Standing) -> bool {
    ["realized", "existing"].contains(&&*standing.0)
}

impl Reference {
    /// Evaluates `definitions`; `known` are the segments that have any. `written_at` is later than all before.
    pub fn evaluate(
        &mut self,
        definitions: &[Definition],
        known: &[&str],
        now: i64,
        written_at: &str,
    ) -> BTreeMap<&'static str, Counts> {
        let mut next: BTreeMap<Identity, BTreeMap<String, Standing>> = self
            .evaluated
            .iter()
            .map(|record| (record.identity.clone(), stored(&record.body)))
            .collect();
        let before = next.clone();
        let mut all = BTreeMap::new();
        for definition in definitions {
            let mut counts = Counts::default();
            for profile in self.profiles(&definition.policy) {
                let takes = definition.takes(&profile, now);
                let persons = profile.members();
                for person in &persons {
                    // Nobody will evaluate a segment again that has no definition.
                    let own = next.entry(person.clone()).or_default();
                    own.retain(|id, _| known.contains(&id.as_str()));
                }
                let own = (persons.iter())
                    .filter_map(|person| next[person].get(definition.id).cloned())
                    .max_by_key(|standing| (is_in(standing), standing.1));
                let brought = profile.brought(definition.id);
                let was_in = own.clone().or(brought.clone()).filter(is_in);
                let after = match (takes, &was_in) {
                    (true, Some((_, since))) => Some(("existing".to_owned(), *since)),
                    (true, None) => Some(("realized".to_owned(), Some(now))),
                    (false, Some(_)) => Some(("exited".to_owned(), Some(now))),
                    (false, None) => own.filter(|(status, time)| {
                        let is_gone =
                            status == "exited" && time.is_some_and(|t| now - t > GONE_AFTER);
                        brought.is_some() || !is_gone
                    }),
                };
                for person in &persons {
                    let own = next.get_mut(person).unwrap();
                    match &after {
                        Some(after) => own.insert(definition.id.to_owned(), after.clone()),
                        None => own.remove(definition.id),
                    };
                }
                counts.count(was_in.is_some(), after.or(brought));
                if takes {
                    let row = profile.merged();
                    let map = row["identityMap"].as_object().into_iter().flatten();
                    let of_map = map.filter(|(_, ids)| !ids.as_array().unwrap().is_empty());
                    let of_map = of_map.map(|(namespace, _)| namespace.to_lowercase());
                    let own = persons
                        .iter()
                        .map(|(namespace, _)| namespace.to_lowercase());
                    for namespace in of_map.chain(own).collect::<BTreeSet<_>>() {
                        *counts.by_namespace.entry(namespace).or_default() += 1;
                    }
                }
            }
            all.insert(definition.id, counts);
        }
        // The rest of a person's fragment is written with what changes.
        let changed = next
            .into_iter()
            .filter(|(person, own)| before.get(person).map_or(!own.is_empty(), |old| old != own));
        let records: Vec<Value> = changed
            .map(|((namespace, id), own)| {
                let memberships: Value = own.into_iter().map(as_json).collect();
                let mut map = json!({});
                map[namespace] = json!([{"id": id, "primary": true}]);
                json!({"identityMap": map, "segmentMembership": {"ups": memberships}, "ingestedAt": written_at})
            })
            .collect();
        self.load(super::Dataset::EVALUATED_MEMBERSHIPS, &records);
        all
    }

    /// Forgets whatever was evaluated.
    pub fn forget_evaluated(&mut self) {
        self.evaluated.clear();
    }

    /// How many profiles a policy makes, and how many of them opted out.
    pub fn profile_counts(&self, policy: &Value) -> (u64, u64) {
        let profiles = self.profiles(policy);
        let opted_out = profiles.iter().filter(|p| has_opted_out(&p.merged()));
        (profiles.len() as u64, opted_out.count() as u64)
    }
}

impl Definition {
    fn takes(&self, profile: &Profile, now: i64) -> bool {
        let row = profile.merged();
        let events: Vec<Value> = profile.events.iter().map(|e| e.body.clone()).collect();
        (self.takes)(&row, &events, now) && !(self.excludes_opt_outs && has_opted_out(&row))
    }
}

impl Counts {
    fn count(&mut self, was_in: bool, after: Option<Standing>) {
        let [realized, existing, exited, left] = &mut self.statuses;
        match after {
            Some(after) if is_in(&after) && was_in => *existing += 1,
            Some(after) if is_in(&after) => *realized += 1,
            Some(_) => {
                *exited += 1;
                *left += u64::from(was_in);
            }
            None => {}
        }
    }
}

impl Profile {
    /// The persons that have the profile's memberships: those of records that take part in the policy, and those that
    /// had some.
    fn members(&self) -> BTreeSet<Identity> {
        let records = self
            .fragments
            .iter()
            .chain(&self.events)
            .chain(&self.evaluated);
        records.map(|record| record.identity.clone()).collect()
    }

    /// What data says of a segment, by the policy.
    fn brought(&self, segment: &str) -> Option<Standing> {
        let of_data = Profile {
            persons: self.persons.clone(),
            evaluated: Vec::new(),
            fragments: self.fragments.clone(),
            events: Vec::new(),
        };
        let all = of_data.memberships();
        let membership = all.get(&("ups".to_owned(), segment.to_owned()))?;
        Some(standing(membership))
    }
}

fn standing(membership: &Value) -> Standing {
    let status = membership["status"].as_str().unwrap_or("realized");
    let time = membership["lastQualificationTime"]["µs"].as_i64();
    (status.to_owned(), time)
}

fn stored(body: &Value) -> BTreeMap<String, Standing> {
    let own = body["segmentMembership"]["ups"].as_object();
    let own = own.into_iter().flatten();
    own.map(|(id, membership)| (id.clone(), standing(membership)))
        .collect()
}

fn as_json((id, (status, time)): (String, Standing)) -> (String, Value) {
    let time = time.map(|micros| {
        let time = chrono::DateTime::from_timestamp_micros(micros).unwrap();
        time.to_rfc3339()
    });
    let membership = match time {
        Some(time) => json!({"status": status, "lastQualificationTime": time}),
        None => json!({"status": status}),
    };
    (id, membership)
}

fn has_opted_out(row: &Value) -> bool {
    let entries = row["privacyOptOuts"].as_array();
    entries
        .into_iter()
        .flatten()
        .any(|entry| entry["optOutType"] == "general_opt_out" && entry["optOutValue"] == "out")
}
