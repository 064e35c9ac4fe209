//! The tree of an expression, as it is written: names are not looked up yet.
//!
//! The three ways to name the profile (`x`, `$1.x`, `(P) => P.x`) are one here, as are the two spellings of a
//! filter (`a[c]`, `a.filter(c)`) and of a match (`s matches p`, `s.matches(p)`).

mod time;

use std::hash::{Hash, Hasher};

pub use time::{Comparison, Moment, Side, Unit, Window};

use crate::{Function, Span};

/// A part of an expression.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node(Box<Inner>);

/// Behind a pointer, so that the frames of the parser, which hold many nodes, stay small.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Inner {
    kind: Kind,
    span: Span,
    height: u32,
}

/// What a [`Node`] is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `"CA"`, `true`, `412`, `4.5`.
    Literal(Literal),
    /// `["CA", "OR"]`.
    List(Vec<Node>),
    /// `{"count": G.count()}`: a value for computed attributes only.
    Object(Vec<(String, Node)>),
    /// `$1`, `this`, `^`, a variable.
    Root(Root),
    /// Fields of something, from the outermost inwards; never none, and never of another `Fields`.
    Fields(Box<Node>, Vec<Name>),
    /// An operator, a function or a method with its arguments; a method's first argument is what it is called on.
    Apply(Function, Vec<Node>),
    /// `select X from … where …, Y from …`, `exists …`, `forall …`.
    Quantified(Quantifier, Vec<Range>),
    /// `sum E over X from … where …`.
    Over(Function, Box<Node>, Vec<Range>),
    /// `let S = (…) in (…)`.
    Let(Name, Box<Node>, Box<Node>),
    /// `timestamp occurs …`.
    Occurs(Box<Node>, Box<Window>),
    /// `CHAIN(xEvent, timestamp, [C0: WHAT(…) …, …])`: what is walked, what orders it, the steps.
    Chain(Box<Node>, Box<Node>, Vec<Step>),
    /// `(K, G) => …`, the argument of `map`: a value for computed attributes only.
    Lambda(Vec<Name>, Box<Node>),
}

/// A value that is written out.
#[derive(Clone, Debug)]
pub enum Literal {
    /// `"CA"`.
    String(String),
    /// `true`.
    Boolean(bool),
    /// `412`.
    Integer(i64),
    /// `4.5`; compared and hashed by its bits.
    Double(f64),
}

/// Where a path begins.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Root {
    /// The profile: a bare name outside of filters, `$1`.
    Profile,
    /// The item that a filter (or a step, or a method's argument) is about: a bare name within it, `this`; with
    /// `^` the item so many levels further out.
    Item(u32),
    /// A variable of a binder, the innermost of that name.
    Variable(String),
}

/// A name with its place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// Which binder a [`Kind::Quantified`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quantifier {
    /// `select`: the array of what the variables take.
    Select,
    /// `exists`.
    Exists,
    /// `forall`.
    Forall,
}

/// `X from xEvent where X.a = 1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    /// The variable; the ranges after this one see it.
    pub variable: Name,
    /// What it runs over.
    pub source: Node,
    /// What must hold.
    pub condition: Option<Node>,
}

/// A step of a [`Kind::Chain`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// `C0`.
    pub label: Name,
    /// `WHAT(…)`.
    pub what: Node,
    /// `WHERE(…)`.
    pub condition: Option<Node>,
    /// `WHEN(…)`.
    pub window: Option<Window>,
    /// `COUNT(…)`.
    pub count: Option<Node>,
}

impl Node {
    /// A node.
    #[must_use]
    pub fn new(kind: Kind, span: Span) -> Self {
        let mut below = 0;
        kind.for_each_child(&mut |child| below = below.max(child.0.height));
        // Each variable stands within those before it.
        let own = match &kind {
            Kind::Fields(_, names) => names.len(),
            Kind::Quantified(_, ranges) | Kind::Over(_, _, ranges) => ranges.len(),
            _ => 1,
        };
        let own = u32::try_from(own).unwrap_or(u32::MAX);
        Self(Box::new(Inner {
            kind,
            span,
            height: below.saturating_add(own),
        }))
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.0.kind
    }

    /// Where it is written.
    #[must_use]
    pub fn span(&self) -> Span {
        self.0.span
    }

    /// How many levels there are, itself among them; each name of a path and each variable of a binder is one.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.0.height
    }

    pub(crate) fn into_kind(self) -> Kind {
        self.0.kind
    }

    /// Takes out what it is, for it to be replaced.
    pub(crate) fn take_kind(&mut self) -> Kind {
        std::mem::replace(&mut self.0.kind, Kind::List(Vec::new()))
    }

    pub(crate) fn spanning(mut self, span: Span) -> Self {
        self.0.span = span;
        self
    }
}

impl Kind {
    /// Calls a function with each node right below this one, in the order of the text.
    pub fn for_each_child<'a>(&'a self, each: &mut dyn FnMut(&'a Node)) {
        match self {
            Self::Literal(_) | Self::Root(_) => {}
            Self::List(nodes) | Self::Apply(_, nodes) => nodes.iter().for_each(each),
            Self::Object(members) => members.iter().for_each(|(_, node)| each(node)),
            Self::Fields(object, _) => each(object),
            Self::Quantified(_, ranges) => ranges.iter().for_each(|r| r.for_each_child(each)),
            Self::Over(_, value, ranges) => {
                each(value);
                ranges.iter().for_each(|r| r.for_each_child(each));
            }
            Self::Let(_, value, body) => {
                each(value);
                each(body);
            }
            Self::Occurs(time, window) => {
                each(time);
                window.for_each_child(each);
            }
            Self::Chain(source, order, steps) => {
                each(source);
                each(order);
                for step in steps {
                    each(&step.what);
                    step.condition.iter().for_each(&mut *each);
                    step.window.iter().for_each(|w| w.for_each_child(each));
                    step.count.iter().for_each(&mut *each);
                }
            }
            Self::Lambda(_, body) => each(body),
        }
    }
}

impl Range {
    fn for_each_child<'a>(&'a self, each: &mut dyn FnMut(&'a Node)) {
        each(&self.source);
        self.condition.iter().for_each(each);
    }
}

impl PartialEq for Literal {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Boolean(a), Self::Boolean(b)) => a == b,
            (Self::Integer(a), Self::Integer(b)) => a == b,
            (Self::Double(a), Self::Double(b)) => a.to_bits() == b.to_bits(),
            _ => false,
        }
    }
}

impl Eq for Literal {}

impl Hash for Literal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Self::String(text) => text.hash(state),
            Self::Boolean(value) => value.hash(state),
            Self::Integer(value) => value.hash(state),
            Self::Double(value) => value.to_bits().hash(state),
        }
    }
}
