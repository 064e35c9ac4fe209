use std::ops::Range;

use arrow::array::{Array, AsArray};
use arrow::buffer::BooleanBuffer;
use pql::Type;
use pql::typed::{Step, Value};

use super::Evaluator;
use super::lists::{Numbers, item_type};
use crate::column::Lists;
use crate::error::Result;
use crate::windows::DAY;

impl<'a> Evaluator<'a> {
    /// Each step takes the earliest items that it can, all later than those before: one walk over the items, in the
    /// order that they have, or that `order` makes.
    pub(super) fn chain(
        &mut self,
        source: &'a Value,
        order: Option<&'a Value>,
        steps: &'a [Step],
    ) -> Result<BooleanBuffer> {
        let lists = self.lists(source)?;
        let (conditions, ordered) = self.about(source, &lists, |inner| {
            let conditions = steps.iter().map(|step| inner.condition(&step.condition));
            let conditions = conditions.collect::<Result<Vec<_>>>()?;
            let ordered = order.map(|order| inner.ordered(source, order, &lists));
            Ok((conditions, ordered.transpose()?))
        })?;
        Ok(match ordered {
            None => (lists.ranges())
                .map(|items| walks(items, steps, &conditions))
                .collect(),
            Some(ordered) => (ordered.into_iter())
                .map(|items| walks(items.into_iter(), steps, &conditions))
                .collect(),
        })
    }

    /// The items of each list by a time of theirs, to the millisecond, and by their `_id`s where these are equal; those
    /// without the time are left out.
    fn ordered(
        &mut self,
        source: &'a Value,
        order: &'a Value,
        lists: &Lists,
    ) -> Result<Vec<Vec<usize>>> {
        let times = self.flat(order)?;
        let times = Numbers::of(&times)?;
        let unit = if order.ty == Type::Date { DAY } else { 1 };
        let has_ids = matches!(item_type(&source.ty)?, Type::Object(fields) if fields.get("_id") == Some(&Type::String));
        let ids = match has_ids {
            true => {
                let ids = lists.items.field(&["_id".to_owned()])?;
                Some(ids.flat(&Type::String, lists.total())?)
            }
            false => None,
        };
        let ids = ids.as_ref().map(|ids| ids.as_string::<i32>());
        let key = |item: &usize| {
            let id = ids
                .filter(|ids| ids.is_valid(*item))
                .map_or("", |ids| ids.value(*item));
            (times.whole(*item).saturating_mul(unit), id)
        };
        let in_order = |items: Range<usize>| {
            let mut items: Vec<usize> = items.filter(|item| times.is_valid(*item)).collect();
            items.sort_by(|a, b| key(a).cmp(&key(b)));
            items
        };
        Ok(lists.ranges().map(in_order).collect())
    }
}

/// Whether a walk over items finds all steps; `conditions` say of each where it holds.
fn walks(
    mut items: impl Iterator<Item = usize>,
    steps: &[Step],
    conditions: &[BooleanBuffer],
) -> bool {
    let mut steps = steps.iter().zip(conditions);
    steps.all(|(step, holds)| (0..step.count).all(|_| items.any(|item| holds.value(item))))
}
