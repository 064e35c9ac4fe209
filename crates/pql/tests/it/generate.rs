//! Trees from dice: bytes that proptest throws and shrinks.

use profile_export_pql::syntax::{
    Comparison, Kind, Literal, Moment, Name, Node, Quantifier, Range, Root, Side, Step, Unit,
    Window,
};
use profile_export_pql::{Function, Span};

/// Bytes that are used up; after the last there are zeros.
pub struct Dice<'a>(pub &'a [u8]);

impl Dice<'_> {
    pub fn below(&mut self, sides: usize) -> usize {
        match self.0.split_first() {
            Some((byte, rest)) => {
                self.0 = rest;
                usize::from(*byte) % sides
            }
            None => 0,
        }
    }

    pub fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }
}

const NAMES: [&str; 28] = [
    "a", "count", "value", "X", "Y", "true", "sum", "min", "now", "this", "last", "from", "where",
    "over", "like", "in", "not", "null", "select", "let", "my-field", "a`b", "xdm", "größe",
    "today", "on", "WHAT", "between",
];
const FIELDS: [&str; 6] = [
    "xEvent",
    "orders",
    "numbers",
    "timestamp",
    "productListItems",
    "emailAddress",
];
const TEXTS: [&str; 8] = [
    "",
    "CA",
    "a\"b",
    "\\w+",
    "line\nbreak\t\r",
    "\u{1}\u{7f}",
    "grün 😀",
    "{\"nodeType\":1}",
];
const DOUBLES: [f64; 10] = [
    0.0,
    -0.0,
    4.5,
    -2.02e-12,
    2.02e12,
    1e300,
    f64::MAX,
    f64::MIN_POSITIVE,
    0.1,
    1e16,
];
const INTEGERS: [i64; 7] = [0, 1, -1, 412, -201, i64::MAX, i64::MIN];
const UNITS: [Unit; 11] = [
    Unit::Millisecond,
    Unit::Second,
    Unit::Minute,
    Unit::Hour,
    Unit::Day,
    Unit::Week,
    Unit::Month,
    Unit::Year,
    Unit::Decade,
    Unit::Century,
    Unit::Millennium,
];
const COMPARISONS: [Comparison; 6] = [
    Comparison::Equal,
    Comparison::NotEqual,
    Comparison::Less,
    Comparison::LessOrEqual,
    Comparison::Greater,
    Comparison::GreaterOrEqual,
];

/// The functions with the numbers of arguments that each may have, what a method is called on among them.
const FUNCTIONS: [(Function, usize, usize); 60] = {
    use Function::*;
    [
        (Or, 2, 4),
        (And, 2, 4),
        (Not, 1, 1),
        (Negate, 1, 1),
        (Add, 2, 2),
        (Subtract, 2, 2),
        (Multiply, 2, 2),
        (Divide, 2, 2),
        (Remainder, 2, 2),
        (Equal, 2, 2),
        (NotEqual, 2, 2),
        (Less, 2, 2),
        (LessOrEqual, 2, 2),
        (Greater, 2, 2),
        (GreaterOrEqual, 2, 2),
        (In, 2, 2),
        (NotIn, 2, 2),
        (Like, 2, 2),
        (If, 3, 3),
        (Date, 3, 3),
        (CurrentMonth, 0, 0),
        (CurrentYear, 0, 0),
        (CurrentDayOfMonth, 0, 0),
        (InSegment, 1, 1),
        (MapEntry, 2, 2),
        (StartsWith, 2, 3),
        (DoesNotStartWith, 2, 3),
        (EndsWith, 2, 3),
        (DoesNotEndWith, 2, 3),
        (Contains, 2, 3),
        (DoesNotContain, 2, 3),
        (Equals, 2, 3),
        (NotEqualTo, 2, 3),
        (Matches, 2, 2),
        (RegexGroup, 3, 3),
        (Intersects, 2, 2),
        (Intersection, 2, 2),
        (SubsetOf, 2, 2),
        (SupersetOf, 2, 2),
        (Includes, 2, 2),
        (Distinct, 1, 1),
        (GroupBy, 2, 2),
        (Filter, 2, 2),
        (TopN, 3, 3),
        (BottomN, 3, 3),
        (Head, 1, 1),
        (Exists, 2, 2),
        (Count, 1, 1),
        (Sum, 1, 2),
        (Average, 1, 2),
        (Min, 1, 2),
        (Max, 1, 2),
        (Get, 2, 2),
        (Keys, 1, 1),
        (Values, 1, 1),
        (IsNull, 1, 1),
        (IsNotNull, 1, 1),
        (GetMonth, 1, 1),
        (GetYear, 1, 1),
        (GetDayOfMonth, 1, 1),
    ]
};

fn about_items(function: Function) -> bool {
    use Function::*;
    matches!(
        function,
        GroupBy | Filter | Map | TopN | BottomN | Exists | Sum | Average | Min | Max
    )
}

/// A tree whose variables and levels are bound.
pub fn tree(dice: &mut Dice<'_>) -> Node {
    tree_with(dice, &NAMES)
}

/// The same with names of the fixture's fields.
pub fn tree_of_fields(dice: &mut Dice<'_>) -> Node {
    tree_with(dice, &FIELDS)
}

fn tree_with(dice: &mut Dice<'_>, names: &'static [&'static str]) -> Node {
    let mut generator = Generator {
        dice,
        names,
        variables: Vec::new(),
        items: 0,
    };
    generator.node(6)
}

struct Generator<'d, 'b> {
    dice: &'d mut Dice<'b>,
    names: &'static [&'static str],
    variables: Vec<String>,
    items: u32,
}

fn made(kind: Kind) -> Node {
    Node::new(kind, Span::default())
}

impl Generator<'_, '_> {
    fn name(&mut self) -> Name {
        Name {
            text: self.dice.pick(self.names).to_owned(),
            span: Span::default(),
        }
    }

    fn node(&mut self, fuel: u32) -> Node {
        let sides = if fuel == 0 { 3 } else { 16 };
        let less = fuel.saturating_sub(1);
        match self.dice.below(sides) {
            0 => {
                let root = self.root();
                self.path(made(Kind::Root(root)), true)
            }
            1 => made(Kind::Literal(self.literal())),
            2 => {
                let root = self.root();
                made(Kind::Root(root))
            }
            3..=9 => self.apply(less),
            10 => {
                let object = self.node(less);
                match object.kind() {
                    Kind::Fields(..) => object,
                    _ => self.path(object, false),
                }
            }
            11 => {
                let items = self.nodes(4, less);
                match self.dice.below(4) {
                    0 => made(Kind::Object(
                        items
                            .into_iter()
                            .map(|i| (self.dice.pick(&TEXTS).to_owned(), i))
                            .collect(),
                    )),
                    _ => made(Kind::List(items)),
                }
            }
            12 => self.quantified(less),
            13 => {
                let time = Box::new(self.node(less));
                let window = Box::new(self.window(less));
                made(Kind::Occurs(time, window))
            }
            14 => self.chain(less),
            _ => {
                let name = self.name();
                let value = Box::new(self.node(less));
                self.variables.push(name.text.clone());
                let body = Box::new(self.node(less));
                self.variables.pop();
                made(Kind::Let(name, value, body))
            }
        }
    }

    fn nodes(&mut self, most: usize, fuel: u32) -> Vec<Node> {
        (0..self.dice.below(most))
            .map(|_| self.node(fuel))
            .collect()
    }

    fn root(&mut self) -> Root {
        match self.dice.below(4) {
            0 => Root::Profile,
            1 if !self.variables.is_empty() => {
                Root::Variable(self.dice.pick(&self.variables.clone()))
            }
            _ if self.items > 0 => {
                let items = self.items as usize;
                Root::Item(self.dice.below(items) as u32)
            }
            _ => Root::Profile,
        }
    }

    fn path(&mut self, object: Node, long: bool) -> Node {
        let names = 1 + if long { self.dice.below(3) } else { 0 };
        made(Kind::Fields(
            Box::new(object),
            (0..names).map(|_| self.name()).collect(),
        ))
    }

    fn literal(&mut self) -> Literal {
        match self.dice.below(4) {
            0 => Literal::Integer(self.dice.pick(&INTEGERS)),
            1 => Literal::String(self.dice.pick(&TEXTS).to_owned()),
            2 => Literal::Double(self.dice.pick(&DOUBLES)),
            _ => Literal::Boolean(self.dice.below(2) == 1),
        }
    }

    fn apply(&mut self, fuel: u32) -> Node {
        if self.dice.below(24) == 1 {
            return self.map(fuel);
        }
        let (function, least, most) = self.dice.pick(&FUNCTIONS);
        let count = least + self.dice.below(most - least + 1);
        let arguments = (0..count)
            .map(|at| {
                let inner = u32::from(at == 1 && about_items(function));
                self.items += inner;
                let node = self.node(fuel);
                self.items -= inner;
                node
            })
            .collect::<Vec<_>>();
        // The parser refuses it by name.
        if function == Function::Filter && matches!(arguments[0].kind(), Kind::Chain(..)) {
            return arguments[0].clone();
        }
        made(Kind::Apply(function, arguments))
    }

    fn map(&mut self, fuel: u32) -> Node {
        let on = self.node(fuel);
        self.items += 1;
        let body = match self.dice.below(3) {
            0 => self.node(fuel),
            names => {
                let names: Vec<Name> = (0..names).map(|_| self.name()).collect();
                self.variables.extend(names.iter().map(|n| n.text.clone()));
                let body = self.node(fuel);
                self.variables.truncate(self.variables.len() - names.len());
                made(Kind::Lambda(names, Box::new(body)))
            }
        };
        self.items -= 1;
        made(Kind::Apply(Function::Map, vec![on, body]))
    }

    fn quantified(&mut self, fuel: u32) -> Node {
        let before = self.variables.len();
        let ranges: Vec<Range> = (0..1 + self.dice.below(3))
            .map(|_| {
                let source = self.node(fuel);
                let variable = self.name();
                self.variables.push(variable.text.clone());
                let condition = (self.dice.below(3) > 0).then(|| self.node(fuel));
                Range {
                    variable,
                    source,
                    condition,
                }
            })
            .collect();
        let kind = match self.dice.below(4) {
            0 => Kind::Quantified(Quantifier::Select, ranges),
            1 => Kind::Quantified(Quantifier::Exists, ranges),
            2 => Kind::Quantified(Quantifier::Forall, ranges),
            _ => {
                use Function::{Average, Max, Min, Sum};
                let function = self.dice.pick(&[Sum, Average, Min, Max]);
                Kind::Over(function, Box::new(self.node(fuel)), ranges)
            }
        };
        self.variables.truncate(before);
        made(kind)
    }

    fn window(&mut self, fuel: u32) -> Window {
        match self.dice.below(4) {
            0 => Window::On(self.moment(fuel)),
            1 => Window::Beyond(self.side(), self.moment(fuel)),
            2 => Window::Between(self.moment(fuel), self.moment(fuel)),
            _ => Window::Within {
                comparison: self.dice.pick(&COMPARISONS),
                count: Box::new(self.node(fuel)),
                unit: self.dice.pick(&UNITS),
                side: self.side(),
                moment: self.moment(fuel),
            },
        }
    }

    fn side(&mut self) -> Side {
        self.dice.pick(&[Side::Before, Side::After])
    }

    fn moment(&mut self, fuel: u32) -> Moment {
        match self.dice.below(4) {
            0 => Moment::Now,
            1 => Moment::Day(self.dice.pick(&[-1, 0, 1])),
            2 => Moment::Calendar(self.dice.pick(&[-1, 0, 1]), self.dice.pick(&UNITS)),
            _ => Moment::Time(Box::new(self.node(fuel))),
        }
    }

    fn chain(&mut self, fuel: u32) -> Node {
        let source = Box::new(self.node(fuel));
        self.items += 1;
        let order = Box::new(self.node(fuel));
        let steps = (0..1 + self.dice.below(3))
            .map(|_| Step {
                label: self.name(),
                what: self.node(fuel),
                condition: (self.dice.below(3) == 1).then(|| self.node(fuel)),
                window: (self.dice.below(3) == 1).then(|| self.window(fuel)),
                count: (self.dice.below(3) == 1).then(|| self.node(fuel)),
            })
            .collect();
        self.items -= 1;
        made(Kind::Chain(source, order, steps))
    }
}
