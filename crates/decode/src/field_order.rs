//! Where an object's fields are: in the order in which they came before, else wherever their names say.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// The names of up to this many fields are scanned.
const MOST_SCANNED: usize = 8;

/// What came behind each field in the rows so far. Records of one source mostly agree in the order of
/// their fields, which need not be the order in which other sources made those known.
#[derive(Default)]
pub(crate) struct FieldOrder {
    /// The field that probably comes next.
    likely: usize,
    /// Behind which one it comes: 0 is the beginning, and each field is one more than its place.
    behind: usize,
    /// What comes behind the beginning and behind each field.
    followers: Vec<Follower>,
    /// How many rows have begun.
    rows: u64,
    /// The fields by their names, as far as they were needed.
    places: HashTable<usize>,
    hasher: DefaultHashBuilder,
}

struct Follower {
    likely: usize,
    /// What came instead, and in which row.
    other: usize,
    row: u64,
}

impl FieldOrder {
    /// The order in which so many fields are known.
    pub(crate) fn new(fields: usize) -> Self {
        let mut order = Self::default();
        order.grow(fields);
        order
    }

    /// Goes back to an object's first field.
    #[inline]
    pub(crate) fn begin_row(&mut self) {
        self.rows += 1;
        self.step_behind(0);
    }

    /// The place of the field that probably comes next; it may be behind the last.
    #[inline]
    pub(crate) fn likely(&self) -> usize {
        self.likely
    }

    /// The likely field has come.
    #[inline]
    pub(crate) fn step(&mut self) {
        self.step_behind(self.likely + 1);
    }

    #[inline]
    fn step_behind(&mut self, behind: usize) {
        self.behind = behind;
        self.likely = self.followers.get(behind).map_or(behind, |f| f.likely);
    }

    /// Another field than the likely one has come. It becomes the likely one when it comes there in two
    /// rows on end: a field that a few records lack changes nothing.
    pub(crate) fn step_to(&mut self, at: usize) {
        self.grow(at + 1);
        let rows = self.rows;
        if let Some(follower) = self.followers.get_mut(self.behind) {
            if follower.other == at && follower.row + 1 == rows {
                follower.likely = at;
            }
            (follower.other, follower.row) = (at, rows);
        }
        self.step_behind(at + 1);
    }

    fn grow(&mut self, fields: usize) {
        let next = self.followers.len();
        self.followers.extend((next..=fields).map(|at| Follower {
            likely: at,
            other: at,
            row: 0,
        }));
    }

    /// The place of a field that is not the likely one, among `fields`, whose names `name_of` tells.
    pub(crate) fn place<F>(
        &mut self,
        name: &str,
        fields: &[F],
        name_of: impl Fn(&F) -> &str,
    ) -> Option<usize> {
        // Where the likely one is another, the next of those that are known may be it.
        if fields.get(self.behind).is_some_and(|f| name_of(f) == name) {
            return Some(self.behind);
        }
        if fields.len() <= MOST_SCANNED {
            return fields.iter().position(|field| name_of(field) == name);
        }
        let Self { places, hasher, .. } = self;
        let hash_at = |at: &usize| hasher.hash_one(fields.get(*at).map_or("", &name_of));
        for at in places.len()..fields.len() {
            places.insert_unique(hash_at(&at), at, hash_at);
        }
        let is_it = |at: &usize| fields.get(*at).is_some_and(|f| name_of(f) == name);
        places.find(hasher.hash_one(name), is_it).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Goes through rows of names; returns how many fields of each were not the likely ones.
    fn surprises(fields: &mut Vec<String>, order: &mut FieldOrder, rows: &[&str]) -> Vec<usize> {
        let surprises_of = |row: &&str| {
            order.begin_row();
            let mut surprises = 0;
            for name in row.split_whitespace() {
                if fields.get(order.likely()).is_some_and(|f| f == name) {
                    order.step();
                    continue;
                }
                surprises += 1;
                let known = order.place(name, fields, |f| f);
                assert_eq!(known, fields.iter().position(|f| f == name), "{name}");
                if known.is_none() {
                    fields.push(name.to_owned());
                }
                order.step_to(known.unwrap_or(fields.len() - 1));
            }
            surprises
        };
        rows.iter().map(surprises_of).collect()
    }

    #[test]
    fn fields_are_expected_as_they_came_in_two_rows() {
        let mut fields = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        let mut order = FieldOrder::new(4);
        let rows = ["a b c d", "d c b a", "d c b a", "d c b a", "d c a"];
        assert_eq!(surprises(&mut fields, &mut order, &rows), [0, 4, 4, 0, 1]);
    }

    #[test]
    fn a_field_that_a_row_lacks_is_expected_all_the_same() {
        let mut fields = Vec::new();
        let mut order = FieldOrder::new(0);
        let rows = ["a b c", "a b c", "a c", "a b c", "a c", "a b c"];
        let expected = [3, 0, 1, 0, 1, 0];
        assert_eq!(surprises(&mut fields, &mut order, &rows), expected);
    }

    #[test]
    fn fields_are_found_by_name_however_many_there_are() {
        let mut fields = Vec::new();
        let mut order = FieldOrder::new(0);
        let all: Vec<String> = (0..5 * MOST_SCANNED).map(|n| n.to_string()).collect();
        let shuffled = (0..all.len()).map(|n| all[n * 7 % all.len()].as_str());
        let shuffled = shuffled.collect::<Vec<_>>().join(" ");
        surprises(
            &mut fields,
            &mut order,
            &[&shuffled, &all.join(" "), "0 new 1"],
        );
        assert_eq!(fields.len(), all.len() + 1);
    }

    #[test]
    fn a_field_is_found_in_a_few_looks_however_many_there_are() {
        struct Looked {
            name: String,
            looks: Cell<usize>,
        }
        fn name_of(field: &Looked) -> &str {
            field.looks.set(field.looks.get() + 1);
            &field.name
        }
        let field = |n: usize| Looked {
            name: n.to_string(),
            looks: Cell::new(0),
        };
        let fields: Vec<Looked> = (0..1000).map(field).collect();
        let mut order = FieldOrder::new(fields.len());
        for round in 0..10 {
            order.begin_row();
            for n in 0..fields.len() {
                let at = n * (7 + 10 * round) % fields.len();
                assert_eq!(order.place(&at.to_string(), &fields, name_of), Some(at));
                order.step_to(at);
            }
        }
        let looks: usize = fields.iter().map(|field| field.looks.get()).sum();
        assert!(looks < 5 * 10 * fields.len(), "{looks} looks");
    }
}
