//! The steps of a write, one after another.
//!
//! A write has three outcomes: everything is written; nothing is; or the error names what is left, or may be left, and
//! why. Where the answer to a call was lost and a lookup can tell what became of it, it is asked. `undo` deletes what
//! was created.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::{
    Error,
    failed::{Failed, failed, lost, no_id},
    settle::{How, Sent, Settler},
    undo::{Kind, Undo, UndoList, Updated, ids_of},
};
use crate::{
    odoo::{Caller, Effect, Error as OdooError, Page, Rpc, Why},
    plan::{
        self, At, FutureId, Line, NestedLines, Placeholder, Purpose, RecordIndex, RecordPath, Root, SideEffects, Step,
        StepId, StepMap, Steps,
    },
};

/// Carries out the steps, and returns the result of the main call, where there is one.
///
/// # Errors
/// A step failed. What the steps before it had created has been deleted again, or the error names what is left.
pub(super) async fn run(
    settler: Settler<'_>,
    steps: Steps,
    before: HashSet<(String, i64)>,
) -> Result<Option<MainResult>, Error> {
    run_after(settler, StepMap::default(), steps, before).await
}

/// Carries out steps that may use what `earlier` ones have created.
///
/// # Errors
/// A step failed. What these steps had created has been deleted again, or the error names what is left.
pub(super) async fn run_after(
    settler: Settler<'_>,
    earlier: StepMap<Created>,
    steps: Steps,
    before: HashSet<(String, i64)>,
) -> Result<Option<MainResult>, Error> {
    let mut run = Run::after(settler, earlier, before);
    let mut result = None;
    for step in steps {
        match run.take_and_forget(step).await {
            Ok(Some(main)) => result = Some(main),
            Ok(None) => {}
            Err(failed) => return Err(run.undo.give_up(failed).await),
        }
    }
    Ok(result)
}

/// What Odoo answered to the main call.
#[derive(Debug)]
pub(super) struct MainResult {
    /// The id of the record that was created; `None` for an update.
    pub(super) created: Option<i64>,
    pub(super) answer: Value,
    /// The answer has what was to be read back, if anything was.
    pub(super) is_read: bool,
}

/// The records that a step created; none for a step that creates nothing.
#[derive(Debug, Clone)]
pub(super) struct Created {
    pub(super) model: String,
    pub(super) ids: Vec<i64>,
}

/// The state of a write that is being carried out.
pub(super) struct Run<'c> {
    caller: &'c Caller,
    settler: Settler<'c>,
    /// Lines that existed before, by field.
    before: HashSet<(String, i64)>,
    pub(super) created: StepMap<Created>,
    pub(super) undo: UndoList<'c>,
    /// Lines that were read to find the record of a file.
    lines: HashMap<(String, i64, String), Vec<i64>>,
}

impl<'c> Run<'c> {
    pub(super) fn new(settler: Settler<'c>) -> Self {
        Self::after(settler, StepMap::default(), HashSet::new())
    }

    /// A write that may use what `created` has. `before` are lines that existed before.
    pub(super) fn after(settler: Settler<'c>, created: StepMap<Created>, before: HashSet<(String, i64)>) -> Self {
        let caller = settler.caller;
        Self { caller, settler, before, created, undo: UndoList::new(caller), lines: HashMap::new() }
    }

    /// Carries out one step; returns the result of the main call.
    pub(super) async fn take_and_forget(&mut self, step: Step) -> Result<Option<MainResult>, Failed> {
        let models: Vec<String> = step.side_effects().map_or_else(Vec::new, |side_effects| side_effects.models.clone());
        let taken = self.take(step).await;
        // Its lines have been written too, so lookups of their models may be out of date.
        self.caller.forget_lookups_of(models.iter().map(String::as_str));
        taken
    }

    pub(super) fn settler(&self) -> Settler<'c> {
        self.settler
    }

    /// Leaves a step out. Nothing that needs it can be carried out.
    pub(super) fn leave_out(&mut self, step: Step) {
        self.created.push(Created { model: step.rpc.model, ids: Vec::new() });
    }

    /// Notes that the step that was just taken has failed, where others follow that do not need it.
    pub(super) fn note_failed(&mut self) {
        self.created.push(Created { model: String::new(), ids: Vec::new() });
    }

    async fn take(&mut self, step: Step) -> Result<Option<MainResult>, Failed> {
        let Step { mut rpc, placeholders, purpose } = step;
        self.fill(&mut rpc, &placeholders).await?;
        let model = rpc.model.clone();
        let (ids, main) = match purpose {
            Purpose::CreateMissing { probe, lookup, must_match, side_effects } => {
                let undo = self.create_missing(&rpc, &probe, side_effects).await?;
                let ids = undo.ids.clone();
                self.undo.push(undo);
                if must_match && ids_of(&self.caller.call_again(&probe).await?) != ids {
                    let (field, value) = lookup;
                    return Err(plan::Error::NotFoundAfterwards { model, field, value }.into());
                }
                (ids, None)
            }
            Purpose::CreateFiles => {
                let result = self.settler.send(&rpc, How::Alone).await;
                let ids = ids_of(&result.map_err(|error| failed(error, &rpc, false))?.answer);
                let side_effects = SideEffects::default();
                self.undo.push(Undo { model: rpc.model, ids: ids.clone(), kind: Kind::Files, side_effects });
                (ids, None)
            }
            Purpose::Main { side_effects, probe } => {
                let how = probe.as_deref().map_or(How::Batched, How::Keyed);
                let (ids, main) = self.main(rpc, how, side_effects).await?;
                (ids, Some(main))
            }
            Purpose::CheckDomain { step, lines } => {
                self.check_domain(&rpc, step, &lines).await?;
                (Vec::new(), None)
            }
            Purpose::Name => {
                self.caller.call(&rpc).await.map_err(|error| failed(error, &rpc, false))?;
                (Vec::new(), None)
            }
            Purpose::AttachFiles | Purpose::Translate => {
                // Repeating the call with the same values does no harm, so a lost answer is no reason to give up.
                self.caller.call_again(&rpc).await?;
                (Vec::new(), None)
            }
        };
        self.created.push(Created { model, ids });
        Ok(main)
    }

    /// Makes the main call. A new record may be created in one RPC with those of concurrent calls.
    async fn main(
        &mut self,
        rpc: Rpc,
        how: How<'_>,
        side_effects: SideEffects,
    ) -> Result<(Vec<i64>, MainResult), Failed> {
        let mut sent = self.settler.send(&rpc, how).await;
        // Odoo 17 and later read the result within the write, and refuse the write where a rule hides the result. Before, the
        // record was written, with a warning. So the write is made without reading; where it is the write that may not be done,
        // it is refused again.
        if let Err(OdooError::Fault(fault)) = &sent
            && fault.is_access_error()
            && let Some(bare) = rpc.without_reading()
        {
            sent = self.settler.send(&bare, how).await.map(|sent| Sent { is_answered: false, ..sent });
        }
        let Sent { answer, is_answered: is_read } =
            sent.map_err(|error| failed(error, &rpc, true).with(&side_effects.models))?;
        let ids = ids_of(&answer);
        let created = match (&rpc.ids, ids.first()) {
            (Some(updated), _) if !updated.is_empty() => {
                self.undo.updated = Some(Updated { model: rpc.model, ids: updated.clone(), with: side_effects.models });
                None
            }
            (_, None) => return Err(lost(no_id(&rpc), &rpc, true).with(&side_effects.models)),
            (_, Some(&id)) => {
                self.undo.push(Undo { model: rpc.model, ids: ids.clone(), kind: Kind::Main, side_effects });
                Some(id)
            }
        };
        Ok((ids, MainResult { created, answer, is_read }))
    }

    /// Creates a record that a lookup did not find. Where the answer is lost, the lookup tells whether the record
    /// exists.
    async fn create_missing(&self, rpc: &Rpc, probe: &Rpc, side_effects: SideEffects) -> Result<Undo, Failed> {
        let (ids, kind) = match self.settler.send(rpc, How::LookedUp(probe)).await {
            // What was found out may be another caller's.
            Ok(sent) => (ids_of(&sent.answer), if sent.is_answered { Kind::Created } else { Kind::Adopted }),
            // The record may exist, and refer to what was created before it.
            Err(error) => return Err(failed(error, rpc, true).with(&side_effects.models)),
        };
        if ids.is_empty() {
            return Err(lost(no_id(rpc), rpc, true).with(&side_effects.models));
        }
        Ok(Undo { model: rpc.model.clone(), ids, kind, side_effects })
    }

    /// Checks that the caller finds what it has created.
    async fn check_domain(&self, rpc: &Rpc, step: StepId, lines: &[NestedLines]) -> Result<(), Failed> {
        let created = self.created(step, rpc)?.ids.clone();
        let policy = self.caller.policy();
        let outside = |model: &str| Failed::from(plan::denied("payload")(policy.outside(model)));
        if ids_of(&self.caller.call_again(rpc).await?) != created {
            return Err(outside(&rpc.model));
        }
        for (model, mut ids) in self.undo.lines_below(&rpc.model, created, lines).await? {
            if policy.domain(&model).is_none() || ids.is_empty() {
                continue;
            }
            let those = Rpc::search_read(&model, json!([["id", "in", ids]]), json!(["id"]), Page::default());
            let mut found = ids_of(&self.caller.call_again(&those.with_context("active_test", false)).await?);
            ids.sort_unstable();
            found.sort_unstable();
            if found != ids {
                return Err(outside(&model));
            }
        }
        Ok(())
    }

    /// Fills the placeholders of a call. A call that lacks an id is not sent.
    pub(super) async fn fill(&mut self, rpc: &mut Rpc, placeholders: &[Placeholder]) -> Result<(), Failed> {
        for placeholder in placeholders {
            let id = match &placeholder.id {
                FutureId::Created { step, index } => self.created_id(*step, *index, rpc)?,
                FutureId::Record(path) => self.locate(path, rpc).await?,
            };
            match &placeholder.at {
                At::Ids => rpc.ids.get_or_insert_default().push(id),
                At::Argument(path) => *path.resolve(rpc) = json!(id),
            }
        }
        Ok(())
    }

    /// What an earlier step created, which the RPC needs.
    fn created(&self, step: StepId, rpc: &Rpc) -> Result<&Created, OdooError> {
        self.created.get(step).ok_or_else(|| no_earlier_id(rpc))
    }

    fn created_id(&self, step: StepId, index: RecordIndex, rpc: &Rpc) -> Result<i64, OdooError> {
        self.created(step, rpc)?.ids.get(index.0).copied().ok_or_else(|| no_earlier_id(rpc))
    }

    /// The id of the record that files belong to: a record that was created or updated, or one of its lines.
    async fn locate(&mut self, path: &RecordPath, rpc: &Rpc) -> Result<i64, Failed> {
        let (mut model, mut id) = match &path.root {
            Root::Record { model, id } => (model.clone(), *id),
            Root::Step(step) => {
                (self.created(*step, rpc)?.model.clone(), self.created_id(*step, RecordIndex::FIRST, rpc)?)
            }
        };
        for line in &path.lines {
            let key = (model, id, line.field.clone());
            let lines = match self.lines.get(&key) {
                Some(lines) => lines,
                None => {
                    let lines = self.new_lines(&key.0, key.1, line).await?;
                    self.lines.entry(key).or_insert(lines)
                }
            };
            id = match lines.get(line.index).filter(|_| lines.len() == line.of) {
                Some(&id) => id,
                None => {
                    let (sent, there) = (line.of, lines.len());
                    return Err(plan::Error::LinesDiffer { field: line.field.clone(), sent, there }.into());
                }
            };
            model = line.model.clone();
        }
        Ok(id)
    }

    /// The lines that this call created in a field: those that the field has, or where the field leaves some out, those
    /// that lead back.
    async fn new_lines(&self, model: &str, id: i64, line: &Line) -> Result<Vec<i64>, OdooError> {
        let is_new = |id: &i64| !self.before.contains(&(line.field.clone(), *id));
        let mut lines = plan::lines_of(self.caller, model, &[id], &line.field, &line.model, None).await?;
        lines.retain(is_new);
        if lines.len() != line.of && line.inverse.is_some() {
            lines =
                plan::lines_of(self.caller, model, &[id], &line.field, &line.model, line.inverse.as_deref()).await?;
            lines.retain(is_new);
        }
        Ok(lines)
    }
}

/// The error for an earlier call that gave no id which the RPC needs. The RPC is not sent.
fn no_earlier_id(rpc: &Rpc) -> OdooError {
    let why = Why::Garbled(format!("an earlier call gave no id for {}.{}", rpc.model, rpc.method));
    OdooError::NoAnswer { effect: Effect::Read, why }
}
