//! Whose rows an export looks at, cut into chunks that are worked on in parallel.

use std::sync::Arc;

use gather::RowRef;
use merge::Fragment;
use xdm::{Class, PersonKey, Timestamp};

use crate::error::Result;
use crate::graph::Components;
use crate::shard::Shard;
use crate::sources::Sources;
use crate::times::Times;

/// About how many people a chunk holds.
const CHUNK_PEOPLE: usize = 4096;

/// The people that an export looks at.
pub(crate) enum People {
    /// Everybody in a shard, each person a profile: keys are cut into `2^bits` ranges.
    All { bits: u32, shard: Shard },
    /// These, in the order of their keys, each person a profile.
    Keys(Vec<PersonKey>),
    /// Persons grouped into profiles, and which of the groups are looked at.
    Groups {
        components: Arc<Components>,
        numbers: Vec<u32>,
    },
}

/// The rows of some profiles, before any filter but the merge policy's.
#[derive(Default)]
pub(crate) struct PeopleRows {
    /// Live fragments of datasets that take part, best first.
    pub(crate) fragments: Vec<RowRef>,
    pub(crate) fragment_ends: Vec<u32>,
    /// Ranges of event rows: one for each source and person.
    pub(crate) events: Vec<EventRange>,
    pub(crate) event_ends: Vec<u32>,
}

/// Consecutive events of one source.
#[derive(Clone, Copy)]
pub(crate) struct EventRange {
    pub(crate) source: u32,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl People {
    /// Everybody in a shard of the sources.
    pub(crate) fn everybody(sources: &Sources, shard: Shard) -> Self {
        let most = sources
            .all
            .iter()
            .map(|source| source.run.persons())
            .sum::<usize>();
        let ranges = most.div_ceil(CHUNK_PEOPLE).next_power_of_two();
        Self::All {
            bits: ranges.trailing_zeros(),
            shard,
        }
    }

    /// Those of these persons, sorted by key, that are in a shard.
    pub(crate) fn of_keys(mut keys: Vec<PersonKey>, shard: Shard) -> Self {
        keys.retain(|key| shard.contains(*key));
        Self::Keys(keys)
    }

    pub(crate) fn chunks(&self) -> usize {
        match self {
            Self::All { bits, shard } => {
                (prefix(shard.last, *bits) - prefix(shard.first, *bits)) as usize + 1
            }
            Self::Keys(keys) => keys.len().div_ceil(CHUNK_PEOPLE),
            Self::Groups { numbers, .. } => numbers.len().div_ceil(CHUNK_PEOPLE),
        }
    }

    /// The rows of the people in a chunk.
    pub(crate) fn rows(&self, chunk: usize, sources: &Sources) -> Result<PeopleRows> {
        let mut builder = RowsBuilder {
            sources,
            times: Times::new(sources),
            rows: PeopleRows::default(),
            fragments: Vec::new(),
        };
        match self {
            Self::All { bits, shard } => {
                let number = prefix(shard.first, *bits) + chunk as u128;
                let range = range_of(number, *bits);
                builder.add_range(Shard {
                    first: range.first.max(shard.first),
                    last: range.last.min(shard.last),
                })?;
            }
            Self::Keys(keys) => {
                for key in part(keys, chunk) {
                    builder.add_person(*key)?;
                    builder.close()?;
                }
            }
            Self::Groups {
                components,
                numbers,
            } => {
                for number in part(numbers, chunk) {
                    for key in components.get(*number) {
                        builder.add_person(*key)?;
                    }
                    builder.close()?;
                }
            }
        }
        Ok(builder.rows)
    }
}

struct RowsBuilder<'a> {
    sources: &'a Sources,
    times: Times<'a>,
    rows: PeopleRows,
    /// The fragments of the profile at hand.
    fragments: Vec<Fragment>,
}

impl RowsBuilder<'_> {
    /// Adds everybody in a range of keys, by going through all sources side by side.
    fn add_range(&mut self, range: Shard) -> Result<()> {
        let sources = self.sources;
        let mut cursors: Vec<(usize, usize)> = sources
            .all
            .iter()
            .map(|source| {
                let run = &source.run;
                let end = match range.last.0.checked_add(1) {
                    Some(behind) => run.lower_bound(PersonKey(behind)),
                    None => run.persons(),
                };
                (run.lower_bound(range.first), end)
            })
            .collect();
        let head = |source: usize, (at, end): (usize, usize)| {
            (at < end).then(|| sources.all[source].run.person(at))
        };
        let mut heads: Vec<Option<PersonKey>> = cursors
            .iter()
            .enumerate()
            .map(|(source, cursor)| head(source, *cursor))
            .collect();
        while let Some(key) = heads.iter().flatten().min().copied() {
            let first = self.fragments.len();
            for (source, (cursor, slot)) in cursors.iter_mut().zip(&mut heads).enumerate() {
                if *slot == Some(key) {
                    self.add(source, cursor.0, first)?;
                    cursor.0 += 1;
                    *slot = head(source, *cursor);
                }
            }
            self.close()?;
        }
        Ok(())
    }

    fn add_person(&mut self, key: PersonKey) -> Result<()> {
        let first = self.fragments.len();
        for (source, one) in self.sources.all.iter().enumerate() {
            if let Some(person) = one.run.find(key) {
                self.add(source, person, first)?;
            }
        }
        Ok(())
    }

    /// Adds a person's rows of one source to the profile at hand. The person's own fragments are
    /// those from `first` on.
    fn add(&mut self, source: usize, person: usize, first: usize) -> Result<()> {
        let one = &self.sources.all[source];
        let rows = one.run.rows_of(person);
        if one.run.class == Class::Event {
            if one.takes_events {
                self.rows.events.push(EventRange {
                    source: source as u32,
                    start: rows.start,
                    end: rows.end,
                });
            }
            return Ok(());
        }
        let Some(rank) = one.rank else {
            return Ok(());
        };
        let fragment = Fragment {
            at: RowRef::new(source as u32, rows.start),
            rank,
            // What decides between it and others is read where there are others.
            updated: Timestamp::default(),
            sequence: 0,
        };
        // A later record of the same dataset and identity replaces the whole earlier one.
        let own = &mut self.fragments[first..];
        match own.iter_mut().find(|other| other.rank == rank) {
            None => self.fragments.push(fragment),
            Some(other) => {
                if self.times.recency(fragment.at)? > self.times.recency(other.at)? {
                    *other = fragment;
                }
            }
        }
        Ok(())
    }

    /// Ends the profile at hand.
    fn close(&mut self) -> Result<()> {
        if self.fragments.len() > 1 {
            for fragment in &mut self.fragments {
                fragment.updated = self.times.updated(fragment.at)?;
                fragment.sequence = self.times.recency(fragment.at)?.sequence;
            }
            self.sources.precedence.sort(&mut self.fragments);
        }
        self.rows
            .fragments
            .extend(self.fragments.drain(..).map(|fragment| fragment.at));
        self.rows
            .fragment_ends
            .push(self.rows.fragments.len() as u32);
        self.rows.event_ends.push(self.rows.events.len() as u32);
        Ok(())
    }
}

/// What a chunk has of a list.
fn part<T>(list: &[T], chunk: usize) -> &[T] {
    let start = chunk * CHUNK_PEOPLE;
    &list[start..(start + CHUNK_PEOPLE).min(list.len())]
}

/// The first bits of a key, as a number.
fn prefix(key: PersonKey, bits: u32) -> u128 {
    key.0.checked_shr(128 - bits).unwrap_or(0)
}

/// The keys that begin with these bits.
fn range_of(prefix: u128, bits: u32) -> Shard {
    let first = prefix.checked_shl(128 - bits).unwrap_or(0);
    let width = u128::MAX.checked_shr(bits).unwrap_or(0);
    Shard {
        first: PersonKey(first),
        last: PersonKey(first | width),
    }
}
