use std::hash::{Hash, Hasher};

use gather::{Column, RowRef};

use super::lookup::Lookup;

/// The name of a namespace, whose case does not count.
#[derive(Clone, Copy)]
pub(super) struct NoCase<'a>(pub(super) &'a str);

impl PartialEq for NoCase<'_> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(other.0)
    }
}

impl Eq for NoCase<'_> {}

impl Hash for NoCase<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.0.bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
        // No text has this byte: where the name ends.
        state.write_u8(0xff);
    }
}

/// The entries of the profile at hand: the row of each namespace, and the rows under it.
#[derive(Default)]
pub(super) struct NamespaceGroups {
    keys: Vec<RowRef>,
    by_namespace: Lookup,
    /// Those behind `keys` are of profiles before it; their memory serves again.
    rows: Vec<(Vec<RowRef>, Lookup)>,
}

impl NamespaceGroups {
    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.by_namespace.clear();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&RowRef, &Vec<RowRef>)> {
        self.keys.iter().zip(self.rows.iter().map(|(rows, _)| rows))
    }

    /// The rows under the namespace of an entry, and how to find one of them.
    pub(super) fn of(
        &mut self,
        namespaces: &Column,
        entry: RowRef,
    ) -> (&mut Vec<RowRef>, &mut Lookup) {
        let name = |at: RowRef| namespaces.text(at).map(NoCase);
        let known = name(entry).and_then(|one| {
            let keys = &self.keys;
            self.by_namespace.find(one, keys.len(), |at| name(keys[at]))
        });
        let at = known.unwrap_or(self.keys.len());
        if known.is_none() {
            if at == self.rows.len() {
                self.rows.push(Default::default());
            }
            self.keys.push(entry);
        }
        let (rows, lookup) = &mut self.rows[at];
        if known.is_none() {
            rows.clear();
            lookup.clear();
        }
        (rows, lookup)
    }
}
