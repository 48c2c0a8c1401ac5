//! What records that are updated hold before: their lines, with the values that sent lines are compared with.
//!
//! From Odoo 17 on, the search that finds the records reads all levels. Before, each level takes one RPC for each relation. Which
//! lines a record has is what its one2many says: archived ones are not among them, except where the field says so.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};

use super::{Error, answer::READS_BY_SPECIFICATION, rows};
use crate::odoo::{Caller, Page, Rpc};

/// A record as it is before an update.
#[derive(Debug, Clone, PartialEq, Hash)]
pub(in crate::plan) struct OldRecord {
    pub(in crate::plan) id: i64,
    /// The values that were asked for, as Odoo gives them.
    pub(in crate::plan) values: Map<String, Value>,
    /// Its lines, by field.
    pub(in crate::plan) lines: BTreeMap<String, Vec<OldRecord>>,
}

impl OldRecord {
    /// A record of which nothing has to be known.
    pub(in crate::plan) fn unread(id: i64) -> Self {
        Self { id, values: Map::new(), lines: BTreeMap::new() }
    }
}

/// What has to be known of records.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(in crate::plan) struct OldFields {
    values: BTreeSet<String>,
    lines: BTreeMap<String, OldLines>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct OldLines {
    model: String,
    fields: OldFields,
}

impl OldFields {
    /// Adds a field whose value has to be known.
    pub(in crate::plan) fn add(&mut self, field: &str) {
        if field != "id" {
            self.values.insert(field.to_owned());
        }
    }

    /// Adds a field whose lines have to be known; what has to be known of them is for the caller to add.
    pub(in crate::plan) fn lines_of(&mut self, field: &str, model: &str) -> &mut Self {
        let lines = self.lines.entry(field.to_owned()).or_default();
        model.clone_into(&mut lines.model);
        &mut lines.fields
    }

    pub(in crate::plan) fn is_empty(&self) -> bool {
        self.values.is_empty() && self.lines.is_empty()
    }

    /// Adds what has to be known for another purpose.
    pub(in crate::plan) fn extend(&mut self, other: Self) {
        self.values.extend(other.values);
        for (field, OldLines { model, fields }) in other.lines {
            self.lines_of(&field, &model).extend(fields);
        }
    }

    /// Whether the records' own fields say all that has to be known.
    fn are_ids(&self) -> bool {
        self.lines.values().all(|lines| lines.fields.is_empty())
    }

    fn names(&self) -> Value {
        if self.is_empty() {
            return json!(["id"]);
        }
        self.values.iter().chain(self.lines.keys()).map(|name| json!(name)).collect()
    }

    fn specification(&self) -> Value {
        let values = self.values.iter().map(|name| (name.clone(), json!({})));
        let lines = self.lines.iter().map(|(name, lines)| {
            let within =
                if lines.fields.is_empty() { json!({}) } else { json!({"fields": lines.fields.specification()}) };
            (name.clone(), within)
        });
        Value::Object(values.chain(lines).collect())
    }

    /// Puts what has to be known of lines in the place of their ids, in records that `read` gave.
    fn expand<'a>(&'a self, caller: &'a Caller, records: &'a mut [Value]) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            for (name, OldLines { model, fields }) in self.lines.iter().filter(|(_, lines)| !lines.fields.is_empty()) {
                let ids = |record: &Value| -> Vec<i64> {
                    record[name].as_array().into_iter().flatten().filter_map(Value::as_i64).collect()
                };
                let all: Vec<i64> = records.iter().flat_map(ids).collect();
                if all.is_empty() {
                    continue;
                }
                let rpc = Rpc::read(model, all, fields.names());
                let mut lines = rows::records(&rpc, caller.call(&rpc).await?)?;
                fields.expand(caller, &mut lines).await?;
                let ids_read = rows::ids(&rpc, &lines)?;
                let mut by_id: HashMap<i64, Value> = ids_read.into_iter().zip(lines).collect();
                for record in &mut *records {
                    record[name] = ids(record).into_iter().filter_map(|id| by_id.remove(&id)).collect();
                }
            }
            Ok(())
        })
    }

    /// Converts records that were read.
    fn records(&self, rpc: &Rpc, rows: Vec<Value>) -> Result<Vec<OldRecord>, Error> {
        let record = |row: Value| {
            let id = rows::id(rpc, &row)?;
            let Value::Object(mut values) = row else {
                return Ok(OldRecord::unread(id));
            };
            values.shift_remove("id");
            let mut lines = BTreeMap::new();
            for (name, within) in &self.lines {
                let rows = match values.shift_remove(name) {
                    Some(Value::Array(rows)) => rows,
                    _ => Vec::new(),
                };
                lines.insert(name.clone(), within.fields.records(rpc, rows)?);
            }
            Ok(OldRecord { id, values, lines })
        };
        rows.into_iter().map(record).collect()
    }
}

/// Searches for records, and reads what has to be known of them.
///
/// # Errors
/// An RPC fails, or gives no records.
pub(in crate::plan) async fn search(
    caller: &Caller,
    model: &str,
    domain: Value,
    page: Page,
    fields: &OldFields,
) -> Result<Vec<OldRecord>, Error> {
    if !fields.are_ids() && caller.version().await? >= READS_BY_SPECIFICATION {
        let rpc = Rpc::web_search_read(model, domain, fields.specification(), page);
        let rows = rows::records(&rpc, caller.call(&rpc).await?["records"].take())?;
        return fields.records(&rpc, rows);
    }
    let rpc = Rpc::search_read(model, domain, fields.names(), page);
    let mut rows = rows::records(&rpc, caller.call(&rpc).await?)?;
    fields.expand(caller, &mut rows).await?;
    fields.records(&rpc, rows)
}
