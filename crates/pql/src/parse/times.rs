use super::Parser;
use crate::error::nearest;
use crate::function::level;
use crate::lexer::Token;
use crate::syntax::{Comparison, Kind, Moment, Node, Side, Unit, Window};
use crate::{Error, Span};

impl Parser<'_> {
    /// After `occurs`.
    pub(super) fn occurs(&mut self, time: Node) -> Result<Node, Box<Error>> {
        let start = time.span();
        let (window, end) = self.window()?;
        let kind = Kind::Occurs(Box::new(time), Box::new(window));
        self.node(kind, start.to(end))
    }

    /// After `occurs`, or in `WHEN(…)`: the window, and its last token's span.
    pub(super) fn window(&mut self) -> Result<(Window, Span), Box<Error>> {
        if let Token::Mark(mark) = self.lexer.peek(0)?.0
            && let Some(comparison) = Comparison::of_symbol(mark)
        {
            self.lexer.next()?;
            let count = Box::new(self.expression(level::SUM)?);
            let unit = self.unit()?;
            let side = self.side()?;
            let (moment, end) = self.moment()?;
            let window = Window::Within {
                comparison,
                count,
                unit,
                side,
                moment,
            };
            return Ok((window, end));
        }
        if self.begins_phrase("before")? || self.begins_phrase("after")? {
            let side = self.side()?;
            let (moment, end) = self.moment()?;
            return Ok((Window::Beyond(side, moment), end));
        }
        if self.begins_phrase("between")? {
            self.lexer.next()?;
            let (from, _) = self.moment()?;
            self.expect_word("and", "\"and\" with the later time")?;
            let (to, end) = self.moment()?;
            return Ok((Window::Between(from, to), end));
        }
        if self.begins_phrase("on")? {
            self.lexer.next()?;
        }
        let (moment, end) = self.moment()?;
        Ok((Window::On(moment), end))
    }

    /// Whether a word comes that is not the head of a path.
    fn begins_phrase(&mut self, word: &str) -> Result<bool, Box<Error>> {
        Ok(self.peek_word(0, word)? && !self.ends_word(1)?)
    }

    /// Whether what comes there ends a time, or goes on with a path.
    fn ends_word(&mut self, further: usize) -> Result<bool, Box<Error>> {
        Ok(match &self.lexer.peek(further)?.0 {
            Token::Mark(mark) => [".", ")", "]", "}", ",", "+", "*", "/", "%"].contains(mark),
            Token::End => true,
            _ => false,
        })
    }

    fn unit(&mut self) -> Result<Unit, Box<Error>> {
        let (token, span) = self.lexer.next()?;
        let Token::Name(word) = &token else {
            return Err(self.unexpected(&token, span, "a unit of time, as in \"3 days\""));
        };
        match Unit::of_word(word) {
            Some(unit) => Ok(unit),
            None => {
                let wanted = match nearest(word, Unit::names()).first() {
                    Some(name) => format!("a unit of time, perhaps {name:?},"),
                    None => "a unit of time, as in \"3 days\"".to_owned(),
                };
                Err(self.unexpected(&token, span, &wanted))
            }
        }
    }

    fn side(&mut self) -> Result<Side, Box<Error>> {
        let (token, span) = self.lexer.next()?;
        if let Token::Name(word) = &token {
            if word.eq_ignore_ascii_case("before") {
                return Ok(Side::Before);
            }
            if word.eq_ignore_ascii_case("after") || word.eq_ignore_ascii_case("from") {
                return Ok(Side::After);
            }
        }
        Err(self.unexpected(&token, span, "\"before\", \"after\" or \"from\""))
    }

    fn moment(&mut self) -> Result<(Moment, Span), Box<Error>> {
        let (token, span) = self.lexer.peek(0)?.clone();
        if let Token::Name(word) = &token {
            let is = |name: &str| word.eq_ignore_ascii_case(name);
            let offset = match () {
                () if is("last") => Some(-1),
                () if is("this") => Some(0),
                () if is("next") => Some(1),
                () => None,
            };
            if let Some(offset) = offset
                && let Token::Name(word) = &self.lexer.peek(1)?.0
                && let Some(unit) = Unit::of_word(word)
            {
                self.lexer.next()?;
                let (_, end) = self.lexer.next()?;
                return Ok((Moment::Calendar(offset, unit), span.to(end)));
            }
            let moment = match () {
                () if is("now") => Some(Moment::Now),
                () if is("yesterday") => Some(Moment::Day(-1)),
                () if is("today") => Some(Moment::Day(0)),
                () if is("tomorrow") => Some(Moment::Day(1)),
                () => None,
            };
            let longer = matches!(self.lexer.peek(1)?.0, Token::Mark("." | "[" | "("));
            if let Some(moment) = moment.filter(|_| !longer) {
                self.lexer.next()?;
                return Ok((moment, span));
            }
        }
        let node = self.time()?;
        let span = node.span();
        Ok((Moment::Time(Box::new(node)), span))
    }

    /// A time that an expression gives; the end of one is what stops the sum of `date(…)`'s neighbours.
    fn time(&mut self) -> Result<Node, Box<Error>> {
        let node = self.expression(level::SUM)?;
        if let Kind::Literal(crate::syntax::Literal::Integer(_)) = node.kind()
            && Unit::of_word(&self.next_word()?).is_some()
        {
            let span = node.span();
            let problem = crate::error::Problem::found(
                "a number of units without a comparison",
                "one, as in \"occurs = 3 days before today\",",
            );
            return Err(self.error(span, problem));
        }
        Ok(node)
    }

    pub(super) fn next_word(&mut self) -> Result<String, Box<Error>> {
        Ok(match &self.lexer.peek(0)?.0 {
            Token::Name(word) => word.clone(),
            _ => String::new(),
        })
    }
}
