//! Existing records: those that a search key finds, and the lines of records.

use serde_json::{Value, json};

use crate::{
    odoo::{self, Caller, Named, Page, Rpc},
    plan::{Error, compile::OldLines, policy_check::denied, rows, search_key::SearchKey, wording::archived},
    policy::Touch,
};

/// The records to update, with their present lines.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) ids: Vec<i64>,
    pub(super) lines: OldLines,
    /// Archived records that match, where the search key does not count them.
    pub(super) archived: Vec<i64>,
    /// What the external ids of the search key name.
    pub(super) named: Vec<Named>,
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

/// Finds the records that the search key names, with the lines that they have in these fields.
///
/// # Errors
/// An RPC fails, or more records match than the caller may change.
pub(super) async fn find(
    caller: &Caller,
    model: &str,
    key: &SearchKey,
    line_fields: Vec<String>,
) -> Result<Found, Error> {
    let named = match key.external_ids() {
        Some(ids) => caller.external_ids(model, ids).await?,
        None => Vec::new(),
    };
    let mut domain = key.domain();
    if key.external_ids().is_some() {
        let seen = |named: &Named| matches!(named, Named::Record { is_seen: true, .. });
        let ids = named.iter().filter_map(Named::record).collect::<Vec<i64>>();
        let is_all = key.terms().is_empty() && line_fields.is_empty() && caller.policy().domain(model).is_none();
        if ids.is_empty() || (is_all && named.iter().all(seen)) {
            decide_written(caller, model, ids.len())?;
            return Ok(Found { ids, named, ..Found::default() });
        }
        domain.push(json!(["id", "in", ids]));
    }
    let mut page = most_written(caller);
    let mut fields: Vec<&str> = line_fields.iter().map(String::as_str).collect();
    fields.extend(key.folded());
    if let Some(active) = told_by(caller, key) {
        fields.push(active);
        // Archived records come last, so that a limit does not cut off the others.
        page.order = page.limit.map(|_| format!("{active} desc, id"));
    }
    if fields.is_empty() {
        fields.push("id");
    }
    let rpc = Rpc::search_read(model, Value::Array(domain), json!(fields), page);
    let rows = rows::records(&rpc, caller.call(&rpc).await?)?;
    Ok(Found { named, ..Found::of(caller, &rpc, key, rows.iter().collect(), line_fields)? })
}

/// The field by which archived records are told apart, unless the call's context makes them count.
pub(super) fn told_by<'k>(caller: &Caller, key: &'k SearchKey) -> Option<&'k str> {
    key.tells_archived().filter(|_| !caller.counts_archived())
}

impl Found {
    /// What the rows say that the search key matches, with the lines of each in these fields.
    ///
    /// # Errors
    /// There are more records than the caller may change, or a row has no id.
    pub(super) fn of(
        caller: &Caller,
        rpc: &Rpc,
        key: &SearchKey,
        mut rows: Vec<&Value>,
        line_fields: Vec<String>,
    ) -> Result<Self, Error> {
        rows.retain(|row| key.is_meant(row));
        let active = told_by(caller, key);
        let is_archived = |row: &Value| active.is_some_and(|active| row[active] == Value::Bool(false));
        let (archived, rows): (Vec<&Value>, Vec<&Value>) = rows.into_iter().partition(|row| is_archived(row));
        decide_written(caller, &rpc.model, rows.len())?;
        let lines_of = |field: String| {
            let ids =
                rows.iter().flat_map(|row| row[&field].as_array().into_iter().flatten()).filter_map(Value::as_i64);
            let ids = ids.collect();
            (field, ids)
        };
        let lines = line_fields.into_iter().map(lines_of).collect();
        let (ids, archived) = (rows::ids(rpc, rows)?, rows::ids(rpc, archived)?);
        Ok(Self { ids, lines, archived, named: Vec::new() })
    }

    /// Where nothing was found: which archived records match, as the end of a sentence.
    pub(super) fn but_archived(&self) -> String {
        self.only_archived().map(|archived| format!(": {archived}")).unwrap_or_default()
    }

    /// Where nothing was found: which archived records match, for a sentence.
    pub(super) fn only_archived(&self) -> Option<String> {
        let is_only = self.ids.is_empty() && !self.archived.is_empty();
        is_only.then(|| archived(&self.archived))
    }
}

/// The page of a search for records to write: one record more than may be changed, which shows that there are too many.
pub(super) fn most_written(caller: &Caller) -> Page {
    Page { limit: caller.policy().most.write.map(|most| most.saturating_add(1)), ..Page::default() }
}

pub(super) fn decide_written(caller: &Caller, model: &str, found: usize) -> Result<(), Error> {
    let records = u64::try_from(found).unwrap_or(u64::MAX);
    caller.policy().decide(Touch::WriteMany { model, records }).map_err(denied("search_key"))
}
