//! Whether a field may be read, searched by or written, including the fields of other models that it is related to.

use super::{ModelView, SchemaView};
use crate::{
    odoo::{Bond, Field, Kept, Properties, Schema},
    plan::attachment,
    policy::{Denied, NAME, Touch},
};

/// The maximum length of a chain of related fields.
const MAX_RELATED: usize = 8;

/// What is done with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Read,
    /// Searched or sorted by. A search by a record's name reads other fields too.
    Search,
    Write,
}

impl Use {
    fn of<'t>(self, model: &'t str, field: &'t str) -> Touch<'t> {
        match self {
            Self::Read | Self::Search => Touch::Read { model, field },
            Self::Write => Touch::Write { model, field },
        }
    }
}

/// The field that a related field is a copy of.
enum Original<'s> {
    /// A field of a model that may be touched.
    Seen(&'s Schema, &'s str),
    /// A field of a model that must not be touched; the model is unknown where the path leads on through one.
    Hidden { owner: Option<&'s str>, last: &'s str, denied: Denied },
    /// The path leads nowhere, or a schema has not been fetched yet.
    Unknown,
}

impl SchemaView<'_> {
    /// The field at the end of a dotted path that is searched or sorted by, after checks on all fields on the way;
    /// `None` where the path leads nowhere, which Odoo will report.
    pub(in crate::plan) fn path(&self, model: &str, path: &str) -> Result<Option<&Field>, Denied> {
        self.path_from(model, path, 0)
    }

    fn path_from(&self, model: &str, path: &str, depth: usize) -> Result<Option<&Field>, Denied> {
        let mut model = model;
        let mut names = path.split('.').peekable();
        while let Some(name) = names.next() {
            let Some(view) = self.model(model)? else { return Ok(None) };
            self.decide_field(view.schema, name, Use::Search, depth)?;
            let field = view.schema.field(name);
            match (field, field.and_then(|field| field.kind.relation())) {
                (field, _) if names.peek().is_none() => return Ok(field),
                // Related records would be found wherever they are.
                (_, Some(relation)) => {
                    self.policy.decide(Touch::Unchecked(relation))?;
                    model = relation;
                }
                // The rest is a part of a date, a property, or a mistake: it leads to no other model.
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Checks a search of the model's records by their names. Where a field of the model must not be read, such a
    /// search would reveal it letter by letter, unless the operator has configured which fields it reads.
    pub(in crate::plan) fn by_name(&self, model: &str) -> Result<(), Denied> {
        self.by_name_from(model, 0)
    }

    fn by_name_from(&self, model: &str, depth: usize) -> Result<(), Denied> {
        self.policy.decide(Touch::ByName(model))?;
        if !self.policy.hides_some(None) {
            return Ok(());
        }
        let Some(view) = self.model(model)? else { return Ok(()) };
        let denied = match self.policy.name_search(model).filter(|_| depth < MAX_RELATED) {
            Some(paths) => paths.iter().find_map(|path| self.searched(model, path, depth + 1).err()),
            None => view.sorted_names().into_iter().find_map(|name| view.read(name).err()),
        };
        denied.map_or(Ok(()), |denied| Err(self.policy.by_name(model, &denied)))
    }

    /// Checks a path that a search by name reads. A relation at its end is searched by name in turn.
    fn searched(&self, model: &str, path: &str, depth: usize) -> Result<(), Denied> {
        let end = self.path_from(model, path, depth)?;
        end.and_then(|field| field.kind.relation()).map_or(Ok(()), |relation| self.by_name_from(relation, depth))
    }

    /// Checks a field, and the fields that it is related to (Odoo 14-19: `related`, which the fields of `_inherits`
    /// have too). The model of a related field need not be allowed: what is allowed here is this field.
    pub(super) fn decide_field(&self, schema: &Schema, name: &str, how: Use, depth: usize) -> Result<(), Denied> {
        self.policy.decide(how.of(&schema.model, name))?;
        for name in attachment::names_of(&schema.model, name) {
            self.policy.decide(how.of(&schema.model, name))?;
        }
        if how == Use::Search && name == NAME {
            return self.by_name_from(&schema.model, depth);
        }
        let is_ruled = self.policy.narrows_fields() && depth < MAX_RELATED;
        if is_ruled && how != Use::Write {
            self.decide_definitions(schema, name)?;
        }
        let Some(path) = schema.copied(name).filter(|_| is_ruled) else { return Ok(()) };
        match self.original(schema, path) {
            Original::Seen(owner, last) => self.decide_field(owner, last, how, depth + 1),
            // The schema of a hidden model is not even fetched. Where the path leads on from there, any rule on such a
            // name counts.
            Original::Hidden { owner, last, denied } => {
                let is_oracle = how == Use::Search && last == NAME && self.policy.hides_some(owner);
                if is_oracle || self.policy.rules_field(owner, last) { Err(denied) } else { Ok(()) }
            }
            Original::Unknown => Ok(()),
        }
    }

    /// Checks the definitions that properties are answered with, which are a field of another model.
    fn decide_definitions(&self, schema: &Schema, name: &str) -> Result<(), Denied> {
        let properties = schema.field(name).and_then(|field| field.properties.as_ref());
        let Some(Properties::Values(Some(place))) = properties else { return Ok(()) };
        let Some(model) = schema.field(&place.link).and_then(|field| field.kind.relation()) else { return Ok(()) };
        let decided = self.policy.decide(Touch::Read { model, field: &place.field });
        // The model need not be allowed otherwise.
        if self.policy.rules_field(Some(model), &place.field) { decided } else { Ok(()) }
    }

    /// The field that a related field leads to by `path`.
    fn original<'s>(&'s self, schema: &'s Schema, path: &'s str) -> Original<'s> {
        // A path of one name leads to another field of the same record.
        let (way, last) = path.rsplit_once('.').unwrap_or(("", path));
        let mut way = way.split('.').filter(|name| !name.is_empty()).peekable();
        let mut schema = schema;
        while let Some(name) = way.next() {
            let Some(model) = schema.field(name).and_then(|field| field.kind.relation()) else {
                return Original::Unknown;
            };
            if let Err(denied) = self.policy.decide(Touch::Model(model)) {
                return Original::Hidden { owner: way.peek().is_none().then_some(model), last, denied };
            }
            let Some(next) = self.schema(model) else { return Original::Unknown };
            schema = next;
        }
        Original::Seen(schema, last)
    }

    /// Checks a record that a many2one will lead to, however it is named. Where fields of this model are written into
    /// that record, choosing the record is a way to read and write it.
    pub(in crate::plan) fn link(&self, view: ModelView<'_>, name: &str) -> Result<(), Denied> {
        let Some(relation) = view.relation(name).filter(|_| !self.policy.is_open()) else { return Ok(()) };
        // The id of a model is as good as its name: an activity names the model of its `res_id` by it.
        if relation == "ir.model" || self.is_written_through(view.schema, name, 0) {
            self.policy.decide(Touch::Model(relation))?;
        }
        Ok(())
    }

    /// Whether fields of this model are written into the record that a link leads to. A related link belongs to another
    /// model; where that must not be touched, its kind is unknown and counts as such.
    fn is_written_through(&self, schema: &Schema, name: &str, depth: usize) -> bool {
        let Some(field) = schema.field(name) else { return false };
        match field.related.as_deref() {
            _ if field.bond != Bond::Loose || depth == MAX_RELATED => true,
            None => false,
            Some(path) => match self.original(schema, path) {
                Original::Seen(owner, last) => self.is_written_through(owner, last, depth + 1),
                Original::Hidden { .. } => true,
                Original::Unknown => false,
            },
        }
    }

    /// Whether Odoo keeps a value that is written. A field of an `_inherits` parent is written there: the model has all
    /// fields of its parent, each as a related field of the same name.
    pub(super) fn kept(&self, schema: &Schema, name: &str, depth: usize) -> Kept {
        let Some(field) = schema.field(name).filter(|_| depth < MAX_RELATED) else { return Kept::Yes };
        let copied = field.related.as_deref().and_then(|path| path.split_once('.'));
        let parent = copied.filter(|(_, last)| *last == name).and_then(|(link, _)| schema.field(link)?.kind.relation());
        let Some(parent) = parent.filter(|_| field.kept == Kept::No) else { return field.kept };
        // No warning is given about what cannot be known.
        if self.policy.decide(Touch::Model(parent)).is_err() {
            return Kept::Yes;
        }
        match self.schema(parent) {
            None => Kept::Yes,
            Some(parent) if parent.names().all(|name| schema.field(name).is_some()) => {
                self.kept(parent, name, depth + 1)
            }
            Some(_) => field.kept,
        }
    }
}
