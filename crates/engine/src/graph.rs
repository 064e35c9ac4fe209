//! The private identity graph: which persons are one.

use arrow::array::{Array, AsArray};
use std::collections::HashMap;
use xdm::{Class, PersonKey};

use crate::error::Result;
use crate::sources::{Source, Sources};

/// Persons grouped into profiles, in the order of each profile's least key.
pub(crate) struct Components {
    /// Where each component ends in `members`.
    pub(crate) ends: Vec<u32>,
    pub(crate) members: Vec<PersonKey>,
}

impl Components {
    pub(crate) fn get(&self, i: usize) -> &[PersonKey] {
        let end = |i: usize| self.ends.get(i).map_or(0, |end| *end as usize);
        let start = if i == 0 { 0 } else { end(i - 1) };
        self.members.get(start..end(i)).unwrap_or_default()
    }
}

/// Finds the components of the graph that all live records make, of whatever dataset.
pub(crate) fn components(sources: &Sources<'_>) -> Result<Components> {
    let mut graph = UnionFind::default();
    for (number, source) in sources.all.iter().enumerate() {
        let mut first_row = 0u32;
        for batch in source.run.links()?.batches.iter().flatten() {
            let lists = batch.as_list::<i32>();
            let keys = lists.values().as_fixed_size_binary();
            for (row, range) in lists.value_offsets().windows(2).enumerate() {
                let [start, end] = *range else { continue };
                if start == end || !is_live(sources, number, first_row + row as u32) {
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
            first_row += batch.len() as u32;
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

fn group(persons: &[PersonKey], graph: &mut UnionFind) -> Components {
    let mut numbers: HashMap<u32, u32> = HashMap::new();
    let mut count = 0;
    let component: Vec<u32> = persons
        .iter()
        .map(|person| {
            let next = count;
            let number = match graph.nodes.get(&person.0).copied() {
                Some(node) => *numbers.entry(graph.root(node)).or_insert(next),
                None => next,
            };
            count += u32::from(number == next);
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
    Components { ends, members }
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

/// Whether no later record of its dataset and identity replaces the record in this row of a source.
fn is_live(sources: &Sources<'_>, number: usize, row: u32) -> bool {
    let Some(own) = sources.all.get(number) else {
        return false;
    };
    if own.run.class == Class::Event {
        return true;
    }
    let age = |source: &Source<'_>, row| (source.ingested.get(row), source.sequences.get(row));
    let key = own.run.person(own.run.person_of_row(row));
    let rivals = sources.all.iter().enumerate().filter(|(i, source)| {
        *i != number && source.run.class == Class::Profile && source.run.dataset == own.run.dataset
    });
    rivals
        .filter_map(|(_, rival)| Some((rival, rival.run.find(key)?)))
        .all(|(rival, person)| age(rival, rival.run.rows_of(person).start) <= age(own, row))
}
