//! Whether a value is in a list. One side is mostly written out: then it is held against the other once, and against each
//! text of a dictionary once.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::concat;
use pql::Type;
use pql::typed::{Literal, Term, Value};

use super::lists::{Items, item_type};
use super::texts::{each, of_dictionary, only};
use super::{Evaluator, constant, valid};
use crate::column::{Column, Lists};
use crate::error::Result;

impl<'a> Evaluator<'a> {
    /// Where a value is in a list, or is not; neither where one is null.
    pub(super) fn is_in(
        &mut self,
        value: &'a Value,
        list: &'a Value,
        negated: bool,
    ) -> Result<BooleanBuffer> {
        if let Some(literals) = written_out(list) {
            return self.is_among(value, list, &literals, negated);
        }
        let column = self.value(value)?;
        if let (Type::String, Some(text)) = (&value.ty, only(&column)) {
            return match text {
                None => Ok(BooleanBuffer::new_unset(self.rows())),
                Some(text) => self.includes(list, text, negated),
            };
        }
        let rows = self.rows();
        let nulls = column.nulls(rows)?;
        let lists = self.lists(list)?;
        let own = one_each(column.flat(&value.ty, rows)?);
        let items = Items::of(&[
            (&own, &Type::array_of(value.ty.clone())),
            (&lists, &list.ty),
        ])?;
        let is_there = |row: usize| {
            let key = items.key(0, row);
            lists.range(row).any(|item| items.key(1, item) == key) != negated
        };
        let both = NullBuffer::union(nulls.as_ref(), lists.nulls.as_ref());
        Ok(&BooleanBuffer::collect_bool(rows, is_there) & &valid(both, rows))
    }

    /// Whether a value is one of those that are written out.
    fn is_among(
        &mut self,
        value: &'a Value,
        list: &'a Value,
        literals: &[&Literal],
        negated: bool,
    ) -> Result<BooleanBuffer> {
        if value.ty == Type::String {
            let texts: HashSet<&str> = (literals.iter())
                .filter_map(|literal| match literal {
                    Literal::String(text) => Some(text.as_str()),
                    _ => None,
                })
                .collect();
            return self.of_texts(value, |text| texts.contains(text) != negated);
        }
        let rows = self.rows();
        let column = self.value(value)?;
        let nulls = column.nulls(rows)?;
        let literals: Vec<ArrayRef> = literals.iter().map(|literal| constant(literal)).collect();
        let literals = concat(&literals.iter().map(|one| &**one).collect::<Vec<_>>())?;
        let count = literals.len();
        let (own, others) = (one_each(column.flat(&value.ty, rows)?), one_each(literals));
        let items = Items::of(&[
            (&own, &Type::array_of(value.ty.clone())),
            (&others, &list.ty),
        ])?;
        let known: HashSet<&[u8]> = (0..count).map(|item| items.key(1, item)).collect();
        let is_there = |row: usize| known.contains(items.key(0, row)) != negated;
        Ok(&BooleanBuffer::collect_bool(rows, is_there) & &valid(nulls, rows))
    }

    /// Whether lists have a text.
    fn includes(&mut self, list: &'a Value, text: &str, negated: bool) -> Result<BooleanBuffer> {
        let lists = self.lists(list)?;
        let is_it = |known: &str| known == text;
        let found = match of_dictionary(&lists.items, |values| Ok(each(values, is_it)))? {
            Some(found) => found,
            None => {
                let items = lists.items.flat(item_type(&list.ty)?, lists.total())?;
                each(items.as_string(), is_it)
            }
        };
        let ranges = lists.ranges();
        let holds: BooleanBuffer = ranges
            .map(|items| {
                let found = found.slice(items.start, items.len());
                (found.count_set_bits() > 0) != negated
            })
            .collect();
        Ok(&holds & &valid(lists.nulls.clone(), lists.len()))
    }
}

/// The values of a list that is written out.
fn written_out(list: &Value) -> Option<Vec<&Literal>> {
    let Term::List(items) = &*list.term else {
        return None;
    };
    let literals = items.iter().map(|item| match &*item.term {
        Term::Constant(literal) => Some(literal),
        _ => None,
    });
    literals
        .collect::<Option<Vec<_>>>()
        .filter(|all| !all.is_empty())
}

/// One value a row, as lists of one.
fn one_each(values: ArrayRef) -> Lists {
    Lists {
        offsets: (0..=values.len() as u32).collect(),
        nulls: None,
        items: Box::new(Column::of(values)),
    }
}
