use std::hash::Hash;

use hashbrown::HashSet;

/// Up to this many are scanned: a table is dearer than so few comparisons.
const MOST_SCANNED: usize = 16;

/// Tells which items came before: the keys of one map, the identities of one record. Most have one or a
/// few, which takes no table; some have a hundred thousand.
pub(crate) struct Distinct<T> {
    /// One alone takes no memory of its own.
    first: Option<T>,
    others: Vec<T>,
    /// All of them, once they are many.
    table: HashSet<T>,
}

impl<T> Default for Distinct<T> {
    fn default() -> Self {
        Self {
            first: None,
            others: Vec::new(),
            table: HashSet::default(),
        }
    }
}

impl<T: Copy + Eq + Hash> Distinct<T> {
    /// Takes an item in; false where it came before.
    #[inline]
    pub(crate) fn insert(&mut self, item: T) -> bool {
        let Some(first) = self.first else {
            self.first = Some(item);
            return true;
        };
        if !self.table.is_empty() {
            return self.table.insert(item);
        }
        if first == item || self.others.contains(&item) {
            return false;
        }
        self.others.push(item);
        if self.others.len() > MOST_SCANNED {
            self.table.extend(self.others.drain(..));
            self.table.insert(first);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A number that counts how often it is compared.
    #[derive(Clone, Copy)]
    struct Counted<'a>(usize, &'a Cell<usize>);

    impl PartialEq for Counted<'_> {
        fn eq(&self, other: &Self) -> bool {
            self.1.set(self.1.get() + 1);
            self.0 == other.0
        }
    }

    impl Eq for Counted<'_> {}

    impl Hash for Counted<'_> {
        fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
            self.0.hash(state);
        }
    }

    #[test]
    fn an_item_is_compared_a_few_times_however_many_there_are() {
        let comparisons = Cell::new(0);
        let mut items = Distinct::default();
        let many = 10_000;
        for round in 0..2 {
            for item in 0..many {
                assert_eq!(items.insert(Counted(item, &comparisons)), round == 0);
            }
        }
        assert!(
            comparisons.get() < 4 * many,
            "{} comparisons",
            comparisons.get()
        );
    }

    #[test]
    fn an_item_is_new_once_however_many_came_before() {
        let mut items = Distinct::default();
        for item in 0..5 * MOST_SCANNED {
            assert!(items.insert(item), "{item}");
            for known in 0..=item {
                assert!(!items.insert(known), "{known} after {item}");
            }
        }
    }
}
