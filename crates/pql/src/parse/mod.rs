//! From text to tree: operators by how tightly they bind (Pratt's way), everything else by descent.
//!
//! Words are told by where they stand, so that a field may be called `count`, `from` or `like`.

mod binders;
mod postfix;
mod primary;
mod resolve;
mod times;

use crate::error::{Problem, nearest, shown};
use crate::function::level;
use crate::lexer::{Lexer, Token};
use crate::syntax::{Comparison, Kind, Literal, Name, Node};
use crate::{Error, Function, MAX_DEPTH, MAX_NODES, MAX_TEXT, Span};

pub(crate) use postfix::{arguments_problem, with_field};
pub(crate) use resolve::{BARE, Scope, resolve};

/// Reads a whole text.
pub(crate) fn parse(text: &str) -> Result<Node, Box<Error>> {
    if text.len() > MAX_TEXT {
        let problem = Problem::too_long();
        return Err(Box::new(Error::in_text(text, Span::default(), problem)));
    }
    let mut parser = Parser {
        lexer: Lexer::new(text),
        effort: 0,
        nodes: 0,
    };
    let profile = parser.profile_parameter()?;
    let mut root = parser.expression(level::OR)?;
    parser.end()?;
    let mut scope = Scope::of(profile);
    resolve(&mut root, &mut scope)
        .map_err(|(span, problem)| Box::new(Error::in_text(text, span, problem)))?;
    Ok(root)
}

/// What brackets around an expression count of [`MAX_EFFORT`], and what any other way down counts.
const BRACKETS: u32 = 1;
const LEVEL: u32 = 2;

/// How deep the parser goes: each level of the tree may stand in brackets of its own. Counting brackets less takes
/// account of the stack they need, so that a thread's usual two megabytes are enough even unoptimized.
const MAX_EFFORT: u32 = (BRACKETS + LEVEL) * (MAX_DEPTH + 1);

struct Parser<'a> {
    lexer: Lexer<'a>,
    effort: u32,
    nodes: usize,
}

/// An operator between two operands.
#[derive(Clone, Copy)]
enum Infix {
    Function(Function),
    Matches,
    Occurs,
}

impl Parser<'_> {
    /// An expression whose operators bind at least as tightly as a level.
    fn expression(&mut self, at_least: u8) -> Result<Node, Box<Error>> {
        self.descend(LEVEL)?;
        let left = self.operand()?;
        let node = self.operators(left, at_least)?;
        self.effort -= LEVEL;
        Ok(node)
    }

    /// The same in brackets, up to the closing one.
    fn bracketed(&mut self) -> Result<(Node, Span), Box<Error>> {
        self.descend(BRACKETS)?;
        let left = self.operand()?;
        let node = self.operators(left, level::OR)?;
        self.effort -= BRACKETS;
        let end = self.expect_mark(")", "an operator or \")\"")?;
        Ok((node, end))
    }

    fn descend(&mut self, effort: u32) -> Result<(), Box<Error>> {
        self.effort += effort;
        if self.effort > MAX_EFFORT {
            let span = self.lexer.peek(0)?.1;
            return Err(self.error(span, Problem::too_deep()));
        }
        Ok(())
    }

    /// What follows an operand, as far as it binds at least as tightly as a level.
    fn operators(&mut self, mut left: Node, at_least: u8) -> Result<Node, Box<Error>> {
        let mut compared = false;
        while let Some((infix, level)) = self.peek_infix()? {
            if level < at_least {
                break;
            }
            let (_, span) = self.lexer.next()?;
            if level == level::COMPARISON && std::mem::replace(&mut compared, true) {
                let problem = Problem::found(
                    "a second comparison",
                    "\"and\", or brackets around the first",
                );
                return Err(self.error(span, problem));
            }
            left = self.infix(left, infix, level)?;
        }
        Ok(left)
    }

    fn infix(&mut self, left: Node, infix: Infix, level: u8) -> Result<Node, Box<Error>> {
        match infix {
            Infix::Occurs => self.occurs(left),
            Infix::Matches => self.binary(Function::Matches, left, level),
            Infix::Function(function) => match function {
                Function::In | Function::NotIn => self.membership(function, left, level),
                Function::And | Function::Or => self.logical(function, left, level),
                _ => self.binary(function, left, level),
            },
        }
    }

    fn binary(&mut self, function: Function, left: Node, level: u8) -> Result<Node, Box<Error>> {
        let right = self.expression(level + 1)?;
        self.operation(function, vec![left, right])
    }

    fn membership(
        &mut self,
        function: Function,
        left: Node,
        level: u8,
    ) -> Result<Node, Box<Error>> {
        let right = match self.lexer.peek(0)?.0 {
            Token::Mark("(") => self.round_list(level + 1)?,
            _ => self.expression(level + 1)?,
        };
        self.operation(function, vec![left, right])
    }

    /// One node for a chain of `and` or `or`: a hundred thousand terms are wide, not deep.
    fn logical(&mut self, function: Function, left: Node, level: u8) -> Result<Node, Box<Error>> {
        let mut arguments = vec![left, self.expression(level + 1)?];
        while let Some((Infix::Function(next), _)) = self.peek_infix()? {
            if next != function {
                break;
            }
            self.lexer.next()?;
            arguments.push(self.expression(level + 1)?);
        }
        self.operation(function, arguments)
    }

    fn operation(&mut self, function: Function, arguments: Vec<Node>) -> Result<Node, Box<Error>> {
        let span = match (arguments.first(), arguments.last()) {
            (Some(first), Some(last)) => first.span().to(last.span()),
            _ => Span::default(),
        };
        self.node(Kind::Apply(function, arguments), span)
    }

    fn peek_infix(&mut self) -> Result<Option<(Infix, u8)>, Box<Error>> {
        let infix = match &self.lexer.peek(0)?.0 {
            Token::Mark(mark) => match *mark {
                "+" => Infix::Function(Function::Add),
                "-" => Infix::Function(Function::Subtract),
                "*" => Infix::Function(Function::Multiply),
                "/" => Infix::Function(Function::Divide),
                "%" => Infix::Function(Function::Remainder),
                mark => match Comparison::of_symbol(mark) {
                    Some(comparison) => Infix::Function(comparison.into()),
                    None => return Ok(None),
                },
            },
            Token::Name(word) => match infix_word(word) {
                Some(infix) => infix,
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        let level = match infix {
            Infix::Function(function) => match function.signature().form {
                crate::function::Form::Infix(level) => level,
                _ => level::COMPARISON,
            },
            Infix::Matches | Infix::Occurs => level::COMPARISON,
        };
        Ok(Some((infix, level)))
    }

    /// After `in`: the round brackets of some documents, `("a", "b")`, or an operand that begins with some.
    fn round_list(&mut self, level: u8) -> Result<Node, Box<Error>> {
        let (_, start) = self.lexer.next()?;
        let (mut items, end) = self.list(")")?;
        let goes_on = matches!(self.lexer.peek(0)?.0, Token::Mark("." | "["));
        let is_value = |node: &Node| matches!(node.kind(), Kind::Literal(_)) && !goes_on;
        let left = match items.pop() {
            Some(only) if items.is_empty() && !is_value(&only) => only.spanning(start.to(end)),
            last => {
                items.extend(last);
                self.node(Kind::List(items), start.to(end))?
            }
        };
        let left = self.postfix(left)?;
        self.operators(left, level)
    }

    /// `(Profile) =>` before the whole expression.
    fn profile_parameter(&mut self) -> Result<Option<String>, Box<Error>> {
        if self.lexer.peek(0)?.0 != Token::Mark("(") {
            return Ok(None);
        }
        let (Token::Name(name) | Token::Quoted(name)) = self.lexer.peek(1)?.0.clone() else {
            return Ok(None);
        };
        let closed = self.lexer.peek(2)?.0 == Token::Mark(")");
        if !closed || self.lexer.peek(3)?.0 != Token::Mark("=>") {
            return Ok(None);
        }
        for _ in 0..4 {
            self.lexer.next()?;
        }
        Ok(Some(name))
    }

    fn end(&mut self) -> Result<(), Box<Error>> {
        match self.lexer.next()? {
            (Token::End, _) => Ok(()),
            (token, span) => Err(self.unexpected(&token, span, "an operator or the end")),
        }
    }

    /// Counts a node, and holds it against the limits.
    fn node(&mut self, kind: Kind, span: Span) -> Result<Node, Box<Error>> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(self.error(span, Problem::too_large()));
        }
        let node = Node::new(kind, span);
        if node.height() > MAX_DEPTH {
            // The tree so far is within the limit, and one level more is let go of safely.
            return Err(self.error(span, Problem::too_deep()));
        }
        Ok(node)
    }

    fn error(&self, span: Span, problem: Problem) -> Box<Error> {
        Box::new(Error::in_text(self.lexer.text(), span, problem))
    }

    fn unexpected(&self, token: &Token, span: Span, wanted: &str) -> Box<Error> {
        if let Token::Name(word) = token {
            for (refused, instead) in REFUSED_WORDS {
                if word.eq_ignore_ascii_case(refused) {
                    return self.error(span, Problem::refused(format!("found {word:?}"), instead));
                }
            }
        }
        let meant = match token {
            Token::Name(word) if wanted.contains("operator") && infix_word(word).is_none() => {
                nearest(word, INFIX_WORDS).pop()
            }
            _ => None,
        };
        let problem = match meant {
            Some(meant) => Problem::found(describe(token), format!("{wanted}, perhaps {meant:?},")),
            None => Problem::found(describe(token), wanted),
        };
        self.error(span, problem)
    }

    fn take_mark(&mut self, mark: &'static str) -> Result<Option<Span>, Box<Error>> {
        if self.lexer.peek(0)?.0 == Token::Mark(mark) {
            Ok(Some(self.lexer.next()?.1))
        } else {
            Ok(None)
        }
    }

    fn expect_mark(&mut self, mark: &'static str, wanted: &str) -> Result<Span, Box<Error>> {
        match self.lexer.next()? {
            (Token::Mark(found), span) if found == mark => Ok(span),
            (token, span) => Err(self.unexpected(&token, span, wanted)),
        }
    }

    fn take_word(&mut self, word: &str) -> Result<Option<Span>, Box<Error>> {
        if self.peek_word(0, word)? {
            Ok(Some(self.lexer.next()?.1))
        } else {
            Ok(None)
        }
    }

    fn peek_word(&mut self, further: usize, word: &str) -> Result<bool, Box<Error>> {
        let token = &self.lexer.peek(further)?.0;
        Ok(matches!(token, Token::Name(name) if name.eq_ignore_ascii_case(word)))
    }

    fn expect_word(&mut self, word: &str, wanted: &str) -> Result<Span, Box<Error>> {
        match self.take_word(word)? {
            Some(span) => Ok(span),
            None => {
                let (token, span) = self.lexer.next()?;
                Err(self.unexpected(&token, span, wanted))
            }
        }
    }

    fn expect_name(&mut self, wanted: &str) -> Result<Name, Box<Error>> {
        match self.lexer.next()? {
            (Token::Name(text) | Token::Quoted(text), span) => Ok(Name { text, span }),
            (token, span) => Err(self.unexpected(&token, span, wanted)),
        }
    }
}

/// Words where an operator should be, and what they may have been meant for.
const REFUSED_WORDS: [(&str, &str); 6] = [
    (
        "not",
        "PQL writes \"notIn\", and \"not\" before a whole condition",
    ),
    ("is", "PQL writes .isNull() and .isNotNull()"),
    (
        "within",
        "a gap between the steps of CHAIN has no public syntax and is not supported; WHEN(…) says when a step happens",
    ),
    ("ignore", IGNORE_YEAR),
    ("ignoring", IGNORE_YEAR),
    ("ignoreYear", IGNORE_YEAR),
];

const IGNORE_YEAR: &str = "\"ignore year\" has no public syntax and is not supported; compare .getMonth() and .getDayOfMonth()";

const INFIX_WORDS: [&str; 7] = ["and", "or", "in", "notIn", "like", "matches", "occurs"];

fn infix_word(word: &str) -> Option<Infix> {
    let is = |name: &str| word.eq_ignore_ascii_case(name);
    for function in [
        Function::And,
        Function::Or,
        Function::In,
        Function::NotIn,
        Function::Like,
    ] {
        if is(function.name()) {
            return Some(Infix::Function(function));
        }
    }
    if is("matches") {
        Some(Infix::Matches)
    } else if is("occurs") {
        Some(Infix::Occurs)
    } else {
        None
    }
}

fn describe(token: &Token) -> String {
    match token {
        Token::Name(name) => format!("{:?}", shown(name)),
        Token::Quoted(name) => format!("`{}`", shown(name)),
        Token::String(text) => format!("the string {:?}", shown(text)),
        Token::Integer(value) => format!("the number {value}"),
        Token::Double(value) => format!("the number {value}"),
        Token::Parameter(number) => format!("${number}"),
        Token::Mark(mark) => format!("{mark:?}"),
        Token::End => "the end".to_owned(),
    }
}

fn literal(literal: Literal) -> Kind {
    Kind::Literal(literal)
}

impl From<Comparison> for Function {
    fn from(comparison: Comparison) -> Self {
        match comparison {
            Comparison::Equal => Self::Equal,
            Comparison::NotEqual => Self::NotEqual,
            Comparison::Less => Self::Less,
            Comparison::LessOrEqual => Self::LessOrEqual,
            Comparison::Greater => Self::Greater,
            Comparison::GreaterOrEqual => Self::GreaterOrEqual,
        }
    }
}
