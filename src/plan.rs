//! From a call's `vals` to a plan: the Odoo RPCs to make, in order, and how to undo each.
//!
//! A payload is read against the models' schemas, and its lookups are answered with as few queries as possible. The
//! folders, from bottom to top, each importing only those before it:
//!
//! - `schema_view`: the models' schemas under the caller's policy, and `policy_check`: what else a call touches
//! - `lookup`: the questions that lookups ask, and asking them
//! - `usable`: the fields of a model as a caller may use them
//! - `hints`: what may have been meant, beside a refusal
//! - `answer`: which fields an answer holds
//! - `dialect`: the forms of older versions of the addon
//! - `value`: single values by the type of their field; `search_key` and `domain`: those by which records are found
//! - `steps`: the types of a planned write
//! - `old_lines`: what records that are updated hold before
//! - `read`: from a payload to a draft whose lookups are open
//! - `resolve`: from open lookups to answers, and to the missing records that have to be created
//! - `complete`: values that take more than a lookup, such as properties by their label
//! - `several`: the one of several matches that a field's domain leaves, else a warning
//! - `compile`: from answered lookups to the steps of a write
//! - `unfound`: the lookups of a payload with mistakes that find nothing, or too much
//! - `render`: a plan for people
//! - `routes`: one function for each route
//!
//! Reading, settling and compiling are pure functions of schemas and answers. Planning only reads from Odoo; nothing is
//! written before the whole plan stands.

mod analytic;
mod answer;
mod attachment;
mod compile;
mod complete;
mod dialect;
mod domain;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod hints;
mod lookup;
mod name_limits;
mod named_ids;
mod old_lines;
mod policy_check;
mod positions;
mod read;
mod render;
mod resolve;
mod routes;
mod rows;
mod schema_view;
mod search_key;
mod several;
mod steps;
mod unfound;
mod usable;
mod value;
mod warning;
mod wording;

use serde_json::{Map, Value};

pub(crate) use self::{
    answer::contents_as_text, attachment::MODEL as FILES, named_ids::explain, policy_check::denied, render::search,
    routes::lines_of, rows::records, value::WrittenTime, warning::Warnings, wording::kind_of,
};
pub use self::{
    answer::{Selection, field_list},
    error::{Ambiguous, Error, NoMatch},
    hints::{Meant, Nearby},
    lookup::LookupResult,
    named_ids::NamedId,
    routes::{
        FUNCTIONS, Grouping, MAX_RECORDS, MOST_TERMS, MOST_THEN, OF_THEN, PERIODS, Then, Wizard, call_function,
        check_places, create_data, create_update_data, delete_data, parameters, search_data, take_context, update_data,
    },
    steps::{
        Answer, At, Delegation, FutureId, Line, Many, Missing, NestedLines, Placeholder, Purpose, Record, RecordIndex,
        RecordPath, Root, SideEffects, Step, StepId, StepMap, Steps, Together, Write,
    },
    usable::{UsableField, usable_fields},
    warning::{Noted, Warning, WarningCode},
};
use crate::{
    config::Compat,
    fetch::CallFiles,
    odoo::{Effect, Page, Rpc},
};

/// A planned call, and what the caller should know besides.
#[derive(Debug)]
pub struct Plan {
    pub work: Work,
    /// The lookups that were made for it.
    pub lookups: Vec<LookupResult>,
    pub warnings: Vec<Warning>,
    /// The records that the payload names by id.
    pub named_ids: Vec<NamedId>,
    /// The plan is only shown, and not executed.
    pub dry_run: bool,
    /// A hash of all that Odoo answered about records: the same call with equal answers has the same plan.
    pub answers: u64,
}

impl Plan {
    /// The warnings of the call, and those of each of its records.
    pub fn all_warnings(&self) -> impl Iterator<Item = &Warning> {
        let records = match &self.work {
            Work::Many(many) => many.records.as_slice(),
            Work::Write(_) | Work::Search { .. } | Work::Count { .. } | Work::Groups { .. } | Work::Method { .. } => {
                &[]
            }
        };
        self.warnings.iter().chain(records.iter().flatten().flat_map(|record| &record.warnings))
    }

    /// Whether a record of several was refused because the models are not as they are remembered.
    pub fn may_come_of_old_schemas(&self) -> bool {
        let Work::Many(many) = &self.work else { return false };
        many.records.iter().any(|record| record.as_ref().is_err_and(Error::may_come_of_old_schemas))
    }

    /// A plan for which nothing was looked up.
    fn without_lookups(work: Work, warnings: Warnings, dry_run: bool) -> Self {
        let warnings = warnings.into_vec();
        Self { work, lookups: Vec::new(), named_ids: Vec::new(), warnings, dry_run, answers: 0 }
    }

    /// Whether it may change anything in Odoo.
    pub fn writes(&self) -> bool {
        match &self.work {
            Work::Write(write) => !write.steps.is_empty(),
            Work::Many(many) => many.writes(),
            Work::Search { .. } | Work::Count { .. } | Work::Groups { .. } => false,
            Work::Method { rpc, .. } => rpc.effect == Effect::Write,
        }
    }
}

/// The RPCs of a call.
#[derive(Debug)]
pub enum Work {
    Write(Write),
    Many(Many),
    /// `most` is the number of records that may be answered, where the caller gave no limit.
    Search {
        model: String,
        domain: Value,
        page: Page,
        most: Option<u64>,
        fields: Fields,
    },
    Count {
        rpc: Rpc,
    },
    Groups {
        rpc: Rpc,
        grouping: Grouping,
        most: Option<u64>,
    },
    /// `files` are created before, and their ids passed as `attachment_ids`. `then` answers the wizards that the method asks back with.
    /// `message` is what is answered when it is done.
    Method {
        rpc: Rpc,
        message: String,
        on: On,
        files: Vec<Value>,
        then: Vec<Then>,
    },
}

/// What a method is called on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// The records found, or the model where the method takes no records. Only Odoo knows which.
    Whichever,
    /// The model, as the caller asked for.
    Model,
}

/// The fields that a search answers.
#[derive(Debug)]
pub enum Fields {
    /// By name alone, as `search_read` takes them; an empty list means all fields.
    Named(Vec<String>),
    /// With fields of related records.
    Nested {
        selection: Selection,
        /// The specification by which one RPC reads all levels, where there is one.
        specification: Option<Value>,
    },
}

/// The parameters of a call, the compatibility settings by which they are read, and what fetches the files that they name.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub model: &'a str,
    pub vals: &'a Map<String, Value>,
    pub compat: &'a Compat,
    pub files: &'a CallFiles,
    /// The most records that a search without `limit` may answer.
    pub rows: u64,
    /// Keeps the warnings of a call that is refused.
    pub noted: &'a Noted,
}
