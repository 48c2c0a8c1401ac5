//! One query for the values of one field, which tells the records that have each value.
//!
//! Rows are matched to the values by their value in the field. Where Odoo matched a row on other grounds than equality,
//! or one of the values matches a large part of the table, the values are asked for one by one instead.

use std::collections::HashMap;

use futures_util::future;
use serde_json::{Value, json};

use crate::{
    config::CompanyFilter,
    odoo::{self, Caller, LookupCriteria, Page, Rpc},
    plan::{Error, rows},
};

/// The number of concurrent queries of one call.
pub(super) const MAX_CONCURRENT: usize = 4;
/// The number of rows beyond one for each value, above which the values are asked for one by one.
const SPARE_ROWS: u64 = 200;
/// A value that more records have than this is refused, even where several may be linked.
pub(in crate::plan) const MAX_MATCHES: usize = 100;

#[derive(Debug)]
pub(super) struct Query {
    pub(super) by: LookupCriteria,
    pub(super) mode: CompanyFilter,
}

impl Query {
    /// Asks for each of the values, and returns the ids of the records that have it, in order.
    ///
    /// # Errors
    /// An RPC fails, or gives no records.
    pub(super) async fn ask(&self, caller: &Caller, values: Vec<Value>) -> Result<Vec<Vec<i64>>, Error> {
        let mut found: Vec<Option<Vec<i64>>> = vec![None; values.len()];
        if values.len() > 1 {
            let rpc = self.rpc(&values);
            let rows = rows::records(&rpc, caller.call(&rpc).await?)?;
            if (rows.len() as u64) < limit(&values) {
                let mut by_value: HashMap<String, Vec<&Value>> = HashMap::new();
                for row in &rows {
                    by_value.entry(row[&self.by.field].to_string()).or_default().push(row);
                }
                let matched: Vec<_> = values.iter().map(|value| by_value.remove(&value.to_string())).collect();
                // A row that fits no value was matched by Odoo on other grounds than equality, so Odoo has to tell
                // which.
                let has_strangers = !by_value.is_empty();
                for (found, rows) in found.iter_mut().zip(matched) {
                    if rows.is_some() || !has_strangers {
                        *found = Some(self.choose(&rpc, rows.unwrap_or_default())?);
                    }
                }
            }
        }
        let rest: Vec<usize> = (0..values.len()).filter(|&number| found[number].is_none()).collect();
        for some in rest.chunks(MAX_CONCURRENT) {
            let alone = some.iter().map(|&number| self.ask_one(caller, number, &values[number]));
            for (number, ids) in future::try_join_all(alone).await? {
                found[number] = Some(ids);
            }
        }
        #[expect(clippy::expect_used, reason = "what the first query does not answer is asked for alone")]
        let found = found.into_iter().map(|ids| ids.expect("every value has been asked for")).collect();
        Ok(found)
    }

    async fn ask_one(&self, caller: &Caller, number: usize, value: &Value) -> Result<(usize, Vec<i64>), Error> {
        let rpc = self.rpc(std::slice::from_ref(value));
        let rows = rows::records(&rpc, caller.call(&rpc).await?)?;
        Ok((number, self.choose(&rpc, rows.iter())?))
    }

    /// The RPC that asks for these values.
    pub(super) fn rpc(&self, values: &[Value]) -> Rpc {
        let LookupCriteria { model, field, company, beside } = &self.by;
        let (term, answered) = match values {
            [value] => (json!([field, "=", value]), "id"),
            _ => (json!([field, "in", values]), field.as_str()),
        };
        let mut domain = vec![term];
        domain.extend(beside.iter().map(|(field, value)| json!([field, "=", value])));
        let mut fields = vec![answered];
        let mut page = Page::first(limit(values));
        if let Some(company) = company {
            domain.push(match self.mode {
                CompanyFilter::Exact => json!(["company_id", "=", company]),
                _ => json!(["company_id", "in", [company, false]]),
            });
            fields.push("company_id");
            // The company's own records come first, records of no company last, so that a limit does not cut off the
            // wrong ones.
            page.order = Some("company_id, id".to_owned());
        }
        Rpc::search_read(model, Value::Array(domain), json!(fields), page)
    }

    /// The ids of the rows; of the company's own rows alone, where it has any.
    fn choose<'r>(&self, rpc: &Rpc, rows: impl IntoIterator<Item = &'r Value>) -> Result<Vec<i64>, odoo::Error> {
        let company = self.by.company;
        let is_own = |row: &Value| company.is_some() && row["company_id"][0].as_i64() == company;
        let (own, shared): (Vec<&Value>, Vec<&Value>) = rows.into_iter().partition(|row| is_own(row));
        let chosen = if own.is_empty() { shared } else { own };
        rows::ids(rpc, chosen)
    }
}

fn limit(values: &[Value]) -> u64 {
    if values.len() == 1 { MAX_MATCHES as u64 + 1 } else { values.len() as u64 + SPARE_ROWS }
}
