//! Transactions, savepoints, and what is set for one of them or for the session.
//!
//! Each statement that writes is a transaction of its own, and stays. What settings are is taken back as in PostgreSQL.

use sql::dialect::Statement;

use super::Client;
use super::kept::Kept;
use crate::command::Command;
use crate::interrupt::Watch;
use crate::refusal::{NO_SAVEPOINT, NO_TRANSACTION, NOT_SUPPORTED, Problem, Refusal};
use crate::settings::{Settings, is_told};
use crate::wire::{Notice, Transaction};

/// A transaction that is open.
pub(super) struct Open {
    /// The settings as they were when it began: a rollback goes back to them.
    began: Settings,
    /// What they go back to when it ends, where some are for it alone.
    behind: Option<Settings>,
    savepoints: Vec<Savepoint>,
}

/// A point of a transaction that its client may go back to.
struct Savepoint {
    name: String,
    settings: Settings,
    behind: Option<Settings>,
    /// How many of the transaction's statements had written.
    written: usize,
    _kept: Kept,
}

/// A sixteenth (`Kept`) of the bytes that a savepoint's settings have at the most: two texts of a kilobyte, and words, as
/// they are and as the session began, of the transaction and behind it.
const SETTINGS: usize = 1024;

impl Client<'_> {
    /// Whether one is open, as clients are told.
    pub(super) fn transaction(&self) -> Transaction {
        match &self.open {
            None => Transaction::None,
            Some(_) => Transaction::Open,
        }
    }

    /// Begins, ends or changes one; the word that it is done by.
    pub(super) async fn transact(
        &mut self,
        command: Command,
        watch: &mut Watch,
    ) -> Result<&'static str, Problem> {
        Ok(match command {
            Command::Begin(modes) => {
                self.own_statement(Statement::Begin, watch).await?;
                if self.open.is_some() {
                    self.warn("25001", "there is a transaction already");
                    return Ok("BEGIN");
                }
                self.open = Some(Open {
                    began: self.guest.settings.clone(),
                    behind: None,
                    savepoints: Vec::new(),
                });
                self.guest.settings.begin(modes.read_only)?;
                "BEGIN"
            }
            Command::SetTransaction(modes) => {
                match (self.open.is_some(), modes.read_only) {
                    (false, _) => self.no_transaction("SET TRANSACTION"),
                    (true, None) => {}
                    (true, read_only) => self.guest.settings.begin(read_only)?,
                }
                "SET"
            }
            Command::SetTransactions(modes) => {
                if let Some(read_only) = modes.read_only {
                    let value = if read_only { "on" } else { "off" };
                    self.set_for_good("default_transaction_read_only", value)?;
                }
                "SET"
            }
            Command::Commit => {
                self.own_statement(Statement::Commit, watch).await?;
                if let Some(open) = self.open.take() {
                    let settings = open.behind.unwrap_or_else(|| self.guest.settings.clone());
                    self.go_back(settings)?;
                }
                "COMMIT"
            }
            Command::Rollback => {
                // An error says what stays of what was written; the transaction is over all the same.
                let ended = self.own_statement(Statement::Rollback, watch).await;
                if let Some(open) = self.open.take() {
                    self.go_back(open.began)?;
                }
                ended?;
                "ROLLBACK"
            }
            Command::Savepoint(name) => {
                let settings = self.guest.settings.clone();
                let kept = Kept::new(&self.kept, name.len() + SETTINGS)?;
                let written = self.session.written();
                let open = self.open_for("SAVEPOINT")?;
                open.savepoints.push(Savepoint {
                    name,
                    settings,
                    behind: open.behind.clone(),
                    written,
                    _kept: kept,
                });
                "SAVEPOINT"
            }
            Command::Release(name) => {
                let open = self.open_for("RELEASE SAVEPOINT")?;
                let at = open.savepoint(&name)?;
                open.savepoints.truncate(at);
                "RELEASE"
            }
            Command::RollbackTo(name) => {
                let written = self.session.written();
                let open = self.open_for("ROLLBACK TO SAVEPOINT")?;
                let at = open.savepoint(&name)?;
                let point = &open.savepoints[at];
                if point.written < written {
                    let message = format!(
                        "what was written since SAVEPOINT {name} stays: each statement is a transaction of its own"
                    );
                    return Err(Refusal::new(NOT_SUPPORTED, message).into());
                }
                let settings = point.settings.clone();
                open.behind = point.behind.clone();
                open.savepoints.truncate(at + 1);
                self.replace(settings);
                "ROLLBACK"
            }
            Command::Set(name, value) => {
                if self.open.is_none() && is_transactions(&name) {
                    // It is looked at all the same.
                    self.guest.settings.clone().set(&name, &value)?;
                    self.no_transaction("SET of a transaction's setting");
                } else {
                    self.set_for_good(&name, &value)?;
                }
                "SET"
            }
            Command::SetLocal(name, value) => {
                let before = self.guest.settings.clone();
                match &mut self.open {
                    None => {
                        // It is looked at all the same.
                        before.clone().set(&name, &value)?;
                        self.no_transaction("SET LOCAL");
                    }
                    Some(_) => {
                        self.set(&name, &value)?;
                        if let Some(open) = &mut self.open {
                            open.behind.get_or_insert(before);
                        }
                    }
                }
                "SET"
            }
            Command::Reset(name) => {
                if let Some(behind) = self.open.as_mut().and_then(|open| open.behind.as_mut()) {
                    behind.reset(name.as_deref())?;
                }
                let mut settings = self.guest.settings.clone();
                settings.reset(name.as_deref())?;
                self.replace(settings);
                "RESET"
            }
            other => {
                let what = format!("{other:?} of a transaction");
                return Err(Refusal::unsupported(what).into());
            }
        })
    }

    fn open_for(&mut self, what: &str) -> Result<&mut Open, Refusal> {
        self.open.as_mut().ok_or_else(|| {
            Refusal::new(
                NO_TRANSACTION,
                format!("{what} is for transactions, and none is open"),
            )
        })
    }

    /// Sets one for the session, behind what is set for the transaction alone, too.
    fn set_for_good(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        if let Some(behind) = self.open.as_mut().and_then(|open| open.behind.as_mut()) {
            behind.set(name, value)?;
        }
        self.set(name, value)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        let changed = self.guest.settings.set(name, value)?;
        if let Some(message) = changed.notice {
            self.wire.out.notice(&Notice {
                severity: "NOTICE",
                code: "00000",
                message,
            });
        }
        if is_told(changed.name) {
            self.wire.out.parameter(changed.name, &changed.value);
        }
        Ok(())
    }

    /// A transaction is over, and what was set for it alone.
    fn go_back(&mut self, mut settings: Settings) -> Result<(), Problem> {
        settings.reset(Some("transaction_read_only"))?;
        self.replace(settings);
        Ok(())
    }

    /// Settings are others; the client is told of those that it should know.
    pub(super) fn replace(&mut self, settings: Settings) {
        let were = std::mem::replace(&mut self.guest.settings, settings);
        for ((name, value), (_, was)) in self.guest.settings.told().zip(were.told()) {
            if value != was {
                self.wire.out.parameter(name, value);
            }
        }
    }

    fn no_transaction(&mut self, what: &str) {
        self.warn(
            NO_TRANSACTION,
            &format!("{what} is for transactions, and none is open"),
        );
    }

    fn warn(&mut self, code: &'static str, message: &str) {
        self.wire.out.notice(&Notice {
            severity: "WARNING",
            code,
            message: message.to_owned(),
        });
    }
}

/// Whether a setting is one of a transaction that is open.
fn is_transactions(name: &str) -> bool {
    let name = name.get(.."transaction_".len());
    name.is_some_and(|name| name.eq_ignore_ascii_case("transaction_"))
}

impl Open {
    /// Where the youngest savepoint of a name is.
    fn savepoint(&self, name: &str) -> Result<usize, Refusal> {
        let found = self.savepoints.iter().rposition(|one| one.name == name);
        found.ok_or_else(|| Refusal::new(NO_SAVEPOINT, format!("there is no savepoint {name:?}")))
    }
}
