//! `check`: Odoo itself, its database, its clock and how it counts logins.

use std::sync::Arc;

use tokio::time::Instant;

use super::{certificates, clients, finding::Finding};
use crate::{
    call::auth::clients::Clients,
    config::{Config, MaxInFlight, ProtocolChoice},
    odoo::{Capacity, NO_PROXY_MODE, Odoo},
};

/// So many requests at a time are asked for where the number is not configured.
const ASKED_FOR: u16 = 16;
/// A clock that is further away than this confuses people who compare times.
const SKEW_SECONDS: u64 = 30;

/// All that can be told by asking Odoo, one question after another.
pub(super) async fn findings(
    config: &Config,
    odoo: &Arc<Odoo>,
    clients: Option<&Clients>,
    mut add: impl FnMut(Finding),
) {
    let upstream = &config.upstream;
    let release = match odoo.release(Instant::now() + upstream.timeout).await {
        Ok(release) => release,
        Err(error) => {
            let remedy = "look whether Odoo runs, and whether [upstream] url is its address as this machine reaches it";
            return add(Finding::failure("odoo", error.for_operator(), remedy));
        }
    };
    add(Finding::ok("odoo", format!("{release} answers at {}", upstream.url)));
    if let Some(finding) = certificates::of_odoo(upstream, upstream.timeout).await {
        add(finding);
    }
    add(database(odoo).await);
    add(match config.policy.are_taken {
        true => credentials(upstream.protocol, release.major),
        false => Finding::ok(
            "credentials",
            "callers have keys or signatures of the gateway's: [policy] own_credentials is false",
        ),
    });
    add(proxy_mode(odoo, config).await);
    add(clock(odoo));
    add(match upstream.max_in_flight {
        MaxInFlight::Fixed(number) => in_flight(odoo, number.get()).await,
        MaxInFlight::Auto => found_in_flight(odoo).await,
    });
    for client in clients.into_iter().flat_map(Clients::iter) {
        for finding in clients::account(odoo, client, config.limits.call_timeout).await {
            add(finding);
        }
    }
}

async fn database(odoo: &Odoo) -> Finding {
    let name = odoo.database();
    match odoo.serves_database().await {
        Ok(Some(true)) => Finding::ok("database", format!("`{name}` is served")),
        Ok(Some(false)) => Finding::failure(
            "database",
            format!("Odoo does not serve `{name}`: every call fails"),
            "see [upstream] database and Odoo's own --db-filter",
        ),
        Ok(None) => {
            Finding::ok("database", format!("`{name}` (this Odoo tells only after a login whether it serves it)"))
        }
        Err(error) => {
            Finding::failure("database", error.for_operator(), "run `odoo-gateway check` again once Odoo answers")
        }
    }
}

/// Wrong logins are counted by address, so that this matters where passwords come to Odoo.
async fn proxy_mode(odoo: &Odoo, config: &Config) -> Finding {
    let has_passwords = config.policy.are_taken || config.clients.iter().any(|client| client.is_password);
    match odoo.proxy_mode().await {
        Some(true) => {
            Finding::ok("proxy mode", "Odoo is in proxy mode: it counts wrong logins by the callers' own addresses")
        }
        Some(false) if has_passwords => {
            let (shared, remedy) = NO_PROXY_MODE.split_once("; ").unwrap_or((NO_PROXY_MODE, ""));
            let message = format!(
                "Odoo is not in proxy mode: to it all callers have the gateway's address, so they share {shared}"
            );
            Finding::warning("proxy mode", message, remedy)
        }
        Some(false) => {
            Finding::ok("proxy mode", "Odoo is not in proxy mode, which matters to passwords alone, and there are none")
        }
        None => Finding::ok(
            "proxy mode",
            "Odoo does not tell whether it is in proxy mode; its callers share what is let through of wrong logins",
        ),
    }
}

fn clock(odoo: &Odoo) -> Finding {
    let ahead = odoo.clock_ahead().as_secs();
    match ahead.unsigned_abs() {
        0..=SKEW_SECONDS => Finding::ok("clock", "Odoo's clock and that of this machine agree"),
        seconds => Finding::warning(
            "clock",
            format!(
                "Odoo's clock is {seconds} s {} that of this machine",
                if ahead > 0 { "ahead of" } else { "behind" }
            ),
            "keep both by NTP, such as systemd-timesyncd or chrony",
        ),
    }
}

/// The limit finds itself. What Odoo answers at a time is told all the same, since it tells how many workers there are.
async fn found_in_flight(odoo: &Odoo) -> Finding {
    let answered = match odoo.capacity(ASKED_FOR).await {
        Capacity::NotMeasured => String::new(),
        Capacity::Fewer(fewer) => format!("; Odoo answers {fewer} at a time"),
        Capacity::Enough => format!("; Odoo answers {ASKED_FOR} at a time, or more"),
    };
    Finding::ok(
        "in flight",
        format!("the gateway finds how many calls Odoo takes at a time ([upstream] max_in_flight){answered}"),
    )
}

async fn in_flight(odoo: &Odoo, wanted: u16) -> Finding {
    match odoo.capacity(wanted).await {
        Capacity::NotMeasured => Finding::ok(
            "in flight",
            format!(
                "up to {wanted} calls at a time ([upstream] max_in_flight); how many Odoo answers could not be measured"
            ),
        ),
        Capacity::Fewer(fewer) => Finding::warning(
            "in flight",
            format!(
                "[upstream] max_in_flight is {wanted}, but Odoo answers {fewer} at a time: the others wait inside it"
            ),
            format!("set [upstream] max_in_flight to {fewer}, or give Odoo more workers"),
        ),
        Capacity::Enough => {
            Finding::ok("in flight", format!("up to {wanted} calls at a time ([upstream] max_in_flight)"))
        }
    }
}

fn credentials(protocol: ProtocolChoice, version: u16) -> Finding {
    let words = match (protocol, version) {
        (ProtocolChoice::Json2, ..19) => {
            return Finding::failure(
                "credentials",
                format!("[upstream] protocol is \"json-2\", which Odoo {version} does not have"),
                "set [upstream] protocol to \"auto\"",
            );
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
    };
    Finding::ok("credentials", words)
}
