//! What came of a call that was run again: the plan of a dry run, and payload and answer beside those of before.
//!
//! Everything is read from the log, so that what is hidden there is hidden here, and the page can be loaded again.

use askama::Template;
use http::StatusCode;
use serde_json::Value;

use super::{
    diff::Diff,
    log_problem,
    plan::{PlanWords, without_dry_run},
    the_call,
};
use crate::{
    console::{
        visit::{Place, Shown, Visit},
        words,
    },
    log::{Call, CallState, Event},
    operations::calls::{Calls, line_of},
    web::{Frame, page as whole},
};

#[derive(Template)]
#[template(path = "again_result.html")]
struct ResultPage {
    frame: Frame,
    call: Call,
    new: Call,
    by: String,
    is_dry_run: bool,
    plan: Option<PlanWords>,
    comparisons: Vec<Comparison>,
}

/// Two texts beside each other.
struct Comparison {
    title: &'static str,
    before: &'static str,
    now: &'static str,
    diff: Diff,
}

impl ResultPage {
    fn class(&self) -> &'static str {
        match self.new.state {
            CallState::Done | CallState::Ignored => "ok",
            CallState::Failed => "error",
            CallState::DryRun if self.new.error.is_empty() => "ok",
            CallState::InDoubt | CallState::Running | CallState::Queued | CallState::DryRun => "warn",
        }
    }
}

pub(super) async fn page(visit: &Visit<'_>, log: &Calls, call: &Call, sent: &str) -> Shown {
    let new = the_call(log, sent).await?;
    let [before, now] = [log.lines(call).await, log.lines(&new).await];
    let (before, now) = (before.map_err(|error| log_problem(&error))?, now.map_err(|error| log_problem(&error))?);
    let is_dry_run = received(&now, "vals")["dry_run"] == true;
    let payload = Comparison {
        title: "Payload",
        before: "As recorded",
        now: "As sent",
        diff: Diff::of(
            text(&without_dry_run(received(&before, "vals"))),
            text(&without_dry_run(received(&now, "vals"))),
        )
        .await,
    };
    let answer = |lines: &[Value]| end(lines).map(|line| line["result"].clone()).unwrap_or_default();
    let (old, answered) = (answer(&before), answer(&now));
    let plan = if is_dry_run { PlanWords::of(&answered["result"]) } else { None };
    let planned = line_of(&before, Event::CallPlanned).and_then(|line| PlanWords::of(&line["plan"]));
    let second = match (&plan, planned) {
        (Some(plan), Some(planned)) => Some(Comparison {
            title: "Plan",
            before: "As it was",
            now: "As it would be now",
            diff: Diff::of(planned.to_text(), plan.to_text()).await,
        }),
        (Some(_), None) => None,
        (None, _) => Some(Comparison {
            title: "Answer",
            before: "Before",
            now: "Now",
            diff: Diff::of(text(&old), text(&answered)).await,
        }),
    };
    let title = if is_dry_run { "Dry run" } else { "Run again" };
    let by = now.first().and_then(|line| line["by"].as_str()).unwrap_or_default().to_owned();
    let page = ResultPage {
        frame: visit.frame(title, Place::Calls),
        call: call.clone(),
        new,
        by,
        is_dry_run,
        plan,
        comparisons: [payload].into_iter().chain(second).collect(),
    };
    Ok(whole(StatusCode::OK, &page))
}

fn received<'l>(lines: &'l [Value], member: &str) -> &'l Value {
    line_of(lines, Event::CallReceived).map_or(&Value::Null, |line| &line[member])
}

fn end(lines: &[Value]) -> Option<&Value> {
    line_of(lines, Event::CallFinished).or_else(|| line_of(lines, Event::CallRefused))
}

fn text(value: &Value) -> String {
    if value.is_null() { String::new() } else { words::json(value) + "\n" }
}
