//! A call: what was asked, planned, done and answered, and what came before and after it.
//!
//! All of it comes from the log, in which secrets are hidden already, and from the store. Large values are cut, until `?full=1`
//! asks for all of them.

mod curl;
mod error;
mod large;
mod related;
mod sent;
mod steps;
mod stored;
mod ways;

use askama::Template;
use http::StatusCode;
use serde_json::Value;

use self::{
    error::Explained,
    large::{Large, Shown as Much},
    related::{Linked, OnRecord},
    sent::Sent,
    steps::{Lookup, Made, Part, Step},
    stored::Stored,
    ways::Ways,
};
use super::{
    calls::{
        records::{OdooLinks, RecordLink},
        row::Row,
    },
    visit::{Place, Shown, Visit, unreadable},
    words::{plain, plain_lines},
};
use crate::{
    log::{Call, Event, RecordedRoute},
    operations::calls::{Calls, NotOne, line_of},
    web::{Frame, Problem, page as whole, show},
};

/// So many records are linked in the head.
const RECORDS: usize = 20;

/// A warning of the answer.
struct Warning {
    code: String,
    path: String,
    message: String,
    /// What to do; none of a warning.
    hint: String,
}

/// Who settled a call, when and why.
struct Settled {
    by: String,
    time: String,
    why: String,
}

#[derive(Template)]
#[template(path = "call.html")]
struct CallPage {
    frame: Frame,
    row: Row,
    id: String,
    message: String,
    error: Option<Explained>,
    detail: Option<Large>,
    ways: Ways,
    /// It is in doubt, and neither settled nor repeated with success.
    is_open_doubt: bool,
    caller: String,
    /// The operator that had it made.
    by: String,
    address: String,
    size: String,
    settled: Option<Settled>,
    replay_of: Option<String>,
    repeat_of: Option<String>,
    records: Vec<RecordLink>,
    more_records: usize,
    payload: Option<Large>,
    hidden: Vec<String>,
    sent: Option<Sent>,
    lookups: Part<Lookup>,
    planned: Part<Step>,
    made: Part<Made>,
    answer: Option<Large>,
    /// All mistakes of a call that was refused, where there are several.
    mistakes: Vec<Warning>,
    more_mistakes: u64,
    warnings: Vec<Warning>,
    stored: Option<Stored>,
    store_error: Option<String>,
    delivery: Vec<Linked>,
    repetitions: Vec<Linked>,
    on_record: Option<OnRecord>,
    curl: Option<Large>,
    lines: Vec<Large>,
    /// Something was cut, and this page shows all of it.
    full: Option<String>,
}

pub(super) async fn page(visit: &Visit<'_>, id: &str) -> Shown {
    let log = visit.calls()?;
    let call = find(&log, id).await?;
    let lines = log.lines(&call).await.map_err(unreadable)?;
    let links = OdooLinks::of(visit);
    let much = if visit.query.is_ticked("full") { Much::All } else { Much::Beginning };
    let of = |event: Event, member: &str| line_of(&lines, event).map_or(&Value::Null, |line| &line[member]);
    // The end of a refused call is in the line of that event.
    let of_end = |member: &str| match of(Event::CallFinished, member) {
        Value::Null => of(Event::CallRefused, member),
        found => found,
    };
    let (vals, plan) = (of(Event::CallReceived, "vals"), of(Event::CallPlanned, "plan"));
    let (stored, store_error) = match stored::stored(visit, &call).await {
        Ok(stored) => (stored, None),
        Err(error) => (None, Some(error)),
    };
    let row = Row::of(&call, &links);
    let is_request = call.route == RecordedRoute::Passed;
    let mut shown = CallPage {
        frame: visit.frame(title(&row), Place::Calls),
        id: call.id.to_string(),
        message: if is_request { String::new() } else { plain_lines(&call.message) },
        error: error::explained(&call.error),
        detail: Large::text("detail", of_end("detail").as_str().unwrap_or_default(), much),
        ways: Ways::of(visit, &log, &call).await,
        is_open_doubt: ways::is_open_doubt(&call),
        caller: caller(&call, &lines),
        by: plain(of(Event::CallReceived, "by").as_str().unwrap_or_default()).into_owned(),
        address: call.address.clone(),
        size: lines.first().and_then(|line| line["size"].as_u64()).map(|size| show::bytes(&size)).unwrap_or_default(),
        settled: call.settled.as_ref().map(|settled| Settled {
            by: plain(&settled.by).into_owned(),
            time: show::date_time(&settled.ts),
            why: plain_lines(&settled.why),
        }),
        replay_of: call.replay_of.map(|id| id.to_string()),
        repeat_of: call.repeat_of.map(|id| id.to_string()),
        records: call.records.iter().take(RECORDS).map(|(model, id)| links.record("", model, *id)).collect(),
        more_records: call.records.len().saturating_sub(RECORDS),
        payload: Large::json("payload", vals, much),
        hidden: texts(of(Event::CallReceived, "redacted")),
        sent: Sent::of(of(Event::CallReceived, "sent"), much),
        lookups: steps::lookups(plan, &links, much),
        planned: steps::planned(plan, much),
        made: steps::made(of_end("odoo"), call.duration_ms.unwrap_or_default(), &links, much),
        answer: Large::json("answer", of_end("result"), much),
        mistakes: mistakes(of_end("result")),
        more_mistakes: of_end("result")["error"]["more"].as_u64().unwrap_or_default(),
        warnings: warnings(of_end("result")),
        stored,
        store_error,
        delivery: related::delivery(&log, &call).await?,
        repetitions: related::repetitions(&call),
        on_record: related::on_record(visit, &log, &call).await?,
        curl: curl(visit, &call, vals, much),
        lines: raw(&lines, much),
        full: None,
        row,
    };
    shown.full = shown.is_cut().then(|| format!("/calls/{}?full=1", shown.id));
    Ok(whole(StatusCode::OK, &shown))
}

impl CallPage {
    fn is_cut(&self) -> bool {
        let steps = self.made.shown.iter().flat_map(|made| [&made.detail, &made.traceback]);
        let steps = steps.chain(self.planned.shown.iter().map(|step| &step.detail)).flatten();
        let values = [&self.payload, &self.answer, &self.detail].into_iter().flatten();
        let sent = self.sent.iter().flat_map(|sent| &sent.body);
        self.lookups.more + self.planned.more + self.made.more > 0
            || steps.chain(values).chain(sent).chain(&self.lines).any(|text| text.is_cut)
    }
}

/// The call with this id, or with an id that has this part and is the only one.
pub(super) async fn find(log: &Calls, id: &str) -> Result<Call, Problem> {
    log.one(id).await.map_err(|error| match error {
        NotOne::Log(error) => unreadable(error),
        NotOne::Unknown(_) => {
            let words =
                "No call of the log has this id. It may have been dropped with its part of the log ([log] keep).";
            Problem::new(StatusCode::NOT_FOUND, "No such call", words)
        }
        NotOne::Several { calls, .. } => {
            let words = format!("{calls} calls have this in their ids. Give more of it.");
            Problem::new(StatusCode::NOT_FOUND, "No such call", words)
        }
    })
}

fn title(row: &Row) -> String {
    format!("{} {}", row.route, row.subject).trim_end().to_owned()
}

/// Client, user of Odoo, and the way of the credential.
fn caller(call: &Call, lines: &[Value]) -> String {
    // Where the call was received before its Odoo user was known, the last line has it.
    let caller = lines.iter().map(|line| &line["caller"]).find(|caller| caller.is_object()).unwrap_or(&Value::Null);
    let mut parts = Vec::new();
    if !call.client.is_empty() {
        parts.push(format!("client {}", call.client));
    }
    if let Some(uid) = caller["uid"].as_i64() {
        let [login, credential, door] =
            ["login", "credential", "door"].map(|member| caller[member].as_str().unwrap_or_default());
        parts.push(format!("{login} in Odoo (user {uid}), with a {credential}, by {door}"));
    }
    plain(&parts.join(", ")).into_owned()
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(|text| plain(text).into_owned()).collect()
}

/// The warnings of an answer: of one that was done they stand beside the result, of a refusal in its error.
fn warnings(result: &Value) -> Vec<Warning> {
    let places = [&result["warnings"], &result["error"]["warnings"], &result["data"]["warnings"]];
    let list = places.into_iter().filter_map(Value::as_array).flatten();
    list.map(told).collect()
}

/// The mistakes of a refusal; a single one stands above already.
fn mistakes(result: &Value) -> Vec<Warning> {
    let listed = result["error"]["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    if listed.len() < 2 { Vec::new() } else { listed.iter().map(told).collect() }
}

fn told(said: &Value) -> Warning {
    let text = |member: &str| plain(said[member].as_str().unwrap_or_default()).into_owned();
    Warning { code: text("code"), path: text("path"), message: text("message"), hint: text("hint") }
}

fn curl(visit: &Visit<'_>, call: &Call, vals: &Value, much: Much) -> Option<Large> {
    let RecordedRoute::Api(route) = call.route else { return None };
    if vals.as_object().is_none_or(serde_json::Map::is_empty) {
        return None;
    }
    let config = visit.config();
    let url = match &config.upstream.public_url {
        Some(url) => url.as_str().to_owned(),
        None => {
            let scheme = if visit.site.tls.is_some() { "https" } else { "http" };
            format!("{scheme}://{}", config.server.listen)
        }
    };
    Large::text("curl", &curl::command(&url, route, &call.model, vals), much)
}

/// The lines as they stand in the log.
fn raw(lines: &[Value], much: Much) -> Vec<Large> {
    let raw = lines.iter().enumerate().map(|(number, line)| {
        let mut text = Large::new(format!("line-{number}"), super::words::json(line), much);
        text.folded = Some(text.text.lines().count());
        text
    });
    raw.collect()
}

/// The event of a raw line, for its fold.
impl Large {
    fn event(&self) -> &str {
        let event = self.text.split("\"event\": \"").nth(1).and_then(|rest| rest.split('"').next());
        event.unwrap_or("line")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn warnings_are_found_in_an_answer_and_in_a_refusal() {
        let warning = json!({"code": "unknown_field", "path": "a\u{202e}", "message": "m"});
        for result in [
            json!({"is_success": true, "warnings": [warning]}),
            json!({"is_success": false, "error": {"code": "x", "warnings": [warning]}}),
        ] {
            let warnings = warnings(&result);
            assert_eq!((warnings.len(), warnings[0].path.as_str()), (1, "a\\u{202e}"));
        }
        assert!(warnings(&Value::Null).is_empty());
    }

    #[test]
    fn several_mistakes_are_listed_with_what_to_do_and_a_single_one_stands_above_alone() {
        let mistake = |path: &str| json!({"code": "no_match", "path": path, "message": "m", "hint": "mend it"});
        let refused = |mistakes: Value| json!({"is_success": false, "error": {"code": "no_match", "errors": mistakes}});
        let listed = mistakes(&refused(json!([mistake("payload.a"), mistake("payload.b\u{202e}")])));
        let told: Vec<_> = listed.iter().map(|mistake| (mistake.path.as_str(), mistake.hint.as_str())).collect();
        assert_eq!(told, [("payload.a", "mend it"), ("payload.b\\u{202e}", "mend it")]);
        assert!(mistakes(&refused(json!([mistake("payload.a")]))).is_empty());
    }
}
