//! One query for the values of one field, which tells the records that have each value.
//!
//! Rows are matched to the values by their value in the field. Where Odoo matched a row on other grounds than equality,
//! or one of the values matches a large part of the table, the values are asked for by halves, and in the end one by one: among
//! thousands of values, one such value costs some queries more and not thousands.

use std::collections::{HashMap, HashSet, VecDeque};

use futures_util::future;
use serde_json::{Value, json};

use super::folding::{self, fold};
use crate::{
    config::CompanyFilter,
    odoo::{
        self, Archived, Caller, Comparison, EXTERNAL_IDS, ExternalId, FoundRecords, LookupCriteria, Named, Page, Rpc,
    },
    plan::{Error, rows},
};

/// The number of concurrent queries of one call.
pub(super) const MAX_CONCURRENT: usize = 4;
/// The maximum number of values of one query. More cost Odoo no less for each, and make its answers large.
const MAX_VALUES: usize = 1_000;
/// Values of a query that told nothing of them are asked for one by one, rather than by halves, where they are no more than this.
const ONE_BY_ONE: usize = 4;
/// The number of rows beyond one for each value, above which the values are asked for by halves.
const SPARE_ROWS: u64 = 200;
/// A value that more records have than this is refused, even where several may be linked.
pub(in crate::plan) const MAX_MATCHES: usize = 100;

#[derive(Debug)]
pub(super) struct Query {
    pub(super) by: LookupCriteria,
    pub(super) mode: CompanyFilter,
    /// Those of the further fields whose texts are compared in whatever case.
    pub(super) folded: Vec<String>,
}

/// What a query for several values told.
struct Group {
    /// By the number of the value.
    told: Vec<(usize, FoundRecords)>,
    /// The numbers of the values of which it told nothing.
    open: Vec<usize>,
}

impl Query {
    /// Asks for each of the values, and returns the records that have it, in order.
    ///
    /// # Errors
    /// An RPC fails, or gives no records.
    pub(super) async fn ask(&self, caller: &Caller, values: Vec<Value>) -> Result<Vec<FoundRecords>, Error> {
        if self.by.comparison == Comparison::ExternalId {
            return self.ask_external_ids(caller, &values).await;
        }
        let mut found: Vec<Option<FoundRecords>> = vec![None; values.len()];
        let numbers: Vec<usize> = (0..values.len()).collect();
        // A name is asked for by itself.
        let together = if self.by.comparison == Comparison::Name { 1 } else { MAX_VALUES };
        let mut groups: VecDeque<Vec<usize>> = numbers.chunks(together).map(<[usize]>::to_vec).collect();
        while !groups.is_empty() {
            let some: Vec<Vec<usize>> = groups.drain(..MAX_CONCURRENT.min(groups.len())).collect();
            let asked = some.into_iter().map(|group| self.ask_group(caller, &values, group));
            for Group { told, open } in future::try_join_all(asked).await? {
                told.into_iter().for_each(|(number, records)| found[number] = Some(records));
                groups.extend(split(&open));
            }
        }
        #[expect(clippy::expect_used, reason = "a group is split until each value is told, at the latest by itself")]
        let found = found.into_iter().map(|ids| ids.expect("every value has been asked for")).collect();
        Ok(found)
    }

    /// Asks for the values with these numbers by one query; a value alone is always told.
    async fn ask_group(&self, caller: &Caller, values: &[Value], numbers: Vec<usize>) -> Result<Group, Error> {
        if let [number] = numbers[..] {
            let told = vec![self.ask_one(caller, number, &values[number]).await?];
            return Ok(Group { told, open: Vec::new() });
        }
        let asked: Vec<Value> = numbers.iter().map(|&number| values[number].clone()).collect();
        let rpc = self.rpc(&asked);
        let rows = rows::records(&rpc, caller.call(&rpc).await?)?;
        if rows.len() as u64 >= limit(&asked) {
            return Ok(Group { told: Vec::new(), open: numbers });
        }
        let mut by_value: HashMap<String, Vec<&Value>> = HashMap::new();
        for row in &rows {
            by_value.entry(self.compared(&row[&self.by.field])).or_default().push(row);
        }
        let compared: Vec<String> = asked.iter().map(|value| self.compared(value)).collect();
        let known: HashSet<&str> = compared.iter().map(String::as_str).collect();
        // A row that fits no value was matched by Odoo on other grounds than equality, so Odoo has to tell
        // which. Where case is ignored, the comparison is the gateway's.
        let has_strangers =
            self.by.comparison == Comparison::Equal && by_value.keys().any(|value| !known.contains(value.as_str()));
        let mut group = Group { told: Vec::with_capacity(numbers.len()), open: Vec::new() };
        for (number, value) in numbers.into_iter().zip(&compared) {
            match by_value.get(value) {
                None if has_strangers => group.open.push(number),
                rows => group.told.push((number, self.choose(&rpc, rows.into_iter().flatten().copied())?)),
            }
        }
        Ok(group)
    }

    async fn ask_one(&self, caller: &Caller, number: usize, value: &Value) -> Result<(usize, FoundRecords), Error> {
        if self.by.comparison == Comparison::Name {
            return Ok((number, self.ask_name(caller, value).await?));
        }
        let rpc = self.rpc(std::slice::from_ref(value));
        let rows = rows::records(&rpc, caller.call(&rpc).await?)?;
        let is_equal = |row: &&Value| match self.by.comparison {
            Comparison::IgnoringCase => self.compared(&row[&self.by.field]) == self.compared(value),
            Comparison::Equal | Comparison::ExternalId | Comparison::Name => true,
        };
        Ok((number, self.choose(&rpc, rows.iter().filter(is_equal))?))
    }

    /// Asks for the records with a name. The answer does not tell a record's company, so records of no company are asked for
    /// apart, where the company has none.
    async fn ask_name(&self, caller: &Caller, name: &Value) -> Result<FoundRecords, Error> {
        let own = self.by.company.map(|company| json!(["company_id", "=", company]));
        let shared = own.as_ref().filter(|_| self.mode == CompanyFilter::Prefer);
        let shared = shared.map(|_| Some(json!(["company_id", "=", false])));
        let mut ids = Vec::new();
        for company in std::iter::once(own.clone()).chain(shared) {
            let rpc = self.by_name(name, company);
            let rows = rows::records(&rpc, caller.call(&rpc).await?)?;
            ids = rows::ids(&rpc, &rows)?;
            if !ids.is_empty() {
                break;
            }
        }
        Ok(FoundRecords { ids, archived: Vec::new() })
    }

    fn by_name(&self, name: &Value, company: Option<Value>) -> Rpc {
        let domain = Value::Array(company.into_iter().collect());
        Rpc::name_search(&self.by.model, name.as_str().unwrap_or_default(), domain, MAX_MATCHES as u64 + 1)
    }

    /// Asks what the external ids name, and where Odoo has not checked it yet, whether the caller sees those records.
    async fn ask_external_ids(&self, caller: &Caller, values: &[Value]) -> Result<Vec<FoundRecords>, Error> {
        let model = &self.by.model;
        let ids: Vec<Option<ExternalId>> =
            values.iter().map(|value| value.as_str().and_then(ExternalId::parse)).collect();
        let asked: Vec<ExternalId> = ids.iter().flatten().cloned().collect();
        let mut named = caller.external_ids(model, &asked).await?.into_iter();
        let named: Vec<Option<(i64, bool)>> = ids
            .iter()
            .map(|id| match id.as_ref().and_then(|_| named.next()) {
                Some(Named::Record { id, is_seen }) => Some((id, is_seen)),
                Some(Named::Hidden | Named::OtherModel | Named::Nothing) | None => None,
            })
            .collect();
        let is_checked = self.by.beside.is_empty()
            && caller.policy().domain(model).is_none()
            && named.iter().flatten().all(|(_, is_seen)| *is_seen);
        let mut found: Vec<i64> = named.iter().flatten().map(|(id, _)| *id).collect();
        if !is_checked && !found.is_empty() {
            let mut domain = vec![json!(["id", "in", found])];
            domain.extend(self.beside());
            domain.extend(self.archived());
            let rpc = Rpc::search_read(model, Value::Array(domain), json!(["id"]), Page::default());
            let rows = rows::records(&rpc, caller.call(&rpc).await?)?;
            found = rows::ids(&rpc, &rows)?;
        }
        let found: HashSet<i64> = found.into_iter().collect();
        let records = |named: Option<(i64, bool)>| FoundRecords {
            ids: named.map(|(id, _)| id).filter(|id| found.contains(id)).into_iter().collect(),
            archived: Vec::new(),
        };
        Ok(named.into_iter().map(records).collect())
    }

    /// The RPC that asks for these values. For external ids it is the one that tells what they name.
    pub(super) fn rpc(&self, values: &[Value]) -> Rpc {
        let LookupCriteria { model, field, company, comparison, archived, .. } = &self.by;
        let mut domain = match (comparison, values) {
            (Comparison::ExternalId, values) => {
                let names = |value: &Value| {
                    let id = value.as_str().and_then(ExternalId::parse)?;
                    Some([json!(["module", "=", id.module]), json!(["name", "=", id.name])])
                };
                let domain = values.iter().filter_map(names).flatten().collect();
                return Rpc::search_read(EXTERNAL_IDS, domain, json!(["model", "res_id"]), Page::default());
            }
            (Comparison::Name, values) => {
                let company = company.map(|company| match self.mode {
                    CompanyFilter::Exact => json!(["company_id", "=", company]),
                    _ => json!(["company_id", "in", [company, false]]),
                });
                return self.by_name(values.first().unwrap_or(&Value::Null), company);
            }
            (Comparison::IgnoringCase, values) => folding::terms(field, values),
            (Comparison::Equal, [value]) => vec![json!([field, "=", value])],
            (Comparison::Equal, values) => vec![json!([field, "in", values])],
        };
        let is_told_by_id = values.len() == 1 && *comparison == Comparison::Equal;
        let mut fields = vec![if is_told_by_id { "id" } else { field.as_str() }];
        domain.extend(self.beside());
        domain.extend(self.archived());
        let mut order = Vec::new();
        if let Archived::Told(active) = archived {
            fields.push(active);
            // Archived records come last, so that a limit does not cut off the others.
            order.push(format!("{active} desc"));
        }
        if let Some(company) = company {
            domain.push(match self.mode {
                CompanyFilter::Exact => json!(["company_id", "=", company]),
                _ => json!(["company_id", "in", [company, false]]),
            });
            fields.push("company_id");
            // The company's own records come first, records of no company last, so that a limit does not cut off the
            // wrong ones.
            order.push("company_id".to_owned());
        }
        let mut page = Page::first(limit(values));
        if !order.is_empty() {
            order.push("id".to_owned());
            page.order = Some(order.join(", "));
        }
        Rpc::search_read(model, Value::Array(domain), json!(fields), page)
    }

    /// The terms for the further fields.
    fn beside(&self) -> impl Iterator<Item = Value> {
        self.by.beside.iter().flat_map(|(field, value)| {
            let is_folded = value.is_string() && self.folded.contains(field);
            if is_folded {
                folding::terms(field, std::slice::from_ref(value))
            } else {
                vec![json!([field, "=", value])]
            }
        })
    }

    /// The term that makes Odoo find archived records, too: it hides them unless a domain names the field (14-19).
    fn archived(&self) -> Option<Value> {
        match &self.by.archived {
            Archived::Hidden => None,
            Archived::Counted(active) | Archived::Told(active) => Some(any_activity(active)),
        }
    }

    /// A value in the form in which it is compared.
    fn compared(&self, value: &Value) -> String {
        match (self.by.comparison, value.as_str()) {
            (Comparison::IgnoringCase, Some(text)) => fold(text),
            _ => value.to_string(),
        }
    }

    /// The ids of the rows; of the company's own rows alone, where it has any.
    fn choose<'r>(&self, rpc: &Rpc, rows: impl IntoIterator<Item = &'r Value>) -> Result<FoundRecords, odoo::Error> {
        let is_archived = |row: &Value| match &self.by.archived {
            Archived::Told(active) => row[active] == Value::Bool(false),
            Archived::Hidden | Archived::Counted(_) => false,
        };
        let (archived, rows): (Vec<&Value>, Vec<&Value>) = rows.into_iter().partition(|row| is_archived(row));
        Ok(FoundRecords { ids: self.of_company(rpc, rows)?, archived: self.of_company(rpc, archived)? })
    }

    fn of_company(&self, rpc: &Rpc, rows: Vec<&Value>) -> Result<Vec<i64>, odoo::Error> {
        let company = self.by.company;
        let is_own = |row: &Value| company.is_some() && row["company_id"][0].as_i64() == company;
        let (own, shared): (Vec<&Value>, Vec<&Value>) = rows.into_iter().partition(|row| is_own(row));
        let chosen = if own.is_empty() { shared } else { own };
        rows::ids(rpc, chosen)
    }
}

/// A term that is true of archived records and of others.
pub(in crate::plan) fn any_activity(active: &str) -> Value {
    json!([active, "in", [true, false]])
}

/// The groups in which values are asked for of which a query told nothing.
fn split(open: &[usize]) -> impl Iterator<Item = Vec<usize>> {
    let size = if open.len() <= ONE_BY_ONE { 1 } else { open.len().div_ceil(2) };
    open.chunks(size).map(<[usize]>::to_vec)
}

fn limit(values: &[Value]) -> u64 {
    if values.len() == 1 { MAX_MATCHES as u64 + 1 } else { values.len() as u64 + SPARE_ROWS }
}
