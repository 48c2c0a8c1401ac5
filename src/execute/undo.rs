//! Undoing a write: what was created before a failure is deleted again, last first, and what cannot be deleted is
//! named.
//!
//! A record is kept if a record that stays, or may exist, may refer to it, or if Odoo would delete a record with it
//! that the call did not create.

use serde_json::{Value, json};

use super::{
    Error,
    failed::{Failed, is_lost},
    leftover::{Fate, Incomplete, Leftover},
};
use crate::{
    odoo::{Caller, Error as OdooError, Page, Rpc},
    plan::{self, Delegation, NestedLines, SideEffects},
};

/// Records to delete if a later step fails.
#[derive(Debug)]
pub(super) struct Undo {
    pub(super) model: String,
    pub(super) ids: Vec<i64>,
    pub(super) kind: Kind,
    pub(super) side_effects: SideEffects,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Created,
    /// Found by its lookup after an answer was lost. It may be another caller's, so it is not deleted.
    Adopted,
    Files,
    Main,
}

/// The records that the main call updated, with the models of what was created beside them.
pub(super) struct Updated {
    pub(super) model: String,
    pub(super) ids: Vec<i64>,
    pub(super) with: Vec<String>,
}

/// What a write has done so far, and how to take it back.
pub(super) struct UndoList<'c> {
    caller: &'c Caller,
    /// What is to be deleted if a later step fails, in the order in which it was created.
    created: Vec<Undo>,
    /// What was updated; that cannot be undone.
    pub(super) updated: Option<Updated>,
}

impl<'c> UndoList<'c> {
    pub(super) fn new(caller: &'c Caller) -> Self {
        Self { caller, created: Vec::new(), updated: None }
    }

    /// Adds what was created after everything that is there.
    pub(super) fn push(&mut self, undo: Undo) {
        self.created.push(undo);
    }

    /// Takes out what has been added.
    pub(super) fn take(&mut self) -> Vec<Undo> {
        std::mem::take(&mut self.created)
    }

    /// Deletes what was created, last first; returns what is left.
    pub(super) async fn delete_all(self) -> Vec<Leftover> {
        self.take_back(Vec::new(), false).await
    }

    /// Deletes what was created, last first, and names what could not be deleted.
    pub(super) async fn give_up(self, failed: Failed) -> Error {
        let Failed { cause, own, keeps_the_rest } = failed;
        let left = self.take_back(own, keeps_the_rest).await;
        if left.is_empty() { Error::Refused(cause) } else { Incomplete { cause, left }.into() }
    }

    /// Adds what is left to `left`.
    async fn take_back(mut self, mut left: Vec<Leftover>, keeps_the_rest: bool) -> Vec<Leftover> {
        let mut keep = keeps_the_rest.then_some("a call that may refer to it may have been done");
        if let Some(Updated { model, ids, with }) = self.updated.take() {
            left.push(Leftover { model, ids, fate: Fate::Updated, why: "an update is not undone".to_owned(), with });
            keep = Some("what was updated may refer to it");
        }
        while let Some(undo) = self.created.pop() {
            let Undo { model, ids, kind, side_effects } = undo;
            let SideEffects { lines, unidentified, models, delegation } = side_effects;
            // Nothing refers to files that are not attached.
            let why = keep.filter(|_| kind != Kind::Files || keeps_the_rest);
            if let Some(why) = why {
                left.push(Leftover { model, ids, fate: Fate::Made, why: why.to_owned(), with: models });
                continue;
            }
            let is_part = match delegation {
                Delegation::None => false,
                Delegation::ToCreated => self.created.iter().any(|before| before.kind == Kind::Adopted),
                Delegation::ToExisting => true,
            };
            let why = match (kind, is_part) {
                (Kind::Adopted, _) => Some("it may be another caller's"),
                (_, true) => Some("Odoo may delete a record with it that was there before, which is a part of it"),
                _ => None,
            };
            if let Some(why) = why {
                left.push(Leftover { model, ids, fate: Fate::Made, why: why.to_owned(), with: models });
                keep = Some("a record that is kept may refer to it");
                continue;
            }
            let mut not_deleted = self.delete_with_lines(&model, &ids, &lines).await;
            if let Some(left) = not_deleted.iter_mut().find(|left| left.model == model && left.ids == ids) {
                left.with.clone_from(&models);
                if kind != Kind::Files {
                    keep = Some("a record that could not be deleted may refer to it");
                }
            }
            left.extend(not_deleted);
            let why = "a command of the payload may have made it beside what was deleted".to_owned();
            left.extend(unidentified.into_iter().map(|model| Leftover {
                model,
                ids: Vec::new(),
                fate: Fate::Unknown,
                why: why.clone(),
                with: Vec::new(),
            }));
        }
        left
    }

    /// Deletes records, and then the remaining lines that they had; returns what could not be deleted.
    async fn delete_with_lines(&self, model: &str, ids: &[i64], nested: &[NestedLines]) -> Vec<Leftover> {
        let lines = match self.lines_below(model, ids.to_vec(), nested).await {
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

    /// Deletes those of the records that still exist.
    async fn delete_rest(&self, model: &str, ids: &[i64]) -> Result<(), OdooError> {
        let those = json!([["id", "in", ids]]);
        let rest = Rpc::search_read(model, those, json!(["id"]), Page::default()).reaching_all();
        let rest = rest.with_context("active_test", false);
        let rest = ids_of(&self.caller.call_again(&rest).await?);
        if rest.is_empty() {
            return Ok(());
        }
        match self.caller.call_again(&Rpc::unlink(model, rest)).await {
            Err(OdooError::Fault(fault)) if fault.is_missing_record() => Ok(()),
            outcome => outcome.map(|_| ()),
        }
    }

    /// The ids of the lines at every level, the upper ones first.
    pub(super) async fn lines_below(
        &self,
        model: &str,
        ids: Vec<i64>,
        nested: &[NestedLines],
    ) -> Result<Vec<(String, Vec<i64>)>, OdooError> {
        let mut lines = Vec::new();
        let mut level = vec![(model.to_owned(), ids, nested)];
        while let Some((model, ids, nested)) = level.pop() {
            for inner in nested.iter().filter(|_| !ids.is_empty()) {
                let inverse = inner.inverse.as_deref();
                let found = plan::lines_of(self.caller, &model, &ids, &inner.field, &inner.model, inverse).await?;
                lines.push((inner.model.clone(), found.clone()));
                level.push((inner.model.clone(), found, &inner.within));
            }
        }
        Ok(lines)
    }

    /// Deletes records. Odoo may have deleted some with others, such as the files of a record, and those count as
    /// deleted. Not every protocol says that this is why Odoo refuses, so the remaining records are searched for.
    async fn delete(&self, model: &str, ids: &[i64]) -> Result<(), OdooError> {
        match self.caller.call_again(&Rpc::unlink(model, ids.to_vec())).await {
            Err(OdooError::Fault(_)) => self.delete_rest(model, ids).await,
            outcome => outcome.map(|_| ()),
        }
    }
}

fn not_deleted(model: &str, ids: &[i64], error: &OdooError) -> Leftover {
    let fate = if is_lost(error) { Fate::Unknown } else { Fate::Made };
    Leftover {
        model: model.to_owned(),
        ids: ids.to_vec(),
        fate,
        why: format!("deleting it failed: {error}"),
        with: Vec::new(),
    }
}

/// The ids in the answer of `create` (a list of ids), `web_save` or `search_read` (a list of records).
pub(super) fn ids_of(result: &Value) -> Vec<i64> {
    let items = result.as_array().into_iter().flatten();
    // `name_search` gives pairs of id and name.
    items.filter_map(|item| item.as_i64().or_else(|| item["id"].as_i64()).or_else(|| item[0].as_i64())).collect()
}
