//! Whose rows an export looks at, cut into chunks that are worked on in parallel.

use std::cmp::Reverse;
use std::sync::Arc;

use gather::RowRef;
use merge::Fragment;
use xdm::{Class, PersonKey, Timestamp};

use crate::components::{Components, Profile};
use crate::directory::Directory;
use crate::error::Result;
use crate::shard::Shard;
use crate::sources::Sources;
use crate::times::Times;

/// About how many people a chunk holds.
const CHUNK_PEOPLE: usize = 4096;
/// The same where few of those of a store are looked at: they are far from each other, so each has its own part of
/// what is read for them.
const FEW_PEOPLE: usize = 1024;

/// The rank of fragments of evaluated memberships, which compete with each other alone.
const EVALUATED: u32 = u32::MAX;

/// Which profiles those are, by the least keys of each.
enum Wanted {
    /// Everybody in a shard: keys are cut into `2^bits` ranges.
    All { bits: u32, shard: Shard },
    /// These, in the order of their keys, so many in a chunk.
    Keys { keys: Vec<PersonKey>, step: usize },
    /// Those that stand at these places of a directory, so many in a chunk.
    Listed {
        directory: Arc<Directory>,
        places: Vec<u32>,
        step: usize,
    },
}

/// The people that an export looks at. Each person is a profile, or part of one by the identity graph.
pub(crate) struct People {
    wanted: Wanted,
    components: Option<Arc<Components>>,
}

/// The rows of some profiles, before any filter but the merge policy's.
#[derive(Default)]
pub(crate) struct PeopleRows {
    /// The least key of each.
    pub(crate) keys: Vec<PersonKey>,
    /// Live fragments of datasets that take part, best first.
    pub(crate) fragments: Vec<RowRef>,
    pub(crate) fragment_ends: Vec<u32>,
    /// Live fragments of evaluated memberships, the latest first; of one time that of the least key.
    pub(crate) evaluated: Vec<RowRef>,
    pub(crate) evaluated_ends: Vec<u32>,
    /// Ranges of event rows: one for each source and person.
    pub(crate) events: Vec<EventRange>,
    pub(crate) event_ends: Vec<u32>,
}

/// The rows of one profile, as [`PeopleRows`] has those of many.
#[derive(Clone, Copy)]
pub(crate) struct ProfileRows<'a> {
    pub(crate) fragments: &'a [RowRef],
    pub(crate) evaluated: &'a [RowRef],
    pub(crate) events: &'a [EventRange],
}

impl PeopleRows {
    /// None yet, with room for all that these have.
    pub(crate) fn with_room_for(parts: &[Self]) -> Self {
        let sum = |length: fn(&Self) -> usize| parts.iter().map(length).sum();
        let people: usize = sum(|part| part.keys.len());
        Self {
            keys: Vec::with_capacity(people),
            fragments: Vec::with_capacity(sum(|part| part.fragments.len())),
            fragment_ends: Vec::with_capacity(people),
            evaluated: Vec::with_capacity(sum(|part| part.evaluated.len())),
            evaluated_ends: Vec::with_capacity(people),
            events: Vec::with_capacity(sum(|part| part.events.len())),
            event_ends: Vec::with_capacity(people),
        }
    }

    /// Adds the rows of a profile.
    pub(crate) fn push(&mut self, key: PersonKey, profile: &ProfileRows<'_>) {
        self.fragments.extend(profile.fragments);
        self.evaluated.extend(profile.evaluated);
        self.events.extend(profile.events);
        self.end(key);
    }

    /// Ends the profile whose rows were added.
    fn end(&mut self, key: PersonKey) {
        self.keys.push(key);
        self.fragment_ends.push(self.fragments.len() as u32);
        self.evaluated_ends.push(self.evaluated.len() as u32);
        self.event_ends.push(self.events.len() as u32);
    }

    /// The profile at a place.
    pub(crate) fn profile(&self, place: usize) -> ProfileRows<'_> {
        let range = |ends: &[u32]| {
            let start = place.checked_sub(1).map_or(0, |before| ends[before]);
            start as usize..ends[place] as usize
        };
        ProfileRows {
            fragments: &self.fragments[range(&self.fragment_ends)],
            evaluated: &self.evaluated[range(&self.evaluated_ends)],
            events: &self.events[range(&self.event_ends)],
        }
    }

    /// One profile after the other.
    pub(crate) fn profiles(&self) -> impl Iterator<Item = ProfileRows<'_>> {
        (0..self.keys.len()).map(|place| self.profile(place))
    }
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
        Self::each(Wanted::All {
            bits: ranges.trailing_zeros(),
            shard,
        })
    }

    pub(crate) fn nobody() -> Self {
        Self::each(Wanted::Keys {
            keys: Vec::new(),
            step: FEW_PEOPLE,
        })
    }

    fn each(wanted: Wanted) -> Self {
        Self {
            wanted,
            components: None,
        }
    }

    /// The same where profiles are several persons; keys are the least of each.
    pub(crate) fn joined(self, components: &Arc<Components>) -> Self {
        Self {
            components: Some(Arc::clone(components)),
            ..self
        }
    }

    /// Those of these persons, sorted by key, that are in a shard.
    pub(crate) fn of_keys(mut keys: Vec<PersonKey>, sources: &Sources, shard: Shard) -> Self {
        let all: usize = sources.all.iter().map(|source| source.run.persons()).sum();
        let step = match keys.len() < all / 8 {
            true => FEW_PEOPLE,
            false => CHUNK_PEOPLE,
        };
        keys.retain(|key| shard.contains(*key));
        Self::each(Wanted::Keys { keys, step })
    }

    /// The same where rows are listed already: those of these people that are.
    pub(crate) fn listed(self, directory: &Arc<Directory>) -> Self {
        let Wanted::Keys { keys, step } = self.wanted else {
            return self;
        };
        Self {
            wanted: Wanted::Listed {
                places: directory.places(&keys),
                directory: Arc::clone(directory),
                step,
            },
            ..self
        }
    }

    /// How many there are, where they are known.
    pub(crate) fn known(&self) -> Option<usize> {
        match &self.wanted {
            Wanted::All { .. } => None,
            Wanted::Keys { keys, .. } => Some(keys.len()),
            Wanted::Listed { places, .. } => Some(places.len()),
        }
    }

    pub(crate) fn chunks(&self) -> usize {
        match &self.wanted {
            Wanted::All { bits, shard } => {
                (prefix(shard.last, *bits) - prefix(shard.first, *bits)) as usize + 1
            }
            Wanted::Keys { keys, step } => keys.len().div_ceil(*step),
            Wanted::Listed { places, step, .. } => places.len().div_ceil(*step),
        }
    }

    /// The rows of the people in a chunk.
    pub(crate) fn rows(&self, chunk: usize, sources: &Sources) -> Result<PeopleRows> {
        let mut builder = RowsBuilder {
            sources,
            components: self.components.as_deref(),
            times: Times::new(sources),
            rows: PeopleRows::default(),
            fragments: Vec::new(),
        };
        match &self.wanted {
            Wanted::All { bits, shard } => {
                let number = prefix(shard.first, *bits) + chunk as u128;
                let range = range_of(number, *bits);
                builder.add_range(Shard {
                    first: range.first.max(shard.first),
                    last: range.last.min(shard.last),
                })?;
            }
            Wanted::Keys { keys, step } => {
                let start = chunk * step;
                builder.add_keys(&keys[start..(start + step).min(keys.len())])?;
            }
            Wanted::Listed {
                directory,
                places,
                step,
            } => {
                let start = chunk * step;
                let places = &places[start..(start + step).min(places.len())];
                return Ok(directory.rows(places));
            }
        }
        Ok(builder.rows)
    }
}

/// Persons: the key of each, its source and its number there.
type Persons = Vec<(PersonKey, u32, u32)>;

struct RowsBuilder<'a> {
    sources: &'a Sources,
    components: Option<&'a Components>,
    times: Times<'a>,
    rows: PeopleRows,
    /// The fragments of the profile at hand.
    fragments: Vec<Fragment>,
}

impl<'a> RowsBuilder<'a> {
    /// Adds everybody in a range of keys.
    fn add_range(&mut self, range: Shard) -> Result<()> {
        let mut persons = Persons::new();
        // What has no part in profiles was read for the identity graph alone.
        let sources = (0..).zip(&self.sources.all);
        let sources = sources.filter(|(_, one)| self.components.is_none() || one.takes_part());
        for (source, one) in sources {
            let run = &one.run;
            let end = match range.last.0.checked_add(1) {
                Some(behind) => run.lower_bound(PersonKey(behind)),
                None => run.persons(),
            };
            let own = run.lower_bound(range.first)..end;
            persons.extend(own.map(|person| (run.person(person), source, person as u32)));
        }
        let components = self.components.into_iter();
        let joined = components.flat_map(|c| c.in_range(range.first, range.last));
        self.add_all(persons, joined)
    }

    /// Adds the profiles of these least keys.
    fn add_keys(&mut self, keys: &[PersonKey]) -> Result<()> {
        let mut persons = Persons::new();
        for (source, one) in (0..).zip(&self.sources.all) {
            let found = one.run.find_all(keys);
            persons.extend(found.map(|(key, person)| (key, source, person as u32)));
        }
        let joined = keys.iter().filter_map(|key| match self.profile(*key) {
            Profile::Joined(of_profile) => Some(of_profile),
            Profile::Alone | Profile::LeftOut => None,
        });
        let joined: Vec<&[PersonKey]> = joined.collect();
        self.add_all(persons, joined.into_iter())
    }

    /// Adds those of these persons that are profiles by themselves, and these profiles of several persons, in the
    /// order of their least keys.
    fn add_all<'p>(
        &mut self,
        mut persons: Persons,
        joined: impl Iterator<Item = &'p [PersonKey]>,
    ) -> Result<()> {
        let mut joined = joined.peekable();
        // A stable sort merges what is sorted already.
        persons.sort_by_key(|(key, ..)| *key);
        for of_person in persons.chunk_by(|a, b| a.0 == b.0) {
            let key = of_person.first().map(|(key, ..)| *key);
            while let Some(profile) = joined.next_if(|profile| profile.first().copied() <= key) {
                self.add_profile(profile)?;
            }
            let Some(key) = key.filter(|key| matches!(self.profile(*key), Profile::Alone)) else {
                continue;
            };
            let first = self.fragments.len();
            for (_, source, person) in of_person {
                self.add(*source as usize, *person as usize, first)?;
            }
            self.close(key)?;
        }
        for profile in joined {
            self.add_profile(profile)?;
        }
        Ok(())
    }

    /// The profile that a person belongs to.
    fn profile(&self, key: PersonKey) -> Profile<'a> {
        let components = self.components;
        components.map_or(Profile::Alone, |components| components.profile(key))
    }

    /// Adds a profile of these persons, in the order of their keys.
    fn add_profile(&mut self, persons: &[PersonKey]) -> Result<()> {
        let Some(least) = persons.first() else {
            unreachable!("a profile of nobody");
        };
        for key in persons {
            self.add_person(*key)?;
        }
        self.close(*least)
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
        let rank = match one.rank {
            _ if one.is_evaluated() => EVALUATED,
            Some(rank) => rank,
            None => return Ok(()),
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

    /// Ends the profile at hand, whose least key this is.
    fn close(&mut self, key: PersonKey) -> Result<()> {
        self.fragments.sort_by_key(|one| one.rank == EVALUATED);
        let own = self.fragments.partition_point(|one| one.rank != EVALUATED);
        let (fragments, evaluated) = self.fragments.split_at_mut(own);
        if fragments.len() > 1 {
            for fragment in &mut *fragments {
                fragment.updated = self.times.updated(fragment.at)?;
                fragment.sequence = self.times.recency(fragment.at)?.sequence;
            }
            self.sources.precedence.sort(fragments);
        }
        if evaluated.len() > 1 {
            for fragment in &mut *evaluated {
                fragment.updated = self.times.updated(fragment.at)?;
            }
            // One evaluation writes all of its fragments at one time, in an order that its threads made: of these that of
            // the least key is first, as they came.
            evaluated.sort_by_key(|one| Reverse(one.updated));
        }
        let rows = &mut self.rows;
        rows.fragments.extend(fragments.iter().map(|one| one.at));
        rows.evaluated.extend(evaluated.iter().map(|one| one.at));
        rows.end(key);
        self.fragments.clear();
        Ok(())
    }
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
