#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| profile_export_fuzz::pql::check(input));
