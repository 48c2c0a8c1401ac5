//! `odoo-gateway client list`: the clients, what they may do and until when, and when each called last.

use std::{collections::HashMap, io::Write, process::ExitCode, time::Duration};

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    call::auth::clients::missing,
    cli::{
        Configured,
        log::list::route_in,
        terminal::{
            View,
            pager::Out,
            style::{BAD, DIM, GOOD, WARN},
            table::{Cell, Column, Table},
            time::Times,
        },
    },
    config::{Client, Config},
    operations::calls::Calls,
    policy::Policy,
};

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    configured: Configured,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    view: View,
}

impl List {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.configured.load()?;
        let used = last_used(&config).await?;
        let last = |client: &Client| used.get(&client.name).copied();
        if self.json {
            for client in &config.clients {
                println!("{}", facts(client, last(client)));
            }
            return Ok(ExitCode::SUCCESS);
        }
        if config.clients.is_empty() {
            eprintln!("there is no [[client]]; `odoo-gateway client new NAME` makes one");
            return Ok(ExitCode::SUCCESS);
        }
        let mut out = Out::paged(self.view.paging);
        write!(out, "{}", table(&config.clients, last, self.view))?;
        out.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}

fn table(clients: &[Client], last: impl Fn(&Client) -> Option<Timestamp>, view: View) -> String {
    let room = view.room();
    let times = Times::of(room);
    let mut table = Table::new([
        Column::new("NAME"),
        Column::new("STATE"),
        Column::new("SHOWS").rank(4),
        Column::new("ODOO LOGIN").rank(1).least(10),
        Column::new("ROUTES").rank(2).least(12).if_any(),
        Column::new("MODELS").rank(3).least(12).if_any(),
        Column::new("METHODS").rank(5).least(10).if_any(),
        Column::new("EXPIRES").rank(1).if_any(),
        Column::new(times.head("LAST", clients.iter().filter_map(&last))),
    ]);
    for client in clients {
        let policy = &client.rules.policy;
        table.row([
            Cell::from(&*client.name),
            state_cell(client),
            Cell::from(shows(client)),
            Cell::from(&*client.odoo_login),
            Cell::from(policy.routes.iter().map(|route| route_in(room, route.name())).collect::<Vec<_>>().join(" ")),
            Cell::from(models(policy)),
            Cell::from(policy.methods.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")),
            Cell::from(client.expires.map(|time| times.show(time)).unwrap_or_default()),
            Cell::from(last(client).map_or_else(|| "never".to_owned(), |time| times.show(time))),
        ]);
    }
    table.shown(room)
}

/// When each client called last, as far as the log is kept. Without a log, no client has called.
async fn last_used(config: &Config) -> anyhow::Result<HashMap<String, Timestamp>> {
    if !config.log.directory.is_dir() {
        return Ok(HashMap::new());
    }
    Ok(Calls::open(&config.log.directory)?.last_by_client().await?)
}

fn facts(client: &Client, last: Option<Timestamp>) -> Value {
    let policy = &client.rules.policy;
    let texts = |patterns: &mut dyn Iterator<Item = String>| patterns.collect::<Vec<_>>();
    json!({
        "name": client.name, "state": state(client), "shows": shows(client), "odoo_login": client.odoo_login,
        "routes": policy.routes,
        "models": {
            "allow": texts(&mut policy.allow.iter().map(ToString::to_string)),
            "deny": texts(&mut policy.deny.iter().map(ToString::to_string)),
        },
        "methods": texts(&mut policy.methods.iter().map(ToString::to_string)),
        "expires": client.expires, "last": last,
    })
}

fn state(client: &Client) -> &'static str {
    match client.expires {
        _ if client.is_revoked => "revoked",
        Some(expires) if expires <= Timestamp::now() => "expired",
        // What only the gateway's own process can tell is not told here.
        _ if missing(std::slice::from_ref(client)).iter().any(|(_, lack)| lack.is_certain()) => "no secret",
        _ => "active",
    }
}

/// One that calls soon no more is worth a look.
fn state_cell(client: &Client) -> Cell {
    const SOON: Duration = Duration::from_hours(14 * 24);
    let is_soon = client.expires.is_some_and(|end| end.duration_since(Timestamp::now()).unsigned_abs() < SOON);
    match state(client) {
        "active" if is_soon => Cell::styled(WARN, "! ends soon"),
        "active" => Cell::styled(GOOD, "✓ active"),
        "revoked" => Cell::styled(DIM, "- revoked"),
        expired => Cell::styled(BAD, format!("✗ {expired}")),
    }
}

/// By what it is known.
fn shows(client: &Client) -> String {
    let scheme = client.signature.as_ref().map(|signature| &*signature.name);
    let key = client.key_sha256.map(|_| "key");
    key.into_iter().chain(scheme).collect::<Vec<_>>().join(", ")
}

fn models(policy: &Policy) -> String {
    let allowed = policy.allow.iter().map(ToString::to_string);
    allowed.chain(policy.deny.iter().map(|pattern| format!("not {pattern}"))).collect::<Vec<_>>().join(" ")
}
