//! What is said of transactions: their modes, the names of their savepoints.

use crate::refusal::{Refusal, SYNTAX};
use crate::split::Piece;
use crate::tokens::{Token, tokens};

/// How a transaction is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Modes {
    /// Where something is said of it.
    pub(crate) read_only: Option<bool>,
}

/// What a transaction says of itself, where there is a choice: each statement sees one state of the store, and there
/// is no other isolation.
pub(crate) fn modes(words: &[&str]) -> Result<Modes, Refusal> {
    let mut modes = Modes::default();
    let mut rest = words;
    loop {
        rest = match rest {
            [] => return Ok(modes),
            [
                "isolation",
                "level",
                "read",
                "committed" | "uncommitted",
                rest @ ..,
            ] => rest,
            ["isolation", "level", ..] => {
                let what = "A transaction of another isolation level than READ COMMITTED";
                return Err(Refusal::unsupported(what));
            }
            ["read", "only", rest @ ..] => {
                modes.read_only = Some(true);
                rest
            }
            ["read", "write", rest @ ..] => {
                modes.read_only = Some(false);
                rest
            }
            // It is about transactions that are serializable.
            ["not", "deferrable", rest @ ..] | ["deferrable", rest @ ..] => rest,
            ["snapshot", ..] => return Err(Refusal::unsupported("Snapshots of transactions")),
            [other, ..] => {
                let message = format!("a transaction has no mode {other:?}");
                return Err(Refusal::new(SYNTAX, message));
            }
        }
    }
}

/// Looks at what stands behind the word that ends one: nothing that would mean less than all of it.
pub(crate) fn ends(piece: &Piece, words: &[&str]) -> Result<(), Refusal> {
    let rest = match words {
        ["work" | "transaction", rest @ ..] => rest,
        rest => rest,
    };
    // Names within quotes and signs are no words.
    let only_words = tokens(piece).len() == words.len() + 1;
    match rest {
        [] | ["and", "no", "chain"] if only_words => Ok(()),
        _ => Err(Refusal::new(
            SYNTAX,
            "a transaction ends by COMMIT or ROLLBACK, with WORK or TRANSACTION behind it at the most; ROLLBACK TO goes back to \
             a savepoint",
        )),
    }
}

/// The name of a savepoint behind so many words; the word SAVEPOINT may stand in front of it.
pub(crate) fn savepoint(piece: &Piece, behind: usize) -> Result<String, Refusal> {
    let tokens: Vec<Token> = tokens(piece).into_iter().map(|(token, _)| token).collect();
    let name = match tokens.get(behind..) {
        Some([word, name]) if word.is("savepoint") => name,
        Some([name]) => name,
        _ => &Token::Sign(' '),
    };
    match name {
        Token::Word(name) => Ok(name.to_lowercase()),
        Token::Name(name) => Ok(name.clone()),
        _ => Err(Refusal::new(SYNTAX, "the name of a savepoint was expected")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use crate::split::split;

    fn command(text: &str) -> Result<Command, Refusal> {
        Command::of(&split(text)?[0])
    }

    #[test]
    fn savepoints_in_all_their_spellings() {
        for (statement, wanted) in [
            ("SAVEPOINT a", "a"),
            ("savepoint \"A b\"", "A b"),
            ("RELEASE A", "a"),
            ("RELEASE SAVEPOINT \"_pg3_1\"", "_pg3_1"),
            ("RELEASE savepoint", "savepoint"),
            ("ROLLBACK TO a", "a"),
            ("ROLLBACK TO SAVEPOINT a", "a"),
            ("ROLLBACK WORK TO \"to\"", "to"),
            ("ROLLBACK TRANSACTION TO SAVEPOINT a", "a"),
        ] {
            let name = match command(statement) {
                Ok(
                    Command::Savepoint(name) | Command::Release(name) | Command::RollbackTo(name),
                ) => name,
                other => panic!("{statement}: {other:?}"),
            };
            assert_eq!(name, wanted, "{statement}");
        }
        for statement in ["SAVEPOINT", "SAVEPOINT a b", "SAVEPOINT 'a'", "ROLLBACK TO"] {
            let refusal = command(statement).expect_err(statement);
            assert_eq!(refusal.code, SYNTAX, "{statement}");
        }
    }

    #[test]
    fn a_transaction_ends_by_these_words_and_no_others() {
        for statement in [
            "COMMIT",
            "end work",
            "ABORT TRANSACTION",
            "ROLLBACK WORK AND NO CHAIN",
        ] {
            let ended = command(statement);
            assert!(
                matches!(ended, Ok(Command::Commit | Command::Rollback)),
                "{statement}: {ended:?}"
            );
        }
        for statement in [
            "ABORT TO SAVEPOINT a",
            "ABORT WORK TO a",
            "ROLLBACK a",
            "ROLLBACK \"a\"",
            "COMMIT 1",
            "END WORK TRANSACTION",
        ] {
            let refusal = command(statement).expect_err(statement);
            assert_eq!(refusal.code, SYNTAX, "{statement}");
        }
    }
}
