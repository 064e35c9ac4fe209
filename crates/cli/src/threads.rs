//! Threads for what waits, and for statements.

use tokio::runtime::{Builder, Runtime};

use crate::failure::Failure;

/// The stack of a thread, in bytes: a statement's chain of operators is as deep as it is long.
const STACK: usize = 32 << 20;

/// As many threads as there are cores.
pub fn runtime() -> Result<Runtime, Failure> {
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK)
        .build();
    runtime.map_err(|error| Failure::failed(format!("threads: {error}")))
}
