//! From a call's `vals` to what Odoo is told: a payload is read against the models' schemas, its lookups are answered with
//! as few queries as possible, and what comes out are the calls to make, in order, with how to undo each.
//!
//! The way of a write: [`vals`] takes the parameters apart; [`draft`] reads the payload, with its lookups open;
//! [`resolve`] answers them, and [`compile`] makes calls of it with the values that [`settle`] gives. Reading, settling and
//! compiling are pure functions of schemas and answers. Planning only reads from Odoo; nothing is written before the whole
//! plan stands.

mod auto_create;
mod commands;
mod compile;
mod content;
mod draft;
mod error;
mod files;
mod joins;
mod known;
mod lookup;
mod method;
mod names;
pub mod picks;
mod properties;
mod query;
mod render;
mod resolve;
mod same_record;
mod search;
mod selection;
mod settle;
mod steps;
mod touched;
mod vals;
mod write;

use serde_json::{Map, Value, json};

pub(crate) use self::{content::contents_as_text, render::search, touched::denied, write::lines_of};
pub use self::{
    error::{Ambiguous, Error},
    joins::Joins,
    method::call_function,
    search::search_data,
    selection::Selection,
    steps::{Answer, At, Below, Beside, Hole, Line, Looked, Place, Purpose, Root, Step, Write},
    write::{create_data, create_update_data, update_data},
};
use crate::{
    config::Compat,
    errors::Code,
    key_texts::mask_keys,
    odoo::{Effect, Page, Rpc},
};

/// What Odoo is to be told, and what the caller should know besides.
#[derive(Debug)]
pub struct Plan {
    pub work: Work,
    /// What was looked up for it.
    pub lookups: Vec<Looked>,
    pub warnings: Vec<Warning>,
    /// The plan is to be shown, and nothing done.
    pub dry_run: bool,
    /// A hash of all that Odoo answered about records: the same call with equal answers has the same plan.
    pub answers: u64,
}

impl Plan {
    /// Whether it may change anything in Odoo.
    pub fn writes(&self) -> bool {
        match &self.work {
            Work::Write(write) => !write.steps.is_empty(),
            Work::Search { .. } => false,
            Work::Method { rpc, .. } => rpc.effect == Effect::Write,
        }
    }
}

/// What a call comes down to.
#[derive(Debug)]
pub enum Work {
    Write(Write),
    Search { model: String, domain: Value, page: Page, fields: Fields },
    Method { rpc: Rpc, on: On },
}

/// What a method is called on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// The records found, or the model where the method takes no records: Odoo knows which.
    Whichever,
    /// The model, because the caller says so.
    Model,
}

/// The fields that a search answers.
#[derive(Debug)]
pub enum Fields {
    /// By name alone, as `search_read` takes them; none means all.
    Named(Vec<String>),
    /// With fields taken within relations.
    Nested {
        selection: Selection,
        /// How one call reads them, where it can.
        specification: Option<Value>,
    },
}

/// Something that was asked for and not done, though the call went on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    pub code: Code,
    /// Where in `vals` it stands, such as `payload.order_line[2].product_id`.
    pub path: String,
    pub message: String,
}

impl Warning {
    pub fn to_json(&self) -> Value {
        json!({"code": self.code, "path": self.path, "message": mask_keys(&self.message)})
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
        code: Code,
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

    pub(crate) fn is_strict(&self) -> bool {
        self.strict
    }

    /// Takes a field's value as one that Odoo will not keep.
    pub(crate) fn note_unwritten(&mut self, model: &str, field: &str, path: &str) -> Result<(), Error> {
        let message = format!("`{path}` was not written: Odoo fills `{field}` of `{model}` itself");
        self.note(Code::FieldNotWritten, path, message)
    }

    /// Drops what is said of fields that are not written.
    pub(crate) fn without_unwritten(mut self) -> Self {
        self.noted.retain(|warning| warning.code != Code::FieldNotWritten);
        self
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.noted.extend(other.noted);
    }

    pub(crate) fn into_vec(self) -> Vec<Warning> {
        self.noted
    }
}

/// What is asked for, and how it is to be taken.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub model: &'a str,
    pub vals: &'a Map<String, Value>,
    pub compat: &'a Compat,
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
