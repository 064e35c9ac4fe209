use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::Field;
use arrow::error::ArrowError;

/// The events of some profiles as one list each: `timeSeriesEvents`.
///
/// `events` holds all events, one profile's after the other's; `ends` says where each profile's end.
/// A profile without events has an empty list.
///
/// # Errors
/// Ends that do not fit the events.
pub fn event_lists(events: ArrayRef, ends: &[u32]) -> Result<ArrayRef, ArrowError> {
    let last = ends.last().map_or(0, |end| *end as usize);
    if !ends.is_sorted() || last != events.len() {
        return Err(ArrowError::InvalidArgumentError(format!(
            "profiles' ends up to {last} do not fit {} events",
            events.len()
        )));
    }
    let mut offsets = Vec::with_capacity(ends.len() + 1);
    offsets.push(0i32);
    for end in ends {
        offsets
            .push(i32::try_from(*end).map_err(|_| ArrowError::OffsetOverflowError(*end as usize))?);
    }
    Ok(Arc::new(ListArray::try_new(
        Arc::new(Field::new("element", events.data_type().clone(), true)),
        OffsetBuffer::new(offsets.into()),
        events,
        None,
    )?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray;
    use serde_json::json;
    use xdm::testing::{self, LONG};

    #[test]
    fn each_profile_has_the_list_of_its_events_or_an_empty_one() {
        let events = testing::array(&LONG, &[json!(1), json!(2), json!(3)]);
        let lists = event_lists(events, &[0, 2, 2, 3]).expect("lists");
        let expected = [json!([]), json!([1, 2]), json!([]), json!([3])];
        assert_eq!(testing::values(&lists), expected);
        assert_eq!(lists.data_type(), &testing::list(LONG).data_type());
        assert!(lists.as_list::<i32>().nulls().is_none());
    }

    #[test]
    fn ends_beyond_the_events_are_an_error() {
        let events = testing::array(&LONG, &[json!(1)]);
        assert!(event_lists(events.clone(), &[2]).is_err());
        assert!(event_lists(events, &[u32::MAX]).is_err());
    }

    #[test]
    fn ends_that_go_back_are_an_error() {
        let events = testing::array(&LONG, &[json!(1), json!(2)]);
        assert!(event_lists(events, &[2, 1]).is_err());
    }
}
