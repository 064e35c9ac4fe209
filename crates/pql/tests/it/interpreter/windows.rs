//! When something occurs.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, TimeDelta, TimeZone, Utc};
use profile_export_pql::typed::{Comparison, Moment, Side, Unit, Window};

use super::{Held, Scopes, World};

impl World<'_> {
    pub(super) fn occurs(
        &self,
        time: DateTime<Utc>,
        window: &Window,
        scopes: Scopes<'_>,
    ) -> Option<bool> {
        let millisecond = TimeDelta::milliseconds(1);
        Some(match window {
            Window::On(moment) => {
                let (start, end) = self.stretch(moment, scopes)?;
                start <= time && time < end
            }
            Window::Between(from, to) => {
                let (start, _) = self.stretch(from, scopes)?;
                let (_, end) = self.stretch(to, scopes)?;
                start <= time && time < end
            }
            Window::Beyond(Side::Before, moment) => time < self.point_or_stretch(moment, scopes)?.0,
            Window::Beyond(Side::After, moment) => time >= self.point_or_stretch(moment, scopes)?.1,
            Window::Within {
                comparison,
                count,
                unit,
                side,
                moment,
            } => {
                let Held::Integer(count) = self.value(count, scopes) else {
                    return None;
                };
                let (start, end) = self.point_or_stretch(moment, scopes)?;
                let is_point = end - start == millisecond;
                match side {
                    Side::Before => {
                        let back = |n: i64| moved(start, -n, *unit);
                        let at = back(count);
                        match comparison {
                            Comparison::LessOrEqual => at <= time && time < start,
                            Comparison::Less => at < time && time < start,
                            Comparison::Greater => time < at,
                            Comparison::GreaterOrEqual => time <= at,
                            Comparison::Equal => at <= time && time < back(count - 1),
                            Comparison::NotEqual => !(at <= time && time < back(count - 1)),
                        }
                    }
                    Side::After => {
                        // A stretch counts from its end; its last millisecond is what is "T".
                        let on = |n: i64| match is_point {
                            true => moved(start, n, *unit),
                            false => moved(end, n, *unit) - millisecond,
                        };
                        let last = on(0);
                        let at = on(count);
                        match comparison {
                            Comparison::LessOrEqual => last < time && time <= at,
                            Comparison::Less => last < time && time < at,
                            Comparison::Greater => time > at,
                            Comparison::GreaterOrEqual => time >= at,
                            Comparison::Equal => on(count - 1) < time && time <= at,
                            Comparison::NotEqual => !(on(count - 1) < time && time <= at),
                        }
                    }
                }
            }
        })
    }

    /// A day of the evaluation's counts from its first millisecond.
    pub(super) fn point_or_stretch(
        &self,
        moment: &Moment,
        scopes: Scopes<'_>,
    ) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let (start, end) = self.stretch(moment, scopes)?;
        Some(match moment {
            Moment::Day(_) => (start, start + TimeDelta::milliseconds(1)),
            _ => (start, end),
        })
    }

    /// The first millisecond and the one after the last.
    pub(super) fn stretch(
        &self,
        moment: &Moment,
        scopes: Scopes<'_>,
    ) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let point = |time: DateTime<Utc>| (time, time + TimeDelta::milliseconds(1));
        let day = |day: NaiveDate| (midnight(day), midnight(day + Days::new(1)));
        Some(match moment {
            Moment::Now => point(self.now),
            Moment::Day(offset) => {
                let today = self.now.date_naive();
                day(today + chrono::Duration::days(i64::from(*offset)))
            }
            Moment::Calendar(offset, unit) => {
                let this = start_of(self.now, *unit);
                let start = moved(this, i64::from(*offset), *unit);
                (start, moved(this, i64::from(*offset) + 1, *unit))
            }
            Moment::Time(value) => match self.value(value, scopes) {
                Held::Time(time) => point(time),
                Held::Day(date) => day(date),
                _ => return None,
            },
        })
    }
}

pub(super) fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_hms_opt(0, 0, 0).unwrap().and_utc()
}

fn start_of(time: DateTime<Utc>, unit: Unit) -> DateTime<Utc> {
    let day = time.date_naive();
    let of_years = |length: i32| {
        let year = day.year().div_euclid(length) * length;
        midnight(NaiveDate::from_ymd_opt(year, 1, 1).unwrap())
    };
    let of_millis = |length: i64| {
        let millis = time.timestamp_millis().div_euclid(length) * length;
        Utc.timestamp_millis_opt(millis).unwrap()
    };
    match unit {
        Unit::Millisecond => of_millis(1),
        Unit::Second => of_millis(1_000),
        Unit::Minute => of_millis(60_000),
        Unit::Hour => of_millis(3_600_000),
        Unit::Day => midnight(day),
        Unit::Week => midnight(day - Days::new(day.weekday().num_days_from_monday().into())),
        Unit::Month => midnight(day.with_day(1).unwrap()),
        Unit::Year => of_years(1),
        Unit::Decade => of_years(10),
        Unit::Century => of_years(100),
        Unit::Millennium => of_years(1_000),
    }
}

/// So many units later, or earlier; beyond the calendar's ends, the end.
fn moved(time: DateTime<Utc>, count: i64, unit: Unit) -> DateTime<Utc> {
    let end = match count < 0 {
        true => DateTime::<Utc>::MIN_UTC,
        false => DateTime::<Utc>::MAX_UTC,
    };
    let months = |length: i64| {
        let months = u32::try_from(count.unsigned_abs().checked_mul(length as u64)?).ok()?;
        match count < 0 {
            true => time.checked_sub_months(Months::new(months)),
            false => time.checked_add_months(Months::new(months)),
        }
    };
    let millis = |length: i64| {
        let delta = TimeDelta::try_milliseconds(count.checked_mul(length)?)?;
        time.checked_add_signed(delta)
    };
    let moved = match unit {
        Unit::Millisecond => millis(1),
        Unit::Second => millis(1_000),
        Unit::Minute => millis(60_000),
        Unit::Hour => millis(3_600_000),
        Unit::Day => millis(86_400_000),
        Unit::Week => millis(7 * 86_400_000),
        Unit::Month => months(1),
        Unit::Year => months(12),
        Unit::Decade => months(120),
        Unit::Century => months(1_200),
        Unit::Millennium => months(12_000),
    };
    moved.unwrap_or(end)
}
