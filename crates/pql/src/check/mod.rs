//! From the tree as it is written to the tree that is evaluated: names are found in a schema, every place gets the
//! type it wants, and what a document's reader takes for granted is made explicit.

mod arrays;
mod binders;
mod coerce;
mod compare;
mod functions;
mod lift;
mod paths;
mod strings;
mod times;

use crate::error::Problem;
use crate::schema::{Schema, Type};
use crate::syntax::{Kind, Literal, Node, Root};
use crate::typed::{Condition, Term, Test, Value};
use crate::{Error, Expression, Function, MAX_NODES, Span};

/// What is wrong, and where in the text.
type Fallible<T> = Result<T, Box<(Span, Problem)>>;

/// How deep a typed tree may get by its `let`s: a variable's value stands wherever the variable does.
const MAX_LET_DEPTH: u32 = 1024;

pub(crate) struct Checker<'a> {
    schema: &'a Schema,
    /// The scopes from the outside inwards, and the variables of `let` between them.
    scopes: Vec<Scope>,
    /// The segments that `inSegment` asks for.
    segments: Vec<String>,
    /// How many parts the values of `let` have been copied.
    copied: usize,
}

enum Scope {
    /// The item of a filter.
    Item(Type),
    /// A binder's variable.
    Variable(String, Type),
    /// A `let`'s variable, with what it stands for.
    Let(Box<Let>),
}

struct Let {
    name: String,
    value: Value,
    /// How many scopes were around it.
    depth: u32,
    parts: usize,
}

/// A segment's condition, and the segments it asks for.
pub(crate) fn condition(
    expression: &Expression,
    schema: &Schema,
) -> Result<(Condition, Vec<String>), Error> {
    let mut checker = Checker::new(schema);
    let checked = checker.condition(expression.root());
    finish(expression, checker, checked)
}

/// An expression's value, and the segments it asks for.
pub(crate) fn value(
    expression: &Expression,
    schema: &Schema,
) -> Result<(Value, Vec<String>), Error> {
    let mut checker = Checker::new(schema);
    let checked = checker.value(expression.root());
    finish(expression, checker, checked)
}

fn finish<T>(
    expression: &Expression,
    mut checker: Checker<'_>,
    checked: Fallible<T>,
) -> Result<(T, Vec<String>), Error> {
    let checked = checked.map_err(|problem| {
        let (span, problem) = *problem;
        Error::in_text(expression.text(), span, problem)
    })?;
    checker.segments.sort();
    checker.segments.dedup();
    Ok((checked, checker.segments))
}

impl<'a> Checker<'a> {
    fn new(schema: &'a Schema) -> Self {
        Self {
            schema,
            scopes: Vec::new(),
            segments: Vec::new(),
            copied: 0,
        }
    }

    /// How many scopes are around a place.
    fn depth(&self) -> u32 {
        let scopes = self.scopes.iter().filter(|s| !matches!(s, Scope::Let(_)));
        u32::try_from(scopes.count()).unwrap_or(u32::MAX)
    }

    fn within<T>(
        &mut self,
        scope: Scope,
        inner: impl FnOnce(&mut Self) -> Fallible<T>,
    ) -> Fallible<T> {
        self.scopes.push(scope);
        let inner = inner(self);
        self.scopes.pop();
        inner
    }

    /// A node where something true or false is wanted.
    fn condition(&mut self, node: &Node) -> Fallible<Condition> {
        match node.kind() {
            Kind::Apply(Function::And, nodes) => {
                let all = self.conditions(nodes)?;
                Ok(Condition::new(Test::And(all), node.span()))
            }
            Kind::Apply(Function::Or, nodes) => {
                let all = self.conditions(nodes)?;
                Ok(Condition::new(Test::Or(all), node.span()))
            }
            _ => {
                let value = self.value(node)?;
                Ok(coerce::to_condition(value, node.span()))
            }
        }
    }

    fn conditions(&mut self, nodes: &[Node]) -> Fallible<Vec<Condition>> {
        nodes.iter().map(|node| self.condition(node)).collect()
    }

    /// A node where a value is wanted; a condition is a Boolean one.
    fn value(&mut self, node: &Node) -> Fallible<Value> {
        let span = node.span();
        match node.kind() {
            Kind::Literal(literal) => Ok(constant(literal.clone())),
            Kind::List(items) => self.list(items),
            Kind::Object(_) | Kind::Lambda(..) => Err(for_attributes(span, "an object literal")),
            Kind::Root(root) => self.root(root, span),
            Kind::Fields(object, names) => self.fields(object, names),
            Kind::Apply(function, arguments) => self.apply(*function, arguments, span),
            Kind::Quantified(quantifier, ranges) => self.quantified(*quantifier, ranges, span),
            Kind::Over(function, value, ranges) => self.over(*function, value, ranges),
            Kind::Let(name, value, body) => self.binding(name, value, body),
            Kind::Occurs(time, window) => self.occurs(time, window, span),
            Kind::Chain(source, order, steps) => self.chain(source, order, steps, span),
        }
    }

    fn root(&mut self, root: &Root, span: Span) -> Fallible<Value> {
        match root {
            Root::Profile => Ok(self.profile()),
            Root::Item(levels) => {
                let mut items = 0;
                self.scope(span, |scope| match scope {
                    Scope::Item(_) => {
                        items += 1;
                        items > *levels
                    }
                    _ => false,
                })
            }
            Root::Variable(name) => self.scope(span, |scope| match scope {
                Scope::Item(_) => false,
                Scope::Variable(own, _) => own == name,
                Scope::Let(binding) => binding.name == *name,
            }),
        }
    }

    /// The innermost scope that is meant, as a value.
    fn scope(&mut self, span: Span, mut is_meant: impl FnMut(&Scope) -> bool) -> Fallible<Value> {
        let mut level = 0;
        let depth = self.depth();
        for scope in self.scopes.iter().rev() {
            let meant = is_meant(scope);
            match scope {
                Scope::Item(ty) | Scope::Variable(_, ty) if meant => {
                    return Ok(Value::new(Term::Scope(level), ty.clone()));
                }
                Scope::Item(_) | Scope::Variable(..) => level += 1,
                Scope::Let(binding) if meant => {
                    self.copied += binding.parts;
                    if self.copied > MAX_NODES {
                        return Err(at(span, Problem::too_large()));
                    }
                    let value = binding.value.clone();
                    return Ok(crate::typed::shift(value, depth - binding.depth));
                }
                Scope::Let(_) => {}
            }
        }
        // The parser lets through what something binds.
        let problem = Problem::found("a name that nothing binds", "a field or a variable");
        Err(at(span, problem))
    }

    fn profile(&self) -> Value {
        Value::new(Term::Profile, Type::Object(self.schema.profile.clone()))
    }

    fn events(&self) -> Value {
        let event = Type::Object(self.schema.event.clone());
        Value::new(Term::Events, Type::array_of(event))
    }
}

fn at(span: Span, problem: Problem) -> Box<(Span, Problem)> {
    Box::new((span, problem))
}

fn for_attributes(span: Span, what: &str) -> Box<(Span, Problem)> {
    let problem = Problem::refused(
        format!("found {what}"),
        "it makes values for computed attributes only, which segments don't have",
    );
    at(span, problem)
}

fn constant(literal: Literal) -> Value {
    let ty = match &literal {
        Literal::String(_) => Type::String,
        Literal::Boolean(_) => Type::Boolean,
        Literal::Integer(_) => Type::Integer,
        Literal::Double(_) => Type::Double,
    };
    Value::new(Term::Constant(literal), ty)
}

/// A condition as a value.
fn boolean(condition: Condition) -> Value {
    Value::new(Term::Test(condition), Type::Boolean)
}

/// What the value of an integer literal is.
fn integer_of(node: &Node) -> Option<i64> {
    match node.kind() {
        Kind::Literal(Literal::Integer(value)) => Some(*value),
        _ => None,
    }
}
