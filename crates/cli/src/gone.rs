//! Whether values are gone from a store.

use std::path::Path;

use profile_export::store::{GoneReport, Sought, Store};
use profile_export::xdm::Identity;

use crate::args::Arguments;
use crate::failure::Failure;
use crate::message::shown;
use crate::output::{count, print, print_result};
use crate::progress::Watch;

/// Looks for the ids of identities in every file of a store.
pub fn verify_gone(
    arguments: &Arguments,
    store: &Store,
    identities: &[Identity],
) -> Result<(), Failure> {
    let values: Vec<Sought> = identities.iter().map(|it| Sought::new(&it.id)).collect();
    let watch = Watch::start(arguments, 0);
    let found = store.verify_gone(&values, &watch.progress);
    drop(watch);
    let found = found?;
    if arguments.is_for_machines() {
        print_result(arguments, &found)?;
    } else {
        print_report(store.layout().root(), &found)?;
    }
    judge(&found)
}

/// Prints what still holds a value.
pub fn print_report(root: &Path, found: &GoneReport) -> Result<(), Failure> {
    for file in &found.holding {
        let file = file.strip_prefix(root).unwrap_or(file).display();
        print(&shown(&format!("holds it: {file}")))?;
    }
    for file in &found.mentioning {
        let file = file.strip_prefix(root).unwrap_or(file).display();
        print(&shown(&format!(
            "has the word or the number, which may be another thing: {file}"
        )))?;
    }
    for reason in &found.unread {
        print(&shown(&format!("can't be looked at: {reason}")))?;
    }
    match found.is_gone() {
        true => print(&format!("no file of {} holds it", count(found.files))),
        false => Ok(()),
    }
}

/// Fails where something is not gone.
pub fn judge(found: &GoneReport) -> Result<(), Failure> {
    match (found.holding.len(), found.unread.len()) {
        (0, 0) => Ok(()),
        (holding, unread) => Err(Failure::failed(format!(
            "not gone: {holding} files of the store hold it, {unread} can't be looked at"
        ))),
    }
}
