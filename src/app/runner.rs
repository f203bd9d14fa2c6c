//! This machine as a runner host, for `--demo`: takes its connections.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpListener;

use super::App;
use crate::providers::LocalHost;

/// How long to wait when no connection can be taken at the moment.
const PAUSE: Duration = Duration::from_millis(200);

/// Serves connections to `host` until the process is to stop and nobody is connected: runs that are at
/// work then end first.
pub fn serve_runner_host(app: &App, host: LocalHost, listener: TcpListener) {
    let stop = app.tasks.stopping();
    app.tasks.spawn(async move {
        let mut sessions = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let started = match accepted {
                        Ok((connection, _)) => connection.into_std().and_then(|connection| host.serve(connection)),
                        Err(error) => Err(error),
                    };
                    match started {
                        Ok(mut child) => sessions.push(async move { child.wait().await }),
                        Err(error) => {
                            tracing::warn!(%error, "the demo's runner host cannot take a connection");
                            tokio::time::sleep(PAUSE).await;
                        }
                    }
                }
                Some(_) = sessions.next() => {}
                () = stop.cancelled(), if sessions.is_empty() => return,
            }
        }
    });
}
