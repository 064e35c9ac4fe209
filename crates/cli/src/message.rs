//! What people are told, on standard error and in tables.

use std::borrow::Cow;
use std::io::{self, Write};

use clap::Parser;

use crate::args::Arguments;

/// A text as a terminal may have it: characters that would move its cursor, change its colours, begin a line or
/// turn the direction of writing are written out. Names and records come from anybody.
pub fn shown(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if acts(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Whether a terminal does something else with a character than to show it.
pub fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Line and paragraph separators; marks, embeddings, overrides and isolates of direction.
            '\u{2028}' | '\u{2029}' | '\u{61c}' | '\u{200e}' | '\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Invisible tags, and a byte order mark in the midst of text.
            | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Says one line on standard error. Where it can't be written, the work goes on and its exit code stays.
pub fn tell(line: &str) {
    let line = format!("{}\n", shown(line));
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// Says one line to the user, unless they want silence.
pub fn say(arguments: &Arguments, line: &str) {
    if !arguments.quiet && !arguments.is_for_machines() {
        tell(line);
    }
}

/// Says what is wrong with the arguments, or helps with them.
pub fn of_arguments(error: &clap::Error) -> io::Result<()> {
    let given: Vec<String> = std::env::args_os()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    if !given.iter().any(|argument| argument.chars().any(acts)) {
        return error.print();
    }
    // What is wrong with them as they are shown: in the error itself its lines and those of an argument can't
    // be told apart.
    match Arguments::try_parse_from(given.iter().map(|argument| shown(argument).into_owned())) {
        Err(error) => error.print(),
        Ok(_) => {
            tell(&error.render().to_string());
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_written_out_and_the_rest_stays() {
        assert_eq!(
            shown("a\u{1b}[31m\nb\u{9b}c\u{202e}d\u{7f}"),
            "a\\u{1b}[31m\\nb\\u{9b}c\\u{202e}d\\u{7f}"
        );
        for plain in [
            "crm",
            "Größe",
            "客户",
            "\u{1f469}\u{200d}\u{1f4bb}",
            "a\\nb",
            "شخص",
        ] {
            assert_eq!(shown(plain), plain);
        }
    }
}
