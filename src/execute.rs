//! Executes a plan, and puts its result in the form of the addon's answer.
//!
//! Where the answer holds fields of a record that was just written, Odoo 17 and later give them within the transaction
//! of the write. Before Odoo 17 they are read after it; the write is committed by then, so a failure to read is a
//! warning beside the result, and never an error of the write.
//!
//! `method` calls a method (`answered` reads its answer), `search` reads,
//! `run` carries out the steps of a write, `settle` finds out what became of one whose answer was lost, `many` the writes of several records, `undo` takes back what was created before a failure (`failed`), and names what
//! is left (`leftover`). The folder imports
//! plans and the caller, and nothing of the calls' envelope or of HTTP.

mod answered;
mod failed;
mod leftover;
mod many;
mod marker;
mod method;
mod progress;
mod run;
mod search;
mod settle;
mod undo;

use std::fmt::Display;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use self::settle::Settler;
pub use self::{
    leftover::Incomplete,
    marker::Marker,
    progress::Progress,
    settle::{Earlier, Right, Settling},
};
use crate::{
    odoo::{Caller, Rpc},
    plan::{self, Answer, Meant, Plan, Selection, Warning, WarningCode, Work, Write},
};

/// The addon's sentence for a search.
const SEARCHED: &str = "Record search successfully";

/// The result of a call that was carried out.
#[derive(Debug)]
pub struct Done {
    pub result: Content,
    /// The addon's sentence for the result.
    pub message: String,
    pub warnings: Vec<Warning>,
    pub atomicity: Option<Atomicity>,
}

/// What a call answers.
#[derive(Debug)]
pub enum Content {
    One(Value),
    /// Of each of several records, in the order of the request.
    Each(Vec<Result<Done, Error>>),
}

/// How a write keeps to all or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Atomicity {
    /// By Odoo's own transaction.
    SingleCall,
    /// By undoing what came before a refusal.
    Compensated,
    /// Each of several records by itself.
    PerRecord,
}

impl Atomicity {
    pub const ALL: [Self; 3] = [Self::SingleCall, Self::Compensated, Self::PerRecord];

    /// As it stands in a header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SingleCall => "single-call",
            Self::Compensated => "compensated",
            Self::PerRecord => "per-record",
        }
    }
}

/// Why a call was not carried out.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Nothing was written, unless the error itself says that this is not known.
    #[error(transparent)]
    Refused(#[from] plan::Error),
    /// Something was left in Odoo, or may have been.
    #[error(transparent)]
    Incomplete(#[from] Incomplete),
}

impl From<crate::odoo::Error> for Error {
    fn from(error: crate::odoo::Error) -> Self {
        Self::Refused(error.into())
    }
}

/// Executes the plan, or renders it for a dry run. `progress` tells how far a list of records is.
///
/// # Errors
/// Odoo or the policy refused; what had been created was deleted again, or the error names what is left.
pub async fn execute(caller: &Caller, plan: Plan, settling: &Settling, progress: &Progress) -> Result<Done, Error> {
    let settler = Settler { caller, settling };
    if plan.dry_run {
        let result = plan.render(caller);
        let message = "Dry run: nothing was written".to_owned();
        return Ok(Done { result: Content::One(result), message, warnings: plan.warnings, atomicity: None });
    }
    let mut warnings = plan.warnings;
    let (result, message, atomicity) = match plan.work {
        Work::Write(write) => {
            let atomicity = if write.steps.len() > 1 { Atomicity::Compensated } else { Atomicity::SingleCall };
            let (result, message) = save(settler, write, &mut warnings).await?;
            (result, message.to_owned(), Some(atomicity))
        }
        Work::Many(many) => return Box::pin(many::save(settler, progress, many, warnings)).await,
        Work::Search { model, domain, page, most, fields } => {
            let records = search::records(caller, &model, domain, page, most, fields).await?;
            (Value::Array(records), SEARCHED.to_owned(), None)
        }
        Work::Count { rpc } => (json!({"count": caller.call(&rpc).await?}), SEARCHED.to_owned(), None),
        Work::Groups { rpc, grouping, most } => {
            let groups = search::groups(caller, &rpc, &grouping, most).await?;
            (Value::Array(groups), SEARCHED.to_owned(), None)
        }
        Work::Method { rpc, message, on, files, then } => {
            let (result, asked_back) = method::call(settler, rpc, on, files, then).await?;
            warnings.extend(asked_back);
            (result, message, None)
        }
    };
    Ok(Done { result: Content::One(result), message, warnings, atomicity })
}

/// Carries out a write, and puts the addon's answer together.
async fn save(settler: Settler<'_>, write: Write, warnings: &mut Vec<Warning>) -> Result<(Value, &'static str), Error> {
    let caller = settler.caller;
    let Write { steps, lines_before, answer, reads_back } = write;
    let main = run::run(settler, steps, lines_before).await?;
    let created = main.as_ref().and_then(|main| main.created);
    if let (Some(id), Some(marker), Answer::Created { wanted }) = (created, &settler.settling.marker, &answer) {
        warnings.extend(marker.give(caller, &wanted.model, id).await);
    }
    let reads_back = reads_back && main.as_ref().is_none_or(|main| main.is_read);
    let records = match main.map(|main| main.answer).filter(|_| reads_back) {
        Some(Value::Array(records)) => match answer.wanted() {
            Some(wanted) => shaped(records, wanted),
            None => records,
        },
        Some(_) => {
            warnings.push(not_read("Odoo gave no list of records"));
            Vec::new()
        }
        None => Vec::new(),
    };
    match answer {
        Answer::Created { wanted } => {
            #[expect(clippy::expect_used, reason = "`run` fails where the main call of a new record gives no id")]
            let id = created.expect("a record was created");
            let bare = || json!({"id": id});
            let record = match records.into_iter().next() {
                Some(record) => record,
                None if wanted.fields.is_empty() => bare(),
                None => match read(caller, &wanted, vec![id], warnings).await.pop() {
                    Some(record) => record,
                    None => bare(),
                },
            };
            Ok((record, "Record created successfully"))
        }
        Answer::Updated { ids, echo, wanted } => {
            let records = if reads_back || wanted.fields.is_empty() || ids.is_empty() {
                records
            } else {
                read(caller, &wanted, ids.clone(), warnings).await
            };
            Ok((updated(ids, echo, &wanted, records), "Record updated successfully"))
        }
        Answer::Deleted { ids, echo } => Ok((identified(ids, echo), "Record deleted successfully")),
    }
}

/// Reads the wanted fields of records that were written; a failure is a warning.
async fn read(caller: &Caller, wanted: &Selection, ids: Vec<i64>, warnings: &mut Vec<Warning>) -> Vec<Value> {
    let read = async {
        let rpc = wanted.reading(Rpc::read(&wanted.model, ids, wanted.names()));
        let mut records = plan::records(&rpc, caller.call(&rpc).await?)?;
        wanted.expand(caller, &mut records).await?;
        Ok::<_, plan::Error>(records)
    };
    match read.await {
        Ok(records) => records,
        Err(error) => {
            warnings.push(not_read(&error));
            Vec::new()
        }
    }
}

fn not_read(why: &(impl Display + ?Sized)) -> Warning {
    Warning {
        code: WarningCode::ResultNotRead,
        path: "result_field".to_owned(),
        meant: Meant::default(),
        message: format!("the record was written, but `result_field` could not be read: {why}"),
    }
}

fn shaped(records: Vec<Value>, wanted: &Selection) -> Vec<Value> {
    records.into_iter().map(|record| wanted.shape(record)).collect()
}

/// The addon's answer to an update: the ids, overwritten by the search key's own `id` where it has one. The wanted fields
/// of one record stand beside them, those of several in `records`.
fn updated(ids: Vec<i64>, echo: Map<String, Value>, wanted: &Selection, mut records: Vec<Value>) -> Value {
    let mut result = identified(ids, echo);
    if wanted.fields.is_empty() {
        return result;
    }
    let Value::Object(values) = &mut result else { return result };
    match &mut records[..] {
        [Value::Object(record)] => {
            record.retain(|name, _| name != "id");
            values.append(record);
        }
        [] => {}
        _ => {
            values.insert("records".to_owned(), Value::Array(records));
        }
    }
    result
}

/// The ids, overwritten by the search key's own `id` where it has one.
fn identified(ids: Vec<i64>, echo: Map<String, Value>) -> Value {
    let mut result = Map::from_iter([("id".to_owned(), json!(ids))]);
    result.extend(echo);
    Value::Object(result)
}
