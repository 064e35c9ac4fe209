//! What was written since BEGIN: each statement is a transaction of its own, and none is taken back.

use crate::dialect::{Code, Error};

/// How many statements are named.
const NAMED: usize = 5;

/// What a session's statements wrote into the store since BEGIN.
#[derive(Default)]
pub(crate) struct Transaction {
    is_open: bool,
    /// The first few.
    named: Vec<String>,
    count: usize,
}

impl Transaction {
    pub(crate) fn begin(&mut self) {
        // Of a second BEGIN, what was written since the first stays known.
        self.is_open = true;
    }

    /// Notes a statement that wrote.
    pub(crate) fn note(&mut self, statement: impl FnOnce() -> String) {
        if self.is_open {
            self.count += 1;
            if self.named.len() < NAMED {
                self.named.push(statement());
            }
        }
    }

    /// How many have.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn commit(&mut self) {
        *self = Self::default();
    }

    /// Ends the transaction, too.
    ///
    /// # Errors
    /// Something was written since BEGIN, which stays.
    pub(crate) fn rollback(&mut self) -> Result<(), Error> {
        let ended = std::mem::take(self);
        if ended.count == 0 {
            return Ok(());
        }
        let more = match ended.count - ended.named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let message = format!(
            "ROLLBACK takes nothing back that was written into the store: {}{more} stay as they are, since each \
             statement is a transaction of its own; the transaction has ended",
            ended.named.join(", ")
        );
        Err(Error::new(Code::NotSupported, message))
    }
}
