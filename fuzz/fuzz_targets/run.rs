#![no_main]

libfuzzer_sys::fuzz_target!(|change: profile_export_fuzz::run::Change| change.check());
