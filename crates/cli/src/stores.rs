//! Which store, and whose part of it.

use std::path::Path;

use profile_export::store::{Scope, Store};

use crate::args::Arguments;
use crate::failure::Failure;
use crate::message::tell;

/// Opens a store that must exist.
pub fn open(arguments: &Arguments, folder: &Path) -> Result<Store, Failure> {
    if !folder.join("catalog.sqlite").is_file() {
        return Err(Failure::usage(format!(
            "{}: no store; make one with: profile-export ingest --store {} --from DIR",
            folder.display(),
            folder.display()
        )));
    }
    open_or_make(arguments, folder)
}

/// Opens a store, making it where it is missing.
pub fn open_or_make(arguments: &Arguments, folder: &Path) -> Result<Store, Failure> {
    let store = Store::open(folder, scope(arguments))?;
    if arguments.quiet || arguments.json {
        return Ok(store);
    }
    Ok(store.telling_waits(tell))
}

fn scope(arguments: &Arguments) -> Scope {
    Scope {
        org: arguments.org.clone(),
        sandbox: arguments.sandbox.clone(),
    }
}
