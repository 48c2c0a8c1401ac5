//! The schemas that a pure reading of a payload needs, fetched until it lacks none.
//!
//! A payload names models only through its fields, so which schemas are needed comes to light while it is read. Reading
//! is repeated with what was missing, level by level, instead of waiting for Odoo in the middle of it.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::Error;
use crate::odoo::{Caller, Schema};

/// The schemas at hand, and a note of the models that were asked for in vain.
#[derive(Debug, Default)]
pub(super) struct Known {
    schemas: HashMap<String, Arc<Schema>>,
    missing: RefCell<BTreeSet<String>>,
}

impl Known {
    /// A model's schema; where it is not at hand yet, what is made without it will be thrown away.
    pub(super) fn get(&self, model: &str) -> Option<&Schema> {
        let schema = self.schemas.get(model).map(Arc::as_ref);
        if schema.is_none() {
            self.missing.borrow_mut().insert(model.to_owned());
        }
        schema
    }

    #[cfg(test)]
    pub(super) fn of(schemas: impl IntoIterator<Item = Schema>) -> Self {
        let schemas = schemas.into_iter().map(|schema| (schema.model.clone(), Arc::new(schema))).collect();
        Self { schemas, missing: RefCell::default() }
    }
}

/// Runs `read` until every schema that it asks for is there. One round of side-by-side fetches per level of the payload.
pub(super) async fn with_schemas<T>(
    caller: &Caller,
    mut read: impl FnMut(&Known) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut known = Known::default();
    loop {
        let outcome = read(&known);
        let missing = known.missing.take();
        if missing.is_empty() {
            return outcome;
        }
        for schema in caller.schemas(missing).await? {
            known.schemas.insert(schema.model.clone(), schema);
        }
    }
}
