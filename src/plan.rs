//! From a call's `vals` to what Odoo is told: a payload is read against the models' schemas, its lookups are answered with
//! as few queries as possible, and what comes out are the calls to make, in order, with how to undo each.
//!
//! The way of a write: [`vals`] takes the parameters apart; [`draft`] reads the payload, with its lookups open;
//! [`resolve`] answers them, and [`compile`] makes calls of it with the values that [`settle`] gives. Reading, settling and
//! compiling are pure functions of schemas and answers. Planning only reads from Odoo; nothing is written before the whole
//! plan stands.

mod answer;
mod attachment;
mod compile;
mod error;
mod lookup;
mod name_limits;
mod policy_check;
mod read;
mod render;
mod resolve;
mod routes;
mod rows;
mod schema_view;
mod steps;
mod warning;
mod wording;

use serde_json::{Map, Value};

pub(crate) use self::{
    answer::contents_as_text, policy_check::denied, render::search, routes::lines_of, rows::records, warning::Warnings,
    wording::kind_of,
};
pub use self::{
    answer::{Selection, field_list},
    error::{Ambiguous, Error},
    lookup::LookupResult,
    routes::{call_function, create_data, create_update_data, search_data, update_data},
    steps::{
        Answer, ArgumentPath, At, Delegation, FutureId, Line, NestedLines, Placeholder, Purpose, RecordIndex,
        RecordPath, Root, SideEffects, Step, StepId, StepMap, Steps, Write,
    },
    warning::{Warning, WarningCode},
};
use crate::{
    config::Compat,
    odoo::{Effect, Page, Rpc},
};

/// What Odoo is to be told, and what the caller should know besides.
#[derive(Debug)]
pub struct Plan {
    pub work: Work,
    /// What was looked up for it.
    pub lookups: Vec<LookupResult>,
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

/// What is asked for, and how it is to be taken.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub model: &'a str,
    pub vals: &'a Map<String, Value>,
    pub compat: &'a Compat,
}
