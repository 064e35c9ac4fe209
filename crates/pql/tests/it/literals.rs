//! Every literal and escape, and what words mean where.

use profile_export_pql::Expression;
use profile_export_pql::syntax::{Kind, Literal};

fn literal(text: &str) -> Literal {
    match Expression::parse(text)
        .unwrap_or_else(|e| panic!("{text}: {e}"))
        .root()
        .kind()
    {
        Kind::Literal(literal) => literal.clone(),
        other => panic!("{text}: {other:?}"),
    }
}

fn canonical(text: &str) -> String {
    Expression::parse(text)
        .unwrap_or_else(|e| panic!("{text}: {e}"))
        .to_text()
}

#[test]
fn numbers() {
    for (text, value) in [
        ("-201", -201),
        ("0", 0),
        ("412", 412),
        ("9223372036854775807", i64::MAX),
        ("-9223372036854775808", i64::MIN),
    ] {
        assert_eq!(literal(text), Literal::Integer(value));
        assert_eq!(canonical(text), text);
    }
    for (text, value, printed) in [
        ("4.5", 4.5, "4.5"),
        (".45", 0.45, "0.45"),
        ("2.02E12", 2.02e12, "2020000000000.0"),
        ("2.02E-12", 2.02e-12, "2.02e-12"),
        ("-1e3", -1000.0, "-1000.0"),
        ("1e+300", 1e300, "1e300"),
    ] {
        assert_eq!(literal(text), Literal::Double(value));
        assert_eq!(canonical(text), printed);
    }
}

#[test]
fn strings() {
    for (text, value) in [
        (r#""CA""#, "CA"),
        (r#""""#, ""),
        (r#""a\"b\\c\/d\'e""#, "a\"b\\c/d'e"),
        (r#""\n\t\r\f""#, "\n\t\r\u{c}"),
        (r#""\u00e9\uD83D\uDE00é😀""#, "é😀é😀"),
        // A regular expression's escapes with one backslash, as older texts have them, and with two.
        (r#""\w+\b\d""#, r"\w+\b\d"),
        (r#""\\w+""#, r"\w+"),
        ("\"two\nlines\"", "two\nlines"),
    ] {
        assert_eq!(literal(text), Literal::String(value.to_owned()), "{text}");
        assert_eq!(
            literal(&canonical(text)),
            Literal::String(value.to_owned()),
            "{text}"
        );
    }
    assert_eq!(
        canonical("\"two\nlines\t\u{7}\""),
        r#""two\nlines\t\u0007""#
    );
}

#[test]
fn booleans_lists_and_objects() {
    assert_eq!(literal("true"), Literal::Boolean(true));
    assert_eq!(literal("FALSE"), Literal::Boolean(false));
    assert_eq!(canonical("[1,4 , 7]"), "[1, 4, 7]");
    assert_eq!(canonical("[]"), "[]");
    assert_eq!(canonical("a in (\"b\",\"c\")"), "a in [\"b\", \"c\"]");
    assert_eq!(canonical("a in (\"b\")"), "a in [\"b\"]");
    assert_eq!(canonical("a in ([\"b\"])"), "a in [\"b\"]");
    assert_eq!(canonical("a in (b) and c"), "a in b and c");
    assert_eq!(canonical("{\"a\":{}, \"b\" : 1}"), "{\"a\": {}, \"b\": 1}");
}

#[test]
fn operators_bind_as_they_should() {
    for (text, bracketed) in [
        ("a or b and c", "a or (b and c)"),
        ("a and b or c", "(a and b) or c"),
        ("not a and b", "(not a) and b"),
        ("not a = b", "not (a = b)"),
        ("!a = b", "(not a) = b"),
        ("a = b + c * -d.e", "a = (b + (c * (-(d.e))))"),
        ("a - b - c", "(a - b) - c"),
        ("a / b * c % d", "((a / b) * c) % d"),
        ("a + b < c - d", "(a + b) < (c - d)"),
        ("a in b and c like \"d\"", "(a in b) and (c like \"d\")"),
        ("a occurs after b and c", "(a occurs after b) and c"),
        (
            "a occurs between b and c and d",
            "(a occurs between b and c) and d",
        ),
        (
            "a occurs < 1 + 2 days before b or c",
            "(a occurs < (1 + 2) days before b) or c",
        ),
        (
            "a and select x from b where x.c and d",
            "a and (select x from b where (x.c and d))",
        ),
        ("a and exists x from b", "a and (exists x from b)"),
        ("sum x.a + 1 over x from b", "sum (x.a + 1) over x from b"),
        (
            "let x = a + 1 in x > 2 and b",
            "let x = (a + 1) in (x > 2 and b)",
        ),
        (
            "if(select x from b where x, c, d)",
            "if((select x from b where x), c, d)",
        ),
        ("a.b.count() > 1", "(a.b.count()) > 1"),
        ("-a.b", "-(a.b)"),
        ("a = not b", "a = (not b)"),
        ("a[b or c].d", "(a[(b or c)]).d"),
        (
            "select x from a where x.b, y from x.c where y.d",
            "select x from a where (x.b), y from (x.c) where (y.d)",
        ),
    ] {
        let one = Expression::parse(text).unwrap();
        let other = Expression::parse(bracketed).unwrap_or_else(|e| panic!("{bracketed}: {e}"));
        assert_eq!(one, other, "{text}");
    }
}

#[test]
fn words_are_reserved_only_where_they_are_operators() {
    for text in [
        "count = 1",
        "value > name",
        "filter.map.sum",
        "like like \"%\"",
        "date.year = 1",
        "what and when and where",
        "in in in.in",
        "select.x and exists and forall",
        "sum > min + max",
        "occurs occurs today",
        "a.occurs.now occurs now",
        "timestamp occurs now.x",
        "if = chain",
        "let = 3",
        "days occurs < days days before days.x",
    ] {
        let expression = Expression::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(
            Expression::parse(&expression.to_text()).unwrap(),
            expression,
            "{text}"
        );
    }
    assert_eq!(
        canonical("A AND NOT B or C NOTIN [1]"),
        "A and not B or C notIn [1]"
    );
    assert_eq!(
        canonical("Exists X From a Where X.b"),
        "exists X from a where X.b"
    );
    assert_eq!(
        canonical("chain(a, b, [c: what(d) when(Today) count(2)])"),
        "CHAIN(a, b, [c: WHAT(d) WHEN(today) COUNT(2)])"
    );
    assert_eq!(
        canonical("`true` and `my-field`.`a``b`"),
        "`true` and `my-field`.`a``b`"
    );
}

#[test]
fn every_form_of_a_window_is_read() {
    for text in [
        "a occurs <= 30 minutes before now",
        "a occurs != 1 month after b.c",
        "a occurs before today",
        "a occurs after \"2024-01-01T00:00:00Z\"",
        "a occurs last week",
        "a occurs this millennium",
        "a occurs next decade",
        "a occurs date(currentYear() - 1, 10, 1)",
        "a occurs between yesterday and tomorrow",
        "a occurs between last month and b",
        "a occurs > 3 centuries before now",
    ] {
        assert_eq!(canonical(text), text);
    }
    assert_eq!(canonical("a occurs on today"), "a occurs today");
    assert_eq!(
        canonical("a occurs = 1 days from now"),
        "a occurs = 1 day after now"
    );
    assert_eq!(
        canonical("a occurs = 2 Day before NOW"),
        "a occurs = 2 days before now"
    );
}
