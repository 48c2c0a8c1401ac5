//! `odoo-gateway serve`: from a configuration to a running gateway, and down again in order.

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use jiff::Timestamp;
use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;

use crate::{
    admin::Private,
    app,
    console::Console,
    control::Posted,
    current::{self, Current},
    deliver,
    http::{Public, serve::server::Server},
    monitor,
    operations::status::Running,
};

/// How long the last traces may take at a stop.
const LAST_SPANS: Duration = Duration::from_secs(3);
/// Descriptors that are taken by other things than connections: files, Odoo's connections, the log.
const OTHER_FILES: u64 = 256;

/// Serves until SIGTERM or SIGINT. The addresses go to standard output once both listeners are bound.
pub(super) async fn run(file: PathBuf) -> anyhow::Result<ExitCode> {
    let (seen, config) = current::read(&file);
    let stop = CancellationToken::new();
    let site = app::build(config?, stop.clone()).await?;
    let config = &site.calls.config;
    let sockets = &mut ListenFd::from_env();
    let public = listen("server", config.server.listen, sockets.take_tcp_listener(0)).await?;
    let private = listen("admin", config.admin.listen, sockets.take_tcp_listener(1)).await?;
    let (public_url, private_url) = (
        format!("{}://{}", if site.tls.is_some() { "https" } else { "http" }, public.address()?),
        format!("http://{}", private.address()?),
    );
    cancel_on_signal(stop.clone())?;
    // From here on SIGHUP does not end the process.
    let hangup = signal(SignalKind::hangup())?;
    let posted = Posted::new(&config.log.directory, private_url.clone())
        .with_context(|| format!("cannot write into {}", config.log.directory.display()))?;
    let posted = Arc::new(posted);
    allow_connections(config.limits.connections.get());
    let current = Arc::new(Current::new(site.clone(), file, seen.clone()));
    // Both end with the process.
    tokio::spawn({
        let current = current.clone();
        async move { current.keep(hangup, seen).await }
    });
    let delivered = deliver::start(&current, stop.clone())?;
    tokio::spawn(monitor::watch(current.clone(), stop.clone()));
    keep_watchdog_quiet();
    // Before anybody can read the addresses and ask for a reload, which systemd must be told of later.
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    println!("listening on {public_url}");
    println!("admin on {private_url}");
    if config.console.enabled {
        tracing::info!("the console is at {private_url}/, `odoo-gateway console token` prints what one signs in with");
    }
    tracing::info!(odoo = %config.upstream.url, database = site.calls.odoo.database(), "the gateway is up");

    let drain = config.server.drain;
    let console = Arc::new(Console::new(current.clone(), posted.clone()));
    let running = Running { since: Timestamp::now(), url: public_url, admin: private_url };
    let front =
        Private { current: current.clone(), posted: posted.clone(), console, public: public.admission(), running };
    let served = public.serve(Public(current.sites()), stop.clone(), drain);
    let administered = private.serve(front, stop.clone(), drain);
    let deadline = async {
        stop.cancelled().await;
        let _ = sd_notify::notify(&[NotifyState::Stopping]);
        Instant::now() + drain
    };
    let ((), (), deadline) = tokio::join!(served, administered, deadline);

    // What the workers have begun is brought to an end, and nothing more is begun.
    let is_delivered = time::timeout_at(deadline, delivered.wait()).await.is_ok();
    if !is_delivered {
        tracing::error!(workers = delivered.len(), "queued calls were still being delivered when the drain was over");
    }
    // Calls whose callers have hung up may still be running.
    site.calls.tasks.close();
    let is_drained = time::timeout_at(deadline, site.calls.tasks.wait()).await.is_ok();
    if !is_drained {
        tracing::error!(calls = site.calls.tasks.len(), "calls were still under way when the drain was over");
    }
    site.calls.telemetry.close(LAST_SPANS).await;
    posted.remove();
    site.calls.log.close().await;
    Ok(if is_drained && is_delivered { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A socket that systemd has opened, else one of our own.
async fn listen(
    section: &str,
    address: SocketAddr,
    given: std::io::Result<Option<TcpListener>>,
) -> anyhow::Result<Server> {
    match given.with_context(|| format!("the socket that was given for [{section}] cannot be listened on"))? {
        Some(socket) => Ok(Server::on(socket)?),
        None => Server::bind(address).await.with_context(|| format!("cannot listen on {address} ([{section}] listen)")),
    }
}

/// Many systems let a process have no more than 1024 open files unless it asks.
fn allow_connections(most: usize) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    // Each connection may need another one, to Odoo.
    let wanted = u64::try_from(most).unwrap_or(u64::MAX).saturating_mul(2).saturating_add(OTHER_FILES);
    let mut limit = getrlimit(Resource::Nofile);
    let allowed = limit.maximum.unwrap_or(u64::MAX);
    if limit.current.is_none_or(|current| current >= wanted) {
        return;
    }
    limit.current = Some(wanted.min(allowed));
    if setrlimit(Resource::Nofile, limit).is_err() || allowed < wanted {
        tracing::warn!(allowed, "the system allows fewer open files than [limits] connections may need");
    }
}

/// Tells systemd that the process lives, where it wants to know.
fn keep_watchdog_quiet() {
    let Some(patience) = sd_notify::watchdog_enabled() else { return };
    tokio::spawn(async move {
        loop {
            let _ = sd_notify::notify(&[NotifyState::Watchdog]);
            time::sleep(patience / 2).await;
        }
    });
}

fn cancel_on_signal(stop: CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
        tracing::info!("stopping: no new calls, those under way may finish");
        stop.cancel();
    });
    Ok(())
}
