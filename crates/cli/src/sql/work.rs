//! Statements at work, until somebody has enough of them.

use std::pin::pin;
use std::time::Duration;

use sql::Session;
use tokio::time::timeout;

/// How often a statement looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(50);

/// What a session's statement comes to; `None` where it is to stop. What is written then says itself whether it is, so that
/// is waited for.
pub async fn unless_stopped<T>(
    session: &Session,
    mut is_to_stop: impl FnMut() -> bool,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = pin!(work);
    loop {
        if is_to_stop() && !session.cancel_write() {
            return None;
        }
        if let Ok(done) = timeout(LOOK, &mut work).await {
            return Some(done);
        }
    }
}
