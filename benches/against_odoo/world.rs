//! What is in Odoo before the calls, and what must be in it after them.

use std::{cell::RefCell, collections::HashMap};

use serde_json::{Value, json};

use crate::{
    client::Way,
    request::{Credential, Peer, Request},
    works::Work,
};

/// A record, by what calls name it by.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) name: String,
    pub(crate) id: i64,
}

pub(crate) struct Country {
    pub(crate) id: i64,
    pub(crate) code: String,
    pub(crate) label: String,
}

/// What payloads look up, and the ids that bare calls know.
pub(crate) struct World {
    /// A session at Odoo itself.
    odoo: Way,
    /// Begins the name of every record of this run.
    run: String,
    pub(crate) company: i64,
    pub(crate) countries: Vec<Record>,
    pub(crate) tags: Vec<Record>,
    pub(crate) industries: Vec<Record>,
    pub(crate) dollar: Record,
    /// Those whose currency is in use: the addon sees no others.
    pub(crate) dollar_countries: Vec<Country>,
    pub(crate) partner: Record,
    pub(crate) term: Record,
    pub(crate) products: Vec<Record>,
    series: RefCell<HashMap<String, Series>>,
}

/// The records that one peer says it has made in one work.
#[derive(Default)]
struct Series {
    model: &'static str,
    field: &'static str,
    lines: usize,
    ids: HashMap<String, i64>,
}

impl World {
    /// `user` is what Odoo said at the login.
    pub(crate) async fn new(odoo: Way, user: &Value, count_of_products: usize) -> Self {
        let run: String = std::iter::repeat_with(fastrand::alphanumeric).take(8).collect();
        let company = user["user_companies"]["current_company"].as_i64().expect("the user's company");
        let read = async |model, domain, fields: Value| {
            let named = json!({"fields": fields, "order": "id"});
            rpc(&odoo, Request::rpc(model, "search_read", ("domain", domain), named)).await
        };
        let countries = read("res.country", json!([]), json!(["code"])).await;
        let countries = countries.as_array().unwrap().iter().filter(|row| row["code"].is_string());
        let countries: Vec<Record> = countries.take(50).map(|row| named(row, "code")).collect();
        let industries = read("res.partner.industry", json!([]), json!(["name"])).await;
        let industries: Vec<Record> = industries.as_array().unwrap().iter().map(|row| named(row, "name")).collect();
        let dollar = read("res.currency", json!([["name", "=", "USD"]]), json!(["name"])).await;
        let dollar = named(&dollar[0], "name");
        let dollar_countries =
            read("res.country", json!([["currency_id", "=", dollar.id]]), json!(["code", "name"])).await;
        let country = |row: &Value| Country {
            id: row["id"].as_i64().unwrap(),
            code: row["code"].as_str().unwrap().to_owned(),
            label: row["name"].as_str().unwrap().to_owned(),
        };
        let dollar_countries: Vec<Country> = dollar_countries.as_array().unwrap().iter().map(country).collect();
        assert!(dollar_countries.len() > 10, "countries to search for");
        // Of the user's company, where a model has one: the addon looks for no others.
        let make = async |model, field: &str, name: String, more: Value| {
            let mut values = more;
            values[field] = json!(name);
            let request = Request::rpc(model, "create", ("vals_list", json!([values])), json!({}));
            let ids = rpc(&odoo, request).await;
            Record { name, id: ids[0].as_i64().unwrap() }
        };
        let mut tags = Vec::new();
        for number in 0..10 {
            tags.push(make("res.partner.category", "name", format!("T{run}.{number}"), json!({})).await);
        }
        let ours = |more: Value| {
            let mut values = more;
            values["company_id"] = json!(company);
            values
        };
        let partner = make("res.partner", "ref", format!("P{run}"), ours(json!({"name": "A customer"}))).await;
        let term = make("account.payment.term", "name", format!("PT{run}"), ours(json!({}))).await;
        let mut products = Vec::new();
        for number in 0..count_of_products {
            let product = ours(json!({"name": "A product", "type": "consu", "list_price": 5}));
            products.push(make("product.product", "default_code", format!("D{run}.{number}"), product).await);
        }
        let series = RefCell::default();
        Self {
            odoo,
            run,
            company,
            countries,
            tags,
            industries,
            dollar,
            dollar_countries,
            partner,
            term,
            products,
            series,
        }
    }

    /// A new name for a record, which tells who makes it and in which work.
    pub(crate) fn next_name(&self, work: Work, peer: Peer, number: usize) -> String {
        format!("{}{number}", self.series_name(work, peer))
    }

    fn series_name(&self, work: Work, peer: Peer) -> String {
        format!("B{} {} {} #", self.run, work.name(), peer.name())
    }

    pub(crate) fn note(&self, work: Work, peer: Peer, made: &[Record]) {
        let Some((model, field)) = work.makes() else { return assert!(made.is_empty()) };
        let lines = if let Work::Order(lines) = work { lines } else { 0 };
        let mut all = self.series.borrow_mut();
        let of_one = || Series { model, field, lines, ids: HashMap::new() };
        let series = all.entry(self.series_name(work, peer)).or_insert_with(of_one);
        for record in made {
            let before = series.ids.insert(record.name.clone(), record.id);
            assert_eq!(before, None, "{} was made twice", record.name);
        }
    }

    /// A value that nothing in Odoo has yet.
    pub(crate) fn unused(&self, what: &str) -> String {
        let random: String = std::iter::repeat_with(fastrand::alphanumeric).take(8).collect();
        format!("{what}{}{random}", self.run)
    }

    /// How many records match.
    pub(crate) async fn count(&self, model: &'static str, domain: Value) -> u64 {
        let count = rpc(&self.odoo, Request::rpc(model, "search_count", ("domain", domain), json!({}))).await;
        count.as_u64().unwrap()
    }

    /// Holds what is in Odoo against what was answered: as many, each under the id that its caller was given. Gives the number
    /// of records.
    pub(crate) async fn check(&self) -> usize {
        let mut sum = 0;
        for (name, series) in self.series.take() {
            let domain = json!([[series.field, "=like", format!("{name}%")]]);
            let count = async |model, domain| usize::try_from(self.count(model, domain).await).unwrap();
            let answered = series.ids.len();
            assert_eq!(count(series.model, domain.clone()).await, answered, "records of {name}, and answers");
            if series.lines > 0 {
                let of_these = json!([["order_id.client_order_ref", "=like", format!("{name}%")]]);
                let lines = answered * series.lines;
                assert_eq!(count("sale.order.line", of_these).await, lines, "lines of {name}, and answers");
            }
            let named_fields = json!({"fields": [series.field]});
            let rows =
                rpc(&self.odoo, Request::rpc(series.model, "search_read", ("domain", domain), named_fields)).await;
            let rows = rows.as_array().unwrap().iter().map(|row| named(row, series.field));
            let in_odoo: HashMap<String, i64> = rows.map(|record| (record.name, record.id)).collect();
            assert!(in_odoo == series.ids, "records of {name} have other ids than their callers were told");
            sum += answered;
        }
        sum
    }
}

fn named(row: &Value, field: &str) -> Record {
    Record { name: row[field].as_str().unwrap().to_owned(), id: row["id"].as_i64().unwrap() }
}

async fn rpc(odoo: &Way, request: Request) -> Value {
    let (path, body) = request.path_and_body(Credential::Session);
    let answer = odoo.client().post(&path, body).await;
    request.result(Credential::Session, &answer).unwrap_or_else(|said| panic!("{request:?}: {said}"))
}
