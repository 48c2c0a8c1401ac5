//! `create_data`, `update_data` and `create_update_data`: one record's values, or the same values into those that match.

use serde_json::{Map, Value, json};
use tokio::try_join;

use super::{
    Error, Plan, Rules, Step, Warnings,
    draft::{Draft, OldLines, Reader, Settler},
    known::with_schemas,
    lookup::{Answers, Filter, Questions},
    selection::Selection,
    vals::Vals,
};
use crate::odoo::{Caller, Kind, Page, Rpc};

/// Plans a new record.
pub async fn create_data(
    caller: &Caller,
    model: &str,
    vals: &Map<String, Value>,
    rules: Rules<'_>,
) -> Result<Plan, Error> {
    let request = Request::read(caller, model, Vals::read(vals, rules)?, rules).await?;
    let answers = request.questions.ask(caller, request.filter).await?;
    request.create(answers)
}

/// Plans an update of all the records that the search key matches. The addon answers success where none does; here that
/// is said.
pub async fn update_data(
    caller: &Caller,
    model: &str,
    vals: &Map<String, Value>,
    rules: Rules<'_>,
) -> Result<Plan, Error> {
    let vals = Vals::read(vals, rules)?;
    let domain = vals.search_domain()?;
    let mut request = Request::read(caller, model, vals, rules).await?;
    let (found, answers) = request.ask_both(caller, domain).await?;
    if found.ids.is_empty() {
        request.vals.warnings.note(
            "nothing_matched",
            "search_key",
            format!("no record of `{model}` matches `search_key`; nothing was updated"),
        )?;
    }
    request.update(found, answers)
}

/// Plans an update where the search key matches, and else a new record, into which the search key does not go.
pub async fn create_update_data(
    caller: &Caller,
    model: &str,
    vals: &Map<String, Value>,
    rules: Rules<'_>,
) -> Result<Plan, Error> {
    let vals = Vals::read(vals, rules)?;
    let domain = vals.search_domain()?;
    let request = Request::read(caller, model, vals, rules).await?;
    let (found, answers) = request.ask_both(caller, domain).await?;
    if found.ids.is_empty() { request.create(answers) } else { request.update(found, answers) }
}

/// A write that is understood, its questions still open.
struct Request<'r> {
    model: &'r str,
    vals: Vals,
    filter: Filter<'r>,
    company: Option<i64>,
    draft: Draft,
    questions: Questions,
    wanted: Selection,
    /// The one2many fields that the payload fills.
    line_fields: Vec<String>,
}

/// The records that are to be updated, with the lines that they have now.
struct Found {
    ids: Vec<i64>,
    lines: OldLines,
}

impl<'r> Request<'r> {
    async fn read(caller: &Caller, model: &'r str, mut vals: Vals, rules: Rules<'r>) -> Result<Self, Error> {
        let filter = Filter { mode: rules.compat.company_filter, skip: &rules.compat.company_filter_skip };
        let company = payload_company(caller, model, &mut vals, filter).await?.or(caller.identity().company);
        let strict = vals.warnings.strict;
        let (draft, questions, wanted, line_fields, warnings) = with_schemas(caller, |known| {
            let mut warnings = Warnings::new(strict);
            let mut reader = Reader { known, filter, questions: Questions::default(), warnings: &mut warnings };
            let draft = reader.read(model, &vals.payload, "payload", company)?;
            let questions = reader.questions;
            let wanted = Selection::read(known, model, &vals.result_field, "result_field")?;
            let field = |name: &str| known.get(model).and_then(|schema| schema.field(name));
            let is_one2many = |name: &&String| field(name).is_some_and(|field| matches!(field.kind, Kind::One2many(_)));
            let line_fields = vals.payload.keys().filter(is_one2many).cloned().collect();
            Ok((draft, questions, wanted, line_fields, warnings))
        })
        .await?;
        vals.warnings.extend(warnings);
        Ok(Self { model, vals, filter, company, draft, questions, wanted, line_fields })
    }

    /// Finds the records to update and answers the lookups, side by side: neither needs the other.
    async fn ask_both(&self, caller: &Caller, domain: Value) -> Result<(Found, Answers), Error> {
        try_join!(self.find(caller, domain), self.questions.ask(caller, self.filter))
    }

    async fn find(&self, caller: &Caller, domain: Value) -> Result<Found, Error> {
        let fields = if self.line_fields.is_empty() { json!(["id"]) } else { json!(self.line_fields) };
        let rows = caller.call(&Rpc::search_read(self.model, domain, fields, Page::default())).await?;
        let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
        let lines_of = |field: &String| {
            let ids = rows.iter().flat_map(|row| row[field].as_array().into_iter().flatten()).filter_map(Value::as_i64);
            (field.clone(), ids.collect())
        };
        Ok(Found {
            ids: rows.iter().filter_map(|row| row["id"].as_i64()).collect(),
            lines: self.line_fields.iter().map(lines_of).collect(),
        })
    }

    fn create(mut self, answers: Answers) -> Result<Plan, Error> {
        let values = self.settle(&answers, &OldLines::new())?;
        let step = Step::Create { model: self.model.to_owned(), values, company: self.company, wanted: self.wanted };
        Ok(Plan { step, warnings: self.vals.warnings.into_vec() })
    }

    fn update(mut self, found: Found, answers: Answers) -> Result<Plan, Error> {
        let values = self.settle(&answers, &found.lines)?;
        let echo = self.vals.search_key()?.clone();
        let step = Step::Update { model: self.model.to_owned(), ids: found.ids, values, echo, wanted: self.wanted };
        Ok(Plan { step, warnings: self.vals.warnings.into_vec() })
    }

    fn settle(&mut self, answers: &Answers, old: &OldLines) -> Result<Map<String, Value>, Error> {
        let draft = std::mem::take(&mut self.draft);
        Settler { questions: &self.questions, answers, warnings: &mut self.vals.warnings }.settle(draft, old)
    }
}

/// The company that the payload names, resolved before anything else since it decides where all other lookups look. A
/// lookup in its place is replaced by the id.
async fn payload_company(
    caller: &Caller,
    model: &str,
    vals: &mut Vals,
    filter: Filter<'_>,
) -> Result<Option<i64>, Error> {
    let Some(company @ Value::Object(_)) = vals.payload.get("company_id") else {
        return Ok(vals.payload.get("company_id").and_then(Value::as_i64));
    };
    let alone = Map::from_iter([("company_id".to_owned(), company.clone())]);
    let strict = vals.warnings.strict;
    let (draft, questions, warnings) = with_schemas(caller, |known| {
        let mut warnings = Warnings::new(strict);
        let mut reader = Reader { known, filter, questions: Questions::default(), warnings: &mut warnings };
        let draft = reader.read(model, &alone, "payload", None)?;
        let questions = reader.questions;
        Ok((draft, questions, warnings))
    })
    .await?;
    let answers = questions.ask(caller, filter).await?;
    let mut settler = Settler { questions: &questions, answers: &answers, warnings: &mut vals.warnings };
    // A model without companies has no such value; the payload's own reading will say so.
    let Some(company) = settler.settle(draft, &OldLines::new())?.get("company_id").cloned() else { return Ok(None) };
    vals.warnings.extend(warnings);
    let id = company.as_i64();
    vals.payload.insert("company_id".to_owned(), company);
    Ok(id)
}
