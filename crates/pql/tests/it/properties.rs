//! What holds for every expression.

use std::panic::AssertUnwindSafe;

use profile_export_pql::Expression;
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::generate::{Dice, tree, tree_of_fields};
use crate::people::{NOW, people, schema};
use crate::well_typed::condition;

/// Set to run thousands of cases instead of some hundreds.
const DEEP: &str = "PROFILE_EXPORT_DEEP_TESTS";

pub fn runner() -> TestRunner {
    TestRunner::new(Config {
        cases: match std::env::var_os(DEEP) {
            Some(_) => 10_000,
            None => 300,
        },
        failure_persistence: None,
        ..Config::default()
    })
}

#[test]
fn text_and_json_are_read_back_as_the_same_tree() {
    runner()
        .run(&vec(any::<u8>(), 0..400), |bytes| {
            let tree = tree(&mut Dice(&bytes));
            let expression = match Expression::from_tree(&tree) {
                Ok(expression) => expression,
                Err(error) => panic!("{error}: {tree:?}"),
            };
            assert_eq!(*expression.root(), tree, "{expression}");
            let text = expression.to_text();
            assert_eq!(Expression::parse(&text).unwrap().to_text(), text);
            let json = expression.to_json();
            let from_value = Expression::from_json(&json).unwrap();
            assert_eq!(from_value, expression, "{json}");
            let in_string = Expression::from_json(&Value::String(json.to_string())).unwrap();
            assert_eq!(in_string, expression, "{json}");
            assert_eq!(in_string.to_json(), json);
            Ok(())
        })
        .unwrap();
}

#[test]
fn no_text_makes_the_parser_panic() {
    let words = [
        "select ",
        "X",
        " from ",
        "xEvent",
        " where ",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ".",
        ",",
        ":",
        " in ",
        " and ",
        " not ",
        " occurs ",
        "<",
        "= ",
        "3",
        " days ",
        "before ",
        "now",
        "\"",
        "\\",
        "`",
        "^",
        "$1",
        "sum ",
        " over ",
        "let S = ",
        "CHAIN",
        "WHAT",
        "WHEN",
        "COUNT",
        "date(1,2,3)",
        ".count()",
        ".filter(",
        "-",
        "!",
        "é",
        "\u{201c}",
    ];
    runner()
        .run(&vec(any::<u8>(), 0..60), |bytes| {
            let text: String = bytes
                .iter()
                .map(|b| words[usize::from(*b) % words.len()])
                .collect();
            let parsed = std::panic::catch_unwind(AssertUnwindSafe(|| Expression::parse(&text)));
            match parsed.unwrap_or_else(|_| panic!("{text}")) {
                Ok(expression) => {
                    let again = Expression::parse(&expression.to_text()).unwrap();
                    assert_eq!(again, expression, "{text}");
                }
                Err(error) => assert!(error.to_string().starts_with("line 1, column ")),
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_fits_the_schema_is_evaluated_and_means_the_same_in_every_form() {
    let schema = schema();
    runner()
        .run(&vec(any::<u8>(), 0..200), |bytes| {
            let text = condition(&mut Dice(&bytes));
            let expression = Expression::parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
            let checked = expression
                .check(&schema)
                .unwrap_or_else(|e| panic!("{e}\n{text}"));
            let canonical = Expression::parse(&expression.to_text()).unwrap();
            assert_eq!(canonical.check(&schema).unwrap(), checked, "{text}");
            let json = Expression::from_json(&expression.to_json()).unwrap();
            assert_eq!(json.check(&schema).unwrap(), checked, "{text}");
            let _ = checked.columns();
            // The interpreter panics where a value is not of its type.
            let taken = people(NOW, |_, world| world.is_true(checked.condition()));
            let opposite = Expression::parse(&format!("not ({text})")).unwrap();
            let opposite = opposite.check(&schema).unwrap();
            let left = people(NOW, |_, world| !world.is_true(opposite.condition()));
            assert_eq!(taken, left, "{text}");
            Ok(())
        })
        .unwrap();
}

#[test]
fn no_tree_makes_the_checker_panic() {
    let schema = schema();
    runner()
        .run(&vec(any::<u8>(), 0..400), |bytes| {
            let expression = Expression::from_tree(&tree_of_fields(&mut Dice(&bytes))).unwrap();
            if let Ok(checked) = expression.check(&schema) {
                let _ = checked.columns();
                people(NOW, |_, world| world.is_true(checked.condition()));
            }
            let _ = expression.check_value(&schema);
            Ok(())
        })
        .unwrap();
}
