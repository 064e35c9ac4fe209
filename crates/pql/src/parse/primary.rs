use super::{BARE, Parser, infix_word, literal};
use crate::error::{Problem, nearest, shown};
use crate::function::{Form, level};
use crate::lexer::Token;
use crate::syntax::{Kind, Literal, Name, Node, Quantifier, Root};
use crate::{Error, Function, Span};

/// Functions of other rules of the platform.
const REFUSED_FUNCTIONS: [(&str, &str); 4] = [
    ("trait", TRAITS),
    ("hasTrait", TRAITS),
    ("inTrait", TRAITS),
    (
        "forall",
        "PQL writes \"forall V from array where condition\"",
    ),
];

const TRAITS: &str =
    "traits of Audience Manager are not supported; segments are asked for by inSegment(\"ID\")";

const A_VALUE: &str = "a value, a field or a function";

/// What a bare word begins.
enum Beginning {
    Not,
    Quantified(Quantifier),
    Let,
    Over(Function),
    Chain,
    Call,
    Leaf,
}

impl Parser<'_> {
    /// An operand with its prefixes.
    pub(super) fn operand(&mut self) -> Result<Node, Box<Error>> {
        // Each way deeper has a function, and so a frame, of its own: the others' locals cost no stack.
        match self.lexer.peek(0)?.0 {
            Token::Mark("-") => self.negative(),
            Token::Mark("!") => self.prefixed(Function::Not, level::UNARY),
            Token::Mark("(") => self.group(),
            Token::Mark("[") => self.array(),
            Token::Mark("{") => self.object(),
            Token::Name(_) => self.word(),
            _ => self.leaf(),
        }
    }

    fn group(&mut self) -> Result<Node, Box<Error>> {
        let (_, start) = self.lexer.next()?;
        let (inner, end) = self.bracketed()?;
        self.postfix(inner.spanning(start.to(end)))
    }

    fn array(&mut self) -> Result<Node, Box<Error>> {
        let (_, start) = self.lexer.next()?;
        let (items, end) = self.list("]")?;
        let node = self.node(Kind::List(items), start.to(end))?;
        self.postfix(node)
    }

    fn leaf(&mut self) -> Result<Node, Box<Error>> {
        let (token, span) = self.lexer.next()?;
        let node = self.primary(token, span)?;
        self.postfix(node)
    }

    fn prefixed(&mut self, function: Function, level: u8) -> Result<Node, Box<Error>> {
        let (_, span) = self.lexer.next()?;
        let operand = self.expression(level)?;
        let span = span.to(operand.span());
        self.node(Kind::Apply(function, vec![operand]), span)
    }

    /// `-201` is a value; `-x` negates one.
    fn negative(&mut self) -> Result<Node, Box<Error>> {
        match self.lexer.peek(1)?.0 {
            Token::Integer(_) | Token::Double(_) => self.negative_literal(),
            _ => self.prefixed(Function::Negate, level::UNARY),
        }
    }

    fn negative_literal(&mut self) -> Result<Node, Box<Error>> {
        let (_, start) = self.lexer.next()?;
        let (token, end) = self.lexer.next()?;
        let span = start.to(end);
        let value = match token {
            Token::Double(value) => Literal::Double(-value),
            Token::Integer(value) => match 0i64.checked_sub_unsigned(value) {
                Some(value) => Literal::Integer(value),
                None => return Err(self.integer_too_large(span)),
            },
            token => return Err(self.unexpected(&token, end, A_VALUE)),
        };
        self.node(literal(value), span)
    }

    fn integer_too_large(&self, span: Span) -> Box<Error> {
        let problem = Problem::found("an integer beyond 64 bits", "a smaller one, or a double");
        self.error(span, problem)
    }

    fn primary(&mut self, token: Token, span: Span) -> Result<Node, Box<Error>> {
        match token {
            Token::String(text) => self.node(literal(Literal::String(text)), span),
            Token::Integer(value) => match i64::try_from(value) {
                Ok(value) => self.node(literal(Literal::Integer(value)), span),
                Err(_) => Err(self.integer_too_large(span)),
            },
            Token::Double(value) => self.node(literal(Literal::Double(value)), span),
            Token::Parameter(1) => self.node(Kind::Root(Root::Profile), span),
            Token::Parameter(_) => {
                let problem = Problem::found(
                    "a second parameter",
                    "$1, the profile, which is a segment's only parameter,",
                );
                Err(self.error(span, problem))
            }
            Token::Quoted(text) => self.bare(text, span),
            Token::Mark("^") => {
                let mut levels = 1;
                let mut end = span;
                while let Some(next) = self.take_mark("^")? {
                    levels += 1;
                    end = next;
                }
                self.node(Kind::Root(Root::Item(levels)), span.to(end))
            }
            Token::Mark("@") => {
                let problem = Problem::refused(
                    "found \"@\"",
                    "the context objects @{schema} of decisioning are not supported; segments see the profile and its xEvent",
                );
                Err(self.error(span, problem))
            }
            token => Err(self.unexpected(&token, span, A_VALUE)),
        }
    }

    /// A bare name: which root it has is found out when the whole tree is there.
    fn bare(&mut self, text: String, span: Span) -> Result<Node, Box<Error>> {
        let root = self.node(Kind::Root(Root::Item(BARE)), span)?;
        self.node(
            Kind::Fields(Box::new(root), vec![Name { text, span }]),
            span,
        )
    }

    fn word(&mut self) -> Result<Node, Box<Error>> {
        match self.beginning()? {
            Beginning::Not => self.prefixed(Function::Not, level::NOT),
            Beginning::Quantified(quantifier) => self.quantified(quantifier),
            Beginning::Let => self.binding(),
            Beginning::Over(function) => self.over(function),
            Beginning::Chain => {
                let node = self.chain()?;
                self.postfix(node)
            }
            Beginning::Call => {
                let node = self.call()?;
                self.postfix(node)
            }
            Beginning::Leaf => {
                let node = self.word_leaf()?;
                self.postfix(node)
            }
        }
    }

    /// What a bare word begins.
    fn beginning(&mut self) -> Result<Beginning, Box<Error>> {
        let word = self.next_word()?;
        let is = |name: &str| word.eq_ignore_ascii_case(name);
        let called = self.lexer.peek(1)?.0 == Token::Mark("(");
        Ok(if is("true") || is("false") {
            Beginning::Leaf
        } else if is("not") {
            Beginning::Not
        } else if let Some(quantifier) = self.quantifier(&word)? {
            Beginning::Quantified(quantifier)
        } else if is("let") && self.lexer.peek(2)?.0 == Token::Mark("=") {
            Beginning::Let
        } else if let Some(function) = Function::called(&word, Form::Method)
            && function.is_aggregate()
            && self.begins_operand()?
        {
            Beginning::Over(function)
        } else if called && is("chain") {
            Beginning::Chain
        } else if called {
            Beginning::Call
        } else {
            Beginning::Leaf
        })
    }

    fn word_leaf(&mut self) -> Result<Node, Box<Error>> {
        let (token, span) = self.lexer.next()?;
        let Token::Name(word) = token else {
            return Err(self.unexpected(&token, span, A_VALUE));
        };
        let is = |name: &str| word.eq_ignore_ascii_case(name);
        if is("true") || is("false") {
            self.node(literal(Literal::Boolean(is("true"))), span)
        } else if is("null") {
            let problem = Problem::refused(
                "found \"null\"",
                "PQL has no null; write x.isNull() or x.isNotNull()",
            );
            Err(self.error(span, problem))
        } else if is("this") {
            self.node(Kind::Root(Root::Item(0)), span)
        } else {
            self.bare(word, span)
        }
    }

    /// A binder's word is one if a name and `from` follow.
    fn quantifier(&mut self, word: &str) -> Result<Option<Quantifier>, Box<Error>> {
        let quantifier = if word.eq_ignore_ascii_case("select") {
            Quantifier::Select
        } else if word.eq_ignore_ascii_case("exists") {
            Quantifier::Exists
        } else if word.eq_ignore_ascii_case("forall") {
            Quantifier::Forall
        } else {
            return Ok(None);
        };
        let named = matches!(self.lexer.peek(1)?.0, Token::Name(_) | Token::Quoted(_));
        Ok((named && self.peek_word(2, "from")?).then_some(quantifier))
    }

    /// Whether what comes next can't follow a field, so that `sum`, `min` … before it begins an aggregate.
    fn begins_operand(&mut self) -> Result<bool, Box<Error>> {
        Ok(match &self.lexer.peek(1)?.0 {
            Token::Name(word) => {
                infix_word(word).is_none()
                    && !["over", "where", "from"]
                        .iter()
                        .any(|w| word.eq_ignore_ascii_case(w))
            }
            Token::Mark(mark) => ["(", "^"].contains(mark),
            Token::End => false,
            _ => true,
        })
    }

    fn call(&mut self) -> Result<Node, Box<Error>> {
        let (function, span) = self.function()?;
        self.lexer.next()?;
        let (arguments, end) = self.list(")")?;
        self.apply(function, arguments, span, span.to(end))
    }

    fn function(&mut self) -> Result<(Function, Span), Box<Error>> {
        let (token, span) = self.lexer.next()?;
        let Token::Name(word) = token else {
            return Err(self.unexpected(&token, span, "a function"));
        };
        if let Some(function) = Function::called(&word, Form::Free) {
            return Ok((function, span));
        }
        let refused = REFUSED_FUNCTIONS
            .into_iter()
            .find(|(refused, _)| word.eq_ignore_ascii_case(refused));
        let problem = if let Some((_, instead)) = refused {
            Problem::refused(format!("found {word:?}"), instead)
        } else if Function::called(&word, Form::Method).is_some() {
            Problem::found(
                format!("the method {word:?} on nothing"),
                format!("something.{word}(…)"),
            )
        } else {
            let names = Function::names(Some(Form::Free)).chain(["CHAIN"]);
            Problem::UnknownFunction {
                nearest: nearest(&word, names),
                name: shown(&word),
            }
        };
        Err(self.error(span, problem))
    }

    fn object(&mut self) -> Result<Node, Box<Error>> {
        let (_, start) = self.lexer.next()?;
        let mut members = Vec::new();
        let mut end = self.take_mark("}")?;
        while end.is_none() {
            let key = match self.lexer.next()? {
                (Token::String(key), _) => key,
                (token, span) => return Err(self.unexpected(&token, span, "a name in quotes")),
            };
            self.expect_mark(":", "\":\"")?;
            members.push((key, self.expression(level::OR)?));
            if self.take_mark(",")?.is_none() {
                end = Some(self.expect_mark("}", "an operator, \",\" or \"}\"")?);
            }
        }
        let node = self.node(Kind::Object(members), start.to(end.unwrap_or(start)))?;
        self.postfix(node)
    }
}
