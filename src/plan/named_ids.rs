//! The records that a payload names by id, and which of them do not exist.
//!
//! An id goes to Odoo unchecked: asking for each would cost a call. Odoo refuses one that does not exist with a sentence that names
//! neither field nor id (14-19: "another model requires the record being deleted"). So only when Odoo has refused, the named records are
//! looked for, with one search for each model.

use std::collections::BTreeMap;

use futures_util::future;
use serde_json::{Map, Value, json};

use super::{Error, Nearby, NoMatch, rows};
use crate::odoo::{self, Caller, Page, Rpc};

/// A record that is named by its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedId {
    pub model: String,
    pub id: i64,
    /// Where in `vals` it stands.
    pub path: String,
}

/// The number of models, and of records of each, that are looked for.
const MAX_MODELS: usize = 8;
const MAX_IDS: usize = 1_000;

/// The number of named records that a call keeps in mind.
pub(super) const MAX_NAMED: usize = 10_000;

/// Explains a refusal of Odoo's by a record that was named and does not exist, where that is so; otherwise returns it as it is.
pub(crate) async fn explain(caller: &Caller, refused: Error, named: &[NamedId]) -> Error {
    if !matches!(refused, Error::Odoo(odoo::Error::Fault(_))) {
        return refused;
    }
    let mut by_model: BTreeMap<&str, Vec<&NamedId>> = BTreeMap::new();
    for named in named {
        by_model.entry(&named.model).or_default().push(named);
    }
    let searches = by_model.into_iter().take(MAX_MODELS).map(|(model, named)| missing(caller, model, named));
    let missing = future::join_all(searches).await.into_iter().flatten();
    match missing.min_by_key(|missing| named.iter().position(|named| named == *missing)) {
        None => refused,
        Some(NamedId { model, id, path }) => {
            let field =
                path.rsplit('.').next().unwrap_or_default().trim_end_matches(|c: char| "[]0123456789".contains(c));
            let (path, field, value) = (path.clone(), field.to_owned(), id.to_string());
            let key = Map::from_iter([("id".to_owned(), json!(id))]);
            let (model, nearby) = (model.clone(), Nearby::default());
            Error::NoMatch(Box::new(NoMatch { path, field, value, model, key, nearby }))
        }
    }
}

/// The first of the records of one model that is not there for the caller. A search that fails explains nothing.
async fn missing<'n>(caller: &Caller, model: &str, named: Vec<&'n NamedId>) -> Option<&'n NamedId> {
    let named: Vec<&NamedId> = named.into_iter().take(MAX_IDS).collect();
    let ids: Vec<i64> = named.iter().map(|named| named.id).collect();
    let page = Page::first(ids.len() as u64);
    let rpc =
        Rpc::search_read(model, json!([["id", "in", ids]]), json!(["id"]), page).with_context("active_test", false);
    let found: Value = caller.call(&rpc).await.ok()?;
    let there = rows::records(&rpc, found).and_then(|rows| rows::ids(&rpc, &rows)).ok()?;
    named.into_iter().find(|named| !there.contains(&named.id))
}
