//! One RPC to Odoo, independent of the protocol that carries it.
//!
//! Arguments have both a position and a name: `call_kw` takes them by position, which is the same in every version (names changed
//! between 14 and 19), JSON-2 takes them by name.

use std::{borrow::Cow, sync::Arc};

use serde_json::{Map, Value, json};

use super::effect::Effect;
use crate::{
    odoo::model::{
        error::{Error, Repeatable},
        fault::Fault,
    },
    policy::{Domain, Malformed, Policy},
};

/// A call of a method on a model (`ids` is none) or on records.
#[derive(Debug, Clone)]
pub struct Rpc {
    pub model: String,
    pub method: String,
    pub effect: Effect,
    pub ids: Option<Vec<i64>>,
    /// The arguments in the order of the method's signature, each with its name in Odoo 19.
    pub args: Vec<(&'static str, Value)>,
    pub kwargs: Map<String, Value>,
    /// Added to the user's own language and time zone.
    pub context: Map<String, Value>,
    pub repeatable: Repeatable,
    pub reach: Reach,
}

/// Which records a search finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Records of the domain that the policy enforces for the caller.
    Callers,
    /// All records: the gateway searches for what it has created itself.
    Own,
}

impl Rpc {
    fn new(model: &str, method: &str, effect: Effect, ids: Option<Vec<i64>>, args: Vec<(&'static str, Value)>) -> Self {
        Self {
            model: model.to_owned(),
            method: method.to_owned(),
            effect,
            ids,
            args,
            kwargs: Map::new(),
            context: Map::new(),
            repeatable: Repeatable::Whole,
            reach: Reach::Callers,
        }
    }

    pub(in crate::odoo) const FIELDS_GET: &str = "fields_get";

    /// The fields of a model: `{name: {attribute: value}}`, of the attributes asked for alone.
    pub fn fields_get(model: &str, attributes: &[&str]) -> Self {
        Self::new(
            model,
            Self::FIELDS_GET,
            Effect::Read,
            None,
            vec![("allfields", json!([])), ("attributes", json!(attributes))],
        )
    }

    /// Some fields of a model, as [`Self::fields_get`] gives them.
    pub fn fields_get_of(model: &str, fields: &[&str], attributes: &[&str]) -> Self {
        let args = vec![("allfields", json!(fields)), ("attributes", json!(attributes))];
        Self::new(model, "fields_get", Effect::Read, None, args)
    }

    /// The defaults of some fields, those that have one: `{name: value}`. Its argument is `fields_list` before Odoo 19.
    pub fn default_get(model: &str, fields: &[&str]) -> Self {
        Self::new(model, "default_get", Effect::Read, None, vec![("fields", json!(fields))])
    }

    /// The records that match, as `[{"id", field…}]`.
    pub fn search_read(model: &str, domain: Value, fields: Value, page: Page) -> Self {
        let args = vec![
            ("domain", domain),
            ("fields", fields),
            ("offset", json!(page.offset)),
            ("limit", page.limit.map_or(Value::Null, Value::from)),
            ("order", page.order.map_or(Value::Null, Value::from)),
        ];
        Self::new(model, "search_read", Effect::Read, None, args)
    }

    /// The records that match, with their relations read along (Odoo 17 and later): `{"length", "records"}`.
    pub fn web_search_read(model: &str, domain: Value, specification: Value, page: Page) -> Self {
        let args = vec![
            ("domain", domain),
            ("specification", specification),
            ("offset", json!(page.offset)),
            ("limit", page.limit.map_or(Value::Null, Value::from)),
            ("order", page.order.map_or(Value::Null, Value::from)),
            // The length is not used: a count limit of 1 keeps Odoo from counting a whole table.
            ("count_limit", json!(1)),
        ];
        Self::new(model, "web_search_read", Effect::Read, None, args)
    }

    /// The groups of records that match (Odoo 19 and later).
    pub fn formatted_read_group(model: &str, domain: Value, group: Value, aggregates: Value, page: Page) -> Self {
        let args = vec![
            ("domain", domain),
            ("groupby", group),
            ("aggregates", aggregates),
            ("having", json!([])),
            ("offset", json!(page.offset)),
            ("limit", page.limit.map_or(Value::Null, Value::from)),
        ];
        Self::new(model, "formatted_read_group", Effect::Read, None, args)
    }

    /// The groups of records that match, all terms at once (before Odoo 19, where it is deprecated).
    pub fn read_group(model: &str, domain: Value, fields: Value, group: Value, page: Page) -> Self {
        let args = vec![
            ("domain", domain),
            ("fields", fields),
            ("groupby", group),
            ("offset", json!(page.offset)),
            ("limit", page.limit.map_or(Value::Null, Value::from)),
            ("orderby", json!(false)),
            ("lazy", json!(false)),
        ];
        Self::new(model, "read_group", Effect::Read, None, args)
    }

    /// The records with this name, as `[[id, name]…]`. What is compared is the model's own: for a contact also its reference.
    pub fn name_search(model: &str, name: &str, domain: Value, limit: u64) -> Self {
        // The domain's argument is `args` before Odoo 19.
        let args = vec![("name", json!(name)), ("domain", domain), ("operator", json!("=")), ("limit", json!(limit))];
        Self::new(model, "name_search", Effect::Read, None, args)
    }

    /// The number of records that match.
    pub fn search_count(model: &str, domain: Value) -> Self {
        Self::new(model, "search_count", Effect::Read, None, vec![("domain", domain)])
    }

    /// The given records, as `[{"id", field…}]`.
    pub fn read(model: &str, ids: Vec<i64>, fields: Value) -> Self {
        Self::new(model, "read", Effect::Read, Some(ids), vec![("fields", fields)])
    }

    /// New records in one transaction: a list of their ids.
    pub fn create(model: &str, records: Vec<Value>) -> Self {
        Self::new(model, "create", Effect::Write, None, vec![("vals_list", Value::Array(records))])
    }

    /// The same values into each record, in one transaction: `true`.
    pub fn write(model: &str, ids: Vec<i64>, values: Map<String, Value>) -> Self {
        Self::new(model, "write", Effect::Write, Some(ids), vec![("vals", Value::Object(values))])
    }

    /// The texts of one translated field of one record, by language, in one transaction: `true` (Odoo 16 and later).
    pub fn update_field_translations(model: &str, ids: Vec<i64>, field: &str, texts: Map<String, Value>) -> Self {
        let args = vec![("field_name", json!(field)), ("translations", Value::Object(texts))];
        Self::new(model, "update_field_translations", Effect::Write, Some(ids), args)
    }

    /// Deletes: `true`.
    pub fn unlink(model: &str, ids: Vec<i64>) -> Self {
        Self::new(model, "unlink", Effect::Write, Some(ids), Vec::new())
    }

    /// Creates (no ids) or writes, and reads the result back in the same transaction (Odoo 17 and later): `[{"id", …}]`.
    pub fn web_save(model: &str, ids: Vec<i64>, values: Map<String, Value>, specification: Value) -> Self {
        let args = vec![("vals", Value::Object(values)), ("specification", specification)];
        Self::new(model, "web_save", Effect::Write, Some(ids), args)
    }

    /// New records in one transaction, with some of their fields read back within it (Odoo 17 and later): `[{"id", …}]`. Many2ones are
    /// read as ids.
    ///
    /// `web_save` passes its values on to `create`, which takes a list (17-19). The web client gives it one record alone, so that a
    /// module's own `web_save` may take no list.
    pub(in crate::odoo) fn create_and_read(model: &str, records: Vec<Value>, fields: &[String]) -> Self {
        let specification: Map<String, Value> = fields.iter().map(|field| (field.clone(), json!({}))).collect();
        let args = vec![("vals", Value::Array(records)), ("specification", Value::Object(specification))];
        Self::new(model, "web_save", Effect::Write, Some(Vec::new()), args)
    }

    /// To each record its own values, in one transaction (Odoo 19 and later): `[{"id"}]`.
    pub fn web_save_multi(model: &str, ids: Vec<i64>, records: Vec<Value>) -> Self {
        let args = vec![("vals_list", Value::Array(records)), ("specification", json!({}))];
        Self::new(model, "web_save_multi", Effect::Write, Some(ids), args)
    }

    /// The same write without reading its result back; `None` where this RPC reads nothing back.
    pub fn without_reading(&self) -> Option<Self> {
        let (ids, Some((_, Value::Object(values)))) = (self.ids.clone()?, self.args.first()) else { return None };
        if self.method != "web_save" {
            return None;
        }
        let bare = match ids.is_empty() {
            true => Self::create(&self.model, vec![Value::Object(values.clone())]),
            false => Self::write(&self.model, ids, values.clone()),
        };
        Some(Self { context: self.context.clone(), ..bare })
    }

    /// Any public method, with named arguments.
    ///
    /// `create` gets its values by position: Odoo's `call_kw` looks for them there after the call (14-19).
    pub fn method(model: &str, method: &str, ids: Option<Vec<i64>>, mut kwargs: Map<String, Value>) -> Self {
        let values = if method == "create" {
            kwargs.shift_remove("vals_list").or_else(|| kwargs.shift_remove("vals"))
        } else {
            None
        };
        let args = values.into_iter().map(|values| ("vals_list", values)).collect();
        Self { kwargs, repeatable: Repeatable::InPart, ..Self::new(model, method, Effect::Write, ids, args) }
    }

    /// Model and method as two segments of a path.
    ///
    /// # Errors
    /// One of them contains a character that no model or method name has, and that could have a meaning in a path.
    pub(in crate::odoo) fn as_path(&self) -> Result<(&str, &str), Error> {
        let is_plain = |name: &str| {
            !name.is_empty()
                && !name.starts_with('.')
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_'))
        };
        if !is_plain(&self.model) {
            return Err(Error::UnknownModel(self.model.clone()));
        }
        if !is_plain(&self.method) {
            return Err(Error::Fault(Fault::unknown_method(&self.model, &self.method)));
        }
        Ok((&self.model, &self.method))
    }

    /// Declares that a method only reads.
    #[must_use]
    pub fn reads(self) -> Self {
        Self { effect: Effect::Read, ..self }
    }

    /// Declares that a search is about what this call has created or is to delete, in whatever domain.
    #[must_use]
    pub fn reaching_all(self) -> Self {
        Self { reach: Reach::Own, ..self }
    }

    /// The RPC with its search restricted to the domain that the policy enforces for the model.
    ///
    /// # Errors
    /// The domain of the search is malformed, so that the two cannot be joined.
    pub fn within(&self, policy: &Policy) -> Result<Cow<'_, Self>, Malformed> {
        let searched = self.args.iter().position(|(name, _)| *name == "domain");
        let (Some(at), Some(forced), Reach::Callers) = (searched, policy.domain(&self.model), self.reach) else {
            return Ok(Cow::Borrowed(self));
        };
        let mut narrowed = self.clone();
        narrowed.args[at].1 = forced.and(&Domain::read(&self.args[at].1)?).to_value();
        Ok(Cow::Owned(narrowed))
    }

    #[must_use]
    pub fn with_context(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.context.insert(key.to_owned(), value.into());
        self
    }

    /// The RPC as it is shown to people: long texts are shortened, empty arguments omitted.
    pub fn render(&self) -> Value {
        // With room for what the log adds.
        let mut shown = Map::with_capacity(8);
        shown.insert("model".to_owned(), json!(self.model));
        shown.insert("method".to_owned(), json!(self.method));
        if let Some(ids) = &self.ids {
            shown.insert("ids".to_owned(), json!(ids));
        }
        let mut room = SHOWN_VALUES;
        let args = self.args.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (*name, value));
        let args = args.chain(self.kwargs.iter().map(|(name, value)| (name.as_str(), value)));
        let args: Map<String, Value> =
            args.map(|(name, value)| (name.to_owned(), shortened(value, &mut room))).collect();
        if !args.is_empty() {
            shown.insert("args".to_owned(), Value::Object(args));
        }
        if !self.context.is_empty() {
            shown.insert("context".to_owned(), Value::Object(self.context.clone()));
        }
        Value::Object(shown)
    }

    /// Whether it creates records, and answers their ids: `create`, or `web_save` on no records.
    pub fn creates(&self) -> bool {
        self.effect == Effect::Write
            && self.ids.as_ref().is_none_or(Vec::is_empty)
            && matches!(self.method.as_str(), "create" | "web_save")
    }

    /// The ids of the records that this RPC has written, as far as it and its answer tell: those that it was called on, or those
    /// that `create` or `web_save` returned.
    pub(in crate::odoo) fn written(&self, answer: &Value) -> Vec<i64> {
        match (&self.ids, self.effect) {
            (_, Effect::Read) => Vec::new(),
            (Some(ids), Effect::Write) if !ids.is_empty() => ids.clone(),
            (_, Effect::Write) if self.creates() => {
                let items = answer.as_array().map_or(std::slice::from_ref(answer), Vec::as_slice);
                items.iter().filter_map(|item| item.as_i64().or_else(|| item["id"].as_i64())).collect()
            }
            (_, Effect::Write) => Vec::new(),
        }
    }

    /// Everything that is sent, as a text: RPCs with equal keys are the same for one user.
    #[expect(clippy::expect_used, reason = "texts, numbers and JSON values can always be written as JSON")]
    pub(in crate::odoo) fn sharing_key(&self) -> Arc<[u8]> {
        let Self { model, method, ids, args, kwargs, context, effect: _, repeatable: _, reach: _ } = self;
        let mut key = Vec::with_capacity(256);
        serde_json::to_writer(&mut key, &(model, method, ids, args, kwargs, context)).expect("JSON values");
        key.into()
    }
}

/// Longer texts are cut to this number of characters where they are only shown.
pub const SHOWN: usize = 200;

/// The maximum number of values that are shown of one RPC, so that showing a large one does not double its memory.
const SHOWN_VALUES: usize = 10_000;

fn shortened(value: &Value, room: &mut usize) -> Value {
    *room = room.saturating_sub(1);
    match value {
        Value::String(text) => match text.char_indices().nth(SHOWN) {
            Some((end, _)) => json!(format!("{}… ({} bytes)", &text[..end], text.len())),
            None => value.clone(),
        },
        Value::Array(items) => {
            let mut shown = Vec::with_capacity(items.len().min(*room + 1));
            for (number, item) in items.iter().enumerate() {
                if *room == 0 {
                    shown.push(json!(format!("… ({} more)", items.len() - number)));
                    break;
                }
                shown.push(shortened(item, room));
            }
            Value::Array(shown)
        }
        Value::Object(entries) => {
            let mut shown = Map::with_capacity(entries.len().min(*room + 1));
            for (number, (key, value)) in entries.iter().enumerate() {
                if *room == 0 {
                    shown.insert("…".to_owned(), json!(format!("{} more", entries.len() - number)));
                    break;
                }
                shown.insert(key.clone(), shortened(value, room));
            }
            Value::Object(shown)
        }
        other => other.clone(),
    }
}

/// The part of the matching records that is wanted.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub offset: u64,
    pub limit: Option<u64>,
    pub order: Option<String>,
}

impl Page {
    /// The first `limit` records.
    pub fn first(limit: u64) -> Self {
        Self { limit: Some(limit), ..Self::default() }
    }
}
