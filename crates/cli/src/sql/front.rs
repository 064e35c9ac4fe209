//! SQL for PostgreSQL's clients: its statements are at work on threads of their own, which they keep busy.

use std::net::SocketAddr;

use pg::{FrontError, Options};
use server::Gate;
use tokio::runtime::Handle;

use crate::failure::Failure;

/// A front that has its port.
pub struct Front(pg::Front);

impl Front {
    pub async fn bind(
        gate: Gate,
        address: SocketAddr,
        threads: Option<usize>,
        work: &Handle,
    ) -> Result<Self, Failure> {
        let options = Options {
            partitions: threads,
            ..Options::new(address)
        };
        let front = pg::Front::bind(gate, options, work.clone()).await;
        front.map(Self).map_err(|error| match error {
            FrontError::Open(_) => Failure::usage(error.to_string()),
            error => Failure::failed(error.to_string()),
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Answers clients until `stop`.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        self.0.run(stop).await;
    }
}
