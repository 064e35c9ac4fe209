//! Calls of the program that fail, or that it does not outlive: a library loaded before libc counts the
//! calls below a folder by class, and breaks the one that a test asks for.

use std::fmt;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Builds the library where it is not there yet. It is C: `open` is variadic, which stable Rust can't define, and
/// the workspace denies `unsafe`; a C compiler is needed for SQLite anyway.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/shim/shim.c");
        let digest = {
            let mut hasher = DefaultHasher::new();
            fs::read(&source).unwrap().hash(&mut hasher);
            hasher.finish()
        };
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let library = folder.join(format!("shim-{digest:016x}.so"));
        if library.exists() {
            return library;
        }
        // Under a name of its own until it is whole: nextest runs many processes at once.
        let part = folder.join(format!("shim-{}.part", std::process::id()));
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let output = Command::new(&compiler)
            .args(["-shared", "-fPIC", "-O1", "-fno-delete-null-pointer-checks"])
            .arg("-o")
            .args([&part, &source])
            .arg("-ldl")
            .output()
            .unwrap_or_else(|e| panic!("{compiler:?}, the C compiler: {e}"));
        assert!(output.status.success(), "{output:?}");
        fs::rename(&part, &library).unwrap();
        library
    })
}

/// Kinds of calls that touch files, which are counted one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    Write,
    Sync,
    Rename,
    Open,
    Stat,
    Mkdir,
    Unlink,
    Truncate,
}

impl Class {
    pub const ALL: [Self; 8] = [
        Self::Write,
        Self::Sync,
        Self::Rename,
        Self::Open,
        Self::Stat,
        Self::Mkdir,
        Self::Unlink,
        Self::Truncate,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Rename => "rename",
            Self::Open => "open",
            Self::Stat => "stat",
            Self::Mkdir => "mkdir",
            Self::Unlink => "unlink",
            Self::Truncate => "truncate",
        }
    }

    /// Whether a kill beside such a call can leave another disk behind than one beside the call before.
    pub fn changes_the_disk(self) -> bool {
        !matches!(self, Self::Open | Self::Stat)
    }
}

/// What befalls a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It fails with this errno.
    Fails(Errno),
    /// The process is killed instead of it.
    KilledBefore,
    /// The process is killed when it is done.
    KilledAfter,
    /// It writes half of its bytes and says so, as a write may; no other call does half.
    Short,
    /// The process stops before it, until it gets SIGCONT.
    Stopped,
}

/// Errors by the numbers that Linux has for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errno {
    Eintr = 4,
    Eio = 5,
    Eacces = 13,
    Emfile = 24,
    Enospc = 28,
}

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub class: Class,
    /// Which call of its class, from 1.
    pub number: u64,
    pub what: What,
    /// Whether all later ones of its class fail, too.
    pub and_all_later: bool,
}

impl fmt::Display for Fault {
    /// As the library reads it, and a reader may say it again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::Fails(errno) => (errno as i32).to_string(),
            What::KilledBefore => "before".to_owned(),
            What::KilledAfter => "after".to_owned(),
            What::Short => "short".to_owned(),
            What::Stopped => "stop".to_owned(),
        };
        let how = if self.and_all_later { "on" } else { "once" };
        write!(f, "{} {} {what} {how}", self.class.word(), self.number)
    }
}

/// A call that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub class: Class,
    pub failed: bool,
    /// Where, below the folder that is watched.
    pub path: PathBuf,
    /// What it was renamed to.
    pub to: Option<PathBuf>,
}

/// Lets a command's calls below `root` be counted, and one of them go wrong.
pub fn watch(command: &mut Command, root: &Path, fault: Option<Fault>, log: Option<&Path>) {
    let root = fs::canonicalize(root).unwrap();
    command
        .env("LD_PRELOAD", library())
        .env("FAULTS_ROOT", &root);
    if let Some(fault) = fault {
        command.env("FAULTS_CALL", fault.to_string());
    }
    if let Some(log) = log {
        command.env("FAULTS_LOG", log);
    }
}

/// The calls of a log, in the order in which they were done.
pub fn calls(log: &Path) -> Vec<Call> {
    let text = fs::read_to_string(log).unwrap_or_else(|e| panic!("{}: {e}", log.display()));
    text.lines().map(call).collect()
}

fn call(line: &str) -> Call {
    let parts: Vec<&str> = line.split('\t').collect();
    let [class, _number, result, path, to] = parts[..] else {
        panic!("{line:?} is no line of the library's log");
    };
    let relative = |path: &str| PathBuf::from(path.trim_start_matches('/'));
    Call {
        class: Class::ALL
            .into_iter()
            .find(|known| known.word() == class)
            .unwrap_or_else(|| panic!("{class:?} is no class of calls")),
        failed: result != "ok",
        path: relative(path),
        to: (!to.is_empty()).then(|| relative(to)),
    }
}

/// How many calls of a class there were.
pub fn count(calls: &[Call], class: Class) -> u64 {
    calls.iter().filter(|call| call.class == class).count() as u64
}
