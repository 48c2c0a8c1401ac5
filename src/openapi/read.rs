//! Reads a model from Odoo as its caller sees it.
//!
//! The schema comes from the cache that calls share; labels, help and defaults take one RPC each, for the model and for the models
//! of its lines. All of them only read. What the policy hides is not there.

use std::collections::{BTreeMap, HashMap};

use futures_util::future;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    example::Examples,
    model::{Field, Lines, Model},
    reader::{Reader, TOLD},
};
use crate::{
    odoo::{Bond, Kept, Kind, Page, Rpc},
    plan::{self, UsableField, usable_fields},
    policy::Touch,
    route::Route,
};

/// The number of models of lines that are described with a model: each takes RPCs of its own.
const MOST_LINES: usize = 4;
/// More models than an Odoo has.
const MOST_NAMES: u64 = 3_000;

/// What `fields_get` tells of a field for people.
#[derive(Debug, Default, Deserialize)]
struct Words {
    #[serde(default)]
    string: Value,
    #[serde(default)]
    help: Value,
    #[serde(default)]
    required: Value,
    #[serde(default)]
    depends: Value,
}

impl Reader<'_> {
    /// The models, in the order in which they are named.
    ///
    /// # Errors
    /// A model does not exist, the policy denies it, or Odoo does not answer.
    pub async fn models(&self, names: &[String]) -> Result<Vec<Model>, plan::Error> {
        future::try_join_all(names.iter().map(|name| self.model(name))).await
    }

    /// The models that there are, with their names for people; empty where the caller may not read which.
    pub async fn names(&self) -> Vec<(String, String)> {
        let page = Page { limit: Some(MOST_NAMES), order: Some("model".to_owned()), ..Page::default() };
        let domain = json!([["transient", "=", false]]);
        let rpc = Rpc::search_read("ir.model", domain, json!(["model", "name"]), page);
        let may_search = self.caller.policy().decide(Touch::Route(Route::SearchData)).is_ok();
        if !may_search || usable_fields(self.caller, "ir.model").await.is_err() {
            return Vec::new();
        }
        let Ok(answer) = self.caller.call(&rpc).await else { return Vec::new() };
        let rows = plan::records(&rpc, answer).unwrap_or_default();
        let text = |row: &Value, name: &str| row[name].as_str().map(str::to_owned);
        let named = rows.iter().filter_map(|row| Some((text(row, "model")?, text(row, "name")?)));
        named.filter(|(model, _)| self.caller.policy().decide(Touch::Model(model)).is_ok()).collect()
    }

    async fn model(&self, name: &str) -> Result<Model, plan::Error> {
        let fields = self.fields(name).await?;
        let lines = self.lines(name, &fields).await;
        let mut model = Model { name: name.to_owned(), fields, lines, examples: Vec::new() };
        model.examples = Examples::new(*self, &model).all().await;
        Ok(model)
    }

    /// The fields of a model with their labels.
    async fn fields(&self, model: &str) -> Result<Vec<Field>, plan::Error> {
        let usable = usable_fields(self.caller, model).await?;
        let words = self.words(model).await?;
        let of = |usable: UsableField| {
            let words = words.get(&usable.name);
            let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
            let depends = words.and_then(|words| words.depends.as_array()).is_some_and(|depends| !depends.is_empty());
            let is_copy = usable.field.related.is_some() && usable.field.is_stored;
            Field {
                label: text(words.map(|words| &words.string)),
                help: text(words.map(|words| &words.help)),
                is_required: words.is_some_and(|words| words.required == Value::Bool(true)),
                // A record that is a part of this one is created with it.
                has_default: usable.field.bond == Bond::Part
                    || is_copy
                    || usable.field.kept != Kept::Yes
                    || (depends
                        && usable.field.related.is_none()
                        && usable.field.kind.relation().is_none_or(|_| usable.field.is_stored)),
                usable,
            }
        };
        let mut fields: Vec<Field> = usable.into_iter().map(of).collect();
        self.note_defaults(model, &mut fields).await;
        for field in &mut fields {
            // Odoo makes required lines itself (the variants of a product), and refuses none for their lack.
            let is_lines = matches!(field.kind(), Kind::One2many(_));
            field.is_required &= !field.has_default && field.is_kept() && !is_lines;
        }
        Ok(fields)
    }

    async fn words(&self, model: &str) -> Result<HashMap<String, Words>, plan::Error> {
        let rpc = Rpc::fields_get(model, &["string", "help", "required", "depends"]);
        let described = self.caller.call(&rpc).await?;
        Ok(serde_json::from_value(described).unwrap_or_default())
    }

    /// Asks Odoo which of the fields that matter have a default. Where it does not tell, none is assumed.
    async fn note_defaults(&self, model: &str, fields: &mut [Field]) {
        let matters = |field: &&Field| {
            !field.has_default && field.is_kept() && (field.is_required || TOLD.contains(&field.name()))
        };
        let names: Vec<&str> = fields.iter().filter(matters).map(Field::name).collect();
        if names.is_empty() {
            return;
        }
        let Ok(Value::Object(defaults)) = self.caller.call(&Rpc::default_get(model, &names)).await else { return };
        for field in fields {
            // Of a boolean or a number, the empty value is one.
            let is_plain = matches!(field.kind(), Kind::Boolean | Kind::Integer | Kind::Float);
            let is_value = |value: &Value| is_plain || !matches!(value, Value::Null | Value::Bool(false));
            field.has_default |= is_plain || defaults.get(field.name()).is_some_and(is_value);
        }
    }

    /// The models of lines that are written with a record: those that are named after it come first.
    async fn lines(&self, model: &str, fields: &[Field]) -> BTreeMap<String, Lines> {
        let family = model.split('.').next().unwrap_or(model);
        let part = format!("{model}.");
        let mut found: Vec<(u8, &Field, &str)> = fields
            .iter()
            .filter(|field| field.is_kept())
            .filter_map(|field| match field.kind() {
                Kind::One2many(relation) if relation.starts_with(&part) => Some((0, field, relation.as_str())),
                Kind::One2many(relation) if relation.split('.').next() == Some(family) => {
                    Some((1, field, relation.as_str()))
                }
                _ => None,
            })
            .collect();
        found.sort_by_key(|(rank, field, _)| (*rank, field.usable.field.related.is_some(), field.name().len()));
        found.truncate(MOST_LINES);
        let read = found.into_iter().map(|(_, field, relation)| async move {
            // A model that its user may not see is described as any.
            let mut fields = self.fields(relation).await.ok()?;
            // The field that leads back is Odoo's to fill.
            fields.retain(|line| Some(line.name()) != field.usable.field.inverse.as_deref());
            Some((field.name().to_owned(), Lines { model: relation.to_owned(), fields }))
        });
        future::join_all(read).await.into_iter().flatten().collect()
    }
}
