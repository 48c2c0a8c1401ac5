//! Policy checks on what a call touches beside the fields that its payload names: by domains, orders, and Odoo's own
//! commands.
//!
//! The checks change nothing; what the policy denies is an error with its place. Where the policy is open, nothing is
//! denied and no schema is read. The file imports the schema view and the policy, `properties` the same; the two call
//! each other, since a domain may stand in a property and a property in the values of a command.

mod properties;

use serde_json::{Map, Value};

pub(super) use self::properties::{changes_definitions, decide_answered};
use super::{
    Error,
    schema_view::{ModelView, SchemaView, names_a_record},
    wording::shown,
};
use crate::{
    odoo::Kind,
    policy::{Denied, Domain, NAME, Touch},
};

/// The fields in which a record names the model of the record that it belongs to (`ir.attachment`, `mail.message`).
const NAME_THE_OWNER: [&str; 2] = ["res_model", "model"];

impl SchemaView<'_> {
    /// Checks a domain over a model: every field on every path, and what conditions on relations read of related
    /// models.
    pub(super) fn domain(&self, model: &str, domain: &Value, at: &str) -> Result<(), Error> {
        if self.policy().is_open() {
            return Ok(());
        }
        let domain = Domain::read(domain)
            .map_err(|source| Error::WrongKind { path: at.to_owned(), problem: source.to_string() })?;
        domain.conditions().try_for_each(|(field, operator, value)| self.condition(model, field, operator, value, at))
    }

    /// Checks one condition. A relation compared with a text is compared by the names of the related records; with a
    /// domain of their own, by every field in that (`any`, Odoo 17 and later).
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
            // A domain or a hierarchy of the field's own records: `["id", "any", […]]` is the domain (Odoo 19), and
            // `["id", "child_of", "Azure"]` a search by name (14-19).
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

    /// Checks what a search is sorted by: `date desc, partner_id.name`.
    pub(super) fn order(&self, model: &str, order: &str, at: &str) -> Result<(), Error> {
        if self.policy().is_open() {
            return Ok(());
        }
        for term in order.split(',') {
            let name = term.split_whitespace().next().unwrap_or_default().replace('"', "");
            // The part behind a colon is a part of a date.
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

    /// Checks Odoo's own commands of a relation. Python takes false and 0.0 for 0, so the number of a command is not
    /// looked at: an object in a command can be values, and a number the id of a record.
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

    /// Checks the values of a record in a command.
    fn values(&self, model: &str, values: &Map<String, Value>, at: &str) -> Result<(), Error> {
        let Some(view) = self.model(model).map_err(denied(at))? else { return Ok(()) };
        for (name, value) in values {
            let at = format!("{at}.{name}");
            view.write(name).map_err(denied(&at))?;
            self.related(view, name, value, &at)?;
        }
        self.attached(view, values, at)
    }

    /// Checks what the value of a field leads to, in a command or a default.
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

    /// Checks a default that a context gives to a field, of the model or of any other model whose records a method
    /// creates.
    pub(super) fn default(&self, model: &str, field: &str, value: &Value, at: &str) -> Result<(), Error> {
        // The default of one property is named by a path: `default_lead_properties.color` (Odoo 16 and later).
        let (field, property) = field.split_once('.').map_or((field, None), |(field, name)| (field, Some(name)));
        self.policy().decide(Touch::Default(field)).map_err(denied(at))?;
        let Some(view) = self.model(model).map_err(denied(at))? else { return Ok(()) };
        let is_known = view.write(field).map_err(denied(at))?.is_some();
        match value.as_str() {
            Some(owner) if NAME_THE_OWNER.contains(&field) => self.owner(owner, at)?,
            _ if is_known => {}
            _ => self.policy().decide(Touch::ForeignDefault(field)).map_err(denied(at))?,
        }
        if property.is_some() { Ok(()) } else { self.related(view, field, value, at) }
    }

    /// Checks the value of a reference, which names a model: `sale.order,7`.
    pub(super) fn reference(&self, named: &str, at: &str) -> Result<(), Error> {
        let model = named.split(',').next().unwrap_or_default().trim();
        if model.is_empty() {
            return Ok(());
        }
        self.owner(model, at)
    }

    /// Checks the texts in which files, messages and the like name the model of the record they belong to. A text alone
    /// touches that model too, since the id may be stored already.
    pub(super) fn attached(&self, view: ModelView<'_>, values: &Map<String, Value>, at: &str) -> Result<(), Error> {
        // A message may be to several records (`mail.compose.message`, 17 and later).
        if ["res_id", "res_ids"].iter().all(|ids| view.kind(ids).is_none() && !values.contains_key(*ids)) {
            return Ok(());
        }
        for key in NAME_THE_OWNER {
            if let Some(Value::String(owner)) = values.get(key) {
                self.owner(owner, &format!("{at}.{key}"))?;
            }
        }
        Ok(())
    }

    /// Checks a model that a value names, any of whose records may be meant.
    pub(super) fn owner(&self, model: &str, at: &str) -> Result<(), Error> {
        self.policy().decide(Touch::Model(model)).map_err(denied(at))?;
        self.policy().decide(Touch::Unchecked(model)).map_err(denied(at))
    }
}

/// Converts a denial to an error at this place in `vals`.
pub(crate) fn denied(at: &str) -> impl Fn(Denied) -> Error {
    move |source| Error::Denied { path: at.to_owned(), source }
}
