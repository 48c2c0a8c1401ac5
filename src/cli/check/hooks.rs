//! `check`: what an operator needs to know of each hook before its sender is pointed at it.

use super::finding::Finding;
use crate::{
    config::{Accept, Client, Config, Hook, SameContent, Scheme},
    hook::{Hooks, module_files},
};

const AREA: &str = "hook";

pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let hooks = match Hooks::load(&config.hooks) {
        Ok(hooks) => hooks,
        Err(error) => {
            let remedy = "`odoo-gateway hook test` runs a template on a body that you give it";
            return vec![Finding::failure(AREA, error.to_string(), remedy)];
        }
    };
    let mut findings = Vec::new();
    for hook in &config.hooks {
        findings.push(Finding::ok(AREA, line(hook)));
        findings.extend(warnings(config, hook));
    }
    findings.extend(hooks.missing().map(|(name, missing)| {
        let remedy = "put the secret there; a file is read again by itself, a variable at the next start";
        Finding::warning(AREA, format!("/hooks/{name} can fetch nothing: {missing}"), remedy)
    }));
    findings
}

/// A hook in one line.
fn line(hook: &Hook) -> String {
    let accept = match hook.accept {
        Accept::Store => "stores and answers",
        Accept::Answer => "answers when the calls have ended",
    };
    let methods = hook.methods.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let path = hook.path.written();
    let included = module_files(std::slice::from_ref(hook)).into_iter().map(|file| file.display().to_string());
    let files = [hook.template.display().to_string()].into_iter().chain(included).collect::<Vec<_>>().join(", ");
    format!("{path} ({methods}) by `{}` with {files}; {accept}", hook.client)
}

/// What may not be as it is meant.
fn warnings(config: &Config, hook: &Hook) -> Vec<Finding> {
    let path = hook.path.written();
    let client = config.clients.iter().find(|client| client.name == hook.client);
    let mut findings = Vec::new();
    let mut warn = |message: String, remedy: &str| findings.push(Finding::warning(AREA, message, remedy));
    if client.is_some_and(|client| client.signature.is_none() && client.key_sha256.is_none()) {
        warn(
            format!(
                "{path}: the client `{}` has neither a key nor a [client.signature], so that nobody can call it",
                hook.client
            ),
            "give the client one of them",
        );
    }
    if hook.accept == Accept::Store && hook.delivery_id.is_none() && !is_known_by_content(hook, client) {
        warn(
            format!("{path}: a delivery that its sender repeats is done again"),
            "give its `delivery_id`, such as .id, so that it is known",
        );
    }
    if hook.handshake.is_some() {
        warn(
            format!("{path}: its `handshake` answers requests that nobody has signed"),
            "take it out once the sender has taken the path, where the sender does not ask again",
        );
    }
    if let Some(span) = hook.capture {
        let seconds = span.as_secs();
        warn(
            format!(
                "{path}: `capture` is on: for {seconds} s after each start or reload, what comes is kept, also from strangers"
            ),
            &format!("see `odoo-gateway hook captured {}`, and take it out when you have seen enough", hook.name()),
        );
    }
    findings
}

/// Whether a repetition is known by its signed content.
fn is_known_by_content(hook: &Hook, client: Option<&Client>) -> bool {
    let signature = client.and_then(|client| client.signature.as_ref());
    let proves_content = signature.is_some_and(|signature| !matches!(signature.scheme, Scheme::Token(_)));
    hook.same_content == SameContent::Repeat && proves_content
}
