//! All or nothing, proven: every RPC of a dozen payloads is made to fail in every way, and Odoo is looked at afterwards.
//!
//! There are three ends: everything is there, nothing is, or the answer names what is left. A fourth does not exist.

use std::{collections::BTreeMap, io::Write};

use serde_json::{Value, json};

use crate::support::{
    client::Client,
    fault::{Fault, FaultProxy},
    gateway::{Gateway, SETTLES_AT_ONCE},
    odoo::{Odoo, odoo},
};

/// A call whose names all hold a text that no other run has.
struct Scenario {
    name: &'static str,
    /// A record that is there beforehand, and is to be updated: what it is made of.
    before: Option<fn(&str) -> Value>,
    route: &'static str,
    model: &'static str,
    vals: fn(&str) -> Value,
    census: fn(&str) -> Vec<Count>,
}

/// What is counted: model, domain, the number before the call and after it.
type Count = (&'static str, Value, i64, i64);

fn named(u: &str) -> Value {
    json!([["name", "like", u]])
}

/// Files of this run that belong to a record.
fn tied(u: &str) -> Value {
    json!([["name", "like", u], ["res_id", "!=", 0], ["res_model", "!=", false]])
}

fn file(u: &str, n: u8) -> Value {
    json!({"name": format!("f{n} {u}.txt"), "datas": "SGVsbG8="})
}

const SCENARIOS: [Scenario; 19] = [
    Scenario {
        name: "an atomic list of new records",
        before: None,
        route: "create_data",
        model: "res.partner",
        vals: |u| {
            let payload = json!([{"name": format!("k1 {u}"), "parent_id": {"ref": u}}, {"name": format!("k2 {u}"), "attachment_ids": [file(u, 1)]}, {"name": format!("k3 {u}"), "child_ids": [{"name": format!("kid {u}")}]}]);
            json!({"payload": payload, "atomic": true, "auto_create": {"parent_id": {"name": format!("dad {u}"), "ref": u}}, "result_field": ["name"]})
        },
        census: |u| {
            vec![("res.partner", named(u), 0, 5), ("ir.attachment", named(u), 0, 1), ("ir.attachment", tied(u), 0, 1)]
        },
    },
    Scenario {
        name: "an atomic list with an update",
        before: Some(|u| json!({"name": format!("old {u}"), "ref": u})),
        route: "create_update_data",
        model: "res.partner",
        vals: |u| {
            let payload = json!([{"name": format!("old {u}"), "ref": u, "function": u}, {"name": format!("k1 {u}"), "ref": format!("k1 {u}")}]);
            json!({"payload": payload, "atomic": true, "search_key": ["ref"]})
        },
        census: |u| vec![("res.partner", named(u), 1, 2), ("res.partner", json!([["function", "=", u]]), 0, 1)],
    },
    Scenario {
        name: "a record with an external id",
        before: None,
        route: "create_update_data",
        model: "res.partner",
        vals: |u| json!({"search_key": {"xml_id": format!("shop.{u}")}, "payload": {"name": u}}),
        census: |u| vec![("res.partner", named(u), 0, 1), ("ir.model.data", named(u), 0, 1)],
    },
    Scenario {
        name: "a record",
        before: None,
        route: "create_data",
        model: "res.partner",
        vals: |u| json!({"payload": {"name": u, "country_id": {"code": "TH"}}}),
        census: |u| vec![("res.partner", named(u), 0, 1)],
    },
    Scenario {
        name: "a missing many2one",
        before: None,
        route: "create_data",
        model: "res.partner.category",
        vals: |u| json!({"payload": {"name": format!("kid {u}"), "parent_id": {"name": format!("dad {u}")}}, "auto_create": {"parent_id": {"name": format!("dad {u}")}}}),
        census: |u| vec![("res.partner.category", named(u), 0, 2)],
    },
    Scenario {
        name: "missing many2many records, in the write itself",
        before: None,
        route: "create_data",
        model: "res.partner",
        vals: |u| json!({"payload": {"name": u, "category_id": {"records": [{"name": format!("t1 {u}")}, {"name": format!("t2 {u}")}]}}, "auto_create": {"category_id": [{"name": format!("t1 {u}")}, {"name": format!("t2 {u}")}]}}),
        census: |u| vec![("res.partner", named(u), 0, 1), ("res.partner.category", named(u), 0, 2)],
    },
    Scenario {
        name: "a missing record that needs a missing record",
        before: None,
        route: "create_data",
        model: "res.partner.category",
        vals: |u| {
            let (dad, grandpa) = (format!("dad {u}"), format!("grandpa {u}"));
            let made = json!([{"name": dad, "parent_id": {"name": grandpa}}, {"name": grandpa}]);
            json!({"payload": {"name": format!("kid {u}"), "parent_id": {"name": dad}}, "auto_create": {"parent_id": made}})
        },
        census: |u| vec![("res.partner.category", named(u), 0, 3)],
    },
    Scenario {
        name: "a missing record that two lines share",
        before: None,
        route: "create_data",
        model: "res.partner",
        vals: |u| {
            let tags = json!({"records": [{"name": format!("t {u}")}]});
            let lines = json!([{"name": format!("k1 {u}"), "category_id": tags}, {"name": format!("k2 {u}"), "category_id": tags}]);
            json!({"payload": {"name": u, "child_ids": lines}, "auto_create": {"category_id": {"name": format!("t {u}")}}})
        },
        census: |u| vec![("res.partner", named(u), 0, 3), ("res.partner.category", named(u), 0, 1)],
    },
    Scenario {
        name: "a file on the record",
        before: None,
        route: "create_data",
        model: "res.partner",
        vals: |u| json!({"payload": {"name": u, "attachment_ids": [file(u, 1)]}}),
        census: |u| {
            vec![("res.partner", named(u), 0, 1), ("ir.attachment", named(u), 0, 1), ("ir.attachment", tied(u), 0, 1)]
        },
    },
    Scenario {
        name: "files on the record and on its lines",
        before: None,
        route: "create_data",
        model: "res.partner",
        vals: |u| {
            let lines = json!([{"name": format!("k1 {u}"), "attachment_ids": [file(u, 2)]}, {"name": format!("k2 {u}"), "attachment_ids": [file(u, 3)]}]);
            json!({"payload": {"name": u, "attachment_ids": [file(u, 1)], "child_ids": lines}, "result_field": ["name"]})
        },
        census: |u| {
            vec![("res.partner", named(u), 0, 3), ("ir.attachment", named(u), 0, 3), ("ir.attachment", tied(u), 0, 3)]
        },
    },
    Scenario {
        name: "missing records, lines and files at once",
        before: None,
        route: "create_data",
        model: "res.partner",
        vals: |u| {
            let lines =
                json!([{"name": format!("k {u}"), "country_id": {"code": "BE"}, "attachment_ids": [file(u, 1)]}]);
            let auto = json!({"parent_id": {"name": format!("dad {u}"), "country_id": {"code": "FR"}}});
            json!({"payload": {"name": format!("kid {u}"), "parent_id": {"name": format!("dad {u}")}, "child_ids": lines}, "auto_create": auto})
        },
        census: |u| {
            vec![("res.partner", named(u), 0, 3), ("ir.attachment", named(u), 0, 1), ("ir.attachment", tied(u), 0, 1)]
        },
    },
    Scenario {
        name: "a missing record that is needed by another missing record",
        before: None,
        route: "create_data",
        model: "res.partner",
        vals: |u| {
            let dad = json!({"name": format!("dad {u}"), "category_id": {"records": [{"name": format!("t {u}")}]}});
            let auto = json!({"parent_id": dad, "category_id": {"name": format!("t {u}")}});
            json!({"payload": {"name": format!("kid {u}"), "parent_id": {"name": format!("dad {u}")}}, "auto_create": auto})
        },
        census: |u| vec![("res.partner", named(u), 0, 2), ("res.partner.category", named(u), 0, 1)],
    },
    Scenario {
        name: "a missing record that is made with Odoo's own commands",
        before: None,
        route: "create_data",
        model: "res.partner",
        vals: |u| {
            let auto =
                json!({"parent_id": {"name": format!("dad {u}"), "category_id": [[0, 0, {"name": format!("t {u}")}]]}});
            json!({"payload": {"name": format!("kid {u}"), "parent_id": {"name": format!("dad {u}")}}, "auto_create": auto})
        },
        census: |u| vec![("res.partner", named(u), 0, 2), ("res.partner.category", named(u), 0, 1)],
    },
    Scenario {
        name: "a file on an archived line, and Odoo's own commands",
        before: None,
        route: "create_data",
        model: "res.partner",
        vals: |u| {
            let lines = json!([{"name": format!("k {u}"), "active": false, "attachment_ids": [file(u, 1)]}]);
            json!({"payload": {"name": u, "child_ids": lines, "bank_ids": [[0, 0, {"acc_number": u}]]}})
        },
        census: |u| {
            let archived = json!([["name", "like", u], ["active", "in", [true, false]]]);
            let bank = json!([["acc_number", "=", u]]);
            vec![("res.partner", archived, 0, 2), ("res.partner.bank", bank, 0, 1), ("ir.attachment", tied(u), 0, 1)]
        },
    },
    Scenario {
        name: "an update of lines",
        before: Some(|u| json!({"name": u, "child_ids": [[0, 0, {"name": format!("old {u}")}]]})),
        route: "update_data",
        model: "res.partner.category",
        vals: |u| json!({"search_key": {"name": u}, "payload": {"color": 42, "child_ids": [{"name": format!("new1 {u}")}, {"name": format!("new2 {u}")}]}}),
        census: |u| {
            let like = |what: &str| json!([["name", "=", format!("{what} {u}")]]);
            let colour = json!([["name", "=", u], ["color", "=", 42]]);
            let model = "res.partner.category";
            vec![
                (model, like("old"), 1, 0),
                (model, like("new1"), 0, 1),
                (model, like("new2"), 0, 1),
                (model, colour, 0, 1),
            ]
        },
    },
    Scenario {
        name: "an update with a file",
        before: Some(|u| json!({"name": u})),
        route: "update_data",
        model: "res.partner",
        vals: |u| json!({"search_key": {"name": u}, "payload": {"phone": "9", "attachment_ids": [file(u, 1)]}}),
        census: |u| {
            vec![
                ("res.partner", json!([["name", "=", u], ["phone", "=", "9"]]), 0, 1),
                ("ir.attachment", named(u), 0, 1),
            ]
        },
    },
    Scenario {
        name: "an update of lines with files and a missing record",
        before: Some(|u| json!({"name": u, "child_ids": [[0, 0, {"name": format!("old {u}")}]]})),
        route: "update_data",
        model: "res.partner",
        vals: |u| {
            let line = json!({"name": format!("new {u}"), "attachment_ids": [file(u, 1)]});
            let auto = json!({"parent_id": {"name": format!("dad {u}")}});
            json!({"search_key": {"name": u}, "payload": {"parent_id": {"name": format!("dad {u}")}, "child_ids": [line]}, "auto_create": auto})
        },
        census: |u| {
            let like = |what: &str| json!([["name", "=", format!("{what} {u}")]]);
            let model = "res.partner";
            vec![
                (model, like("old"), 1, 0),
                (model, like("new"), 0, 1),
                (model, like("dad"), 0, 1),
                ("ir.attachment", named(u), 0, 1),
                ("ir.attachment", tied(u), 0, 1),
            ]
        },
    },
    Scenario {
        name: "an upsert that creates, with a missing record",
        before: None,
        route: "create_update_data",
        model: "res.partner",
        vals: |u| json!({"search_key": {"ref": u}, "payload": {"name": u, "ref": u, "parent_id": {"name": format!("dad {u}")}}, "auto_create": {"parent_id": {"name": format!("dad {u}")}}, "result_field": ["ref"]}),
        census: |u| vec![("res.partner", named(u), 0, 2)],
    },
    Scenario {
        name: "an upsert that updates",
        before: Some(|u| json!({"name": u, "ref": u})),
        route: "create_update_data",
        model: "res.partner",
        vals: |u| json!({"search_key": {"ref": u}, "payload": {"phone": "7", "country_id": {"code": "TH"}}}),
        census: |u| {
            vec![("res.partner", json!([["ref", "=", u], ["phone", "=", "7"], ["country_id.code", "=", "TH"]]), 0, 1)]
        },
    },
];

pub(crate) const FAULTS: [(&str, Fault); 5] = [
    ("refused", Fault::Refuse),
    ("reset before", Fault::ResetBefore),
    ("reset after", Fault::ResetAfter),
    ("502", Fault::BadGateway),
    ("half a reply", Fault::CutReply),
];

/// How a call ended, in Odoo's own eyes and in the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Everything,
    Nothing,
    Said,
    HalfAndNotSaid,
}

struct Bench<'b> {
    odoo: &'b Odoo,
    proxy: FaultProxy,
    gateway: Gateway,
    client: Client,
}

impl Bench<'_> {
    /// Makes the scenario's call under a script and looks at what is in Odoo afterwards.
    async fn run(
        &self,
        scenario: &Scenario,
        script: impl Fn(usize, &str) -> Fault + Send + Sync + 'static,
    ) -> (End, String) {
        let u = format!("u{}", uuid::Uuid::new_v4().simple());
        if let Some(before) = scenario.before {
            self.odoo.create(scenario.model, before(&u)).await;
        }
        self.proxy.run(script);
        let body = json!({"model": scenario.model, "vals": (scenario.vals)(&u)});
        let answer = self.client.post(scenario.route, body.to_string()).await.json;
        let (mut is_nothing, mut is_everything, mut changed) = (true, true, Vec::new());
        for (model, domain, before, after) in (scenario.census)(&u) {
            let count = self.odoo.search_count(model, domain).await.as_i64().unwrap();
            is_nothing &= count == before;
            is_everything &= count == after;
            if count != before {
                changed.push(model);
            }
        }
        let is_success = answer["result"]["is_success"] == json!(true);
        let error = if answer.get("error").is_some() { &answer["error"]["data"] } else { &answer["result"]["error"] };
        let left = || error["left"].as_array().into_iter().flatten();
        let with = left().flat_map(|left| left["with"].as_array().into_iter().flatten());
        let left: Vec<&str> = left().map(|left| &left["model"]).chain(with).filter_map(Value::as_str).collect();
        let end = match (is_success, is_everything, is_nothing) {
            (true, true, _) => End::Everything,
            (false, _, true) => End::Nothing,
            // Whatever has changed must be named.
            (false, _, false) if changed.iter().all(|model| left.contains(model)) && error["retry"] == "unsafe" => {
                End::Said
            }
            _ => End::HalfAndNotSaid,
        };
        (end, answer.to_string())
    }
}

async fn bench() -> Bench<'static> {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    // What is repeated would not fail; here every failure must come to its end.
    let gateway = Gateway::before(&proxy.url, &odoo.database, &format!("retries = 0\n{SETTLES_AT_ONCE}"));
    let client = Client::with_session(&gateway).await;
    Bench { odoo, proxy, gateway, client }
}

#[tokio::test]
async fn every_failure_of_every_rpc_leaves_everything_nothing_or_what_is_said() {
    let bench = bench().await;
    let mut table = String::from(
        "\n| payload | RPCs | runs | everything | nothing | said | half-written and not said |\n| --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let mut bad = Vec::new();
    for scenario in &SCENARIOS {
        // The first run fills the memory of schemas, the second shows the RPCs that a call makes then.
        for _ in 0..2 {
            let (end, answer) = bench.run(scenario, |_, _| Fault::Pass).await;
            assert_eq!(end, End::Everything, "{}: {answer}", scenario.name);
        }
        let rpcs = bench.proxy.seen();
        let mut ends: BTreeMap<End, usize> = BTreeMap::new();
        for (k, rpc) in rpcs.iter().enumerate() {
            for (name, fault) in FAULTS {
                let (end, answer) =
                    bench.run(scenario, move |n, _| if n == k { fault.clone() } else { Fault::Pass }).await;
                *ends.entry(end).or_default() += 1;
                if end == End::HalfAndNotSaid {
                    bad.push(format!("{}, {name} at {} ({k}): {answer}", scenario.name, rpc));
                }
            }
            // Odoo is gone from here on, so that nothing can be undone.
            let (end, answer) =
                bench.run(scenario, move |n, _| if n >= k { Fault::ResetAfter } else { Fault::Pass }).await;
            *ends.entry(end).or_default() += 1;
            if end == End::HalfAndNotSaid {
                bad.push(format!("{}, gone after {} ({k}): {answer}", scenario.name, rpc));
            }
        }
        let count = |end| ends.get(&end).copied().unwrap_or_default();
        table += &format!(
            "| {} | {} | {} | {} | {} | {} | {} |\n",
            scenario.name,
            rpcs.len(),
            ends.values().sum::<usize>(),
            count(End::Everything),
            count(End::Nothing),
            count(End::Said),
            count(End::HalfAndNotSaid)
        );
    }
    // Past the test runner's capture: the table is what this test is for.
    std::io::stderr().write_all(table.as_bytes()).unwrap();
    assert!(bad.is_empty(), "half-written and not said:\n{}", bad.join("\n"));
    assert!(bench.gateway.log().iter().all(|line| line["state"].is_string()));
}
