//! Values of properties: fields that users define in another record, the container (Odoo 16 and later).
//!
//! They are sent as an object by name or label, or as a list of `{"name" or "string": …, "value": …}`. Odoo takes the
//! names that it has generated alone; what stands under another one is dropped with success, and an item without a name
//! is refused with the message `"name"` (16-19). A list that changes definitions is left to Odoo.

use serde_json::{Map, Value};

use super::Reader;
use crate::{
    odoo::{DefinitionField, Field, Properties},
    plan::{
        Error,
        policy_check::{changes_definitions, denied},
        schema_view::ModelView,
        wording::wrong,
    },
    policy::{Denied, Touch},
};

/// Values of one properties field, by names or labels that have to be known.
#[derive(Debug, PartialEq)]
pub(in crate::plan) struct PropertyValues {
    pub(in crate::plan) given: Vec<GivenValue>,
    pub(in crate::plan) definitions: DefinitionPlace,
}

/// A value as it was sent: the name or label of its property, and its place.
#[derive(Debug, PartialEq)]
pub(in crate::plan) struct GivenValue {
    pub(in crate::plan) property: String,
    pub(in crate::plan) value: Value,
    pub(in crate::plan) path: String,
}

/// Where the definitions stand: a field of the container, a record of `model` that the many2one `link` leads to.
#[derive(Debug, PartialEq)]
pub(in crate::plan) struct DefinitionPlace {
    pub(in crate::plan) link: String,
    pub(in crate::plan) model: String,
    pub(in crate::plan) field: String,
}

impl Reader<'_> {
    /// Reads values of properties; `None` where the field has none, or they go to Odoo as they are.
    ///
    /// # Errors
    /// The value is of the wrong kind, or the policy does not let the caller see the definitions that it needs.
    pub(super) fn property_values(
        &mut self,
        view: ModelView<'_>,
        name: &str,
        field: &Field,
        value: &Value,
        path: &str,
    ) -> Result<Option<PropertyValues>, Error> {
        let Some(Properties::Values(Some(DefinitionField { link, field }))) = &field.properties else {
            return Ok(None);
        };
        let Some(container) = view.relation(link) else { return Ok(None) };
        self.schemas.properties(view, name, value, path)?;
        let parsed;
        let value = match value {
            // A text is JSON to Odoo.
            Value::String(text) if !text.is_empty() => {
                parsed = serde_json::from_str(text).unwrap_or(Value::Null);
                &parsed
            }
            value => value,
        };
        let given = match value {
            Value::Bool(false) => return Ok(None),
            Value::String(text) if text.is_empty() => return Ok(None),
            Value::Object(values) => by_key(values, path),
            Value::Array(items) if items.iter().any(changes_definitions) => return Ok(None),
            Value::Array(items) => by_item(items, path)?,
            other => return Err(wrong(path, "an object of values by the name or label of a property", other)),
        };
        if given.is_empty() {
            return Ok(None);
        }
        match self.may_resolve(view, name, link, container, field) {
            Ok(()) => {}
            // A caller who may write values, and not see them, names the properties as Odoo does.
            Err(_) if given.iter().all(|given| is_generated(&given.property)) => return Ok(None),
            Err(source) => return Err(denied(path)(source)),
        }
        let definitions = DefinitionPlace { link: link.clone(), model: container.to_owned(), field: field.clone() };
        Ok(Some(PropertyValues { given, definitions }))
    }

    /// Whether the caller may see the definitions and the values that are there.
    fn may_resolve(
        &self,
        view: ModelView<'_>,
        name: &str,
        link: &str,
        container: &str,
        field: &str,
    ) -> Result<(), Denied> {
        view.read(name)?;
        view.read(link)?;
        self.schemas.policy().decide(Touch::Read { model: container, field })
    }
}

fn by_key(values: &Map<String, Value>, path: &str) -> Vec<GivenValue> {
    let given = values.iter().map(|(property, value)| GivenValue {
        property: property.clone(),
        value: value.clone(),
        path: format!("{path}.{property}"),
    });
    given.collect()
}

/// The values of a list. An item without a value is one that the web client lists with the others.
fn by_item(items: &[Value], path: &str) -> Result<Vec<GivenValue>, Error> {
    let mut given = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let path = format!("{path}[{index}]");
        const DUE: &str = "{\"name\": …, \"value\": …}, with the property's label as `string` or its name";
        let Value::Object(item) = item else { return Err(wrong(path, DUE, item)) };
        let text = |key: &str| item.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let Some(property) = text("name").or_else(|| text("string")) else {
            let problem = "must have `name` or `string`: the name or the label of a property".to_owned();
            return Err(Error::WrongKind { path, problem });
        };
        if let Some(value) = item.get("value") {
            given.push(GivenValue {
                property: property.to_owned(),
                value: value.clone(),
                path: format!("{path}.value"),
            });
        }
    }
    Ok(given)
}

/// Whether a name has the form of those that Odoo and its web client generate (16-19): 16 hexadecimal digits; with
/// `_html` behind them for HTML.
pub(in crate::plan) fn is_generated(name: &str) -> bool {
    let digits = name.strip_suffix("_html").unwrap_or(name);
    digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_gives_values_by_name_or_label() {
        let given = |items: Value| by_item(items.as_array().unwrap(), "payload.p");
        let read = given(
            json!([{"name": "aa34746a6851ee4e", "value": 1}, {"string": "Shop order", "value": "S"}, {"name": "x"}]),
        );
        let read: Vec<_> = read.unwrap().into_iter().map(|given| (given.property, given.value, given.path)).collect();
        assert_eq!(
            read,
            [
                ("aa34746a6851ee4e".to_owned(), json!(1), "payload.p[0].value".to_owned()),
                ("Shop order".to_owned(), json!("S"), "payload.p[1].value".to_owned())
            ]
        );
        let refusal = given(json!([{"label": "Shop order", "value": "S"}])).unwrap_err().to_string();
        assert!(refusal.contains("`payload.p[0]` must have `name` or `string`"), "{refusal}");
        assert!(given(json!(["Shop order"])).is_err());
    }

    #[test]
    fn a_generated_name_is_told_from_a_label() {
        assert!(is_generated("aa34746a6851ee4e") && is_generated("aa34746a6851ee4e_html"));
        assert!(!is_generated("Shop order") && !is_generated("shop_order") && !is_generated("aa34"));
    }
}
