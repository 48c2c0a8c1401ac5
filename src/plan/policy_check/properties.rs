//! Policy checks on properties: fields of a record that users define in another record, the container (Odoo 16 and
//! later).
//!
//! A written value can change the definitions in the container, and a definition leads to records of any model, whose
//! names are answered with the values. So each is checked as an access to what it reaches. Where no definition stands
//! beside a value, only the answer shows which model it leads to, and the answer is checked.

use serde_json::{Map, Value};

use super::denied;
use crate::{
    literal,
    odoo::Properties,
    plan::{
        Error,
        schema_view::{ModelView, SchemaView},
    },
    policy::{Policy, Touch},
};

/// The keys of an item by which Odoo writes the list into the container (`fields_properties.py`, 16-19).
const CHANGE: [&str; 2] = ["definition_changed", "definition_deleted"];

/// Whether an item of a list of properties changes the definitions.
pub(in crate::plan) fn changes_definitions(item: &Value) -> bool {
    item.as_object().is_some_and(has_change)
}

fn has_change(item: &Map<String, Value>) -> bool {
    CHANGE.iter().any(|key| item.contains_key(*key))
}

impl SchemaView<'_> {
    /// Checks a value for a field of properties or of their definitions; a text is JSON to Odoo. Other fields are not
    /// checked.
    pub(in crate::plan) fn properties(
        &self,
        view: ModelView<'_>,
        name: &str,
        value: &Value,
        at: &str,
    ) -> Result<(), Error> {
        let Some(properties) = view.properties(name).filter(|_| !self.policy().is_open()) else { return Ok(()) };
        let parsed = value.as_str().filter(|text| !text.is_empty()).map(serde_json::from_str::<Value>);
        let items = match (parsed.and_then(Result::ok).as_ref().unwrap_or(value), properties) {
            (Value::Null | Value::Bool(false), _) => return Ok(()),
            (Value::String(text), _) if text.is_empty() => return Ok(()),
            // These are values by name, and what they lead to is defined already.
            (Value::Object(_), Properties::Values(_)) => return Ok(()),
            (Value::Array(items), _) => items.clone(),
            _ => {
                let problem = "must be a list of properties, or an object of their values".to_owned();
                return Err(Error::WrongKind { path: at.to_owned(), problem });
            }
        };
        for (index, item) in items.iter().enumerate() {
            let at = format!("{at}[{index}]");
            let Value::Object(item) = item else {
                let problem = "must be an object: one property".to_owned();
                return Err(Error::WrongKind { path: at, problem });
            };
            if matches!(properties, Properties::Values(_)) && has_change(item) {
                self.definition(view, properties, &at)?;
            }
            self.property(item, &at)?;
        }
        Ok(())
    }

    /// Checks a change of the definitions in the container, for any container.
    fn definition(&self, view: ModelView<'_>, properties: &Properties, at: &str) -> Result<(), Error> {
        let place = match properties {
            Properties::Values(Some(place)) => view.relation(&place.link).map(|container| (container, &place.field)),
            _ => None,
        };
        let Some((container, field)) = place else {
            let problem = "changes a definition, and Odoo does not say where that stands".to_owned();
            return Err(Error::WrongKind { path: at.to_owned(), problem });
        };
        self.policy().decide(Touch::Write { model: container, field }).map_err(denied(at))?;
        self.policy().decide(Touch::Unchecked(container)).map_err(denied(at))?;
        // A related field is written in the record it is copied from.
        let Some(owner) = self.model(container).map_err(denied(at))? else { return Ok(()) };
        owner.write(field).map(drop).map_err(denied(at))
    }

    /// Checks a definition, or a value with its definition: the model that it leads to, and the domain of its records.
    fn property(&self, item: &Map<String, Value>, at: &str) -> Result<(), Error> {
        let Some(comodel) = item.get("comodel").and_then(Value::as_str).filter(|comodel| !comodel.is_empty()) else {
            return Ok(());
        };
        self.owner(comodel, &format!("{at}.comodel"))?;
        let at = format!("{at}.domain");
        match item.get("domain") {
            Some(Value::String(text)) if !text.is_empty() => {
                let domain = literal::parse(text).map_err(|source| Error::Domain { path: at.clone(), source })?;
                self.domain(comodel, &domain, &at)
            }
            Some(domain @ Value::Array(_)) => self.domain(comodel, domain, &at),
            _ => Ok(()),
        }
    }
}

/// Checks properties that Odoo answered: they hold names of records, of any model that a definition names.
pub(in crate::plan) fn decide_answered(policy: &Policy, value: &Value) -> Result<(), Error> {
    let is_something = |value: Option<&Value>| match value {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::Array(items)) => !items.is_empty(),
        Some(_) => true,
    };
    for item in value.as_array().into_iter().flatten() {
        if let Some(comodel) = item["comodel"].as_str().filter(|comodel| !comodel.is_empty())
            && (is_something(item.get("value")) || is_something(item.get("default")))
        {
            policy.decide(Touch::Model(comodel)).map_err(denied("search_field"))?;
        }
    }
    Ok(())
}
