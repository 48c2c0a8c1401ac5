//! Which fields of which records an answer holds, and how Odoo is asked for them.
//!
//! A relation with fields within it comes as a list of records, a many2one too (the addon's form). From Odoo 17 on one
//! call reads all levels by a specification; before, and for references, which may lead to any model, each level is read
//! by one call for each related model.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};

use super::{
    Error, content,
    known::{Known, with_schemas},
    picks::Pick,
    properties::decide_answered,
    touched::denied,
};
use crate::{
    odoo::{self, Caller, Kind, Page, Rpc},
    policy::Touch,
};

/// The first version whose `web_save`, `web_read` and `web_search_read` take a specification.
const READS_BY_SPECIFICATION: u16 = 17;

/// The fields wanted of a model's records, beside the id, which is in every answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    pub model: String,
    pub fields: Vec<(String, Wanted)>,
}

/// How one field's value is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// As `read` gives it.
    Plain,
    /// A many2one as `read` gives it: `[id, name]`, or false.
    Named,
    /// Properties, of which the answer shows which models they lead to.
    Properties,
    /// A file's content, which a specification would answer with its size; Odoo has it under this name.
    Content { read_as: String },
    /// The records that a many2one, one2many or many2many leads to.
    Records(Selection),
    /// The record that a reference leads to, of whatever model.
    Referred(Vec<Pick>),
}

impl Selection {
    /// Checks the names against the schemas. `parameter` is where the names come from, for the error.
    pub(super) fn read(known: &Known<'_>, model: &str, picks: &[Pick], parameter: &'static str) -> Result<Self, Error> {
        known.policy().decide(Touch::Model(model)).map_err(denied(parameter))?;
        let mut fields = Vec::with_capacity(picks.len());
        for pick in picks.iter().filter(|pick| pick.name != "id" || !pick.within.is_empty()) {
            let Some(seen) = known.model(model).map_err(denied(parameter))? else { continue };
            let name = || pick.name.clone();
            let own = content::name_in(seen, &pick.name);
            let Some(field) = seen.read(own).map_err(denied(parameter))? else {
                return Err(Error::UnknownField { parameter, model: model.to_owned(), name: name() });
            };
            let wanted = match (&field.kind, pick.within.is_empty()) {
                (Kind::Many2one(_), true) => Wanted::Named,
                (Kind::Binary, true) => Wanted::Content { read_as: own.to_owned() },
                (_, true) if field.properties.is_some() && known.policy().narrows_models() => Wanted::Properties,
                (_, true) => Wanted::Plain,
                (Kind::Reference, false) => Wanted::Referred(pick.within.clone()),
                (kind, false) => match kind.relation() {
                    Some(relation) => Wanted::Records(Self::read(known, relation, &pick.within, parameter)?),
                    None => return Err(Error::NotRelational { parameter, model: model.to_owned(), name: name() }),
                },
            };
            fields.push((name(), wanted));
        }
        Ok(Self { model: model.to_owned(), fields })
    }

    /// For `read` and `search_read`.
    pub fn names(&self) -> Value {
        if self.fields.is_empty() {
            return json!(["id"]);
        }
        let name = |(name, wanted): &(String, Wanted)| match wanted {
            Wanted::Content { read_as } => Value::from(read_as.as_str()),
            _ => Value::from(name.as_str()),
        };
        self.fields.iter().map(name).collect()
    }

    /// A call that reads these fields by name, with the contents of files among them.
    pub fn reading(&self, rpc: Rpc) -> Rpc {
        let has_content = self.fields.iter().any(|(_, wanted)| matches!(wanted, Wanted::Content { .. }));
        if has_content { content::with_content(rpc) } else { rpc }
    }

    /// Puts a file's content under the name by which it was asked for.
    fn place_content(&self, name: &str, read_as: &str, records: &mut [Value]) {
        let is_own = name == read_as || self.fields.iter().any(|(name, _)| name == read_as);
        for record in records.iter_mut().filter_map(Value::as_object_mut) {
            let content = if is_own { record.get(read_as).cloned() } else { record.shift_remove(read_as) };
            if let Some(content) = content {
                record.insert(name.to_owned(), content::as_text(content));
            }
        }
    }

    /// For `web_read`, `web_save` and `web_search_read`; `None` where a specification cannot say what is wanted.
    pub fn specification(&self) -> Option<Value> {
        let mut specification = Map::new();
        for (name, wanted) in &self.fields {
            let within = match wanted {
                Wanted::Plain => json!({}),
                Wanted::Named => json!({"fields": {"display_name": {}}}),
                Wanted::Records(selection) => json!({"fields": selection.specification()?}),
                Wanted::Content { .. } | Wanted::Properties | Wanted::Referred(_) => return None,
            };
            specification.insert(name.clone(), within);
        }
        Some(Value::Object(specification))
    }

    /// The specification, where this Odoo takes one and one can say what is wanted. It reads whatever a relation leads to,
    /// also outside a domain that the related model has for the caller.
    pub async fn specification_for(&self, caller: &Caller) -> Result<Option<Value>, odoo::Error> {
        if self.leads_to(&|model| caller.policy().domain(model).is_some()) {
            return Ok(None);
        }
        let takes_one = caller.version().await? >= READS_BY_SPECIFICATION;
        Ok(self.specification().filter(|_| takes_one))
    }

    pub(super) fn has_properties(&self) -> bool {
        self.fields.iter().any(|(_, wanted)| *wanted == Wanted::Properties)
    }

    fn leads_to(&self, is_such: &impl Fn(&str) -> bool) -> bool {
        self.fields.iter().any(|(_, wanted)| match wanted {
            Wanted::Records(selection) => is_such(&selection.model) || selection.leads_to(is_such),
            _ => false,
        })
    }

    /// A record that was read by [`Self::specification`], in the form of the answer.
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

    /// Replaces relations in records that `read` gave by the records they lead to, one call for each relation and level.
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
                    Wanted::Referred(picks) => {
                        let mut targets = Targets::of(records, name, |value| reference(value).into_iter().collect());
                        for model in targets.models() {
                            let selection =
                                with_schemas(caller, |known| Self::read(known, &model, picks, "search_field")).await?;
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

/// What one field of some records leads to, record by record, and what was read of it.
struct Targets<'f> {
    field: &'f str,
    /// For each record, in order.
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

    /// Reads all the records of one model that are led to, and what is wanted within them.
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
            // A search, which is kept within the domain, finds archived records on demand alone.
            Some(_) => {
                let those = json!([["id", "in", ids]]);
                let found = Rpc::search_read(&selection.model, those, selection.names(), Page::default());
                found.with_context("active_test", false)
            }
        };
        let Value::Array(mut rows) = caller.call(&selection.reading(rpc)).await? else { return Ok(()) };
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

/// A many2one's record, a relation of many's records, or none.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(fields: Vec<(&str, Wanted)>) -> Selection {
        Selection {
            model: "m".to_owned(),
            fields: fields.into_iter().map(|(name, wanted)| (name.to_owned(), wanted)).collect(),
        }
    }

    #[test]
    fn a_many2one_with_fields_within_comes_as_a_list_and_without_as_id_and_name() {
        let within = selection(vec![("code", Wanted::Plain)]);
        let wanted = selection(vec![
            ("country_id", Wanted::Records(within)),
            ("state_id", Wanted::Named),
            ("parent_id", Wanted::Named),
        ]);
        let read = json!({"id": 1, "country_id": {"id": 7, "code": "TH"}, "state_id": {"id": 2, "display_name": "X"}, "parent_id": false});
        assert_eq!(
            wanted.shape(read),
            json!({"id": 1, "country_id": [{"id": 7, "code": "TH"}], "state_id": [2, "X"], "parent_id": false})
        );
    }

    #[test]
    fn an_empty_relation_with_fields_within_is_an_empty_list() {
        let wanted = selection(vec![("country_id", Wanted::Records(selection(vec![])))]);
        assert_eq!(wanted.shape(json!({"id": 1, "country_id": false})), json!({"id": 1, "country_id": []}));
    }

    #[test]
    fn a_files_content_is_not_left_to_a_specification_which_would_give_its_size() {
        let content = Wanted::Content { read_as: "datas".to_owned() };
        assert_eq!(selection(vec![("datas", content)]).specification(), None);
    }
}
