//! What a call touches beside the fields that its payload names: by domains, orders, and Odoo's own commands.
//!
//! Nothing is changed here; what may not be touched is refused, with its place. Where the policy is open there is nothing to
//! refuse, and no schema is asked for.

mod properties;

use serde_json::{Map, Value};

pub(super) use self::properties::decide_answered;
use super::{
    Error,
    schema_view::{ModelView, SchemaView, names_a_record},
    wording::shown,
};
use crate::{
    odoo::Kind,
    policy::{Denied, Domain, NAME, Touch},
};

/// The fields in which a record says what model the record is of that it belongs to (`ir.attachment`, `mail.message`).
const NAME_THE_OWNER: [&str; 2] = ["res_model", "model"];

impl SchemaView<'_> {
    /// A domain over a model: every field on every path, and what conditions on relations read of the models behind them.
    pub(super) fn domain(&self, model: &str, domain: &Value, at: &str) -> Result<(), Error> {
        if self.policy().is_open() {
            return Ok(());
        }
        let domain = Domain::read(domain)
            .map_err(|source| Error::WrongKind { path: at.to_owned(), problem: source.to_string() })?;
        domain.conditions().try_for_each(|(field, operator, value)| self.condition(model, field, operator, value, at))
    }

    /// One condition. A relation that is compared with a text is compared by the names of the records that it leads to; with
    /// a domain of their own, by whatever that names (`any`, Odoo 17 and later).
    pub(super) fn condition(
        &self,
        model: &str,
        field: &str,
        operator: &str,
        value: &Value,
        at: &str,
    ) -> Result<(), Error> {
        if self.policy().is_open() {
            return Ok(());
        }
        let operator = operator.to_lowercase();
        let end = self.path(model, field).map_err(denied(at))?;
        let Some(relation) = end.and_then(|field| field.kind.relation()) else {
            // A domain or a hierarchy of the records that the field itself is of: `["id", "any", […]]` is the domain (Odoo 19),
            // and `["id", "child_of", "Azure"]` a search by name (14-19).
            if operator.contains("any") || operator.ends_with("_of") {
                let field = shown(&Value::from(field));
                let problem = format!("has `{operator}` on `{field}`, which leads to no other records");
                return Err(Error::WrongKind { path: at.to_owned(), problem });
            }
            return Ok(());
        };
        let is_by_id = |value: &Value| value.is_i64() || value.is_boolean() || value.is_null();
        let is_by_ids = value.as_array().map_or_else(|| is_by_id(value), |values| values.iter().all(is_by_id));
        if operator.contains("any") {
            self.policy().decide(Touch::Unchecked(relation)).map_err(denied(at))?;
            self.domain(relation, value, at)
        } else if !is_by_ids || operator.contains("like") {
            self.policy().decide(Touch::Unchecked(relation)).map_err(denied(at))?;
            self.by_name(relation).map_err(denied(at))
        } else if operator.ends_with("_of") {
            self.policy().decide(Touch::Unchecked(relation)).map_err(denied(at))?;
            self.policy().decide(Touch::Read { model: relation, field: NAME }).map_err(denied(at))
        } else {
            Ok(())
        }
    }

    /// What a search is sorted by: `date desc, partner_id.name`.
    pub(super) fn order(&self, model: &str, order: &str, at: &str) -> Result<(), Error> {
        if self.policy().is_open() {
            return Ok(());
        }
        for term in order.split(',') {
            let name = term.split_whitespace().next().unwrap_or_default().replace('"', "");
            // Behind a colon is a part of a date.
            let path = name.split(':').next().unwrap_or_default();
            if !path.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_')) {
                let problem = format!("has `{}` where a field's name is due", shown(&Value::from(term)));
                return Err(Error::WrongKind { path: at.to_owned(), problem });
            }
            let field = self.path(model, path).map_err(denied(at))?;
            if let Some(relation) = field.and_then(|field| field.kind.relation()) {
                self.policy().decide(Touch::Model(relation)).map_err(denied(at))?;
            }
        }
        Ok(())
    }

    /// Odoo's own commands of a relation. Python takes false and 0.0 for 0, so what a command is does not matter here: an
    /// object in it can be values, and a number the id of a record.
    pub(super) fn commands(&self, model: &str, commands: &Value, at: &str) -> Result<(), Error> {
        if self.policy().is_open() {
            return Ok(());
        }
        self.policy().decide(Touch::Unchecked(model)).map_err(denied(at))?;
        self.policy().decide(Touch::Model(model)).map_err(denied(at))?;
        match commands {
            Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
                let at = format!("{at}[{index}]");
                self.commands(model, item, &at)
            }),
            Value::Object(values) => self.values(model, values, at),
            _ => Ok(()),
        }
    }

    /// The values of a record, as a command has them.
    fn values(&self, model: &str, values: &Map<String, Value>, at: &str) -> Result<(), Error> {
        let Some(view) = self.model(model).map_err(denied(at))? else { return Ok(()) };
        for (name, value) in values {
            let at = format!("{at}.{name}");
            view.write(name).map_err(denied(&at))?;
            self.related(view, name, value, &at)?;
        }
        self.attached(view, values, at)
    }

    /// What the value of a field leads to, as a command or a default has it.
    fn related(&self, view: ModelView<'_>, name: &str, value: &Value, at: &str) -> Result<(), Error> {
        match (view.kind(name), view.relation(name), value) {
            (_, Some(relation), Value::Array(_) | Value::Object(_)) => self.commands(relation, value, at),
            (_, Some(relation), value) if names_a_record(value) => {
                self.link(view, name).map_err(denied(at))?;
                self.policy().decide(Touch::Unchecked(relation)).map_err(denied(at))
            }
            (Some(Kind::Reference), None, Value::String(named)) => self.reference(named, at),
            _ => self.properties(view, name, value, at),
        }
    }

    /// The default that a context gives to a field, of the model or of any other that a method makes records of.
    pub(super) fn default(&self, model: &str, field: &str, value: &Value, at: &str) -> Result<(), Error> {
        // That of one property is named by a path: `default_lead_properties.color` (Odoo 16 and later).
        let (field, property) = field.split_once('.').map_or((field, None), |(field, name)| (field, Some(name)));
        self.policy().decide(Touch::Default(field)).map_err(denied(at))?;
        let Some(view) = self.model(model).map_err(denied(at))? else { return Ok(()) };
        let is_known = view.write(field).map_err(denied(at))?.is_some();
        // Of whatever model it is then, commands in it could touch another one.
        if !is_known && (value.is_array() || value.is_object()) {
            let problem = format!("gives several values to `{field}`, which `{model}` does not have; one can be given");
            return Err(Error::WrongKind { path: at.to_owned(), problem });
        }
        if let (Some(owner), true) = (value.as_str(), NAME_THE_OWNER.contains(&field)) {
            self.owner(owner, at)?;
        }
        if property.is_some() { Ok(()) } else { self.related(view, field, value, at) }
    }

    /// The value of a reference names a model itself: `sale.order,7`.
    pub(super) fn reference(&self, named: &str, at: &str) -> Result<(), Error> {
        let model = named.split(',').next().unwrap_or_default().trim();
        if model.is_empty() {
            return Ok(());
        }
        self.owner(model, at)
    }

    /// Files, messages and the like say in texts which record they belong to, and touch that record's model; also where the
    /// text comes alone, since the id may stand already.
    pub(super) fn attached(&self, view: ModelView<'_>, values: &Map<String, Value>, at: &str) -> Result<(), Error> {
        if view.kind("res_id").is_none() && !values.contains_key("res_id") {
            return Ok(());
        }
        for key in NAME_THE_OWNER {
            if let Some(Value::String(owner)) = values.get(key) {
                self.owner(owner, &format!("{at}.{key}"))?;
            }
        }
        Ok(())
    }

    /// A model that a value names, of whose records any may be meant.
    pub(super) fn owner(&self, model: &str, at: &str) -> Result<(), Error> {
        self.policy().decide(Touch::Model(model)).map_err(denied(at))?;
        self.policy().decide(Touch::Unchecked(model)).map_err(denied(at))
    }
}

/// With the place in `vals` where it stands.
pub(crate) fn denied(at: &str) -> impl Fn(Denied) -> Error {
    move |source| Error::Denied { path: at.to_owned(), source }
}
