//! What a statement is: one of the dialect, or one of those that PostgreSQL's clients send around these.

use datafusion::sql::sqlparser::ast::Expr;
use sql::dialect::{Error, Parameter, Query, Statement, parse};

use crate::catalog::{self, Asked};
use crate::copy::Copy;
use crate::copy_form::Form;
use crate::refusal::{Refusal, SYNTAX};
use crate::split::Piece;
use crate::tokens::{Token, tokens};
use crate::transaction::{Modes, ends, modes, savepoint};

/// A statement that is known.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// The dialect's.
    Statement(Box<Statement>),
    /// A query of PostgreSQL's catalog.
    Catalog(Asked),
    /// Rows as a COPY.
    Copy(Form, Box<Self>),
    Begin(Modes),
    Commit,
    Rollback,
    /// A point of the transaction, by its name.
    Savepoint(String),
    Release(String),
    /// To one of them: the transaction stays open.
    RollbackTo(String),
    /// How the transaction that is open goes on.
    SetTransaction(Modes),
    /// How transactions begin that say nothing else.
    SetTransactions(Modes),
    /// Of a setting by its name.
    Set(String, String),
    /// The same up to the transaction's end.
    SetLocal(String, String),
    /// One, or all.
    Reset(Option<String>),
    Show(String),
    ShowAll,
    /// Of the protocol's prepared statements and the dialect's: one, or all.
    Deallocate(Option<String>),
    /// Everything that a session has of its own goes.
    DiscardAll,
    /// Nothing depends on it here; the word that it is done by.
    Nothing(&'static str),
}

impl Command {
    /// # Errors
    ///
    /// It is no SQL, or something that isn't known here.
    pub(crate) fn of(piece: &Piece) -> Result<Self, Refusal> {
        let words: Vec<&str> = piece.words.iter().map(String::as_str).collect();
        Ok(match words.as_slice() {
            ["copy", ..] => {
                let copy = Copy::of(piece)?;
                let rows = Self::of(&copy.query)?;
                match &rows {
                    Self::Catalog(_) => {}
                    Self::Statement(statement) if matches!(**statement, Statement::Query(_)) => {}
                    _ => return Err(Refusal::unsupported("COPY of anything but a query")),
                }
                Self::Copy(copy.form, Box::new(rows))
            }
            ["begin", "work" | "transaction", rest @ ..]
            | ["begin", rest @ ..]
            | ["start", "transaction", rest @ ..] => Self::Begin(modes(rest)?),
            ["commit", "prepared", ..]
            | ["rollback", "prepared", ..]
            | ["prepare", "transaction", ..] => {
                return Err(Refusal::unsupported("Transactions in two phases"));
            }
            ["commit" | "end" | "rollback" | "abort", .., "and", "chain"] => {
                return Err(Refusal::unsupported("AND CHAIN"));
            }
            ["commit" | "end", rest @ ..] => {
                ends(piece, rest)?;
                Self::Commit
            }
            ["savepoint", ..] => Self::Savepoint(savepoint(piece, 1)?),
            ["release", ..] => Self::Release(savepoint(piece, 1)?),
            ["rollback", "work" | "transaction", "to", ..] => {
                Self::RollbackTo(savepoint(piece, 3)?)
            }
            ["rollback", "to", ..] => Self::RollbackTo(savepoint(piece, 2)?),
            ["rollback" | "abort", rest @ ..] => {
                ends(piece, rest)?;
                Self::Rollback
            }
            ["set", rest @ ..] => set(piece, rest)?,
            ["reset", "all"] => Self::Reset(None),
            ["reset", ..] => Self::Reset(Some(name(piece, 1)?)),
            ["show", "all"] => Self::ShowAll,
            ["show", "transaction", "isolation", "level"] => {
                Self::Show("transaction_isolation".to_owned())
            }
            ["show", "time", "zone"] => Self::Show("TimeZone".to_owned()),
            ["show", "tables" | "views", ..] => Self::parsed(piece)?,
            ["show", ..] => Self::Show(name(piece, 1)?),
            ["discard", "all"] => Self::DiscardAll,
            ["discard", "plans" | "sequences" | "temp" | "temporary"] => {
                return Err(Refusal::unsupported("DISCARD of anything but ALL"));
            }
            ["deallocate", "prepare", ..] => Self::Deallocate(all_or(name(piece, 2)?)),
            ["deallocate", ..] => Self::Deallocate(all_or(name(piece, 1)?)),
            // Nobody ever notifies.
            ["unlisten", ..] => Self::Nothing("UNLISTEN"),
            _ if catalog::concerns(piece) => Self::Catalog(Asked::of(piece)?),
            _ => Self::parsed(piece)?,
        })
    }

    fn parsed(piece: &Piece) -> Result<Self, Refusal> {
        let mut statements = parse(&piece.text).map_err(|error| placed(error, piece))?;
        match (statements.pop(), statements.is_empty()) {
            (Some(statement), true) => Ok(Self::Statement(Box::new(statement))),
            _ => Err(Refusal::new(SYNTAX, "one statement was expected here")),
        }
    }

    /// The same with values for its parameters.
    ///
    /// # Errors
    ///
    /// It is of a kind that has none.
    pub(crate) fn with_parameters(&self, values: &[Expr], piece: &Piece) -> Result<Self, Refusal> {
        let parameters: Vec<Parameter> = values.iter().cloned().map(Parameter::from).collect();
        let bound = |query: &Query| {
            let bound = query.with_parameters(&parameters);
            bound.map_err(|error| placed(error, piece))
        };
        Ok(match self {
            Self::Catalog(asked) => Self::Catalog(asked.with_parameters(&parameters)?),
            Self::Copy(form, rows) => {
                Self::Copy(form.clone(), Box::new(rows.with_parameters(values, piece)?))
            }
            Self::Statement(statement) => {
                let mut statement = statement.clone();
                match &mut *statement {
                    Statement::Query(query)
                    | Statement::Explain { query, .. }
                    | Statement::CreateTable { query, .. }
                    | Statement::Insert { query, .. }
                    | Statement::Declare { query, .. } => *query = bound(query)?,
                    _ => {}
                }
                Self::Statement(statement)
            }
            other => other.clone(),
        })
    }

    /// The word that its rows are done by.
    pub(crate) fn verb(&self) -> &'static str {
        match self {
            Self::Statement(statement) => match &**statement {
                Statement::Explain { .. } => "EXPLAIN",
                Statement::ShowTables | Statement::ShowViews => "SHOW",
                Statement::Fetch { .. } => "FETCH",
                _ => "SELECT",
            },
            Self::Show(_) | Self::ShowAll => "SHOW",
            Self::Copy(..) => "COPY",
            _ => "SELECT",
        }
    }
}

/// An error of the dialect with its place in the whole text.
pub(crate) fn placed(error: Error, piece: &Piece) -> Refusal {
    let position = error
        .position
        .and_then(|at| piece.position(at.line, at.column));
    let mut refusal = Refusal::from(error);
    refusal.position = position;
    refusal
}

/// The name behind so many words.
fn name(piece: &Piece, behind: usize) -> Result<String, Refusal> {
    let tokens = tokens(piece);
    let rest: String = tokens
        .iter()
        .skip(behind)
        .map(|(token, _)| token.value())
        .collect();
    match rest.is_empty() {
        true => Err(Refusal::new(SYNTAX, "a name was expected")),
        false => Ok(rest),
    }
}

fn all_or(name: String) -> Option<String> {
    (!name.eq_ignore_ascii_case("all")).then_some(name)
}

fn set(piece: &Piece, words: &[&str]) -> Result<Command, Refusal> {
    let tokens: Vec<Token> = tokens(piece).into_iter().map(|(token, _)| token).collect();
    let value_of = |rest: &[Token]| {
        let parts = rest.split(|token| *token == Token::Sign(','));
        let parts: Vec<String> = parts
            .map(|part| part.iter().map(Token::value).collect::<String>())
            .collect();
        parts.join(", ")
    };
    match words {
        ["session", "characteristics", "as", "transaction", rest @ ..] => {
            return Ok(Command::SetTransactions(modes(rest)?));
        }
        ["transaction", rest @ ..] => return Ok(Command::SetTransaction(modes(rest)?)),
        ["time", "zone", ..] => {
            return Ok(Command::Set("TimeZone".to_owned(), value_of(&tokens[3..])));
        }
        ["names", ..] => {
            return Ok(Command::Set(
                "client_encoding".to_owned(),
                value_of(&tokens[2..]),
            ));
        }
        _ => {}
    }
    let is_local = tokens.get(1).is_some_and(|word| word.is("local"));
    let scoped = tokens
        .get(1)
        .is_some_and(|word| word.is("session") || word.is("local"));
    let rest = &tokens[1 + usize::from(scoped)..];
    let at = rest
        .iter()
        .position(|token| *token == Token::Sign('=') || token.is("to"));
    let Some(at) = at.filter(|at| *at > 0) else {
        return Err(Refusal::new(
            SYNTAX,
            "SET takes a name, = or TO, and a value",
        ));
    };
    let name: String = rest[..at].iter().map(Token::value).collect();
    match &rest[at + 1..] {
        [] => Err(Refusal::new(SYNTAX, format!("SET {name} has no value"))),
        [word] if word.is("default") && is_local => {
            Err(Refusal::unsupported("SET LOCAL … TO DEFAULT"))
        }
        [word] if word.is("default") => Ok(Command::Reset(Some(name))),
        value if is_local => Ok(Command::SetLocal(name, value_of(value))),
        value => Ok(Command::Set(name, value_of(value))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::split;

    fn command(text: &str) -> Result<Command, Refusal> {
        Command::of(&split(text)?[0])
    }

    fn set(text: &str) -> (String, String) {
        match command(text) {
            Ok(Command::Set(name, value)) => (name, value),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn settings_in_all_their_spellings() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            set("SET extra_float_digits = 3"),
            pair("extra_float_digits", "3")
        );
        assert_eq!(set("set session x to 'a b'"), pair("x", "a b"));
        assert_eq!(
            set("SET search_path TO public, \"$user\""),
            pair("search_path", "public, $user")
        );
        assert_eq!(set("SET TIME ZONE 'UTC'"), pair("TimeZone", "UTC"));
        assert_eq!(set("SET NAMES 'utf8'"), pair("client_encoding", "utf8"));
        assert_eq!(set("SET auto_to_json=true"), pair("auto_to_json", "true"));
        assert!(
            matches!(command("SET x TO DEFAULT"), Ok(Command::Reset(Some(name))) if name == "x")
        );
        assert!(
            matches!(command("SHOW server_version"), Ok(Command::Show(name)) if name == "server_version")
        );
        assert!(command("SET x").is_err());
    }

    #[test]
    fn transactions_and_what_is_not_had_of_them() {
        assert!(matches!(
            command("BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE"),
            Ok(Command::Begin(Modes {
                read_only: Some(false)
            }))
        ));
        assert!(matches!(
            command("START TRANSACTION READ ONLY"),
            Ok(Command::Begin(Modes {
                read_only: Some(true)
            }))
        ));
        assert!(matches!(
            command("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"),
            Ok(Command::SetTransactions(Modes {
                read_only: Some(true)
            }))
        ));
        assert!(matches!(
            command("SET LOCAL statement_timeout = 5"),
            Ok(Command::SetLocal(..))
        ));
        for statement in [
            "BEGIN ISOLATION LEVEL SERIALIZABLE",
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            "SET TRANSACTION SNAPSHOT 'x'",
            "COMMIT AND CHAIN",
            "ROLLBACK WORK AND CHAIN",
        ] {
            let refusal = command(statement).expect_err(statement);
            assert_eq!(refusal.code, "0A000", "{statement}");
        }
        assert!(matches!(
            command("COMMIT AND NO CHAIN"),
            Ok(Command::Commit)
        ));
        assert!(matches!(command("END"), Ok(Command::Commit)));
        let refusal = command("PREPARE TRANSACTION 'x'").expect_err("two phases");
        assert_eq!(refusal.code, "0A000");
    }

    #[test]
    fn an_error_has_its_place_in_the_whole_text() {
        let pieces = split("SELECT 1;\nSELECT FROM WHERE").expect("pieces");
        let refusal = Command::of(&pieces[1]).expect_err("no SQL");
        assert_eq!(refusal.code, SYNTAX);
        assert!(refusal.position.is_some_and(|at| at > 10), "{refusal:?}");
    }
}
