//! A call as a row of the list. The page and what is live of it have the same one.

use askama::Template;

use super::{
    super::words::{cut, plain},
    records::{OdooLinks, RecordLink},
};
use crate::{
    log::{Call, CallState, RecordedRoute},
    web::show,
};

/// What is said of a call that has no end.
const NO_END: &str = "the gateway was ended while it worked on it";
/// So many characters of a message are shown.
const MESSAGE: usize = 120;
/// So many characters of what a caller named itself, or a delivery.
const NAME: usize = 48;
/// So many records are linked.
const RECORDS: usize = 3;

/// How a state looks: not by its colour alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::console) struct Badge {
    pub(in crate::console) class: &'static str,
    pub(in crate::console) sign: &'static str,
    pub(in crate::console) words: String,
}

impl Badge {
    pub(in crate::console) fn of(state: CallState) -> Self {
        let (class, sign) = match state {
            CallState::Done => ("ok", "✓"),
            CallState::Failed => ("bad", "✗"),
            CallState::InDoubt => ("doubt", "?"),
            CallState::Running => ("wait", "▸"),
            CallState::Queued => ("wait", "≡"),
            CallState::Ignored => ("quiet", "–"),
            CallState::DryRun => ("quiet", "≈"),
        };
        Self { class, sign, words: state.as_str().to_owned() }
    }

    /// The state of a call, with what has become of it since.
    pub(in crate::console) fn of_call(call: &Call) -> Self {
        let mut badge = Self { words: call.how().to_owned(), ..Self::of(call.state) };
        if call.settled.is_some() {
            badge.words += ", settled";
        } else if call.is_repeated() {
            badge.words += ", repeated";
        }
        badge
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::console) struct Row {
    pub(in crate::console) id: String,
    /// `is-bad`, `is-doubt`, or nothing.
    pub(in crate::console) class: &'static str,
    /// It will be replaced by its end.
    pub(in crate::console) is_running: bool,
    pub(in crate::console) badge: Badge,
    /// As short as it can be; with its date and zone; for programs.
    pub(in crate::console) time: String,
    pub(in crate::console) date_time: String,
    pub(in crate::console) machine_time: String,
    pub(in crate::console) route: String,
    /// The model, or method and path of a request that was passed on.
    pub(in crate::console) subject: String,
    /// Hook, delivery, attempt.
    pub(in crate::console) origin: String,
    pub(in crate::console) error: String,
    pub(in crate::console) message: String,
    pub(in crate::console) warnings: String,
    pub(in crate::console) records: Vec<RecordLink>,
    pub(in crate::console) more_records: usize,
    pub(in crate::console) caller: String,
    pub(in crate::console) took: String,
}

impl Row {
    pub(in crate::console) fn of(call: &Call, links: &OdooLinks) -> Self {
        let is_request = call.route == RecordedRoute::Passed;
        // A request has its method and path in the place of a message.
        let subject = if is_request && call.model.is_empty() { &call.message } else { &call.model };
        let message =
            if is_request || call.error.is_empty() && call.state != CallState::Ignored { "" } else { &call.message };
        // The gateway was ended while it worked on it.
        let message = if is_without_end(call) { NO_END } else { message };
        let is_settled = call.settled.is_some() || call.is_repeated();
        Self {
            id: call.id.to_string(),
            class: match call.state {
                CallState::InDoubt if !is_settled => "is-doubt",
                CallState::Failed if !is_settled => "is-bad",
                _ => "",
            },
            is_running: call.state == CallState::Running,
            badge: Badge::of_call(call),
            time: show::time(&call.ts),
            date_time: show::date_time(&call.ts),
            machine_time: show::machine_time(&call.ts),
            route: plain(call.route.name()).into_owned(),
            subject: plain(&cut(subject, MESSAGE)).into_owned(),
            origin: origin(call),
            error: plain(&call.error).into_owned(),
            message: plain(&cut(message.lines().next().unwrap_or_default(), MESSAGE)).into_owned(),
            warnings: match call.warnings {
                0 => String::new(),
                number => show::counted(&number.into(), "warning", "warnings"),
            },
            records: call
                .records
                .iter()
                .take(RECORDS)
                .map(|(model, id)| links.record(&call.model, model, *id))
                .collect(),
            more_records: call.records.len().saturating_sub(RECORDS),
            caller: plain(&cut(call.caller(), NAME)).into_owned(),
            took: call.duration_ms.map(|ms| show::milliseconds(&ms)).unwrap_or_default(),
        }
    }
}

/// Whether the log has no end of a call that nobody works on any more.
pub(in crate::console) fn is_without_end(call: &Call) -> bool {
    call.state == CallState::InDoubt && call.duration_ms.is_none()
}

/// The hook by which it came, the delivery that it is of, and the attempt.
fn origin(call: &Call) -> String {
    let mut parts = Vec::new();
    if !call.hook.is_empty() {
        parts.push(format!("hook {}", call.hook));
    }
    if !call.delivery_id.is_empty() {
        parts.push(format!("delivery {}", cut(&call.delivery_id, NAME)));
    }
    if call.step > 0 {
        parts.push(format!("step {}", call.step));
    }
    if call.attempt > 0 {
        parts.push(format!("attempt {}", call.attempt));
    }
    if call.repeat_of.is_some() {
        parts.push("same key as before".to_owned());
    }
    if call.replay_of.is_some() {
        parts.push("run again".to_owned());
    }
    plain(&parts.join(" · ")).into_owned()
}

/// Rows without the table around them.
#[derive(Template)]
#[template(path = "call_rows.html")]
pub(in crate::console) struct Rows {
    pub(in crate::console) rows: Vec<Row>,
}
