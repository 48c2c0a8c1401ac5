//! Lookups of a many2many that match several records: one of them is taken where the field itself says which, and the
//! others are warned of, since all are linked.
//!
//! Odoo's forms offer only the records within the domain of a field, such as the taxes on sales in a sales order. The
//! constant terms of that domain are read and applied where several records match, and nowhere else: what matches one
//! record costs nothing.

mod constant_terms;
mod places;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use self::{constant_terms::constant_terms, places::Place};
use super::{
    Error, WarningCode, Warnings, error::listed, lookup::QuestionId, read::Draft, resolve::Resolved,
    schema_view::with_schemas,
};
use crate::{
    odoo::{Caller, Page, Rpc},
    policy::{NAME, Touch},
};

/// The number of records that a warning names.
const NAMED: usize = 5;
/// The number of different lookups for which one record is sought.
const MAX_CHOSEN: usize = 20;
/// The number of records of a model whose names are read.
const MAX_NAMES: usize = 500;

/// The lookups of one request that match several records.
pub(super) struct Several<'c> {
    caller: &'c Caller,
    /// By model and field of the many2many, and question: the one record that is taken, where there is one.
    chosen: BTreeMap<(String, String, QuestionId), Option<i64>>,
    /// By model and id; `None` where the caller may not read it.
    names: BTreeMap<(String, i64), Option<String>>,
}

impl<'c> Several<'c> {
    pub(super) fn new(caller: &'c Caller) -> Self {
        Self { caller, chosen: BTreeMap::new(), names: BTreeMap::new() }
    }

    /// Takes one record where a lookup in a many2many of the draft matches several and the field's domain leaves one of
    /// them, and warns of the others.
    ///
    /// # Errors
    /// The call is strict, and all of several records would be linked.
    pub(super) async fn narrow(
        &mut self,
        model: &str,
        draft: &mut Draft,
        resolved: &Resolved,
        warnings: &mut Warnings,
    ) -> Result<(), Error> {
        let mut left = Vec::new();
        for place in places::of(model, draft, &resolved.matches) {
            match self.choice(resolved, &place).await {
                Some(id) => place.take(draft, id),
                None => left.push(place),
            }
        }
        self.warn(resolved, &left, warnings).await
    }

    /// Does the same in the records that lookups did not find.
    ///
    /// # Errors
    /// As [`Self::narrow`].
    pub(super) async fn narrow_missing(
        &mut self,
        resolved: &mut Resolved,
        warnings: &mut Warnings,
    ) -> Result<(), Error> {
        let mut missing = std::mem::take(&mut resolved.missing_records);
        let mut outcome = Ok(());
        for (id, missing) in &mut missing {
            let model = resolved.questions.get(*id).model.clone();
            outcome = self.narrow(&model, &mut missing.draft, resolved, warnings).await;
            if outcome.is_err() {
                break;
            }
        }
        resolved.missing_records = missing;
        outcome
    }

    async fn choice(&mut self, resolved: &Resolved, place: &Place) -> Option<i64> {
        let key = (place.model.clone(), place.field.clone(), place.question);
        if let Some(one) = self.chosen.get(&key) {
            return *one;
        }
        if self.chosen.len() == MAX_CHOSEN {
            return None;
        }
        let one = choose(self.caller, resolved, place).await;
        self.chosen.insert(key, one);
        one
    }

    /// Warns of the places where all of several records are linked, with the names of some.
    async fn warn(&mut self, resolved: &Resolved, places: &[Place], warnings: &mut Warnings) -> Result<(), Error> {
        self.read_names(resolved, places).await;
        for place in places {
            let question = resolved.questions.get(place.question);
            let matched = &resolved.matches[place.question];
            let named = |id: &i64| Some((*id, self.names.get(&(question.model.clone(), *id))?.clone()?));
            let candidates: Vec<(i64, String)> = matched.iter().take(NAMED).filter_map(named).collect();
            let message = format!(
                "'{}': '{}' matched {} records, and all of them are linked{}",
                place.field,
                question.shown(),
                matched.len(),
                listed(&candidates)
            );
            warnings.note(WarningCode::SeveralMatched, place.path.clone(), message)?;
        }
        Ok(())
    }

    /// Reads the names of the records that warnings name, where the caller may read them. What fails leaves them out.
    async fn read_names(&mut self, resolved: &Resolved, places: &[Place]) {
        let mut unread: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for place in places {
            let model = resolved.questions.get(place.question).model.as_str();
            for id in resolved.matches[place.question].iter().take(NAMED) {
                let key = (model.to_owned(), *id);
                if self.names.len() < MAX_NAMES && !self.names.contains_key(&key) {
                    self.names.insert(key, None);
                    unread.entry(model).or_default().push(*id);
                }
            }
        }
        for (model, ids) in unread {
            if self.caller.policy().decide(Touch::Read { model, field: NAME }).is_err() {
                continue;
            }
            let rows = self.caller.call(&Rpc::read(model, ids, json!([NAME]))).await.unwrap_or_default();
            for row in rows.as_array().into_iter().flatten() {
                if let (Some(id), Some(name)) = (row["id"].as_i64(), row[NAME].as_str()) {
                    self.names.insert((model.to_owned(), id), Some(name.to_owned()));
                }
            }
        }
    }
}

/// The only one of the matching records that the field's domain allows. What cannot be asked leaves all of them.
async fn choose(caller: &Caller, resolved: &Resolved, place: &Place) -> Option<i64> {
    let rpc = Rpc::fields_get_of(&place.model, &[&place.field], &["domain"]);
    let described = caller.call(&rpc).await.ok()?;
    let mut terms = constant_terms(&described[&place.field]["domain"]);
    if terms.is_empty() {
        terms.extend(place.kind_of_tax(&resolved.questions.get(place.question).model));
    }
    if terms.is_empty() {
        return None;
    }
    let related = resolved.questions.get(place.question).model.clone();
    terms.push(json!(["id", "in", &resolved.matches[place.question]]));
    let domain = Value::Array(terms);
    with_schemas(caller, |schemas| schemas.domain(&related, &domain, &place.path)).await.ok()?;
    let rows = caller.call(&Rpc::search_read(&related, domain, json!(["id"]), Page::first(2))).await.ok()?;
    match rows.as_array().map(Vec::as_slice) {
        Some([row]) => row["id"].as_i64(),
        _ => None,
    }
}
