//! What a person may do next with a call: commands that can be pasted.

use crate::{
    cli::{
        Configured, shell,
        terminal::{
            ids::short,
            style::{DIM, styled},
        },
    },
    log::{Call, CallState, RecordedRoute},
};

/// Commands with what each is for.
pub(super) fn commands(call: &Call, configured: &Configured, is_read_by_program: bool) -> Vec<String> {
    // A request that was passed on is not made again.
    if call.route == RecordedRoute::Passed {
        return Vec::new();
    }
    let id = if is_read_by_program { call.id.to_string() } else { short(call.id) };
    let config = configured.as_option();
    let is_over = call.is_repeated() || call.repeat_of.is_some();
    let replay = |option: &str| {
        // A caller's own secret is not kept.
        let whose = match call.client.is_empty() && !call.login.is_empty() {
            true => format!(" --login {} --secret-env ODOO_API_KEY", shell::word(&call.login)),
            false => String::new(),
        };
        format!("replay {id} {option}{whose}")
    };
    let mut next: Vec<(String, &str)> = match call.state {
        CallState::Failed if !is_over && call.attempt_of.is_none() => {
            vec![(replay("--dry-run"), "what it would do now"), (replay("--edit"), "with a changed payload")]
        }
        CallState::InDoubt if call.settled.is_none() && !is_over => vec![
            (format!("log settle {id} --done --record ID"), "it is in Odoo"),
            (format!("log settle {id} --not-done --why TEXT"), "it is not; `replay` takes it then"),
        ],
        CallState::Queued => vec![(format!("queue show {id}"), "what has become of it")],
        _ => Vec::new(),
    };
    if let Some(accepted) = call.attempt_of {
        let accepted = if is_read_by_program { accepted.to_string() } else { short(accepted) };
        next.push((format!("queue show {accepted}"), "the delivery that this is an attempt of"));
    }
    next.iter_mut().for_each(|(command, _)| command.push_str(&config));
    if !call.error.is_empty() {
        next.push((format!("explain {}", call.error), "cause and remedy"));
    }
    let widest = next.iter().map(|(command, _)| command.len()).max().unwrap_or_default();
    let line = |(command, what)| format!("  odoo-gateway {command:<widest$}  {}", styled(DIM, &format!("# {what}")));
    next.into_iter().map(line).collect()
}
