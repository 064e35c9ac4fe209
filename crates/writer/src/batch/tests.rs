use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{DataType, Field, Fields, Schema};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

use super::*;
use crate::error::WriteError;

struct Place {
    _folder: TempDir,
    staging: PathBuf,
    target: PathBuf,
}

fn place() -> Place {
    let folder = TempDir::new().expect("a folder");
    Place {
        staging: folder.path().join("staging"),
        target: folder.path().join("batch"),
        _folder: folder,
    }
}

impl Place {
    fn create(&self, options: BatchOptions) -> Result<BatchWriter> {
        let schema = numbers(0..1).schema();
        BatchWriter::create(self.staging.clone(), self.target.clone(), schema, options)
    }

    fn staged(&self, options: BatchOptions, batches: &[RecordBatch]) -> StagedBatch {
        let mut writer = self.create(options).expect("a batch");
        for batch in batches {
            writer.write(batch.clone()).expect("rows");
        }
        writer.finish().expect("files")
    }
}

/// Publishes a batch and says where it is.
fn shown(staged: StagedBatch) -> PathBuf {
    let target = staged.target().to_owned();
    publish(&mut [staged], true).expect("published");
    target
}

fn numbers(numbers: std::ops::Range<i64>) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers));
    RecordBatch::try_from_iter([("n", column)]).expect("a batch")
}

fn read(path: &Path) -> Vec<RecordBatch> {
    let file = File::open(path).expect("a file");
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).expect("a Parquet file");
    builder
        .build()
        .expect("a reader")
        .collect::<std::result::Result<_, _>>()
        .expect("rows")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    let mut names: Vec<String> = entries
        .map(|entry| name(entry).into_string().expect("a name"))
        .collect();
    names.sort();
    names
}

#[test]
fn a_batch_is_seen_all_at_once_when_it_is_published() {
    let place = place();
    let syncs = Arc::new(Syncs::default());
    let options = BatchOptions {
        syncs: Some(Arc::clone(&syncs)),
        max_rows_per_file: Some(2),
        ..BatchOptions::default()
    };
    let staged = place.staged(options, &[numbers(0..3)]);
    syncs.wait().expect("synced");
    assert!(!place.target.exists());
    let infos = staged.files().to_vec();
    assert_eq!(shown(staged), place.target);
    assert!(!place.staging.exists());
    assert_eq!(
        names(&place.target),
        ["part-00000.parquet", "part-00001.parquet"]
    );
    assert_eq!(
        infos.iter().map(|info| info.rows).collect::<Vec<_>>(),
        [2, 1]
    );
    for info in infos {
        let bytes = fs::read(place.target.join(&info.name)).expect("a file");
        assert_eq!(info.length, bytes.len() as u64);
        assert_eq!(info.digest, xdm::digest128(&bytes));
    }
}

#[test]
fn a_batch_that_is_dropped_takes_its_files_with_it() {
    let place = place();
    let mut writer = place.create(BatchOptions::default()).expect("a batch");
    writer.write(numbers(0..3)).expect("rows");
    assert_eq!(names(&place.staging), ["part-00000.parquet"]);
    drop(writer);
    assert!(!place.staging.exists());

    drop(place.staged(BatchOptions::default(), &[numbers(0..3)]));
    assert!(!place.staging.exists() && !place.target.exists());
}

#[test]
fn a_next_file_begins_after_so_many_rows() {
    for (max, batches, expected) in [
        (3, vec![numbers(0..2), numbers(2..8)], vec![3, 3, 2]),
        (3, vec![numbers(0..3), numbers(3..6)], vec![3, 3]),
        (10, vec![numbers(0..2), numbers(2..8)], vec![8]),
        (0, vec![numbers(0..2)], vec![1, 1]),
    ] {
        let place = place();
        let options = BatchOptions {
            max_rows_per_file: Some(max),
            ..BatchOptions::default()
        };
        let staged = place.staged(options, &batches);
        let rows: Vec<u64> = staged.files().iter().map(|file| file.rows).collect();
        assert_eq!(rows, expected, "at most {max}");
        let folder = shown(staged);
        let batches = names(&folder)
            .into_iter()
            .flat_map(|name| read(&folder.join(name)));
        let found =
            arrow::compute::concat_batches(&numbers(0..0).schema(), &batches.collect::<Vec<_>>());
        assert_eq!(
            found.expect("rows"),
            numbers(0..expected.iter().sum::<u64>() as i64)
        );
    }
}

#[test]
fn an_empty_batch_is_one_file_without_rows() {
    let place = place();
    let staged = place.staged(BatchOptions::default(), &[numbers(0..0)]);
    let rows: Vec<u64> = staged.files().iter().map(|file| file.rows).collect();
    assert_eq!(rows, [0]);
    let folder = shown(staged);
    assert_eq!(names(&folder), ["part-00000.parquet"]);
    let file = File::open(folder.join("part-00000.parquet")).expect("a file");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a Parquet file");
    assert_eq!(reader.schema().fields(), numbers(0..0).schema().fields());
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
}

#[test]
fn a_target_that_exists_is_an_error_and_stays_as_it_is() {
    let place = place();
    let staged = place.staged(BatchOptions::default(), &[numbers(0..1)]);
    fs::create_dir(&place.target).expect("a folder");
    let error = publish(&mut [staged], true).expect_err("it exists");
    assert!(
        matches!(&error, WriteError::Io { path, source }
            if *path == place.target && source.kind() == std::io::ErrorKind::AlreadyExists),
        "{error}"
    );
    assert_eq!(names(&place.target), [] as [String; 0]);
    assert!(!place.staging.exists());
}

#[test]
fn where_one_of_several_batches_cant_be_published_none_is() {
    let folder = TempDir::new().expect("a folder");
    let batch = |name: &str| {
        let (staging, target) = (
            folder.path().join(format!("staged-{name}")),
            folder.path().join(name),
        );
        let schema = numbers(0..1).schema();
        let writer = BatchWriter::create(staging, target, schema, BatchOptions::default());
        writer.and_then(BatchWriter::finish).expect("files")
    };
    let mut batches = ["a", "b", "c"].map(batch);
    fs::create_dir(folder.path().join("b")).expect("a folder");
    publish(&mut batches, true).expect_err("b exists");
    assert_eq!(
        names(folder.path()),
        ["b", "staged-a", "staged-b", "staged-c"]
    );
    drop(batches);
    assert_eq!(names(folder.path()), ["b"]);
    fs::remove_dir(folder.path().join("b")).expect("removed");
    publish(&mut ["a", "b", "c"].map(batch), true).expect("published");
    assert_eq!(names(folder.path()), ["a", "b", "c"]);
}

#[test]
fn a_staging_folder_that_exists_is_an_error_and_stays_as_it_is() {
    let place = place();
    fs::create_dir(&place.staging).expect("a folder");
    fs::write(place.staging.join("other"), "").expect("a file");
    assert!(matches!(
        place.create(BatchOptions::default()),
        Err(WriteError::Io { .. })
    ));
    assert_eq!(names(&place.staging), ["other"]);
}

#[test]
fn a_schema_that_parquet_cant_hold_leaves_no_folder_behind() {
    let place = place();
    let empty = Field::new("empty", DataType::Struct(Fields::empty()), true);
    let schema = Arc::new(Schema::new(vec![empty]));
    let (staging, target) = (place.staging.clone(), place.target.clone());
    let made = BatchWriter::create(staging, target, schema, BatchOptions::default());
    assert!(matches!(made, Err(WriteError::Parquet { .. })));
    assert!(!place.staging.exists());
}

#[test]
fn a_batch_whose_visibility_is_not_durable_is_taken_back() {
    let place = place();
    let parent = place.target.parent().expect("a folder").join("goal");
    fs::create_dir(&parent).expect("a folder");
    let target = parent.join("batch");
    let schema = numbers(0..1).schema();
    let (staging, options) = (place.staging.clone(), BatchOptions::default());
    let writer = BatchWriter::create(staging, target.clone(), schema, options);
    let staged = writer.and_then(BatchWriter::finish).expect("files");
    // Names can be changed in such a folder, but it can't be opened to be synced.
    let mode = std::os::unix::fs::PermissionsExt::from_mode;
    fs::set_permissions(&parent, mode(0o300)).expect("rights");
    if File::open(&parent).is_ok() {
        eprintln!("skipped: rights do not bind the superuser");
        return;
    }
    assert!(publish(&mut [staged], true).is_err());
    fs::set_permissions(&parent, mode(0o700)).expect("rights");
    assert_eq!(names(&parent), [""; 0]);
    assert!(!place.staging.exists());
}

/// A batch of one file of this name, whose files lie among others.
fn spread(root: &Path, name: &str, replaces: &[&str]) -> StagedBatch {
    let hidden = root.join("hidden");
    fs::create_dir_all(&hidden).expect("a folder");
    let options = BatchOptions {
        names: Some(FileNames::new(vec![name.to_owned()])),
        spread: Some(Spread {
            replaces: replaces.iter().map(|name| (*name).to_owned()).collect(),
            aside: hidden.join("replaced"),
        }),
        ..BatchOptions::default()
    };
    let staging = hidden.join(name.replace('/', "-"));
    let rows = numbers(0..3);
    let writer = BatchWriter::create(staging, root.join("out"), rows.schema(), options);
    let mut writer = writer.expect("a batch");
    writer.write(rows).expect("rows");
    writer.finish().expect("a file")
}

#[test]
fn files_among_others_are_seen_by_a_rename_each_and_take_the_place_of_those_that_they_may() {
    let folder = TempDir::new().expect("a folder");
    let out = folder.path().join("out");
    fs::create_dir_all(out.join("gold")).expect("a folder");
    fs::write(out.join("gold/a.parquet"), "old").expect("a file");
    fs::write(out.join("gold/mine"), "mine").expect("a file");
    let mut batches = [
        spread(folder.path(), "gold/a.parquet", &["gold/a.parquet"]),
        spread(folder.path(), "b.parquet", &[]),
    ];
    publish(&mut batches, true).expect("published");
    assert_eq!(names(&out), ["b.parquet", "gold"]);
    assert_eq!(names(&out.join("gold")), ["a.parquet", "mine"]);
    for name in ["gold/a.parquet", "b.parquet"] {
        assert_eq!(read(&out.join(name)), [numbers(0..3)]);
    }
    // What gave way is there until its caller clears the hidden folder.
    let aside = folder.path().join("hidden/replaced/gold/a.parquet");
    assert_eq!(fs::read_to_string(aside).expect("a file"), "old");
}

#[test]
fn where_one_file_among_others_can_not_be_shown_all_are_taken_back_and_what_gave_way_returns() {
    let folder = TempDir::new().expect("a folder");
    let out = folder.path().join("out");
    fs::create_dir(&out).expect("a folder");
    for name in ["a.parquet", "b.parquet"] {
        fs::write(out.join(name), "old").expect("a file");
    }
    let mut batches = [
        spread(folder.path(), "a.parquet", &["a.parquet"]),
        spread(folder.path(), "b.parquet", &["a.parquet"]),
    ];
    let error = publish(&mut batches, false).expect_err("it is there");
    assert!(error.to_string().contains("b.parquet"), "{error}");
    for name in ["a.parquet", "b.parquet"] {
        let text = fs::read_to_string(out.join(name)).expect("a file");
        assert_eq!(text, "old", "{name}");
    }
    // Once more where nothing is left to take back, as after a process that died meanwhile.
    let hidden = folder.path().join("hidden");
    let again = crate::take_back(
        &hidden.join("a.parquet"),
        &out,
        &hidden.join("replaced"),
        ["a.parquet"],
    );
    again.expect("nothing to do");
    assert_eq!(
        fs::read_to_string(out.join("a.parquet")).expect("a file"),
        "old"
    );
}
