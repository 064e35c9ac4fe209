//! Panics that are told as errors are not told twice.

use std::panic::{self, AssertUnwindSafe, PanicHookInfo, catch_unwind};

use platform::{Error, what_it_said};

use crate::failure::Failure;

/// Keeps what the parquet and arrow crates say about damaged bytes from standard error: whoever reads a file
/// with them catches their panics, and says which file it was and what is wrong with it.
pub fn hush_readers() {
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !is_of_a_reader(info) {
            tell(info);
        }
    }));
}

fn is_of_a_reader(info: &PanicHookInfo<'_>) -> bool {
    let at = info.location().map_or("", |at| at.file());
    at.split('/')
        .any(|part| part.starts_with("parquet-") || part.starts_with("arrow-"))
}

/// Does something, and tells a panic that nobody caught: one of a reader has not been told yet.
pub fn told(work: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let broken = Error::Panic(what_it_said(&*panic));
        Err(Failure::failed(broken.to_string()))
    })
}
