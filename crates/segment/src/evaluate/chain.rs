use std::ops::Range;

use arrow::array::{Array, AsArray};
use arrow::buffer::BooleanBuffer;
use pql::Type;
use pql::typed::{Step, Value};

use super::Evaluator;
use super::lists::{Numbers, item_type};
use crate::error::Result;
use crate::windows::DAY;

impl<'a> Evaluator<'a> {
    /// Each step takes the earliest items that it can, all later than those before: one walk over the items, in the
    /// order of their times, and of their `_id`s where these are equal.
    pub(super) fn chain(
        &mut self,
        source: &'a Value,
        order: &'a Value,
        steps: &'a [Step],
    ) -> Result<BooleanBuffer> {
        let lists = self.lists(source)?;
        let has_ids = matches!(item_type(&source.ty)?, Type::Object(fields) if fields.get("_id") == Some(&Type::String));
        let (times, ids, conditions) = self.about(source, &lists, |inner| {
            let times = inner.flat(order)?;
            let ids = match has_ids {
                true => {
                    let ids = lists
                        .items
                        .field(&["_id".to_owned()])
                        .and_then(|ids| ids.flat(&Type::String, lists.total()));
                    // A field that nobody names is not read.
                    ids.ok()
                }
                false => None,
            };
            let conditions = steps.iter().map(|step| inner.condition(&step.condition));
            Ok((times, ids, conditions.collect::<Result<Vec<_>>>()?))
        })?;
        let times = Numbers::of(&times)?;
        let unit = if order.ty == Type::Date { DAY } else { 1 };
        let ids = ids.as_ref().map(|ids| ids.as_string::<i32>());
        let key = |item: usize| {
            let id = ids
                .filter(|ids| ids.is_valid(item))
                .map_or("", |ids| ids.value(item));
            (times.whole(item).saturating_mul(unit), id)
        };
        let walks = |items: Range<usize>| {
            let mut ordered: Vec<usize> = items.filter(|item| times.is_valid(*item)).collect();
            if !ordered.is_sorted_by_key(|item| key(*item)) {
                ordered.sort_by(|a, b| key(*a).cmp(&key(*b)));
            }
            let mut left = ordered.into_iter();
            steps
                .iter()
                .zip(&conditions)
                .all(|(step, holds)| (0..step.count).all(|_| left.any(|item| holds.value(item))))
        };
        Ok(lists.ranges().map(walks).collect())
    }
}
