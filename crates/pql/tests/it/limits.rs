//! What is too long, too deep or too much is an error, in good time and with little stack.

use profile_export_pql::{Expression, Fields, MAX_DEPTH, Schema, Type};
use serde_json::Value;

fn megabyte_of(piece: &str) -> String {
    piece.repeat((1 << 20) / piece.len())
}

fn error(text: &str) -> String {
    Expression::parse(text).unwrap_err().to_string()
}

#[test]
fn a_megabyte_of_one_thing_is_an_error() {
    for piece in [
        "(",
        "[",
        "{\"a\":",
        "not ",
        "!",
        "-",
        "a.",
        "a[",
        "^",
        "if(",
        "a.map(",
        "sum ",
        "let x = (",
        "a in (",
        "select a from ",
        "exists a from b where ",
        "CHAIN(",
        "a occurs between ",
        "a + ",
        "a = (",
        "\"",
        "`a",
        "a and ",
        "a or b and ",
        "a occurs < ",
        "sum a over b from c where ",
        "(a) => ",
        "$1.",
        "a.b.filter(",
        "sum b over x from a, x from a, x from a, ",
    ] {
        let message = match Expression::parse(&megabyte_of(piece)) {
            Ok(_) => panic!("{piece:?} is no error"),
            Err(error) => error.to_string(),
        };
        assert!(message.starts_with("line 1, column "), "{piece}: {message}");
        assert!(message.len() < 250, "{piece}: {message}");
    }
    assert!(error(&format!("{} ", megabyte_of("a"))).contains("too long"));
}

#[test]
fn a_chain_is_wide_not_deep() {
    let text = format!("{}a", "a and ".repeat(100_000));
    let expression = Expression::parse(&text).unwrap();
    assert_eq!(expression.root().height(), 3);
    assert_eq!(expression.to_text(), text);
    drop(expression.clone());
}

#[test]
fn the_deepest_trees_go_everywhere() {
    let depth = MAX_DEPTH as usize - 2;
    for (open, close) in [
        ("not (", ")"),
        ("-", ""),
        ("a[", "]"),
        ("a = (", ")"),
        ("1 + (", ")"),
        ("[", "]"),
        ("if(true, 1, ", ")"),
        ("a or (b and (", "))"),
        ("exists x from (a) where (", ")"),
        ("let x = (a) in (", ")"),
        ("sum a over x from (", ")"),
        ("a occurs after (", ")"),
        ("CHAIN(b, c, [D: WHAT(", ")])"),
    ] {
        let levels = depth / open.matches(['(', '[', '-']).count().clamp(1, 2);
        let mut text = format!("{}a{}", open.repeat(levels), close.repeat(levels));
        let expression = loop {
            match Expression::parse(&text) {
                Ok(expression) => break expression,
                Err(error) if error.to_string().contains("too deep") => {
                    text = text
                        .strip_prefix(open)
                        .and_then(|t| t.strip_suffix(close))
                        .unwrap()
                        .to_owned();
                }
                Err(error) => panic!("{open}: {error}"),
            }
        };
        // No schema has the fields: what counts is that the checker gets there.
        let _ = expression.check(&schema());
        let json = expression.to_json();
        assert_eq!(Expression::from_json(&json).unwrap(), expression, "{open}");
        let json = Value::String(json.to_string());
        assert_eq!(Expression::from_json(&json).unwrap(), expression, "{open}");
        let height = expression.root().height();
        assert!(height > MAX_DEPTH / 2 - 4, "{open}: {height}");
        let again = Expression::parse(&expression.to_text()).unwrap();
        assert_eq!(again, expression, "{open}");
    }
}

/// Fields that the deep expressions here have.
fn schema() -> Schema {
    let fields = [
        ("a", Type::array_of(Type::Boolean)),
        (
            "b",
            Type::array_of(Type::object_of([("c", Type::Timestamp)])),
        ),
        ("n", Type::Integer),
    ];
    Schema {
        profile: Fields::new(fields),
        event: Fields::default(),
    }
}

#[test]
fn deep_expressions_are_checked() {
    for (open, inner, close) in [
        ("not (", "n", ")"),
        ("-(", "n", ")"),
        ("1 + (", "n", ")"),
        ("n = (", "n = 1", ")"),
        ("a = (", "a", ")"),
        ("n or (n and (", "n", "))"),
        ("if(n, n, ", "n", ")"),
        ("exists x from b where (", "n", ")"),
        ("forall x from b where (", "n", ")"),
        ("let x = (n) in (", "x = 1", ")"),
        ("let x = (n) in (x + ", "x", ")"),
        ("$1.b[", "n", "]"),
        ("CHAIN($1.b, c, [A: WHAT(", "true", ")])"),
        ("CHAIN($1.b, c, [A: WHAT(true), B: WHAT(", "true", ")])"),
        ("b.exists(c occurs after (", "$1.b.c", "))"),
    ] {
        let mut levels = 200;
        loop {
            let text = format!("{}{inner}{}", open.repeat(levels), close.repeat(levels));
            match Expression::parse(&text) {
                Ok(expression) => {
                    if let Ok(checked) = expression.check(&schema()) {
                        assert_eq!(checked.clone(), checked);
                        let _ = checked.columns();
                    }
                    break;
                }
                Err(_) => levels -= 10,
            }
        }
        assert!(levels > 50, "{open}");
    }
}

#[test]
fn variables_that_double_are_too_large_not_too_slow() {
    let mut text = "let x0 = (n + n) in (".to_owned();
    for i in 1..60 {
        text += &format!("let x{i} = (x{0} + x{0}) in (", i - 1);
    }
    text += &format!("x59 = 1{}", ")".repeat(60));
    let error = Expression::parse(&text)
        .unwrap()
        .check(&schema())
        .unwrap_err();
    assert!(error.to_string().contains("too many parts"), "{error}");
}

#[test]
fn json_without_end_is_an_error() {
    let nested = |open: &str, inner: &str, close: &str, levels: usize| {
        let text = format!("{}{inner}{}", open.repeat(levels), close.repeat(levels));
        Expression::from_json(&Value::String(text)).map(|_| ())
    };
    let field = r#"{"nodeType":"fieldLookup","fieldName":"a","object":"#;
    let root = r#"{"nodeType":"parameterReference","position":1}"#;
    assert!(nested(field, root, "}", 200).is_ok());
    for levels in [300, 1_270, 2_000, 20_000] {
        let error = nested(field, root, "}", levels).unwrap_err();
        assert!(error.to_string().contains("too deep"), "{error}");
    }
    let not = r#"{"nodeType":"fnApply","fnName":"not","params":["#;
    assert!(nested(not, root, "]}", 250).is_ok());
    assert!(nested(not, root, "]}", 260).is_err());
    assert!(nested(not, root, "]}", 639).is_err());
    assert!(nested(not, "", "", 20_000).is_err());
    let wide = serde_json::json!({"nodeType": "fnApply", "fnName": "and", "params": vec![serde_json::json!({
        "nodeType": "parameterReference", "position": 1}); 300_000]});
    let error = Expression::from_json(&wide).unwrap_err();
    assert!(error.to_string().contains("too many parts"), "{error}");
}

#[test]
fn each_variable_of_a_binder_is_a_level() {
    let ranges = |count: usize| format!("select {}", vec!["x from xEvent"; count].join(", "));
    assert!(Expression::parse(&ranges(200)).is_ok());
    let checked = Expression::parse(&ranges(200)).unwrap().check(&schema());
    assert!(checked.is_ok());
    for count in [300, 60_000] {
        assert!(error(&ranges(count)).contains("too deep"));
    }
}

#[test]
fn a_long_name_makes_no_long_message() {
    let name = "n".repeat(500_000);
    for text in [
        name.clone(),
        format!("a {name}"),
        format!("{name}()"),
        format!("a.{name}()"),
        format!("a = \"{name}"),
    ] {
        let refused = Expression::parse(&text).and_then(|e| e.check(&schema()).map(|_| ()));
        let message = refused.unwrap_err().to_string();
        assert!(message.len() < 400, "{message}");
    }
}
