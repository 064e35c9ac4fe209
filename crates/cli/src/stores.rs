//! Which store, and whose part of it.

use std::path::Path;

use profile_export::store::{Scope, Store};

use crate::args::Arguments;
use crate::failure::Failure;

/// Opens a store that must exist.
pub fn open(arguments: &Arguments, folder: &Path) -> Result<Store, Failure> {
    if !folder.join("catalog.sqlite").is_file() {
        return Err(Failure::usage(format!(
            "{}: no store; make one with: profile-export ingest --store {} --from DIR",
            folder.display(),
            folder.display()
        )));
    }
    Ok(Store::open(folder, scope(arguments))?)
}

pub fn scope(arguments: &Arguments) -> Scope {
    Scope {
        org: arguments.org.clone(),
        sandbox: arguments.sandbox.clone(),
    }
}
