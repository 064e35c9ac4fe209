//! What expressions mean where the documents are silent or contradict each other: null, coercion, precedence, times.

use profile_export_pql::Expression;

use crate::interpreter::Held;
use crate::people::{taken, taken_at, value_of};

const EVERYBODY: &str = "ann bob cat dan eve gus";

fn value(text: &str) -> Held {
    value_of(text, "dan")
}

#[test]
fn a_test_of_null_is_false_and_so_is_its_negative() {
    for (text, people) in [
        (r#"homeAddress.countryISO = "US""#, "ann bob"),
        (r#"homeAddress.countryISO != "US""#, "cat"),
        (r#"not (homeAddress.countryISO = "US")"#, "cat dan eve gus"),
        (r#"homeAddress.countryISO notIn ["US"]"#, "cat"),
        (
            r#"not (homeAddress.countryISO in ["US"])"#,
            "cat dan eve gus",
        ),
        (r#"person.name.doesNotContain("ohn")"#, "bob"),
        (r#"person.name.doesNotStartWith("B")"#, "ann"),
        (r#"person.name.doesNotEndWith("b")"#, "ann"),
        (r#"person.name.notEqualTo("bob", false)"#, "ann"),
        (r#"person.name.notEqualTo("bob")"#, "ann bob"),
        (
            r"person.favoriteColors.subsetOf(person.favoriteColors)",
            "ann bob cat",
        ),
        (r"offer.tags.supersetOf(boosted.tags)", ""),
        (r"boosted.tags.supersetOf(offer.tags)", "ann"),
        (r#"person.favoriteColors.includes("black")"#, "bob"),
        (r"homeAddress.isNull()", "dan eve gus"),
        (r"homeAddress.isNotNull()", "ann bob cat"),
        (r"person.isMember", ""),
        (r"not person.isMember", EVERYBODY),
        (r"person.isMember = false", ""),
        (r"$1", EVERYBODY),
    ] {
        assert_eq!(taken(text), people, "{text}");
    }
}

#[test]
fn an_array_is_true_if_it_has_an_item() {
    assert_eq!(taken("person.favoriteColors"), "ann bob");
    assert_eq!(taken("person.favoriteColors.isNull()"), "cat dan eve gus");
    assert_eq!(taken("xEvent"), "ann bob cat eve gus");
    assert_eq!(taken("xEvent.commerce.order"), "ann bob gus");
    assert_eq!(taken("segmentMembership"), "ann bob");
    assert_eq!(taken("xEvent.productListItems.name"), "ann bob gus");
}

#[test]
fn a_comparison_with_an_array_holds_for_any_item() {
    assert_eq!(taken(r#"person.favoriteColors = "red""#), "ann");
    assert_eq!(taken(r#"person.favoriteColors != "red""#), "ann bob");
    assert_eq!(taken(r#""red" = person.favoriteColors"#), "ann");
    assert_eq!(
        taken(r#"xEvent.productListItems.SKU.equals("ps", false)"#),
        "ann eve"
    );
    assert_eq!(
        taken(r#"xEvent.productListItems.SKU in ["PS", "I"]"#),
        "ann eve gus"
    );
    assert_eq!(taken(r#"xEvent.productListItems.name like "%one%""#), "ann");
    assert_eq!(taken("xEvent.timestamp occurs last year"), "ann");
    assert_eq!(taken("person.favoriteColors = offer.tags"), "");
    assert_eq!(
        taken("xEvent.commerce.order.priceTotal = xEvent.commerce.order.priceTotal"),
        "ann bob gus"
    );
    assert_eq!(taken("xEvent.timestamp.getYear() = 2022"), "bob");
    assert_eq!(taken("xEvent.commerce.order.priceTotal * 2 = 25"), "gus");
}

#[test]
fn the_right_side_becomes_the_left_sides_type() {
    assert_eq!(taken(r#"person.birthMonth = "5""#), "ann");
    assert_eq!(taken(r#""5" = person.birthMonth"#), "ann");
    assert_eq!(taken("person.birthMonth = 5.0"), "ann");
    assert_eq!(taken(r#"person.birthMonth < "4.5""#), "bob");
    assert_eq!(taken(r#"person.birthMonth in ["5", "3.0"]"#), "ann bob");
    assert_eq!(
        taken(r#"xEvent.web.webPageDetails.isHomePage = "true""#),
        ""
    );
    assert_eq!(
        taken(r#"product.saleDate = "2024-03-05T09:00:00+01:00""#),
        "ann"
    );
    assert_eq!(taken("product.saleDate = 1709625600000"), "ann");
    assert_eq!(taken(r#"product.saleDate = "2024-03-05""#), "ann");
    assert_eq!(taken("product.saleDate = date(2024, 3, 5)"), "ann");
    assert_eq!(taken("product.saleDate != date(2024, 3, 5)"), "bob cat");
    assert_eq!(
        taken(r#"product.saleDate in ["2024-03-05T08:00:00Z"]"#),
        "ann"
    );
    assert_eq!(taken(r#"person.birthday = "2024-03-12""#), "ann");
    assert_eq!(taken("person.birthday = product.saleDate"), "");
    assert_eq!(taken("product.saleDate.equals(1709625600000)"), "ann");
}

#[test]
fn numbers_are_worked_out() {
    let double = Held::Double;
    let integer = Held::Integer;
    for (text, expected) in [
        ("1 + 2 * 3", integer(7)),
        ("(1 + 2) * 3", integer(9)),
        ("7 % 3 - 1", integer(0)),
        ("8 / 2 / 2", double(2.0)),
        ("1 / 2", double(0.5)),
        ("1 / 0", Held::Null),
        ("1 % 0", Held::Null),
        ("-(-(3))", integer(3)),
        ("2 - -3", integer(5)),
        ("10 - 2 - 3", integer(5)),
        ("9223372036854775807 + 1", Held::Null),
        ("1 + person.birthMonth", Held::Null),
        ("1.5 + 1", double(2.5)),
        ("orders.sum(price)", double(0.0)),
        ("orders.average(price)", Held::Null),
        ("orders.max(price)", Held::Null),
        ("orders.count()", integer(0)),
        ("orders.head()", Held::Null),
        ("numbers.sum()", integer(0)),
        (r#"person.favoriteColors.intersection(["red"])"#, Held::Null),
        (
            "currentYear() * 10000 + currentMonth() * 100 + currentDayOfMonth()",
            integer(20_240_315),
        ),
        ("let x = (1) in let y = (x + 1) in (x + y)", integer(3)),
        (r#"if("a" = "a", 1, 2.5)"#, double(1.0)),
        ("1 = 1 and not 1 = 2", Held::Boolean(true)),
        ("not 1 = 1 or 1 = 1", Held::Boolean(true)),
        ("1 = 1 or 1 = 1 and 1 = 2", Held::Boolean(true)),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
    assert_eq!(value_of("orders.average(price)", "ann"), double(20.0));
    assert_eq!(
        value_of("orders.min(price) + orders.max(price)", "ann"),
        double(40.0)
    );
    assert_eq!(
        value_of(
            "average O.price over O from orders where O.price > 10",
            "ann"
        ),
        double(25.0)
    );
    assert_eq!(
        value_of("max X from orders.price where X < 30", "ann"),
        double(20.0)
    );
    assert_eq!(
        value_of("orders.bottomN(price, 2).price.sum()", "ann"),
        double(30.0)
    );
    let both = r#"person.favoriteColors.intersection(["red", "red", "blue"]).count()"#;
    assert_eq!(value_of(both, "ann"), integer(1));
    assert_eq!(
        value_of("segmentMembership.get(\"ups\").keys().head()", "bob"),
        Held::Text("ID".to_owned())
    );
}

#[test]
fn quantifiers_of_nothing() {
    assert_eq!(
        taken("exists E from xEvent where 1 = 1"),
        "ann bob cat eve gus"
    );
    assert_eq!(taken("forall E from xEvent where 1 = 2"), "dan");
    assert_eq!(
        taken("forall E from xEvent : E.productListItems"),
        "cat dan eve"
    );
    assert_eq!(taken("forall O from orders where O.price > 5"), EVERYBODY);
    // The array of what several variables take has a field for each of them.
    let pairs = "(select X from xEvent, I from X.productListItems where I.SKU = \"PS\").X.timestamp occurs this month";
    assert_eq!(taken(pairs), "ann eve");
    let tuples = "(select X from xEvent, I from X.productListItems).count()";
    assert_eq!(value_of(tuples, "cat"), Held::Integer(18));
}

#[test]
fn steps_of_a_chain_are_strictly_in_order() {
    let chain = |steps: &str| taken(&format!("CHAIN(xEvent, timestamp, [{steps}])"));
    assert_eq!(
        chain(r#"A: WHAT(eventType = "addToCart"), B: WHAT(eventType = "commerce.checkouts")"#),
        "bob"
    );
    assert_eq!(
        chain(r#"A: WHAT(eventType = "commerce.checkouts"), B: WHAT(eventType = "addToCart")"#),
        ""
    );
    // One event is not two steps.
    assert_eq!(
        chain(r#"A: WHAT(eventType = "transaction"), B: WHAT(eventType = "transaction")"#),
        ""
    );
    assert_eq!(
        chain(
            r#"A: WHAT(eventType = "homePageView") COUNT(4), B: WHAT(eventType = "homePageView")"#
        ),
        "cat"
    );
    assert_eq!(
        chain(
            r#"A: WHAT(eventType = "homePageView") COUNT(5), B: WHAT(eventType = "homePageView")"#
        ),
        ""
    );
    assert_eq!(chain("A: WHAT(true) COUNT(6), B: WHAT(true)"), "");
    assert_eq!(chain("A: WHAT(true) COUNT(5), B: WHAT(true)"), "ann cat");
    assert_eq!(
        chain(r#"A: WHAT(productListItems) WHEN(this month), B: WHAT(^.person.gender = "male")"#),
        "bob gus"
    );
}

#[test]
fn windows_are_calendars() {
    // Bob's sale is on Monday 11 March at midnight, Ann's on Tuesday 5 March, Cat's on Tuesday 12 March.
    let at = |window: &str, now: &str| taken_at(&format!("product.saleDate occurs {window}"), now);
    let noon = "2024-03-15T12:00:00Z";
    for (window, people) in [
        ("this week", "bob cat"),
        ("last week", "ann"),
        ("this month", "ann bob cat"),
        ("last month", ""),
        ("this century", "ann bob cat"),
        ("on date(2024, 3, 11)", "bob"),
        ("date(2024, 3, 11)", "bob"),
        ("between date(2024, 3, 5) and date(2024, 3, 11)", "ann bob"),
        ("between last week and this week", "ann bob cat"),
        ("before date(2024, 3, 11)", "ann"),
        ("after date(2024, 3, 11)", "cat"),
        ("after \"2024-03-11T00:00:00Z\"", "cat"),
        ("<= 4 days before today", "bob cat"),
        ("< 4 days before today", "cat"),
        ("> 4 days before today", "ann"),
        (">= 4 days before today", "ann bob"),
        ("= 4 days before today", "bob"),
        ("!= 4 days before today", "ann cat"),
        ("<= 1 day after date(2024, 3, 11)", "cat"),
        ("= 1 day after date(2024, 3, 10)", "bob"),
        ("<= 1 day after \"2024-03-11T00:00:00Z\"", "cat"),
        ("< 1 day after \"2024-03-11T00:00:00Z\"", ""),
        ("<= 6 days from \"2024-03-05\"", "bob"),
        ("before now", "ann bob cat"),
        ("after now", ""),
        ("on _repo.lastModifiedDate", ""),
        ("before _repo.lastModifiedDate", "ann bob"),
    ] {
        assert_eq!(at(window, noon), people, "{window}");
    }
    assert_eq!(at("today", "2024-03-11T23:59:59.999Z"), "bob");
    assert_eq!(at("yesterday", "2024-03-12T00:00:00Z"), "bob");
    assert_eq!(at("tomorrow", "2024-03-10T23:59:59Z"), "bob");
    // K-pql: "<= 1 month before today" on 28 August is 28 July to 27 August.
    assert_eq!(
        at("<= 1 month before today", "2024-04-05T00:00:00Z"),
        "ann bob cat"
    );
    assert_eq!(
        at("<= 1 month before today", "2024-04-06T00:00:00Z"),
        "bob cat"
    );
    // The month before 30 April begins on 30 March; that before 31 May has no 31st and begins on 30 April.
    assert_eq!(
        taken_at(
            "date(2024, 2, 29) occurs <= 1 month before today",
            "2024-03-31T10:00:00Z"
        ),
        EVERYBODY
    );
    assert_eq!(
        taken_at(
            "date(2024, 2, 28) occurs <= 1 month before today",
            "2024-03-31T10:00:00Z"
        ),
        ""
    );
    assert_eq!(
        taken_at(
            "date(2023, 2, 28) occurs = 1 year before date(2024, 2, 29)",
            noon
        ),
        EVERYBODY
    );
}

#[test]
fn the_ways_to_name_things_are_one() {
    let same = |one: &str, other: &str| {
        let check = |text: &str| {
            Expression::parse(text)
                .unwrap()
                .check(&crate::people::schema())
                .unwrap()
        };
        assert_eq!(
            check(one).condition(),
            check(other).condition(),
            "{one} and {other}"
        );
    };
    same(
        "homeAddress.countryISO = \"US\"",
        "$1.homeAddress.countryISO = \"US\"",
    );
    same(
        "homeAddress.countryISO = \"US\"",
        "(P) => P.homeAddress.countryISO = \"US\"",
    );
    same(
        "select X from xEvent where X.eventType = \"a\"",
        "xEvent[eventType = \"a\"]",
    );
    same(
        "xEvent.filter(eventType = \"a\")",
        "xEvent[eventType = \"a\"]",
    );
    same(
        "exists X from xEvent where X.eventType = \"a\"",
        "xEvent.exists(eventType = \"a\")",
    );
    same(
        "CHAIN(xEvent, timestamp, [A: WHAT(eventType = \"a\")])",
        "xEvent[eventType = \"a\"]",
    );
    same("xEvent.eventType = \"a\"", "xEvent[eventType = \"a\"]");
    same(
        "sum X.commerce.order.priceTotal over X from xEvent",
        "xEvent.sum(commerce.order.priceTotal)",
    );
    same("loyalty.points > 1", "_acme.loyalty.points > 1");
    same("person.name matches \"a\"", "person.name.matches(\"a\")");
    same(
        "person.gender in (\"a\", \"b\")",
        "person.gender in [\"a\", \"b\"]",
    );
    same("person.gender in ([\"a\"])", "person.gender in [\"a\"]");
    same(
        "xEvent.exists(E.eventType = 1)".replace("E.", "").as_str(),
        "xEvent[eventType = \"1\"]",
    );
}
