//! The context that a caller sends for all RPCs of its call: language, time zone, companies, flags of Odoo's modules.
//!
//! It stands above the user's own and below that of an RPC. RPCs with different contexts are never the same: the joined one is
//! part of every key of a batch, and lookups of a call with a context are not remembered. Reading a model's fields is not within
//! it, since schemas are shared.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::Caller;
use crate::odoo::model::{
    effect::Effect,
    error::{Error, Why},
    rpc::{Page, Rpc},
};

/// A default for a field of the records that an RPC creates.
const DEFAULT: &str = "default_";

/// The context of one call.
#[derive(Debug, Default)]
pub(super) struct CallContext {
    /// The model of the call: defaults are for its fields.
    model: String,
    values: Map<String, Value>,
}

impl CallContext {
    /// The keys for an RPC of a model. Records of other models, such as files and those of `auto_create`, get no defaults that
    /// are meant for this one.
    fn of_model(&self, model: &str) -> impl Iterator<Item = (&String, &Value)> {
        let has_defaults = self.model == model;
        self.values.iter().filter(move |(key, _)| has_defaults || !key.starts_with(DEFAULT))
    }
}

impl Caller {
    /// Takes the context for all RPCs of the call from here on.
    pub fn set_context(&self, model: &str, values: Map<String, Value>) {
        *self.context.write() = CallContext { model: model.to_owned(), values };
    }

    /// The company that the call works in: the first that its context allows, else the user's own.
    pub fn company(&self) -> Option<i64> {
        let allowed = self.context.read().values.get("allowed_company_ids").and_then(|ids| ids[0].as_i64());
        allowed.or(self.identity().company)
    }

    /// Whether the call's context makes Odoo find archived records as all others (`active_test`).
    pub fn counts_archived(&self) -> bool {
        let context = self.context.read();
        context.values.get("active_test").is_some_and(|test| *test == Value::Bool(false) || test.as_f64() == Some(0.0))
    }

    /// The context of an RPC on a model, with the RPC's own above the call's.
    pub fn context_of(&self, model: &str, own: &Map<String, Value>) -> Map<String, Value> {
        let context = self.context.read();
        let mut joined: Map<String, Value> =
            context.of_model(model).map(|(key, value)| (key.clone(), value.clone())).collect();
        joined.extend(own.clone());
        joined
    }

    /// The codes of the languages that are installed. The caller's policy is not asked: nothing of it is answered but the codes.
    ///
    /// They are searched for: `res.lang.get_installed` answers from a cache that Odoo 14 clears before it commits a new language. A
    /// reader between the two fills it with the languages from before, and there it stays.
    ///
    /// # Errors
    /// The RPC fails, or gives no list.
    pub async fn installed_languages(&self) -> Result<Vec<String>, Error> {
        let page = Page { order: Some("code".to_owned()), ..Page::default() };
        let rpc = Rpc::search_read("res.lang", json!([["active", "=", true]]), json!(["code"]), page).reaching_all();
        let answer = self.read(&rpc).await?;
        let codes = answer
            .as_array()
            .map(|rows| rows.iter().filter_map(|row| row["code"].as_str()).map(str::to_owned).collect());
        codes.ok_or_else(|| Error::NoAnswer {
            effect: Effect::Read,
            why: Why::Garbled("the search for languages gave no list".to_owned()),
        })
    }

    /// The model that the call names; empty before that is known.
    pub(super) fn own_model(&self) -> String {
        self.context.read().model.clone()
    }

    pub(super) fn has_context(&self) -> bool {
        !self.context.read().values.is_empty()
    }

    /// The context as a part of a key.
    pub(super) fn context_key(&self) -> String {
        let context = self.context.read();
        if context.values.is_empty() { String::new() } else { Value::Object(context.values.clone()).to_string() }
    }

    /// The RPC in the context of the call.
    pub(super) fn in_context<'r>(&self, rpc: Cow<'r, Rpc>) -> Cow<'r, Rpc> {
        if !self.has_context() || rpc.method == Rpc::FIELDS_GET {
            return rpc;
        }
        let context = self.context_of(&rpc.model, &rpc.context);
        Cow::Owned(Rpc { context, ..rpc.into_owned() })
    }
}
