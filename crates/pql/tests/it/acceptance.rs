//! The fifty expressions of the facts' section 6, and whom each takes: written down, not computed.

use profile_export_pql::Expression;

use crate::interpreter::Held;
use crate::people::{refusal, taken, value_of};

/// The number in the facts, the expression, and the people of the fixture for whom it is true.
pub const SEGMENTS: [(u8, &str, &str); 42] = [
    (1, r#"homeAddress.countryISO = "US""#, "ann bob"),
    (2, r"homeAddress", "ann bob cat"),
    (3, r"homeAddress.countryISO = workAddress.countryISO", "ann"),
    (
        4,
        r#"homeAddress.countryISO = "US" and homeAddress.stateProvinceISO in ["CA", "OR"]"#,
        "ann",
    ),
    (
        5,
        r"homeAddress.stateProvinceISO != workAddress.stateProvinceISO",
        "ann",
    ),
    (6, r#"workEmail.address like "%.edu""#, "ann"),
    (
        7,
        r#"select PV from xEvent where PV.metrics.commerce.productListViews.value > 0, Item from PV.productListItems where Item.SKU = "PS""#,
        "ann",
    ),
    (
        8,
        r"select A1 from xEvent where A1.metrics.commerce.abandons.value > 0, A2 from xEvent where A2.metrics.commerce.abandons.value > 0 and A1.id != A2.id and A1.timestamp occurs < 2 days before A2.timestamp",
        "ann",
    ),
    (
        9,
        r"select X from xEvent where X.commerce.order",
        "ann bob gus",
    ),
    (
        10,
        r#"select X from xEvent where X.commerce.order.purchaseId != """#,
        "ann bob",
    ),
    (
        11,
        r#"homeAddress.countryISO = "US" and (select Order1 from xEvent where Order1.commerce.order, Order2 from xEvent where Order2.commerce.order and Order2.timestamp occurs < 2 weeks after Order1.timestamp)"#,
        "ann",
    ),
    (
        12,
        r"_repo.lastModifiedDate occurs <= 30 minutes before now",
        "ann",
    ),
    (
        13,
        r"_repo.modifyDate occurs after date(2019, 4, 1)",
        "ann bob",
    ),
    (14, r"xEvent.metrics.commerce.abandons.value > 0", "ann"),
    (
        15,
        r"(select X from xEvent where X.productListItems.count() > 2).count() > 5",
        "cat",
    ),
    (
        16,
        r#"select X from xEvent where X.timestamp occurs before today and (select I from X.productListItems where I.SKU = "PS")"#,
        "ann eve",
    ),
    (
        17,
        r"select X from xEvent where X.timestamp occurs between date(currentYear() - 1, 10, 1) and date(currentYear() - 1, 12, 31)",
        "ann",
    ),
    (
        18,
        r#"(select X from xEvent where X.type = "FLIGHT").homeAddress.countryISO = "US""#,
        "ann",
    ),
    (
        19,
        r#"(sum X.commerce.order.priceTotal over X from xEvent where X.commerce.order.currencyCode = "USD") > 1000"#,
        "bob",
    ),
    (
        20,
        r#"let S = (sum X.commerce.order.priceTotal over X from xEvent where X.commerce.order.currencyCode = "USD") in (S > 100 and S < 1000)"#,
        "ann",
    ),
    (21, r"person.birthMonth notIn [3, 6, 9]", "ann"),
    (
        22,
        r#"person.favoriteColors.intersects(["red", "blue", "green"])"#,
        "ann",
    ),
    (23, r"person.orders.storeId.distinct().count() > 1", "ann"),
    (25, r#"person.name.matches("(?i)^John")"#, "ann"),
    (27, r"product.saleDate occurs last week", "ann"),
    (28, r"person.birthday occurs = 3 days before today", "ann"),
    (29, r"person.birthDate.getMonth() = currentMonth()", "ann"),
    (
        30,
        r#"exists E from xEvent where (E.commerce.item.price > 50), I from E.productListItems where I.SKU = "PS""#,
        "ann eve",
    ),
    (
        31,
        r#"forall E from xEvent where (E.commerce.item.price > 50), I from E.productListItems where I.SKU = "PS""#,
        "dan eve",
    ),
    (
        32,
        r#"xEvent[productListItems[SKU="PS" or ^^.person.gender="female"]]"#,
        "ann cat eve",
    ),
    (
        37,
        r#"chain(xEvent, timestamp, [A: WHAT(eventType = "transaction") WHEN(< 7 days before now)])"#,
        "bob",
    ),
    (
        38,
        r#"homeAddress.countryCode = "US" and chain(xEvent, timestamp, [A: WHAT(eventType = "homePageView") WHEN(< 24 hours before now) COUNT(5) ] )"#,
        "cat",
    ),
    (
        39,
        r#"homeAddress.countryCode = "US" and not(chain(xEvent, timestamp, [X: WHAT(eventType = "addToCart") WHEN(< 8 days before now)]))"#,
        "ann cat",
    ),
    (
        40,
        r#"chain(xEvent, timestamp, [A: WHAT(eventType = "addToCart") WHERE(externalSegmentMapProperty.values().exists(stringProperty="active"))])"#,
        "bob",
    ),
    (
        41,
        r#"workAddress.country.equals("US", false) and CHAIN(xEvent, timestamp, [C0: WHAT(eventType.equals("directMarketing.emailClicked", false)) WHEN(today), C1: WHAT(eventType.equals("commerce.checkouts", false)) WHEN(today)])"#,
        "ann",
    ),
    (
        42,
        r#"inSegment("e3be6d7f") and CHAIN(xEvent, timestamp, [C0: WHAT(eventType.equals("commerce.checkouts", false)) WHEN(<= 24 hours before now)])"#,
        "ann",
    ),
    (
        43,
        r#"person.gender in ["male"] and CHAIN(xEvent, timestamp, [C0: WHAT(productListItems.exists(name.equals("iPhone 15 Pro", false)))])"#,
        "gus",
    ),
    (
        44,
        r#"person.gender in ["male"] and (select _Any1 from xEvent, _Any1__Product_list_items1 from _Any1.productListItems where _Any1__Product_list_items1.name.equals("iPhone 15 Pro", false))"#,
        "gus",
    ),
    (
        45,
        r#"CHAIN(xEvent, timestamp, [C0: WHAT(web.webPageDetails.name.equals("equipment", false) and _tenant.demoEnvironment.brandName.contains("x", false))])"#,
        "bob",
    ),
    (
        46,
        r"select var1 from xEvent where var1._experience.analytics.endUser.firstWeb.webPageDetails.isHomePage = false",
        "bob",
    ),
    (
        47,
        r#"segmentMembership.get("ups").get("ID").status in (["realized","existing"])"#,
        "ann",
    ),
    (
        49,
        r#"personalEmail.address.endsWith("testxdmmail.com", false)"#,
        "ann",
    ),
];

#[test]
fn each_takes_the_people_it_should() {
    for (number, text, people) in SEGMENTS {
        assert_eq!(taken(text), people, "{number}: {text}");
    }
}

#[test]
fn each_means_the_same_by_its_canonical_text_and_as_json() {
    for (number, text, people) in SEGMENTS {
        let expression = Expression::parse(text).unwrap();
        assert_eq!(taken(&expression.to_text()), people, "{number}: {text}");
        let read = Expression::from_json(&expression.to_json()).unwrap();
        assert_eq!(read, expression, "{number}: {text}");
    }
}

#[test]
fn values_are_worked_out() {
    let text = |text: &str| Held::Text(text.to_owned());
    let topmost = value_of("orders.topN(price, 5).head()", "ann");
    assert_eq!(
        topmost,
        Held::Members(vec![("price".to_owned(), Held::Double(30.0))])
    );
    assert_eq!(
        value_of(r#"emailAddress.regexGroup("@(\\w+)", 1)"#, "ann"),
        text("uni")
    );
    assert_eq!(
        value_of(r#"emailAddress.regexGroup("@(\\w+)", 1)"#, "dan"),
        Held::Null
    );
    let of_33 = r"xEvent[(commerce.checkouts.value > 0.0 or commerce.purchases.value > 1.0 or commerce.order.priceTotal >= 10.0) and (timestamp occurs <= 7 days before now)].sum(commerce.order.priceTotal)";
    assert_eq!(value_of(of_33, "gus"), Held::Double(12.5));
    assert_eq!(value_of(of_33, "ann"), Held::Double(0.0));
    let of_34 = r#"xEvent[(timestamp occurs < 7 days before now) and eventType="download" and contentType = "image"].count()"#;
    assert_eq!(value_of(of_34, "gus"), Held::Integer(1));
    assert_eq!(value_of(of_34, "ann"), Held::Integer(0));
    let of_36 = r#"if(homeAddress.countryCode in ["US","MX","CA"], "NA", "ROW")"#;
    assert_eq!(value_of(of_36, "ann"), text("NA"));
    assert_eq!(value_of(of_36, "dan"), text("ROW"));
    let of_48 = r"if(offer.rank.priority.isNotNull(), offer.rank.priority, 0) * if(offer.tags.intersects(boosted.tags), 2, 1)";
    assert_eq!(value_of(of_48, "ann"), Held::Double(6.0));
    assert_eq!(value_of(of_48, "dan"), Held::Double(0.0));
    let of_50 = r"xEvent[web.webPageDetails.pageViews.value >= 1.0].sum(web.webPageDetails.pageViews.value)";
    assert_eq!(value_of(of_50, "gus"), Held::Double(2.0));
}

#[test]
fn values_for_computed_attributes_are_parsed_and_refused_by_name() {
    let of_35 = r#"xEvent[(timestamp occurs < 7 days before now) and eventType="download"].groupBy(product).map((K, G) => mapEntry(K, G.sum(commerce.order.priceTotal) > 100))"#;
    assert!(Expression::parse(of_35).is_ok());
    let message = refusal(of_35);
    assert!(
        message.contains("for computed attributes only"),
        "{message}"
    );
}
