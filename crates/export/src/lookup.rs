//! One profile, by an identity: what an export of it alone would have, at the price of what it touches.

use std::collections::BTreeSet;
use std::sync::Arc;

use decode::Progress;
use gather::RowRef;
use rayon::prelude::*;
use run::{BlockCache, Snapshot};
use serde_json::Value;
use xdm::{PersonKey, Timestamp};

use crate::components::Profile;
use crate::error::Result;
use crate::explain::Explanation;
use crate::export::Export;
use crate::people::{People, PeopleRows};
use crate::pipeline::{Pipeline, rows_of};
use crate::plan::Plan;
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
}

/// Reads one profile after the other: rows are read alone, without those beside them, and what is prepared serves all
/// look-ups of a snapshot. Cheap to clone, and shared between threads.
#[derive(Clone)]
pub struct ProfileReader(Export);

impl ProfileReader {
    /// Prepares look-ups by a plan. `other` is one over the same snapshot: its identity graph is taken where this plan's
    /// merge policy needs the same. `blocks` keeps what was unpacked, of any snapshots.
    ///
    /// # Errors
    /// A damaged run; it was cancelled while the graph was made.
    pub fn new(
        snapshot: &Snapshot,
        plan: &Plan,
        other: Option<&Self>,
        blocks: &Arc<BlockCache>,
        progress: &Progress,
    ) -> Result<Self> {
        let other = other.map(|Self(export)| export);
        Export::for_look_ups(snapshot, plan, other, blocks, progress).map(Self)
    }

    /// As [`Export::explain`].
    ///
    /// # Errors
    /// A damaged run.
    pub fn explain(&self, namespace: &str, id: &str) -> Result<Option<Explanation>> {
        self.0.explain(namespace, id)
    }

    pub(crate) fn pipeline(&self) -> &Pipeline {
        self.0.pipeline()
    }

    pub(crate) fn export(&self) -> &Export {
        &self.0
    }

    /// The profile of an identity, whatever the case of its namespace: of a primary identity, and with an identity graph of
    /// any that records link. `None` where there is none, or where the graph leaves it out.
    ///
    /// The plan's filters hold for it, but memberships.
    ///
    /// # Errors
    /// A damaged run; it was cancelled.
    pub fn look_up(
        &self,
        namespace: &str,
        id: &str,
        progress: &Progress,
    ) -> Result<Option<FoundProfile>> {
        let sources = self.pipeline().sources();
        let Some((key, rows)) = self.profile_of(namespace, id, progress)? else {
            // A file that was cut says of nobody that it has them.
            sources.check_whole()?;
            return Ok(None);
        };
        let made = (self.pipeline()).rows(&rows, None, None, &|| progress.is_cancelled())?;
        // One profile's row: no batch of it can overflow.
        let row = match &made.rows[..] {
            [rows] => json_values(rows)?.pop(),
            _ => None,
        };
        let found = row.map(|row| self.found(key, &rows, row)).transpose()?;
        sources.check_whole()?;
        Ok(found)
    }

    /// One of the persons of the profile that an identity belongs to, and the profile's rows; `None` where there is none.
    pub(crate) fn profile_of(
        &self,
        namespace: &str,
        id: &str,
        progress: &Progress,
    ) -> Result<Option<(PersonKey, PeopleRows)>> {
        let sources = self.pipeline().sources();
        // What the one before read is let go of, as between chunks.
        sources.begin_chunk();
        let Some(key) = self.0.person_of(PersonKey::of(namespace, id), progress)? else {
            return Ok(None);
        };
        let rows = self.0.rows_of_profile(key)?;
        Ok((!rows.fragment_ends.is_empty()).then_some((key, rows)))
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
        Ok(FoundProfile {
            identities: self.0.identities_of(&self.0.members_of(key))?,
            row,
            datasets,
            last_modified,
        })
    }
}

impl Export {
    /// One of the persons of the profile that an identity belongs to, the identity itself where it is somebody's
    /// primary one, and with an identity graph whomever live records link it to.
    pub(crate) fn person_of(
        &self,
        identity: PersonKey,
        progress: &Progress,
    ) -> Result<Option<PersonKey>> {
        match self.is_person(identity) {
            true => Ok(Some(identity)),
            false => self.linked_person(identity, progress),
        }
    }

    /// Whether records of data have an identity as their primary one.
    fn is_person(&self, key: PersonKey) -> bool {
        let mut sources = self.pipeline().sources().of_data();
        sources.any(|source| source.run.find(key).is_some())
    }

    /// A person of the profile that an identity belongs to which is no person's own: live records link it, or link others
    /// of which one is a person's, and so on.
    fn linked_person(&self, identity: PersonKey, progress: &Progress) -> Result<Option<PersonKey>> {
        if self.graph().is_none() {
            return Ok(None);
        }
        let sources = self.pipeline().sources();
        // It is everybody's: who asks next has it, where this one has no patience.
        let to_its_end = Progress::default();
        (sources.all.par_iter()).try_for_each(|source| source.run.index_links(&to_its_end))?;
        let mut times = Times::new(sources);
        let mut linked = BTreeSet::from([identity]);
        let mut waiting = vec![identity];
        while let Some(next) = waiting.pop() {
            for (number, source) in sources.all.iter().enumerate() {
                progress.check()?;
                for (row, own) in source.run.rows_linking(next)? {
                    if !sources.is_live(number, row, &mut times)? {
                        continue;
                    }
                    for other in own.into_iter().filter(|other| linked.insert(*other)) {
                        if self.is_person(other) {
                            return Ok(Some(other));
                        }
                        waiting.push(other);
                    }
                }
            }
        }
        Ok(None)
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
}
