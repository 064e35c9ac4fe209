//! A program without SQL says that it can't do it.

use std::net::SocketAddr;

use server::Gate;
use tokio::runtime::Handle;

use crate::args::{Arguments, ServeArgs, SqlArgs};
use crate::failure::Failure;

pub fn run(_: &Arguments, _: &SqlArgs) -> Result<(), Failure> {
    Err(missing())
}

/// There is none.
pub enum Front {}

impl Front {
    pub async fn bind(
        _: Gate,
        _: SocketAddr,
        _: &ServeArgs,
        _: Option<usize>,
        _: &Handle,
    ) -> Result<Self, Failure> {
        Err(missing())
    }

    pub fn address(&self) -> SocketAddr {
        match *self {}
    }

    pub async fn run(self, _: impl Future<Output = ()>) {
        match self {}
    }
}

fn missing() -> Failure {
    Failure::usage(
        "this program was built without SQL: build it with --features sql, or take a released one",
    )
}
