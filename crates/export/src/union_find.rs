//! Sets of keys that become one where two of them belong together.

use std::collections::HashMap;

use xdm::PersonKey;

#[derive(Default)]
pub(crate) struct UnionFind {
    /// The number of each node that is there.
    pub(crate) nodes: HashMap<PersonKey, u32>,
    parents: Vec<u32>,
}

impl UnionFind {
    /// The node of a key, made where it is missing.
    fn node(&mut self, key: PersonKey) -> u32 {
        let next = self.parents.len() as u32;
        let node = *self.nodes.entry(key).or_insert(next);
        if node == next {
            self.parents.push(next);
        }
        node
    }

    /// The node that stands for all that are united with this one.
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

    /// The node that stands for all that are united with that of a key, made where it is missing.
    pub(crate) fn root_of(&mut self, key: PersonKey) -> u32 {
        let node = self.node(key);
        self.root(node)
    }

    /// Unites two keys.
    pub(crate) fn join(&mut self, a: PersonKey, b: PersonKey) {
        let (a, b) = (self.node(a), self.node(b));
        self.unite(a, b);
    }

    fn unite(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        if let Some(parent) = self.parents.get_mut(a.max(b) as usize) {
            *parent = a.min(b);
        }
    }
}
