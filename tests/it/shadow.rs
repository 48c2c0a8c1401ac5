//! `odoo-gateway shadow`. The addon's part is played by another gateway, which answers as it does, behind a proxy that counts what
//! comes to it.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::{
    client::Client,
    fault::FaultProxy,
    gateway::Gateway,
    odoo::{Odoo, odoo},
};

struct Both {
    odoo: &'static Odoo,
    gateway: Gateway,
    _addon: Gateway,
    front: FaultProxy,
    folder: TempDir,
}

impl Both {
    async fn start(addon: &str) -> Self {
        let odoo = odoo().await;
        let addon = Gateway::before(&odoo.url, &odoo.database, addon);
        let mut place = odoo.clone();
        place.url.clone_from(&addon.url);
        let front = FaultProxy::before(&place).await;
        let gateway = Gateway::before(&odoo.url, &odoo.database, "");
        Self { odoo, gateway, _addon: addon, front, folder: tempfile::tempdir().unwrap() }
    }

    fn shadow(&self, more: &[&str]) -> (Option<i32>, String, String) {
        let secret = self.file("secret", &format!("{}\n", self.odoo.password));
        let args = ["shadow", "--addon", &self.front.url, "--login", &self.odoo.login, "--secret-file", &secret];
        self.gateway.run(&[&args[..], &["--rate", "1000/s"], more].concat())
    }

    fn file(&self, name: &str, content: &str) -> String {
        let file = self.folder.path().join(name);
        fs::write(&file, content).unwrap();
        file.to_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_reads_are_answered_alike_and_no_write_reaches_the_addon() {
    let both = Both::start("").await;
    let client = Client::with_login(&both.gateway, &both.odoo.login, &both.odoo.key);
    let name = format!("Shadow {}", Uuid::new_v4());
    let made = client.call("create_data", "res.partner", json!({"payload": {"name": name}})).await;
    let id = &made["result"]["id"];
    let search = json!({"payload": {"search_field": ["name", "country_id"], "search_domain": [["id", "=", id]]}});
    for _ in 0..2 {
        client.call("search_data", "res.partner", search.clone()).await;
    }
    let method = |method: &str, parameter: Value| json!({"search_key": {"id": id}, "payload": {"method": method, "parameter": parameter}});
    client.call("call_function", "res.partner", method("read", json!({"fields": ["name"]}))).await;
    client.call("call_function", "res.partner", method("write", json!({"vals": {"phone": "1"}}))).await;
    let typo = json!({"search_key": {"id": id}, "payload": {"phone": "2", "naem": "x"}});
    client.call("update_data", "res.partner", typo).await;
    client.call("delete_data", "res.partner", json!({"search_key": {"ref": name}})).await;
    client.call("create_data", "res.partner", json!({"payload": {"name": name}})).await;

    let (status, out, said) = both.shadow(&["--json"]);
    assert_eq!(status, Some(0), "{out}{said}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["reads"], json!({"compared": 2, "same": 2}), "{report}");
    assert_eq!(report["repeated"], 2, "the search and the new contact: {report}");
    let writes = &report["writes"];
    assert_eq!((&writes["compared"], &writes["calls"]), (&json!(0), &json!({"create": 1, "write": 2})), "{report}");
    assert_eq!(both.front.requests("/api/search_data"), 1);
    assert_eq!(both.front.requests("/api/call_function"), 1);
    assert_eq!(both.front.requests(" "), 3, "a login and two reads, and nothing else");
    let there = json!([["name", "=", name]]);
    assert_eq!(both.odoo.search_count("res.partner", there).await, json!(2), "the gateway planned alone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_the_addons_log_shows_what_differs_and_what_is_expected_to() {
    let both = Both::start("[compat]\ndialect = \"18.0.1\"").await;
    let logged = |route: &str, vals: Value, state: &str| {
        json!({"function_name": route, "model": "res.partner", "data": vals.to_string(), "state": state}).to_string()
    };
    let read = json!({"search_key": {"id": 1}, "payload": {"method": "read", "parameter": {"fields": ["name"]}}, "is_create_log": true});
    let lost = json!({"payload": {"name": "Lost", "country_id": {"code": "Q9"}}});
    let typo = json!({"payload": {"name": "Shadow of a typo", "naem": "x"}});
    let lines = [
        logged("call_function", read, "done"),
        logged("create_data", lost, "done"),
        logged("create_data", typo, "done"),
        r#"{"function_name": "create_data", "model": "res.partner", "data": "{\"payload\": {\"datas\": \"AAAA"}"#
            .to_owned(),
    ];
    let file = both.file("api-log.jsonl", &lines.join("\n"));
    let (status, out, said) = both.shadow(&["--calls", &file]);
    assert_eq!(status, Some(1), "{out}{said}");
    for part in [
        "1 reads sent to both: 0 answered alike, 1 not",
        "2 writes not compared",
        "1 would be done, 1 would be refused",
        "1 calls left out: `data` of the line is not JSON",
        "✗ 1× call_function res.partner: another message",
        "✗ 1× create_data res.partner: the gateway would refuse it with `no_match`, which the addon did then",
        "expected, docs/differences.md: A field that the model lacks",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert_eq!(both.front.requests("/api/create_data"), 0);
    let (status, _, said) = both.gateway.run(&["shadow", "--addon", &both.front.url]);
    assert_eq!(status, Some(2), "{said}");
}
