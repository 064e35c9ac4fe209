//! A small run whose bytes have changed: an error or the right values.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::sync::LazyLock;

use decode::Progress;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use profile_export_run::{Run, RunFiles};
use tempfile::TempDir;
use xdm::{Class, Fields};

use crate::contents::Contents;
use crate::sample::{Sample, events, fragments};

/// No more bytes are cut or copied at once.
const LONGEST: u32 = 1 << 16;

/// What happens to a run.
#[derive(Arbitrary, Debug)]
pub struct Change {
    which: u8,
    edits: Vec<Edit>,
    opened_as: Option<bool>,
    /// What changes when it is open: places in the middle of its records, and bytes.
    later: Vec<(u32, u8)>,
}

/// A change of one file, or of what the catalog knows. Numbers that are too large begin again.
#[derive(Arbitrary, Debug)]
enum Edit {
    Set {
        file: u8,
        at: u32,
        byte: u8,
    },
    Flip {
        file: u8,
        at: u32,
        bit: u8,
    },
    Insert {
        file: u8,
        at: u32,
        bytes: Vec<u8>,
    },
    Cut {
        file: u8,
        at: u32,
        length: u32,
    },
    /// Bytes of one file, put in the place of those of another.
    Copy {
        from: u8,
        at: u32,
        length: u32,
        to: u8,
        there: u32,
    },
    /// A file in the place of another, of this run or of another one.
    Replace {
        run: u8,
        by: u8,
        file: u8,
    },
    Remove {
        file: u8,
    },
    Catalog {
        at: u32,
        byte: u8,
    },
}

/// A run in memory, and what is right.
struct Original {
    class: Class,
    types: Fields,
    /// Names and bytes.
    files: Vec<(String, Vec<u8>)>,
    catalog: Vec<u8>,
    right: Contents,
}

/// Small runs, and some with more blocks.
static ORIGINALS: LazyLock<Vec<Original>> = LazyLock::new(|| {
    let [profiles, events_] = Sample::small();
    let large = [
        Sample::new(Class::Profile, &fragments(1_200)),
        Sample::new(Class::Event, &events(2_500)),
    ];
    [profiles, events_]
        .into_iter()
        .chain(large)
        .map(Original::new)
        .collect()
});

impl Original {
    fn new(sample: Sample) -> Self {
        let folder = sample.folder();
        let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(&folder)
            .expect("a folder")
            .map(|entry| {
                let entry = entry.expect("a file");
                let name = entry.file_name().into_string().expect("a name");
                (name, fs::read(entry.path()).expect("its bytes"))
            })
            .collect();
        files.sort();
        let Sample {
            class,
            types,
            files: known,
            ..
        } = sample;
        Self {
            class,
            right: Contents::open(&folder, class, &types, &known).expect("a whole run"),
            types,
            files,
            catalog: serde_json::to_vec(&known).expect("JSON"),
        }
    }
}

fn pick<T>(items: &[T], number: u8) -> usize {
    usize::from(number) % items.len()
}

fn place(bytes: &[u8], at: u32) -> usize {
    at as usize % (bytes.len() + 1)
}

fn stretch(bytes: &[u8], at: u32, length: u32) -> std::ops::Range<usize> {
    let start = place(bytes, at);
    start..(start + length as usize % LONGEST as usize).min(bytes.len())
}

impl Edit {
    fn apply(&self, files: &mut Vec<(String, Vec<u8>)>, catalog: &mut Vec<u8>) {
        if files.is_empty() {
            return;
        }
        let set = |bytes: &mut Vec<u8>, at: u32, f: &dyn Fn(u8) -> u8| {
            let at = place(bytes, at);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = f(*byte);
            }
        };
        match self {
            Self::Set { file, at, byte } => {
                let file = pick(files, *file);
                set(&mut files[file].1, *at, &|_| *byte);
            }
            Self::Flip { file, at, bit } => {
                let file = pick(files, *file);
                set(&mut files[file].1, *at, &|byte| byte ^ (1 << (bit % 8)));
            }
            Self::Catalog { at, byte } => set(catalog, *at, &|_| *byte),
            Self::Insert { file, at, bytes } => {
                let file = pick(files, *file);
                let at = place(&files[file].1, *at);
                files[file].1.splice(at..at, bytes.iter().copied());
            }
            Self::Cut { file, at, length } => {
                let file = pick(files, *file);
                let cut = stretch(&files[file].1, *at, *length);
                files[file].1.drain(cut);
            }
            Self::Copy {
                from,
                at,
                length,
                to,
                there,
            } => {
                let from = &files[pick(files, *from)].1;
                let bytes = from[stretch(from, *at, *length)].to_vec();
                let to = pick(files, *to);
                let to = &mut files[to].1;
                let start = place(to, *there);
                let end = (start + bytes.len()).min(to.len());
                to.splice(start..end, bytes);
            }
            Self::Replace { run, by, file } => {
                let other = &ORIGINALS[pick(&ORIGINALS, *run)].files;
                let bytes = other[pick(other, *by)].1.clone();
                let file = pick(files, *file);
                files[file].1 = bytes;
            }
            Self::Remove { file } => {
                let file = pick(files, *file);
                files.remove(file);
            }
        }
    }
}

/// Where the second table of a packed file begins: the records come before it.
fn second_table(bytes: &[u8]) -> u32 {
    let (rest, _magic) = bytes.split_last_chunk::<8>().expect("it opened");
    let (rest, length) = rest.split_last_chunk::<8>().expect("it opened");
    let root = &rest[rest.len() - u64::from_le_bytes(*length) as usize..];
    let root: serde_json::Value = serde_json::from_slice(root).expect("it opened");
    let at = root["tables"][1]["schema"]["at"].as_u64();
    at.expect("two tables") as u32
}

impl Change {
    /// Changes a run and reads it.
    ///
    /// # Panics
    /// It reads as something else than it was.
    pub fn check(&self) {
        let original = &ORIGINALS[pick(&ORIGINALS, self.which)];
        let mut files = original.files.clone();
        let mut catalog = original.catalog.clone();
        for edit in &self.edits {
            edit.apply(&mut files, &mut catalog);
        }
        let Ok(known) = serde_json::from_slice::<RunFiles>(&catalog) else {
            return;
        };
        let folder = TempDir::new().expect("a folder");
        for (name, bytes) in &files {
            fs::write(folder.path().join(name), bytes).expect("room");
        }
        let class = match self.opened_as {
            None => original.class,
            Some(false) => Class::Profile,
            Some(true) => Class::Event,
        };
        let checked = known.verify(folder.path(), &Progress::default());
        let whole = checked.is_empty();
        let Ok(run) = Run::open(folder.path(), "dataset", class, &known) else {
            return;
        };
        self.change_later(&folder);
        match Contents::read(&run, &original.types) {
            Ok(found) => assert!(found == original.right, "wrong values"),
            // As a run of another class it lacks what such runs have.
            Err(error) => assert!(
                !whole || !self.later.is_empty() || class != original.class,
                "a whole run: {error}"
            ),
        }
    }

    /// Changes bytes of the records, which come first: opening looks at what is behind them.
    fn change_later(&self, folder: &TempDir) {
        if self.later.is_empty() {
            return;
        }
        let path = folder.path().join("run.pack");
        let file = OpenOptions::new()
            .write(true)
            .open(path)
            .expect("it is open");
        let bytes = fs::read(folder.path().join("run.pack")).expect("it is open");
        let unseen = 8..second_table(&bytes);
        for (at, byte) in self.later.iter().filter(|_| !unseen.is_empty()) {
            let at = unseen.start + at % (unseen.end - unseen.start);
            file.write_all_at(&[*byte], at.into()).expect("room");
        }
    }
}
