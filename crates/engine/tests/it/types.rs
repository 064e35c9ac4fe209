//! Every type of Arrow and Parquet input: what it becomes, or that it is refused. The tables here are the
//! tables of docs/types.md, too.

mod arrow_types;
pub mod outcome;
mod page;
mod parquet_types;

use std::fs;
use std::path::Path;

use profile_export::store::{BadRecordLimit, OnBadRecord};
use profile_export::xdm::Class;
use serde_json::json;

use self::outcome::{CRM, Outcome, by_arrow, by_parquet, shown};
use crate::scratch::Scratch;

/// Set to write the document anew instead of comparing it.
const WRITE_DOCS: &str = "PROFILE_EXPORT_WRITE_DOCS";

#[test]
fn arrow_types_become_what_is_said_of_them() {
    for case in arrow_types::cases() {
        let name = case.name();
        let expected = case.expected();
        assert_eq!(
            by_arrow(&case.field, &case.values),
            expected,
            "{name}, in memory"
        );
        // What Parquet has no place for can't come that way.
        if let Some(file) = case.as_parquet() {
            assert_eq!(by_parquet(&file), expected, "{name}, in a file");
        }
    }
}

#[test]
fn parquet_types_become_what_is_said_of_them() {
    for case in parquet_types::cases() {
        assert_eq!(by_parquet(&case.file()), case.expected(), "{}", case.name);
    }
}

#[test]
fn the_document_has_what_the_tests_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/types.md");
    let page = page::page(&arrow_types::cases(), &parquet_types::cases());
    if std::env::var_os(WRITE_DOCS).is_some() {
        fs::write(&path, &page).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == page,
        "docs/types.md is not what the tests say; {WRITE_DOCS}=1 cargo test -p profile-export types writes it"
    );
}

#[test]
fn a_field_that_is_a_string_takes_decimals_as_their_text() {
    let scratch = Scratch::new();
    let schema = json!({"type": "object", "properties": {"v": {"type": "string"}}});
    scratch.dataset(
        CRM,
        Class::Profile,
        json!({"schema": schema, "primaryIdentity": "k=Email"}),
    );
    for case in arrow_types::cases() {
        let is_decimal = matches!(
            case.field.data_type(),
            arrow::datatypes::DataType::Decimal256(..)
        );
        if !is_decimal {
            continue;
        }
        let file = case.as_parquet().unwrap();
        scratch.load_text(CRM, file, &OnBadRecord::Fail).unwrap();
        let texts: Vec<String> = (0..case.values.len())
            .map(|row| shown(&case.values, row))
            .collect();
        let values = outcome::exported(&scratch);
        let found: Vec<&str> = values.iter().flatten().map(String::as_str).collect();
        assert_eq!(found, texts, "{}", case.name());
    }
}

#[test]
fn columns_whose_records_are_all_bad_leave_no_types() {
    let scratch = Scratch::new();
    scratch.dataset(CRM, Class::Profile, json!({"primaryIdentity": "k=Email"}));
    let rejects = scratch.folder.path().join("rejects.ndjson");
    let skip = OnBadRecord::Skip {
        rejects,
        limit: BadRecordLimit::default(),
    };
    let numbers = outcome::file_without_keys();
    // Where all records are bad, the load has failed.
    scratch.load_text(CRM, numbers, &skip).unwrap_err();
    let text = "{\"k\":\"a\",\"v\":\"text\"}\n";
    assert_eq!(
        scratch
            .load_text(CRM, text, &OnBadRecord::Fail)
            .unwrap()
            .loaded,
        1
    );
}

#[test]
fn a_text_that_is_no_utf_8_is_a_bad_record_of_its_own() {
    for message in ["binary v (STRING)", "binary v (JSON)", "binary v"] {
        let case = parquet_types::bytes(message, &[b"good", b"\xff\xfe", b"fine"]);
        let Outcome::Field { values, .. } = by_parquet(&case) else {
            panic!("{message} is refused");
        };
        let reason = "2 bytes that are no UTF-8 text (near byte 0)".to_owned();
        assert_eq!(
            values,
            [Ok("good".to_owned()), Err(reason), Ok("fine".to_owned())]
        );
    }
}
