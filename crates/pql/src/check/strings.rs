//! Tests of texts.

use regex::RegexBuilder;

use super::coerce::to_type;
use super::{Checker, Fallible, at, lift};
use crate::Span;
use crate::error::{Problem, shown};
use crate::function::Function;
use crate::schema::Type;
use crate::syntax::{Comparison, Kind, Literal, Node};
use crate::typed::{Pattern, Term, Test, TextTest, Value};

/// How large a compiled expression may be; a segment's are a few kilobytes.
const MAX_PATTERN: usize = 1 << 20;

impl Checker<'_> {
    /// `s.contains(t)`, `s.contains(t, false)` and their kin.
    pub(super) fn text_test(
        &mut self,
        function: Function,
        arguments: &[Node],
        span: Span,
    ) -> Fallible<Value> {
        let [on, with, rest @ ..] = arguments else {
            return Err(at(span, Problem::too_large()));
        };
        let case_sensitive = match rest.first().map(|node| (node, node.kind())) {
            None => true,
            Some((_, Kind::Literal(Literal::Boolean(value)))) => *value,
            Some((node, _)) => {
                let problem = Problem::found(
                    "something else after the text",
                    "true or false: whether upper and lower case differ,",
                );
                return Err(at(node.span(), problem));
            }
        };
        let (test, negated) = match function {
            Function::StartsWith => (TextTest::StartsWith, false),
            Function::DoesNotStartWith => (TextTest::StartsWith, true),
            Function::EndsWith => (TextTest::EndsWith, false),
            Function::DoesNotEndWith => (TextTest::EndsWith, true),
            Function::Contains => (TextTest::Contains, false),
            Function::DoesNotContain => (TextTest::Contains, true),
            Function::NotEqualTo => (TextTest::Equals, true),
            _ => (TextTest::Equals, false),
        };
        let value = self.value(on)?;
        // Of numbers, times and Booleans, "equals" is "=".
        if test == TextTest::Equals && *item_of(&value.ty) != Type::String {
            let comparison = match negated {
                false => Comparison::Equal,
                true => Comparison::NotEqual,
            };
            return self.compare(comparison, on, with, span);
        }
        let operands = vec![(value, true), (self.value(with)?, true)];
        lift::test(operands, span, |operands| {
            let mut texts = texts(operands)?.into_iter();
            match (texts.next(), texts.next()) {
                (Some(value), Some(with)) => Ok(Test::Text {
                    test,
                    negated,
                    value,
                    with,
                    case_sensitive,
                }),
                _ => Ok(Test::Constant(false)),
            }
        })
    }

    pub(super) fn like(&mut self, text: &Node, pattern: &Node, span: Span) -> Fallible<Value> {
        let operands = vec![(self.value(text)?, true), (self.value(pattern)?, true)];
        lift::test(operands, span, |operands| {
            let mut texts = texts(operands)?.into_iter();
            match (texts.next(), texts.next()) {
                (Some(text), Some(pattern)) => Ok(Test::Like(text, pattern)),
                _ => Ok(Test::Constant(false)),
            }
        })
    }

    pub(super) fn matches(&mut self, text: &Node, pattern: &Node, span: Span) -> Fallible<Value> {
        let (pattern, _) = compile(pattern)?;
        let operands = vec![(self.value(text)?, true)];
        lift::test(operands, span, |operands| {
            match texts(operands)?.into_iter().next() {
                Some(text) => Ok(Test::Matches(text, pattern)),
                None => Ok(Test::Constant(false)),
            }
        })
    }

    pub(super) fn regex_group(
        &mut self,
        text: &Node,
        pattern: &Node,
        group: &Node,
        span: Span,
    ) -> Fallible<Value> {
        let (pattern, groups) = compile(pattern)?;
        let group = super::integer_of(group)
            .and_then(|group| u32::try_from(group).ok())
            .filter(|index| (*index as usize) < groups)
            .ok_or_else(|| {
                let problem = Problem::found(
                    "another group",
                    format!("the number of a group, 0 to {},", groups.saturating_sub(1)),
                );
                at(group.span(), problem)
            })?;
        let text = self.value(text)?;
        lift::function(vec![text], span, |operands| {
            let text = texts(operands)?.into_iter().next();
            let text = text.ok_or_else(Problem::too_large)?;
            Ok(Value::new(
                Term::RegexGroup(text, pattern, group),
                Type::String,
            ))
        })
    }
}

/// The type of an array's innermost items, or the type itself.
fn item_of(ty: &Type) -> &Type {
    match ty {
        Type::Array(item) => item_of(item),
        ty => ty,
    }
}

/// The first must be a text, the others are made one.
fn texts(operands: Vec<Value>) -> Result<Vec<Value>, Problem> {
    if let Some(first) = operands.first().filter(|v| v.ty != Type::String) {
        return Err(Problem::types(first.ty.to_string(), "a String"));
    }
    operands
        .into_iter()
        .map(|value| to_type(value, &Type::String))
        .collect()
}

/// A regular expression, and how many groups it has, the whole of it among them.
fn compile(node: &Node) -> Fallible<(Pattern, usize)> {
    let Kind::Literal(Literal::String(text)) = node.kind() else {
        let problem = Problem::found("no string", "a regular expression in quotes");
        return Err(at(node.span(), problem));
    };
    match RegexBuilder::new(text).size_limit(MAX_PATTERN).build() {
        Ok(regex) => Ok((Pattern::new(text.clone()), regex.captures_len())),
        Err(error) => {
            let problem = Problem::Pattern {
                pattern: shown(text),
                reason: reason(&error),
            };
            Err(at(node.span(), problem))
        }
    }
}

fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    if text.contains("look-around") {
        "look-around is not supported, as it can take time without bound".to_owned()
    } else if text.contains("backreferences") {
        "back references are not supported, as they can take time without bound".to_owned()
    } else if matches!(error, regex::Error::CompiledTooBig(_)) {
        "it is too large when compiled".to_owned()
    } else {
        // The last line says what; those before it draw where.
        let last = text.lines().last().unwrap_or_default();
        last.trim_start_matches("error: ").to_owned()
    }
}
