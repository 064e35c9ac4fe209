//! When something occurs: windows as stretches of milliseconds.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, TimeDelta, Utc};
use pql::typed::{Comparison, Side, Unit};

pub(crate) const DAY: i64 = 86_400_000;

/// From the first millisecond to the one after the last.
pub(crate) type Span = (i64, i64);

/// What a window takes: what is in a span, or what is not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    span: Span,
    negated: bool,
}

impl Bounds {
    pub(crate) fn within(span: Span) -> Self {
        Self {
            span,
            negated: false,
        }
    }

    /// The span that all is in which it takes; everything, where it takes what is not in one.
    pub(crate) fn span(self) -> Span {
        match self.negated {
            true => (i64::MIN, i64::MAX),
            false => self.span,
        }
    }

    pub(crate) fn takes(self, time: i64) -> bool {
        (self.span.0 <= time && time < self.span.1) != self.negated
    }

    /// So far before or after a moment.
    pub(crate) fn far(
        comparison: Comparison,
        count: i64,
        unit: Unit,
        side: Side,
        (start, end): Span,
    ) -> Self {
        let span = match side {
            Side::Before => {
                let back = |n: i64| moved(start, n.saturating_neg(), unit);
                let at = back(count);
                match comparison {
                    Comparison::LessOrEqual => (at, start),
                    Comparison::Less => (at.saturating_add(1), start),
                    Comparison::Greater => (i64::MIN, at),
                    Comparison::GreaterOrEqual => (i64::MIN, at.saturating_add(1)),
                    Comparison::Equal | Comparison::NotEqual => (at, back(count.saturating_sub(1))),
                }
            }
            Side::After => {
                // A stretch counts from its end: its last millisecond is the moment.
                let is_point = end.saturating_sub(start) == 1;
                let on = |n: i64| match is_point {
                    true => moved(start, n, unit),
                    false => moved(end, n, unit).saturating_sub(1),
                };
                let (last, at) = (on(0).saturating_add(1), on(count));
                let behind = at.saturating_add(1);
                match comparison {
                    Comparison::LessOrEqual => (last, behind),
                    Comparison::Less => (last, at),
                    Comparison::Greater => (behind, i64::MAX),
                    Comparison::GreaterOrEqual => (at, i64::MAX),
                    Comparison::Equal | Comparison::NotEqual => {
                        (on(count.saturating_sub(1)).saturating_add(1), behind)
                    }
                }
            }
        };
        Self {
            span,
            negated: comparison == Comparison::NotEqual,
        }
    }
}

pub(crate) fn point(time: i64) -> Span {
    (time, time.saturating_add(1))
}

pub(crate) fn day(days: i64) -> Span {
    let start = days.saturating_mul(DAY);
    (start, start.saturating_add(DAY))
}

/// The calendar's unit that a time is in, or one beside it.
pub(crate) fn calendar(time: i64, offset: i64, unit: Unit) -> Span {
    let this = start_of(time, unit);
    (moved(this, offset, unit), moved(this, offset + 1, unit))
}

/// A time of the calendar; beyond it, its end.
pub(crate) fn date_time(millis: i64) -> DateTime<Utc> {
    let end = match millis < 0 {
        true => DateTime::<Utc>::MIN_UTC,
        false => DateTime::<Utc>::MAX_UTC,
    };
    DateTime::from_timestamp_millis(millis).unwrap_or(end)
}

fn start_of(millis: i64, unit: Unit) -> i64 {
    let day = date_time(millis).date_naive();
    let midnight = |day: Option<NaiveDate>| {
        let start = day.map(|day| day.and_time(chrono::NaiveTime::MIN).and_utc());
        start.map_or(millis, |start| start.timestamp_millis())
    };
    let of_years = |length: i32| {
        let year = day.year().div_euclid(length) * length;
        midnight(NaiveDate::from_ymd_opt(year, 1, 1))
    };
    let of_millis = |length: i64| millis.div_euclid(length) * length;
    match unit {
        Unit::Millisecond => millis,
        Unit::Second => of_millis(1_000),
        Unit::Minute => of_millis(60_000),
        Unit::Hour => of_millis(3_600_000),
        Unit::Day => of_millis(DAY),
        Unit::Week => {
            midnight(day.checked_sub_days(Days::new(day.weekday().num_days_from_monday().into())))
        }
        Unit::Month => midnight(day.with_day(1)),
        Unit::Year => of_years(1),
        Unit::Decade => of_years(10),
        Unit::Century => of_years(100),
        Unit::Millennium => of_years(1_000),
    }
}

/// So many units later, or earlier; beyond the calendar's ends, the end.
fn moved(millis: i64, count: i64, unit: Unit) -> i64 {
    let time = date_time(millis);
    let months = |length: u64| {
        let months = u32::try_from(count.unsigned_abs().checked_mul(length)?).ok()?;
        match count < 0 {
            true => time.checked_sub_months(Months::new(months)),
            false => time.checked_add_months(Months::new(months)),
        }
    };
    let exactly = |length: i64| {
        let delta = TimeDelta::try_milliseconds(count.checked_mul(length)?)?;
        time.checked_add_signed(delta)
    };
    let moved = match unit {
        Unit::Millisecond => exactly(1),
        Unit::Second => exactly(1_000),
        Unit::Minute => exactly(60_000),
        Unit::Hour => exactly(3_600_000),
        Unit::Day => exactly(DAY),
        Unit::Week => exactly(7 * DAY),
        Unit::Month => months(1),
        Unit::Year => months(12),
        Unit::Decade => months(120),
        Unit::Century => months(1_200),
        Unit::Millennium => months(12_000),
    };
    match (moved, count < 0) {
        (Some(moved), _) => moved.timestamp_millis(),
        (None, true) => i64::MIN,
        (None, false) => i64::MAX,
    }
}
