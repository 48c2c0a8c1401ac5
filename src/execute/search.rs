//! The records that a search answers, and groups of them.
//!
//! A search without a limit must not read a table of millions. Counting each search first would cost an RPC, so the first one
//! reads some records alone: most searches find fewer. Where there are more, they are counted, and if they are not too many, read
//! once more, all in one RPC, so that no record is missed or comes twice.

use serde_json::Value;

use super::shaped;
use crate::{
    odoo::{Caller, Page, Rpc},
    plan::{self, Fields, Grouping},
    policy::Touch,
};

/// The number of records up to which a search without a limit takes one RPC: of records with a few fields, and with many, which
/// cost Odoo a hundred times as much.
const FIRST: u64 = 2_000;
const FIRST_WITH_MANY_FIELDS: u64 = 200;
/// More fields than these are many.
const FEW_FIELDS: usize = 30;

/// Reads the records of a search; `most` is how many may be answered, where the caller gave no limit.
///
/// # Errors
/// Odoo or the policy refuses, or there are more records than may be answered.
pub(super) async fn records(
    caller: &Caller,
    model: &str,
    domain: Value,
    page: Page,
    most: Option<u64>,
    fields: Fields,
) -> Result<Vec<Value>, plan::Error> {
    let Some(most) = most else { return read(caller, model, domain, page, &fields).await };
    let first = first(&fields).min(most);
    let some = Page { limit: Some(first.saturating_add(1)), ..page.clone() };
    let records = read(caller, model, domain.clone(), some, &fields).await?;
    if records.len() as u64 <= first {
        return Ok(records);
    }
    let counted = caller.call(&Rpc::search_count(model, domain.clone())).await?;
    let found = counted.as_u64().unwrap_or(u64::MAX);
    if found.saturating_sub(page.offset) > most {
        let found = format!("{found} records");
        return Err(plan::Error::TooManyRows { model: model.to_owned(), found, most });
    }
    // Others may have created records since.
    read(caller, model, domain, Page { limit: Some(most), ..page }, &fields).await
}

fn first(fields: &Fields) -> u64 {
    match fields {
        // No name means all fields.
        Fields::Named(names) if names.is_empty() || names.len() > FEW_FIELDS => FIRST_WITH_MANY_FIELDS,
        Fields::Named(_) | Fields::Nested { .. } => FIRST,
    }
}

async fn read(
    caller: &Caller,
    model: &str,
    domain: Value,
    page: Page,
    fields: &Fields,
) -> Result<Vec<Value>, plan::Error> {
    let rpc = plan::search(model, domain, page, fields);
    let mut found = caller.call(&rpc).await?;
    let records = match fields {
        Fields::Named(_) => {
            plan::contents_as_text(caller, model, &mut found).await?;
            plan::records(&rpc, found)?
        }
        Fields::Nested { selection, specification: Some(_) } => {
            shaped(plan::records(&rpc, found["records"].take())?, selection)
        }
        Fields::Nested { selection, specification: None } => {
            let mut records = plan::records(&rpc, found)?;
            selection.expand(caller, &mut records).await?;
            records
        }
    };
    decide_answered(caller, model, &records, "payload.search_domain")?;
    Ok(records)
}

/// Reads the groups of a search; `most` is how many may be answered, where the caller gave no limit.
///
/// # Errors
/// Odoo or the policy refuses, or there are more groups than may be answered.
pub(super) async fn groups(
    caller: &Caller,
    rpc: &Rpc,
    grouping: &Grouping,
    most: Option<u64>,
) -> Result<Vec<Value>, plan::Error> {
    let groups = plan::records(rpc, caller.call(rpc).await?)?;
    decide_answered(caller, &rpc.model, &groups, "payload.group")?;
    match most.filter(|most| groups.len() as u64 > *most) {
        None => Ok(grouping.shape(groups)),
        Some(most) => {
            let found = format!("more than {most} groups");
            Err(plan::Error::TooManyRows { model: rpc.model.clone(), found, most })
        }
    }
}

fn decide_answered(caller: &Caller, model: &str, rows: &[Value], path: &str) -> Result<(), plan::Error> {
    let many = Touch::ReadMany { model, records: rows.len() as u64 };
    caller.policy().decide(many).map_err(plan::denied(path))
}
