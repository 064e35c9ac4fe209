//! A port, and the connections that come to it.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use server::{Door, Exposed, Gate, accepted};
use sql::Memory;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::connection;
use crate::interrupt::Cancels;
use crate::tls::{Tls, TlsError};

/// How a front listens, and what it allows.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// What sessions are within; without, they are in the clear.
    pub tls: Option<Tls>,
    /// Whether other machines may come in all the same.
    pub allow_clear_text: bool,
    /// How many sessions there are at a time; more are told so (53300).
    pub max_sessions: usize,
    /// How long a client may take to say who it is.
    pub sign_in: Duration,
    /// How long a session may be without a statement.
    pub idle: Duration,
    /// How long a client may read nothing of what it asked for.
    pub stall: Duration,
    /// How much memory the sorts, joins and groups of all sessions may take, in bytes; what is more goes to temporary
    /// files.
    pub memory: usize,
    /// On how many threads a statement runs; one a core where it is missing.
    pub partitions: Option<usize>,
}

impl Options {
    /// The usual ones.
    #[must_use]
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            tls: None,
            allow_clear_text: false,
            max_sessions: 100,
            sign_in: Duration::from_secs(30),
            idle: Duration::from_secs(24 * 60 * 60),
            stall: Duration::from_secs(60 * 60),
            memory: 1 << 30,
            partitions: None,
        }
    }
}

/// Why a front can't start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrontError {
    /// The address can't be listened on.
    #[error("{address}: {reason}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The operating system's reason.
        reason: io::Error,
    },
    /// Other machines reach it, and it is not kept well enough for that.
    #[error(transparent)]
    Exposed(#[from] Exposed),
    /// The certificate or its key can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// There is no place for temporary files.
    #[error("memory for statements: {0}")]
    Memory(#[from] sql::dialect::Error),
}

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) gate: Gate,
    pub(crate) memory: Memory,
    pub(crate) cancels: Cancels,
    /// Where statements are at work, so that connections are heard meanwhile.
    pub(crate) work: Handle,
    /// One a session.
    pub(crate) places: Arc<Semaphore>,
    /// How many of them each organisation has.
    pub(crate) by_org: Mutex<HashMap<String, usize>>,
    /// Whether the front is to end.
    pub(crate) stop: watch::Receiver<bool>,
}

impl Shared {
    fn by_org(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.by_org.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more session of an organisation, until it is dropped; `None` where it may have no more. Where tokens say who
    /// somebody is, none takes the last quarter of all places from the others; without, names cost nothing.
    pub(crate) fn one_more(self: &Arc<Self>, org: &str) -> Option<OneOfOrg> {
        let most = match self.gate.is_open() {
            true => usize::MAX,
            false => (self.options.max_sessions * 3 / 4).max(1),
        };
        let mut all = self.by_org();
        let own = all.entry(org.to_owned()).or_default();
        if *own >= most {
            return None;
        }
        *own += 1;
        Some(OneOfOrg(Arc::clone(self), org.to_owned()))
    }
}

/// A session's place among those of its organisation.
pub(crate) struct OneOfOrg(Arc<Shared>, String);

impl Drop for OneOfOrg {
    fn drop(&mut self) {
        let mut all = self.0.by_org();
        if let Some(own) = all.get_mut(&self.1) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                all.remove(&self.1);
            }
        }
    }
}

/// Connections that are not yet sessions, or want one to end, beside those that are.
const NOT_YET: usize = 64;
/// How long connections may take to end when the front does.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A front that has its port.
pub struct Front {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    listener: TcpListener,
    address: SocketAddr,
}

impl Front {
    /// Takes the port. Statements run on `work`, the threads of another runtime than the one that moves bytes: they
    /// keep these busy.
    ///
    /// # Errors
    /// The address can't be had, or is one that others reach while everybody may come in.
    pub async fn bind(gate: Gate, options: Options, work: Handle) -> Result<Self, FrontError> {
        let address = options.listen;
        let door = Door {
            is_open: gate.is_open(),
            has_tls: options.tls.is_some(),
            allow_clear_text: options.allow_clear_text,
        };
        door.check(address)?;
        let failed = |reason| FrontError::Listen { address, reason };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (stop, stopped) = watch::channel(false);
        let shared = Shared {
            memory: Memory::new(options.memory)?,
            places: Arc::new(Semaphore::new(options.max_sessions)),
            by_org: Mutex::default(),
            options,
            gate,
            work,
            cancels: Cancels::default(),
            stop: stopped,
        };
        Ok(Self {
            shared: Arc::new(shared),
            stop,
            listener,
            address,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers clients until `stop`; then statements that run are ended, and their clients told why.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let places = Arc::new(Semaphore::new(self.shared.options.max_sessions + NOT_YET));
        let mut connections = JoinSet::new();
        tokio::pin!(stop);
        loop {
            let stream = tokio::select! {
                () = &mut stop => break,
                Some(ended) = connections.join_next() => {
                    let ended: Result<(), tokio::task::JoinError> = ended;
                    if let Err(panic) = ended {
                        tracing::error!(%panic, "a connection broke off; this is a mistake of the program");
                    }
                    continue;
                }
                stream = accepted(&self.listener) => stream,
            };
            // Who is one too many is let go of without a word: a word takes a task.
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                continue;
            };
            let shared = Arc::clone(&self.shared);
            connections.spawn(async move {
                connection::serve(shared, stream).await;
                drop(place);
            });
        }
        drop(self.listener);
        self.stop.send_replace(true);
        let all = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST_WORDS, all).await.is_err() {
            tracing::warn!("leaving what still runs");
        }
    }
}
