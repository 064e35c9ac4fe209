#![no_main]

use std::alloc::System;

use cap::Cap;
use profile_export_fuzz::{parquet_edits, source};

/// A small file takes no more memory than this; more is not given, which ends the process.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, 1 << 30);

libfuzzer_sys::fuzz_target!(
    init: source::let_guarded_panics_pass(),
    |input: &[u8]| source::check(input)
);

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    parquet_edits::edit(data, size, max_size, seed)
});
