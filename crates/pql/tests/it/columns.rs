//! What an expression reads.

use profile_export_pql::Expression;
use profile_export_pql::typed::{Column, Columns};

use crate::people::schema;

fn columns(text: &str) -> Columns {
    let expression = Expression::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    expression
        .check(&schema())
        .unwrap_or_else(|e| panic!("{text}: {e}"))
        .columns()
}

/// The paths, with a question mark where only the shape is read.
fn shown(columns: &[Column]) -> String {
    let paths = columns.iter().map(|c| {
        format!(
            "{}{}",
            c.path.join("."),
            if c.only_shape { "?" } else { "" }
        )
    });
    paths.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_fields_are_named_from_the_row_down() {
    for (text, profile, events) in [
        (
            "homeAddress.countryISO = \"US\"",
            "homeAddress.countryISO",
            None,
        ),
        ("homeAddress", "homeAddress?", None),
        (
            "homeAddress and homeAddress.countryISO = \"US\"",
            "homeAddress.countryISO",
            None,
        ),
        ("loyalty.points > 1", "_acme.loyalty.points", None),
        ("orders.count() > 1", "orders?", None),
        ("orders[price > 1].count() > 1", "orders.price", None),
        ("orders.price > 1", "orders.price", None),
        (
            "orders.topN(price, 1).head().price > 1",
            "orders.price",
            None,
        ),
        (
            "segmentMembership.get(\"ups\").get(\"x\").status = \"a\"",
            "segmentMembership",
            None,
        ),
        ("xEvent", "", Some("?")),
        (
            "xEvent.productListItems.SKU = \"a\"",
            "",
            Some("productListItems.SKU"),
        ),
        (
            "xEvent[productListItems[SKU = \"PS\" or ^^.person.gender = \"female\"]]",
            "person.gender",
            Some("productListItems.SKU"),
        ),
        (
            "select X from xEvent where X.type = \"a\", I from X.productListItems where I.SKU = X.eventType",
            "",
            Some("eventType productListItems.SKU type"),
        ),
        (
            "(select X from xEvent, I from X.productListItems).I.SKU = \"a\"",
            "",
            Some("productListItems.SKU"),
        ),
        (
            "CHAIN(xEvent, timestamp, [A: WHAT(eventType = \"a\"), B: WHAT(commerce.order)])",
            "",
            Some("commerce.order? eventType"),
        ),
        (
            "CHAIN(xEvent.topN(commerce.item.price, 3), timestamp, [A: WHAT(eventType = \"a\"), B: WHAT(commerce.order)])",
            "",
            Some("_id commerce.item.price commerce.order? eventType timestamp"),
        ),
        (
            "exists A from xEvent, B from xEvent where A != B",
            "",
            Some("_id"),
        ),
        ("inSegment(\"a\")", "", None),
        (
            "let x = person in (x.gender = \"a\")",
            "person.gender",
            None,
        ),
        (
            "if(person.isMember, orders, orders).count() > 1",
            "orders? person.isMember",
            None,
        ),
    ] {
        let columns = columns(text);
        assert_eq!(shown(&columns.profile), profile, "{text}");
        assert_eq!(
            columns.events.as_deref().map(shown).as_deref(),
            events,
            "{text}"
        );
    }
}

#[test]
fn a_number_that_is_worked_out_is_told_from_a_condition() {
    for (text, is_number) in [
        ("xEvent.count()", true),
        ("(Profile) => Profile.orders.sum(price)", true),
        ("loyalty.points + 1", true),
        ("loyalty.points", false),
        ("xEvent.count() > 0", false),
        ("xEvent", false),
        ("numbers", false),
    ] {
        let expression = Expression::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let checked = expression.check(&schema());
        let checked = checked.unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(checked.is_number(), is_number, "{text}");
    }
}

#[test]
fn segments_are_listed_once() {
    let expression =
        Expression::parse("inSegment(\"b\") and not (inSegment(\"a\") or inSegment(\"b\"))")
            .unwrap();
    assert_eq!(expression.check(&schema()).unwrap().segments(), ["a", "b"]);
    // Without a schema, too.
    assert_eq!(expression.segments(), ["a", "b"]);
}
