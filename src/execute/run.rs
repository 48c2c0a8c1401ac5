//! The calls of a write, one after another.
//!
//! There are three ends, and no fourth: everything is there; nothing is; or the error says what is left, or may be left,
//! and why. What became of a call whose answer was lost is found out where a lookup can tell. The way back is in `undo.rs`.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::{
    Error,
    undo::{Fate, Kind, Left, Undo},
};
use crate::{
    errors::Retry,
    odoo::{Caller, Effect, Error as OdooError, Page, Rpc, Why},
    plan::{self, At, Below, Beside, Hole, Line, Place, Purpose, Root, Step},
};

/// Makes the calls, and gives the result of the main one (null where there was none).
pub(super) async fn run(caller: &Caller, steps: Vec<Step>, before: HashSet<(String, i64)>) -> Result<Value, Error> {
    let models = steps.iter().map(|step| step.rpc.model.clone()).collect();
    let mut run =
        Run { caller, models, before, made: Vec::new(), undo: Vec::new(), updated: None, lines: HashMap::new() };
    let mut result = Value::Null;
    for step in steps {
        let beside = step.beside();
        let taken = run.take(step).await;
        // Its lines have been written too.
        caller.forget_lookups_of(beside.iter().map(String::as_str));
        match taken {
            Ok(Some(main)) => result = main,
            Ok(None) => {}
            Err(failed) => return Err(run.give_up(failed).await),
        }
    }
    Ok(result)
}

/// A write under way.
pub(super) struct Run<'c> {
    pub(super) caller: &'c Caller,
    /// The model of each step.
    models: Vec<String>,
    /// Lines that were there before, by field.
    before: HashSet<(String, i64)>,
    /// The ids that each step made.
    made: Vec<Vec<i64>>,
    /// What is to be deleted if a later step fails, in the order in which it was made.
    pub(super) undo: Vec<Undo>,
    /// What was updated; that cannot be undone.
    pub(super) updated: Option<(String, Vec<i64>, Vec<String>)>,
    /// Lines that were read to find the record of a file.
    lines: HashMap<(String, i64, String), Vec<i64>>,
}

/// A step that failed, and what is known of its own effect.
pub(super) struct Failed {
    pub(super) cause: plan::Error,
    pub(super) own: Vec<Left>,
    /// The call may have been done, so nothing that it may refer to is touched.
    pub(super) keeps_the_rest: bool,
}

impl Failed {
    /// Names what the failed call would have made beside its record.
    fn with(mut self, within: &[String]) -> Self {
        self.own.iter_mut().for_each(|left| left.with = within.to_vec());
        self
    }
}

impl From<plan::Error> for Failed {
    fn from(cause: plan::Error) -> Self {
        Self { cause, own: Vec::new(), keeps_the_rest: false }
    }
}

impl From<OdooError> for Failed {
    fn from(cause: OdooError) -> Self {
        plan::Error::from(cause).into()
    }
}

/// A write whose answer was lost.
pub(super) fn is_lost(error: &OdooError) -> bool {
    error.retry() == Retry::Unsafe
}

impl Run<'_> {
    /// Makes one call; gives the result of the main one.
    async fn take(&mut self, step: Step) -> Result<Option<Value>, Failed> {
        let Step { mut rpc, holes, purpose } = step;
        self.fill(&mut rpc, &holes)?;
        match purpose {
            Purpose::Make { probe, lookup, must_match, beside } => {
                let undo = self.make(&rpc, &probe, beside).await?;
                let made = undo.ids.clone();
                self.undo.push(undo);
                if must_match && ids_of(&self.caller.call_again(&probe).await?) != made {
                    let (field, value) = lookup;
                    return Err(plan::Error::NotFoundAfterwards { model: rpc.model, field, value }.into());
                }
                self.made.push(made);
            }
            Purpose::Files => {
                let result = self.caller.call(&rpc).await;
                let made = ids_of(&result.map_err(|error| failed(error, &rpc, false))?);
                let beside = Beside::default();
                self.undo.push(Undo { model: rpc.model, ids: made.clone(), kind: Kind::Files, beside });
                self.made.push(made);
            }
            Purpose::Main { beside } => {
                // A new one perhaps together with those of other calls.
                let result = self.caller.call_batched(&rpc).await;
                let result = result.map_err(|error| failed(error, &rpc, true).with(&beside.models))?;
                let made = ids_of(&result);
                match &rpc.ids {
                    Some(ids) if !ids.is_empty() => self.updated = Some((rpc.model, ids.clone(), beside.models)),
                    _ if made.is_empty() => return Err(lost(no_id(&rpc), &rpc, true).with(&beside.models)),
                    _ => self.undo.push(Undo { model: rpc.model, ids: made.clone(), kind: Kind::Main, beside }),
                }
                self.made.push(made);
                return Ok(Some(result));
            }
            Purpose::Check { step, below } => {
                self.check(&rpc, step, &below).await?;
                self.made.push(Vec::new());
            }
            Purpose::Tie { place } => {
                let record = self.locate(&place).await?;
                if let Some(id) = rpc.argument_mut("/vals/res_id") {
                    *id = json!(record);
                }
                // The same values once more do no harm, so a lost answer is no reason to give up.
                self.caller.call_again(&rpc).await?;
                self.made.push(Vec::new());
            }
        }
        Ok(None)
    }

    /// Makes a record that a lookup did not find. Where the answer is lost, the lookup tells whether it is there.
    async fn make(&self, rpc: &Rpc, probe: &Rpc, beside: Beside) -> Result<Undo, Failed> {
        let (ids, kind) = match self.caller.call(rpc).await {
            Ok(result) => (ids_of(&result), Kind::Made),
            Err(error) if is_lost(&error) => match self.caller.call_again(probe).await.map(|found| ids_of(&found)) {
                Ok(found) if found.len() == 1 => (found, Kind::Adopted),
                // It may be there, and refer to what was made before it.
                _ => return Err(lost(error, rpc, true).with(&beside.models)),
            },
            Err(error) => return Err(error.into()),
        };
        if ids.is_empty() {
            return Err(lost(no_id(rpc), rpc, true).with(&beside.models));
        }
        Ok(Undo { model: rpc.model.clone(), ids, kind, beside })
    }

    /// Whether the caller finds what it has made.
    async fn check(&self, rpc: &Rpc, step: usize, below: &[Below]) -> Result<(), Failed> {
        let made = self.made.get(step).cloned().unwrap_or_default();
        let policy = self.caller.policy();
        let outside = |model: &str| Failed::from(plan::denied("payload")(policy.outside(model)));
        if ids_of(&self.caller.call_again(rpc).await?) != made {
            return Err(outside(&rpc.model));
        }
        for (model, mut ids) in self.lines_below(&rpc.model, made, below).await? {
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

    /// Puts the ids that earlier steps made where they belong. A call that lacks one is not made.
    fn fill(&self, rpc: &mut Rpc, holes: &[Hole]) -> Result<(), OdooError> {
        for hole in holes {
            let made = self.made.get(hole.step).and_then(|made| made.get(hole.index));
            let Some(&id) = made else {
                let why = Why::Garbled(format!("an earlier call gave no id for {}.{}", rpc.model, rpc.method));
                return Err(OdooError::NoAnswer { effect: Effect::Read, why });
            };
            match &hole.at {
                At::Ids => rpc.ids.get_or_insert_default().push(id),
                At::Argument(pointer) => {
                    if let Some(place) = rpc.argument_mut(pointer) {
                        *place = json!(id);
                    }
                }
            }
        }
        Ok(())
    }

    /// The id of the record that files belong to: a record that was made or updated, or one of its lines.
    async fn locate(&mut self, place: &Place) -> Result<i64, Failed> {
        let (mut model, mut id) = match &place.root {
            Root::Record { model, id } => (model.clone(), *id),
            Root::Step(step) => (
                self.models.get(*step).cloned().unwrap_or_default(),
                self.made.get(*step).and_then(|made| made.first()).copied().unwrap_or_default(),
            ),
        };
        for line in &place.lines {
            let key = (model, id, line.field.clone());
            if !self.lines.contains_key(&key) {
                let lines = self.new_lines(&key.0, key.1, line).await?;
                self.lines.insert(key.clone(), lines);
            }
            id = match self.lines.get(&key) {
                Some(ids) if ids.len() == line.of => ids[line.index],
                ids => {
                    let (sent, there) = (line.of, ids.map_or(0, Vec::len));
                    return Err(plan::Error::LinesDiffer { field: line.field.clone(), sent, there }.into());
                }
            };
            model = line.model.clone();
        }
        Ok(id)
    }

    /// The lines that this call made in a field: as the field has them, or where that leaves some out, as they lead back.
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

/// An answer without the ids that it should have: what was made is not known.
fn no_id(rpc: &Rpc) -> OdooError {
    let why = Why::Garbled(format!("{}.{} gave no id", rpc.model, rpc.method));
    OdooError::NoAnswer { effect: Effect::Write, why }
}

fn failed(error: OdooError, rpc: &Rpc, keeps_the_rest: bool) -> Failed {
    if is_lost(&error) { lost(error, rpc, keeps_the_rest) } else { error.into() }
}

fn lost(error: OdooError, rpc: &Rpc, keeps_the_rest: bool) -> Failed {
    let ids = rpc.ids.clone().unwrap_or_default();
    let own = Left {
        model: rpc.model.clone(),
        ids,
        fate: Fate::Unknown,
        why: "Odoo's answer was lost".to_owned(),
        with: Vec::new(),
    };
    Failed { cause: error.into(), own: vec![own], keeps_the_rest }
}

/// The ids in the answer of `create` (a list of ids), `web_save` or `search_read` (a list of records).
pub(super) fn ids_of(result: &Value) -> Vec<i64> {
    let items = result.as_array().into_iter().flatten();
    items.filter_map(|item| item.as_i64().or_else(|| item["id"].as_i64())).collect()
}
