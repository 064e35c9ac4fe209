//! A session: its statements one after the other, over both protocols.

mod extended;
mod kept;
mod run;
mod simple;
mod transactions;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use server::Rights;
use sql::{Held, Session};
use tokio::sync::watch;

use crate::connection::Wire;
use crate::front::Shared;
use crate::interrupt::{Cancellable, Watch};
use crate::refusal::{PROTOCOL, Problem, Refusal};
use crate::sign_in::Guest;
use crate::wire::{Message, Transaction};
use extended::{Portal, Stored};
use transactions::Open;

/// Whether a session goes on.
pub(crate) enum Next {
    Go,
    End,
}

/// Bytes that may wait for the client to want them.
const MOST_WAITING: usize = 64 << 10;

/// Somebody who is signed in.
pub(crate) struct Client<'w> {
    shared: Arc<Shared>,
    guest: Guest,
    session: Arc<Session>,
    wire: &'w mut Wire,
    own: Cancellable,
    gone: watch::Receiver<bool>,
    /// The transaction, where one is open.
    open: Option<Open>,
    /// Behind an error everything is passed over up to the next `Sync`.
    passing_over: bool,
    statements: HashMap<String, Arc<Stored>>,
    portals: HashMap<String, Portal>,
    /// Some of the memory of all sessions for these.
    kept: Arc<Held>,
}

impl<'w> Client<'w> {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        guest: Guest,
        gone: watch::Receiver<bool>,
        wire: &'w mut Wire,
    ) -> Result<Self, Problem> {
        let own = Cancellable::new(Arc::clone(shared))?;
        let session = session(shared, &guest)?;
        let kept = Arc::new(
            shared
                .memory
                .hold("statements and portals of a session", 0)?,
        );
        Ok(Self {
            shared: Arc::clone(shared),
            guest,
            session,
            wire,
            own,
            gone,
            open: None,
            passing_over: false,
            statements: HashMap::new(),
            portals: HashMap::new(),
            kept,
        })
    }

    /// Tells the client that it is in, and what it should know.
    pub(crate) async fn welcome(&mut self) -> Result<(), Problem> {
        let out = &mut self.wire.out;
        out.welcome();
        for (name, value) in self.guest.settings.told() {
            out.parameter(name, value);
        }
        out.parameter("session_authorization", &self.guest.scope.org);
        out.key(self.own.process, self.own.key);
        out.ready(Transaction::None);
        self.wire.flush().await
    }

    /// How long a session may be without a statement.
    pub(crate) fn patience(&self) -> Duration {
        self.shared.options.idle
    }

    fn watch(&self) -> Watch {
        let timeout = self.guest.settings.statement_timeout();
        Watch::new(&self.own, &self.gone, timeout)
    }

    /// Answers a message.
    ///
    /// # Errors
    ///
    /// The session ends.
    pub(crate) async fn answer(&mut self, message: Message) -> Result<Next, Problem> {
        match message {
            Message::Terminate => return Ok(Next::End),
            // As all others, up to the next Sync.
            Message::Query(_) if self.passing_over => {}
            Message::Query(text) => {
                self.query(&text).await?;
                self.ready();
                self.flush().await?;
            }
            Message::Sync => {
                self.passing_over = false;
                self.ready();
                self.flush().await?;
            }
            Message::Flush => self.flush().await?,
            // Rows for a COPY that was refused.
            Message::Copied => {}
            Message::Password(_) => {
                let message = "a password was not asked for";
                return Err(Problem::Fatal(Refusal::new(PROTOCOL, message)));
            }
            _ if self.passing_over => {}
            message => {
                if let Err(problem) = self.step(message).await {
                    self.tell(problem)?;
                    self.passing_over = true;
                }
                if self.wire.out.0.len() > MOST_WAITING {
                    self.flush().await?;
                }
            }
        }
        Ok(Next::Go)
    }

    /// The client may go on. What it did not name lasts as long as a transaction.
    fn ready(&mut self) {
        if self.open.is_none() {
            self.portals.clear();
        }
        self.wire.out.ready(self.transaction());
    }

    /// Sends what waits. It can't be cancelled: a message that is sent by halves is none.
    async fn flush(&mut self) -> Result<(), Problem> {
        let mut watch = self.watch();
        loop {
            match watch.during(self.wire.flush()).await {
                Err(Problem::Refused(_)) => watch = Watch::new(&self.own, &self.gone, None),
                done => return done,
            }
        }
    }

    /// Tells of a refusal, which ends no session.
    fn tell(&mut self, problem: Problem) -> Result<(), Problem> {
        match problem {
            Problem::Refused(refusal) => {
                self.wire.out.refusal("ERROR", &refusal);
                Ok(())
            }
            problem => Err(problem),
        }
    }
}

fn session(shared: &Shared, guest: &Guest) -> Result<Arc<Session>, Problem> {
    let admitted = guest.admitted(shared)?;
    let options = sql::Options {
        partitions: shared.options.partitions,
        read_only: admitted.rights != Rights::Write,
        flatten: guest.flatten,
        ..sql::Options::default()
    };
    let session = Session::sharing(admitted.store, &options, &shared.memory);
    Ok(Arc::new(session))
}
