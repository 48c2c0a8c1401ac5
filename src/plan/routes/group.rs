//! `search_data` with `group`: numbers of records and aggregates of their fields, by the values of fields.
//!
//! Odoo 19 has `formatted_read_group`, which answers the start of a period beside its label. Before, `read_group` answers the
//! label alone, in the user's language; the start stands in `__range` (15-18) or in the group's domain (14). One form is made of
//! all of them.

use serde_json::{Map, Value, json};

use crate::{
    odoo::{Caller, Page, Rpc},
    plan::{
        Error,
        hints::meant,
        policy_check::denied,
        schema_view::{SchemaView, with_schemas},
        wording::wrong,
    },
    policy::{NAME, Touch},
};

/// The first version with `formatted_read_group`.
const FORMATS_GROUPS: u16 = 19;
/// What a date is grouped by.
pub const PERIODS: [&str; 5] = ["day", "week", "month", "quarter", "year"];
/// What a field is aggregated by.
pub const FUNCTIONS: [&str; 6] = ["sum", "avg", "min", "max", "count", "count_distinct"];
/// More terms than a report has.
pub const MOST_TERMS: usize = 20;
/// The number of records in a group, as Odoo names it.
const COUNT: &str = "__count";

/// What is searched, and counted or grouped: the records of a model within a domain.
pub(super) struct Searched<'m> {
    pub(super) model: &'m str,
    pub(super) domain: Value,
}

/// How the groups of an answer are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grouping {
    group: Vec<Term>,
    aggregates: Vec<Term>,
}

/// A field, with what is made of it behind a colon: `date:month`, `amount_total:sum`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    text: String,
    field: String,
    /// A period or a function.
    made: Option<String>,
}

impl Grouping {
    /// Reads `group` and `aggregates` of a search; `None` where neither is there.
    ///
    /// # Errors
    /// A term is not of its form.
    pub(super) fn read(payload: &Map<String, Value>) -> Result<Option<Self>, Error> {
        let is_given =
            |name: &str| payload.get(name).is_some_and(|value| !matches!(value, Value::Null | Value::Bool(false)));
        if !is_given("group") && !is_given("aggregates") {
            return Ok(None);
        }
        let group = terms(payload, "group", &PERIODS)?;
        let aggregates = terms(payload, "aggregates", &FUNCTIONS)?;
        if let Some(bare) = aggregates.iter().find(|term| term.made.is_none()) {
            let problem = format!("has `{}` without a function; there are {}", bare.text, FUNCTIONS.join(", "));
            return Err(Error::WrongKind { path: "payload.aggregates".to_owned(), problem });
        }
        Ok(Some(Self { group, aggregates }))
    }

    /// Plans the RPC. The caller may read every field, and the names of records that are grouped by.
    ///
    /// # Errors
    /// A field does not exist, or the policy denies it.
    pub(super) async fn plan(&self, caller: &Caller, searched: &Searched<'_>, page: Page) -> Result<Rpc, Error> {
        with_schemas(caller, |schemas| {
            schemas.domain(searched.model, &searched.domain, "payload.search_domain")?;
            self.decide(schemas, searched.model)
        })
        .await?;
        let domain = searched.domain.clone();
        let specs: Vec<&str> = self.group.iter().map(|term| term.text.as_str()).collect();
        Ok(match caller.version().await? {
            FORMATS_GROUPS.. => {
                let mut aggregates = vec![COUNT];
                aggregates.extend(self.aggregates.iter().map(|term| term.text.as_str()));
                Rpc::formatted_read_group(searched.model, domain, json!(specs), json!(aggregates), page)
            }
            _ => {
                // Without any field, `read_group` would aggregate all fields.
                let mut fields = vec![COUNT.to_owned()];
                let named = |(number, term): (usize, &Term)| {
                    format!("{}:{}({})", old_name(number), term.made.as_deref().unwrap_or_default(), term.field)
                };
                fields.extend(self.aggregates.iter().enumerate().map(named));
                Rpc::read_group(searched.model, domain, json!(fields), json!(specs), page)
            }
        })
    }

    fn decide(&self, schemas: &SchemaView<'_>, model: &str) -> Result<(), Error> {
        let Some(view) = schemas.model(model).map_err(denied("model"))? else { return Ok(()) };
        let groups = self.group.iter().map(|term| ("group", term));
        for (parameter, term) in groups.chain(self.aggregates.iter().map(|term| ("aggregates", term))) {
            let path = format!("payload.{parameter}");
            if view.read(&term.field).map_err(denied(&path))?.is_none() {
                let (name, meant) = (term.field.clone(), meant(view, &term.field));
                return Err(Error::UnknownField { parameter, model: model.to_owned(), name, meant });
            }
            if let Some(relation) = view.relation(&term.field).filter(|_| parameter == "group") {
                schemas.policy().decide(Touch::Read { model: relation, field: NAME }).map_err(denied(&path))?;
            }
        }
        Ok(())
    }

    /// The groups of Odoo's answer in one form for all versions: the terms of `group` with their values (of a relation `[id,
    /// name]`, of a date `[start of the period, label]`, false where there is none), `__count`, and the terms of `aggregates`.
    pub fn shape(&self, rows: Vec<Value>) -> Vec<Value> {
        rows.into_iter().map(|row| self.shape_row(&row)).collect()
    }

    fn shape_row(&self, row: &Value) -> Value {
        let mut shaped = Map::new();
        for (number, term) in self.group.iter().enumerate() {
            let value = match &row[&term.text] {
                Value::String(label) if term.made.is_some() => json!([self.start(row, number), label]),
                value => value.clone(),
            };
            shaped.insert(term.text.clone(), value);
        }
        shaped.insert(COUNT.to_owned(), row[COUNT].clone());
        for (number, term) in self.aggregates.iter().enumerate() {
            let value = row.get(&term.text).or_else(|| row.get(old_name(number)));
            shaped.insert(term.text.clone(), value.cloned().unwrap_or_default());
        }
        Value::Object(shaped)
    }

    /// The start of a group's period, before Odoo 19. In a group's domain (14), the conditions of the groups come before those of
    /// the search.
    fn start(&self, row: &Value, number: usize) -> Value {
        let term = &self.group[number];
        let range = &row["__range"][&term.text]["from"];
        if range.is_string() {
            return range.clone();
        }
        let of_same_field =
            self.group[..number].iter().filter(|before| before.field == term.field && before.made.is_some());
        let conditions = row["__domain"].as_array().into_iter().flatten();
        let mut starts = conditions.filter(|condition| condition[0] == term.field.as_str() && condition[1] == ">=");
        starts.nth(of_same_field.count()).map(|condition| condition[2].clone()).unwrap_or_default()
    }
}

/// The name of an aggregate in `read_group`, whose own names cannot hold a function.
fn old_name(number: usize) -> String {
    format!("aggregate_{number}")
}

fn terms(payload: &Map<String, Value>, name: &str, known: &[&str]) -> Result<Vec<Term>, Error> {
    let path = format!("payload.{name}");
    let items = match payload.get(name) {
        None | Some(Value::Null | Value::Bool(false)) => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(other) => return Err(wrong(path, "a list of texts such as \"state\" or \"date:month\"", other)),
    };
    let refused = |problem: String| Error::WrongKind { path: path.clone(), problem };
    if items.len() > MOST_TERMS {
        return Err(refused(format!("has more than {MOST_TERMS} entries")));
    }
    let mut terms: Vec<Term> = Vec::new();
    for item in items {
        let Value::String(text) = item else { return Err(wrong(path, "a list of texts", item)) };
        let (field, made) = text.split_once(':').map_or((text.as_str(), None), |(field, made)| (field, Some(made)));
        let is_name = !field.is_empty()
            && field.len() < 64
            && field.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name || made.is_some_and(|made| !known.contains(&made)) {
            let shown: String = text.chars().take(80).collect();
            return Err(refused(format!(
                "has `{shown}`, which is no field, with or without one of these behind a colon: {}",
                known.join(", ")
            )));
        }
        if terms.iter().any(|term| term.text == *text) {
            return Err(refused(format!("has `{text}` twice")));
        }
        terms.push(Term { text: text.clone(), field: field.to_owned(), made: made.map(str::to_owned) });
    }
    Ok(terms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(payload: Value) -> Result<Option<Grouping>, Error> {
        let Value::Object(payload) = payload else { unreachable!() };
        Grouping::read(&payload)
    }

    /// Groups as Odoo 14, 18 and 19 answer them.
    #[test]
    fn groups_have_one_form_for_all_versions() {
        let grouping =
            read(json!({"group": ["date:month", "user_id"], "aggregates": ["amount:sum"]})).unwrap().unwrap();
        let odoo_14 = json!({"date:month": "January 2026", "user_id": [7, "A"], "__count": 2, "aggregate_0": 5.0,
            "__domain": ["&", "&", ["date", ">=", "2026-01-01"], ["date", "<", "2026-02-01"], ["date", ">=", "2020-01-01"]]});
        let odoo_18 = json!({"date:month": "January 2026", "user_id": [7, "A"], "__count": 2, "aggregate_0": 5.0,
            "__range": {"date:month": {"from": "2026-01-01", "to": "2026-02-01"}}, "__domain": []});
        let odoo_19 = json!({"date:month": ["2026-01-01", "January 2026"], "user_id": [7, "A"], "__count": 2, "amount:sum": 5.0,
            "__extra_domain": []});
        let expected = json!([{"date:month": ["2026-01-01", "January 2026"], "user_id": [7, "A"], "__count": 2, "amount:sum": 5.0}]);
        for answered in [odoo_14, odoo_18, odoo_19] {
            assert_eq!(Value::Array(grouping.shape(vec![answered.clone()])), expected, "{answered}");
        }
    }

    #[test]
    fn terms_that_are_none_are_refused_in_words() {
        let refusal = |payload: Value| read(payload).unwrap_err().to_string();
        assert!(refusal(json!({"group": ["date:fortnight"]})).contains("day, week, month"));
        assert!(refusal(json!({"group": ["a; drop"]})).contains("no field"));
        assert!(refusal(json!({"group": ["a", "a"]})).contains("twice"));
        assert!(refusal(json!({"aggregates": ["amount"]})).contains("without a function"));
        assert!(refusal(json!({"group": "state"})).contains("a list of texts"));
        assert_eq!(read(json!({"limit": 1})).unwrap(), None);
    }
}
