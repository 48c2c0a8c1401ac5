//! Asks both, one call after the other, and compares.

use std::collections::HashSet;

use serde_json::Value;
use tokio::time::Interval;

use super::{
    addon::{self, Addon},
    compare::{Difference, differences},
    expected,
    recorded::{Methods, Read, Recorded, Task},
    report::Report,
};
use crate::{
    log::Operator,
    operations::replay::{Answer, Executor, NoAnswer, ReplayRequest},
};

/// Codes of the gateway that hold for every call as this caller: the credential, or what it may do at all.
const OF_CALLER: [&str; 15] = [
    "no_credentials",
    "unreadable_credential",
    "wrong_key",
    "wrong_login",
    "logins_held",
    "second_factor",
    "unknown_client",
    "session_expired",
    "key_needs_login",
    "credential_not_allowed",
    "own_credentials",
    "client_revoked",
    "client_expired",
    "address_not_allowed",
    "too_many_attempts",
];

/// Whose calls they are in the gateway. It holds a credential, so it has no `Debug`.
pub struct Who {
    pub operator: Operator,
    /// A `[[client]]`; without one, the headers.
    pub client: Option<String>,
    pub headers: Vec<(String, String)>,
}

/// The two that are compared.
pub struct Shadow {
    pub addon: Addon,
    pub gateway: Executor,
    pub who: Who,
    pub methods: Methods,
}

/// Why no more calls are asked.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    #[error("the addon cannot be asked")]
    Addon(#[from] addon::NoAnswer),
    #[error("the gateway cannot be asked")]
    Gateway(#[from] NoAnswer),
    #[error("the gateway does not take the caller: {0}")]
    Caller(String),
}

impl Shadow {
    /// Asks both for each of the calls, one at each tick; what came of those before stays in the report where one cannot be asked.
    ///
    /// # Errors
    /// One of the two does not answer, or does not take the caller.
    pub async fn run(&self, calls: Vec<Recorded>, mut ticks: Interval, report: &mut Report) -> Result<(), Stopped> {
        let mut asked = HashSet::new();
        for call in calls {
            if !asked.insert(call.sameness()) {
                report.repeated += 1;
                continue;
            }
            ticks.tick().await;
            match call.task(&self.methods) {
                Task::Compare(read) => self.compare(&read, report).await?,
                Task::Plan(write) => self.plan(&write, report).await?,
            }
        }
        Ok(())
    }

    /// A difference that nothing explains may be of what changed between the two reads, so both are asked once more.
    async fn compare(&self, read: &Read, report: &mut Report) -> Result<(), Stopped> {
        let call = read.call();
        let is_explained = |found: &[Difference]| found.iter().all(|found| expected::row(call, found).is_some());
        let mut found = match self.both(read).await? {
            Both::Answered(found) => found,
            Both::Unavailable(reason) => {
                report.leave_out(reason);
                return Ok(());
            }
        };
        if !is_explained(&found)
            && let Both::Answered(again) = self.both(read).await?
        {
            found = again;
        }
        report.add_read(call, &found);
        Ok(())
    }

    async fn both(&self, read: &Read) -> Result<Both, Stopped> {
        let addon = self.addon.read(read).await?;
        let gateway = self.ask(read.call(), false).await?;
        Ok(match passing(&gateway) {
            Some(code) => Both::Unavailable(format!("the gateway could not make them now: {code}")),
            None => Both::Answered(differences(read.call(), &addon, gateway.answered())),
        })
    }

    async fn plan(&self, write: &Recorded, report: &mut Report) -> Result<(), Stopped> {
        let answer = self.ask(write, true).await?;
        if let Some(code) = passing(&answer) {
            report.leave_out(format!("the gateway could not make them now: {code}"));
        } else if answer.is_done() {
            report.add_plan(write, answer.result(), &answer.answered()["warnings"]);
        } else {
            let failure = answer.failure();
            let path = answer.answered()["error"]["path"].as_str().unwrap_or_default();
            report.add_refusal(write, (&failure.code, path), &failure.message);
        }
        Ok(())
    }

    async fn ask(&self, call: &Recorded, is_dry_run: bool) -> Result<Answer, Stopped> {
        let mut vals = call.vals.clone();
        if is_dry_run {
            vals.insert("dry_run".to_owned(), Value::Bool(true));
        }
        let request = ReplayRequest {
            operator: self.who.operator.clone(),
            of: None,
            route: call.route,
            model: call.model.clone(),
            vals: Value::Object(vals),
            client: self.who.client.clone(),
            headers: self.who.headers.clone(),
            is_hidden: false,
        };
        let answer = self.gateway.ask(request).await?;
        let failure = answer.failure();
        if !answer.is_done() && OF_CALLER.contains(&failure.code.as_str()) {
            return Err(Stopped::Caller(failure.to_string()));
        }
        Ok(answer)
    }
}

enum Both {
    Answered(Vec<Difference>),
    /// The gateway had no answer, for a reason that passes.
    Unavailable(String),
}

/// The code of a refusal that says nothing of the call: another try may succeed.
fn passing(answer: &Answer) -> Option<String> {
    let answered = answer.answered();
    let retries = [&answered["error"]["retry"], &answered["data"]["retry"]];
    let is_passing = !answer.is_done() && retries.into_iter().any(|retry| retry == "safe");
    is_passing.then(|| answer.failure().code)
}
