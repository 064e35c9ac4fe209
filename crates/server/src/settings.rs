use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use profile_export::jobs::Keep;

use crate::sql_runner::SqlRunner;

/// How a server listens, what it allows and what it runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder of the store; it is made where it is missing.
    pub store: PathBuf,
    /// Where to listen; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// The file of those who may come in; without one, everybody on this machine may.
    pub token_file: Option<PathBuf>,
    /// A folder of XDM documents that declared schemas may refer to.
    pub schemas: Option<PathBuf>,
    /// What runs the queries of the query service; without it that is not there.
    pub sql: Option<Arc<dyn SqlRunner>>,
    /// Where clients of PostgreSQL connect, where they can: whoever starts their front beside this server says so.
    pub postgres: Arc<OnceLock<SocketAddr>>,
    /// How many export jobs run side by side, and how many queries.
    pub workers: usize,
    /// How many export jobs of one sandbox may wait, and how many queries; more are told to come back.
    pub max_waiting_jobs: u32,
    /// What is kept of finished jobs behind each that succeeds, if not all.
    pub keep: Option<Keep>,
    /// How many connections are open at a time; more are told to come back.
    pub max_connections: usize,
    /// How many requests work on the store at a time; more wait, at the most for `request_timeout`.
    /// Those whose bodies are on their way, `/health` and `/metrics` are not among them.
    pub max_requests: usize,
    /// How long a request may take to arrive or wait, and its sender be silent.
    pub request_timeout: Duration,
    /// How long a deletion may take, with what it waits for: each run that loses a record is written anew.
    pub deletion_timeout: Duration,
    /// How long a client may read nothing of an answer before its connection is ended.
    pub write_timeout: Duration,
    /// The largest JSON body, in bytes.
    pub max_body: usize,
    /// The largest file of an incoming batch, in bytes.
    pub max_upload: u64,
    /// How long running jobs may go on after the server is told to stop, before they are cancelled.
    pub grace: Duration,
}

impl Settings {
    /// The usual settings for a store and an address.
    #[must_use]
    pub fn new(store: impl Into<PathBuf>, listen: SocketAddr) -> Self {
        Self {
            store: store.into(),
            listen,
            token_file: None,
            schemas: None,
            sql: None,
            postgres: Arc::default(),
            workers: 2,
            max_waiting_jobs: 1000,
            keep: None,
            max_connections: 2048,
            max_requests: 64,
            request_timeout: Duration::from_secs(30),
            deletion_timeout: Duration::from_secs(60 * 60),
            write_timeout: Duration::from_secs(30),
            max_body: 1 << 20,
            max_upload: 4 << 30,
            grace: Duration::from_secs(20),
        }
    }
}
