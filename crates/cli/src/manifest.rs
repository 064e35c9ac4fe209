//! A folder of exports, compared with its manifest.

use std::path::Path;

use profile_export::platform::Manifest;
use serde_json::json;

use crate::args::Arguments;
use crate::failure::Failure;
use crate::message::shown;
use crate::output::{bytes, count, print, print_result};
use crate::progress::Watch;

/// Compares a folder with its manifest.
pub fn verify(arguments: &Arguments, folder: &Path) -> Result<(), Failure> {
    let manifest = Manifest::read(folder)?;
    let manifest = manifest.ok_or_else(|| {
        let text = format!(
            "{}: no _manifest.json; export --out writes one",
            folder.display()
        );
        Failure::missing(text)
    })?;
    let files = || manifest.batches().flat_map(|batch| &batch.files);
    let length: u64 = files().map(|file| file.bytes).sum();
    let watch = Watch::start(arguments, length);
    let problems = manifest.verify(folder, &watch.progress)?;
    drop(watch);
    let profiles = manifest.batches().map(|batch| batch.profiles).sum();
    if arguments.is_for_machines() {
        print_result(
            arguments,
            &json!({"exports": manifest.exports.len(), "files": files().count(), "bytes": length,
                           "profiles": profiles, "problems": problems}),
        )?;
    } else {
        let figures = format!(
            "{} exports, {} files, {}, {} profiles",
            manifest.exports.len(),
            files().count(),
            bytes(length),
            count(profiles)
        );
        print(&format!(
            "{figures}\n{}",
            problems
                .iter()
                .map(|line| shown(line))
                .collect::<Vec<_>>()
                .join("\n")
        ))?;
    }
    match problems.len() {
        0 => Ok(()),
        n => Err(Failure::failed(format!(
            "{}: {n} problems",
            folder.display()
        ))),
    }
}
