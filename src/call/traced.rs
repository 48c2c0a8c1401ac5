//! The span of a call, where traces are made ([`crate::telemetry`]).

use std::time::Instant;

use serde_json::Value;

use super::{By, Incoming, docket::Reached};
use crate::{
    log::{Finished, OdooCall, Who},
    odoo::TraceParent,
    telemetry::{self, CallSpan, Cause, Telemetry},
};

/// Begins the span of a call, where it is traced. What is sent to Odoo is then a child of it.
pub(super) fn begin_span(telemetry: &Telemetry, incoming: &mut Incoming) -> Option<CallSpan> {
    let cause = match &incoming.by {
        By::Operator { .. } => Cause::Operator,
        by if by.is_queued() => Cause::Queue,
        _ => Cause::Caller,
    };
    let parent = incoming.traceparent;
    let parent = parent.as_ref().map(TraceParent::as_str);
    let span = telemetry.begin(incoming.route.name(), incoming.id, cause, parent)?;
    incoming.traceparent = TraceParent::read(span.traceparent().as_bytes());
    Some(span)
}

/// Ends the span of a call with what the log keeps of it: no payload, no sentence.
pub(super) fn end_span(span: CallSpan, who: &Who, reached: &Reached, finished: &Finished) {
    let stages = [("authenticate", reached.recorded), ("plan", reached.planned)];
    let stages = stages.into_iter().filter_map(|(stage, over)| Some((stage, over?)));
    let execute = reached.planned.map(|_| ("execute", Instant::now()));
    let rpc = |made: &OdooCall| {
        let text = |key: &str| made.rpc.get(key).and_then(Value::as_str).unwrap_or_default();
        telemetry::Rpc {
            model: text("model").to_owned(),
            method: text("method").to_owned(),
            at: made.at,
            took: made.ms,
            records: made.records.len(),
            error: made.failure.as_ref().map(|failure| failure.error),
        }
    };
    span.end(&telemetry::Ended {
        model: reached.model.as_deref(),
        caller: who.caller.as_ref().map(|caller| caller.credential),
        client: who.client.as_deref(),
        state: finished.state.as_str(),
        error: finished.error,
        stages: stages.chain(execute).collect(),
        rpcs: finished.odoo.iter().map(rpc).collect(),
    });
}
