//! The models as a call may see them: their schemas, fetched until none lacks, and the policy that rules what is done with them.
//!
//! A payload names models only through its fields, so which schemas are needed comes to light while it is read. Reading
//! is repeated with what was missing, level by level, instead of waiting for Odoo in the middle of it. A model or field is had
//! by saying what for, so that nothing can be planned that the policy has not decided.

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

/// The schemas at hand, and a note of the models that were asked for in vain.
#[derive(Debug)]
pub(super) struct SchemaView<'p> {
    schemas: HashMap<String, Arc<Schema>>,
    missing: RefCell<BTreeSet<String>>,
    policy: &'p Policy,
}

/// A model that may be touched, with its fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct ModelView<'k> {
    schemas: &'k SchemaView<'k>,
    schema: &'k Schema,
}

impl<'p> SchemaView<'p> {
    pub(super) fn policy(&self) -> &'p Policy {
        self.policy
    }

    /// A model; where its schema is not at hand yet, what is made without it will be thrown away.
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

    #[cfg(test)]
    pub(super) fn of(policy: &'p Policy, schemas: impl IntoIterator<Item = Schema>) -> Self {
        let schemas = schemas.into_iter().map(|schema| (schema.model.clone(), Arc::new(schema))).collect();
        Self { schemas, missing: RefCell::default(), policy }
    }
}

impl<'k> ModelView<'k> {
    pub(super) fn name(&self) -> &'k str {
        &self.schema.model
    }

    /// A field that is answered.
    pub(super) fn read(&self, name: &str) -> Result<Option<&'k Field>, Denied> {
        self.schemas.decide_field(self.schema, name, Use::Read, 0)?;
        Ok(self.schema.field(name))
    }

    /// A field that is written.
    pub(super) fn write(&self, name: &str) -> Result<Option<&'k Field>, Denied> {
        self.schemas.decide_field(self.schema, name, Use::Write, 0)?;
        Ok(self.schema.field(name))
    }

    /// What becomes of a value that is written.
    pub(super) fn kept(&self, name: &str) -> Kept {
        self.schemas.kept(self.schema, name, 0)
    }

    /// The names of all fields that may be read, in order; nothing where that is all of them. Properties, of which only an
    /// answer would show whether they may be, are left out.
    pub(super) fn readable(&self) -> Option<Vec<String>> {
        let policy = self.schemas.policy;
        let is_hidden = |name: &str| policy.narrows_models() && self.properties(name).is_some();
        if !policy.narrows_fields() && !self.schema.names().any(is_hidden) {
            return None;
        }
        let may_be_read = |name: &&str| !is_hidden(name) && self.read(name).is_ok();
        Some(self.sorted_names().into_iter().filter(may_be_read).map(str::to_owned).collect())
    }

    fn sorted_names(&self) -> Vec<&'k str> {
        let mut names: Vec<&str> = self.schema.names().collect();
        names.sort_unstable();
        names
    }

    /// The name that Odoo has for a field: `raw` for a `datas` that is no more, in attachments and what inherits from them.
    pub(super) fn stored_name<'n>(&self, name: &'n str) -> &'n str {
        let is_gone = name == DATAS && self.kind(DATAS).is_none() && self.kind(RAW) == Some(&Kind::Binary);
        if is_gone { RAW } else { name }
    }

    /// The records may belong to a company each; that the gateway looks in one is not the caller's doing.
    pub(super) fn has_company(&self) -> bool {
        self.schema.has_company()
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

/// Runs `read` until every schema that it asks for is there. One round of side-by-side fetches per level of the payload.
pub(super) async fn with_schemas<T>(
    caller: &Caller,
    mut read: impl FnMut(&SchemaView<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut view = SchemaView { schemas: HashMap::new(), missing: RefCell::default(), policy: caller.policy() };
    loop {
        let outcome = read(&view);
        let missing = view.missing.take();
        if missing.is_empty() || matches!(outcome, Err(Error::Denied { .. })) {
            return outcome;
        }
        for schema in caller.schemas(missing).await? {
            view.schemas.insert(schema.model.clone(), schema);
        }
    }
}

/// A many2one's value that leads to a record. Odoo 14 takes a text for an id.
pub(super) fn names_a_record(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false)) && value.as_str() != Some("")
}
