//! Profiles by the identities that stand in their identity maps.

use arrow::array::RecordBatch;
use xdm::{Class, Identity, PersonKey};

use crate::chunks::unpack;
use crate::error::Result;
use crate::lookup::ProfileReader;
use crate::people::People;
use crate::shard::Shard;

impl ProfileReader {
    /// Persons of all profiles in whose identity map one of these identities stands, whatever the case of its namespace, in the
    /// order of their keys: whoever else the map belongs to, and whether the id tells somebody from others or not. There may
    /// be others among them; empty profiles are left out.
    ///
    /// # Errors
    /// A damaged run.
    pub fn persons_naming(&self, identities: &[Identity]) -> Result<Vec<PersonKey>> {
        let sources = self.pipeline().sources();
        let of_fragments = sources.all.iter().filter(|source| source.rank.is_some());
        let mut persons = Vec::new();
        for source in of_fragments {
            let run = &source.run;
            debug_assert_eq!(run.class, Class::Profile);
            for identity in identities {
                let key = PersonKey::of(&identity.namespace, &identity.id);
                let rows = run.rows_naming(key)?.into_iter();
                persons.extend(rows.map(|row| run.person(run.person_of_row(row))));
            }
        }
        persons.sort_unstable();
        persons.dedup();
        sources.check_whole()?;
        Ok(persons)
    }

    /// The rows of the profiles that these persons are, or are part of, with the schema of the plan, whose filters hold for
    /// them, but memberships. Persons are in the order of their keys.
    ///
    /// # Errors
    /// A damaged run.
    pub fn rows_of(&self, persons: &[PersonKey]) -> Result<Vec<RecordBatch>> {
        let pipeline = self.pipeline();
        let sources = pipeline.sources();
        let people = match self.export().graph() {
            None => People::of_keys(persons.to_vec(), sources, Shard::ALL),
            Some(graph) => graph.of_keys(persons, sources, Shard::ALL),
        };
        let schema = pipeline.plan().schema();
        let mut batches = Vec::new();
        for chunk in 0..people.chunks() {
            sources.begin_chunk();
            let rows = people.rows(chunk, sources)?;
            if rows.keys.is_empty() {
                continue;
            }
            let made = pipeline.rows(&rows, None, None, &|| false)?;
            for rows in made.rows {
                batches.push(unpack(&rows, &schema)?);
            }
        }
        sources.check_whole()?;
        Ok(batches)
    }
}
