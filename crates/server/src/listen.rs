//! Connections: taken, limited, and brought to an end.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::{Layer, ServiceExt};
use tower_http::normalize_path::NormalizePathLayer;

use crate::app::App;
use crate::timed_writes::TimedWrites;
use crate::unread::answer_whole;

/// The largest head of a request, in bytes.
const LARGEST_HEAD: usize = 16 << 10;
/// How long the head of a request may take, and a connection be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// How long requests that are being answered may take after the server is told to stop.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

/// The next connection. Where none can be taken it is tried again until one can.
pub async fn accepted(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                // Out of file descriptors, say: some will be closed soon.
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Takes connections until `stop`, then lets those that are open finish what they are at.
pub(crate) async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(app.settings.max_connections));
    let open = GracefulShutdown::new();
    tokio::pin!(stop);
    loop {
        let stream = tokio::select! {
            () = &mut stop => break,
            stream = accepted(&listener) => stream,
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tokio::spawn(turn_away(stream));
            continue;
        };
        let _ = stream.set_nodelay(true);
        let stream = TimedWrites::new(stream, app.settings.write_timeout);
        let router = router.clone();
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let answer = answer(router.clone(), request.map(Body::new));
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(LARGEST_HEAD)
            .serve_connection(TokioIo::new(stream), service);
        let connection = open.watch(connection);
        let app = Arc::clone(&app);
        tokio::spawn(async move {
            app.metrics.connections.inc();
            // A client that went away, or sent something that is no HTTP.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke off");
            }
            app.metrics.connections.dec();
            drop(place);
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(LAST_ANSWERS, open.shutdown()).await;
}

/// Answers a request; a slash behind its path says nothing.
pub(crate) async fn answer(router: Router, request: Request<Body>) -> Response {
    let service = NormalizePathLayer::trim_trailing_slash().layer(router);
    answer_whole(request, |request| async {
        let answer = service.oneshot(request).await;
        answer.unwrap_or_else(|never| match never {})
    })
    .await
}

/// Tells a client to come back.
async fn turn_away(mut stream: TcpStream) {
    let body = r#"{"status":503,"title":"Service Unavailable","detail":"too many connections"}"#;
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\n\
         retry-after: 1\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let telling = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    };
    let _ = tokio::time::timeout(Duration::from_secs(5), telling).await;
}
