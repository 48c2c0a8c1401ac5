//! Which fields of which records an answer holds, and how they are read from Odoo.
//!
//! A relation with fields within it comes as a list of records, a many2one too (the addon's form). From Odoo 17 on, one
//! RPC reads all levels by a specification. Before, and for references, which may lead to any model, each level is read
//! by one RPC for each related model (`expand`).
//!
//! `field_list` parses what a caller names, `content` handles the content of files. Neither of them imports this file.

mod content;
mod expand;
pub mod field_list;

use serde_json::{Map, Value, json};

pub(crate) use self::content::contents_as_text;
use self::field_list::ListedField;
use super::{Error, hints::meant, policy_check::denied, schema_view::SchemaView};
use crate::{
    odoo::{self, Caller, Kind, Rpc},
    policy::Touch,
};

/// The first version whose `web_save`, `web_read` and `web_search_read` take a specification.
pub(super) const READS_BY_SPECIFICATION: u16 = 17;

/// The fields that are wanted of a model's records, besides the id, which is in every answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    pub model: String,
    pub fields: Vec<(String, Wanted)>,
}

/// The form in which a field's value is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// As `read` gives it.
    Plain,
    /// A many2one as `read` gives it: `[id, name]`, or false.
    Named,
    /// Properties. Only the answer shows which models they lead to.
    Properties,
    /// A file's content, of which a specification would give the size. Odoo has it under the name `read_as`.
    Content { read_as: String },
    /// The records that a many2one, one2many or many2many leads to.
    Records(Selection),
    /// The record of any model that a reference leads to.
    Referred(Vec<ListedField>),
}

impl Selection {
    /// Checks the names against the schemas. `parameter` is where the names come from, for the error.
    ///
    /// # Errors
    /// A field does not exist, may not be read, or leads to no records though fields are named within it.
    pub(super) fn read(
        schemas: &SchemaView<'_>,
        model: &str,
        listed: &[ListedField],
        parameter: &'static str,
    ) -> Result<Self, Error> {
        schemas.policy().decide(Touch::Model(model)).map_err(denied(parameter))?;
        let mut fields = Vec::with_capacity(listed.len());
        for entry in listed.iter().filter(|entry| entry.name != "id" || !entry.within.is_empty()) {
            let Some(view) = schemas.model(model).map_err(denied(parameter))? else { continue };
            let name = || entry.name.clone();
            let own = view.stored_name(&entry.name);
            let Some(field) = view.read(own).map_err(denied(parameter))? else {
                let meant = meant(view, own);
                return Err(Error::UnknownField { parameter, model: model.to_owned(), name: name(), meant });
            };
            let wanted = match (&field.kind, entry.within.is_empty()) {
                (Kind::Many2one(_), true) => Wanted::Named,
                (Kind::Binary, true) => Wanted::Content { read_as: own.to_owned() },
                (_, true) if field.properties.is_some() && schemas.policy().narrows_models() => Wanted::Properties,
                (_, true) => Wanted::Plain,
                (Kind::Reference, false) => Wanted::Referred(entry.within.clone()),
                (kind, false) => match kind.relation() {
                    Some(relation) => Wanted::Records(Self::read(schemas, relation, &entry.within, parameter)?),
                    None => return Err(Error::NotRelational { parameter, model: model.to_owned(), name: name() }),
                },
            };
            fields.push((name(), wanted));
        }
        Ok(Self { model: model.to_owned(), fields })
    }

    /// The field names for `read` and `search_read`.
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

    /// The RPC, changed so that its answer holds the contents of files where these fields include some.
    pub fn reading(&self, rpc: Rpc) -> Rpc {
        let has_content = self.fields.iter().any(|(_, wanted)| matches!(wanted, Wanted::Content { .. }));
        if has_content { content::with_content(rpc) } else { rpc }
    }

    /// The specification for `web_read`, `web_save` and `web_search_read`; `None` where a specification cannot express
    /// what is wanted.
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

    /// The specification, where this Odoo takes one and one can express what is wanted. A specification reads every
    /// record that a relation leads to, also those outside the domain that the related model has for the caller, so
    /// there is none where such a model is reached.
    ///
    /// # Errors
    /// Odoo's version cannot be read.
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
