//! A model as one caller may use it: its fields, the lines that are written with it, and calls that a dry run accepts.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{odoo::Kind, plan::UsableField, route::Route};

/// A model that is described.
#[derive(Debug, Clone)]
pub struct Model {
    pub name: String,
    pub fields: Vec<Field>,
    /// The models of its lines, by the name of the one2many that holds them.
    pub lines: BTreeMap<String, Lines>,
    /// A call of each route that has one, as a dry run.
    pub examples: Vec<(Route, Value)>,
}

/// The model of lines, with its fields.
#[derive(Debug, Clone)]
pub struct Lines {
    pub model: String,
    pub fields: Vec<Field>,
}

/// A field that the caller may read or write.
#[derive(Debug, Clone)]
pub struct Field {
    pub usable: UsableField,
    /// In the language of the caller's user.
    pub label: String,
    pub help: String,
    /// Odoo refuses a new record without it, and has no value of its own for it.
    pub is_required: bool,
    /// Odoo has a value of its own for it: a default, or one that it computes.
    pub has_default: bool,
}

impl Field {
    pub fn name(&self) -> &str {
        &self.usable.name
    }

    pub fn kind(&self) -> &Kind {
        &self.usable.field.kind
    }

    /// Whether a value that is sent for it is kept.
    pub fn is_kept(&self) -> bool {
        self.usable.is_writable && self.usable.field.kept != crate::odoo::Kept::No
    }
}

impl Model {
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name() == name)
    }

    /// The example of a route.
    pub fn example(&self, route: Route) -> Option<&Value> {
        self.examples.iter().find(|(known, _)| *known == route).map(|(_, example)| example)
    }
}
