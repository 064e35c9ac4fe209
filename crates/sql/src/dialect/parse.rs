//! Text to statements.

use std::any::TypeId;

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Statement};
use datafusion::sql::sqlparser::dialect::{DatabricksDialect, Dialect, Precedence};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{
    Location, Span, Token, TokenWithSpan, Tokenizer, TokenizerError,
};

use super::error::{Code, Error};
use super::size::{NESTING, check_size};
use super::tokens;

/// Spark's SQL, with names in double quotes, as in PostgreSQL.
#[derive(Debug)]
struct Platform;

impl Dialect for Platform {
    /// The parser asks for Databricks' by name where `exists(list, x -> …)` is a function.
    fn dialect(&self) -> TypeId {
        TypeId::of::<DatabricksDialect>()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        matches!(ch, '`' | '"')
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_'
    }

    fn supports_string_literal_backslash_escape(&self) -> bool {
        true
    }

    fn ignores_wildcard_escapes(&self) -> bool {
        true
    }

    /// `'a' 'b'` is `'ab'`.
    fn supports_string_literal_concatenation(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_group_by_with_modifier(&self) -> bool {
        true
    }

    fn supports_lambda_functions(&self) -> bool {
        true
    }

    fn supports_select_wildcard_except(&self) -> bool {
        true
    }

    fn supports_struct_literal(&self) -> bool {
        true
    }

    fn supports_nested_comments(&self) -> bool {
        true
    }

    fn supports_long_type_as_bigint(&self) -> bool {
        true
    }

    fn supports_values_as_table_factor(&self) -> bool {
        true
    }

    fn supports_bang_not_operator(&self) -> bool {
        true
    }

    fn supports_select_item_multi_column_alias(&self) -> bool {
        true
    }

    fn supports_set_names(&self) -> bool {
        true
    }

    fn supports_start_transaction_modifier(&self) -> bool {
        true
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }

    /// `||` binds as `+` and `-` do.
    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        (parser.peek_token_ref().token == Token::StringConcat)
            .then(|| Ok(self.prec_value(Precedence::PlusMinus)))
    }

    /// `DIV`, which binds as a division does.
    fn parse_infix(
        &self,
        parser: &mut Parser<'_>,
        left: &Expr,
        precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        parser.parse_keyword(Keyword::DIV).then(|| {
            Ok(Expr::BinaryOp {
                left: Box::new(left.clone()),
                op: BinaryOperator::MyIntegerDivide,
                right: Box::new(parser.parse_subexpr(precedence)?),
            })
        })
    }
}

/// The statements of a text as the parser has them.
pub(super) fn statements(sql: &str) -> Result<Vec<Statement>, Error> {
    let tokens = Tokenizer::new(&Platform, sql)
        .tokenize_with_location()
        .map_err(untokenized)?;
    check_size(&tokens)?;
    refused(&tokens)?;
    escapes(sql)?;
    let tokens = tokens::rewrite(tokens)?;
    let mut statements = Parser::new(&Platform)
        .with_recursion_limit(NESTING)
        .with_tokens_with_locations(tokens)
        .parse_statements()
        .map_err(unparsed)?;
    statements.iter_mut().for_each(tokens::restore);
    Ok(statements)
}

/// What the platform takes and the parser would read as something else.
fn refused(tokens: &[TokenWithSpan]) -> Result<(), Error> {
    let block = tokens
        .iter()
        .find(|token| matches!(token.token, Token::DollarQuotedString(_)));
    if let Some(token) = block {
        return Err(Error::unsupported("Anonymous blocks ($$BEGIN … END$$)").at(token.span));
    }
    // The parser would take the letter for the name of a column.
    let typed = tokens.windows(2).find_map(|two| match two {
        [number, word] => match (&number.token, &word.token) {
            (Token::Number(digits, _), Token::Word(word)) => Some((digits, word, number.span)),
            _ => None,
        },
        _ => None,
    });
    match typed {
        Some((digits, word, span)) => {
            Err(Error::unsupported(format!("The number {digits}{word}")).at(span))
        }
        None => Ok(()),
    }
}

/// Refuses the escapes in texts that Spark reads as another character than the tokenizer does.
fn escapes(sql: &str) -> Result<(), Error> {
    if !sql.contains('\\') {
        return Ok(());
    }
    let tokens = Tokenizer::new(&Platform, sql)
        .with_unescape(false)
        .tokenize_with_location()
        .map_err(untokenized)?;
    for token in &tokens {
        let Token::SingleQuotedString(text) = &token.token else {
            continue;
        };
        let mut characters = text.chars().peekable();
        while let Some(one) = characters.next() {
            if one != '\\' {
                continue;
            }
            let digit = |next: Option<&char>| next.is_some_and(char::is_ascii_digit);
            match characters.next() {
                Some('0') if !digit(characters.peek()) => {}
                Some(other) if matches!(other, 'u' | 'U' | 'a' | 'f') || other.is_ascii_digit() => {
                    return Err(
                        Error::unsupported(format!("The escape \\{other} in a text"))
                            .at(token.span),
                    );
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn untokenized(error: TokenizerError) -> Error {
    let at = Span::new(error.location, error.location);
    Error::new(Code::Syntax, error.message).at(at)
}

/// The parser tells the place at the end of its text.
fn unparsed(error: ParserError) -> Error {
    match error {
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => match placed(&text) {
            Some((message, at)) => Error::new(Code::Syntax, message).at(Span::new(at, at)),
            None => Error::new(Code::Syntax, text),
        },
        ParserError::RecursionLimitExceeded => Error::new(
            Code::TooComplex,
            format!("the statement is nested more than {NESTING} deep"),
        ),
    }
}

fn placed(text: &str) -> Option<(&str, Location)> {
    let (message, place) = text.rsplit_once(" at Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    Some((
        message,
        Location::new(line.parse().ok()?, column.parse().ok()?),
    ))
}
