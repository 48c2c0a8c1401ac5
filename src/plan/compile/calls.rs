//! The calls of a write while they are put together: each after those that it needs.

use serde_json::{Value, json};

use super::{
    files::{Attach, Files},
    settle::{Settled, Settler},
};
use crate::{
    odoo::{EXTERNAL_IDS, ExternalId, Page, Rpc},
    plan::{
        Error,
        lookup::Question,
        policy_check::denied,
        read::Languages,
        resolve::MissingRecord,
        steps::{
            At, Delegation, FutureId, NestedLines, Placeholder, Purpose, Root, SideEffects, Step, StepId, Steps, Trail,
        },
    },
    policy::{Policy, Touch},
};

/// The calls of a write while they are put together.
pub(super) struct Calls<'c> {
    pub(super) policy: &'c Policy,
    pub(super) company: Option<i64>,
    pub(super) steps: Steps,
    pub(super) files: Files,
}

impl Calls<'_> {
    /// Adds the call that creates a record which the question did not find, and returns its step.
    pub(super) fn create_missing(
        &mut self,
        settler: &mut Settler<'_>,
        question: &Question,
        probe: Rpc,
        missing: MissingRecord,
        delegation: Delegation,
    ) -> Result<StepId, Error> {
        let MissingRecord { draft, is_certain } = missing;
        let lines = draft.nested_lines();
        let side_effects = SideEffects::new(lines.clone(), draft.unidentified(), std::iter::empty(), delegation);
        let at = Trail::Argument("vals_list");
        let settled = settler.settle(&question.model, draft, None, &at.position(0))?;
        let Settled { values, placeholders, files } = settled;
        let rpc = Rpc::create(&question.model, vec![Value::Object(values)]);
        let purpose = Purpose::CreateMissing {
            probe: Box::new(probe),
            lookup: (question.fields(), question.shown()),
            must_match: !is_certain,
            side_effects,
        };
        let rpc = in_company(rpc, question.company.or(self.company));
        let step = self.create(Step { rpc, placeholders, purpose }, delegation, &lines)?;
        for (place, files) in files {
            self.files.of_record(Root::Step(step), &question.model, place.lines, files);
        }
        Ok(step)
    }

    /// Adds the call that creates a record with `lines`, and the one that checks it.
    pub(super) fn create(
        &mut self,
        step: Step,
        delegation: Delegation,
        lines: &[NestedLines],
    ) -> Result<StepId, Error> {
        let model = step.rpc.model.clone();
        let created = self.steps.push(step);
        self.check_domain(&model, created, delegation, lines)?;
        Ok(created)
    }

    /// Adds the calls that write the texts of a new record in further languages. The same texts once more do no harm.
    pub(super) fn translate(&mut self, model: &str, created: StepId, languages: Languages) {
        let Languages::Besides(texts) = languages else { return };
        for (language, values) in texts {
            let rpc = Rpc::write(model, Vec::new(), values).with_context("lang", language);
            let placeholders = vec![Placeholder { at: At::Ids, id: FutureId::first(created) }];
            self.steps.push(Step { rpc, placeholders, purpose: Purpose::Translate });
        }
    }

    /// Adds the call that gives an external id to the record that a step creates. An update of the module with that name
    /// leaves the record alone (`noupdate`): Odoo deletes what a module no longer has.
    pub(super) fn name(&mut self, model: &str, created: StepId, id: ExternalId) {
        let values = json!({"module": id.module, "name": id.name, "model": model, "res_id": null, "noupdate": true});
        let rpc = Rpc::create(EXTERNAL_IDS, vec![values]);
        let at = At::Argument(Trail::Argument("vals_list").position(0).key("res_id").to_path());
        let placeholders = vec![Placeholder { at, id: FutureId::first(created) }];
        self.steps.push(Step { rpc, placeholders, purpose: Purpose::Name });
    }

    /// Adds the call that creates the files that have been gathered.
    pub(super) fn create_files(&mut self) -> Attach {
        std::mem::take(&mut self.files).create(&mut self.steps)
    }

    /// Adds the step that checks whether what another one created is within the caller's domains, where it has any there. A
    /// record that is a part of an existing one could not be deleted again, and is refused.
    pub(super) fn check_domain(
        &mut self,
        model: &str,
        step: StepId,
        delegation: Delegation,
        lines: &[NestedLines],
    ) -> Result<(), Error> {
        let is_narrowed = |model: &str| self.policy.domain(model).is_some();
        if !is_narrowed(model) && !NestedLines::has(lines, &is_narrowed) {
            return Ok(());
        }
        if delegation == Delegation::ToExisting {
            let models = [vec![model.to_owned()], NestedLines::models(lines)].concat();
            let decide = |model: &String| self.policy.decide(Touch::Unchecked(model)).map_err(denied("payload"));
            models.iter().try_for_each(decide)?;
        }
        let rpc = Rpc::search_read(model, json!([["id", "=", null]]), json!(["id"]), Page::default());
        let at = Trail::Argument("domain");
        let at = At::Argument(at.position(0).position(2).to_path());
        let placeholders = vec![Placeholder { at, id: FutureId::first(step) }];
        let rpc = rpc.with_context("active_test", false);
        self.steps.push(Step { rpc, placeholders, purpose: Purpose::CheckDomain { step, lines: lines.to_vec() } });
        Ok(())
    }
}

/// The call with the company that a new record without one of its own belongs to.
pub(super) fn in_company(rpc: Rpc, company: Option<i64>) -> Rpc {
    match company {
        Some(company) => rpc.with_context("default_company_id", company),
        None => rpc,
    }
}
