//! Whose rows an export looks at, cut into chunks that are worked on in parallel.

use std::sync::Arc;

use gather::RowRef;
use merge::Fragment;
use xdm::{Class, PersonKey};

use crate::graph::Components;
use crate::sources::Sources;

/// About how many people a chunk holds.
const CHUNK_PEOPLE: usize = 4096;

/// The people that an export looks at.
pub(crate) enum People {
    /// Everybody in the store, each person a profile: cut into `2^bits` ranges of keys.
    All { bits: u32 },
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
    /// Everybody in the sources.
    pub(crate) fn all(sources: &Sources<'_>) -> Self {
        let most = sources
            .all
            .iter()
            .map(|source| source.run.persons())
            .sum::<usize>();
        let ranges = most.div_ceil(CHUNK_PEOPLE).next_power_of_two();
        Self::All {
            bits: ranges.trailing_zeros(),
        }
    }

    pub(crate) fn chunks(&self) -> usize {
        match self {
            Self::All { bits } => 1 << bits,
            Self::Keys(keys) => keys.len().div_ceil(CHUNK_PEOPLE),
            Self::Groups { numbers, .. } => numbers.len().div_ceil(CHUNK_PEOPLE),
        }
    }

    /// The rows of the people in a chunk.
    pub(crate) fn rows(&self, chunk: usize, sources: &Sources<'_>) -> PeopleRows {
        let mut builder = RowsBuilder {
            sources,
            rows: PeopleRows::default(),
            fragments: Vec::new(),
        };
        match self {
            Self::All { bits } => builder.add_range(chunk, *bits),
            Self::Keys(keys) => {
                let keys = keys.chunks(CHUNK_PEOPLE).nth(chunk).unwrap_or_default();
                builder.add_keys(keys);
            }
            Self::Groups {
                components,
                numbers,
            } => {
                for number in numbers.chunks(CHUNK_PEOPLE).nth(chunk).unwrap_or_default() {
                    for key in components.get(*number as usize) {
                        builder.add_person(*key);
                    }
                    builder.close();
                }
            }
        }
        builder.rows
    }
}

struct RowsBuilder<'a> {
    sources: &'a Sources<'a>,
    rows: PeopleRows,
    /// The fragments of the profile at hand.
    fragments: Vec<Fragment>,
}

impl RowsBuilder<'_> {
    /// Adds everybody whose key begins with these bits, by going through all sources side by side.
    fn add_range(&mut self, range: usize, bits: u32) {
        let sources = self.sources;
        let low = PersonKey(if bits == 0 {
            0
        } else {
            (range as u128) << (128 - bits)
        });
        let mut cursors: Vec<(usize, usize)> = sources
            .all
            .iter()
            .map(|source| {
                let end = match (range + 1) >> bits {
                    0 => source
                        .run
                        .lower_bound(PersonKey(((range + 1) as u128) << (128 - bits))),
                    _ => source.run.persons(),
                };
                (source.run.lower_bound(low), end)
            })
            .collect();
        let head = |source: usize, (at, end): (usize, usize)| {
            let run = sources.all.get(source)?.run;
            (at < end).then(|| run.person(at))
        };
        let mut heads: Vec<Option<PersonKey>> = cursors
            .iter()
            .enumerate()
            .map(|(source, cursor)| head(source, *cursor))
            .collect();
        while let Some(key) = heads.iter().flatten().min().copied() {
            let first = self.fragments.len();
            for (source, cursor) in cursors.iter_mut().enumerate() {
                let Some(slot) = heads.get_mut(source) else {
                    continue;
                };
                if *slot == Some(key) {
                    self.add(source, cursor.0, first);
                    cursor.0 += 1;
                    *slot = head(source, *cursor);
                }
            }
            self.close();
        }
    }

    /// Adds these persons, each a profile; the keys are sorted.
    fn add_keys(&mut self, keys: &[PersonKey]) {
        for key in keys {
            self.add_person(*key);
            self.close();
        }
    }

    fn add_person(&mut self, key: PersonKey) {
        let first = self.fragments.len();
        for (source, one) in self.sources.all.iter().enumerate() {
            if let Some(person) = one.run.find(key) {
                self.add(source, person, first);
            }
        }
    }

    /// Adds a person's rows of one source to the profile at hand. The person's own fragments are
    /// those from `first` on.
    fn add(&mut self, source: usize, person: usize, first: usize) {
        let Some(one) = self.sources.all.get(source) else {
            return;
        };
        let rows = one.run.rows_of(person);
        if one.run.class == Class::Event {
            if one.takes_events {
                self.rows.events.push(EventRange {
                    source: source as u32,
                    start: rows.start,
                    end: rows.end,
                });
            }
            return;
        }
        let Some(rank) = one.rank else {
            return;
        };
        let fragment = Fragment {
            at: RowRef::new(source as u32, rows.start),
            rank,
            updated: one.updated.get(rows.start),
            sequence: one.sequences.get(rows.start),
        };
        // A later record of the same dataset and identity replaces the whole earlier one.
        let own = self.fragments.get_mut(first..).unwrap_or_default();
        match own.iter_mut().find(|other| other.rank == rank) {
            None => self.fragments.push(fragment),
            Some(other) => {
                let age = |f: &Fragment| {
                    let ingested = self
                        .sources
                        .get(f.at.source)
                        .map(|s| s.ingested.get(f.at.row));
                    (ingested, f.sequence)
                };
                if age(&fragment) > age(other) {
                    *other = fragment;
                }
            }
        }
    }

    /// Ends the profile at hand.
    fn close(&mut self) {
        self.sources.precedence.sort(&mut self.fragments);
        self.rows
            .fragments
            .extend(self.fragments.drain(..).map(|fragment| fragment.at));
        self.rows
            .fragment_ends
            .push(self.rows.fragments.len() as u32);
        self.rows.event_ends.push(self.rows.events.len() as u32);
    }
}
