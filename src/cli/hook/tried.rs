//! What comes of a delivery in `hook test`: what [`crate::operations::tried`] tells, and before it the answers that a sender gets
//! at once.

use std::sync::Arc;

use anyhow::Context;
use secrecy::ExposeSecret;
use serde_json::Value;

use super::sample::Sample;
use crate::{
    call::auth::clients::Clients,
    config::{self, Accept, Config},
    fetch::Fetcher,
    hook::{Hooks, Reply, Sent, SentBody},
    odoo::Odoo,
    operations::tried::{self, Planner, Refusal, Trial},
};

/// What came of a delivery.
pub(super) enum Tried {
    /// It is no delivery, where nobody has signed it: it is answered so.
    Handshake(Reply),
    /// The answer that `respond` gives as soon as it is stored, and the rest.
    Delivery(Option<Result<Reply, Refusal>>, Box<tried::Tried>),
}

impl Tried {
    /// Whether anything would be refused.
    pub(super) fn is_refused(&self) -> bool {
        match self {
            Self::Handshake(_) => false,
            Self::Delivery(_, tried) => tried.is_refused(),
        }
    }
}

/// Runs expressions and template, and plans the calls.
///
/// # Errors
/// The configuration cannot be used for it.
pub(super) async fn of(config: &Config, hooks: &Hooks, entry: &config::Hook, sample: &Sample) -> anyhow::Result<Tried> {
    let hook = hooks.named(entry.name()).context("the hook is gone")?;
    let client = config.clients.iter().find(|client| client.name == entry.client).context("the client is gone")?;
    let clients = Clients::load(std::slice::from_ref(client))?;
    let client = clients.by_name(&entry.client).context("the client is gone")?;
    let all =
        hook.input(&Sent::unhidden(entry.path.written(), &sample.line, &sample.headers, sample.sent.body.clone()));
    let secret = client.first_secret().map_or(Value::Null, |secret| Value::from(secret.expose_secret()));
    let all = all.with("secret", secret);
    match hook.handshake(&all).await {
        Ok(None) => {}
        Ok(Some(reply)) => return Ok(Tried::Handshake(reply)),
        Err(error) => {
            let refused = tried::Tried { end: tried::End::Refused(error.into()), ..tried::Tried::default() };
            return Ok(Tried::Delivery(None, Box::new(refused)));
        }
    }
    let is_readable = matches!(sample.sent.body, SentBody::Json(_));
    let answer = if entry.accept == Accept::Store && is_readable {
        hook.respond(&all).await.map_err(Refusal::from).transpose()
    } else {
        None
    };
    let planner = Planner {
        client,
        odoo: Arc::new(Odoo::build(&config.upstream, &config.lookup_cache, Arc::default())?),
        files: Arc::new(Fetcher::build(&config.files)?),
    };
    let trial = Trial { config, hook, template: None };
    let tried = tried::tried(trial, &sample.sent, Some(&planner)).await;
    Ok(Tried::Delivery(answer, Box::new(tried)))
}
