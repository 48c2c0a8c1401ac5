//! What there is to do: the same work as a payload for the addon and the gateway, and as an RPC with ids for bare Odoo; and
//! how an answer must look.

use serde_json::{Value, json};

use crate::{
    request::{Peer, Request},
    world::{Record, World},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    /// A partner with its country by code and a tag by name.
    Create,
    /// A partner with nothing to look up.
    PlainCreate,
    /// A sale order with so many lines; partner, payment term and products looked up.
    Order(usize),
    /// A partner by its reference: a new one, then the same again, in turn.
    Upsert,
    /// A country by its code, with its name and its currency's.
    Search,
    /// The same without the currency.
    PlainSearch,
    /// Partners of a list (`lists` makes its calls).
    List,
    /// `address_get` of a partner that is looked up.
    Method,
}

/// Records in one call of Odoo's own bulk create.
pub(crate) const BULK: usize = 50;

/// One call, and what its answer must be.
pub(crate) struct Call {
    pub(crate) request: Request,
    expected: Expected,
}

enum Expected {
    /// New records, one for each of these names.
    New(Vec<String>),
    Written(i64),
    Result(Value),
}

impl Work {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Create => "create".to_owned(),
            Self::PlainCreate => "create, no lookup".to_owned(),
            Self::Order(lines) => format!("order, {lines} lines"),
            Self::Upsert => "upsert".to_owned(),
            Self::Search => "search".to_owned(),
            Self::PlainSearch => "search, one model".to_owned(),
            Self::List => "list".to_owned(),
            Self::Method => "method".to_owned(),
        }
    }

    /// The model that it makes records of, and the field that holds their names.
    pub(crate) fn makes(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Create | Self::PlainCreate | Self::Upsert | Self::List => Some(("res.partner", "name")),
            Self::Order(_) => Some(("sale.order", "client_order_ref")),
            Self::Search | Self::PlainSearch | Self::Method => None,
        }
    }

    /// The `turn`th call of a round: all peers get the same values in the same order, but for the new `name`. `last` is what
    /// the same client's last call made, if anything.
    pub(crate) fn call(self, peer: Peer, world: &World, name: String, turn: usize, last: Option<&Record>) -> Call {
        match self {
            Self::Create | Self::PlainCreate => self.create(peer, world, name, turn),
            Self::Order(lines) => order(peer, world, name, lines),
            Self::Upsert => upsert(peer, world, name, last),
            Self::Search | Self::PlainSearch => self.search(peer, world, turn),
            Self::Method => method(peer, world),
            Self::List => unreachable!("`lists` makes its calls"),
        }
    }

    fn create(self, peer: Peer, world: &World, name: String, turn: usize) -> Call {
        let (country, tag) = (&world.countries[turn % world.countries.len()], &world.tags[turn % world.tags.len()]);
        let values = |name: &str| match (self, peer.takes_payloads()) {
            (Self::PlainCreate, _) => json!({"name": name}),
            (_, true) => json!({
                "name": name, "country_id": {"code": country.name}, "category_id": {"records": [{"name": tag.name}]},
            }),
            (_, false) => json!({"name": name, "country_id": country.id, "category_id": [[6, 0, [tag.id]]]}),
        };
        if peer.takes_payloads() {
            return Call::payload("create_data", "res.partner", json!({"payload": values(&name)}), vec![name]);
        }
        let names: Vec<String> = match peer {
            Peer::Bulk => (0..BULK).map(|number| format!("{name}.{number}")).collect(),
            _ => vec![name],
        };
        Call::create(world, "res.partner", names.iter().map(|name| values(name)).collect(), names)
    }

    fn search(self, peer: Peer, world: &World, turn: usize) -> Call {
        let country = &world.dollar_countries[turn % world.dollar_countries.len()];
        let has_currency = self == Self::Search;
        let currency = json!({"id": world.dollar.id, "name": world.dollar.name});
        let mut row = json!({"id": country.id, "name": country.label});
        let domain = ("domain", json!([["code", "=", country.code]]));
        if peer.takes_payloads() {
            let fields = if has_currency { json!(["name", "currency_id{name}"]) } else { json!(["name"]) };
            let domain = format!("[('code', '=', '{}')]", country.code);
            let payload = json!({"search_field": fields, "search_domain": domain, "limit": 1});
            if has_currency {
                row["currency_id"] = json!([currency]);
            }
            let vals = json!({"payload": payload});
            let request = Request::Payload { route: "search_data", model: "res.country", vals };
            return Call { request, expected: Expected::Result(json!([row])) };
        }
        if has_currency {
            row["currency_id"] = currency;
            let specification = json!({"name": {}, "currency_id": {"fields": {"name": {}}}});
            // As the gateway asks: with a count limit of 1, Odoo counts no more than it must.
            let named = json!({"specification": specification, "limit": 1, "count_limit": 1});
            let request = Request::rpc("res.country", "web_search_read", domain, named);
            return Call { request, expected: Expected::Result(json!({"length": 1, "records": [row]})) };
        }
        let request = Request::rpc("res.country", "search_read", domain, json!({"fields": ["name"], "limit": 1}));
        Call { request, expected: Expected::Result(json!([row])) }
    }
}

/// With as many lookups as the lines name products, and two more.
fn order(peer: Peer, world: &World, name: String, lines: usize) -> Call {
    let (partner, term) = (&world.partner, &world.term);
    let products = world.products.iter().cycle().take(lines);
    if peer.takes_payloads() {
        let line = |product: &Record| json!({"product_id": {"default_code": product.name}, "product_uom_qty": 2});
        let payload = json!({
            "client_order_ref": name, "partner_id": {"ref": partner.name}, "payment_term_id": {"name": term.name},
            "order_line": products.map(line).collect::<Vec<_>>(),
        });
        return Call::payload("create_data", "sale.order", json!({"payload": payload}), vec![name]);
    }
    let line = |product: &Record| json!([0, 0, {"product_id": product.id, "product_uom_qty": 2}]);
    let values = json!({
        "client_order_ref": name, "partner_id": partner.id, "payment_term_id": term.id,
        "order_line": products.map(line).collect::<Vec<_>>(),
    });
    Call::create(world, "sale.order", vec![values], vec![name])
}

fn upsert(peer: Peer, world: &World, name: String, last: Option<&Record>) -> Call {
    let name = last.map_or(name, |made| made.name.clone());
    let values = json!({"name": name, "ref": name, "phone": "+32 2 290 34 90"});
    let mut call = if peer.takes_payloads() {
        let vals = json!({"search_key": {"ref": name}, "payload": values});
        Call::payload("create_update_data", "res.partner", vals, vec![name])
    } else if let Some(made) = last {
        let request = Request::rpc("res.partner", "write", ("ids", json!([made.id])), json!({"vals": values}));
        return Call { request, expected: Expected::Result(json!(true)) };
    } else {
        Call::create(world, "res.partner", vec![values], vec![name])
    };
    if let Some(made) = last {
        call.expected = Expected::Written(made.id);
    }
    call
}

fn method(peer: Peer, world: &World) -> Call {
    let (partner, arguments) = (&world.partner, json!({"adr_pref": ["delivery"]}));
    let request = if peer.takes_payloads() {
        let payload = json!({"method": "address_get", "parameter": arguments});
        let vals = json!({"search_key": {"ref": partner.name}, "payload": payload});
        Request::Payload { route: "call_function", model: "res.partner", vals }
    } else {
        Request::rpc("res.partner", "address_get", ("ids", json!([partner.id])), arguments)
    };
    Call { request, expected: Expected::Result(json!({"contact": partner.id, "delivery": partner.id})) }
}

impl Call {
    fn payload(route: &'static str, model: &'static str, vals: Value, names: Vec<String>) -> Self {
        Self { request: Request::Payload { route, model, vals }, expected: Expected::New(names) }
    }

    /// With the context that the addon and the gateway add to every create.
    fn create(world: &World, model: &'static str, records: Vec<Value>, names: Vec<String>) -> Self {
        let context = json!({"context": {"default_company_id": world.company}});
        let request = Request::rpc(model, "create", ("vals_list", Value::Array(records)), context);
        Self { request, expected: Expected::New(names) }
    }

    /// What it has made, by a result that is right; an `Err` says what was expected.
    pub(crate) fn check(&self, result: &Value) -> Result<Vec<Record>, String> {
        match &self.expected {
            Expected::New(names) => {
                // A payload's result is `{"id": 5}`, an RPC's `[5]`.
                let ids: Option<Vec<i64>> = match result {
                    Value::Array(ids) => ids.iter().map(Value::as_i64).collect(),
                    one => one["id"].as_i64().map(|id| vec![id]),
                };
                let ids = ids.filter(|ids| ids.len() == names.len());
                let ids = ids.ok_or_else(|| format!("{} new ids", names.len()))?;
                Ok(std::iter::zip(names, ids).map(|(name, id)| Record { name: name.clone(), id }).collect())
            }
            Expected::Written(id) if result["id"] == json!([id]) => Ok(Vec::new()),
            Expected::Written(id) => Err(format!("record {id} to be written")),
            Expected::Result(expected) if expected == result => Ok(Vec::new()),
            Expected::Result(expected) => Err(expected.to_string()),
        }
    }
}
