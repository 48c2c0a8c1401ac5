//! The models as a call may see them: their schemas, fetched until none lacks, and the policy that rules what is done with them.
//!
//! A payload names models only through its fields, so which schemas are needed comes to light while it is read. Reading
//! is repeated with what was missing, level by level, instead of waiting for Odoo in the middle of it. A model or field is had
//! by saying what for, so that nothing can be planned that the policy has not decided.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::Error;
use crate::{
    odoo::{Caller, Field, Kind, Schema},
    policy::{Denied, Policy, Touch},
};

/// A field may be a copy of another model's, which may be one in turn.
const MOST_COPIES: usize = 8;

/// The schemas at hand, and a note of the models that were asked for in vain.
#[derive(Debug)]
pub(super) struct Known<'p> {
    schemas: HashMap<String, Arc<Schema>>,
    missing: RefCell<BTreeSet<String>>,
    policy: &'p Policy,
}

/// A model that may be touched, with its fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'k> {
    known: &'k Known<'k>,
    schema: &'k Schema,
}

/// What is done with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Read,
    Write,
}

impl Use {
    fn of<'t>(self, model: &'t str, field: &'t str) -> Touch<'t> {
        match self {
            Self::Read => Touch::Read { model, field },
            Self::Write => Touch::Write { model, field },
        }
    }
}

impl<'p> Known<'p> {
    pub(super) fn policy(&self) -> &'p Policy {
        self.policy
    }

    /// A model; where its schema is not at hand yet, what is made without it will be thrown away.
    pub(super) fn model(&self, model: &str) -> Result<Option<Seen<'_>>, Denied> {
        self.policy.decide(Touch::Model(model))?;
        Ok(self.schema(model).map(|schema| Seen { known: self, schema }))
    }

    fn schema(&self, model: &str) -> Option<&Schema> {
        let schema = self.schemas.get(model).map(Arc::as_ref);
        if schema.is_none() {
            self.missing.borrow_mut().insert(model.to_owned());
        }
        schema
    }

    /// The field at the end of a dotted path, which is read with all fields on the way; none where the path leads nowhere,
    /// as Odoo will say.
    pub(super) fn path(&self, model: &str, path: &str) -> Result<Option<&Field>, Denied> {
        let mut model = model;
        let mut names = path.split('.').peekable();
        while let Some(name) = names.next() {
            let Some(seen) = self.model(model)? else { return Ok(None) };
            let field = seen.read(name)?;
            match (field, field.and_then(|field| field.kind.relation())) {
                (field, _) if names.peek().is_none() => return Ok(field),
                // What is behind it would be found wherever it is.
                (_, Some(relation)) => {
                    self.policy.decide(Touch::Unchecked(relation))?;
                    model = relation;
                }
                // A part of a date, a property, or a mistake: no other model is reached by it.
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Decides on a field, and on those that it is a copy of (Odoo 14-19: `related`, which the fields of `_inherits` have
    /// too). That the copied field's model may not be touched otherwise is no matter: what is allowed here is this field.
    fn decide_field(&self, schema: &Schema, name: &str, how: Use, depth: usize) -> Result<(), Denied> {
        self.policy.decide(how.of(&schema.model, name))?;
        let copied = schema.field(name).and_then(|field| field.related.as_deref());
        let is_ruled = self.policy.narrows_fields() && depth < MOST_COPIES;
        let Some(path) = copied.filter(|_| is_ruled) else { return Ok(()) };
        // Without a way it is a copy of another field of the same record.
        let (way, last) = path.rsplit_once('.').unwrap_or(("", path));
        let mut way = way.split('.').filter(|name| !name.is_empty()).peekable();
        let mut schema = schema;
        while let Some(name) = way.next() {
            let Some(model) = schema.field(name).and_then(|field| field.kind.relation()) else { return Ok(()) };
            if let Err(denied) = self.policy.decide(Touch::Model(model)) {
                // Its fields are not even asked for. Where they lead on, to whatever model, any rule on such a name counts.
                let owner = way.peek().is_none().then_some(model);
                return if self.policy.rules_field(owner, last) { Err(denied) } else { Ok(()) };
            }
            let Some(next) = self.schema(model) else { return Ok(()) };
            schema = next;
        }
        self.decide_field(schema, last, how, depth + 1)
    }

    #[cfg(test)]
    pub(super) fn of(policy: &'p Policy, schemas: impl IntoIterator<Item = Schema>) -> Self {
        let schemas = schemas.into_iter().map(|schema| (schema.model.clone(), Arc::new(schema))).collect();
        Self { schemas, missing: RefCell::default(), policy }
    }
}

impl<'k> Seen<'k> {
    pub(super) fn name(&self) -> &'k str {
        &self.schema.model
    }

    /// A field that is answered, searched or sorted by.
    pub(super) fn read(&self, name: &str) -> Result<Option<&'k Field>, Denied> {
        self.known.decide_field(self.schema, name, Use::Read, 0)?;
        Ok(self.schema.field(name))
    }

    /// A field that is written.
    pub(super) fn write(&self, name: &str) -> Result<Option<&'k Field>, Denied> {
        self.known.decide_field(self.schema, name, Use::Write, 0)?;
        Ok(self.schema.field(name))
    }

    /// The names of all fields that may be read, in order.
    pub(super) fn readable(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.schema.names().filter(|name| self.read(name).is_ok()).map(str::to_owned).collect();
        names.sort_unstable();
        names
    }

    /// The records may belong to a company each; that the gateway looks in one is not the caller's doing.
    pub(super) fn has_company(&self) -> bool {
        self.schema.has_company()
    }

    pub(super) fn kind(&self, name: &str) -> Option<&'k Kind> {
        self.schema.field(name).map(|field| &field.kind)
    }

    /// The model that a field leads to, if it is relational.
    pub(super) fn relation(&self, name: &str) -> Option<&'k str> {
        self.kind(name).and_then(Kind::relation)
    }
}

/// Runs `read` until every schema that it asks for is there. One round of side-by-side fetches per level of the payload.
pub(super) async fn with_schemas<T>(
    caller: &Caller,
    mut read: impl FnMut(&Known<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut known = Known { schemas: HashMap::new(), missing: RefCell::default(), policy: caller.policy() };
    loop {
        let outcome = read(&known);
        let missing = known.missing.take();
        if missing.is_empty() || matches!(outcome, Err(Error::Denied { .. })) {
            return outcome;
        }
        for schema in caller.schemas(missing).await? {
            known.schemas.insert(schema.model.clone(), schema);
        }
    }
}
