//! Undoing a write: what was created before a failure is deleted again, last first, and what cannot be deleted is
//! named.
//!
//! A record is kept if a record that stays, or may exist, may refer to it, or if Odoo would delete a record with it
//! that the call did not create.

use serde_json::json;

use super::{
    Error,
    run::{Failed, Run, Updated, ids_of, is_lost},
};
use crate::{
    odoo::{Error as OdooError, Page, Rpc},
    plan::{self, Delegation, NestedLines, SideEffects},
};

/// A write that failed and could not be undone completely.
#[derive(Debug, thiserror::Error)]
#[error("{cause}; {}", left.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct Incomplete {
    #[source]
    pub cause: plan::Error,
    pub left: Vec<Leftover>,
}

/// Something that is in Odoo, or may be, though the call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    pub model: String,
    /// Empty where Odoo's answer was lost, and with it the ids.
    pub ids: Vec<i64>,
    pub fate: Fate,
    pub why: String,
    /// The models of what was created with it, in the same call.
    pub with: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was created, and still exists.
    Made,
    /// It was updated, and stays so.
    Updated,
    /// It is unknown whether it was created or updated.
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

impl std::fmt::Display for Leftover {
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

/// Records to delete if a later step fails.
pub(super) struct Undo {
    pub(super) model: String,
    pub(super) ids: Vec<i64>,
    pub(super) kind: Kind,
    pub(super) side_effects: SideEffects,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Created,
    /// Found by its lookup after an answer was lost. It may be another caller's, so it is not deleted.
    Adopted,
    Files,
    Main,
}

impl Run<'_> {
    /// Deletes what was created, last first, and names what could not be deleted.
    pub(super) async fn give_up(mut self, failed: Failed) -> Error {
        let Failed { cause, own: mut left, keeps_the_rest } = failed;
        let mut keep = keeps_the_rest.then_some("a call that may refer to it may have been done");
        if let Some(Updated { model, ids, with }) = self.updated.take() {
            left.push(Leftover { model, ids, fate: Fate::Updated, why: "an update is not undone".to_owned(), with });
            keep = Some("what was updated may refer to it");
        }
        while let Some(undo) = self.undo.pop() {
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
                Delegation::ToCreated => self.undo.iter().any(|before| before.kind == Kind::Adopted),
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
        if left.is_empty() { Error::Refused(cause) } else { Incomplete { cause, left }.into() }
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
