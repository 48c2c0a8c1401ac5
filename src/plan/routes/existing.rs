//! Existing records: those that a search key finds, and the lines of records.

use serde_json::{Value, json};

use crate::{
    odoo::{self, Caller, Page, Rpc},
    plan::{Error, compile::OldLines, policy_check::denied, rows},
    policy::Touch,
};

/// The records to update, with their present lines.
pub(super) struct Found {
    pub(super) ids: Vec<i64>,
    pub(super) lines: OldLines,
}

/// The ids of the lines of some records, archived ones too.
///
/// They are found by the field that leads back, where there is one: the one2many itself may leave lines out (a
/// contact's archived contacts, for example).
///
/// # Errors
/// The RPC fails, or gives no records.
pub(crate) async fn lines_of(
    caller: &Caller,
    model: &str,
    ids: &[i64],
    field: &str,
    line_model: &str,
    inverse: Option<&str>,
) -> Result<Vec<i64>, odoo::Error> {
    let rpc = match inverse {
        Some(inverse) => {
            let domain = json!([[inverse, "in", ids]]);
            let page = Page { order: Some("id".to_owned()), ..Page::default() };
            Rpc::search_read(line_model, domain, json!(["id"]), page).reaching_all()
        }
        None => Rpc::read(model, ids.to_vec(), json!([field])),
    };
    let rpc = rpc.with_context("active_test", false);
    let rows = rows::records(&rpc, caller.call_again(&rpc).await?)?;
    let mut lines: Vec<i64> = match inverse {
        Some(_) => rows::ids(&rpc, &rows)?,
        None => {
            rows.iter().flat_map(|row| row[field].as_array().into_iter().flatten()).filter_map(Value::as_i64).collect()
        }
    };
    // Lines are created in the order in which they were sent, so their ids are in that order.
    lines.sort_unstable();
    Ok(lines)
}

pub(super) async fn find(
    caller: &Caller,
    model: &str,
    domain: Value,
    line_fields: Vec<String>,
) -> Result<Found, Error> {
    let fields = if line_fields.is_empty() { json!(["id"]) } else { json!(line_fields) };
    let rpc = Rpc::search_read(model, domain, fields, most_written(caller));
    let rows = rows::records(&rpc, caller.call(&rpc).await?)?;
    decide_written(caller, model, rows.len())?;
    let lines_of = |field: String| {
        let ids = rows.iter().flat_map(|row| row[&field].as_array().into_iter().flatten()).filter_map(Value::as_i64);
        let ids = ids.collect();
        (field, ids)
    };
    Ok(Found { ids: rows::ids(&rpc, &rows)?, lines: line_fields.into_iter().map(lines_of).collect() })
}

/// The page of a search for records to write: one record more than may be changed, which shows that there are too many.
pub(super) fn most_written(caller: &Caller) -> Page {
    Page { limit: caller.policy().most.write.map(|most| most.saturating_add(1)), ..Page::default() }
}

pub(super) fn decide_written(caller: &Caller, model: &str, found: usize) -> Result<(), Error> {
    let records = u64::try_from(found).unwrap_or(u64::MAX);
    caller.policy().decide(Touch::WriteMany { model, records }).map_err(denied("search_key"))
}
