//! Which store, and whose part of it.

use std::io::ErrorKind;
use std::path::Path;

use profile_export::store::{Scope, Store};

use crate::args::Arguments;
use crate::failure::Failure;
use crate::message::tell;

/// Opens a store that must exist.
pub fn open(arguments: &Arguments, folder: &Path) -> Result<Store, Failure> {
    let catalog = folder.join("catalog.sqlite");
    match catalog.metadata() {
        Ok(found) if found.is_file() => open_or_make(arguments, folder),
        Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Err(Failure::failed(format!("{}: {error}", catalog.display())))
        }
        _ => Err(Failure::usage(format!(
            "{}: no store; make one with: profile-export ingest --store {} --from DIR",
            folder.display(),
            folder.display()
        ))),
    }
}

/// Opens a store, making it where it is missing.
pub fn open_or_make(arguments: &Arguments, folder: &Path) -> Result<Store, Failure> {
    let store = Store::open(folder, scope(arguments))?;
    if arguments.quiet || arguments.is_for_machines() {
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
