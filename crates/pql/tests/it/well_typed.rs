//! Expressions of the fixture's schema that fit it, as texts, from dice.

use crate::generate::Dice;

/// What a scope is about.
#[derive(Clone, Copy, PartialEq)]
enum About {
    Profile,
    Event,
    Item,
    Order,
}

/// How the scope is named.
#[derive(Clone)]
enum Named {
    Profile,
    Filtered,
    Variable(String),
}

pub struct WellTyped<'d, 'b> {
    dice: &'d mut Dice<'b>,
    scopes: Vec<(About, Named)>,
    variables: usize,
}

/// A segment's condition.
pub fn condition(dice: &mut Dice<'_>) -> String {
    let mut generator = WellTyped {
        dice,
        scopes: vec![(About::Profile, Named::Profile)],
        variables: 0,
    };
    generator.condition(4)
}

impl WellTyped<'_, '_> {
    fn pick(&mut self, texts: &[&str]) -> String {
        self.dice.pick(texts).to_owned()
    }

    /// A path of a scope that has one of the kind that is asked for.
    fn path(&mut self, paths: fn(About) -> &'static [&'static str]) -> String {
        let at = self.dice.below(self.scopes.len());
        let at = match paths(self.scopes[at].0).is_empty() {
            true => 0,
            false => at,
        };
        let (about, named) = self.scopes[at].clone();
        let further = &self.scopes[at + 1..];
        let levels = further.iter().filter(|(_, n)| matches!(n, Named::Filtered));
        let root = match named {
            Named::Profile => "$1".to_owned(),
            Named::Variable(name) => name,
            Named::Filtered => match levels.count() {
                0 => "this".to_owned(),
                levels => "^".repeat(levels),
            },
        };
        format!("{root}.{}", self.dice.pick(paths(about)))
    }

    fn condition(&mut self, fuel: u32) -> String {
        if fuel == 0 {
            return self.test(0);
        }
        let less = fuel - 1;
        match self.dice.below(10) {
            0..=3 => self.test(less),
            4 => {
                let (a, b) = (self.condition(less), self.condition(less));
                let operator = self.pick(&["and", "or"]);
                format!("(({a}) {operator} ({b}))")
            }
            5 => format!("not ({})", self.condition(less)),
            6 => self.quantified(less),
            7 => self.chain(less),
            8 => {
                let value = self.integer(less);
                let other = self.integer(less);
                let name = self.variable();
                format!("(let {name} = ({value}) in ({name} = {other} or {name} > 2))")
            }
            _ => {
                let (list, _) = self.objects(less);
                list
            }
        }
    }

    fn variable(&mut self) -> String {
        self.variables += 1;
        format!("V{}", self.variables)
    }

    fn test(&mut self, fuel: u32) -> String {
        match self.dice.below(12) {
            0 => {
                let operator = self.pick(&["=", "!="]);
                format!("({} {operator} {})", self.text(fuel), self.text(fuel))
            }
            1 => {
                let operator = self.pick(&["=", "!=", "<", "<=", ">", ">="]);
                format!("({} {operator} {})", self.number(fuel), self.number(fuel))
            }
            2 => {
                let method = self.pick(&[
                    "startsWith",
                    "doesNotStartWith",
                    "endsWith",
                    "doesNotEndWith",
                    "contains",
                    "doesNotContain",
                    "equals",
                    "notEqualTo",
                ]);
                let case = self.pick(&["", ", false", ", true"]);
                format!("({}).{method}({}{case})", self.text(fuel), self.text(fuel))
            }
            3 => {
                let operator = self.pick(&["in", "notIn"]);
                format!("({} {operator} {})", self.text(fuel), self.texts())
            }
            4 => {
                let method = self.pick(&["intersects", "subsetOf", "supersetOf"]);
                format!("({}).{method}({})", self.texts(), self.texts())
            }
            5 => format!("({} occurs {})", self.time(), self.window(fuel)),
            6 => format!("({} occurs {})", self.time(), self.window(fuel)),
            7 => {
                let method = self.pick(&["isNull", "isNotNull"]);
                let value = match self.dice.below(3) {
                    0 => self.text(fuel),
                    1 => self.texts(),
                    _ => self.objects(fuel).0,
                };
                format!("({value}).{method}()")
            }
            8 => {
                let pattern = self.pick(&["(?i)^j", "o.*y", "^$", "[A-Z]{2}"]);
                format!("({}).matches(\"{pattern}\")", self.text(fuel))
            }
            9 => {
                let pattern = self.pick(&["%", "%.edu", "_o%", "US", "%e%"]);
                format!("({} like \"{pattern}\")", self.text(fuel))
            }
            10 => self.path(|about| match about {
                About::Profile => &[
                    "person.isMember",
                    "homeAddress",
                    "xEvent.commerce.order",
                    "person.favoriteColors",
                ],
                About::Event => &[
                    "web.webPageDetails.isHomePage",
                    "commerce.order",
                    "productListItems",
                    "eventType",
                ],
                About::Item => &["SKU", "quantity"],
                About::Order => &["price"],
            }),
            _ => {
                let id = self.pick(&["e3be6d7f", "other"]);
                format!("inSegment(\"{id}\")")
            }
        }
    }

    fn text(&mut self, fuel: u32) -> String {
        match self.dice.below(if fuel == 0 { 5 } else { 7 }) {
            0 => self.pick(&[
                "\"US\"",
                "\"PS\"",
                "\"\"",
                "\"commerce.checkouts\"",
                "\"5\"",
            ]),
            1..=4 => self.path(|about| match about {
                About::Profile => &[
                    "homeAddress.countryISO",
                    "person.gender",
                    "person.name",
                    "workEmail.address",
                    "xEvent.eventType",
                    "person.favoriteColors",
                    "xEvent.productListItems.SKU",
                ],
                About::Event => &["eventType", "type", "_id", "productListItems.name"],
                About::Item => &["SKU", "name"],
                About::Order => &[],
            }),
            5 => {
                let (test, a, b) = (self.condition(fuel - 1), self.text(0), self.text(0));
                format!("if({test}, {}, {})", one(&a), one(&b))
            }
            _ => format!(
                "segmentMembership.get({}).get(\"ID\").status",
                self.pick(&["\"ups\"", "\"x\""])
            )
            .replacen("segmentMembership", "$1.segmentMembership", 1),
        }
    }

    fn texts(&mut self) -> String {
        match self.dice.below(4) {
            0 => self.pick(&["[\"US\", \"PS\"]", "[]", "[\"red\", \"black\", \"a\"]"]),
            1 => {
                let (a, b) = (self.path(text_lists), self.path(text_lists));
                format!("({a}).intersection({b})")
            }
            2 => format!("({}).distinct()", self.path(text_lists)),
            _ => self.path(text_lists),
        }
    }

    fn number(&mut self, fuel: u32) -> String {
        match self.dice.below(3) {
            0 => self.integer(fuel),
            1 => self.path(|about| match about {
                About::Profile => &[
                    "offer.rank.priority",
                    "orders.price",
                    "xEvent.commerce.order.priceTotal",
                ],
                About::Event => &["commerce.order.priceTotal", "productListItems.priceTotal"],
                About::Item => &["priceTotal"],
                About::Order => &["price"],
            }),
            _ => self.pick(&["0.5", "20.0", "-1e3", "5"]),
        }
    }

    fn integer(&mut self, fuel: u32) -> String {
        if fuel == 0 {
            return match self.dice.below(3) {
                0 => self.pick(&["0", "1", "2", "5", "-3"]),
                1 => self.pick(&["currentYear()", "currentMonth()", "currentDayOfMonth()"]),
                _ => "$1.person.birthMonth".to_owned(),
            };
        }
        let less = fuel - 1;
        match self.dice.below(6) {
            0 => {
                let operator = self.pick(&["+", "-", "*", "%"]);
                format!("({} {operator} {})", self.integer(less), self.integer(less))
            }
            1 => format!("({}).count()", self.objects(less).0),
            2 => format!("({}).count()", self.texts()),
            3 => format!("-({})", self.integer(less)),
            4 => format!(
                "({}).{}()",
                one_time(&self.time()),
                self.pick(&["getYear", "getMonth", "getDayOfMonth"])
            ),
            _ => self.integer(0),
        }
    }

    /// An array of objects, and what they are.
    fn objects(&mut self, fuel: u32) -> (String, About) {
        let at = self.dice.below(self.scopes.len());
        let in_event = self.scopes[at].0 == About::Event;
        let (mut text, about) = match self.dice.below(3) {
            0 if in_event => (
                self.path(|about| match about {
                    About::Event => &["productListItems"],
                    About::Profile => &["xEvent.productListItems"],
                    About::Item | About::Order => &[],
                }),
                About::Item,
            ),
            1 => ("$1.orders".to_owned(), About::Order),
            _ => ("$1.xEvent".to_owned(), About::Event),
        };
        if fuel > 0 && self.dice.below(2) == 1 {
            let condition = self.inside(about, Named::Filtered, |g| g.condition(fuel - 1));
            text = format!("{text}[{condition}]");
        }
        let key = match about {
            About::Event => "timestamp",
            About::Item => "quantity",
            _ => "price",
        };
        match self.dice.below(6) {
            0 => text = format!("{text}.topN({key}, 2)"),
            1 => text = format!("{text}.bottomN({key}, 1)"),
            _ => {}
        }
        (text, about)
    }

    fn inside(
        &mut self,
        about: About,
        named: Named,
        inner: impl FnOnce(&mut Self) -> String,
    ) -> String {
        self.scopes.push((about, named));
        let text = inner(self);
        self.scopes.pop();
        text
    }

    fn quantified(&mut self, fuel: u32) -> String {
        let word = self.pick(&["select", "exists", "forall"]);
        let mut text = format!("({word} ");
        let before = self.scopes.len();
        for at in 0..1 + self.dice.below(2) {
            let (source, about) = self.objects(0);
            let name = self.variable();
            self.scopes.push((about, Named::Variable(name.clone())));
            let condition = self.condition(fuel.saturating_sub(1));
            let comma = if at > 0 { ", " } else { "" };
            text += &format!("{comma}{name} from {source} where {condition}");
        }
        self.scopes.truncate(before);
        text + ")"
    }

    fn chain(&mut self, fuel: u32) -> String {
        let steps = 1 + self.dice.below(3);
        let mut text = "CHAIN($1.xEvent, timestamp, [".to_owned();
        for at in 0..steps {
            let what = self.inside(About::Event, Named::Filtered, |g| g.condition(fuel.min(1)));
            let comma = if at > 0 { ", " } else { "" };
            text += &format!("{comma}S{at}: WHAT({what})");
            if self.dice.below(3) == 1 {
                let window = self.inside(About::Event, Named::Filtered, |g| g.window(0));
                text += &format!(" WHEN({window})");
            }
            if self.dice.below(3) == 1 {
                text += &format!(" COUNT({})", 1 + self.dice.below(3));
            }
        }
        text + "])"
    }

    fn time(&mut self) -> String {
        self.path(times)
    }

    fn window(&mut self, fuel: u32) -> String {
        match self.dice.below(5) {
            0 => format!("{} {}", self.pick(&["before", "after"]), self.moment()),
            1 => format!("on {}", self.moment()),
            2 => format!("between {} and {}", self.moment(), self.moment()),
            _ => {
                let comparison = self.pick(&["<", "<=", "=", "!=", ">", ">="]);
                let count = match self.dice.below(3) {
                    0 => format!("(0 + {})", self.integer(fuel.min(1))),
                    _ => self.pick(&["0", "1", "3", "7"]),
                };
                let unit = self.pick(&["hours", "days", "weeks", "months", "years", "millennia"]);
                let side = self.pick(&["before", "after"]);
                format!("{comparison} {count} {unit} {side} {}", self.moment())
            }
        }
    }

    fn moment(&mut self) -> String {
        match self.dice.below(4) {
            0 => self.pick(&["now", "today", "yesterday", "tomorrow"]),
            1 => {
                let unit = self.pick(&["hour", "day", "week", "month", "year", "decade"]);
                format!("{} {unit}", self.pick(&["last", "this", "next"]))
            }
            2 => self.pick(&[
                "date(2024, 3, 10)",
                "date(currentYear() - 1, 11, 20)",
                "\"2024-03-14T09:00:00Z\"",
            ]),
            _ => self.time(),
        }
    }
}

/// An array where one value is wanted gives its first.
fn one(text: &str) -> String {
    let many = ["favoriteColors", "xEvent.", "productListItems"];
    match many.iter().any(|name| text.contains(name)) {
        true => format!("({text}).head()"),
        false => text.to_owned(),
    }
}

fn one_time(text: &str) -> String {
    match text.contains("xEvent") {
        true => format!("({text}).max()"),
        false => text.to_owned(),
    }
}

fn text_lists(about: About) -> &'static [&'static str] {
    match about {
        About::Profile => &[
            "person.favoriteColors",
            "offer.tags",
            "person.orders.storeId",
            "xEvent.eventType",
        ],
        About::Event => &["productListItems.SKU"],
        About::Item | About::Order => &[],
    }
}

fn times(about: About) -> &'static [&'static str] {
    match about {
        About::Profile => &[
            "product.saleDate",
            "person.birthday",
            "_repo.modifyDate",
            "xEvent.timestamp",
        ],
        About::Event => &["timestamp"],
        About::Item | About::Order => &[],
    }
}
