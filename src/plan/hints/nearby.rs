//! What is near a lookup that found nothing: an archived record, one of another company, or one with a similar value.

use std::fmt;

use serde_json::{Value, json};

use crate::{
    odoo::{Caller, Page, Rpc},
    plan::lookup::{Question, any_activity, fold, pattern},
    policy::Touch,
};

/// What is near a lookup that found nothing, as the end of a sentence.
#[derive(Debug, Clone, Default)]
pub struct Nearby(Option<Box<State>>);

#[derive(Debug, Clone)]
enum State {
    /// It has not been looked for yet.
    Open(Box<Question>),
    Archived(i64),
    OtherCompany(i64),
    /// Records with similar values in the field that was looked up by.
    Similar(Vec<(i64, String)>),
}

/// The number of similar records that are named.
const NAMED: usize = 5;
/// The number of similar records that are read to choose from.
const READ: u64 = 40;
/// Shorter texts are compared as a whole alone: too many values contain them.
const SHORT: usize = 3;

impl fmt::Display for Nearby {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_deref() {
            None | Some(State::Open(_)) => Ok(()),
            Some(State::Archived(id)) => {
                write!(f, " {id} exists, but is archived (`\"archived\": true` beside the keys finds it).")
            }
            Some(State::OtherCompany(id)) => {
                write!(f, " {id} exists in another company (`company_id` beside the keys names it).")
            }
            Some(State::Similar(records)) => {
                let named: Vec<String> = records.iter().map(|(id, value)| format!("'{value}' ({id})")).collect();
                write!(f, " There is: {}.", named.join(", "))
            }
        }
    }
}

impl Nearby {
    /// What is near the question, not yet looked for.
    pub(in crate::plan) fn of(question: &Question) -> Self {
        Self(Some(Box::new(State::Open(Box::new(question.clone())))))
    }

    /// Similar values in the field that was looked up by.
    pub(in crate::plan) fn values(&self) -> impl Iterator<Item = &str> {
        let similar: &[(i64, String)] = match self.0.as_deref() {
            Some(State::Similar(records)) => records,
            None | Some(State::Open(_) | State::Archived(_) | State::OtherCompany(_)) => &[],
        };
        similar.iter().map(|(_, value)| value.as_str())
    }

    /// How a record that is there is reached.
    pub(in crate::plan) fn hint(&self) -> Option<&'static str> {
        match self.0.as_deref() {
            Some(State::Archived(_)) => {
                Some("the record is archived: add `\"archived\": true` beside the keys, or restore it in Odoo")
            }
            Some(State::OtherCompany(_)) => {
                Some("the record is one of another company: add `company_id` beside the keys")
            }
            None | Some(State::Open(_) | State::Similar(_)) => None,
        }
    }

    /// Looks for it, with two searches at most.
    pub(in crate::plan) async fn found(self, caller: &Caller) -> Self {
        let question = match self.0.map(|state| *state) {
            Some(State::Open(question)) => question,
            looked_for => return Self(looked_for.map(Box::new)),
        };
        if let Some(hidden) = hidden(caller, &question).await {
            return Self(Some(Box::new(hidden)));
        }
        let similar = similar(caller, &question).await.filter(|similar| !similar.is_empty());
        Self(similar.map(|similar| Box::new(State::Similar(similar))))
    }
}

/// A record with the very values that the lookup does not count: an archived one, or one of another company.
async fn hidden(caller: &Caller, question: &Question) -> Option<State> {
    let active = question.active.as_deref().filter(|_| !question.finds_archived);
    if (active.is_none() && question.company.is_none()) || !question.is_by_fields() {
        return None;
    }
    let mut domain = question.terms();
    domain.extend(active.map(any_activity));
    let mut fields = vec!["id"];
    fields.extend(active);
    let of_company = question.company.filter(|_| may_read(caller, question, "company_id"));
    fields.extend(of_company.map(|_| "company_id"));
    let row = rows(caller, question, domain, &fields, 1).await?.into_iter().next()?;
    let id = row["id"].as_i64()?;
    if active.is_some_and(|active| row[active] == Value::Bool(false)) {
        return Some(State::Archived(id));
    }
    let is_other = of_company.is_some() && row["company_id"][0].as_i64() != of_company;
    is_other.then_some(State::OtherCompany(id))
}

/// Records whose value contains the one that was looked up by, in whatever case; the closest first.
async fn similar(caller: &Caller, question: &Question) -> Option<Vec<(i64, String)>> {
    let field = question.field.as_str();
    let sought = question.value.as_str().filter(|_| question.is_by_fields())?;
    let operator = if sought.trim().chars().count() < SHORT { "=ilike" } else { "ilike" };
    let domain = vec![json!([field, operator, pattern(sought.trim())])];
    let rows = rows(caller, question, domain, &[field], READ).await?;
    let of_row = |row: &Value| Some((row["id"].as_i64()?, row[field].as_str()?.to_owned()));
    let mut records: Vec<(i64, String)> = rows.iter().filter_map(of_row).collect();
    records.sort_by_key(|(id, value)| (fold(value) != fold(sought), value.chars().count(), *id));
    records.truncate(NAMED);
    Some(records)
}

fn may_read(caller: &Caller, question: &Question, field: &str) -> bool {
    caller.policy().decide(Touch::Read { model: &question.model, field }).is_ok()
}

/// The rows, where the caller may read the fields and so many records.
async fn rows(
    caller: &Caller,
    question: &Question,
    domain: Vec<Value>,
    fields: &[&str],
    limit: u64,
) -> Option<Vec<Value>> {
    let model = question.model.as_str();
    if !fields.iter().all(|field| may_read(caller, question, field)) {
        return None;
    }
    caller.policy().decide(Touch::ReadMany { model, records: limit }).ok()?;
    let rpc = Rpc::search_read(model, Value::Array(domain), json!(fields), Page::first(limit));
    match caller.call(&rpc).await {
        Ok(Value::Array(rows)) => Some(rows),
        Ok(_) | Err(_) => None,
    }
}
