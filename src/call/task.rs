//! A recorded call is planned and executed; planned anew where what the plan was built on has changed.
//!
//! Nothing is written in Odoo before the call's line is on disk. Each reason for another plan counts once (`doubts`).

use futures_util::future;

use super::{
    Call, Error, Request,
    doubts::{Doubt, Doubts},
    hidden,
};
use crate::{
    config::Compat,
    execute::{self, Done},
    log::Entry,
    odoo,
    plan::{self, Asked, Plan},
    policy::Policy,
    route::Route,
};

/// A call that is worked on, and for whom.
pub(super) struct Task<'t> {
    pub(super) compat: &'t Compat,
    pub(super) caller: &'t odoo::Caller,
    pub(super) request: &'t Request,
    pub(super) call: &'t Call,
}

impl Task<'_> {
    /// Plans and executes. What Odoo has refused, and rolled back, is planned anew where the plan may have been out of date.
    /// Not so a method, which may have done what cannot be rolled back.
    pub(super) async fn carry_out(&self, entry: &mut Entry) -> Result<Done, Error> {
        let Self { compat, caller, request: &Request { route, .. }, call } = *self;
        let mut plan = self.without_hidden(plan_call(compat, caller, route, call).await)?;
        let mut doubts = Doubts::default();
        note_plan(entry, &plan, caller.policy()).await?;
        // What changes nothing in Odoo need not wait for the disk.
        let waits = plan.writes() && !plan.dry_run;
        if waits {
            entry.announced().await?;
        }
        loop {
            let answers = plan.answers;
            let outcome = if waits {
                execute::execute(caller, plan).await
            } else {
                let (outcome, announced) = future::join(execute::execute(caller, plan), entry.announced()).await;
                announced?;
                outcome
            };
            let refused = match outcome {
                Err(execute::Error::Refused(error)) if route != Route::CallFunction => error,
                outcome => return Ok(outcome?),
            };
            let Some(doubt) = doubts.of(&refused, caller).await else { return Err(doubts.word(refused).into()) };
            plan = self.without_hidden(plan_once(compat, caller, route, call).await)?;
            if doubt == Doubt::Answers && plan.answers == answers {
                // Nothing has changed: it would be refused again.
                return Err(refused.into());
            }
            note_plan(entry, &plan, caller.policy()).await?;
        }
    }

    /// The plan of a call that is made again, unless something in it was hidden that Odoo would get.
    fn without_hidden(&self, plan: Result<Plan, plan::Error>) -> Result<Plan, Error> {
        if self.request.replay.as_ref().is_some_and(|replay| replay.is_hidden) {
            let needed = hidden::needed(&self.call.vals, &plan, &self.caller.schemas_seen());
            if !needed.is_empty() {
                return Err(Error::HiddenValues(needed));
            }
        }
        Ok(plan?)
    }

    /// Tells the log which fields there are: what is hidden under one of them is hidden in sentences, too. Where the call
    /// came without the fields of its own model they are asked for, if the sentence is one about the call.
    pub(super) async fn tell_fields(&self, entry: &mut Entry, outcome: &Result<Done, Error>) {
        if !entry.has_hidden() {
            return;
        }
        let model = &self.call.model;
        let is_about_call = outcome.as_ref().is_err_and(Error::is_decision);
        if is_about_call && !self.caller.schemas_seen().iter().any(|schema| schema.model == *model) {
            // Without them, there is nothing that could be known.
            let _ = self.caller.schema(model).await;
        }
        entry.note_fields(self.caller.schemas_seen());
    }
}

/// Should the gateway die within a write, the log shows what it was about to do.
async fn note_plan(entry: &mut Entry, plan: &Plan, policy: &Policy) -> Result<(), Error> {
    if !plan.dry_run && plan.writes() {
        entry.plan(plan.render(policy)).await?;
    }
    Ok(())
}

/// The plan of a call; made once more where the models turn out to be other than they are remembered.
pub async fn plan_call(compat: &Compat, caller: &odoo::Caller, route: Route, call: &Call) -> Result<Plan, plan::Error> {
    let plan = plan_once(compat, caller, route, call).await;
    if doubts_schema(&plan) && caller.forget_schemas().await {
        return plan_once(compat, caller, route, call).await;
    }
    plan
}

async fn plan_once(compat: &Compat, caller: &odoo::Caller, route: Route, call: &Call) -> Result<Plan, plan::Error> {
    let asked = Asked { model: &call.model, vals: &call.vals, compat };
    match route {
        Route::CreateData => plan::create_data(caller, asked).await,
        Route::CreateUpdateData => plan::create_update_data(caller, asked).await,
        Route::UpdateData => plan::update_data(caller, asked).await,
        Route::SearchData => plan::search_data(caller, asked).await,
        Route::CallFunction => plan::call_function(caller, asked).await,
    }
}

/// The call names a field that the remembered models lack, or Odoo does not let its user read what they have.
fn doubts_schema(plan: &Result<Plan, plan::Error>) -> bool {
    match plan {
        Ok(plan) => plan.warnings.iter().any(|warning| warning.code == "unknown_field"),
        Err(error) => {
            matches!(error.code(), "unknown_field" | "unknown_lookup_field" | "not_relational" | "access_error")
        }
    }
}
