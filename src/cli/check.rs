//! `odoo-gateway check`: what an operator needs to know before the first call.

mod console;
mod expiry;
mod hooks;

use std::{fmt::Display, path::Path, process::ExitCode, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::terminal::style::{BAD, GOOD, WARN, styled};
use crate::{
    call::auth::clients::{Client, Clients},
    config::{self, Config, ProtocolChoice},
    hook::Hooks,
    http::serve::tls,
    log::{self, Filter, Log},
    odoo::{self, Caller, Capacity, NO_PROXY_MODE, Odoo, Origin, RotatedCookie},
    operations::{
        calls::{Calls, Query},
        queue::{self, Queue},
    },
    store::Depth,
};

/// Prints a line for each thing looked at; fails if one of them does.
pub(super) async fn run(path: &Path) -> anyhow::Result<ExitCode> {
    let mut report = Report { has_failed: false };
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(error) => {
            report.line("configuration", Err::<&str, _>(error));
            return Ok(report.exit_code());
        }
    };
    report.line("configuration", Ok::<_, &str>(path.display()));
    match tls::load(&config.tls) {
        Ok(None) => {}
        Ok(Some(_)) => report.line("tls", Ok::<_, &str>("the certificate and its key can be used")),
        Err(error) => report.line("tls", Err::<&str, _>(error)),
    }
    report.line("log", interface_log(&config.log).await);
    report.line("store", delivery_store(&config).await);
    let clients = Clients::load(&config.clients);
    if let Err(error) = &clients {
        report.line("clients", Err::<&str, _>(error));
    }
    match Hooks::load(&config.hooks) {
        Ok(_) if config.hooks.is_empty() => {}
        Ok(_) => {
            for hook in &config.hooks {
                report.line("hook", Ok::<_, &str>(hooks::line(hook)));
                hooks::notes(&config, hook).iter().for_each(|note| Report::note("hook", note));
            }
        }
        Err(error) => report.line("hooks", Err::<&str, _>(error)),
    }
    if config.console.enabled {
        report.line("console", console::line(&config.console));
        console::notes(&config).iter().for_each(|note| Report::note("console", note));
    }
    expiry::of_clients(&config).iter().for_each(|note| Report::note("client", note));
    let odoo = match Odoo::build(&config.upstream, &config.lookup_cache, Arc::default()) {
        Ok(odoo) => Arc::new(odoo),
        Err(error) => {
            report.line("odoo", Err::<&str, _>(error));
            return Ok(report.exit_code());
        }
    };
    let release = odoo.release(Instant::now() + config.upstream.timeout).await;
    report.line(
        "odoo",
        release
            .as_ref()
            .map(|release| format!("{release} answers at {}", config.upstream.url))
            .map_err(odoo::Error::for_operator),
    );
    if let Ok(release) = release {
        report.line("database", database(&odoo).await);
        report.line(
            "credentials",
            match config.policy.are_taken {
                true => credentials(config.upstream.protocol, release.major),
                false => Ok("callers have keys or signatures of the gateway's: [policy] own_credentials is false"),
            },
        );
        report.line("proxy mode", Ok::<_, &str>(proxy_mode(&odoo).await));
        report.line("in flight", Ok::<_, &str>(in_flight(&odoo, config.upstream.max_in_flight.get()).await));
        for client in clients.iter().flat_map(Clients::iter) {
            report.line("client", account(&odoo, client, config.limits.call_timeout).await);
            expiry::of_key(&odoo, client).await.iter().for_each(|note| Report::note("client", note));
        }
    }
    Ok(report.exit_code())
}

async fn interface_log(config: &config::Log) -> Result<String, log::Error> {
    let directory = config.directory.display();
    let state = match Log::try_open(config) {
        Ok(()) => format!("{directory} can be written"),
        Err(log::Error::InUse(_)) => format!("{directory} is written by a running gateway"),
        Err(error) => return Err(error),
    };
    let filter = Filter { in_doubt: true, ..Filter::default() };
    let in_doubt = Calls::open(&config.directory)?.page(Query { filter, ..Query::default() }).await?.calls;
    Ok(match in_doubt.len() {
        0 => state,
        calls => format!("{state}; {calls} calls in it are in doubt, see `odoo-gateway log ls --in-doubt`"),
    })
}

/// Whether the store can be used.
async fn delivery_store(config: &Config) -> Result<String, queue::Error> {
    let place = match &config.cluster.url {
        Some(_) => "the PostgreSQL of [cluster] url".to_owned(),
        None => config.delivery.directory.display().to_string(),
    };
    let queue = match Queue::open(config).await {
        Ok(queue) => queue,
        Err(queue::Error::None(_)) => return Ok(format!("{place} is made by the first start")),
        Err(error) => return Err(error),
    };
    let depths = queue.depths().await?;
    let sum = |of: fn(&Depth) -> u64| depths.iter().map(of).sum::<u64>();
    Ok(match (sum(|depth| depth.queued), sum(|depth| depth.dead + depth.in_doubt)) {
        (0, 0) => format!("{place} answers; nothing waits"),
        (queued, parked) => format!(
            "{place} answers; {queued} calls are queued, {parked} wait for a person, see `odoo-gateway queue ls`"
        ),
    })
}

/// Which Odoo account a client acts with, if Odoo accepts it.
async fn account(odoo: &Arc<Odoo>, client: &Client, patience: Duration) -> Result<String, String> {
    let caller = Caller::identify(
        odoo,
        client.credential.clone(),
        client.policy.clone(),
        Arc::default(),
        RotatedCookie::default(),
        Origin::default(),
        Instant::now() + patience,
    )
    .await;
    match caller {
        Ok(caller) => {
            let (identity, door) = (caller.identity(), caller.protocol().name());
            Ok(format!("`{}` is `{}` in Odoo (user {}), by {door}", client.name, identity.login, identity.uid))
        }
        Err(error) => Err(format!("`{}`: {}", client.name, error.for_operator())),
    }
}

async fn proxy_mode(odoo: &Odoo) -> String {
    match odoo.proxy_mode().await {
        Some(true) => "Odoo is in proxy mode: it counts wrong logins by the callers' own addresses".to_owned(),
        Some(false) => {
            format!(
                "Odoo is not in proxy mode: to it all callers have the gateway's address, so they share {NO_PROXY_MODE}"
            )
        }
        None => "Odoo does not tell whether it is in proxy mode; its callers share what is let through of wrong logins"
            .to_owned(),
    }
}

async fn in_flight(odoo: &Odoo, wanted: u16) -> String {
    match odoo.capacity(wanted).await {
        Capacity::NotMeasured => {
            format!(
                "up to {wanted} calls at a time ([upstream] max_in_flight); how many Odoo answers could not be measured"
            )
        }
        Capacity::Fewer(fewer) => format!(
            "[upstream] max_in_flight is {wanted}, but Odoo answers {fewer} at a time: the others wait inside it; set it to {fewer}"
        ),
        Capacity::Enough => format!("up to {wanted} calls at a time ([upstream] max_in_flight)"),
    }
}

async fn database(odoo: &Odoo) -> Result<String, String> {
    let name = odoo.database();
    match odoo.serves_database().await {
        Ok(Some(true)) => Ok(format!("`{name}` is served")),
        Ok(Some(false)) => {
            Err(format!("Odoo does not serve `{name}`; see [upstream] database and Odoo's own --db-filter"))
        }
        Ok(None) => Ok(format!("`{name}` (this Odoo tells only after a login whether it serves it)")),
        Err(error) => Err(error.for_operator()),
    }
}

fn credentials(protocol: ProtocolChoice, version: u16) -> Result<&'static str, String> {
    Ok(match (protocol, version) {
        (ProtocolChoice::Json2, ..19) => {
            return Err(format!("[upstream] protocol is \"json-2\", which Odoo {version} does not have"));
        }
        (ProtocolChoice::Session, _) => "callers bring their own: a session cookie, or login and password",
        (ProtocolChoice::Json2, _) => "callers bring their own: an API key",
        (ProtocolChoice::Auto, 19..) => "callers bring their own: a session cookie, an API key, or login and password",
        (ProtocolChoice::Auto, _) => {
            "callers bring their own: a session cookie, an API key with its login, or login and password"
        }
        (ProtocolChoice::JsonRpc | ProtocolChoice::XmlRpc, 19..) => {
            "callers bring their own: an API key, or login and password"
        }
        (ProtocolChoice::JsonRpc | ProtocolChoice::XmlRpc, _) => {
            "callers bring their own: an API key with its login, or login and password"
        }
    })
}

struct Report {
    has_failed: bool,
}

impl Report {
    fn line(&mut self, what: &str, outcome: Result<impl Display, impl Display>) {
        match outcome {
            Ok(words) => anstream::println!("{}    {what:<14} {words}", styled(GOOD, "ok")),
            Err(words) => {
                self.has_failed = true;
                anstream::println!("{}  {what:<14} {words}", styled(BAD, "FAIL"));
            }
        }
    }

    /// What may be meant, and may be a mistake.
    fn note(what: &str, words: &str) {
        anstream::println!("{}  {what:<14} {words}", styled(WARN, "note"));
    }

    fn exit_code(&self) -> ExitCode {
        if self.has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}
