//! Completions for shells, and pages for man.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_complete::env::Shells;

use crate::args::{Arguments, CompletionsArgs};
use crate::failure::Failure;
use crate::message::say;
use crate::output::print;
use crate::settings;

const NAME: &str = "profile-export";
/// The variable in which a shell asks the program for completions.
pub const VARIABLE: &str = "PROFILE_EXPORT_COMPLETE";

pub fn run(arguments: &Arguments, completions: &CompletionsArgs) -> Result<(), Failure> {
    // Without anybody's settings.
    let command = Arguments::command();
    if let Some(folder) = &completions.man_pages {
        return write_pages(command, folder);
    }
    let shell = match completions.shell {
        Some(shell) => shell,
        None => Shell::from_env().ok_or_else(|| {
            Failure::usage("which shell? give bash, zsh, fish, powershell or elvish")
        })?,
    };
    let script = script(shell)?;
    if !completions.install {
        return print(&script);
    }
    let path = place(shell)?;
    write(&path, script.as_bytes())?;
    let pages = data()?.join("man/man1");
    write_pages(command, &pages)?;
    say(
        arguments,
        &format!("{}\n{}", path.display(), pages.display()),
    );
    if shell == Shell::Zsh {
        let folder = path.parent().unwrap_or(&path).display().to_string();
        say(
            arguments,
            &format!("in ~/.zshrc, before compinit: fpath+=({folder})"),
        );
    }
    Ok(())
}

/// The script that makes a shell ask this program.
fn script(shell: Shell) -> Result<String, Failure> {
    let shells = Shells::builtins();
    let completer = shells.completer(&shell.to_string());
    let completer = completer.ok_or_else(|| Failure::usage(format!("{shell}: not known")))?;
    let mut script = Vec::new();
    completer
        .write_registration(VARIABLE, NAME, NAME, NAME, &mut script)
        .map_err(|error| Failure::failed(error.to_string()))?;
    String::from_utf8(script).map_err(|error| Failure::failed(error.to_string()))
}

/// Where a shell looks for completions of a user.
fn place(shell: Shell) -> Result<PathBuf, Failure> {
    Ok(match shell {
        Shell::Bash => data()?.join("bash-completion/completions").join(NAME),
        Shell::Zsh => data()?.join("zsh/site-functions").join(format!("_{NAME}")),
        Shell::Fish => home("XDG_CONFIG_HOME", ".config")?
            .join("fish/completions")
            .join(format!("{NAME}.fish")),
        other => {
            return Err(Failure::usage(format!(
                "{other} has no folder for completions; print them into its profile: completions {other}"
            )));
        }
    })
}

fn data() -> Result<PathBuf, Failure> {
    home("XDG_DATA_HOME", ".local/share")
}

fn home(variable: &str, below: &str) -> Result<PathBuf, Failure> {
    settings::home(variable, below).ok_or_else(|| Failure::failed("HOME is not set"))
}

/// A page for the program and each of its commands.
fn write_pages(command: Command, folder: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::failed(format!("{}: {error}", folder.display()));
    fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(command, folder).map_err(failed)
}

fn write(path: &Path, text: &[u8]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::failed(format!("{}: {error}", path.display()));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::write(path, text).map_err(failed)
}
