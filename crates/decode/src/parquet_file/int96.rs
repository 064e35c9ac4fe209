//! INT96 timestamps: whether microseconds hold them. The parquet crate wraps those that don't fit.

use parquet::arrow::arrow_reader::RowGroups;
use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::data_type::Int96;
use parquet::errors::ParquetError;
use parquet::file::reader::ChunkReader;

use super::pages::CheckedRowGroups;
use super::{Problem, unreadable};

/// 1970-01-01 as a Julian day.
const EPOCH: i128 = 2_440_588;
const MICROS_OF_DAY: i128 = 86_400_000_000;
/// Values that are read in one go.
pub(super) const BATCH: usize = 4096;

/// Refuses row groups with a timestamp beyond what microseconds hold in one of these leaf columns.
pub(super) fn check_int96<R: ChunkReader + 'static>(
    row_groups: &CheckedRowGroups<R>,
    leaves: &[usize],
) -> Result<(), Problem> {
    for leaf in leaves {
        if let Some(day) = day_beyond(row_groups, *leaf).map_err(unreadable)? {
            let file = row_groups.metadata.file_metadata();
            let column = file.schema_descr().column(*leaf);
            return Err(Problem(format!(
                "column {} has an INT96 timestamp on the Julian day {day}, which is beyond what microseconds hold",
                column.path().string()
            )));
        }
    }
    Ok(())
}

/// The first day that doesn't fit.
fn day_beyond<R: ChunkReader + 'static>(
    row_groups: &CheckedRowGroups<R>,
    leaf: usize,
) -> Result<Option<i32>, ParquetError> {
    let column = row_groups
        .metadata
        .file_metadata()
        .schema_descr()
        .column(leaf);
    let (mut definitions, mut repetitions) = (Vec::new(), Vec::new());
    let mut values = Vec::new();
    for pages in row_groups.column_chunks(leaf)? {
        let reader = get_column_reader(column.clone(), pages?);
        let ColumnReader::Int96ColumnReader(mut reader) = reader else {
            continue;
        };
        loop {
            definitions.clear();
            repetitions.clear();
            values.clear();
            row_groups.budget.begin_batch();
            let (records, _, _) = reader.read_records(
                BATCH,
                Some(&mut definitions),
                Some(&mut repetitions),
                &mut values,
            )?;
            if let Some(found) = values.iter().find(|value| !fits(value)) {
                return Ok(Some(day(found)));
            }
            if records == 0 {
                break;
            }
        }
    }
    Ok(None)
}

fn day(value: &Int96) -> i32 {
    value.data()[2] as i32
}

fn fits(value: &Int96) -> bool {
    let [low, high, _] = *value.data() else {
        return false;
    };
    let nanos = ((i128::from(high as i32)) << 32) + i128::from(low);
    let micros = (i128::from(day(value)) - EPOCH) * MICROS_OF_DAY + nanos / 1_000;
    i64::try_from(micros).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_fit_that_microseconds_reach() {
        let at = |day: i32, nanos: u32| {
            let mut value = Int96::new();
            value.set_data(nanos, 0, day as u32);
            value
        };
        // 106,751,991 days are 9,223,372,022,400,000,000 µs.
        for (day, fits_in) in [
            (0, true),
            (2_440_588, true),
            (2_440_588 + 106_751_991, true),
            (2_440_588 + 106_751_992, false),
            (2_440_588 - 106_751_992, false),
            (i32::MIN, false),
        ] {
            assert_eq!(fits(&at(day, 0)), fits_in, "{day}");
        }
    }
}
