//! Calls that a dry run accepts, made of a model's required fields and of records that are there.
//!
//! A value of a relation is a lookup that finds a record which the caller may see. Each call is planned before it is shown: where
//! a lookup is not unique its record is named by its id, and what is refused all the same is not shown.

use jiff::Zoned;
use serde_json::{Map, Value, json};

use super::{
    model::{Field, Lines, Model},
    reader::{Reader, TOLD},
};
use crate::{
    call::{Call, plan_call},
    odoo::{Choice, Kind, Page, Rpc},
    plan::{Noted, records, usable_fields},
    policy::Touch,
    route::Route,
};

/// Fields that people name records by, the best first.
const KEYS: [&str; 7] = ["ref", "default_code", "code", "barcode", "login", "name", "complete_name"];
/// The kind of a document, and that of an invoice.
const INVOICE: (&str, &str) = ("move_type", "out_invoice");
/// Fields of lines that say how many; the first that there is.
const AMOUNTS: [&str; 4] = ["product_uom_qty", "quantity", "product_qty", "qty"];
/// Texts that an example changes, the first that there is.
const CHANGED: [&str; 6] = ["client_order_ref", "ref", "comment", "description", "note", "name"];
/// A lookup is by the first record whose key no other one of so many has.
const LOOKED_AT: u64 = 20;
/// The fields that a search answers.
const ANSWERED: usize = 4;

/// Makes the examples of a model.
pub(super) struct Examples<'e> {
    reader: Reader<'e>,
    model: &'e Model,
}

/// A record that is there.
#[derive(Debug, Clone)]
struct Found {
    id: i64,
    /// A field with its value that finds it.
    key: Option<(String, Value)>,
}

impl<'e> Examples<'e> {
    pub(super) fn new(reader: Reader<'e>, model: &'e Model) -> Self {
        Self { reader, model }
    }

    /// A call of each route that reads or writes fields.
    pub(super) async fn all(&self) -> Vec<(Route, Value)> {
        let own = self.found(&self.model.name).await;
        let mut examples = Vec::new();
        for route in [Route::CreateData, Route::UpdateData, Route::SearchData] {
            for by_id in [false, true] {
                let vals = match route {
                    Route::CreateData => self.create(by_id).await,
                    Route::UpdateData => own.as_ref().map(|own| self.update(own, by_id)),
                    _ => Some(self.search(own.as_ref())),
                };
                let Some(Value::Object(mut vals)) = vals else { continue };
                vals.insert("dry_run".to_owned(), json!(true));
                if self.is_accepted(route, &vals).await {
                    examples.push((route, json!({"model": self.model.name, "vals": vals})));
                    break;
                }
            }
        }
        examples
    }

    async fn is_accepted(&self, route: Route, vals: &Map<String, Value>) -> bool {
        let Reader { config, files, caller } = self.reader;
        let call = Call { model: self.model.name.clone(), vals: vals.clone() };
        plan_call(config, files, caller, route, &call, &Noted::default()).await.is_ok()
    }

    async fn create(&self, by_id: bool) -> Option<Value> {
        let mut payload = self.record(&self.model.fields, &TOLD, by_id).await;
        // Without it, `account.move` is an entry of a journal, which people do not make by hand.
        let is_invoice = |choice: &Choice| choice.value == INVOICE.1;
        if let Some(Kind::Selection(Some(choices))) = self.model.field(INVOICE.0).map(Field::kind)
            && choices.iter().any(is_invoice)
        {
            payload.insert(INVOICE.0.to_owned(), json!(INVOICE.1));
        }
        if let Some((field, line)) = self.line(by_id).await {
            payload.insert(field, json!([line]));
        }
        (!payload.is_empty()).then(|| json!({"payload": payload, "result_field": self.answered()}))
    }

    fn update(&self, own: &Found, by_id: bool) -> Value {
        let is_text = |name: &&str| {
            self.model
                .field(name)
                .is_some_and(|field| field.is_kept() && matches!(field.kind(), Kind::Text | Kind::Html))
        };
        let payload: Map<String, Value> =
            CHANGED.into_iter().find(is_text).map(|name| (name.to_owned(), json!("Example"))).into_iter().collect();
        json!({"search_key": own.lookup(by_id), "payload": payload})
    }

    fn search(&self, own: Option<&Found>) -> Value {
        let domain = match own.and_then(|own| own.key.clone()) {
            Some((field, value)) => json!([[field, "=", value]]),
            None => json!([]),
        };
        json!({"payload": {"search_domain": domain, "search_field": self.answered(), "limit": 5}})
    }

    /// Some fields that answers have.
    fn answered(&self) -> Vec<&str> {
        let is_told = |name: &&str| self.model.field(name).is_some_and(|field| field.usable.is_readable);
        let known = ["name", "display_name", "state", "ref", "partner_id", "amount_total"];
        known.into_iter().filter(is_told).take(ANSWERED).collect()
    }

    /// The fields that a new record needs, and these where Odoo has no value of its own for them, with values.
    async fn record(&self, fields: &[Field], told: &[&str], by_id: bool) -> Map<String, Value> {
        let mut record = Map::new();
        let is_wanted = |field: &&Field| {
            field.is_required || (told.contains(&field.name()) && !field.has_default && field.is_kept())
        };
        for field in fields.iter().filter(is_wanted) {
            if let Some(value) = self.value(field, by_id).await {
                record.insert(field.name().to_owned(), value);
            }
        }
        record
    }

    /// A line with a product, where the model has such.
    async fn line(&self, by_id: bool) -> Option<(String, Value)> {
        let part = format!("{}.", self.model.name);
        let has_product = |lines: &Lines| {
            let product = lines.fields.iter().find(|field| field.name() == "product_id");
            product.is_some_and(|field| field.is_kept() && (field.is_required || lines.model.starts_with(&part)))
        };
        // The lines of an invoice have a name of their own beside those of its entries.
        let found = self.model.lines.iter().filter(|(_, lines)| has_product(lines));
        let (field, lines) = found.min_by_key(|(field, lines)| (!lines.model.starts_with(&part), field.as_str()))?;
        let mut line = self.record(&lines.fields, &["product_id"], by_id).await;
        line.get("product_id")?;
        let amount = AMOUNTS.into_iter().find(|name| {
            lines.fields.iter().any(|field| field.name() == *name && field.is_kept() && *field.kind() == Kind::Float)
        });
        if let Some(amount) = amount {
            line.insert(amount.to_owned(), json!(2));
        }
        Some((field.clone(), Value::Object(line)))
    }

    /// A value of a field; none where there is none that is sure to be taken.
    async fn value(&self, field: &Field, by_id: bool) -> Option<Value> {
        Some(match field.kind() {
            Kind::Text => json!("Example"),
            Kind::Html => json!("<p>Example</p>"),
            Kind::Boolean => json!(true),
            Kind::Integer => json!(1),
            Kind::Float => json!(1.5),
            Kind::Date => json!(Zoned::now().strftime("%Y-%m-%d").to_string()),
            Kind::Datetime => json!(Zoned::now().strftime("%Y-%m-%dT12:00:00Z").to_string()),
            Kind::Selection(choices) => json!(choices.as_ref()?.first()?.value),
            Kind::Binary => json!("RXhhbXBsZQ=="),
            Kind::Many2one(relation) => self.found(relation).await?.lookup(by_id),
            Kind::Many2many(relation) => json!({"records": [self.found(relation).await?.lookup(by_id)]}),
            Kind::One2many(_) | Kind::Reference | Kind::Free => return None,
        })
    }

    /// A record of a model, by a key that is its own among those that are looked at. The caller's policy applies.
    async fn found(&self, model: &str) -> Option<Found> {
        let caller = self.reader.caller;
        let usable = usable_fields(caller, model).await.ok()?;
        let is_key = |name: &&str| {
            usable.iter().any(|field| {
                field.name == **name && field.is_readable && field.field.is_stored && field.field.kind == Kind::Text
            })
        };
        let policy = caller.policy();
        // One who may not search is shown no value of a record, and names it by its id.
        let may_search = policy.decide(Touch::Route(Route::SearchData)).is_ok();
        let keys: Vec<&str> = KEYS.into_iter().filter(|name| may_search && is_key(name)).collect();
        let mut fields = vec!["id"];
        fields.extend(&keys);
        let limit = policy.most.read.unwrap_or(LOOKED_AT).clamp(1, LOOKED_AT);
        let page = Page { limit: Some(limit), order: Some("id".to_owned()), ..Page::default() };
        let rpc = Rpc::search_read(model, json!([]), json!(fields), page);
        let rows = records(&rpc, caller.call(&rpc).await.ok()?).ok()?;
        let is_own = |key: &str, value: &Value| {
            let is_text = value.as_str().is_some_and(|text| !text.trim().is_empty());
            is_text && rows.iter().filter(|row| row[key] == *value).count() == 1
        };
        let by = |key: &str| rows.iter().find(|row| is_own(key, &row[key])).map(|row| (key.to_owned(), row));
        Some(match keys.into_iter().find_map(by) {
            Some((key, row)) => Found { id: row["id"].as_i64()?, key: Some((key.clone(), row[&key].clone())) },
            None => Found { id: rows.first()?["id"].as_i64()?, key: None },
        })
    }
}

impl Found {
    /// As a lookup, or a search key.
    fn lookup(&self, by_id: bool) -> Value {
        match &self.key {
            Some((field, value)) if !by_id => Value::Object(Map::from_iter([(field.clone(), value.clone())])),
            _ => json!({"id": self.id}),
        }
    }
}
