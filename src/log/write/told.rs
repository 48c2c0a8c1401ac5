//! The end of a call as an event of the process log, from the line that goes into the interface log: what is hidden there is hidden
//! here.
//!
//! It costs nothing where nobody subscribes to [`CALLS`], and no call waits for its reader: that is the subscriber's part.

use serde_json::Value;

use super::record::FinishedLine;

/// The target of these events.
pub const CALLS: &str = "odoo_gateway::calls";

/// So many signs of a sentence are told.
const MESSAGE: usize = 300;

pub(super) fn tell(line: &FinishedLine<'_>) {
    if !tracing::enabled!(target: CALLS, tracing::Level::INFO) {
        return;
    }
    let sentence = line.message.as_ref().and_then(Value::as_str).unwrap_or_default();
    let message = sentence.char_indices().nth(MESSAGE).map_or(sentence, |(end, _)| &sentence[..end]);
    let login = line.who.caller.as_ref().map(|caller| &*caller.login);
    tracing::info!(
        target: CALLS,
        id = %line.arrived.id,
        state = line.state.as_str(),
        route = line.arrived.route.name(),
        model = line.model.unwrap_or_default(),
        ms = line.duration_ms,
        caller = line.who.client.as_deref().or(login).unwrap_or_default(),
        hook = line.arrived.hook.as_deref(),
        warnings = line.warnings,
        error = line.error,
        message,
    );
}
