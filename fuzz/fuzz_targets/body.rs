#![no_main]

use profile_export_fuzz::{body, json_edits};

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::check(input));

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    json_edits::edit(data, size, max_size, seed)
});
