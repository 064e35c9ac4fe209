//! Dates and times; all of them in UTC.

use std::sync::Arc;

use chrono::{DateTime, Datelike as _, Months, NaiveDate, NaiveDateTime, TimeDelta, Timelike as _};
use datafusion::arrow::array::{
    Array as _, ArrayRef, AsArray as _, Date32Array, Int32Array, Int64Array, StringArray,
};
use datafusion::arrow::datatypes::{DataType, Date32Type, TimestampMicrosecondType};
use datafusion::common::Result;

use super::pattern::Pattern;
use super::text::{longs, strings};
use super::zones::Zone;
use super::{Asked, Called, Row, cast, java_time, timestamp};

pub(super) const FUNCTIONS: &[Row] = &[
    ("spark_year", part_type, |called| {
        day_part(called, |day| day.year())
    }),
    ("spark_quarter", part_type, |called| {
        day_part(called, |day| int(day.month0() / 3 + 1))
    }),
    ("spark_month", part_type, |called| {
        day_part(called, |day| int(day.month()))
    }),
    ("spark_day", part_type, |called| {
        day_part(called, |day| int(day.day()))
    }),
    ("spark_dayofweek", part_type, |called| {
        day_part(called, |day| int(day.weekday().num_days_from_sunday() + 1))
    }),
    ("spark_weekday", part_type, |called| {
        day_part(called, |day| int(day.weekday().num_days_from_monday()))
    }),
    ("spark_dayofyear", part_type, |called| {
        day_part(called, |day| int(day.ordinal()))
    }),
    ("spark_weekofyear", part_type, |called| {
        day_part(called, |day| int(day.iso_week().week()))
    }),
    ("spark_hour", part_type, |called| {
        part(called, |time| int(time.hour()))
    }),
    ("spark_minute", part_type, |called| {
        part(called, |time| int(time.minute()))
    }),
    ("spark_second", part_type, |called| {
        part(called, |time| int(time.second()))
    }),
    ("spark_last_day", date_type, last_day),
    ("spark_date_add", date_and_number_type, date_add),
    ("spark_date_sub", date_and_number_type, date_sub),
    ("spark_add_months", date_and_number_type, add_months),
    ("spark_datediff", datediff_type, datediff),
    ("spark_date_trunc", date_trunc_type, date_trunc),
    ("spark_trunc", trunc_type, trunc),
    ("spark_date_format", date_format_type, date_format),
    ("spark_to_date", to_date_type, to_date),
    ("spark_to_timestamp", to_timestamp_type, to_timestamp),
    ("spark_unix_timestamp", unix_timestamp_type, unix_timestamp),
    ("spark_from_unixtime", from_unixtime_type, from_unixtime),
    ("spark_from_utc_timestamp", zone_type, from_utc_timestamp),
    ("spark_to_utc_timestamp", zone_type, to_utc_timestamp),
];

fn timed(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Timestamp(..) | DataType::Date32 | DataType::Utf8 | DataType::Null
    )
}

/// Whether an argument is a time, or a text that is one.
fn timed_at(asked: &Asked<'_>, number: usize) -> Result<bool> {
    asked.no_word_for_a_time(number)?;
    Ok(timed(asked.of(number)?))
}

fn times(asked: &Asked<'_>, data_type: DataType) -> Result<DataType> {
    for number in 0..asked.types.len() {
        asked.no_word_for_a_time(number)?;
    }
    if asked.types.iter().all(timed) {
        Ok(data_type)
    } else {
        asked.refused("dates or timestamps")
    }
}

fn part_type(asked: &Asked<'_>) -> Result<DataType> {
    times(asked, DataType::Int32)
}

fn date_type(asked: &Asked<'_>) -> Result<DataType> {
    times(asked, DataType::Date32)
}

fn datediff_type(asked: &Asked<'_>) -> Result<DataType> {
    times(asked, DataType::Int32)
}

fn date_and_number_type(asked: &Asked<'_>) -> Result<DataType> {
    let number = asked.of(1)?;
    let fine = timed_at(asked, 0)? && (number.is_integer() || *number == DataType::Null);
    if fine {
        Ok(DataType::Date32)
    } else {
        asked.refused("a date and a whole number")
    }
}

fn date_trunc_type(asked: &Asked<'_>) -> Result<DataType> {
    let fine = *asked.of(0)? == DataType::Utf8 && timed_at(asked, 1)?;
    if fine {
        Ok(timestamp())
    } else {
        asked.refused("a unit and a timestamp")
    }
}

fn trunc_type(asked: &Asked<'_>) -> Result<DataType> {
    let fine = timed_at(asked, 0)? && *asked.of(1)? == DataType::Utf8;
    if fine {
        Ok(DataType::Date32)
    } else {
        asked.refused("a date and a unit")
    }
}

/// A pattern that is a constant is read once, when the statement is planned.
fn patterned(asked: &Asked<'_>, fine: bool, data_type: DataType) -> Result<DataType> {
    // By a pattern a text is what the pattern says.
    if asked.types.len() < 2 {
        asked.no_word_for_a_time(0)?;
    }
    if let Some(pattern) = asked.text(1) {
        Pattern::new(pattern)?;
    }
    let pattern = asked
        .types
        .get(1)
        .is_none_or(|pattern| *pattern == DataType::Utf8);
    if fine && pattern {
        Ok(data_type)
    } else {
        asked.refused("a date or timestamp, and a pattern")
    }
}

fn date_format_type(asked: &Asked<'_>) -> Result<DataType> {
    patterned(asked, timed(asked.of(0)?), DataType::Utf8)
}

fn to_date_type(asked: &Asked<'_>) -> Result<DataType> {
    patterned(asked, timed(asked.of(0)?), DataType::Date32)
}

fn to_timestamp_type(asked: &Asked<'_>) -> Result<DataType> {
    let value = asked.of(0)?;
    patterned(
        asked,
        timed(value) || asked.types.len() == 1 && value.is_numeric(),
        timestamp(),
    )
}

fn unix_timestamp_type(asked: &Asked<'_>) -> Result<DataType> {
    patterned(asked, timed(asked.of(0)?), DataType::Int64)
}

fn from_unixtime_type(asked: &Asked<'_>) -> Result<DataType> {
    let value = asked.of(0)?;
    patterned(
        asked,
        value.is_integer() || *value == DataType::Null,
        DataType::Utf8,
    )
}

fn zone_type(asked: &Asked<'_>) -> Result<DataType> {
    if let Some(name) = asked.text(1)
        && Zone::named(name).is_none()
    {
        return asked.refused(&format!("a timestamp and a time zone, which {name} is not"));
    }
    let fine = timed_at(asked, 0)? && *asked.of(1)? == DataType::Utf8;
    if fine {
        Ok(timestamp())
    } else {
        asked.refused("a timestamp and a time zone")
    }
}

fn int(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// An argument in microseconds.
fn micros(called: &Called<'_>, number: usize) -> Result<Vec<Option<i64>>> {
    let array = cast::to(called.arg(number)?, &timestamp())?;
    Ok(array
        .as_primitive::<TimestampMicrosecondType>()
        .iter()
        .collect())
}

/// An argument in days.
fn days(called: &Called<'_>, number: usize) -> Result<Vec<Option<i32>>> {
    let array = cast::to(called.arg(number)?, &DataType::Date32)?;
    Ok(array.as_primitive::<Date32Type>().iter().collect())
}

fn time(micros: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_micros(micros).map(|time| time.naive_utc())
}

fn part(called: &Called<'_>, of: impl Fn(NaiveDateTime) -> i32) -> Result<ArrayRef> {
    let values: Int32Array = micros(called, 0)?
        .into_iter()
        .map(|micros| time(micros?).map(&of))
        .collect();
    Ok(Arc::new(values))
}

/// Of a date; a text is read as one, whatever stands behind it.
fn day_part(called: &Called<'_>, of: impl Fn(NaiveDate) -> i32) -> Result<ArrayRef> {
    let values: Int32Array = days(called, 0)?
        .into_iter()
        .map(|day| java_time::day(day?).map(&of))
        .collect();
    Ok(Arc::new(values))
}

fn dates(values: impl Iterator<Item = Option<NaiveDate>>) -> ArrayRef {
    let values: Date32Array = values.map(|day| java_time::days(day?)).collect();
    Arc::new(values)
}

fn end_of_month(day: NaiveDate) -> Option<NaiveDate> {
    day.with_day(1)?
        .checked_add_months(Months::new(1))?
        .pred_opt()
}

fn last_day(called: &Called<'_>) -> Result<ArrayRef> {
    Ok(dates(
        days(called, 0)?
            .into_iter()
            .map(|day| end_of_month(java_time::day(day?)?)),
    ))
}

fn shifted(
    called: &Called<'_>,
    of: impl Fn(NaiveDate, i64) -> Option<NaiveDate>,
) -> Result<ArrayRef> {
    let (days, numbers) = (days(called, 0)?, longs(called, 1)?);
    Ok(dates(
        days.into_iter()
            .zip(numbers)
            .map(|(day, number)| of(java_time::day(day?)?, number?)),
    ))
}

fn date_add(called: &Called<'_>) -> Result<ArrayRef> {
    shifted(called, |day, number| {
        day.checked_add_signed(TimeDelta::try_days(number)?)
    })
}

fn date_sub(called: &Called<'_>) -> Result<ArrayRef> {
    shifted(called, |day, number| {
        day.checked_sub_signed(TimeDelta::try_days(number)?)
    })
}

/// The 31st becomes the last of a shorter month.
fn add_months(called: &Called<'_>) -> Result<ArrayRef> {
    shifted(called, |day, number| {
        let months = Months::new(u32::try_from(number.unsigned_abs()).ok()?);
        if number < 0 {
            day.checked_sub_months(months)
        } else {
            day.checked_add_months(months)
        }
    })
}

/// Days from the second to the first.
fn datediff(called: &Called<'_>) -> Result<ArrayRef> {
    let (end, start) = (days(called, 0)?, days(called, 1)?);
    let values: Int32Array = end
        .into_iter()
        .zip(start)
        .map(|(end, start)| Some(end?.wrapping_sub(start?)))
        .collect();
    Ok(Arc::new(values))
}

/// The beginning of the unit that a time is in; of an unknown unit null, as in Spark.
fn truncated(unit: &str, micros: i64) -> Option<i64> {
    let of = |size: i64| Some(micros - micros.rem_euclid(size));
    match unit.to_ascii_uppercase().as_str() {
        "MICROSECOND" => Some(micros),
        "MILLISECOND" => of(1_000),
        "SECOND" => of(1_000_000),
        "MINUTE" => of(60_000_000),
        "HOUR" => of(3_600_000_000),
        "DAY" | "DD" => of(java_time::DAY),
        unit => {
            let day = first_day(unit, time(micros)?.date())?;
            i64::from(java_time::days(day)?).checked_mul(java_time::DAY)
        }
    }
}

fn first_day(unit: &str, day: NaiveDate) -> Option<NaiveDate> {
    match unit {
        "WEEK" => day.checked_sub_signed(TimeDelta::days(i64::from(
            day.weekday().num_days_from_monday(),
        ))),
        "MONTH" | "MON" | "MM" => day.with_day(1),
        "QUARTER" => day.with_day(1)?.with_month0(day.month0() / 3 * 3),
        "YEAR" | "YYYY" | "YY" => NaiveDate::from_ymd_opt(day.year(), 1, 1),
        _ => None,
    }
}

fn date_trunc(called: &Called<'_>) -> Result<ArrayRef> {
    let (units, micros) = (strings(called, 0)?, micros(called, 1)?);
    Ok(cast::utc(
        units
            .iter()
            .zip(micros)
            .map(|(unit, micros)| truncated(unit?, micros?)),
    ))
}

fn trunc(called: &Called<'_>) -> Result<ArrayRef> {
    let (days, units) = (days(called, 0)?, strings(called, 1)?);
    Ok(dates(days.into_iter().zip(&units).map(|(day, unit)| {
        first_day(&unit?.to_ascii_uppercase(), java_time::day(day?)?)
    })))
}

/// The pattern of each row, read once where rows share it.
fn by_pattern<V>(
    called: &Called<'_>,
    mut of: impl FnMut(&Pattern, usize) -> Result<Option<V>>,
) -> Result<Vec<Option<V>>> {
    let patterns = strings(called, 1)?;
    let mut last: Option<(String, Pattern)> = None;
    let mut values = Vec::with_capacity(called.rows);
    for (row, text) in patterns.iter().enumerate() {
        let Some(text) = text else {
            values.push(None);
            continue;
        };
        let pattern = match &last {
            Some((before, pattern)) if before == text => pattern,
            _ => &last.insert((text.to_owned(), Pattern::new(text)?)).1,
        };
        values.push(of(pattern, row)?);
    }
    Ok(values)
}

fn formatted(called: &Called<'_>, micros: &[Option<i64>]) -> Result<ArrayRef> {
    let values = by_pattern(called, |pattern, row| {
        Ok(micros[row].and_then(time).map(|time| pattern.format(time)))
    })?;
    Ok(Arc::new(StringArray::from(values)))
}

fn date_format(called: &Called<'_>) -> Result<ArrayRef> {
    formatted(called, &micros(called, 0)?)
}

/// An argument in microseconds, a text by the pattern behind it if there is one.
fn read(called: &Called<'_>) -> Result<Vec<Option<i64>>> {
    if called.args.len() < 2 || *called.arg(0)?.data_type() != DataType::Utf8 {
        return micros(called, 0);
    }
    let texts = strings(called, 0)?;
    by_pattern(called, |pattern, row| {
        if texts.is_null(row) {
            Ok(None)
        } else {
            Ok(pattern.parse(texts.value(row))?)
        }
    })
}

fn to_date(called: &Called<'_>) -> Result<ArrayRef> {
    if called.args.len() < 2 {
        return cast::to(called.arg(0)?, &DataType::Date32);
    }
    Ok(dates(
        read(called)?
            .into_iter()
            .map(|micros| time(micros?).map(|time| time.date())),
    ))
}

fn to_timestamp(called: &Called<'_>) -> Result<ArrayRef> {
    Ok(cast::utc(read(called)?.into_iter()))
}

/// Of a text without a pattern, that of `2018-10-25 10:32:08`.
fn unix_timestamp(called: &Called<'_>) -> Result<ArrayRef> {
    let times = match (called.args.len(), called.arg(0)?.data_type()) {
        (1, DataType::Utf8) => {
            let pattern = Pattern::new("yyyy-MM-dd HH:mm:ss")?;
            let texts = strings(called, 0)?;
            texts
                .iter()
                .map(|text| text.map_or(Ok(None), |text| pattern.parse(text)))
                .collect::<std::result::Result<_, _>>()?
        }
        _ => read(called)?,
    };
    let values: Int64Array = times
        .into_iter()
        .map(|micros| Some(micros?.div_euclid(1_000_000)))
        .collect();
    Ok(Arc::new(values))
}

fn from_unixtime(called: &Called<'_>) -> Result<ArrayRef> {
    let micros: Vec<_> = longs(called, 0)?
        .into_iter()
        .map(|seconds| seconds?.checked_mul(1_000_000))
        .collect();
    if called.args.len() > 1 {
        return formatted(called, &micros);
    }
    let pattern = Pattern::new("yyyy-MM-dd HH:mm:ss")?;
    let values: StringArray = micros
        .into_iter()
        .map(|micros| time(micros?).map(|time| pattern.format(time)))
        .collect();
    Ok(Arc::new(values))
}

fn zoned(called: &Called<'_>, of: impl Fn(Zone, i64) -> Option<i64>) -> Result<ArrayRef> {
    let (micros, names) = (micros(called, 0)?, strings(called, 1)?);
    let mut values = Vec::with_capacity(called.rows);
    let mut last: Option<(&str, Zone)> = None;
    for (micros, name) in micros.into_iter().zip(names.iter()) {
        let (Some(micros), Some(name)) = (micros, name) else {
            values.push(None);
            continue;
        };
        let zone = match last {
            Some((before, zone)) if before == name => zone,
            _ => match Zone::named(name) {
                Some(zone) => last.insert((name, zone)).1,
                None => return datafusion::common::exec_err!("{name} is no time zone"),
            },
        };
        values.push(of(zone, micros));
    }
    Ok(cast::utc(values.into_iter()))
}

fn from_utc_timestamp(called: &Called<'_>) -> Result<ArrayRef> {
    zoned(called, Zone::local)
}

fn to_utc_timestamp(called: &Called<'_>) -> Result<ArrayRef> {
    zoned(called, Zone::to_utc)
}
