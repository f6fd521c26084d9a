//! The HTTP server: axum's own, with limits for the connections of strangers.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The number of connections that are open at a time. Others wait to be accepted.
const CONNECTIONS: usize = 4096;

/// The size of a connection's buffer, into which request line and headers have to fit. Slack's are much
/// smaller. Bytes.
const BUFFER: usize = 32 * 1024;

/// The time in which a connection has to send its request's head. Slack waits three seconds.
const HEAD_PATIENCE: Duration = Duration::from_secs(5);

/// The pause after a failed accept, for example for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown`, then finishes what has begun.
pub(super) async fn serve(listener: TcpListener, app: Router, shutdown: CancellationToken) {
    let (connections, tasks) = (Arc::new(Semaphore::new(CONNECTIONS)), TaskTracker::new());
    let accepting = async {
        loop {
            let permit = connections
                .clone()
                .acquire_owned()
                .await
                .expect("it is never closed");
            match listener.accept().await {
                Ok((stream, _)) => {
                    tasks.spawn(connection(stream, app.clone(), permit, shutdown.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot take a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = shutdown.cancelled() => {}
    }
    tasks.close();
    tasks.wait().await;
}

async fn connection(
    stream: TcpStream,
    app: Router,
    _permit: OwnedSemaphorePermit,
    shutdown: CancellationToken,
) {
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(BUFFER);
    let mut connection =
        pin!(server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app)));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}
