//! The tree of an expression that fits a schema, made to be evaluated.
//!
//! - A [`Condition`] is true or false, never unknown; only a [`Value`] may be null. Where a value stands as a
//!   condition, a [`Test::Holds`], [`Test::Defined`] or [`Test::NotEmpty`] says what makes it true.
//! - Names are gone. What a [`Test::Any`], a [`Term::Filter`] and the like are about is [`Term::Scope`] of 0 in
//!   their bodies, and counts up outwards, so that equal conditions about equal things are equal, whatever their
//!   variables were called: `select X from xEvent where X.a = 1` is `xEvent[a = 1]`.
//! - A path over an array is a [`Term::Each`]; a test of an array, where it is about one value, is a [`Test::Any`].
//! - Both sides of a comparison have one type; a [`Term::Cast`] says where data has to be changed for that.
//!
//! # What evaluators have to know
//! An array is its items that aren't null; an `Each` leaves out the items whose body is null, and takes the items of
//! a body that is an array. `Filter`, `Each`, `Top`, `Distinct` of null are null; `Any` of null is false, `All` true.
//! A test of null values is false, also a negated one. Arithmetic of null is null, as are a division by zero and a
//! result that its type can't hold.
//!
//! Nodes are `Eq` and `Hash` by what they say, without spans and types.

mod columns;
mod walk;

use std::hash::{Hash, Hasher};

pub use columns::{Column, Columns};
pub(crate) use walk::{shift, weigh};

use crate::Span;
use crate::schema::Type;
pub use crate::syntax::{Comparison, Literal, Side, Unit};

/// What is true or false.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Condition {
    /// What is asked.
    pub test: Box<Test>,
    /// Where it is written.
    pub span: Span,
}

/// What a [`Condition`] asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Test {
    /// Nothing.
    Constant(bool),
    /// Whether all hold.
    And(Vec<Condition>),
    /// Whether any holds.
    Or(Vec<Condition>),
    /// Whether it doesn't hold.
    Not(Condition),
    /// Whether a Boolean is true; null is not.
    Holds(Value),
    /// Whether it isn't null.
    Defined(Value),
    /// Whether an array or a map has an item; null has none.
    NotEmpty(Value),
    /// A comparison of two numbers, or `=` and `!=` of two values of one type; false if one is null.
    Compare(Comparison, Value, Value),
    /// Whether a value is in an array, or isn't; false if one is null.
    In {
        /// The value.
        value: Value,
        /// The array, whose items are of the value's type.
        list: Value,
        /// `notIn`.
        negated: bool,
    },
    /// A test of two texts; false if one is null.
    Text {
        /// Which.
        test: TextTest,
        /// Whether its opposite is asked.
        negated: bool,
        /// The text.
        value: Value,
        /// What it is held against.
        with: Value,
        /// Whether `a` and `A` differ.
        case_sensitive: bool,
    },
    /// Whether a text is like a pattern, where `%` is any text and `_` any character; false if one is null.
    Like(Value, Value),
    /// Whether a regular expression is found in a text.
    Matches(Value, Pattern),
    /// A test of two arrays of one type; false if one is null.
    Sets(SetTest, Value, Value),
    /// Whether a time is in a window; false if it, or what the window needs, is null.
    Occurs(Value, Window),
    /// Whether the condition holds for any item; it sees the item as scope 0.
    Any(Value, Condition),
    /// Whether the condition holds for every item; it sees the item as scope 0.
    All(Value, Condition),
    /// Whether the steps happen one after the other.
    Chain {
        /// The items.
        source: Value,
        /// The time that orders the items, which it sees as scope 0: of equal milliseconds they are in the order of `_id`.
        /// `None` where the items are in their order already: the profile's events by their timestamps.
        order: Option<Value>,
        /// The steps, two at least.
        steps: Vec<Step>,
    },
    /// Whether the profile is in a segment.
    InSegment(String),
}

/// A step of a [`Test::Chain`].
///
/// It happens once so many items later than the step before meet its condition; the next step looks at the items
/// strictly later than the last of them. Taking the earliest ones finds a walk where there is one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// What an item must meet; it sees the item as scope 0.
    pub condition: Condition,
    /// How many items, at least 1.
    pub count: u64,
}

/// What a text is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "they are PQL's own names")]
pub enum TextTest {
    StartsWith,
    EndsWith,
    Contains,
    Equals,
}

/// What two arrays are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SetTest {
    /// Whether they have an item in common.
    Intersects,
    /// Whether all items of the first are in the second.
    SubsetOf,
    /// Whether all items of the second are in the first.
    SupersetOf,
}

/// A regular expression that compiles.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern(String);

impl Pattern {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// The expression, for `regex::Regex::new`; it is searched for, not anchored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// When something must happen. Times are whole milliseconds, calendars are UTC's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Window {
    /// So far from a moment. Before a moment T, `<= n` is \[T - n, T), `< n` is (T - n, T), `= n` is
    /// \[T - n, T - (n-1)), `>` and `>=` are everything earlier than what `<=` and `<` take, `!=` is everything but
    /// what `=` takes. After a moment it is the same, mirrored: `<= n` is (T, T + n].
    Within {
        /// How far.
        comparison: Comparison,
        /// How many units.
        count: Value,
        /// Of what length; months and longer by the calendar, the 31st becoming the month's last day.
        unit: Unit,
        /// Before or after the moment.
        side: Side,
        /// The moment: a stretch of time counts from its start before it, and from its end after it.
        moment: Moment,
    },
    /// Before a moment's start, after a moment's end.
    Beyond(Side, Moment),
    /// During a moment.
    On(Moment),
    /// From the first one's start to the second one's end.
    Between(Moment, Moment),
}

/// A point or a stretch of time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Moment {
    /// The time of the evaluation.
    Now,
    /// The day of the evaluation and those beside it (-1, 0, 1): as `On` and in `Between` the whole day, otherwise
    /// its first millisecond.
    Day(i8),
    /// The calendar's unit that the evaluation is in and those beside it (-1, 0, 1): a stretch. Weeks begin on
    /// Mondays; decades, centuries and millennia with years that they divide.
    Calendar(i8, Unit),
    /// A time: a Timestamp is a point, a Date its day.
    Time(Value),
}

/// What may be null.
#[derive(Clone, Debug)]
pub struct Value {
    /// What it is.
    pub term: Box<Term>,
    /// Of which type.
    pub ty: Type,
}

/// What a [`Value`] is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Term {
    /// A value that is written out.
    Constant(Literal),
    /// A moment that is written out, in milliseconds since 1970.
    Timestamp(i64),
    /// A day that is written out, in days since 1970.
    Day(i32),
    /// The time of the evaluation.
    Now,
    /// Several values as an array.
    List(Vec<Value>),
    /// The profile.
    Profile,
    /// The profile's events, in the order of their timestamps and `_id`s; never null.
    Events,
    /// What the tests and terms around are about, the innermost 0.
    Scope(u32),
    /// A field within an object, by the names from the outside inwards. No name but the last is an array's.
    Field(Value, Vec<String>),
    /// A new object, as `select` makes it of several variables.
    Record(Vec<(String, Value)>),
    /// The items that meet a condition, which sees each as scope 0.
    Filter(Value, Condition),
    /// A value of each item, which it sees as scope 0.
    Each(Value, Value),
    /// The first item, in the order they are stored.
    Head(Value),
    /// So many items with the highest or the lowest keys, in that order; those without a key are left out, and those
    /// of equal keys stay in their order.
    Top {
        /// The items.
        source: Value,
        /// What they are ordered by; it sees the item as scope 0.
        key: Value,
        /// How many.
        count: u64,
        /// The highest first, or the lowest.
        highest: bool,
    },
    /// Each item once, where it comes first.
    Distinct(Value),
    /// The items of the first array that are in the second, each once; null if there are none.
    Intersection(Value, Value),
    /// How many, and the like: the count and the sum of null or of nothing are 0, the others null.
    Aggregate(Aggregate, Value),
    /// A map's value of a key.
    Get(Value, Value),
    /// A map's keys.
    Keys(Value),
    /// A map's values.
    Values(Value),
    /// Arithmetic of two numbers of one type, a division of two Doubles.
    Arithmetic(Arithmetic, Value, Value),
    /// A number's negative.
    Negate(Value),
    /// One value or the other.
    If(Condition, Value, Value),
    /// A condition as a Boolean, never null.
    Test(Condition),
    /// What a regular expression's group takes of a text where it is found first; null if it isn't.
    RegexGroup(Value, Pattern, u32),
    /// A number of a time's UTC date.
    Part(Part, Value),
    /// The day of a year, a month and a day of the month; null if there is none.
    Date(Value, Value, Value),
    /// The value as the type of this one: numbers, Booleans and texts of each other, a number of milliseconds or an
    /// ISO 8601 text as a Timestamp, a Timestamp as its UTC day. Null where that can't be.
    Cast(Value),
}

/// What a [`Term::Aggregate`] is of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "they are PQL's own names")]
pub enum Aggregate {
    Count,
    Sum,
    Average,
    Min,
    Max,
}

/// What a [`Term::Arithmetic`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "they are PQL's own names")]
pub enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// What a [`Term::Part`] takes of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "they are PQL's own names")]
pub enum Part {
    Year,
    Month,
    DayOfMonth,
}

impl Value {
    pub(crate) fn new(term: Term, ty: Type) -> Self {
        Self {
            term: Box::new(term),
            ty,
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.term == other.term && self.is_same_cast(other)
    }
}

impl Eq for Value {}

impl Value {
    /// A term's type follows from it, but for what a cast makes.
    fn is_same_cast(&self, other: &Self) -> bool {
        !matches!(*self.term, Term::Cast(_)) || self.ty == other.ty
    }
}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.term.hash(state);
        if matches!(*self.term, Term::Cast(_)) {
            std::mem::discriminant(&self.ty).hash(state);
        }
    }
}

impl Value {
    /// Calls `see` with the level of each scope around it that it looks at.
    pub fn scopes(&self, see: &mut dyn FnMut(u32)) {
        walk::scopes_of(&walk::Below::Value(self), 0, see);
    }
}

impl Window {
    /// Calls `see` with the level of each scope around it that it looks at.
    pub fn scopes(&self, see: &mut dyn FnMut(u32)) {
        walk::scopes_of_window(self, see);
    }
}

impl Condition {
    /// Calls `see` with the level of each scope around it that it looks at.
    pub fn scopes(&self, see: &mut dyn FnMut(u32)) {
        walk::scopes_of(&walk::Below::Condition(self), 0, see);
    }

    pub(crate) fn new(test: Test, span: Span) -> Self {
        Self {
            test: Box::new(test),
            span,
        }
    }
}
