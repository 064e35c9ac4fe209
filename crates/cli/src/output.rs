use std::io::{self, ErrorKind, Read, Write};

use serde_json::Value;

use crate::failure::Failure;

/// Prints a result. A reader that has gone away is no failure.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = out
        .write_all(text.as_bytes())
        .and_then(|()| {
            if text.ends_with('\n') {
                Ok(())
            } else {
                out.write_all(b"\n")
            }
        })
        .and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints JSON, indented.
pub fn print_json(value: &Value) -> Result<(), Failure> {
    print(&format!("{value:#}"))
}

/// The text of a file, or of standard input.
pub fn read(name: &str) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let read = if name == "-" {
        io::stdin().lock().read_to_end(&mut text).map(|_| ())
    } else {
        std::fs::read(name).map(|read| text = read)
    };
    read.map_err(|error| Failure::usage(format!("{name}: {error}")))?;
    Ok(text)
}

/// A number with its thousands apart.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A length in the unit that suits it.
pub fn bytes(n: u64) -> String {
    indicatif::HumanBytes(n).to_string()
}
