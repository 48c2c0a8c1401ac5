//! Rows of the page of the queue: a call, and the depth of a client.

use crate::store::{Depth, State, StoredCall};

/// A call of the store.
pub(super) struct QueueRow {
    pub(super) id: String,
    pub(super) state: &'static str,
    pub(super) class: &'static str,
    pub(super) client: String,
    pub(super) hook: String,
    pub(super) delivery_id: String,
    pub(super) route: String,
    pub(super) model: String,
    pub(super) attempts: u32,
    pub(super) error: String,
    pub(super) age: String,
    /// When it is tried next.
    pub(super) due: String,
    pub(super) can_retry: bool,
    pub(super) can_drop: bool,
    pub(super) is_in_doubt: bool,
}

/// How many calls a client has.
pub(super) struct DepthRow {
    /// Empty for callers with an Odoo credential of their own.
    pub(super) client: String,
    pub(super) queued: u64,
    pub(super) oldest: String,
    pub(super) blocked: u64,
    pub(super) dead: u64,
    pub(super) in_doubt: u64,
    pub(super) paused: Option<String>,
}

impl QueueRow {
    pub(super) fn of(call: &StoredCall, now: i64) -> Self {
        let (state, class) = match call.state {
            State::Queued if call.is_held => ("being sent", "wait"),
            State::Queued => ("waiting", "wait"),
            State::Running => ("running", "wait"),
            State::Dead => ("dead", "bad"),
            State::InDoubt => ("in doubt", "doubt"),
            State::Done => ("done", "ok"),
            State::Dropped => ("dropped", "quiet"),
        };
        let is_free = !call.is_held;
        Self {
            id: call.id.to_string(),
            state,
            class,
            client: call.client.clone().unwrap_or_default(),
            hook: call.delivery.as_ref().map(|delivery| delivery.hook.clone()).unwrap_or_default(),
            delivery_id: call.delivery.as_ref().and_then(|delivery| delivery.id.clone()).unwrap_or_default(),
            route: call.route.clone(),
            model: call.model.clone(),
            attempts: call.attempts,
            error: call.error.clone().unwrap_or_default(),
            age: span(now.saturating_sub(call.accepted)),
            due: call.due.filter(|_| is_free).map(|due| next(due, now)).unwrap_or_default(),
            can_retry: is_free && (call.state == State::Dead || call.state == State::Queued),
            can_drop: is_free && matches!(call.state, State::Dead | State::Queued | State::InDoubt),
            is_in_doubt: call.state == State::InDoubt,
        }
    }
}

impl DepthRow {
    /// The depths of the store, and clients that have nothing in it and can be paused all the same.
    pub(super) fn all<'c>(depths: &[Depth], clients: impl Iterator<Item = &'c String>, now: i64) -> Vec<Self> {
        let stored = depths.iter().map(|depth| Self {
            client: depth.client.clone(),
            queued: depth.queued,
            oldest: depth
                .oldest
                .filter(|_| depth.queued > 0)
                .map(|oldest| span(now.saturating_sub(oldest)))
                .unwrap_or_default(),
            blocked: depth.blocked_lanes,
            dead: depth.dead,
            in_doubt: depth.in_doubt,
            paused: depth.paused.clone(),
        });
        let others = clients.filter(|name| depths.iter().all(|depth| depth.client != **name)).map(|name| Self {
            client: name.clone(),
            queued: 0,
            oldest: String::new(),
            blocked: 0,
            dead: 0,
            in_doubt: 0,
            paused: None,
        });
        stored.chain(others).collect()
    }

    pub(super) fn label(&self) -> &str {
        if self.client.is_empty() { "(own credentials)" } else { &self.client }
    }
}

fn next(due: i64, now: i64) -> String {
    if due <= now { "now".to_owned() } else { format!("in {}", span(due - now)) }
}

/// A span of milliseconds in its largest unit.
fn span(millis: i64) -> String {
    let seconds = millis.max(0) / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}
