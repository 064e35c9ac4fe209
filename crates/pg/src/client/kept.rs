//! What a session keeps between statements takes of the memory of all sessions.

use std::sync::Arc;

use sql::Held;

use crate::refusal::Problem;

/// Memory of a session for something that it keeps.
pub(super) struct Kept(Arc<Held>, usize);

/// How much greater a statement is than its text, and a plan than its values, with what they are made of.
const TIMES: usize = 16;

impl Kept {
    pub(super) fn new(of: &Arc<Held>, bytes: usize) -> Result<Self, Problem> {
        let bytes = bytes.saturating_mul(TIMES);
        of.grow(bytes)?;
        Ok(Self(Arc::clone(of), bytes))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.shrink(self.1);
    }
}
