//! What is put into other words before the parser sees it: it knows no snapshots, `~~` is LIKE, and what stands behind the
//! name of a LATERAL VIEW is no column's name.

use std::convert::Infallible;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Query, SetExpr, Statement, VisitMut as _, VisitorMut};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Span, Token, TokenWithSpan, Word};

use super::error::{Code, Error};
use crate::{Snapshot, Snapshots};

/// The first argument of a table that is read at snapshots, as the parser gets it: `t('snapshot since', '5')`.
const SINCE: &str = "snapshot since";
const AS_OF: &str = "snapshot as of";
const BETWEEN: &str = "snapshot between";

/// The tokens of a text with every clause `SNAPSHOT …` as the arguments of its table.
pub(super) fn rewrite(tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>, Error> {
    let mut out = Vec::with_capacity(tokens.len());
    // The places of the views' names.
    let mut without_columns = Vec::new();
    let mut rest = Significant {
        tokens: &tokens,
        at: 0,
    };
    while let Some(token) = tokens.get(rest.at) {
        let span = token.span;
        match &token.token {
            Token::Word(word) if is(word, "SNAPSHOT") && ends_in_a_name(&out) => {
                if let Some(clause) = rest.clause()? {
                    for token in clause {
                        out.push(TokenWithSpan::new(token, span));
                    }
                    continue;
                }
                out.push(token.clone());
            }
            Token::Word(word) if is(word, "LATERAL") => {
                if let Some(name) = rest.lateral_view_without_columns() {
                    without_columns.push(name);
                }
                out.push(token.clone());
            }
            Token::DoubleTilde => out.push(word("LIKE", Keyword::LIKE, span)),
            Token::DoubleTildeAsterisk => out.push(word("ILIKE", Keyword::ILIKE, span)),
            Token::ExclamationMarkDoubleTilde => {
                out.push(word("NOT", Keyword::NOT, span));
                out.push(word("LIKE", Keyword::LIKE, span));
            }
            Token::ExclamationMarkDoubleTildeAsterisk => {
                out.push(word("NOT", Keyword::NOT, span));
                out.push(word("ILIKE", Keyword::ILIKE, span));
            }
            _ => out.push(token.clone()),
        }
        if without_columns.contains(&rest.at) {
            out.push(word("AS", Keyword::AS, span));
            out.push(TokenWithSpan::new(own_columns(), span));
        }
        rest.at += 1;
    }
    Ok(out)
}

/// What stands for the columns' names where a LATERAL VIEW names none, in quotes that no text has.
const OWN_COLUMNS: &str = "\u{0}";

fn own_columns() -> Token {
    Token::Word(Word {
        value: OWN_COLUMNS.to_owned(),
        quote_style: Some('`'),
        keyword: Keyword::NoKeyword,
    })
}

/// Takes what stands for columns' names out again, where the parser has read it.
pub(super) fn restore(statement: &mut Statement) {
    let ControlFlow::Continue(()) = statement.visit(&mut Restored);
}

struct Restored;

impl VisitorMut for Restored {
    type Break = Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Infallible> {
        let mut bodies = vec![&mut *query.body];
        while let Some(body) = bodies.pop() {
            match body {
                SetExpr::Select(select) => {
                    for view in &mut select.lateral_views {
                        let columns = &mut view.lateral_col_alias;
                        columns.retain(|column| column.value != OWN_COLUMNS);
                    }
                }
                SetExpr::SetOperation { left, right, .. } => {
                    bodies.extend([left, right].map(|side| &mut **side))
                }
                _ => {}
            }
        }
        ControlFlow::Continue(())
    }
}

/// Which snapshots the arguments of a table mean; `None` for arguments that are none of ours.
pub(super) fn snapshots(arguments: &[String]) -> Option<Snapshots> {
    let one = |text: &String| match text.as_str() {
        "HEAD" => Snapshot::Head,
        "TAIL" => Snapshot::Tail,
        id => Snapshot::Id(id.to_owned()),
    };
    match arguments {
        [kind, a] if kind == SINCE => Some(Snapshots::Since(one(a))),
        [kind, a] if kind == AS_OF => Some(Snapshots::AsOf(one(a))),
        [kind, a, b] if kind == BETWEEN => Some(Snapshots::Between(one(a), one(b))),
        _ => None,
    }
}

fn word(value: &str, keyword: Keyword, span: Span) -> TokenWithSpan {
    TokenWithSpan::new(
        Token::Word(Word {
            value: value.to_owned(),
            quote_style: None,
            keyword,
        }),
        span,
    )
}

fn is(word: &Word, text: &str) -> bool {
    word.quote_style.is_none() && word.value.eq_ignore_ascii_case(text)
}

/// Whether the last token that counts can be the end of a table's name.
fn ends_in_a_name(tokens: &[TokenWithSpan]) -> bool {
    let last = tokens
        .iter()
        .rev()
        .find(|token| !matches!(token.token, Token::Whitespace(_)));
    matches!(last.map(|last| &last.token), Some(Token::Word(_)))
}

struct Significant<'a> {
    tokens: &'a [TokenWithSpan],
    at: usize,
}

impl Significant<'_> {
    /// The next token that is no blank, from `at` on, and the place behind it.
    fn next(&self, mut at: usize) -> Option<(&TokenWithSpan, usize)> {
        loop {
            let token = self.tokens.get(at)?;
            at += 1;
            if !matches!(token.token, Token::Whitespace(_)) {
                return Some((token, at));
            }
        }
    }

    fn keyword(&self, at: usize, text: &str) -> Option<usize> {
        match self.next(at) {
            Some((
                TokenWithSpan {
                    token: Token::Word(word),
                    ..
                },
                behind,
            )) if is(word, text) => Some(behind),
            _ => None,
        }
    }

    /// The place of the name of the LATERAL VIEW that begins here, where a word behind it goes on with the query that the
    /// parser would take for a column's name.
    fn lateral_view_without_columns(&self) -> Option<usize> {
        const BEHIND: [&str; 11] = [
            "ORDER",
            "LIMIT",
            "OFFSET",
            "UNION",
            "INTERSECT",
            "EXCEPT",
            "MINUS",
            "WINDOW",
            "SORT",
            "DISTRIBUTE",
            "FETCH",
        ];
        let at = self.keyword(self.at + 1, "VIEW")?;
        let at = self.keyword(at, "OUTER").unwrap_or(at);
        let (function, mut at) = self.next(at)?;
        let mut depth = 0_usize;
        if !matches!(function.token, Token::Word(_)) {
            return None;
        }
        // To the end of the function's arguments.
        loop {
            let (token, behind) = self.next(at)?;
            at = behind;
            match token.token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.checked_sub(1)?,
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        let (name, behind) = self.next(at)?;
        let (next, _) = self.next(behind)?;
        match (&name.token, &next.token) {
            (Token::Word(_), Token::Word(next)) if BEHIND.iter().any(|word| is(next, word)) => {
                Some(behind - 1)
            }
            _ => None,
        }
    }

    /// The clause that begins with SNAPSHOT here, as arguments of the table; `at` is behind it then.
    fn clause(&mut self) -> Result<Option<Vec<Token>>, Error> {
        let behind = self.at + 1;
        let (kind, values, end) = if let Some(at) = self.keyword(behind, "SINCE") {
            let (a, at) = self.snapshot(at)?;
            (SINCE, vec![a], at)
        } else if let Some(at) = self
            .keyword(behind, "AS")
            .and_then(|at| self.keyword(at, "OF"))
        {
            let (a, at) = self.snapshot(at)?;
            (AS_OF, vec![a], at)
        } else if let Some(at) = self.keyword(behind, "BETWEEN") {
            let (a, at) = self.snapshot(at)?;
            let Some(at) = self.keyword(at, "AND") else {
                return Err(Error::new(
                    Code::Syntax,
                    "SNAPSHOT BETWEEN takes two snapshots, with AND between them",
                )
                .at(self.span()));
            };
            let (b, at) = self.snapshot(at)?;
            (BETWEEN, vec![a, b], at)
        } else {
            return Ok(None);
        };
        let mut tokens = vec![Token::LParen, Token::SingleQuotedString(kind.to_owned())];
        for value in values {
            tokens.push(Token::Comma);
            tokens.push(Token::SingleQuotedString(value));
        }
        tokens.push(Token::RParen);
        self.at = end;
        Ok(Some(tokens))
    }

    fn snapshot(&self, at: usize) -> Result<(String, usize), Error> {
        let found = match self.next(at) {
            Some((token, behind)) => match &token.token {
                Token::Number(digits, _) => return Ok((digits.clone(), behind)),
                Token::SingleQuotedString(text) => return Ok((text.clone(), behind)),
                Token::Word(word) if is(word, "HEAD") || is(word, "TAIL") => {
                    return Ok((word.value.to_ascii_uppercase(), behind));
                }
                other => other.to_string(),
            },
            None => "the end".to_owned(),
        };
        let message =
            format!("SNAPSHOT is followed by a snapshot's ID, HEAD or TAIL, not by {found}");
        Err(Error::new(Code::Syntax, message).at(self.span()))
    }

    fn span(&self) -> Span {
        self.tokens
            .get(self.at)
            .map_or(Span::empty(), |token| token.span)
    }
}
