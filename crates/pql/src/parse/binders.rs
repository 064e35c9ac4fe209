use super::Parser;
use crate::error::Problem;
use crate::function::level;
use crate::lexer::Token;
use crate::syntax::{Kind, Name, Node, Quantifier, Range, Step};
use crate::{Error, Function, Span};

impl Parser<'_> {
    /// From `select`, `exists` or `forall` on.
    pub(super) fn quantified(&mut self, quantifier: Quantifier) -> Result<Node, Box<Error>> {
        let (_, start) = self.lexer.next()?;
        let ranges = self.ranges()?;
        let span = start.to(end_of(&ranges));
        self.node(Kind::Quantified(quantifier, ranges), span)
    }

    /// From `sum`: `E over V from …`, or `X from …` for `X over X from …`.
    pub(super) fn over(&mut self, function: Function) -> Result<Node, Box<Error>> {
        let (_, start) = self.lexer.next()?;
        let value = self.expression(level::OR)?;
        let ranges = if self.take_word("over")?.is_some() {
            self.ranges()?
        } else if self.peek_word(0, "from")?
            && let Some(variable) = only_name(&value)
        {
            self.more_ranges(variable)?
        } else {
            let (token, span) = self.lexer.next()?;
            return Err(self.unexpected(&token, span, "\"over\" with a variable"));
        };
        let span = start.to(end_of(&ranges));
        self.node(Kind::Over(function, Box::new(value), ranges), span)
    }

    fn ranges(&mut self) -> Result<Vec<Range>, Box<Error>> {
        let variable = self.expect_name("a variable")?;
        self.more_ranges(variable)
    }

    /// From the first one's `from` on.
    fn more_ranges(&mut self, mut variable: Name) -> Result<Vec<Range>, Box<Error>> {
        let mut ranges = Vec::new();
        loop {
            self.expect_word("from", "\"from\"")?;
            let source = self.expression(level::SUM)?;
            let has_condition =
                self.take_word("where")?.is_some() || self.take_mark(":")?.is_some();
            let condition = match has_condition {
                true => Some(self.expression(level::OR)?),
                false => None,
            };
            ranges.push(Range {
                variable,
                source,
                condition,
            });
            // A comma goes on only with another variable; otherwise it is a list's around the binder.
            let named = matches!(self.lexer.peek(1)?.0, Token::Name(_) | Token::Quoted(_));
            if !(self.lexer.peek(0)?.0 == Token::Mark(",") && named && self.peek_word(2, "from")?) {
                return Ok(ranges);
            }
            self.lexer.next()?;
            variable = self.expect_name("a variable")?;
        }
    }

    /// From `let`: `S = (…) in (…)`.
    pub(super) fn binding(&mut self) -> Result<Node, Box<Error>> {
        let (_, start) = self.lexer.next()?;
        let name = self.expect_name("a variable")?;
        self.expect_mark("=", "\"=\"")?;
        // Tighter than `in`, which ends it.
        let value = self.expression(level::SUM)?;
        self.expect_word("in", "\"in\", and brackets around a condition before it,")?;
        let body = self.expression(level::OR)?;
        let span = start.to(body.span());
        self.node(Kind::Let(name, Box::new(value), Box::new(body)), span)
    }

    /// In the brackets of `map`: a value of each item, or `(K, G) => …` of each group.
    pub(super) fn lambda_or_list(&mut self) -> Result<(Vec<Node>, Span), Box<Error>> {
        if self.begins_lambda()? {
            self.lambda()
        } else {
            self.list(")")
        }
    }

    fn begins_lambda(&mut self) -> Result<bool, Box<Error>> {
        let is_name = |token: &Token| matches!(token, Token::Name(_) | Token::Quoted(_));
        let mut at = 0;
        if self.lexer.peek(0)?.0 == Token::Mark("(") {
            // `(K, G) =>` has no more than two names.
            while at < 4 && is_name(&self.lexer.peek(at + 1)?.0) {
                at += 2;
                match self.lexer.peek(at)?.0 {
                    Token::Mark(",") => {}
                    _ => break,
                }
            }
        }
        let closed = at > 0 && self.lexer.peek(at)?.0 == Token::Mark(")");
        Ok(closed && self.lexer.peek(at + 1)?.0 == Token::Mark("=>"))
    }

    fn lambda(&mut self) -> Result<(Vec<Node>, Span), Box<Error>> {
        let (_, start) = self.lexer.next()?;
        let mut names = vec![self.expect_name("a variable")?];
        while self.take_mark(",")?.is_some() {
            names.push(self.expect_name("a variable")?);
        }
        self.expect_mark(")", "\")\"")?;
        self.expect_mark("=>", "\"=>\"")?;
        let body = self.expression(level::OR)?;
        let span = start.to(body.span());
        let lambda = self.node(Kind::Lambda(names, Box::new(body)), span)?;
        let end = self.expect_mark(")", "an operator or \")\"")?;
        Ok((vec![lambda], end))
    }

    /// From `CHAIN`.
    pub(super) fn chain(&mut self) -> Result<Node, Box<Error>> {
        let (_, start) = self.lexer.next()?;
        self.expect_mark("(", "\"(\"")?;
        let source = self.expression(level::OR)?;
        self.expect_mark(",", "\",\" and the field that orders")?;
        let order = self.expression(level::OR)?;
        self.expect_mark(",", "\",\" and the steps")?;
        self.expect_mark("[", "\"[\" and the first step")?;
        let mut steps = Vec::new();
        loop {
            steps.push(self.step()?);
            if self.take_mark(",")?.is_none() {
                break;
            }
        }
        self.expect_mark("]", "WHEN, COUNT, WHERE, \",\" or \"]\"")?;
        let end = self.expect_mark(")", "\")\"")?;
        let kind = Kind::Chain(Box::new(source), Box::new(order), steps);
        self.node(kind, start.to(end))
    }

    fn step(&mut self) -> Result<Step, Box<Error>> {
        let label = self.expect_name("a step's label, as in C0: WHAT(…)")?;
        self.expect_mark(":", "\":\" after the step's label")?;
        self.expect_word("WHAT", "WHAT(…)")?;
        self.expect_mark("(", "\"(\"")?;
        let what = self.expression(level::OR)?;
        self.expect_mark(")", "an operator or \")\"")?;
        let mut step = Step {
            label,
            what,
            condition: None,
            window: None,
            count: None,
        };
        loop {
            let (token, span) = self.lexer.peek(0)?.clone();
            let Token::Name(word) = token else {
                return Ok(step);
            };
            let is = |name: &str| word.eq_ignore_ascii_case(name);
            let free = (is("WHERE") && step.condition.is_none())
                || (is("WHEN") && step.window.is_none())
                || (is("COUNT") && step.count.is_none());
            if !free {
                let again = is("WHERE") || is("WHEN") || is("COUNT");
                let problem = if again {
                    Problem::found(format!("a second {word}"), "one")
                } else {
                    return Ok(step);
                };
                return Err(self.error(span, problem));
            }
            self.lexer.next()?;
            self.expect_mark("(", "\"(\"")?;
            if is("WHERE") {
                step.condition = Some(self.expression(level::OR)?);
            } else if is("WHEN") {
                step.window = Some(self.window()?.0);
            } else {
                step.count = Some(self.expression(level::OR)?);
            }
            self.expect_mark(")", "an operator or \")\"")?;
        }
    }
}

/// The name that a bare path of one name is.
fn only_name(node: &Node) -> Option<Name> {
    match node.kind() {
        Kind::Fields(root, names) if matches!(root.kind(), Kind::Root(_)) => match names.as_slice()
        {
            [name] => Some(name.clone()),
            _ => None,
        },
        _ => None,
    }
}

fn end_of(ranges: &[Range]) -> Span {
    ranges.last().map_or_else(Span::default, |range| {
        range.condition.as_ref().unwrap_or(&range.source).span()
    })
}
