//! The conditions by which calls are selected.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::call::{CallState, View};
use crate::log::read::route::RecordedRoute;

/// All conditions that are set must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Without one, every route, but not the requests that were passed on.
    pub route: Option<RecordedRoute>,
    pub model: Option<String>,
    pub state: Option<CallState>,
    /// A part of a client's name or of a login.
    pub caller: Option<String>,
    pub error: Option<String>,
    /// The hook that they came by.
    pub hook: Option<String>,
    /// A delivery's identity: its sender's, or the id under which it was accepted. Its attempts and repetitions match, too.
    pub delivery: Option<String>,
    /// The id of a record that was written.
    pub record: Option<i64>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// A text that the call's lines contain.
    pub text: Option<String>,
    /// In doubt, neither settled nor repeated with success since.
    pub in_doubt: bool,
    /// The answer had warnings.
    pub warnings: bool,
}

/// How much further back than its id tells the lines of a call are looked for: clocks are set back.
const EARLIER: SignedDuration = SignedDuration::from_mins(10);

/// When a call came in, as its id tells it, in milliseconds; none where it is no id of version 7.
pub(in crate::log) fn came_in(id: Uuid) -> Option<Timestamp> {
    let (seconds, nanoseconds) = id.get_timestamp()?.to_unix();
    Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanoseconds).ok()?).ok()
}

impl Filter {
    /// A call with its attempts and repetitions, of which none is older.
    pub fn of_delivery(id: Uuid) -> Self {
        let since = came_in(id).and_then(|came_in| came_in.checked_sub(EARLIER).ok());
        Self { delivery: Some(id.to_string()), since, ..Self::default() }
    }

    /// Whether no condition is set but the time.
    pub fn is_of_time_alone(&self) -> bool {
        let Self {
            route,
            model,
            state,
            caller,
            error,
            hook,
            delivery,
            record,
            since: _,
            until: _,
            text,
            in_doubt,
            warnings,
        } = self;
        let texts = [model, caller, error, hook, delivery, text];
        let is_any = *in_doubt || *warnings || route.is_some() || state.is_some() || record.is_some();
        !is_any && texts.iter().all(|text| text.is_none())
    }

    /// Checks all conditions but the text, which the index does not have.
    pub(in crate::log) fn admits(&self, call: &View<'_>) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| wanted == value);
        let has = |wanted: &str| call.client().contains(wanted) || call.login().contains(wanted);
        let is_wanted_route = match &self.route {
            Some(route) => *route == call.route(),
            None => !call.is_request(),
        };
        is_wanted_route
            // Together with a record, the model is that of the record, whatever the call was for.
            && (self.record.is_some() || is(&self.model, call.model()))
            && self.state.is_none_or(|state| state == call.state)
            && self.caller.as_deref().is_none_or(has)
            && is(&self.error, call.error())
            && is(&self.hook, call.hook())
            && self.delivery.as_deref().is_none_or(|identity| call.is_of_delivery(identity))
            && self.record.is_none_or(|record| {
                call.records()
                    .any(|(model, id)| id == record && self.model.as_deref().is_none_or(|wanted| wanted == model))
            })
            && self.since.is_none_or(|since| call.ts() >= since.as_microsecond())
            && self.until.is_none_or(|until| call.ts() <= until.as_microsecond())
            && (!self.in_doubt || call.is_in_doubt())
            && (!self.warnings || call.warnings() > 0)
    }
}
