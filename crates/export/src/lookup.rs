//! One profile, by an identity: what an export of it alone would have, at the price of what it touches.

use gather::RowRef;
use rayon::prelude::*;
use serde_json::Value;
use xdm::{PersonKey, Timestamp};

use crate::components::Profile;
use crate::error::Result;
use crate::export::Export;
use crate::links::of_batch;
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
        if !is_known(key) {
            match self.linked_person(key)? {
                Some(person) => key = person,
                None => return Ok(None),
            }
        }
        let people = match self.graph() {
            None => People::of_keys(vec![key], sources, Shard::ALL),
            Some(graph) => graph.of_keys(&[key], sources, Shard::ALL),
        };
        if people.chunks() == 0 {
            return Ok(None);
        }
        let rows = people.rows(0, sources)?;
        let made = self.pipeline().rows(&rows, None, None, &|| false)?;
        let row = json_values(&made.rows)?.pop();
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
        for at in self.pipeline().event_rows(rows)? {
            events_ingested.push(times.ingested(at)?);
        }
        let members = match self.graph().map(|graph| graph.profile(key)) {
            Some(Profile::Joined(members)) => members.to_vec(),
            None | Some(Profile::Alone | Profile::LeftOut) => vec![key],
        };
        let runs = || sources.of_data().map(|source| &source.run);
        let mut identities = Vec::new();
        for key in members {
            if let Some((run, person)) = runs().find_map(|run| Some((run, run.find(key)?))) {
                let (namespace, id) = run.identity(person)?;
                identities.push((namespace.to_owned(), id.to_owned()));
            }
        }
        Ok(FoundProfile {
            identities,
            row,
            datasets,
            last_modified,
            events_ingested,
        })
    }

    /// A person whose records link an identity that is no person's own. It takes a look at all links, which no index
    /// has.
    fn linked_person(&self, identity: PersonKey) -> Result<Option<PersonKey>> {
        if self.graph().is_none() {
            return Ok(None);
        }
        let sources = self.pipeline().sources();
        let batches = (0..).zip(&sources.all).flat_map(|(number, source)| {
            (0..source.run.batch_count() as u32).map(move |batch| (number, batch))
        });
        let batches: Vec<(u32, u32)> = batches.collect();
        let found = batches.par_iter().map(|(source, batch)| {
            let links = of_batch(sources, *source, *batch)?;
            let link = links.sorted.iter().find(|link| link.identity == identity);
            let run = &sources.all[*source as usize].run;
            Ok(link.map(|link| run.person(run.person_of_row(link.row))))
        });
        let found: Vec<Option<PersonKey>> = found.collect::<Result<_>>()?;
        Ok(found.into_iter().flatten().min())
    }
}
