//! The fourth stage: the call has a plan, which is executed; planned anew where what the plan was built on has changed.
//!
//! Nothing is written in Odoo before the call's line is on disk. Each reason for another plan counts once (`replan`).

use std::time::Instant;

use futures_util::future;

use super::{
    Error, hidden,
    planner::{plan_call, plan_once},
    progress,
    recorded::Recorded,
    replan::{Replans, Stale},
};
use crate::{
    execute::{self, Content, Done, Progress},
    odoo::{self, Caller, Taken},
    plan::{self, NamedId, Plan, Work},
};

/// A recorded call with its plan.
struct Planned<'r, 's> {
    recorded: &'r mut Recorded<'s>,
    plan: Plan,
}

impl Recorded<'_> {
    /// Plans and executes the call.
    ///
    /// # Errors
    /// The call was refused; what the error says of its outcome is true.
    pub(super) async fn carry_out(&mut self) -> Result<Done, Error> {
        self.authenticated.docket.reached.recorded = Some(Instant::now());
        let done = async {
            let planned = Planned::of(self).await?;
            planned.recorded.authenticated.docket.reached.planned = Some(Instant::now());
            planned.execute().await
        }
        .await;
        self.note_fields(&done).await;
        done
    }

    /// Tells the log which fields there are: what is hidden under one of them is hidden in sentences, too. Where the call
    /// came without the fields of its own model they are asked for, if the sentence is one about the call.
    async fn note_fields(&mut self, done: &Result<Done, Error>) {
        if !self.entry.has_hidden() {
            return;
        }
        let model = &self.call.model;
        let is_about_call = done.as_ref().is_err_and(Error::is_decision);
        if is_about_call && !self.caller.schemas_seen().iter().any(|schema| schema.model == *model) {
            // Without them, there is nothing that could be known.
            let _ = Box::pin(self.caller.schema(model)).await;
        }
        self.entry.note_fields(self.caller.schemas_seen());
    }

    async fn plan_anew(&self) -> Result<Plan, Error> {
        let (config, noted) = (&self.authenticated.service.config, &self.noted);
        let anew = plan_once(config, &self.files, &self.caller, self.route, &self.call, noted).await;
        self.without_hidden(anew)
    }

    /// The plan of a call that is made again, unless something in it was hidden that Odoo would get.
    fn without_hidden(&self, plan: Result<Plan, plan::Error>) -> Result<Plan, Error> {
        if self.authenticated.incoming.by.has_hidden_values() {
            let needed = hidden::needed(&self.call.vals, &plan, &self.caller.schemas_seen());
            if !needed.is_empty() {
                return Err(Error::HiddenValues(needed));
            }
        }
        Ok(plan?)
    }

    /// Notes the plan: should the gateway die within a write, the log shows what it was about to do.
    async fn note_plan(&mut self, plan: &Plan) -> Result<(), Error> {
        if !plan.dry_run && plan.writes() {
            self.entry.plan(plan.render(&self.caller)).await?;
        }
        Ok(())
    }
}

/// The number of refusals that are explained, since each may cost a search.
const MAX_EXPLAINED: usize = 20;

/// Explains the refusals of some of several records by records that they name and that do not exist.
async fn explain_each(caller: &Caller, done: &mut Done, named: &[NamedId]) {
    let Content::Each(results) = &mut done.result else { return };
    let refused = results.iter_mut().enumerate().filter_map(|(place, result)| match result {
        Err(execute::Error::Refused(error @ plan::Error::Odoo(odoo::Error::Fault(_)))) => Some((place, error)),
        _ => None,
    });
    for (place, error) in refused.take(MAX_EXPLAINED) {
        let within = format!("payload[{place}].");
        let own: Vec<NamedId> = named.iter().filter(|named| named.path.starts_with(&within)).cloned().collect();
        *error = plan::explain(caller, error.clone(), &own).await;
    }
}

/// What was done. Where none of several records came to a decision, as where Odoo is not reached, the request did not either.
fn whole(done: Done) -> Result<Done, Error> {
    let Content::Each(results) = &done.result else { return Ok(done) };
    let undecided = results.iter().map(|result| match result {
        Ok(_) => None,
        Err(error) => Some(Error::from(error.clone())).filter(|error| !error.is_decision()),
    });
    // `None` where one of them was done or decided on.
    let undecided: Option<Vec<Error>> = undecided.collect();
    let mut undecided = undecided.unwrap_or_default().into_iter();
    let Some(first) = undecided.next() else { return Ok(done) };
    // What any of them left behind is named.
    let more = undecided.filter_map(|error| match error {
        Error::Incomplete(incomplete) => Some(incomplete),
        _ => None,
    });
    Err(more.fold(first, |all, more| match all {
        Error::Incomplete(mut all) => {
            all.left.extend(more.left);
            Error::Incomplete(all)
        }
        // What left something behind comes before what did not.
        _ => Error::Incomplete(more),
    }))
}

impl<'r, 's> Planned<'r, 's> {
    async fn of(recorded: &'r mut Recorded<'s>) -> Result<Self, Error> {
        let config = &recorded.authenticated.service.config;
        let plan =
            plan_call(config, &recorded.files, &recorded.caller, recorded.route, &recorded.call, &recorded.noted).await;
        let plan = recorded.without_hidden(plan)?;
        recorded.note_plan(&plan).await?;
        Ok(Self { recorded, plan })
    }

    /// Executes the plan. What Odoo has refused, and rolled back, is planned anew where the plan may have been out of date; not
    /// so a method, which may have done what cannot be rolled back.
    async fn execute(self) -> Result<Done, Error> {
        let Self { recorded, mut plan } = self;
        let mut replans = Replans::default();
        // What changes nothing in Odoo need not wait for the disk.
        let waits = plan.writes() && !plan.dry_run;
        if waits {
            recorded.entry.announced().await?;
        }
        let settling = recorded.settling();
        if let Some(earlier) = settling.earlier {
            let service = recorded.authenticated.service;
            Box::pin(service.know_answers_since(earlier.since)).await?;
            if let Some(lease) = &recorded.lease {
                let step = recorded.authenticated.incoming.by.step().map(|step| step.number);
                Box::pin(service.free_answers_of(lease.ticket().id, step)).await?;
            }
        }
        loop {
            // Where other gateways may have taken its locks, the plan may be out of date. The call's deadline ends this.
            while waits && recorded.caller.confirm_locks().await.map_err(plan::Error::from)? == Taken::Anew {
                plan = Box::pin(recorded.plan_anew()).await?;
                recorded.note_plan(&plan).await?;
            }
            let (answers, named_ids) = (plan.answers, std::mem::take(&mut plan.named_ids));
            let executed = if waits {
                if let Some(lease) = &recorded.lease {
                    lease.check().await?;
                }
                let Recorded { entry, caller, .. } = &*recorded;
                let (is_list, progress) = (matches!(plan.work, Work::Many(_)), Progress::default());
                let executed = Box::pin(execute::execute(caller, plan, &settling, &progress));
                if is_list { progress::told(executed, entry, &progress).await } else { executed.await }
            } else {
                let (Recorded { entry, caller, .. }, unlisted) = (&mut *recorded, Progress::default());
                let executed = Box::pin(execute::execute(caller, plan, &settling, &unlisted));
                let (executed, announced) = future::join(executed, entry.announced()).await;
                announced?;
                executed
            };
            let refused = match executed {
                Err(execute::Error::Refused(error)) if recorded.route.row().may_be_replanned => error,
                executed => {
                    let mut done = executed?;
                    Box::pin(explain_each(&recorded.caller, &mut done, &named_ids)).await;
                    return whole(done);
                }
            };
            let Some(stale) = Box::pin(replans.reason(&refused, &recorded.caller)).await else {
                let refused = Box::pin(plan::explain(&recorded.caller, refused, &named_ids)).await;
                return Err(replans.refusal(refused).into());
            };
            plan = Box::pin(recorded.plan_anew()).await?;
            if stale == Stale::Answers && plan.answers == answers {
                // Nothing has changed: it would be refused again.
                return Err(Box::pin(plan::explain(&recorded.caller, refused, &named_ids)).await.into());
            }
            recorded.note_plan(&plan).await?;
        }
    }
}
