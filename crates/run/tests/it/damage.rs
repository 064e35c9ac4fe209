//! Whatever bytes change, a reader gives an error or the right values.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use profile_export_run::Run;
use xdm::Class;

use crate::contents::Contents;
use crate::plain::PlainFile;
use crate::sample::{Sample, events, fragments};

/// The files in a sample's folder, seals too.
fn paths(sample: &Sample) -> Vec<PathBuf> {
    let entries = fs::read_dir(sample.folder()).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn contents(sample: &Sample) -> Option<Contents> {
    let Sample {
        class,
        types,
        files,
        ..
    } = sample;
    Contents::open(&sample.folder(), *class, types, files).ok()
}

/// A file of which one byte is changed for a while.
struct Flipped {
    file: File,
    at: u64,
    was: u8,
}

impl Flipped {
    fn new(path: &Path, at: u64) -> Self {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        let [was] = byte;
        let now = was ^ (1 << (at % 8));
        file.write_all_at(&[now], at).unwrap();
        Self { file, at, was }
    }
}

impl Drop for Flipped {
    fn drop(&mut self) {
        self.file.write_all_at(&[self.was], self.at).unwrap();
    }
}

/// Every place of a file, or some of them, as far apart as makes the test quick.
fn places(length: u64, stride: usize) -> impl Iterator<Item = u64> {
    let deep = std::env::var_os("PROFILE_EXPORT_DEEP_TESTS").is_some();
    (0..length).step_by(if deep { 1 } else { stride })
}

#[test]
fn a_run_without_one_of_its_files_is_an_error() {
    for sample in Sample::small() {
        for path in paths(&sample) {
            let away = path.with_extension("away");
            fs::rename(&path, &away).unwrap();
            assert_eq!(contents(&sample), None, "{path:?}");
            fs::rename(&away, &path).unwrap();
        }
        assert!(contents(&sample).is_some());
    }
}

#[test]
fn a_file_that_ends_too_early_or_too_late_is_an_error() {
    for sample in Sample::small() {
        for path in paths(&sample) {
            let whole = fs::read(&path).unwrap();
            let file = OpenOptions::new().write(true).open(&path).unwrap();
            for length in 0..whole.len() as u64 {
                file.set_len(length).unwrap();
                assert_eq!(contents(&sample), None, "{length} bytes of {path:?}");
                file.write_all_at(&whole, 0).unwrap();
            }
            file.set_len(whole.len() as u64 + 1).unwrap();
            assert_eq!(contents(&sample), None, "a byte more of {path:?}");
            file.set_len(whole.len() as u64).unwrap();
        }
        assert!(contents(&sample).is_some());
    }
}

#[test]
fn a_byte_that_changes_is_an_error() {
    for sample in Sample::small() {
        let right = contents(&sample).expect("the sample");
        let mut unread = Vec::new();
        for path in paths(&sample) {
            for at in 0..path.metadata().unwrap().len() {
                let flipped = Flipped::new(&path, at);
                if let Some(found) = contents(&sample) {
                    assert!(found == right, "byte {at} of {path:?}: wrong values");
                    unread.push(at);
                }
                drop(flipped);
            }
        }
        // One block alone is not read: the first records of persons that have one each.
        let is_one_block = unread.windows(2).all(|two| two[0] + 1 == two[1]);
        assert!(is_one_block && unread.len() < 40, "{unread:?}");
        assert!(contents(&sample).is_some());
    }
}

/// A sample whose records take many blocks.
fn large(class: Class) -> Sample {
    Sample::new(
        class,
        &match class {
            Class::Profile => fragments(2_000),
            Class::Event => events(4_000),
        },
    )
}

#[test]
fn a_byte_among_many_is_an_error_or_was_not_asked_for_and_a_check_of_all_tells() {
    for class in Class::ALL {
        let sample = large(class);
        let right = contents(&sample).unwrap();
        assert!(
            sample
                .files
                .verify(&sample.folder(), &<_>::default())
                .is_empty()
        );
        let path = sample.folder().join("run.pack");
        let mut errors = 0;
        for at in places(path.metadata().unwrap().len(), 997) {
            let flipped = Flipped::new(&path, at);
            match contents(&sample) {
                None => errors += 1,
                Some(found) => assert!(found == right, "byte {at}: wrong values"),
            }
            assert_eq!(
                sample.files.verify(&sample.folder(), &<_>::default()).len(),
                1,
                "byte {at}"
            );
            drop(flipped);
        }
        assert!(errors > 0);
    }
}

#[test]
fn a_byte_that_changes_after_a_run_was_opened_is_an_error_when_it_is_asked_for() {
    for class in Class::ALL {
        let sample = large(class);
        let path = sample.folder().join("run.pack");
        let right = contents(&sample).unwrap();
        let mut errors = 0;
        // The records come first; the keys behind them are read in place, and not checked again.
        let root = PlainFile::open(&path).root;
        let end = root["tables"][1]["schema"]["at"].as_u64().unwrap();
        for at in (2_000..end).step_by(499) {
            let run = Run::open(&sample.folder(), "dataset", class, &sample.files).unwrap();
            let flipped = Flipped::new(&path, at);
            let found = Contents::read(&run, &sample.types);
            match found {
                Err(error) => {
                    let error = error.to_string();
                    assert!(error.contains("have changed"), "byte {at}: {error}");
                    errors += 1;
                }
                Ok(found) => assert!(found == right, "byte {at}: wrong values"),
            }
            drop(flipped);
        }
        assert!(errors > 10, "{errors}");
    }
}
