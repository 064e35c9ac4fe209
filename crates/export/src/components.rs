//! The components of the identity graph that are more than one person, and those of many identities.
//!
//! Most persons of most stores are a profile by themselves, whatever identities their records link: only identities
//! that records of different persons link join profiles. So the links are sorted by identity, and what stands
//! together there makes the graph; the rest is never looked at again.

use std::collections::{HashMap, HashSet};

use decode::Progress;
use rayon::prelude::*;
use run::partition_point_near;
use xdm::PersonKey;

use crate::error::Result;
use crate::graph::LARGE;
use crate::links::{Link, Links};
use crate::sources::{Source, Sources};
use crate::times::Times;
use crate::union_find::UnionFind;

/// Persons that are one profile, and profiles that are left out.
pub(crate) struct Components {
    /// The persons of components of several, with the number of their component, by key.
    numbers: Vec<(PersonKey, u32)>,
    /// Those components, in the order of their least keys: their persons, by key, and how many identities they link.
    joined: Vec<(Vec<PersonKey>, u32)>,
    /// Persons that are alone and link many identities, by key, and how many.
    large: Vec<(PersonKey, u32)>,
    most: Option<u32>,
}

/// The profile that a person belongs to.
pub(crate) enum Profile<'a> {
    /// The person alone.
    Alone,
    /// These, by key.
    Joined(&'a [PersonKey]),
    /// One of too many identities.
    LeftOut,
}

impl Components {
    /// The components of the graph that all live records make, of whatever dataset. Those of more than `most`
    /// identities are left out.
    pub(crate) fn of(sources: &Sources, most: Option<u32>, progress: &Progress) -> Result<Self> {
        let links = Links::of(sources, progress)?;
        let is_live = |link: &Link, times: &mut Times<'_>| {
            progress.check()?;
            sources.is_live(link.source as usize, link.row, times)
        };
        let mut graph = joining(&links, sources, &is_live)?;
        // What else the persons of the graph link counts for their number of identities.
        let mut times = Times::new(sources);
        if !graph.nodes.is_empty() {
            for link in &links.sorted {
                if graph.nodes.contains_key(&link.by) && is_live(link, &mut times)? {
                    graph.join(link.by, link.identity);
                }
            }
        }
        progress.check()?;
        let mut large =
            many_identities(&links, &graph, most.unwrap_or(LARGE).min(LARGE), |link| {
                is_live(link, &mut times)
            })?;
        progress.check()?;
        large.sort_unstable();
        retain_persons(&mut large, sources);
        if most == Some(0) {
            add_the_rest(&mut large, &graph, sources);
        }
        let joined = joined(&mut graph, sources, &mut large);
        let numbers = (0..).zip(&joined);
        let numbers = numbers
            .flat_map(|(number, (persons, _))| persons.iter().map(move |key| (*key, number)));
        let mut numbers: Vec<(PersonKey, u32)> = numbers.collect();
        numbers.sort_unstable();
        Ok(Self {
            numbers,
            joined,
            large,
            most,
        })
    }

    /// Whether some profiles are more than one person.
    pub(crate) fn has_joined(&self) -> bool {
        !self.joined.is_empty()
    }

    /// How many identities the profiles have that are told here, and the least key of each: all of several persons,
    /// and those of many identities.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (u32, PersonKey)> + '_ {
        let joined = self.joined.iter();
        let joined =
            joined.filter_map(|(persons, identities)| Some((*identities, *persons.first()?)));
        joined.chain(
            self.large
                .iter()
                .map(|(key, identities)| (*identities, *key)),
        )
    }

    /// How many profiles are left out.
    pub(crate) fn left_out(&self) -> u64 {
        self.sizes()
            .filter(|(identities, _)| self.is_too_many(*identities))
            .count() as u64
    }

    fn is_too_many(&self, identities: u32) -> bool {
        self.most.is_some_and(|most| identities > most)
    }

    /// The profile that a person belongs to.
    pub(crate) fn profile(&self, key: PersonKey) -> Profile<'_> {
        if let Ok(at) = self.numbers.binary_search_by_key(&key, |(key, _)| *key) {
            let (persons, identities) = &self.joined[self.numbers[at].1 as usize];
            return match self.is_too_many(*identities) {
                true => Profile::LeftOut,
                false => Profile::Joined(persons),
            };
        }
        match self.large.binary_search_by_key(&key, |(key, _)| *key) {
            Ok(at) if self.is_too_many(self.large[at].1) => Profile::LeftOut,
            _ => Profile::Alone,
        }
    }

    /// The components of several persons whose least keys are in a range.
    pub(crate) fn in_range(
        &self,
        first: PersonKey,
        last: PersonKey,
    ) -> impl Iterator<Item = &[PersonKey]> {
        let least = |component: &(Vec<PersonKey>, u32)| component.0.first().copied();
        let start = self.joined.partition_point(|c| least(c) < Some(first));
        let end = self.joined.partition_point(|c| least(c) <= Some(last));
        let found = self.joined[start..end.max(start)].iter();
        found
            .filter(|(_, identities)| !self.is_too_many(*identities))
            .map(|(persons, _)| persons.as_slice())
    }
}

/// The identities that join persons, united with those persons.
fn joining(
    links: &Links,
    sources: &Sources,
    is_live: &dyn Fn(&Link, &mut Times<'_>) -> Result<bool>,
) -> Result<UnionFind> {
    let identities = links.sorted.iter().map(|link| link.identity);
    let mut identities: Vec<PersonKey> = identities.collect();
    identities.dedup();
    // An identity that is a person itself, or by which another record links, joins whoever links it to that.
    let mut ends = persons_among(sources, &identities);
    ends.extend(
        links
            .odd
            .iter()
            .filter(|key| identities.binary_search(key).is_ok()),
    );
    ends.sort_unstable();
    let of_identity: Vec<&[Link]> = links
        .sorted
        .chunk_by(|a, b| a.identity == b.identity)
        .collect();
    let groups: Vec<&[Link]> = of_identity
        .into_par_iter()
        .filter(|group| {
            let [first, rest @ ..] = group else {
                return false;
            };
            rest.iter().any(|link| link.by != first.by)
                || ends.binary_search(&first.identity).is_ok()
        })
        .collect();
    let mut graph = UnionFind::default();
    let mut times = Times::new(sources);
    for link in groups.into_iter().flatten() {
        if is_live(link, &mut times)? {
            graph.join(link.identity, link.by);
        }
    }
    Ok(graph)
}

/// Who links so many identities or more, beside their own, and is not in the graph; with the number of all.
fn many_identities(
    links: &Links,
    graph: &UnionFind,
    many: u32,
    mut is_live: impl FnMut(&Link) -> Result<bool>,
) -> Result<Vec<(PersonKey, u32)>> {
    // Links are counted by the first bits of who links: where there are few, nobody has many.
    let bits = links
        .sorted
        .len()
        .next_power_of_two()
        .trailing_zeros()
        .clamp(1, 24);
    let bucket = |key: PersonKey| (key.0 >> (128 - bits)) as usize;
    let mut counts = vec![0u32; 1 << bits];
    for link in &links.sorted {
        counts[bucket(link.by)] += 1;
    }
    let mut by_key: HashMap<PersonKey, Vec<PersonKey>> = HashMap::new();
    for link in &links.sorted {
        let may_be = counts[bucket(link.by)] >= many && !graph.nodes.contains_key(&link.by);
        if may_be && is_live(link)? {
            by_key.entry(link.by).or_default().push(link.identity);
        }
    }
    let counted = by_key.into_iter().map(|(key, mut identities)| {
        // Those of one identity stand together.
        identities.dedup();
        (key, identities.len() as u32 + 1)
    });
    Ok(counted
        .filter(|(_, identities)| *identities > many)
        .collect())
}

/// The components of the graph that are several persons; those that are one go to the others that are alone.
fn joined(
    graph: &mut UnionFind,
    sources: &Sources,
    alone: &mut Vec<(PersonKey, u32)>,
) -> Vec<(Vec<PersonKey>, u32)> {
    let mut keys: Vec<PersonKey> = graph.nodes.keys().copied().collect();
    keys.sort_unstable();
    let mut sizes: HashMap<u32, u32> = HashMap::new();
    for key in &keys {
        let root = graph.root_of(*key);
        *sizes.entry(root).or_default() += 1;
    }
    let mut components: HashMap<u32, Vec<PersonKey>> = HashMap::new();
    for key in persons_among(sources, &keys) {
        components.entry(graph.root_of(key)).or_default().push(key);
    }
    let mut joined = Vec::new();
    for (root, persons) in components {
        match &persons[..] {
            [one] => alone.push((*one, sizes[&root])),
            _ => joined.push((persons, sizes[&root])),
        }
    }
    alone.sort_unstable();
    joined.sort_unstable_by_key(|(persons, _)| persons.first().copied());
    joined
}

/// Adds the persons that link nothing: they have one identity, their own.
fn add_the_rest(alone: &mut Vec<(PersonKey, u32)>, graph: &UnionFind, sources: &Sources) {
    let persons = sources.of_data().map(|source| &source.run);
    let persons = persons.flat_map(|run| (0..run.persons()).map(|i| run.person(i)));
    let known: HashSet<PersonKey> = alone.iter().map(|(key, _)| *key).collect();
    let mut rest: Vec<(PersonKey, u32)> = persons
        .filter(|key| !known.contains(key) && !graph.nodes.contains_key(key))
        .map(|key| (key, 1))
        .collect();
    rest.sort_unstable();
    rest.dedup();
    alone.extend(rest);
}

fn retain_persons(keys: &mut Vec<(PersonKey, u32)>, sources: &Sources) {
    let sorted: Vec<PersonKey> = keys.iter().map(|(key, _)| *key).collect();
    let persons = persons_among(sources, &sorted);
    keys.retain(|(key, _)| persons.binary_search(key).is_ok());
}

/// Which of some sorted keys have records of their own, sorted.
fn persons_among(sources: &Sources, keys: &[PersonKey]) -> Vec<PersonKey> {
    let of_data: Vec<&Source> = sources.of_data().collect();
    let found = of_data.into_par_iter().map(|source| {
        let run = &source.run;
        let mut found = Vec::new();
        // Through the shorter of the two, and by search through the other.
        if keys.len() < run.persons() {
            found.extend(run.find_all(keys).map(|(key, _)| key));
        } else {
            let mut rest = keys;
            for person in 0..run.persons() {
                let key = run.person(person);
                rest = &rest[partition_point_near(rest, |found| *found < key)..];
                if rest.first() == Some(&key) {
                    found.push(key);
                }
            }
        }
        found
    });
    let mut found: Vec<PersonKey> = found.flatten_iter().collect();
    found.par_sort_unstable();
    found.dedup();
    found
}
