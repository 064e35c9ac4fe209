//! What the fuzz targets hold; `scripts/fuzz` runs them.
//!
//! `cargo test` in this folder goes through the corpus once, without a fuzzer.

pub mod body;
mod dice;
mod expected;
pub mod json;
pub mod json_edits;
pub mod parquet_edits;
pub mod pql;
pub mod run;
pub mod source;
mod tree;

#[path = "../../crates/run/tests/it/contents.rs"]
mod contents;
#[path = "../../crates/run/tests/it/sample.rs"]
mod sample;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use libfuzzer_sys::arbitrary::{Arbitrary, Unstructured};

    use super::{body, json, pql, run, source};

    fn corpus(target: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(target);
        let entries = fs::read_dir(folder).expect("a folder");
        let files: Vec<Vec<u8>> = entries
            .map(|entry| fs::read(entry.expect("a file").path()).expect("its bytes"))
            .collect();
        assert!(!files.is_empty());
        files
    }

    #[test]
    fn the_corpus_of_json_holds() {
        for input in corpus("json") {
            json::check(&input);
        }
    }

    #[test]
    fn the_corpus_of_source_holds() {
        for input in corpus("source") {
            source::check(&input);
        }
    }

    #[test]
    fn the_corpus_of_body_holds() {
        for input in corpus("body") {
            body::check(&input);
        }
    }

    #[test]
    fn the_corpus_of_pql_holds() {
        for input in corpus("pql") {
            pql::check(&input);
        }
    }

    #[test]
    fn the_corpus_of_run_holds() {
        for input in corpus("run") {
            let change = run::Change::arbitrary_take_rest(Unstructured::new(&input));
            change.expect("a change").check();
        }
    }
}
