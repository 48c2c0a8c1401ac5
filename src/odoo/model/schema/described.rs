//! Fields as `fields_get` describes them, in 14 to 19.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Bond, Choice, Choices, DefinitionField, Kept, Properties};

pub(in crate::odoo) const ATTRIBUTES: [&str; 15] = [
    "type",
    "relation",
    "relation_field",
    "store",
    "related",
    "searchable",
    "readonly",
    "required",
    "sortable",
    "depends",
    "definition_record",
    "definition_record_field",
    "selection",
    "size",
    "translate",
];

/// Fields that Odoo sets itself, ignoring any value that is sent (`BaseModel.create` and `write`, 14-19).
const ODOOS_OWN: [&str; 6] = ["id", "create_uid", "create_date", "write_uid", "write_date", "parent_path"];

#[derive(Deserialize)]
pub(super) struct Described {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) relation: Option<String>,
    #[serde(default)]
    pub(super) relation_field: Value,
    #[serde(default)]
    pub(super) store: bool,
    #[serde(default)]
    pub(super) related: Value,
    #[serde(default)]
    pub(super) searchable: bool,
    #[serde(default)]
    pub(super) readonly: Value,
    #[serde(default)]
    pub(super) required: bool,
    #[serde(default)]
    pub(super) sortable: bool,
    #[serde(default)]
    pub(super) depends: Value,
    #[serde(default)]
    pub(super) definition_record: Value,
    #[serde(default)]
    pub(super) definition_record_field: Value,
    /// A list of pairs.
    #[serde(default)]
    pub(super) selection: Value,
    #[serde(default)]
    pub(super) size: Value,
    /// True, or the name of a function that takes a text apart in 14-19: a text for each language either way.
    #[serde(default)]
    pub(super) translate: Value,
}

impl Described {
    /// `related` is a path in 15-19 and a list of names in 14; false or absent where the field is no copy.
    pub(super) fn path(&self) -> Option<String> {
        let path = match &self.related {
            Value::String(path) => Some(path.clone()),
            Value::Array(names) => {
                names.iter().map(Value::as_str).collect::<Option<Vec<_>>>().map(|names| names.join("."))
            }
            _ => None,
        };
        path.filter(|path| !path.is_empty())
    }

    pub(super) fn properties(&self) -> Option<Properties> {
        let place = match (&self.definition_record, &self.definition_record_field) {
            (Value::String(link), Value::String(field)) => {
                Some(DefinitionField { link: link.clone(), field: field.clone() })
            }
            _ => None,
        };
        match self.kind.as_str() {
            "properties" => Some(Properties::Values(place)),
            "properties_definition" => Some(Properties::Definitions),
            _ => None,
        }
    }

    pub(super) fn choices(&self) -> Choices {
        let choices: Vec<Choice> = serde_json::from_value(self.selection.clone()).ok()?;
        Some(choices.into())
    }

    pub(super) fn is_readonly(&self) -> bool {
        self.readonly == Value::Bool(true)
    }

    /// The readonly of a field that is only so in forms says nothing of what Odoo does with a value.
    pub(super) fn kept(&self, name: &str) -> Kept {
        if !self.is_readonly() {
            Kept::Yes
        } else if !self.store || ODOOS_OWN.contains(&name) {
            Kept::No
        } else if self.is_computed(name) {
            Kept::UntilComputed
        } else {
            Kept::Yes
        }
    }

    /// Of a stored field: its value depends on others. A relation whose domain names fields of the related records depends on
    /// those, and is not computed.
    pub(super) fn is_computed(&self, name: &str) -> bool {
        let is_own = |path: &str| path.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        let depends = self.depends.as_array().into_iter().flatten().filter_map(Value::as_str);
        self.kind != "one2many" && depends.into_iter().any(|path| !is_own(path))
    }
}

/// The links that are more than loose, by the copies that are written through them.
pub(super) fn bonds(fields: &HashMap<String, Described>) -> HashMap<String, Bond> {
    let mut bonds = HashMap::new();
    for (name, field) in fields.iter().filter(|(_, field)| !field.is_readonly()) {
        let Some(path) = field.path() else { continue };
        let Some((link, copied)) = path.split_once('.') else { continue };
        let is_inherited = copied == name && !field.store && field.sortable;
        let is_part = is_inherited && fields.get(link).is_some_and(|link| link.required);
        if is_part || !bonds.contains_key(link) {
            bonds.insert(link.to_owned(), if is_part { Bond::Part } else { Bond::Written });
        }
    }
    bonds
}
