//! Calls that belong to a call: of the same delivery, its repetitions, and earlier and later ones on the same record.

use jiff::SignedDuration;

use super::super::{
    calls::{
        records::OdooLinks,
        row::{Badge, Row},
    },
    visit::{Visit, unreadable},
};
use crate::{
    log::{Call, CallState, Filter},
    operations::calls::{Calls, Query},
    web::{Form, Problem},
};

/// So many calls on the same record are shown each way.
const EACH_WAY: usize = 5;
/// So many calls of a delivery, or repetitions, are shown.
const MOST: usize = 50;

/// Another call that is linked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Linked {
    pub(super) what: String,
    pub(super) id: String,
    pub(super) badge: Badge,
    /// The call of the page itself.
    pub(super) is_this: bool,
}

/// Calls that wrote the same record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OnRecord {
    pub(super) record: String,
    pub(super) later: Vec<Row>,
    pub(super) earlier: Vec<Row>,
    /// The list of all of them.
    pub(super) all: String,
}

/// Attempts and steps of the delivery or queued call, with the one that was accepted first; empty where there are no others.
pub(super) async fn delivery(log: &Calls, call: &Call) -> Result<Vec<Linked>, Problem> {
    let may_have = call.attempt_of.is_some()
        || call.repeat_of.is_some()
        || call.state == CallState::Queued
        || !call.hook.is_empty();
    if !may_have {
        return Ok(Vec::new());
    }
    let calls = log.delivery(call).await.map_err(unreadable)?;
    if calls.len() < 2 {
        return Ok(Vec::new());
    }
    let linked = calls.iter().take(MOST).map(|part| {
        let mut what = match (part.attempt_of, part.repeat_of) {
            (Some(_), _) => format!("attempt {}", part.attempt),
            (None, Some(_)) => "sent again".to_owned(),
            (None, None) => "accepted".to_owned(),
        };
        if part.step > 0 {
            what = format!("step {}, {what}", part.step);
        }
        Linked { what, id: part.id.to_string(), badge: Badge::of_call(part), is_this: part.id == call.id }
    });
    Ok(linked.collect())
}

/// The call that this one repeats, and those that repeat it.
pub(super) fn repetitions(call: &Call) -> Vec<Linked> {
    let again = call.repeated_by.iter().take(MOST).map(|again| Linked {
        what: "run again".to_owned(),
        id: again.id.to_string(),
        badge: Badge::of(again.state),
        is_this: false,
    });
    again.collect()
}

/// Calls that wrote the first record of this one, a few before and after it; none where it wrote nothing.
pub(super) async fn on_record(visit: &Visit<'_>, log: &Calls, call: &Call) -> Result<Option<OnRecord>, Problem> {
    let Some((model, id)) = call.records.first() else { return Ok(None) };
    let filter = Filter { record: Some(*id), model: Some(model.clone()), ..Filter::default() };
    let links = OdooLinks::of(visit);
    let rows = async |filter: Filter| {
        // The call itself, or one of the same moment, may be among them.
        let query = Query { filter, limit: Some(EACH_WAY + 1), cursor: None };
        let calls = log.page(query).await.map_err(unreadable)?.calls;
        let others = calls.iter().filter(|other| other.id != call.id).take(EACH_WAY);
        Ok::<_, Problem>(others.map(|other| Row::of(other, &links)).collect::<Vec<_>>())
    };
    let moment = SignedDuration::from_micros(1);
    let later = rows(Filter { since: Some(call.ts), ..filter.clone() }).await?;
    let earlier = rows(Filter { until: call.ts.checked_sub(moment).ok(), ..filter }).await?;
    if later.is_empty() && earlier.is_empty() {
        return Ok(None);
    }
    let all = Form::default().with("model", model).with("record", id.to_string());
    let record = links.record("", model, *id).words;
    Ok(Some(OnRecord { record, later, earlier, all: format!("/calls?{}", all.to_query()) }))
}
