//! What is refused, by its name, with line and column.

use profile_export_pql::{Error, Expression};

use crate::people::{refusal, schema};

#[test]
fn texts_are_refused_with_what_was_found_and_what_would_be_right() {
    for (text, message) in [
        (
            "",
            r#"line 1, column 1: found the end, where a value, a field or a function would be right"#,
        ),
        (
            "a and\n  (b or",
            "line 2, column 8: found the end, where a value, a field or a function would be right",
        ),
        (
            "\"größe\" = }",
            r#"line 1, column 11: found "}", where a value, a field or a function would be right"#,
        ),
        (
            "a b",
            r#"line 1, column 3: found "b", where an operator or the end would be right"#,
        ),
        (
            "a ocurs now",
            r#"line 1, column 3: found "ocurs", where an operator or the end, perhaps "occurs", would be right"#,
        ),
        (
            "(a",
            r#"line 1, column 3: found the end, where an operator or ")" would be right"#,
        ),
        (
            "a in [1, 2",
            r#"line 1, column 11: found the end, where an operator, "," or "]" would be right"#,
        ),
        (
            "identityMap['ECID'].namespace != null",
            r#"line 1, column 13: found "'": PQL has double quotes only, as in "CA""#,
        ),
        (
            "identityMap[\"ECID\"].namespace",
            r#"line 1, column 13: found a key in square brackets, where a condition, .get("key") of a map, or .head() of an array would be right"#,
        ),
        (
            "a != null",
            r#"line 1, column 6: found "null": PQL has no null; write x.isNull() or x.isNotNull()"#,
        ),
        (
            "a = “CA\"",
            r#"line 1, column 5: found the typographic quote “: PQL has straight double quotes only, as in "CA""#,
        ),
        (
            "inSegment(\"7deb ) and x",
            "line 1, column 11: a string is opened here and never closed; it ends with a double quote",
        ),
        (
            "CHAIN(xEvent, timestamp, [C0: WHAT(a)]).filter(C0.timestamp occurs now).exists()",
            "line 1, column 41: found a filter of CHAIN: CHAIN is a condition, not an array; put what a step must meet into its WHAT(…)",
        ),
        (
            "CHAIN(xEvent, timestamp, [C0: WHAT(a), C1: WHAT(b) WITHIN 24 hours AFTER C0])",
            r#"line 1, column 52: found "WITHIN": a gap between the steps of CHAIN has no public syntax and is not supported; WHEN(…) says when a step happens"#,
        ),
        (
            "a occurs today ignoreYear",
            r#"line 1, column 16: found "ignoreYear": "ignore year" has no public syntax and is not supported; compare .getMonth() and .getDayOfMonth()"#,
        ),
        (
            "@{schema}.x = 1",
            r#"line 1, column 1: found "@": the context objects @{schema} of decisioning are not supported; segments see the profile and its xEvent"#,
        ),
        (
            "inTrait(\"123\")",
            r#"line 1, column 1: found "inTrait": traits of Audience Manager are not supported; segments are asked for by inSegment("ID")"#,
        ),
        (
            "a == b",
            r#"line 1, column 3: found "==": PQL compares with a single "=""#,
        ),
        (
            "a && b",
            r#"line 1, column 3: found "&&": PQL writes "and""#,
        ),
        (
            "a not in [1]",
            r#"line 1, column 3: found "not": PQL writes "notIn", and "not" before a whole condition"#,
        ),
        (
            "a is null",
            r#"line 1, column 3: found "is": PQL writes .isNull() and .isNotNull()"#,
        ),
        (
            "a = b = c",
            r#"line 1, column 7: found a second comparison, where "and", or brackets around the first would be right"#,
        ),
        (
            "xdm:a = 1",
            r#"line 1, column 1: found the prefix "xdm:", where the field's name without it, as PQL has no prefixes, would be right"#,
        ),
        (
            "a.contians(\"x\")",
            r#"line 1, column 3: found the function "contians", which PQL doesn't have; did you mean "contains"?"#,
        ),
        (
            "curentYear()",
            r#"line 1, column 1: found the function "curentYear", which PQL doesn't have; did you mean "currentYear"?"#,
        ),
        (
            "count(a)",
            r#"line 1, column 1: found the method "count" on nothing, where something.count(…) would be right"#,
        ),
        (
            "a.count(1)",
            "line 1, column 3: count has 1 argument, where no arguments would be right",
        ),
        (
            "a.equals()",
            "line 1, column 3: equals has no arguments, where 1 or 2 arguments would be right",
        ),
        (
            "if(a, b)",
            "line 1, column 1: if has 2 arguments, where 3 arguments would be right",
        ),
        (
            "$2.x",
            "line 1, column 1: found a second parameter, where $1, the profile, which is a segment's only parameter, would be right",
        ),
        (
            "a occurs < 3 dayz before now",
            r#"line 1, column 14: found "dayz", where a unit of time, perhaps "day", would be right"#,
        ),
        (
            "a occurs 3 days before now",
            r#"line 1, column 10: found a number of units without a comparison, where one, as in "occurs = 3 days before today", would be right"#,
        ),
        (
            "a[^^.b]",
            "line 1, column 3: found 2 levels up, where at most 1, which is the profile, would be right",
        ),
        (
            "99999999999999999999",
            "line 1, column 1: found the number 99999999999999999999, where an integer of 64 bits would be right",
        ),
        (
            "9223372036854775808",
            "line 1, column 1: found an integer beyond 64 bits, where a smaller one, or a double would be right",
        ),
        (
            "1e999",
            "line 1, column 1: found the number 1e999, where a double below 1.8E308 would be right",
        ),
        (
            "3days",
            r#"line 1, column 2: found 'd' right after the number 3, where a blank or an operator would be right"#,
        ),
        (
            "\"\\u12\"",
            "line 1, column 2: found an incomplete \\u, where \\u with the four hexadecimal digits of a character would be right",
        ),
        (
            "// a",
            r#"line 1, column 1: found "//": PQL has no comments"#,
        ),
        (
            "CHAIN(xEvent, timestamp, [])",
            r#"line 1, column 27: found "]", where a step's label, as in C0: WHAT(…) would be right"#,
        ),
        (
            "sum a.b",
            r#"line 1, column 8: found the end, where "over" with a variable would be right"#,
        ),
        (
            "let x = 1",
            r#"line 1, column 10: found the end, where "in", and brackets around a condition before it, would be right"#,
        ),
    ] {
        let error = Expression::parse(text).unwrap_err();
        assert_eq!(error.to_string(), message, "{text}");
    }
}

#[test]
fn expressions_that_do_not_fit_the_schema_are_refused() {
    for (text, message) in [
        (
            "homeAdress.countryISO = \"US\"",
            r#"line 1, column 1: found the field "homeAdress", which the profile doesn't have; did you mean "homeAddress"?"#,
        ),
        (
            "person.gender = \"male\" and\nhomeAddress.contryISO",
            r#"line 2, column 13: found the field "contryISO", which homeAddress doesn't have; did you mean "countryISO"?"#,
        ),
        (
            "xEvents",
            r#"line 1, column 1: found the field "xEvents", which the profile doesn't have; did you mean "xEvent"?"#,
        ),
        (
            "select X from xEvent where X.evenType",
            r#"line 1, column 30: found the field "evenType", which an event doesn't have; did you mean "eventType"?"#,
        ),
        (
            "now = 1",
            r#"line 1, column 1: found "now", which is no field, where it behind "occurs", as in "timestamp occurs before now", would be right"#,
        ),
        (
            "segmentMembership.ups",
            r#"line 1, column 19: found the field "ups" of a map, where .get("ups"), .keys() or .values() would be right"#,
        ),
        (
            "person.gender.x",
            r#"line 1, column 15: found the field "x" of a String, where an object's field, or a function with brackets would be right"#,
        ),
        (
            "person.birthMonth = \"May\"",
            r#"line 1, column 1: found "May", where an Integer would be right"#,
        ),
        (
            "product.saleDate in [\"2024-03-05\"]",
            "line 1, column 1: found a day, where a Timestamp, with its time of day would be right",
        ),
        (
            "person.gender > \"a\"",
            r#"line 1, column 1: found a String, where a number before ">" would be right"#,
        ),
        (
            "product.saleDate > date(2024, 1, 1)",
            r#"line 1, column 1: found ">" of times, where occurs, as in "x occurs before y", would be right"#,
        ),
        (
            "person.gender occurs today",
            "line 1, column 1: found a String, where a Timestamp or a Date would be right",
        ),
        (
            "product.saleDate occurs after \"soon\"",
            r#"line 1, column 31: found "soon", where a time, such as "2024-02-29" or "2024-02-29T12:00:00Z", would be right"#,
        ),
        (
            "product.saleDate occurs after date(2023, 2, 29)",
            "line 1, column 31: found date(2023, 2, 29), which no calendar has, where a year, a month and a day of the month would be right",
        ),
        (
            "product.saleDate occurs < -1 days before now",
            "line 1, column 27: found a negative number of units, where one from 0 on would be right",
        ),
        (
            "homeAddress = workAddress",
            "line 1, column 1: found two objects, where single values, or = and != of objects with an _id would be right",
        ),
        (
            "homeAddress.count()",
            "line 1, column 1: found an object, where an array would be right",
        ),
        (
            "segmentMembership[status = \"a\"]",
            "line 1, column 1: found a map, where an array; a map has .values() and .keys() would be right",
        ),
        (
            "person.name.sum() > 1",
            "line 1, column 1: found a String, where an array would be right",
        ),
        (
            "orders.sum() > 1",
            "line 1, column 1: found an object, where numbers would be right",
        ),
        (
            "orders.sum(order.price) > 1",
            r#"line 1, column 12: found the field "order", which an item doesn't have"#,
        ),
        (
            "person.birthMonth.contains(\"a\")",
            "line 1, column 1: found an Integer, where a String would be right",
        ),
        (
            "person.name.contains(\"a\", 1)",
            "line 1, column 27: found something else after the text, where true or false: whether upper and lower case differ, would be right",
        ),
        (
            "person.name.matches(\"(?=a)\")",
            r#"line 1, column 21: the regular expression "(?=a)" can't be used: look-around is not supported, as it can take time without bound"#,
        ),
        (
            "person.name.matches(\"(a)\\\\1\")",
            r#"line 1, column 21: the regular expression "(a)\\1" can't be used: back references are not supported, as they can take time without bound"#,
        ),
        (
            "person.name.matches(\"(a\")",
            r#"line 1, column 21: the regular expression "(a" can't be used: unclosed group"#,
        ),
        (
            "person.name.regexGroup(\"(a)\", 2)",
            "line 1, column 31: found another group, where the number of a group, 0 to 1, would be right",
        ),
        (
            "[1, \"a\"].intersects(numbers)",
            "line 1, column 5: found a String, where an Integer, as before it, would be right",
        ),
        (
            "inSegment(person.name)",
            "line 1, column 11: found no string, where a segment's ID in quotes would be right",
        ),
        (
            "CHAIN(xEvent, timestamp, [A: WHAT(true) COUNT(0)])",
            "line 1, column 47: found another COUNT, where the least number of times, in digits, from 1 on, would be right",
        ),
        (
            "CHAIN(xEvent, eventType, [A: WHAT(true)])",
            "line 1, column 15: found a String, where a Timestamp or a Date would be right",
        ),
        (
            "{\"a\": 1}",
            "line 1, column 1: found an object literal: it makes values for computed attributes only, which segments don't have",
        ),
        (
            "orders.map(price)",
            "line 1, column 1: found map: it makes values for computed attributes only, which segments don't have",
        ),
        (
            "orders.groupBy(price)",
            "line 1, column 1: found groupBy: it makes values for computed attributes only, which segments don't have",
        ),
    ] {
        assert_eq!(refusal(text), message, "{text}");
    }
}

#[test]
fn an_error_of_json_names_the_node() {
    let json = |text: &str| -> Error {
        Expression::from_json(&serde_json::from_str(text).unwrap()).unwrap_err()
    };
    for (text, message) in [
        (
            r#"{"nodeType": "fnApply", "fnName": "and", "params": [{"nodeType": "fnAply"}]}"#,
            "node /params/0: found the nodeType \"fnAply\", where a nodeType: fnApply, fieldLookup,",
        ),
        (
            r#"{"nodeType": "fnApply", "fnName": "lik", "params": []}"#,
            r#"the root node: found the function "lik", which PQL doesn't have; did you mean "like"?"#,
        ),
        (
            r#"{"nodeType": "fnApply", "fnName": "=", "params": [{"nodeType": "literal", "value": 1}]}"#,
            "the root node: = has 1 argument, where 2 arguments would be right",
        ),
        (
            r#"{"nodeType": "literal", "literalType": "Integer", "value": "six"}"#,
            "node /value: found a string as a literal of type \"integer\", where",
        ),
        (
            r#"{"nodeType": "literal", "value": null}"#,
            "the root node: found a literal of null: PQL has no null; apply isNull or isNotNull",
        ),
        (
            r#"{"nodeType": "varRef", "varName": "X"}"#,
            "the root node: found the variable \"X\", which nothing binds here,",
        ),
        (
            r#"{"nodeType": "fieldLookup", "object": 3}"#,
            "the root node: found a node without \"fieldName\", where one with it would be right",
        ),
        (
            r#"{"nodeType": "fieldLookup", "fieldName": "a", "object": 3}"#,
            "node /object: found a number, where a JSON object would be right",
        ),
        (
            r#"{"nodeType": "parameterReference", "position": 2}"#,
            "the root node: found a parameterReference to something else, where position 1, the profile, would be right",
        ),
        (
            "3",
            "the root node: found a number, where a JSON object would be right",
        ),
        (
            r#""{\"nodeType\": ""#,
            "the root node: found no JSON (EOF while parsing a value at line 1 column 13), where a JSON node, or text that doesn't begin with { would be right",
        ),
    ] {
        let error = json(text).to_string();
        assert!(error.starts_with(message), "{text}\n{error}");
    }
}

#[test]
fn an_error_in_json_of_the_schema_is_told_by_the_canonical_text() {
    let json = serde_json::json!({
        "nodeType": "fieldLookup", "fieldName": "contryISO",
        "object": {"nodeType": "fieldLookup", "fieldName": "homeAddress"},
    });
    let expression = Expression::from_json(&json).unwrap();
    assert_eq!(expression.text(), "homeAddress.contryISO");
    let error = expression.check(&schema()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("line 1, column 13: found the field \"contryISO\"")
    );
}
