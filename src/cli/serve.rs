//! `odoo-gateway serve`: from a configuration to a running gateway, and down again in order.

use std::{process::ExitCode, sync::Arc};

use anyhow::Context;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;

use crate::{admin, app::App, config::Config, control::Posted, http, http::server::Server};

/// Serves until SIGTERM or SIGINT. The addresses go to standard output once both listeners are bound.
pub(super) async fn run(config: Config) -> anyhow::Result<ExitCode> {
    let app = App::build(config)?;
    let limits = &app.config.limits;
    let bind = async |key: &str, address| {
        let server = Server::bind(address, limits.header_timeout);
        server.await.with_context(|| format!("cannot listen on {address} ([{key}] listen)"))
    };
    let public = bind("server", app.config.server.listen).await?;
    let private = bind("admin", app.config.admin.listen).await?;
    let stop = stop_signal()?;
    let posted = Posted::new(&app.config.log.directory, format!("http://{}", private.address()?))
        .with_context(|| format!("cannot write into {}", app.config.log.directory.display()))?;
    let posted = Arc::new(posted);
    println!("listening on http://{}", public.address()?);
    println!("admin on http://{}", private.address()?);
    tracing::info!(odoo = %app.config.upstream.url, database = app.odoo.database(), "the gateway is up");
    // Ends with the process.
    tokio::spawn(app.odoo.clone().watch());

    let drain = app.config.server.drain;
    let calls = app.clone();
    let served =
        public.serve(move |address, request| http::serve(calls.clone(), address, request), stop.clone(), drain);
    let asked = (app.clone(), posted.clone());
    let administered = private.serve(
        move |address, request| admin::serve(asked.0.clone(), asked.1.clone(), address, request),
        stop.clone(),
        drain,
    );
    let stopped = stop.clone();
    let deadline = async move {
        stopped.cancelled().await;
        Instant::now() + drain
    };
    let (_, _, deadline) = tokio::join!(served, administered, deadline);

    // Calls whose callers have hung up are still under way.
    app.calls.close();
    let is_drained = time::timeout_at(deadline, app.calls.wait()).await.is_ok();
    if !is_drained {
        tracing::error!(calls = app.calls.len(), "calls were still under way when the drain was over");
    }
    posted.remove();
    app.log.close().await;
    Ok(if is_drained { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn stop_signal() -> anyhow::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
        tracing::info!("stopping: no new calls, those under way may finish");
        stopping.cancel();
    });
    Ok(stop)
}
