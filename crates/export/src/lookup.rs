//! One profile, by an identity: what an export of it alone would have, at the price of what it touches.

use std::collections::BTreeSet;

use gather::RowRef;
use rayon::prelude::*;
use serde_json::Value;
use xdm::{PersonKey, Timestamp};

use crate::components::Profile;
use crate::error::Result;
use crate::export::Export;
use crate::links::{all_batches, each_row};
use crate::people::{People, PeopleRows};
use crate::pipeline::rows_of;
use crate::shard::Shard;
use crate::times::Times;
use crate::values::json_values;

/// A profile that was looked up.
#[derive(Clone, Debug)]
pub struct FoundProfile {
    /// The namespaces and ids of the primary identities that it is: several by an identity graph.
    pub identities: Vec<(String, String)>,
    /// Its row: what the plan shows of it, events with it.
    pub row: Value,
    /// The IDs of the datasets that its fragments are from, best first; those of its events where it has none.
    pub datasets: Vec<String>,
    /// When the latest of these records came in.
    pub last_modified: Timestamp,
    /// When each event of the row came in.
    pub events_ingested: Vec<Timestamp>,
}

impl Export {
    /// The same for look-ups of one profile after the other: little of what one reads is kept for the next.
    #[must_use]
    pub fn for_look_ups(self) -> Self {
        self.pipeline().sources().keep_little();
        self
    }

    /// The profile of an identity, whatever the case of its namespace: of a primary identity, and with an identity graph of
    /// any that records link. `None` where there is none, or where the graph leaves it out.
    ///
    /// The plan's filters hold for it, but memberships.
    ///
    /// # Errors
    /// A damaged run.
    pub fn look_up(&self, namespace: &str, id: &str) -> Result<Option<FoundProfile>> {
        let sources = self.pipeline().sources();
        let mut key = PersonKey::of(namespace, id);
        let is_known = |key| {
            sources
                .of_data()
                .any(|source| source.run.find(key).is_some())
        };
        // What the one before read is let go of, as between chunks.
        sources.begin_chunk();
        if !is_known(key) {
            match self.linked_person(key, &is_known)? {
                Some(person) => key = person,
                None => return Ok(None),
            }
        }
        let rows = self.rows_of_profile(key)?;
        if rows.fragment_ends.is_empty() {
            return Ok(None);
        }
        let made = self.pipeline().rows(&rows, None, None, &|| false)?;
        // One profile's row: no batch of it can overflow.
        let row = match &made.rows[..] {
            [rows] => json_values(rows)?.pop(),
            _ => None,
        };
        sources.check_whole()?;
        row.map(|row| self.found(key, &rows, row)).transpose()
    }

    fn found(&self, key: PersonKey, rows: &PeopleRows, row: Value) -> Result<FoundProfile> {
        let sources = self.pipeline().sources();
        let mut times = Times::new(sources);
        let mut records: Vec<RowRef> = rows.fragments.clone();
        if records.is_empty() {
            records.extend(rows.events.iter().flat_map(rows_of));
        }
        let (mut datasets, mut last_modified) = (Vec::<String>::new(), Timestamp::default());
        for at in records {
            let dataset = &sources.of(at).run.dataset;
            if !datasets.contains(dataset) {
                datasets.push(dataset.clone());
            }
            last_modified = last_modified.max(times.ingested(at)?);
        }
        let mut events_ingested = Vec::new();
        if self.pipeline().plan().events.is_some() {
            for at in self.pipeline().event_rows(rows)? {
                events_ingested.push(times.ingested(at)?);
            }
        }
        Ok(FoundProfile {
            identities: self.identities_of(&self.members_of(key))?,
            row,
            datasets,
            last_modified,
            events_ingested,
        })
    }

    /// The persons of the profile that a person belongs to, by their keys.
    pub(crate) fn members_of(&self, key: PersonKey) -> Vec<PersonKey> {
        match self.graph().map(|graph| graph.profile(key)) {
            Some(Profile::Joined(members)) => members.to_vec(),
            None | Some(Profile::Alone | Profile::LeftOut) => vec![key],
        }
    }

    /// The namespaces and ids of those persons whom data knows: who has nothing but evaluated memberships is nobody.
    pub(crate) fn identities_of(&self, persons: &[PersonKey]) -> Result<Vec<(String, String)>> {
        let sources = self.pipeline().sources();
        let runs = || sources.of_data().map(|source| &source.run);
        let mut identities = Vec::new();
        for key in persons {
            if let Some((run, person)) = runs().find_map(|run| Some((run, run.find(*key)?))) {
                let (namespace, id) = run.identity(person)?;
                identities.push((namespace.to_owned(), id.to_owned()));
            }
        }
        Ok(identities)
    }

    /// The rows of the profile that a person belongs to; none where there is none, or where the graph leaves it out.
    pub(crate) fn rows_of_profile(&self, key: PersonKey) -> Result<PeopleRows> {
        let sources = self.pipeline().sources();
        let people = match self.graph() {
            None => People::of_keys(vec![key], sources, Shard::ALL),
            Some(graph) => graph.of_keys(&[key], sources, Shard::ALL),
        };
        match people.chunks() {
            0 => Ok(PeopleRows::default()),
            _ => people.rows(0, sources),
        }
    }

    /// A person of the profile that an identity belongs to which is no person's own: live records link it, or link others
    /// of which one is a person's, and so on. Each step takes a look at all links, which no index has.
    fn linked_person(
        &self,
        identity: PersonKey,
        is_known: &(dyn Fn(PersonKey) -> bool + Sync),
    ) -> Result<Option<PersonKey>> {
        if self.graph().is_none() {
            return Ok(None);
        }
        let sources = self.pipeline().sources();
        let batches = all_batches(sources);
        let mut linked = BTreeSet::from([identity]);
        loop {
            let found = batches.par_iter().map(|(source, batch)| {
                let mut times = Times::new(sources);
                let mut all = BTreeSet::new();
                let source = *source as usize;
                each_row(&sources.all[source].run, *batch, |row, own| {
                    let own = own.iter().map(|key| PersonKey::from_bytes(*key));
                    if own.clone().any(|one| linked.contains(&one))
                        && sources.is_live(source, row, &mut times)?
                    {
                        all.extend(own);
                    }
                    Ok(())
                })?;
                Ok(all)
            });
            let found: Vec<BTreeSet<PersonKey>> = found.collect::<Result<_>>()?;
            let found: BTreeSet<PersonKey> = found.into_iter().flatten().collect();
            if let Some(person) = found.iter().find(|one| is_known(**one)) {
                return Ok(Some(*person));
            }
            let before = linked.len();
            linked.extend(found);
            if linked.len() == before {
                return Ok(None);
            }
        }
    }
}
