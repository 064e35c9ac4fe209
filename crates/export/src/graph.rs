//! The private identity graph: which persons are one.

use arrow::array::{Array, AsArray};
use merge::IdentityGraphType;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use xdm::PersonKey;

use crate::error::Result;
use crate::people::People;
use crate::plan::Plan;
use crate::shard::Shard;
use crate::sources::Sources;
use crate::times::Times;

/// Components of more identities are told: there it is likely that one device, test account or default value made
/// one person of many.
const LARGE: u32 = 50;
/// How many of them are named.
const MOST_NAMED: usize = 10;

/// What stands out in an identity graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GraphReport {
    /// How many profiles have more than 50 identities.
    pub large: u64,
    /// The largest of them, at the most ten.
    pub largest: Vec<LargeComponent>,
    /// How many profiles are left out, since they have more identities than [`Plan::max_identities`].
    pub left_out: u64,
}

/// A profile of many identities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LargeComponent {
    /// The namespace of one of the primary identities that are this profile.
    pub namespace: String,
    /// Its id.
    pub id: String,
    /// How many identities the profile has.
    pub identities: u32,
}

/// The identity graph of a snapshot.
pub(crate) struct Graph {
    components: Arc<Components>,
    most: Option<u32>,
    report: GraphReport,
    /// Persons with the number of their component, sorted by key.
    numbers: Vec<(PersonKey, u32)>,
}

impl Graph {
    /// The graph that a plan's policy needs, if it needs one.
    pub(crate) fn of(plan: &Plan, sources: &Sources) -> Result<Option<Self>> {
        if plan.policy.identity_graph.kind == IdentityGraphType::None {
            return Ok(None);
        }
        let components = components(sources)?;
        let mut numbers = Vec::with_capacity(components.members.len());
        for number in 0..components.len() {
            let members = components.get(number).iter();
            numbers.extend(members.map(|key| (*key, number)));
        }
        numbers.sort_unstable();
        Ok(Some(Self {
            report: report(&components, plan.max_identities, sources)?,
            components: Arc::new(components),
            most: plan.max_identities,
            numbers,
        }))
    }

    pub(crate) fn report(&self) -> &GraphReport {
        &self.report
    }

    /// All profiles of a shard.
    pub(crate) fn everybody(&self, shard: Shard) -> People {
        self.people((0..self.components.len()).collect(), shard)
    }

    /// The profiles of a shard that these persons belong to.
    pub(crate) fn of_keys(&self, keys: &[PersonKey], shard: Shard) -> People {
        let mut numbers: Vec<u32> = keys.iter().filter_map(|k| self.number_of(*k)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        self.people(numbers, shard)
    }

    fn people(&self, mut numbers: Vec<u32>, shard: Shard) -> People {
        numbers.retain(|number| {
            if self
                .most
                .is_some_and(|most| self.components.identities(*number) > most)
            {
                return false;
            }
            let least = self.components.get(*number).first();
            least.is_some_and(|least| shard.contains(*least))
        });
        People::Groups {
            components: Arc::clone(&self.components),
            numbers,
        }
    }

    fn number_of(&self, key: PersonKey) -> Option<u32> {
        let at = self
            .numbers
            .binary_search_by_key(&key, |(key, _)| *key)
            .ok()?;
        self.numbers.get(at).map(|(_, number)| *number)
    }
}

/// Persons grouped into profiles, in the order of each profile's least key.
pub(crate) struct Components {
    /// Where each component ends in `members`.
    ends: Vec<u32>,
    members: Vec<PersonKey>,
    /// How many identities each component links.
    identities: Vec<u32>,
}

impl Components {
    fn len(&self) -> u32 {
        self.ends.len() as u32
    }

    fn identities(&self, number: u32) -> u32 {
        self.identities[number as usize]
    }

    /// The persons of a component, by key.
    pub(crate) fn get(&self, number: u32) -> &[PersonKey] {
        let i = number as usize;
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.members[start as usize..self.ends[i] as usize]
    }
}

/// Finds the components of the graph that all live records make, of whatever dataset.
fn components(sources: &Sources) -> Result<Components> {
    let mut graph = UnionFind::default();
    let mut times = Times::new(sources);
    for (number, source) in sources.all.iter().enumerate() {
        let mut first_row = 0u32;
        for batch in 0..source.run.batch_count() as u32 {
            let lists = source.run.batch_links(batch)?;
            let keys = lists.values().as_fixed_size_binary();
            for (row, range) in lists.value_offsets().windows(2).enumerate() {
                let [start, end] = *range else { continue };
                if start == end || !sources.is_live(number, first_row + row as u32, &mut times)? {
                    continue;
                }
                let key = |i: i32| {
                    let mut bytes = [0; 16];
                    bytes.copy_from_slice(keys.value(i as usize));
                    u128::from_be_bytes(bytes)
                };
                let first = graph.node(key(start));
                for i in start + 1..end {
                    let other = graph.node(key(i));
                    graph.unite(first, other);
                }
            }
            first_row += lists.len() as u32;
        }
    }
    let mut persons: Vec<PersonKey> = sources
        .all
        .iter()
        .flat_map(|source| (0..source.run.persons()).map(|i| source.run.person(i)))
        .collect();
    persons.sort_unstable();
    persons.dedup();
    Ok(group(&persons, &mut graph))
}

/// Tells the large components by one of their persons.
fn report(components: &Components, most: Option<u32>, sources: &Sources) -> Result<GraphReport> {
    let all = 0..components.len();
    let mut large: Vec<(u32, u32)> = all
        .map(|number| (components.identities(number), number))
        .filter(|(identities, _)| *identities > LARGE)
        .collect();
    // The largest first, those of one size by their keys.
    large.sort_unstable_by_key(|(identities, number)| (Reverse(*identities), *number));
    let mut largest = Vec::new();
    for (identities, number) in large.iter().take(MOST_NAMED) {
        let least = components.get(*number).first();
        let found = least.and_then(|least| {
            let mut runs = sources.all.iter().map(|source| &source.run);
            runs.find_map(|run| Some((run, run.find(*least)?)))
        });
        if let Some((run, person)) = found {
            let (namespace, id) = run.identity(person)?;
            largest.push(LargeComponent {
                namespace: namespace.to_owned(),
                id: id.to_owned(),
                identities: *identities,
            });
        }
    }
    let is_left_out = |number: &u32| most.is_some_and(|most| components.identities(*number) > most);
    Ok(GraphReport {
        large: large.len() as u64,
        largest,
        left_out: (0..components.len()).filter(is_left_out).count() as u64,
    })
}

fn group(persons: &[PersonKey], graph: &mut UnionFind) -> Components {
    let mut sizes = vec![0u32; graph.parents.len()];
    for node in 0..graph.parents.len() as u32 {
        sizes[graph.root(node) as usize] += 1;
    }
    let mut identities = Vec::new();
    let mut numbers: HashMap<u32, u32> = HashMap::new();
    let mut count = 0;
    let component: Vec<u32> = persons
        .iter()
        .map(|person| {
            let next = count;
            let node = graph.nodes.get(&person.0).copied();
            let root = node.map(|node| graph.root(node));
            let number = root.map_or(next, |root| *numbers.entry(root).or_insert(next));
            if number == next {
                count += 1;
                // Who has no link has the primary identity alone.
                identities.push(root.map_or(1, |root| sizes[root as usize]));
            }
            number
        })
        .collect();
    // Counting sort: members of a component keep the order of their keys.
    let mut ends = vec![0u32; count as usize];
    for number in &component {
        if let Some(end) = ends.get_mut(*number as usize) {
            *end += 1;
        }
    }
    let mut total = 0;
    let mut next: Vec<u32> = ends
        .iter_mut()
        .map(|end| {
            let start = total;
            total += *end;
            *end = total;
            start
        })
        .collect();
    let mut members = vec![PersonKey(0); persons.len()];
    for (person, number) in persons.iter().zip(&component) {
        if let Some(at) = next.get_mut(*number as usize) {
            if let Some(slot) = members.get_mut(*at as usize) {
                *slot = *person;
            }
            *at += 1;
        }
    }
    Components {
        ends,
        members,
        identities,
    }
}

#[derive(Default)]
struct UnionFind {
    nodes: HashMap<u128, u32>,
    parents: Vec<u32>,
}

impl UnionFind {
    fn node(&mut self, key: u128) -> u32 {
        let next = self.parents.len() as u32;
        let node = *self.nodes.entry(key).or_insert(next);
        if node == next {
            self.parents.push(next);
        }
        node
    }

    fn root(&mut self, mut node: u32) -> u32 {
        while let Some(parent) = self.parents.get(node as usize).copied() {
            if parent == node {
                break;
            }
            // Halve the path, so that the next search is shorter.
            let above = self.parents.get(parent as usize).copied().unwrap_or(parent);
            if let Some(slot) = self.parents.get_mut(node as usize) {
                *slot = above;
            }
            node = above;
        }
        node
    }

    fn unite(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        if let Some(parent) = self.parents.get_mut(a.max(b) as usize) {
            *parent = a.min(b);
        }
    }
}
