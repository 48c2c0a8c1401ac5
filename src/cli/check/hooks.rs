//! `check`: what an operator needs to know of each hook before its sender is pointed at it.

use crate::{
    config::{Accept, Client, Config, Hook, SameContent, Scheme},
    hook::module_files,
};

/// A hook in one line.
pub(super) fn line(hook: &Hook) -> String {
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
pub(super) fn notes(config: &Config, hook: &Hook) -> Vec<String> {
    let path = hook.path.written();
    let client = config.clients.iter().find(|client| client.name == hook.client);
    let mut notes = Vec::new();
    if client.is_some_and(|client| client.signature.is_none() && client.key_sha256.is_none()) {
        notes.push(format!(
            "{path}: the client `{}` has neither a key nor a [client.signature], so that nobody can call it",
            hook.client
        ));
    }
    if hook.accept == Accept::Store && hook.delivery_id.is_none() && !is_known_by_content(hook, client) {
        notes.push(format!(
            "{path}: a delivery that its sender repeats is done again: give its `delivery_id`, such as .id, so that it is known"
        ));
    }
    if hook.handshake.is_some() {
        notes.push(format!("{path}: its `handshake` answers requests that nobody has signed"));
    }
    if let Some(span) = hook.capture {
        notes.push(format!(
            "{path}: `capture` is on: for {} s after each start or reload, what comes is kept, also from strangers; \
             see `odoo-gateway hook captured {}`, and take it out when you have seen enough",
            span.as_secs(),
            hook.name()
        ));
    }
    notes
}

/// Whether a repetition is known by its signed content.
fn is_known_by_content(hook: &Hook, client: Option<&Client>) -> bool {
    let signature = client.and_then(|client| client.signature.as_ref());
    let proves_content = signature.is_some_and(|signature| !matches!(signature.scheme, Scheme::Token(_)));
    hook.same_content == SameContent::Repeat && proves_content
}
