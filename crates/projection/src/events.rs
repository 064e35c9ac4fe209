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
