//! The accounts that analytic distributions name: one query for all of a call.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Value, json};

use super::place::Place;
use crate::{
    config::CompanyFilter,
    odoo::{Caller, Page, Rpc},
    plan::{
        Ambiguous, Error, analytic,
        lookup::Filter,
        read::{Distribution, Open, OpenKind},
        rows,
    },
};

/// The number of rows beyond one for each value: a name that so many accounts have is refused.
const SPARE_ROWS: u64 = 200;

/// The accounts that the distributions of a call name.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    /// By code and by name.
    by: HashMap<(&'static str, String), Vec<Account>>,
    mode: Option<CompanyFilter>,
}

#[derive(Debug, Clone)]
struct Account {
    id: i64,
    company: Option<i64>,
}

impl Accounts {
    /// Asks Odoo for all accounts that are named in open values.
    ///
    /// # Errors
    /// The query fails, or finds more than can be told apart.
    pub(super) async fn ask(caller: &Caller, filter: Filter<'_>, open: &[(&Open, &Place)]) -> Result<Self, Error> {
        let mut distributions = Vec::new();
        for (open, _) in open {
            if let OpenKind::Distribution(distribution) = &open.kind {
                distributions.push((open.path.as_str(), distribution));
            }
        }
        let named: BTreeSet<&str> = distributions.iter().flat_map(|(_, distribution)| distribution.names()).collect();
        if named.is_empty() {
            return Ok(Self::default());
        }
        let is_filtered = filter.mode != CompanyFilter::Off && !filter.skip.iter().any(|skip| skip == analytic::MODEL);
        let mode = Some(filter.mode).filter(|_| is_filtered);
        let [code, name] = analytic::KEYS;
        let mut domain = vec![json!("|"), json!([code, "in", named]), json!([name, "in", named])];
        let companies: Option<BTreeSet<i64>> =
            distributions.iter().map(|(_, distribution)| distribution.company).collect();
        // One without a company of its own sees the accounts of all.
        if let (Some(companies), Some(_)) = (companies, mode) {
            let mut among: Vec<Value> = companies.into_iter().map(Value::from).collect();
            among.push(Value::Bool(false));
            domain.push(json!(["company_id", "in", among]));
        }
        let limit = named.len() as u64 * 2 + SPARE_ROWS;
        let rpc = Rpc::search_read(
            analytic::MODEL,
            Value::Array(domain),
            json!([code, name, "company_id"]),
            Page { order: Some("id".to_owned()), ..Page::first(limit) },
        );
        let found = rows::records(&rpc, caller.call(&rpc).await?)?;
        if found.len() as u64 >= limit {
            let path = distributions.first().map(|(path, _)| (*path).to_owned()).unwrap_or_default();
            let problem = format!("names accounts of which there are more than {limit}: name them by id");
            return Err(Error::WrongKind { path, problem });
        }
        let mut by: HashMap<_, Vec<Account>> = HashMap::new();
        for (id, row) in rows::ids(&rpc, &found)?.into_iter().zip(&found) {
            let text = |field: &str| row[field].as_str().unwrap_or_default();
            let account = Account { id, company: row["company_id"][0].as_i64() };
            for key in analytic::KEYS {
                by.entry((key, text(key).to_owned())).or_default().push(account.clone());
            }
        }
        Ok(Self { by, mode })
    }

    /// The distribution at `path` by the ids of its accounts.
    ///
    /// # Errors
    /// An account is not found, or several are.
    pub(super) fn distribute(&self, distribution: &Distribution, path: &str) -> Result<Value, Error> {
        let by_ids = distribution.by_ids(path, |name, company| self.one(name, company, path))?;
        Ok(Value::Object(by_ids))
    }

    /// The account of a code, else of a name; of the company's own where it has any.
    fn one(&self, named: &str, company: Option<i64>, path: &str) -> Result<Option<i64>, Error> {
        for key in analytic::KEYS {
            let all = self.by.get(&(key, named.to_owned())).map_or(&[][..], Vec::as_slice);
            let found = self.of_company(all, company);
            match found[..] {
                [] => {}
                [account] => return Ok(Some(account.id)),
                _ => {
                    return Err(Error::Ambiguous(Box::new(Ambiguous {
                        path: format!("{path}.{named}"),
                        field: analytic::FIELD.to_owned(),
                        value: named.to_owned(),
                        model: analytic::MODEL.to_owned(),
                        ids: found.iter().map(|account| account.id).collect(),
                        candidates: Vec::new(),
                    })));
                }
            }
        }
        Ok(None)
    }

    fn of_company<'a>(&self, all: &'a [Account], company: Option<i64>) -> Vec<&'a Account> {
        let (Some(mode), Some(company)) = (self.mode, company) else { return all.iter().collect() };
        let of = |company: Option<i64>| all.iter().filter(|account| account.company == company).collect::<Vec<_>>();
        let own = of(Some(company));
        if own.is_empty() && mode == CompanyFilter::Prefer { of(None) } else { own }
    }
}
