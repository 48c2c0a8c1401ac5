//! One recorded call, made again: what it would send, and what came of it.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::{Answer, Draft, Executor, NotReplayable, Options, Outcome};
use crate::{
    config::Config,
    log::{Call, Filter, Operator, Repetition},
    operations::calls::Calls,
};

/// How calls are made again, one after another.
pub struct Again<'a> {
    pub config: &'a Arc<Config>,
    pub options: &'a Options,
    pub operator: &'a Operator,
    /// When the calls were listed: what happened to one since is looked up before it is sent.
    pub listed: Timestamp,
}

/// A call that was made again.
#[derive(Debug)]
pub struct Made {
    pub outcome: Outcome,
    /// What the recorded call was answered; null where it got no answer.
    pub before: Value,
    pub answer: Option<Answer>,
}

impl Made {
    /// A call that was not sent.
    pub fn not_sent(outcome: Outcome) -> Self {
        Self { outcome, before: Value::Null, answer: None }
    }
}

impl Again<'_> {
    /// What the call would send, unless somebody has sent it since the calls were listed.
    ///
    /// # Errors
    /// It must not be made again, or its payload cannot be had from the log.
    pub async fn draft(&self, call: &Call) -> Result<Draft, NotReplayable> {
        let log = Calls::open(&self.config.log.directory)?;
        let mut call = call.clone();
        // A dry run repeats nothing.
        if !self.options.dry_run {
            call.repeated_by.extend(repetitions_since(&log, call.id, self.listed).await?);
        }
        Draft::of(&log, &call, self.config, self.options).await
    }

    /// Sends it. `error` is that of the recorded call; an empty one stands for none.
    ///
    /// # Errors
    /// It is not known whose credential is used, or a part of the payload is gone.
    pub async fn send(&self, draft: Draft, error: &str, executor: &Executor) -> Result<Made, NotReplayable> {
        let replay = draft.ready(self.config, self.options, self.operator.clone())?;
        let before = replay.answered.clone();
        let answer = executor.make(replay).await;
        Ok(Made { outcome: Outcome::of(&answer, error), before, answer: answer.ok() })
    }
}

/// How the call was repeated since its list was made.
async fn repetitions_since(log: &Calls, root: Uuid, since: Timestamp) -> Result<Vec<Repetition>, NotReplayable> {
    let filter = Filter { since: Some(since), ..Filter::default() };
    log.read(move |archive| {
        let mut found = Vec::new();
        archive.for_each(&filter, |call| {
            if call.replay_of == Some(root) {
                found.push(Repetition { id: call.id, state: call.state });
            }
        })?;
        Ok(found)
    })
    .await
}
