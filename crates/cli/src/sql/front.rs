//! SQL for PostgreSQL's clients: its statements are at work on threads of their own, which they keep busy.

use std::net::SocketAddr;

use pg::{FrontError, Options, Tls};
use server::Gate;
use tokio::runtime::Handle;

use crate::args::ServeArgs;
use crate::failure::Failure;

/// A front that has its port.
pub struct Front(pg::Front);

impl Front {
    pub async fn bind(
        gate: Gate,
        address: SocketAddr,
        serve: &ServeArgs,
        threads: Option<usize>,
        work: &Handle,
    ) -> Result<Self, Failure> {
        let files = serve.sql_tls_cert.as_ref().zip(serve.sql_tls_key.as_ref());
        let tls = files.map(|(certificate, key)| Tls::open(certificate, key));
        let options = Options {
            tls: tls.transpose().map_err(|error| failure(error.into()))?,
            allow_clear_text: serve.sql_allow_clear_text,
            partitions: threads,
            ..Options::new(address)
        };
        let front = pg::Front::bind(gate, options, work.clone()).await;
        front.map(Self).map_err(failure)
    }

    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Answers clients until `stop`.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        self.0.run(stop).await;
    }
}

fn failure(error: FrontError) -> Failure {
    match error {
        FrontError::Exposed(_) | FrontError::Tls(_) => Failure::usage(error.to_string()),
        error => Failure::failed(error.to_string()),
    }
}
