//! Transactions, and what is set for one of them or for the session.

use sql::dialect::Statement;

use super::Client;
use crate::command::Command;
use crate::interrupt::Watch;
use crate::refusal::{NOT_SUPPORTED, Problem, Refusal};
use crate::wire::{Notice, Transaction};

impl Client<'_> {
    /// Begins, ends or changes one; the word that it is done by.
    pub(super) async fn transaction(
        &mut self,
        command: Command,
        watch: &mut Watch,
    ) -> Result<&'static str, Problem> {
        Ok(match command {
            Command::Begin(modes) => {
                self.own_statement(Statement::Begin, watch).await?;
                match self.transaction {
                    Transaction::None => {
                        self.transaction = Transaction::Open;
                        self.wrote = false;
                        self.guest.settings.begin(modes.read_only);
                    }
                    Transaction::Open => self.warn("25001", "there is a transaction already"),
                }
                "BEGIN"
            }
            Command::SetTransaction(modes) => {
                match (self.transaction, modes.read_only) {
                    (Transaction::None, _) => self.no_transaction("SET TRANSACTION"),
                    (Transaction::Open, None) => {}
                    (Transaction::Open, read_only) => self.guest.settings.begin(read_only),
                }
                "SET"
            }
            Command::SetTransactions(modes) => {
                if let Some(read_only) = modes.read_only {
                    let value = if read_only { "on" } else { "off" };
                    self.set("default_transaction_read_only", value)?;
                }
                "SET"
            }
            Command::Commit => {
                self.own_statement(Statement::Commit, watch).await?;
                self.ended();
                self.wrote = false;
                "COMMIT"
            }
            Command::Rollback => {
                // An error says what stays of what was written; the transaction is over all the same.
                let ended = self.own_statement(Statement::Rollback, watch).await;
                self.ended();
                self.wrote = false;
                ended?;
                "ROLLBACK"
            }
            Command::RollbackTo if self.wrote => {
                let message = "what was written since BEGIN stays: each statement is a transaction of its own";
                return Err(Refusal::new(NOT_SUPPORTED, message).into());
            }
            Command::RollbackTo => "ROLLBACK",
            Command::Set(name, value) => {
                if let Some(before) = &mut self.before {
                    before.set(&name, &value)?;
                }
                self.set(&name, &value)?;
                "SET"
            }
            Command::SetLocal(name, value) => {
                match self.transaction {
                    Transaction::None => {
                        // It is looked at all the same.
                        self.guest.settings.clone().set(&name, &value)?;
                        self.no_transaction("SET LOCAL");
                    }
                    Transaction::Open => {
                        let before = self.guest.settings.clone();
                        self.set(&name, &value)?;
                        self.before.get_or_insert(before);
                    }
                }
                "SET"
            }
            other => {
                let what = format!("{other:?} of a transaction");
                return Err(Refusal::unsupported(what).into());
            }
        })
    }

    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        let changed = self.guest.settings.set(name, value)?;
        if let Some(notice) = &changed.notice {
            self.wire.out.notice(notice);
        }
        if let Some((name, value)) = &changed.told {
            self.wire.out.parameter(name, value);
        }
        Ok(())
    }

    /// A transaction is over, and what was set for it alone.
    pub(super) fn ended(&mut self) {
        self.transaction = Transaction::None;
        if let Some(before) = self.before.take() {
            let local = std::mem::replace(&mut self.guest.settings, before);
            for ((name, value), (_, was)) in self.guest.settings.told().zip(local.told()) {
                if value != was {
                    self.wire.out.parameter(name, value);
                }
            }
        }
        self.guest.settings.end();
    }

    pub(super) fn no_transaction(&mut self, what: &str) {
        self.warn(
            "25P01",
            &format!("{what} is for transactions, and none is open"),
        );
    }

    pub(super) fn warn(&mut self, code: &'static str, message: &str) {
        self.wire.out.notice(&Notice {
            severity: "WARNING",
            code,
            message: message.to_owned(),
        });
    }
}
