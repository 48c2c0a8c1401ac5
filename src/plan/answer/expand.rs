//! From Odoo's answer to the form that the caller gets: relations are replaced by the records that they lead to.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::{Selection, Wanted, content};
use crate::{
    odoo::{Caller, Page, Rpc},
    plan::{Error, policy_check::decide_answered, rows, schema_view::with_schemas},
};

impl Selection {
    /// Moves a file's content to the name by which it was asked for.
    fn place_content(&self, name: &str, read_as: &str, records: &mut [Value]) {
        let is_own = name == read_as || self.fields.iter().any(|(name, _)| name == read_as);
        for record in records.iter_mut().filter_map(Value::as_object_mut) {
            let content = if is_own { record.get(read_as).cloned() } else { record.shift_remove(read_as) };
            if let Some(content) = content {
                record.insert(name.to_owned(), content::as_text(content));
            }
        }
    }

    /// Converts a record that was read by [`Self::specification`] into the form of the answer.
    pub fn shape(&self, mut record: Value) -> Value {
        let Some(values) = record.as_object_mut() else { return record };
        for (name, wanted) in &self.fields {
            let Some(value) = values.get_mut(name) else { continue };
            *value = match (wanted, value.take()) {
                (Wanted::Named, Value::Object(one)) => json!([one.get("id"), one.get("display_name")]),
                (Wanted::Records(selection), value) => {
                    records_of(value).into_iter().map(|record| selection.shape(record)).collect()
                }
                (_, value) => value,
            };
        }
        record
    }

    /// Replaces relations in records that `read` gave by the records they lead to, with one RPC for each relation and
    /// level.
    ///
    /// # Errors
    /// A record cannot be read, or a property leads to a model that may not be touched.
    pub fn expand<'a>(&'a self, caller: &'a Caller, records: &'a mut [Value]) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            for (name, wanted) in &self.fields {
                match wanted {
                    Wanted::Plain | Wanted::Named => {}
                    Wanted::Content { read_as } => self.place_content(name, read_as, records),
                    Wanted::Properties => {
                        let mut answered = records.iter().map(|record| &record[name]);
                        answered.try_for_each(|value| decide_answered(caller.policy(), value))?;
                    }
                    Wanted::Records(selection) => {
                        let leads_to =
                            |value: &Value| ids_of(value).into_iter().map(|id| (selection.model.clone(), id)).collect();
                        let mut targets = Targets::of(records, name, leads_to);
                        targets.read(caller, selection).await?;
                        targets.place(records);
                    }
                    Wanted::Referred(listed) => {
                        let mut targets = Targets::of(records, name, |value| reference(value).into_iter().collect());
                        for model in targets.models() {
                            let selection =
                                with_schemas(caller, |schemas| Self::read(schemas, &model, listed, "search_field"))
                                    .await?;
                            targets.read(caller, &selection).await?;
                        }
                        targets.place(records);
                    }
                }
            }
            Ok(())
        })
    }
}

/// The records that one field of some records leads to, and what was read of them.
struct Targets<'f> {
    field: &'f str,
    /// The model and id of each target, by record, in order.
    leads_to: Vec<Vec<(String, i64)>>,
    read: HashMap<(String, i64), Value>,
}

impl<'f> Targets<'f> {
    fn of(records: &[Value], field: &'f str, leads_to: impl Fn(&Value) -> Vec<(String, i64)>) -> Self {
        Self { field, leads_to: records.iter().map(|record| leads_to(&record[field])).collect(), read: HashMap::new() }
    }

    fn models(&self) -> Vec<String> {
        let models: BTreeMap<&str, ()> =
            self.leads_to.iter().flatten().map(|(model, _)| (model.as_str(), ())).collect();
        models.into_keys().map(str::to_owned).collect()
    }

    /// Reads all the targets of one model, and what is wanted within them.
    async fn read(&mut self, caller: &Caller, selection: &Selection) -> Result<(), Error> {
        let mut ids: Vec<i64> =
            self.leads_to.iter().flatten().filter(|(model, _)| *model == selection.model).map(|(_, id)| *id).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(());
        }
        let rpc = match caller.policy().domain(&selection.model) {
            None => Rpc::read(&selection.model, ids, selection.names()),
            // A search is kept within the domain, but finds archived records only on request.
            Some(_) => {
                let those = json!([["id", "in", ids]]);
                let found = Rpc::search_read(&selection.model, those, selection.names(), Page::default());
                found.with_context("active_test", false)
            }
        };
        let rpc = selection.reading(rpc);
        let mut rows = rows::records(&rpc, caller.call(&rpc).await?)?;
        selection.expand(caller, &mut rows).await?;
        for row in rows {
            if let Some(id) = row["id"].as_i64() {
                self.read.insert((selection.model.clone(), id), row);
            }
        }
        Ok(())
    }

    fn place(self, records: &mut [Value]) {
        for (record, leads_to) in records.iter_mut().zip(&self.leads_to) {
            record[self.field] = leads_to.iter().filter_map(|target| self.read.get(target).cloned()).collect();
        }
    }
}

/// The records in the value of a relation: those of a one2many or many2many, the one of a many2one, or none.
fn records_of(value: Value) -> Vec<Value> {
    match value {
        Value::Array(records) => records,
        Value::Object(_) => vec![value],
        _ => Vec::new(),
    }
}

/// The ids in a relational value as `read` gives it: `[id, name]` of a many2one, `[id…]` of many.
fn ids_of(value: &Value) -> Vec<i64> {
    match value.as_array().map(Vec::as_slice) {
        Some([id, Value::String(_)]) => id.as_i64().into_iter().collect(),
        Some(ids) => ids.iter().filter_map(Value::as_i64).collect(),
        None => Vec::new(),
    }
}

/// The model and id in a reference's value: `sale.order,7`.
fn reference(value: &Value) -> Option<(String, i64)> {
    let (model, id) = value.as_str()?.split_once(',')?;
    Some((model.to_owned(), id.trim().parse().ok()?))
}
