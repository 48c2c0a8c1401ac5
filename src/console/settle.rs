//! A call in doubt: what to look at in Odoo, and closing the call as done or failed.
//!
//! Odoo is not asked anything. The rules of settling are in [`crate::operations::settlement`].

use askama::Template;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    again::{log_problem, plan::PlanWords, sentence, the_call},
    calls::records::{OdooLinks, RecordLink},
    visit::{Place, Shown, Visit},
    words,
};
use crate::{
    log::{Call, CallState, Event, RecordedRoute, Settlement},
    operations::{calls::line_of, settlement},
    route::Route,
    web::{Frame, page as whole, redirect, show},
};

/// Clocks of the gateway and Odoo differ by less.
const MARGIN: SignedDuration = SignedDuration::from_mins(1);
/// As many fields of a payload are proposed for a search.
const FIELDS: usize = 5;
/// A reason is no longer than this.
const WHY: usize = 1000;

#[derive(Template)]
#[template(path = "settle.html")]
struct SettlePage {
    frame: Frame,
    call: Call,
    look: Look,
    is_open: bool,
    is_operator: bool,
    problem: Option<String>,
    why: String,
    records: String,
}

/// What to look at in Odoo.
struct Look {
    records: Vec<RecordLink>,
    from: Timestamp,
    until: Timestamp,
    /// What it would be found by, as a domain in Odoo's form.
    domain: String,
    plan: Option<PlanWords>,
    answer: String,
}

pub(super) async fn answer(visit: &Visit<'_>, id: &str) -> Shown {
    let log = visit.calls()?;
    let call = the_call(&log, id).await?;
    if visit.method == http::Method::POST {
        return settle(visit, call).await;
    }
    page(visit, call, None).await
}

async fn page(visit: &Visit<'_>, call: Call, problem: Option<String>) -> Shown {
    let lines = visit.calls()?.lines(&call).await.map_err(|error| log_problem(&error))?;
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = SettlePage {
        frame: visit.frame("Settle a call in doubt", Place::Calls),
        look: Look::of(visit, &call, &lines),
        is_open: call.state == CallState::InDoubt && !call.is_repeated(),
        is_operator: visit.is_operator(),
        problem,
        why: visit.form.text("why").to_owned(),
        records: visit.form.text("records").to_owned(),
        call,
    };
    Ok(whole(status, &page))
}

async fn settle(visit: &Visit<'_>, call: Call) -> Shown {
    let settlement = match asked(visit, &call) {
        Ok(settlement) => settlement,
        Err(words) => return page(visit, call, Some(words.to_owned())).await,
    };
    let (service, operator) = (visit.site.calls.clone(), visit.operator());
    // It is brought to an end, whether or not the browser waits.
    let settled = visit.site.calls.tasks.spawn(async move {
        settlement::settle_within(&service, &operator, settlement).await.map_err(|error| chain(&error))
    });
    match settled.await {
        Ok(Ok(())) => Ok(redirect(&format!("/calls/{}", call.id))),
        Ok(Err(words)) => page(visit, call, Some(words)).await,
        Err(_) => {
            page(visit, call, Some("It is not known whether it is settled. Load the page again.".to_owned())).await
        }
    }
}

/// What a person says about the call.
fn asked(visit: &Visit<'_>, call: &Call) -> Result<Settlement, &'static str> {
    let form = &visit.form;
    let is_done = match form.text("outcome") {
        "done" => true,
        "failed" => false,
        _ => return Err("Choose whether it was done."),
    };
    let why: String = form.text("why").chars().take(WHY).collect();
    if !is_done && why.is_empty() {
        return Err("Say how it is known that nothing of it is in Odoo.");
    }
    let ids = form.text("records").split([',', ' ']).filter(|id| !id.is_empty()).map(str::parse::<i64>);
    let records =
        ids.collect::<Result<Vec<_>, _>>().map_err(|_| "The ids of records are whole numbers, with commas between.")?;
    let records = if is_done { records } else { Vec::new() };
    Ok(Settlement {
        id: call.id,
        is_done,
        records,
        by: visit.who().to_owned(),
        why: Some(why).filter(|why| !why.is_empty()),
    })
}

/// An error with its causes, as a sentence.
fn chain(error: &settlement::Error) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let told = error.to_string();
        if !words.contains(&told) {
            words = format!("{words}: {told}");
        }
        cause = error.source();
    }
    sentence(&words)
}

impl Look {
    fn of(visit: &Visit<'_>, call: &Call, lines: &[Value]) -> Self {
        let links = OdooLinks::of(visit);
        let records = call.records.iter().map(|(model, id)| links.record(&call.model, model, *id)).collect();
        let took = SignedDuration::from_millis(call.duration_ms.map_or(0, |ms| ms.clamp(0.0, 1e9) as i64));
        let (from, until) = (call.ts - MARGIN, call.ts + took + MARGIN);
        let vals = line_of(lines, Event::CallReceived).map_or(&Value::Null, |line| &line["vals"]);
        let plan = line_of(lines, Event::CallPlanned).and_then(|line| PlanWords::of(&line["plan"]));
        let answer = line_of(lines, Event::CallFinished).map_or(&Value::Null, |line| &line["result"]);
        Self {
            records,
            from,
            until,
            domain: domain(&call.route, vals, from, until),
            plan,
            answer: if answer.is_null() { String::new() } else { words::json(answer) },
        }
    }
}

/// A domain that finds what the call may have written: by its search key or the values of its payload, and by the time.
fn domain(route: &RecordedRoute, vals: &Value, from: Timestamp, until: Timestamp) -> String {
    let is_new = matches!(route, RecordedRoute::Api(Route::CreateData | Route::CreateUpdateData));
    let date = if is_new && vals["search_key"].is_null() { "create_date" } else { "write_date" };
    let named = match &vals["search_key"] {
        Value::Object(key) => Some(key),
        _ => vals["payload"].as_object(),
    };
    let scalars = named.into_iter().flatten().filter_map(|(field, value)| {
        let value = match value {
            Value::String(_) | Value::Number(_) => value.to_string(),
            _ => return None,
        };
        Some(format!("(\"{field}\", \"=\", {value})"))
    });
    let time = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M:%S").to_string();
    let times =
        [format!("(\"{date}\", \">=\", \"{}\")", time(from)), format!("(\"{date}\", \"<=\", \"{}\")", time(until))];
    let all: Vec<String> = scalars.take(FIELDS).chain(times).collect();
    format!("[{}]", all.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_domain_finds_what_may_have_been_written() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (from, until) = (at("2026-11-30T09:00:00Z"), at("2026-11-30T09:02:00Z"));
        let times = |date: &str| {
            format!("(\"{date}\", \">=\", \"2026-11-30 09:00:00\"), (\"{date}\", \"<=\", \"2026-11-30 09:02:00\")")
        };
        let create = RecordedRoute::Api(Route::CreateData);
        let vals = json!({"payload": {"name": "Jane", "tags": [1], "color": 3}});
        let expected = format!("[(\"name\", \"=\", \"Jane\"), (\"color\", \"=\", 3), {}]", times("create_date"));
        assert_eq!(domain(&create, &vals, from, until), expected);
        let update = RecordedRoute::Api(Route::UpdateData);
        let vals = json!({"payload": {"name": "Jane"}, "search_key": {"ref": "J1"}});
        let expected = format!("[(\"ref\", \"=\", \"J1\"), {}]", times("write_date"));
        assert_eq!(domain(&update, &vals, from, until), expected);
    }
}
