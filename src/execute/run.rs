//! The calls of a write, one after another, and the way back when one of them fails.
//!
//! There are three ends, and no fourth: everything is there; nothing is; or the error says what is left, or may be left,
//! and why. What was made before a refusal is deleted again, last first. What became of a call whose answer was lost is
//! found out where a lookup can tell; where it cannot, nothing that the call may refer to is touched.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::Error;
use crate::{
    odoo::{Caller, Error as OdooError, Page, Retry, Rpc},
    plan::{self, At, Below, Hole, Line, Place, Purpose, Root, Step},
};

/// A write that failed and could not be taken back whole.
#[derive(Debug, thiserror::Error)]
#[error("{cause}; {}", left.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct Incomplete {
    #[source]
    pub cause: plan::Error,
    pub left: Vec<Left>,
}

/// Something that is in Odoo, or may be, though the call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    pub model: String,
    /// None where Odoo's answer was lost, and with it the ids.
    pub ids: Vec<i64>,
    pub fate: Fate,
    pub why: String,
    /// The models of what was made with it, in the same call.
    pub with: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was made, and is still there.
    Made,
    /// It was updated, and stays so.
    Updated,
    /// It is not known whether it was made or updated.
    Unknown,
}

impl Fate {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Updated => "updated",
            Self::Unknown => "unknown",
        }
    }
}

impl std::fmt::Display for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { model, ids, why, .. } = self;
        let ids = ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self.fate {
            Fate::Made => write!(f, "left behind: {model} {ids} ({why})"),
            Fate::Updated => write!(f, "{model} {ids} was updated ({why})"),
            Fate::Unknown if ids.is_empty() => write!(f, "a {model} may be left behind ({why})"),
            Fate::Unknown => write!(f, "{model} {ids} may be changed or left behind ({why})"),
        }?;
        if self.with.is_empty() { Ok(()) } else { write!(f, ", with its {}", self.with.join(", ")) }
    }
}

/// Makes the calls, and gives the result of the main one (null where there was none).
pub(super) async fn run(caller: &Caller, steps: Vec<Step>, before: HashSet<(String, i64)>) -> Result<Value, Error> {
    let models = steps.iter().map(|step| step.rpc.model.clone()).collect();
    let mut run =
        Run { caller, models, before, made: Vec::new(), undo: Vec::new(), updated: None, lines: HashMap::new() };
    let mut result = Value::Null;
    for step in steps {
        match run.take(step).await {
            Ok(Some(main)) => result = main,
            Ok(None) => {}
            Err(failed) => return Err(run.give_up(failed).await),
        }
    }
    Ok(result)
}

struct Run<'c> {
    caller: &'c Caller,
    /// The model of each step.
    models: Vec<String>,
    /// Lines that were there before, by field.
    before: HashSet<(String, i64)>,
    /// The ids that each step made.
    made: Vec<Vec<i64>>,
    /// What is to be deleted if a later step fails, in the order in which it was made.
    undo: Vec<Undo>,
    /// What was updated; that cannot be undone.
    updated: Option<(String, Vec<i64>, Vec<String>)>,
    /// Lines that were read to find the record of a file.
    lines: HashMap<(String, i64, String), Vec<i64>>,
}

struct Undo {
    model: String,
    ids: Vec<i64>,
    kind: Kind,
    below: Vec<Below>,
    /// Models of which it may have made records that nobody can tell.
    unseen: Vec<String>,
    /// Models of all that was made with it.
    within: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Made,
    /// Found by its lookup after an answer was lost. It may be another caller's, so it is not deleted.
    Adopted,
    Files,
    Main,
}

/// A step that failed, and what is known of its own effect.
struct Failed {
    cause: plan::Error,
    own: Vec<Left>,
    /// The call may have been done, so nothing that it may refer to is touched.
    keeps_the_rest: bool,
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
fn is_lost(error: &OdooError) -> bool {
    error.retry() == Retry::Unsafe
}

impl Run<'_> {
    /// Makes one call; gives the result of the main one.
    async fn take(&mut self, step: Step) -> Result<Option<Value>, Failed> {
        let Step { mut rpc, holes, purpose } = step;
        self.fill(&mut rpc, &holes);
        match purpose {
            Purpose::Make { probe, lookup, must_match, below } => {
                let undo = self.make(&rpc, &probe, below).await?;
                let made = undo.ids.clone();
                self.undo.push(undo);
                if must_match && ids_of(&self.caller.call_again(&probe).await?) != made {
                    let (field, value) = lookup;
                    return Err(plan::Error::NotFoundAfterwards { model: rpc.model, field, value }.into());
                }
                self.made.push(made);
            }
            Purpose::Files => {
                let made = ids_of(&self.call_unless_lost(&rpc, false).await?);
                self.undo.push(Undo {
                    model: rpc.model,
                    ids: made.clone(),
                    kind: Kind::Files,
                    below: Vec::new(),
                    unseen: Vec::new(),
                    within: Vec::new(),
                });
                self.made.push(made);
            }
            Purpose::Main { below, unseen, within } => {
                let result = self.call_unless_lost(&rpc, true).await.map_err(|failed| failed.with(&within))?;
                let made = ids_of(&result);
                match rpc.ids.filter(|ids| !ids.is_empty()) {
                    Some(ids) => self.updated = Some((rpc.model, ids, within)),
                    None => {
                        self.undo.push(Undo {
                            model: rpc.model,
                            ids: made.clone(),
                            kind: Kind::Main,
                            below,
                            unseen,
                            within,
                        });
                    }
                }
                self.made.push(made);
                return Ok(Some(result));
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
    async fn make(&self, rpc: &Rpc, probe: &Rpc, below: Vec<Below>) -> Result<Undo, Failed> {
        let (ids, kind) = match self.caller.call(rpc).await {
            Ok(result) => (ids_of(&result), Kind::Made),
            Err(error) if is_lost(&error) => match self.caller.call_again(probe).await.map(|found| ids_of(&found)) {
                Ok(found) if found.len() == 1 => (found, Kind::Adopted),
                // It may be there, and refer to what was made before it.
                _ => return Err(lost(error, rpc, true)),
            },
            Err(error) => return Err(error.into()),
        };
        let within = below.iter().map(|below| below.model.clone()).collect();
        Ok(Undo { model: rpc.model.clone(), ids, kind, below, unseen: Vec::new(), within })
    }

    async fn call_unless_lost(&self, rpc: &Rpc, is_main: bool) -> Result<Value, Failed> {
        self.caller
            .call(rpc)
            .await
            .map_err(|error| if is_lost(&error) { lost(error, rpc, is_main) } else { error.into() })
    }

    /// Puts the ids that earlier steps made where they belong.
    fn fill(&self, rpc: &mut Rpc, holes: &[Hole]) {
        for hole in holes {
            let Some(&id) = self.made.get(hole.step).and_then(|made| made.get(hole.index)) else { continue };
            match &hole.at {
                At::Ids => rpc.ids.get_or_insert_default().push(id),
                At::Argument(pointer) => {
                    if let Some(place) = rpc.argument_mut(pointer) {
                        *place = json!(id);
                    }
                }
            }
        }
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

    /// Deletes what was made, last first, and says what could not be.
    async fn give_up(mut self, failed: Failed) -> Error {
        let Failed { cause, own: mut left, keeps_the_rest } = failed;
        let mut keep = keeps_the_rest.then_some("a call that may refer to it may have been done");
        if let Some((model, ids, with)) = self.updated.take() {
            left.push(Left { model, ids, fate: Fate::Updated, why: "an update is not undone".to_owned(), with });
            keep = Some("what was updated may refer to it");
        }
        while let Some(undo) = self.undo.pop() {
            let Undo { model, ids, kind, below, unseen, within } = undo;
            // Files that are not tied to anything are referred to by nothing.
            let why = keep.filter(|_| kind != Kind::Files || keeps_the_rest);
            if let Some(why) = why {
                left.push(Left { model, ids, fate: Fate::Made, why: why.to_owned(), with: within });
                continue;
            }
            if kind == Kind::Adopted {
                left.push(Left {
                    model,
                    ids,
                    fate: Fate::Made,
                    why: "it may be another caller's".to_owned(),
                    with: within,
                });
                keep = Some("a record that is kept may refer to it");
                continue;
            }
            let mut not_deleted = self.delete_with_lines(&model, &ids, &below).await;
            if let Some(left) = not_deleted.iter_mut().find(|left| left.model == model && left.ids == ids) {
                left.with.clone_from(&within);
                if kind != Kind::Files {
                    keep = Some("a record that could not be deleted may refer to it");
                }
            }
            left.extend(not_deleted);
            let unseen = unseen.into_iter();
            let why = "a command of the payload may have made it beside what was deleted".to_owned();
            left.extend(unseen.map(|model| Left {
                model,
                ids: Vec::new(),
                fate: Fate::Unknown,
                why: why.clone(),
                with: Vec::new(),
            }));
        }
        if left.is_empty() { Error::Refused(cause) } else { Incomplete { cause, left }.into() }
    }

    /// Deletes records, and then what is left of the lines they had; gives what could not be deleted.
    async fn delete_with_lines(&self, model: &str, ids: &[i64], below: &[Below]) -> Vec<Left> {
        let lines = match self.lines_below(model, ids.to_vec(), below).await {
            Ok(lines) => lines,
            Err(error) => return vec![not_deleted(model, ids, &error)],
        };
        if let Err(error) = self.delete(model, ids).await {
            return vec![not_deleted(model, ids, &error)];
        }
        let mut left = Vec::new();
        for (model, ids) in lines {
            if let Err(error) = self.delete_rest(&model, &ids).await {
                left.push(not_deleted(&model, &ids, &error));
            }
        }
        left
    }

    /// Deletes those of the records that are still there.
    async fn delete_rest(&self, model: &str, ids: &[i64]) -> Result<(), OdooError> {
        let those = json!([["id", "in", ids]]);
        let rest = Rpc::search_read(model, those, json!(["id"]), Page::default()).with_context("active_test", false);
        let rest = ids_of(&self.caller.call_again(&rest).await?);
        if rest.is_empty() {
            return Ok(());
        }
        match self.caller.call_again(&Rpc::unlink(model, rest)).await {
            Err(OdooError::Fault(fault)) if fault.code() == "missing_record" => Ok(()),
            outcome => outcome.map(|_| ()),
        }
    }

    /// The ids of the lines at every level, the upper ones first.
    async fn lines_below(
        &self,
        model: &str,
        ids: Vec<i64>,
        below: &[Below],
    ) -> Result<Vec<(String, Vec<i64>)>, OdooError> {
        let mut lines = Vec::new();
        let mut level = vec![(model.to_owned(), ids, below)];
        while let Some((model, ids, below)) = level.pop() {
            for inner in below.iter().filter(|_| !ids.is_empty()) {
                let inverse = inner.inverse.as_deref();
                let found = plan::lines_of(self.caller, &model, &ids, &inner.field, &inner.model, inverse).await?;
                lines.push((inner.model.clone(), found.clone()));
                level.push((inner.model.clone(), found, &inner.within));
            }
        }
        Ok(lines)
    }

    /// Deletes records. Odoo may have deleted some with others, such as the files of a record; those are gone as well.
    async fn delete(&self, model: &str, ids: &[i64]) -> Result<(), OdooError> {
        match self.caller.call_again(&Rpc::unlink(model, ids.to_vec())).await {
            Err(OdooError::Fault(fault)) if fault.code() == "missing_record" => self.delete_rest(model, ids).await,
            outcome => outcome.map(|_| ()),
        }
    }
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

fn not_deleted(model: &str, ids: &[i64], error: &OdooError) -> Left {
    let fate = if is_lost(error) { Fate::Unknown } else { Fate::Made };
    Left {
        model: model.to_owned(),
        ids: ids.to_vec(),
        fate,
        why: format!("deleting it failed: {error}"),
        with: Vec::new(),
    }
}

/// The ids in the answer of `create` (a list of ids), `web_save` or `search_read` (a list of records).
fn ids_of(result: &Value) -> Vec<i64> {
    let items = result.as_array().into_iter().flatten();
    items.filter_map(|item| item.as_i64().or_else(|| item["id"].as_i64())).collect()
}
