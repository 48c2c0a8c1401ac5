//! `odoo-gateway client list`: the clients, what they may do and until when, and when each called last.

use std::{collections::HashMap, io::Write, process::ExitCode};

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    cli::{Configured, terminal},
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
}

impl List {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.configured.load()?;
        let used = last_used(&config).await?;
        let mut out = std::io::stdout().lock();
        let last = |client: &Client| used.get(&client.name).copied();
        if self.json {
            for client in &config.clients {
                writeln!(out, "{}", facts(client, last(client)))?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        let head = ["NAME", "STATE", "SHOWS", "ODOO LOGIN", "ROUTES", "MODELS", "METHODS", "EXPIRES", "LAST CALL"];
        let rows = config.clients.iter().map(|client| {
            let policy = &client.rules.policy;
            vec![
                client.name.clone(),
                state(client).to_owned(),
                shows(client),
                client.odoo_login.clone(),
                policy.routes.iter().map(|route| route.name()).collect::<Vec<_>>().join(" "),
                models(policy),
                policy.methods.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
                client.expires.map(terminal::local).unwrap_or_default(),
                last(client).map(terminal::local).unwrap_or_default(),
            ]
        });
        write!(out, "{}", terminal::table(&head, &[], rows))?;
        Ok(ExitCode::SUCCESS)
    }
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
        _ => "active",
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
