//! What a model looks like to one user: its fields, their types, and where they lead.
//!
//! Read with `fields_get`, which every user may call for every model and which leaves out the fields that the user may
//! not see. Only the attributes that are used are asked for: the whole description of a model takes Odoo up to 0.7 s.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use serde::Deserialize;
use serde_json::Value;

pub(super) const ATTRIBUTES: [&str; 6] = ["type", "relation", "relation_field", "store", "related", "searchable"];

/// The fields of one model, as one user sees them.
#[derive(Debug)]
pub struct Schema {
    pub model: String,
    fields: HashMap<String, Field>,
    read_at: Instant,
}

/// A field, as far as translation needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub kind: Kind,
    /// The value that `read` gives is the value that `search` compares: true for stored fields and plain copies of them.
    pub is_column: bool,
    pub is_searchable: bool,
    /// The path to the field that this one is a copy of, if it is one.
    pub related: Option<String>,
    /// Of a one2many: the field of the related model that leads back, where there is one.
    pub inverse: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Many2one(String),
    One2many(String),
    Many2many(String),
    /// Leads to a record of any model, named in the value: `model,id`.
    Reference,
    Integer,
    /// char, text and selection: a text that compares as it is.
    Text,
    Binary,
    /// Numbers, dates and marked-up text: one JSON value, and not more.
    Scalar,
    /// json, properties and whatever later versions add: any JSON value.
    Free,
}

#[derive(Deserialize)]
struct Described {
    #[serde(rename = "type")]
    kind: String,
    relation: Option<String>,
    #[serde(default)]
    relation_field: Value,
    #[serde(default)]
    store: bool,
    #[serde(default)]
    related: Value,
    #[serde(default)]
    searchable: bool,
}

impl Schema {
    /// From the answer of `fields_get`. A field that cannot be understood is of kind `Free`, never an error: Odoo adds types.
    pub fn new(model: &str, described: HashMap<String, Value>) -> Self {
        let field = |(name, value): (String, Value)| {
            let described: Described = serde_json::from_value(value).ok()?;
            Some((name, Field::from(described)))
        };
        let fields = described.into_iter().filter_map(field).collect();
        Self { model: model.to_owned(), fields, read_at: Instant::now() }
    }

    pub(super) fn is_older_than(&self, age: Duration) -> bool {
        self.read_at.elapsed() > age
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.get(name)
    }

    /// The records of this model may belong to a company each.
    pub fn has_company(&self) -> bool {
        self.field("company_id")
            .is_some_and(|field| field.is_searchable && field.kind.relation() == Some("res.company"))
    }
}

impl Kind {
    /// The model that a relational field leads to.
    pub fn relation(&self) -> Option<&str> {
        match self {
            Self::Many2one(model) | Self::One2many(model) | Self::Many2many(model) => Some(model),
            _ => None,
        }
    }
}

impl From<Described> for Field {
    fn from(described: Described) -> Self {
        let kind = match (described.kind.as_str(), described.relation) {
            ("many2one", Some(model)) => Kind::Many2one(model),
            ("one2many", Some(model)) => Kind::One2many(model),
            ("many2many", Some(model)) => Kind::Many2many(model),
            ("reference", _) => Kind::Reference,
            ("integer" | "many2one_reference", _) => Kind::Integer,
            ("char" | "text" | "selection", _) => Kind::Text,
            ("binary", _) => Kind::Binary,
            ("boolean" | "float" | "monetary" | "date" | "datetime" | "html", _) => Kind::Scalar,
            _ => Kind::Free,
        };
        // `related` is a path in 15-19 and a list of names in 14; false or absent where the field is no copy.
        let related = match &described.related {
            Value::String(path) => Some(path.clone()),
            Value::Array(names) => {
                names.iter().map(Value::as_str).collect::<Option<Vec<_>>>().map(|names| names.join("."))
            }
            _ => None,
        };
        let related = related.filter(|path| !path.is_empty());
        let is_column = described.store || related.is_some();
        let inverse = described.relation_field.as_str().map(str::to_owned);
        Self { kind, is_column, is_searchable: described.searchable, related, inverse }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_copy_is_known_as_each_version_describes_it() {
        for (related, expected) in [
            (json!("partner_id.vat"), Some("partner_id.vat")),
            (json!(["partner_id", "vat"]), Some("partner_id.vat")),
            (json!([]), None),
            (json!(""), None),
            (json!(false), None),
            (json!(null), None),
        ] {
            let described = HashMap::from([("vat".to_owned(), json!({"type": "char", "related": related}))]);
            let schema = Schema::new("m", described);
            let field = schema.field("vat").unwrap();
            assert_eq!((field.related.as_deref(), field.is_column), (expected, expected.is_some()), "{related}");
        }
    }
}
