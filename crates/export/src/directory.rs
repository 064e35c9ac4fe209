//! The rows of everybody, looked up once for all batches of an export.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, TryLockError};

use decode::Progress;
use rayon::prelude::*;
use run::partition_point_near;
use xdm::PersonKey;

use crate::error::Result;
use crate::people::{People, PeopleRows};
use crate::sources::Sources;

/// The most persons of all runs together: each takes some 40 bytes in a directory.
const MOST: usize = 4 << 20;
/// A directory is made once this part of as many people were looked up one by one as all runs have persons: an export of
/// small segments does better without.
const PART: usize = 4;

/// Everybody in a store, in the order of their keys.
pub(crate) struct Directory(PeopleRows);

impl Directory {
    fn of(everybody: &People, sources: &Sources, progress: &Progress) -> Result<Self> {
        let chunks = 0..everybody.chunks();
        let parts = chunks.into_par_iter().map(|chunk| {
            if progress.is_cancelled() {
                return Err(decode::Error::Cancelled.into());
            }
            sources.begin_chunk();
            everybody.rows(chunk, sources)
        });
        let parts: Vec<PeopleRows> = parts.collect::<Result<_>>()?;
        let mut all = PeopleRows::with_room_for(&parts);
        for part in parts {
            for (key, profile) in std::iter::zip(&part.keys, part.profiles()) {
                all.push(*key, &profile);
            }
        }
        Ok(Self(all))
    }

    /// The places of these keys, which are sorted; who has no profile has none.
    pub(crate) fn places(&self, keys: &[PersonKey]) -> Vec<u32> {
        let all = &self.0.keys[..];
        let mut start = 0;
        let mut places = Vec::with_capacity(keys.len());
        for key in keys {
            start += partition_point_near(&all[start..], |other| other < key);
            if all.get(start) == Some(key) {
                places.push(start as u32);
            }
        }
        places
    }

    /// The rows of the people at some places.
    pub(crate) fn rows(&self, places: &[u32]) -> PeopleRows {
        let mut rows = PeopleRows::default();
        for place in places {
            let place = *place as usize;
            rows.push(self.0.keys[place], &self.0.profile(place));
        }
        rows
    }
}

/// The directory of an export, once it is worth its making.
#[derive(Default)]
pub(crate) struct Lookups {
    /// How many people were looked up without it.
    looked_up: AtomicUsize,
    directory: OnceLock<Arc<Directory>>,
    /// Held by whoever makes it.
    making: Mutex<()>,
}

impl Lookups {
    /// Counts people who are looked up; the directory, where so many were that it is worth it, or it is there. Who finds
    /// another one at its making looks people up without it, and waits for nobody.
    ///
    /// # Errors
    /// A damaged run; it was cancelled.
    pub(crate) fn count(
        &self,
        people: usize,
        everybody: impl FnOnce() -> People,
        sources: &Sources,
        progress: &Progress,
    ) -> Result<Option<Arc<Directory>>> {
        if let Some(directory) = self.directory.get() {
            return Ok(Some(Arc::clone(directory)));
        }
        let looked_up = self.looked_up.fetch_add(people, Ordering::Relaxed) + people;
        let persons: usize = sources.all.iter().map(|source| source.run.persons()).sum();
        if persons > MOST || looked_up < persons / PART {
            return Ok(None);
        }
        let _making = match self.making.try_lock() {
            Ok(making) => making,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(None),
        };
        if self.directory.get().is_none() {
            let directory = Directory::of(&everybody(), sources, progress)?;
            let _ = self.directory.set(Arc::new(directory));
        }
        Ok(self.directory.get().cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gather::RowRef;

    #[test]
    fn people_are_found_at_their_places() {
        let mut rows = PeopleRows::default();
        let has = |n: u128| n.is_multiple_of(3) || n.is_multiple_of(7);
        for n in (0..500).filter(|n| has(*n)) {
            let fragments = vec![RowRef::new(0, n as u32); (n % 3) as usize];
            let profile = crate::people::ProfileRows {
                fragments: &fragments,
                evaluated: &[],
                events: &[],
            };
            rows.push(PersonKey(n), &profile);
        }
        let directory = Directory(rows);
        for step in [1, 2, 5, 60, 499] {
            let keys: Vec<PersonKey> = (0..600).step_by(step).map(PersonKey).collect();
            let found = directory.rows(&directory.places(&keys));
            let listed = keys.iter().filter(|key| key.0 < 500 && has(key.0));
            assert!(found.keys.iter().eq(listed), "step {step}");
            for (key, profile) in std::iter::zip(&found.keys, found.profiles()) {
                assert_eq!(profile.fragments.len() as u128, key.0 % 3);
                assert!(
                    profile
                        .fragments
                        .iter()
                        .all(|at| u128::from(at.row) == key.0)
                );
            }
        }
        assert!(
            Directory(PeopleRows::default())
                .places(&[PersonKey(1)])
                .is_empty()
        );
    }
}
