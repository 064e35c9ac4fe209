//! What is left of a request's body when its answer is made: a client that keeps its connection sends the next
//! request behind it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, Request, header};
use axum::response::Response;
use futures_util::StreamExt;
use hyper::body::{Frame, SizeHint};

/// How much of a body that nobody reads is taken, in bytes, and for how long. It is as much as a JSON body may have, so
/// that a client which sends one too long sees its answer, too.
const MOST: u64 = 1 << 20;
const LONGEST: Duration = Duration::from_secs(1);

/// Answers a request; what its handler leaves of a small body is read, and the connection ends behind a larger one.
///
/// Else hyper would end the connection without a word, and a client that has taken the answer for the sign to send its
/// next request would lose that.
pub(crate) async fn answer_whole<F: Future<Output = Response>>(
    request: Request<Body>,
    answer: impl FnOnce(Request<Body>) -> F,
) -> Response {
    // Such a client sends no body before it is told to, which reading one would do.
    let waits = request.headers().contains_key(header::EXPECT);
    let (head, body) = request.into_parts();
    let body = Shared(Arc::new(Mutex::new(State {
        ended: body.is_end_stream(),
        begun: false,
        body,
    })));
    let left = body.clone();
    let mut response = answer(Request::from_parts(head, Body::new(body))).await;
    if !left.read_rest(waits).await {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

struct State {
    body: Body,
    begun: bool,
    ended: bool,
}

/// A body that its request's handler reads, and whoever finishes that.
#[derive(Clone)]
struct Shared(Arc<Mutex<State>>);

impl Shared {
    /// Reads what is left, as far as that is little; says whether nothing is left now.
    async fn read_rest(self, waits: bool) -> bool {
        {
            let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if state.ended || state.body.is_end_stream() {
                return true;
            }
            if (waits && !state.begun) || state.body.size_hint().lower() > MOST {
                return false;
            }
        }
        let mut pieces = Body::new(self).into_data_stream();
        let reading = async {
            let mut left = MOST;
            while let Some(piece) = pieces.next().await {
                let length = piece.ok()?.len() as u64;
                left = left.checked_sub(length)?;
            }
            Some(())
        };
        matches!(tokio::time::timeout(LONGEST, reading).await, Ok(Some(())))
    }
}

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.begun = true;
        let polled = Pin::new(&mut state.body).poll_frame(context);
        if let Poll::Ready(None) = polled {
            state.ended = true;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.ended || state.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.body.size_hint()
    }
}
