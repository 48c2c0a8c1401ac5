//! The calls of a write, one after another, and the way back when one of them fails.
//!
//! There are three ends, and no fourth: everything is there; nothing is; or the error says what is left, or may be left,
//! and why. What was made before a refusal is deleted again, last first. What became of a call whose answer was lost is
//! found out where a lookup can tell; where it cannot, nothing that the call may refer to is touched.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::Error;
use crate::{
    odoo::{Caller, Error as OdooError, Page, Retry, Rpc},
    plan::{self, At, Below, Hole, Place, Purpose, Root, Step},
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
        }
    }
}

/// Makes the calls, and gives the result of the main one (null where there was none).
pub(super) async fn run(caller: &Caller, steps: Vec<Step>) -> Result<Value, Error> {
    let models = steps.iter().map(|step| step.rpc.model.clone()).collect();
    let mut run = Run { caller, models, made: Vec::new(), undo: Vec::new(), updated: None, lines: HashMap::new() };
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
    /// The ids that each step made.
    made: Vec<Vec<i64>>,
    /// What is to be deleted if a later step fails, in the order in which it was made.
    undo: Vec<Undo>,
    /// What was updated; that cannot be undone.
    updated: Option<(String, Vec<i64>)>,
    /// Lines that were read to find the record of a file.
    lines: HashMap<(String, i64, String), Vec<i64>>,
}

struct Undo {
    model: String,
    ids: Vec<i64>,
    kind: Kind,
    below: Vec<Below>,
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
    /// The main call may have been done, so nothing that it may refer to is touched.
    main_is_unknown: bool,
}

impl From<plan::Error> for Failed {
    fn from(cause: plan::Error) -> Self {
        Self { cause, own: Vec::new(), main_is_unknown: false }
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
            Purpose::Make { probe, must_match, below } => self.make(&rpc, &probe, must_match, below).await?,
            Purpose::Files => {
                let made = ids_of(&self.call_unless_lost(&rpc, false).await?);
                self.undo.push(Undo { model: rpc.model, ids: made.clone(), kind: Kind::Files, below: Vec::new() });
                self.made.push(made);
            }
            Purpose::Main { below } => {
                let result = self.call_unless_lost(&rpc, true).await?;
                let made = ids_of(&result);
                match rpc.ids.filter(|ids| !ids.is_empty()) {
                    Some(ids) => self.updated = Some((rpc.model, ids)),
                    None => self.undo.push(Undo { model: rpc.model, ids: made.clone(), kind: Kind::Main, below }),
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
                self.repeatedly(&rpc).await?;
                self.made.push(Vec::new());
            }
        }
        Ok(None)
    }

    async fn make(&mut self, rpc: &Rpc, probe: &Rpc, must_match: bool, below: Vec<Below>) -> Result<(), Failed> {
        let (made, kind) = match self.caller.call(rpc).await {
            Ok(result) => (ids_of(&result), Kind::Made),
            Err(error) if is_lost(&error) => match self.caller.call(probe).await.map(|found| ids_of(&found)) {
                Ok(found) if !found.is_empty() => (found, Kind::Adopted),
                _ => return Err(lost(error, rpc, false)),
            },
            Err(error) => return Err(error.into()),
        };
        self.undo.push(Undo { model: rpc.model.clone(), ids: made.clone(), kind, below });
        if must_match && ids_of(&self.caller.call(probe).await?) != made {
            let values = rpc.args.first().map(|(_, values)| values[0].to_string()).unwrap_or_default();
            return Err(plan::Error::NotFoundAfterwards { model: rpc.model.clone(), values }.into());
        }
        self.made.push(made);
        Ok(())
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
                // Lines are made in the order in which they were sent, so their ids are in that order; archived ones too.
                let rpc = Rpc::read(&key.0, vec![key.1], json!([line.field])).with_context("active_test", false);
                let read = self.repeatedly(&rpc).await?;
                let mut ids: Vec<i64> =
                    read[0][&line.field].as_array().into_iter().flatten().filter_map(Value::as_i64).collect();
                ids.sort_unstable();
                self.lines.insert(key.clone(), ids);
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

    /// Deletes what was made, last first, and says what could not be.
    async fn give_up(mut self, failed: Failed) -> Error {
        let Failed { cause, own: mut left, main_is_unknown } = failed;
        let mut keep = main_is_unknown.then(|| "the call that may refer to it may have been done".to_owned());
        if let Some((model, ids)) = self.updated.take() {
            left.push(Left { model, ids, fate: Fate::Updated, why: "an update is not undone".to_owned() });
            // What the update refers to stays; files that are not tied to anything go.
            self.undo.retain(|undo| undo.kind == Kind::Files);
        }
        while let Some(Undo { model, ids, kind, below }) = self.undo.pop() {
            let mut keep_here = keep.clone();
            if kind == Kind::Adopted {
                keep_here.get_or_insert("it may be another caller's".to_owned());
            }
            if let Some(why) = keep_here {
                left.push(Left { model, ids, fate: Fate::Made, why });
                continue;
            }
            if let Err(error) = self.delete_with_lines(&model, &ids, &below).await {
                let fate = if is_lost(&error) { Fate::Unknown } else { Fate::Made };
                let why = format!("deleting it failed: {error}");
                if kind == Kind::Main {
                    keep = Some("the record that refers to it could not be deleted".to_owned());
                }
                left.push(Left { model, ids, fate, why });
            }
        }
        if left.is_empty() { Error::Refused(cause) } else { Incomplete { cause, left }.into() }
    }

    /// Deletes records, and then what is left of the lines they had.
    async fn delete_with_lines(&self, model: &str, ids: &[i64], below: &[Below]) -> Result<(), OdooError> {
        let lines = self.lines_below(model, ids.to_vec(), below).await?;
        self.delete(model, ids).await?;
        for (model, ids) in lines {
            self.delete_rest(&model, &ids).await?;
        }
        Ok(())
    }

    /// Deletes those of the records that are still there.
    async fn delete_rest(&self, model: &str, ids: &[i64]) -> Result<(), OdooError> {
        let those = json!([["id", "in", ids]]);
        let rest = Rpc::search_read(model, those, json!(["id"]), Page::default()).with_context("active_test", false);
        let rest = ids_of(&self.repeatedly(&rest).await?);
        if !rest.is_empty() {
            self.repeatedly(&Rpc::unlink(model, rest)).await?;
        }
        Ok(())
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
            if below.is_empty() || ids.is_empty() {
                continue;
            }
            let fields: Vec<&str> = below.iter().map(|below| below.field.as_str()).collect();
            let rows =
                self.repeatedly(&Rpc::read(&model, ids, json!(fields)).with_context("active_test", false)).await?;
            for inner in below {
                let values = rows
                    .as_array()
                    .into_iter()
                    .flatten()
                    .flat_map(|row| row[&inner.field].as_array().into_iter().flatten());
                let ids: Vec<i64> = values.filter_map(Value::as_i64).collect();
                lines.push((inner.model.clone(), ids.clone()));
                level.push((inner.model.clone(), ids, &inner.within));
            }
        }
        Ok(lines)
    }

    /// Makes a call that can be repeated without harm, twice if need be.
    async fn repeatedly(&self, rpc: &Rpc) -> Result<Value, OdooError> {
        match self.caller.call(rpc).await {
            Err(error) if error.retry() != Retry::No => self.caller.call(rpc).await,
            outcome => outcome,
        }
    }

    /// Deletes records. Odoo may have deleted some with others, such as the files of a record; those are gone as well.
    async fn delete(&self, model: &str, ids: &[i64]) -> Result<(), OdooError> {
        match self.repeatedly(&Rpc::unlink(model, ids.to_vec())).await {
            Err(OdooError::Fault(fault)) if fault.code() == "missing_record" => self.delete_rest(model, ids).await,
            outcome => outcome.map(|_| ()),
        }
    }
}

fn lost(error: OdooError, rpc: &Rpc, is_main: bool) -> Failed {
    let ids = rpc.ids.clone().unwrap_or_default();
    let own = Left { model: rpc.model.clone(), ids, fate: Fate::Unknown, why: "Odoo's answer was lost".to_owned() };
    Failed { cause: error.into(), own: vec![own], main_is_unknown: is_main }
}

/// The ids in the answer of `create` (a list of ids), `web_save` or `search_read` (a list of records).
fn ids_of(result: &Value) -> Vec<i64> {
    let items = result.as_array().into_iter().flatten();
    items.filter_map(|item| item.as_i64().or_else(|| item["id"].as_i64())).collect()
}
