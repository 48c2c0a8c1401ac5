//! From a call's `vals` to what Odoo is told: a payload is read against the models' schemas, its lookups are answered with
//! as few queries as possible, and what comes out is one step to execute.
//!
//! Reading a payload and settling it are pure functions of schemas and answers; only [`write`], [`search`] and [`method`]
//! ask Odoo, and they only read. Nothing is written before the whole plan stands.

mod draft;
mod known;
pub mod literal;
mod lookup;
mod method;
pub mod picks;
mod search;
mod selection;
mod vals;
mod write;

use serde_json::{Map, Value, json};

pub use self::{
    method::call_function,
    search::search_data,
    selection::Selection,
    vals::Vals,
    write::{create_data, create_update_data, update_data},
};
use crate::{
    config::Compat,
    odoo::{self, Page, Rpc},
};

/// What Odoo is to be told, and what the caller should know besides.
#[derive(Debug)]
pub struct Plan {
    pub step: Step,
    pub warnings: Vec<Warning>,
}

/// The one step that a call comes down to.
#[derive(Debug)]
pub enum Step {
    Create {
        model: String,
        values: Map<String, Value>,
        company: Option<i64>,
        wanted: Selection,
    },
    /// The same values into each record. `echo` is the search key, which the answer repeats.
    Update {
        model: String,
        ids: Vec<i64>,
        values: Map<String, Value>,
        echo: Map<String, Value>,
        wanted: Selection,
    },
    Search {
        model: String,
        domain: Value,
        page: Page,
        fields: Fields,
    },
    Method {
        rpc: Rpc,
    },
}

/// The fields that a search answers.
#[derive(Debug)]
pub enum Fields {
    /// By name alone, as `search_read` takes them; none means all.
    Named(Vec<String>),
    /// With fields taken within relations.
    Nested(Selection),
}

/// Something that was asked for and not done, though the call went on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    pub code: &'static str,
    /// Where in `vals` it stands, such as `payload.order_line[2].product_id`.
    pub path: String,
    pub message: String,
}

impl Warning {
    pub fn to_json(&self) -> Value {
        json!({"code": self.code, "path": self.path, "message": self.message})
    }
}

/// The warnings of one call, each of which is an error where the call is strict.
#[derive(Debug)]
pub(crate) struct Warnings {
    strict: bool,
    noted: Vec<Warning>,
}

impl Warnings {
    pub(crate) fn new(strict: bool) -> Self {
        Self { strict, noted: Vec::new() }
    }

    pub(crate) fn note(
        &mut self,
        code: &'static str,
        path: impl Into<String>,
        message: impl Into<String>,
    ) -> Result<(), Error> {
        let warning = Warning { code, path: path.into(), message: message.into() };
        if self.strict {
            return Err(Error::Strict(warning));
        }
        self.noted.push(warning);
        Ok(())
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.noted.extend(other.noted);
    }

    pub(crate) fn into_vec(self) -> Vec<Warning> {
        self.noted
    }
}

/// Why a call cannot be carried out as it was sent. Nothing was written.
///
/// Where the addon has a sentence for it, the sentence is the addon's: integrations match on it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("'{field}': '{value}' found no match.")]
    NoMatch { path: String, field: String, value: String },
    #[error("'{field}': '{value}' matched more than 1 record")]
    Ambiguous { path: String, field: String, value: String },
    #[error("'{field}': the model `{model}` has no field `{lookup}` to look up by")]
    UnknownLookupField { path: String, field: String, model: String, lookup: String },
    #[error("many2many field '{field}': 'mode' must be 'add' or 'replace'")]
    BadMode { path: String, field: String },
    #[error("`{path}` {problem}")]
    WrongKind { path: String, problem: String },
    #[error("the model `{model}` has no field `{name}` (`{parameter}`)")]
    UnknownField { parameter: &'static str, model: String, name: String },
    #[error("`{parameter}`: the field `{name}` of `{model}` leads to no records, so nothing can be taken within it")]
    NotRelational { parameter: &'static str, model: String, name: String },
    #[error("Parameter 'search_key' in 'vals' not found!")]
    NoSearchKey,
    #[error("Missing 'method' in payload")]
    NoMethod,
    #[error("`{model}.{method}` is a private method: Odoo lets nobody call it from outside")]
    PrivateMethod { model: String, method: String },
    #[error("`{path}` is no domain: {source}")]
    Domain { path: String, source: literal::Error },
    #[error("`{parameter}` {source}")]
    Picks { parameter: &'static str, source: picks::Error },
    #[error("{} (strict)", .0.message)]
    Strict(Warning),
    #[error(transparent)]
    Odoo(#[from] odoo::Error),
}

impl Error {
    /// The stable code that callers may branch on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoMatch { .. } => "no_match",
            Self::Ambiguous { .. } => "ambiguous_match",
            Self::UnknownLookupField { .. } => "unknown_lookup_field",
            Self::BadMode { .. } | Self::WrongKind { .. } => "invalid_value",
            Self::UnknownField { .. } => "unknown_field",
            Self::NotRelational { .. } => "not_relational",
            Self::NoSearchKey | Self::NoMethod => "missing_parameter",
            Self::PrivateMethod { .. } => "private_method",
            Self::Domain { .. } => "invalid_domain",
            Self::Picks { .. } => "invalid_fields",
            Self::Strict(warning) => warning.code,
            Self::Odoo(error) => error.code(),
        }
    }

    /// Where in `vals` the mistake stands.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::NoMatch { path, .. }
            | Self::Ambiguous { path, .. }
            | Self::UnknownLookupField { path, .. }
            | Self::BadMode { path, .. }
            | Self::WrongKind { path, .. }
            | Self::Domain { path, .. } => Some(path),
            Self::UnknownField { parameter, .. }
            | Self::NotRelational { parameter, .. }
            | Self::Picks { parameter, .. } => Some(parameter),
            Self::NoSearchKey => Some("search_key"),
            Self::NoMethod | Self::PrivateMethod { .. } => Some("payload.method"),
            Self::Strict(warning) => Some(&warning.path),
            Self::Odoo(_) => None,
        }
    }

    /// The field that the mistake is about.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::NoMatch { field, .. }
            | Self::Ambiguous { field, .. }
            | Self::UnknownLookupField { field, .. }
            | Self::BadMode { field, .. } => Some(field),
            Self::UnknownField { name, .. } | Self::NotRelational { name, .. } => Some(name),
            _ => None,
        }
    }
}

/// What a call is planned under.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'c> {
    pub compat: &'c Compat,
}

/// What a JSON value is, for a sentence.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A value inside a sentence: a text as it is, and not more than a line of it.
fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
