//! Statements that somebody types.

use std::path::{Path, PathBuf};

use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use super::answer::Printer;
use super::run::Runner;
use crate::args::Arguments;
use crate::failure::Failure;
use crate::message::{say, tell};

/// How many lines are remembered.
const REMEMBERED: usize = 1000;

/// Runs one statement after the other, each of which ends with `;`, until its user has enough. What fails is told, and
/// ends nothing.
pub(super) fn ask(
    arguments: &Arguments,
    runner: &Runner,
    printer: &Printer<'_>,
) -> Result<(), Failure> {
    let failed = |error: ReadlineError| Failure::failed(format!("the prompt: {error}"));
    let config = rustyline::Config::builder()
        .max_history_size(REMEMBERED)
        .map_err(failed)?
        .build();
    let mut editor = DefaultEditor::with_config(config).map_err(failed)?;
    let history = history();
    if let Some(history) = &history {
        // There is none before the first time.
        let _ = editor.load_history(history);
    }
    say(
        arguments,
        "Statements end with ; SHOW TABLES; lists what there is. Ctrl-D, exit or \\q ends.",
    );
    let mut typed = String::new();
    loop {
        let prompt = if typed.is_empty() { "sql> " } else { "...> " };
        match editor.readline(prompt) {
            Ok(line) if typed.is_empty() && line.trim().is_empty() => {}
            Ok(line) if typed.is_empty() && is_end(&line) => break,
            Ok(line) => {
                typed.push_str(&line);
                typed.push('\n');
                if !line.trim_end().ends_with(';') {
                    continue;
                }
                let text = std::mem::take(&mut typed);
                editor.add_history_entry(text.trim()).map_err(failed)?;
                remember(&mut editor, history.as_deref());
                if let Err(failure) = statements(arguments, runner, printer, &text) {
                    failure.report();
                }
            }
            // What was typed so far is given up.
            Err(ReadlineError::Interrupted) => typed.clear(),
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}

/// Adds what was typed last to what is remembered: another prompt may do so, too.
fn remember(editor: &mut DefaultEditor, history: Option<&Path>) {
    if let Some(history) = history
        && let Err(error) = editor.append_history(history)
    {
        tell(&format!("{}: {error}", history.display()));
    }
}

fn is_end(line: &str) -> bool {
    let line = line.trim().trim_end_matches(';').trim_end();
    line == "\\q" || line.eq_ignore_ascii_case("exit") || line.eq_ignore_ascii_case("quit")
}

fn statements(
    arguments: &Arguments,
    runner: &Runner,
    printer: &Printer<'_>,
    text: &str,
) -> Result<(), Failure> {
    for statement in runner.session.parse(text)? {
        runner.run(arguments, &statement, printer)?;
    }
    Ok(())
}

/// Where the lines of earlier prompts are: in the user's folder for what programs remember.
fn history() -> Option<PathBuf> {
    let folder = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state"));
    let folder = folder.or_else(home)?.join("profile-export");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("sql_history"))
}
