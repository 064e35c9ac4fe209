//! Settings from files: the project's and the user's.

use std::borrow::Cow;
use std::env;
use std::fs;
use std::io::ErrorKind;
use std::num::NonZero;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory};
use profile_export::platform::check_local;
use profile_export::store::Scope;
use serde::Deserialize;
use serde_json::json;

use crate::args::Arguments;
use crate::failure::Failure;
use crate::message::shown;
use crate::output::{print, print_json, table};

/// The file of a project, in its folder.
const PROJECT: &str = "profile-export.toml";
/// The file of a user, in the folder of their settings.
const USER: &str = "profile-export/config.toml";
/// The environment's name for the store.
pub const STORE: &str = "PROFILE_EXPORT_STORE";

/// What a file may say; all of it may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    /// The store; from the file's folder on.
    store: Option<PathBuf>,
    org: Option<String>,
    sandbox: Option<String>,
    threads: Option<usize>,
    /// Octal digits.
    umask: Option<String>,
    /// How many jobs of each request are kept, and of how many days.
    keep_last: Option<NonZero<usize>>,
    keep_daily: Option<NonZero<usize>>,
}

/// A value, and the file that it is from.
type Setting = Option<(String, PathBuf)>;

/// What the files say: the project's comes before the user's.
#[derive(Debug, Default)]
pub struct Settings {
    store: Setting,
    org: Setting,
    sandbox: Setting,
    threads: Setting,
    umask: Setting,
    keep_last: Setting,
    keep_daily: Setting,
}

/// The arguments of commands that say what is kept behind a job, each with the environment's name for it.
const KEEPS: [(&str, &str); 2] = [
    ("keep_last", "PROFILE_EXPORT_KEEP_LAST"),
    ("keep_daily", "PROFILE_EXPORT_KEEP_DAILY"),
];

impl Settings {
    /// Reads the files that are there.
    pub fn load() -> Result<Self, Failure> {
        let mut settings = Self::default();
        let project = env::current_dir().ok().and_then(|folder| nearest(&folder));
        for path in [project, user()].into_iter().flatten() {
            settings.add(&path)?;
        }
        Ok(settings)
    }

    fn add(&mut self, path: &Path) -> Result<(), Failure> {
        let refused = |problem: &dyn std::fmt::Display| {
            Failure::usage(format!("{}: {problem}", path.display()))
        };
        let text = match fs::read_to_string(path) {
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(());
            }
            text => text.map_err(|error| refused(&error))?,
        };
        let file: File = toml::from_str(&text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(0, |before| before.matches('\n').count());
            let found = text.lines().nth(line).unwrap_or_default().trim();
            refused(&format!("line {}, {found}: {}", line + 1, error.message()))
        })?;
        if let Some(Err(problem)) = file.store.as_deref().map(check_local) {
            return Err(refused(&format!("store: {problem}")));
        }
        let store = file.store.map(|store| {
            let folder = path.parent().unwrap_or(Path::new("."));
            folder.join(store).to_string_lossy().into_owned()
        });
        for (setting, value) in [
            (&mut self.store, store),
            (&mut self.org, file.org),
            (&mut self.sandbox, file.sandbox),
            (
                &mut self.threads,
                file.threads.map(|threads| threads.to_string()),
            ),
            (&mut self.umask, file.umask),
            (&mut self.keep_last, file.keep_last.map(|n| n.to_string())),
            (&mut self.keep_daily, file.keep_daily.map(|n| n.to_string())),
        ] {
            if setting.is_none() {
                *setting = value.map(|value| (value, path.to_owned()));
            }
        }
        Ok(())
    }

    /// The store that is meant where no argument says one: the environment's, or that of the files.
    pub fn store(&self) -> Option<PathBuf> {
        let of_files = self.store.as_ref().map(|(store, _)| store.into());
        variable(STORE).or(of_files)
    }

    /// The organisation and the sandbox that count where no argument says them.
    pub fn scope(&self) -> Scope {
        let of = |name: &str, setting: &Setting, default: String| {
            let named = env::var(format!("PROFILE_EXPORT_{name}")).ok();
            let of_files = setting.as_ref().map(|(value, _)| value.clone());
            named.or(of_files).unwrap_or(default)
        };
        let default = Scope::default();
        Scope {
            org: of("ORG", &self.org, default.org),
            sandbox: of("SANDBOX", &self.sandbox, default.sandbox),
        }
    }

    /// The program's arguments, with these settings in the places of defaults.
    pub fn command(&self) -> Command {
        let mut command = Arguments::command();
        for (name, setting) in self.global() {
            if let Some((value, _)) = setting {
                let value = value.clone();
                command = command.mut_arg(name, |argument| argument.default_value(value));
            }
        }
        let command = with_store(
            command,
            self.store.as_ref().map(|(store, _)| store.as_str()),
            variable(STORE).is_some(),
        );
        let keeps = KEEPS.iter().zip(self.keeps());
        keeps.fold(command, |command, ((name, _), setting)| match setting {
            Some((value, _)) => with_default(command, name, value),
            None => command,
        })
    }

    fn keeps(&self) -> [&Setting; 2] {
        [&self.keep_last, &self.keep_daily]
    }

    fn global(&self) -> [(&'static str, &Setting); 4] {
        [
            ("org", &self.org),
            ("sandbox", &self.sandbox),
            ("threads", &self.threads),
            ("umask", &self.umask),
        ]
    }
}

/// The commands whose store is an argument of its own, with this one as its default, and the environment's where that
/// names one. Those that may read a folder instead ask [`Settings::store`].
fn with_store(command: Command, store: Option<&str>, is_named: bool) -> Command {
    let has_own = command
        .get_arguments()
        .any(|argument| argument.get_id() == "store" && argument.get_env().is_some());
    let command = match has_own {
        true => command.mut_arg("store", |argument| {
            let argument = match is_named {
                true => argument,
                false => argument.env(Resettable::Reset),
            };
            match store {
                Some(store) => argument.default_value(store.to_owned()).required(false),
                None => argument,
            }
        }),
        false => command,
    };
    command.mut_subcommands(|inner| with_store(inner, store, is_named))
}

/// The commands that take this argument from the environment, too, with this default for it.
fn with_default(command: Command, name: &'static str, value: &str) -> Command {
    let has_it = command
        .get_arguments()
        .any(|argument| argument.get_id() == name && argument.get_env().is_some());
    let command = match has_it {
        true => command.mut_arg(name, |argument| argument.default_value(value.to_owned())),
        false => command,
    };
    command.mut_subcommands(|inner| with_default(inner, name, value))
}

/// The project's file of a folder: its own, or that of one above. Others' files are not heard: a folder above may be
/// anybody's.
fn nearest(folder: &Path) -> Option<PathBuf> {
    let files = folder.ancestors().map(|folder| folder.join(PROJECT));
    let own = rustix::process::geteuid().as_raw();
    files.into_iter().find(|file| {
        file.metadata()
            .is_ok_and(|found| found.is_file() && [own, 0].contains(&found.uid()))
    })
}

fn user() -> Option<PathBuf> {
    home("XDG_CONFIG_HOME", ".config").map(|settings| settings.join(USER))
}

/// The folder that a variable names; a variable without a word is none.
fn variable(name: &str) -> Option<PathBuf> {
    let named = env::var_os(name).filter(|word| !word.is_empty());
    named.map(PathBuf::from)
}

/// A folder of the user's: that of the variable, or this one below their home.
pub fn home(name: &str, below: &str) -> Option<PathBuf> {
    variable(name).or_else(|| Some(variable("HOME")?.join(below)))
}

/// Shows the settings as they count.
pub fn show(
    arguments: &Arguments,
    settings: &Settings,
    matches: &ArgMatches,
    origin: bool,
) -> Result<(), Failure> {
    let mut rows: Vec<[Cow<'_, str>; 3]> = Vec::new();
    for (name, setting) in settings.global() {
        let value = match name {
            "org" => arguments.org.clone(),
            "sandbox" => arguments.sandbox.clone(),
            "umask" => format!("{:03o}", arguments.umask),
            _ => arguments
                .threads
                .map_or_else(|| "one a core".to_owned(), |n| n.to_string()),
        };
        let from = match (matches.value_source(name), setting) {
            (Some(ValueSource::CommandLine), _) => format!("--{name}"),
            (Some(ValueSource::EnvVariable), _) => {
                format!("PROFILE_EXPORT_{}", name.to_ascii_uppercase())
            }
            (_, Some((_, file))) => file.display().to_string(),
            (_, None) => "default".to_owned(),
        };
        rows.push([name.into(), value.into(), from.into()]);
    }
    let from = match (&settings.store, variable(STORE).is_some()) {
        (_, true) => STORE.to_owned(),
        (Some((_, file)), false) => file.display().to_string(),
        (None, false) => "default".to_owned(),
    };
    let store = settings
        .store()
        .map_or_else(|| "none".to_owned(), |s| s.display().to_string());
    rows.insert(0, ["store".into(), store.into(), from.into()]);
    for ((name, variable), setting) in KEEPS.iter().zip(settings.keeps()) {
        let (value, from) = match (env::var(variable), setting) {
            (Ok(value), _) => (value, (*variable).to_owned()),
            (Err(_), Some((value, file))) => (value.clone(), file.display().to_string()),
            (Err(_), None) => ("all".to_owned(), "default".to_owned()),
        };
        rows.push([name.replace('_', "-").into(), value.into(), from.into()]);
    }
    if arguments.json {
        let entries = rows
            .iter()
            .map(|[name, value, from]| (name.to_string(), json!({"value": value, "origin": from})));
        return print_json(&entries.collect::<serde_json::Map<_, _>>());
    }
    if origin {
        let cells = rows.iter().map(|row| row.each_ref().map(|cell| &**cell));
        return print(&table(["SETTING", "VALUE", "FROM"], cells));
    }
    let lines = rows
        .iter()
        .map(|[name, value, _]| format!("{name} = {}\n", shown(value)));
    print(&lines.collect::<String>())
}
