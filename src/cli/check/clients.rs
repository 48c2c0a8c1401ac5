//! `check`: whether each client can be served, and what of its policy has no effect.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time::Instant;

use super::{expiry, finding::Finding};
use crate::{
    call::auth::clients::{Client, Clients},
    config::{self, Config},
    monitor::AHEAD,
    odoo::{Caller, Odoo, Origin, RotatedCookie},
    policy::{Policy, Touch},
    route::Route,
};

const AREA: &str = "client";

/// What can be told without Odoo.
pub(super) fn findings(config: &Config, clients: &Clients) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (client, missing) in clients.missing() {
        findings.push(Finding::warning(
            AREA,
            format!("`{client}` is not served: {missing}"),
            "put the secret there; a file is read again by itself, a variable at the next start",
        ));
    }
    for client in &config.clients {
        findings.extend(term(client));
        findings.extend(without_effect(config, client));
    }
    findings
}

fn term(client: &config::Client) -> Option<Finding> {
    let expires = client.expires.filter(|_| !client.is_revoked)?;
    let left = expires.duration_since(Timestamp::now());
    let day = expires.strftime("%Y-%m-%d");
    let remedy = "give it a later `expires`, or `odoo-gateway client revoke` it";
    match left {
        left if left.is_negative() => {
            Some(Finding::warning(AREA, format!("`{}` has expired on {day} and is not served", client.name), remedy))
        }
        left if left < AHEAD => Some(Finding::warning(AREA, format!("`{}` expires on {day}", client.name), remedy)),
        _ => None,
    }
}

/// Rules of a client that can have no effect: probably something else was meant.
fn without_effect(config: &Config, client: &config::Client) -> Vec<Finding> {
    let policy = &client.rules.policy;
    let name = &client.name;
    let calls_methods = policy.routes.contains(&Route::CallFunction);
    let mut findings = Vec::new();
    let mut warn = |message: String, remedy: &str| findings.push(Finding::warning(AREA, message, remedy));
    if policy.routes.is_empty() {
        warn(format!("`{name}` may call nothing: its `routes` are empty"), "list the routes that it needs");
    }
    if !policy.methods.is_empty() && !calls_methods {
        warn(
            format!("the `methods` of `{name}` have no effect"),
            "add \"call_function\" to its `routes`, or take them out",
        );
    }
    // The default routes have it, which nobody has asked for.
    if policy.methods.is_empty() && calls_methods && policy.routes[..] != Route::OF_CLIENTS[..] {
        warn(
            format!("`{name}` may call `call_function`, and no method by it"),
            "list its `methods`, such as [\"sale.order.action_confirm\"]",
        );
    }
    if policy.files_by_url && config.files.allow.is_empty() {
        warn(
            format!("`files_by_url` of `{name}` has no effect: no URL may be fetched"),
            "list the URLs in [files] allow, or take it out",
        );
    }
    let ruled = policy.domains.keys().map(|model| ("domains", model));
    let ruled = ruled.chain(policy.name_search.keys().map(|model| ("name_search", model)));
    for (key, model) in ruled.filter(|(_, model)| is_denied(policy, model)) {
        warn(
            format!("the `{key}` of `{name}` for `{model}` have no effect: it may not use that model"),
            "add the model to `models.allow`, or take the rule out",
        );
    }
    for hook in config.hooks.iter().filter(|hook| hook.client == *name && is_denied(policy, &hook.model)) {
        warn(
            format!("{}: its client `{name}` may not use `{}`", hook.path.written(), hook.model),
            "add the model to the client's `models.allow`",
        );
    }
    findings
}

fn is_denied(policy: &Policy, model: &str) -> bool {
    policy.decide(Touch::Model(model)).is_err()
}

/// Which Odoo account a client acts with, if Odoo accepts it, and how long its key lasts; nothing of a client whose secret is missing.
pub(super) async fn account(odoo: &Arc<Odoo>, client: &Client, patience: Duration) -> Vec<Finding> {
    let Ok(credential) = client.credential().cloned() else { return Vec::new() };
    let caller = Caller::identify(
        odoo,
        credential,
        client.policy.clone(),
        Arc::default(),
        RotatedCookie::default(),
        Origin::default(),
        Instant::now() + patience,
    );
    match caller.await {
        Ok(caller) => {
            let (identity, door) = (caller.identity(), caller.protocol().name());
            let account = format!("`{}` in Odoo (user {})", identity.login, identity.uid);
            let served = Finding::ok(AREA, format!("`{}` is {account}, by {door}", client.name));
            [served].into_iter().chain(expiry::of_key(AREA, &client.name, &caller).await).collect()
        }
        Err(error) => vec![Finding::failure(
            AREA,
            format!("`{}`: {}", client.name, error.for_operator()),
            "make a new API key for `odoo_login` in Odoo and put it into the file or variable that the client names",
        )],
    }
}
