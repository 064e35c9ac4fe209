//! JSON that others write.

use profile_export_pql::Expression;
use serde_json::{Value, json};

use crate::people::{schema, taken};

fn text(value: &Value) -> String {
    Expression::from_json(value)
        .unwrap_or_else(|e| panic!("{value}: {e}"))
        .to_text()
}

fn profile() -> Value {
    json!({"nodeType": "literal", "literalType": "XDMObject", "value": "profile"})
}

fn lookup(object: &Value, name: &str) -> Value {
    json!({"nodeType": "fieldLookup", "fieldName": name, "object": object})
}

fn equal(literal_type: &str, value: &str, field: &Value) -> Value {
    let literal = json!({"nodeType": "literal", "literalType": literal_type, "value": value});
    json!({"nodeType": "fnApply", "fnName": "=", "params": [literal, field]})
}

fn person(field: &str) -> Value {
    lookup(&lookup(&profile(), "person"), field)
}

/// Supported PQL Queries, JQ1: literals on the left, integers as strings, the older root.
#[test]
fn the_older_form_is_read() {
    let node = json!({"nodeType": "fnApply", "fnName": "and", "params": [
        equal("string", "Andres", &person("firstName")),
        equal("string", "Monroy", &person("lastName")),
        equal("integer", "6", &person("birthDay")),
    ]});
    assert_eq!(
        text(&node),
        r#""Andres" = person.firstName and "Monroy" = person.lastName and 6 = person.birthDay"#
    );
    // JQ2.
    let node = json!({"fnName": "and", "nodeType": "fnApply", "params": [
        equal("string", "Andres", &person("firstName")),
        {"nodeType": "fnApply", "fnName": "or", "params": [
            equal("string", "Monroy", &person("lastName")),
            equal("integer", "6", &person("birthDay")),
        ]},
    ]});
    assert_eq!(
        text(&node),
        r#""Andres" = person.firstName and ("Monroy" = person.lastName or 6 = person.birthDay)"#
    );
}

/// JQ3: a condition and two variables of one name, the first of them over the profile's events.
#[test]
fn a_set_is_a_select() {
    let ranges = |object: &Value, name: &str, condition: Value| {
        json!({"nodeType": "varDecl", "varName": "_", "range": {
            "nodeType": "fnApply",
            "function": {"nodeType": "fnCreate", "params": [{"varName": "X1"}], "body": condition},
            "params": [lookup(object, name)],
        }})
    };
    let variable = |name: &str| json!({"nodeType": "varRef", "varName": name});
    let node = json!({"nodeType": "set", "variables": [
        equal("string", "Andres", &person("name")),
        ranges(&variable("_"), "xEvent", equal("string", "1", &lookup(&lookup(&variable("X1"), "device"), "model"))),
        ranges(&variable("_"), "productListItems", equal("string", "1", &lookup(&variable("X1"), "name"))),
    ]});
    assert_eq!(
        text(&node),
        "\"Andres\" = person.name and (select _ from (select X1 from xEvent where \"1\" = X1.device.model), \
         _ from (select X1 from _.productListItems where \"1\" = X1.name))"
    );
    Expression::from_json(&node)
        .unwrap()
        .check(&schema())
        .unwrap();
}

/// Segment definitions, the sample of a conversion.
#[test]
fn a_conversion_is_written_as_the_platform_writes_it() {
    let node = r#"{"nodeType":"fnApply","fnName":"=","params":[{"nodeType":"fieldLookup","fieldName":"country","object":{"nodeType":"fieldLookup","fieldName":"workAddress","object":{"nodeType":"parameterReference","position":1}}},{"nodeType":"literal","literalType":"String","value":"US"}]}"#;
    let expression = Expression::parse("workAddress.country = \"US\"").unwrap();
    let expected: Value = serde_json::from_str(node).unwrap();
    assert_eq!(expression.to_json(), expected);
    assert_eq!(Expression::from_json(&json!(node)).unwrap(), expression);
    assert_eq!(Expression::from_json(&expected).unwrap(), expression);
}

#[test]
fn a_list_is_a_literal() {
    let node = json!({"nodeType": "fnApply", "fnName": "in", "params": [
        person("gender"), {"literalType": "List", "nodeType": "literal", "value": ["female"]},
    ]});
    assert_eq!(text(&node), r#"person.gender in ["female"]"#);
    assert_eq!(taken(&text(&node)), "ann cat");
    let written = Expression::parse("person.gender in [\"female\"]")
        .unwrap()
        .to_json();
    assert_eq!(
        written["params"][1],
        json!({"nodeType": "literal", "literalType": "List", "value": ["female"]})
    );
}

/// The Flow Service's filters: no literal type, no root.
#[test]
fn what_is_left_out_is_taken_loosely() {
    let field = json!({"nodeType": "fieldLookup", "fieldName": "a"});
    for (value, expected) in [
        (json!("x"), r#"a = "x""#),
        (json!(5), "a = 5"),
        (json!(5.0), "a = 5.0"),
        (json!(true), "a = true"),
        (json!(["x", 1]), r#"a = ["x", 1]"#),
    ] {
        let literal = json!({"nodeType": "literal", "value": value});
        let node = json!({"nodeType": "fnApply", "fnName": "=", "params": [field, literal]});
        assert_eq!(text(&node), expected);
    }
    for (literal_type, value, expected) in [
        ("String", json!(5), r#""5""#),
        ("Integer", json!("6"), "6"),
        ("long", json!(6), "6"),
        ("double", json!("1.5"), "1.5"),
        ("Double", json!(2), "2.0"),
        ("Boolean", json!("true"), "true"),
    ] {
        let node = json!({"nodeType": "literal", "literalType": literal_type, "value": value});
        assert_eq!(text(&node), expected);
    }
    let alone = json!({"nodeType": "fnApply", "fnName": "and", "params": [field]});
    assert_eq!(text(&alone), "a");
    let prefixed = json!({"nodeType": "fieldLookup", "fieldName": "xdm:homeAddress"});
    assert_eq!(text(&prefixed), "homeAddress");
}

#[test]
fn a_string_that_is_no_node_is_text() {
    assert_eq!(
        text(&json!("workAddress.country = \"US\"")),
        "workAddress.country = \"US\""
    );
    assert_eq!(
        text(&json!(
            "  {\"nodeType\": \"parameterReference\", \"position\": 1}"
        )),
        "$1"
    );
}

/// XDM's own examples of expressions have these for `select` and `exists`.
#[test]
fn quantifiers_are_written_as_xdm_writes_them() {
    let expression = Expression::parse("exists x from xEvent where x.type = \"a\"").unwrap();
    let node = expression.to_json();
    assert_eq!(node["nodeType"], "quantification");
    assert_eq!(node["quantifier"], "some");
    assert_eq!(node["variables"][0]["nodeType"], "varDecl");
    assert_eq!(node["variables"][0]["varName"], "x");
    assert!(node["variables"][0]["from"].is_object() && node["variables"][0]["where"].is_object());
    let select = Expression::parse("select x from xEvent").unwrap().to_json();
    assert_eq!(select["nodeType"], "select");
}
