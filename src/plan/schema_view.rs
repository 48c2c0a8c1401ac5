//! The models as a call may see them: their schemas, and the policy that decides what is done with them.
//!
//! A payload names models only through its fields, so the schemas that it needs become known while it is read. Reading
//! is repeated with the missing schemas, level by level, instead of waiting for Odoo in the middle of it. A model or
//! field is given only for a stated use, so that nothing is planned that the policy has not decided (`field_access`).

mod field_access;

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use serde_json::Value;

use self::field_access::Use;
use super::{
    Error,
    attachment::{DATAS, RAW},
};
use crate::{
    odoo::{Caller, Field, Kept, Kind, Properties, Schema},
    policy::{Denied, Policy, Touch},
};

/// The schemas that have been fetched, and the models whose schemas turned out to be missing.
#[derive(Debug)]
pub(super) struct SchemaView<'p> {
    schemas: HashMap<String, Arc<Schema>>,
    missing: RefCell<BTreeSet<String>>,
    /// What the policy denies, where reading goes on for further mistakes.
    denied: RefCell<Option<Error>>,
    policy: &'p Policy,
}

/// A model that the policy lets the caller touch, with its fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct ModelView<'k> {
    schemas: &'k SchemaView<'k>,
    schema: &'k Schema,
}

impl<'p> SchemaView<'p> {
    pub(super) fn policy(&self) -> &'p Policy {
        self.policy
    }

    /// A model. `None` where its schema has not been fetched yet: what is read without it is thrown away.
    pub(super) fn model(&self, model: &str) -> Result<Option<ModelView<'_>>, Denied> {
        self.policy.decide(Touch::Model(model))?;
        Ok(self.schema(model).map(|schema| ModelView { schemas: self, schema }))
    }

    pub(super) fn schema(&self, model: &str) -> Option<&Schema> {
        let schema = self.schemas.get(model).map(Arc::as_ref);
        if schema.is_none() {
            self.missing.borrow_mut().insert(model.to_owned());
        }
        schema
    }

    /// Notes what the policy denies: it is told even where Odoo does not tell the schemas that are missing.
    pub(super) fn note_denial(&self, denied: Option<&Error>) {
        *self.denied.borrow_mut() = denied.cloned();
    }

    #[cfg(test)]
    pub(super) fn of(policy: &'p Policy, schemas: impl IntoIterator<Item = Schema>) -> Self {
        let schemas = schemas.into_iter().map(|schema| (schema.model.clone(), Arc::new(schema))).collect();
        Self { schemas, missing: RefCell::default(), denied: RefCell::default(), policy }
    }
}

impl<'k> ModelView<'k> {
    pub(super) fn name(&self) -> &'k str {
        &self.schema.model
    }

    /// A field that is read.
    pub(super) fn read(&self, name: &str) -> Result<Option<&'k Field>, Denied> {
        self.schemas.decide_field(self.schema, name, Use::Read, 0)?;
        Ok(self.schema.field(name))
    }

    /// A field that is written.
    pub(super) fn write(&self, name: &str) -> Result<Option<&'k Field>, Denied> {
        self.schemas.decide_field(self.schema, name, Use::Write, 0)?;
        Ok(self.schema.field(name))
    }

    /// Whether Odoo keeps a value that is written.
    pub(super) fn kept(&self, name: &str) -> Kept {
        self.schemas.kept(self.schema, name, 0)
    }

    /// The names of all fields that may be read, in order; `None` where that is all of them. Properties are left out
    /// where only an answer would show whether they may be read.
    pub(super) fn readable(&self) -> Option<Vec<String>> {
        let policy = self.schemas.policy;
        let is_hidden = |name: &str| policy.narrows_models() && self.properties(name).is_some();
        if !policy.narrows_fields() && !self.schema.names().any(is_hidden) {
            return None;
        }
        let may_be_read = |name: &&str| !is_hidden(name) && self.read(name).is_ok();
        Some(self.sorted_names().into_iter().filter(may_be_read).map(str::to_owned).collect())
    }

    /// The names of all fields, whether or not they may be read.
    pub(super) fn names(&self) -> impl Iterator<Item = &'k str> {
        self.schema.names()
    }

    fn sorted_names(&self) -> Vec<&'k str> {
        let mut names: Vec<&str> = self.schema.names().collect();
        names.sort_unstable();
        names
    }

    /// The name that Odoo has for a field: `raw` for `datas` where Odoo no longer has that, in attachments and models
    /// that inherit from them.
    pub(super) fn stored_name<'n>(&self, name: &'n str) -> &'n str {
        let is_gone = name == DATAS && self.kind(DATAS).is_none() && self.kind(RAW) == Some(&Kind::Binary);
        if is_gone { RAW } else { name }
    }

    /// Whether the records may belong to a company. It needs no right to the field, since the gateway filters by
    /// company on its own account.
    pub(super) fn has_company(&self) -> bool {
        self.schema.has_company()
    }

    /// The field that says whether a record is archived, where there is one that the caller may read. Odoo takes `active`,
    /// else `x_active` (14-19).
    pub(super) fn active(&self) -> Option<&'k str> {
        let name = ["active", "x_active"].into_iter().find(|name| self.schema.field(name).is_some())?;
        let is_readable = self.read(name).is_ok() && self.schema.field(name).is_some_and(|field| field.is_stored);
        is_readable.then_some(name)
    }

    pub(super) fn kind(&self, name: &str) -> Option<&'k Kind> {
        self.schema.field(name).map(|field| &field.kind)
    }

    pub(super) fn properties(&self, name: &str) -> Option<&'k Properties> {
        self.schema.field(name)?.properties.as_ref()
    }

    /// The model that a field leads to, if it is relational.
    pub(super) fn relation(&self, name: &str) -> Option<&'k str> {
        self.kind(name).and_then(Kind::relation)
    }
}

/// Runs `read` until every schema that it asks for has been fetched, with one round of concurrent fetches per level of
/// the payload. It begins with that of the call's own model, where that is cached.
///
/// # Errors
/// Those of `read`, or of fetching a schema.
pub(super) async fn with_schemas<T>(
    caller: &Caller,
    mut read: impl FnMut(&SchemaView<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let known = caller.cached_schema().await;
    let schemas = known.into_iter().map(|schema| (schema.model.clone(), schema)).collect();
    let policy = caller.policy();
    let mut view = SchemaView { schemas, missing: RefCell::default(), denied: RefCell::default(), policy };
    loop {
        let outcome = read(&view);
        let missing = view.missing.take();
        if missing.is_empty() || outcome.as_ref().is_err_and(Error::is_denial) {
            return outcome;
        }
        let fetched = caller.schemas(missing).await;
        for schema in fetched.map_err(|error| view.denied.take().unwrap_or_else(|| error.into()))? {
            view.schemas.insert(schema.model.clone(), schema);
        }
    }
}

/// Whether the value of a many2one leads to a record. Odoo 14 takes a text for an id.
pub(super) fn names_a_record(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false)) && value.as_str() != Some("")
}
