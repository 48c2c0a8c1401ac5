//! `packaging/monitoring`: what is there for Prometheus and Grafana is right by Prometheus's own tool, and asks for nothing that the
//! gateway does not tell.

use std::{
    collections::BTreeSet,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::{
    client::{Client, http},
    fault::{Fault, FaultProxy},
    gateway::{Gateway, configuration, new_client, run_in},
    odoo::odoo,
    poll_for,
    tls::Authority,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/monitoring")
}

/// Runs promtool in the folder; gives whether it ended well, and all that it said.
fn promtool(args: &[&str], input: &str) -> (bool, String) {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    assert!(Command::new(programs).arg("promtool").status().unwrap().success());
    let mut command = Command::new("promtool");
    command.args(args).current_dir(folder()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[tokio::test]
async fn what_a_gateway_tells_is_right_by_prometheus() {
    let odoo = odoo().await;
    let (key, entry) = new_client("shop");
    let authority = Authority::new();
    let more = format!(
        "ca = \"{}\"\n{entry}expires = \"2099-12-31\"\nodoo_login = \"{}\"\nodoo_key_env = \"SHOP_KEY\"\n\
         models = {{ allow = [\"*\"] }}\n",
        authority.root().display(),
        odoo.login
    );
    let gateway = Gateway::before_with(&odoo.url, &odoo.database, &more, &[("SHOP_KEY", &odoo.key)]);
    let client = Client::with_header(&gateway, "x-api-key", &key);
    client.call("search_data", "res.country", json!({"payload": {"limit": 1}})).await;
    client.call("search_data", "no.such.model", json!({"payload": {}})).await;
    // The log and the database are looked at once the gateway is up.
    let looked_at = ["odoo_gateway_log_in_doubt_calls", "odoo_gateway_database_up"];
    poll_for(async || {
        let series = gateway.metrics().await;
        looked_at.iter().all(|name| series.contains_key(*name))
    })
    .await;
    let text = http().get(format!("{}/metrics", gateway.admin)).send().await.unwrap().text().await.unwrap();

    let (is_right, said) = promtool(&["check", "metrics"], &text);
    assert!(is_right && said.trim().is_empty(), "{said}");

    // That rules and dashboard name nothing else, a unit test says (`metrics::tests`).
    let series = gateway.metrics().await;
    let value = |name: &str| series.get(name).copied().unwrap_or_default();
    assert_eq!(value("odoo_gateway_database_up"), 1.0);
    assert_eq!(value("odoo_gateway_client_calls_total{client=\"shop\",state=\"done\"}"), 1.0, "{series:#?}");
    assert_eq!(value("odoo_gateway_client_expiry_timestamp_seconds{client=\"shop\"}"), 4_102_444_800.0);
    assert!(value("odoo_gateway_certificate_expiry_timestamp_seconds{certificate=\"upstream.ca\"}") > 1.7e9);
    assert!(value("odoo_gateway_last_success_timestamp_seconds{route=\"search_data\"}") > 1.7e9);
    assert!(value("process_cpu_seconds_total") > 0.0 && value("process_resident_memory_bytes") > 1e6);
    assert!(value("process_open_fds") > 5.0 && value("process_max_fds") > value("process_open_fds"));
    assert!(value("odoo_gateway_log_size_bytes") > 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_warns_of_a_key_that_expires_in_odoo_soon() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    // The keys of the user are those that Odoo tells of; only the end of each is another.
    let answer = |_: &Value, answer: &mut Value| {
        let keys = if answer.is_array() { answer } else { &mut answer["result"] };
        let end = Timestamp::now() + SignedDuration::from_hours(5 * 24 + 1);
        for key in keys.as_array_mut().into_iter().flatten().filter(|key| key.get("expiration_date").is_some()) {
            key["expiration_date"] = json!(end.strftime("%Y-%m-%d %H:%M:%S").to_string());
        }
    };
    proxy.run(move |_, rpc| match rpc {
        "res.users.apikeys/search_read" => Fault::Edit { ask: |_| None, answer },
        _ => Fault::Pass,
    });
    let (_, entry) = new_client("shop");
    let more = format!("{entry}odoo_login = \"{}\"\nodoo_key_file = \"shop.key\"\n", odoo.login);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("gateway.toml"), configuration(&proxy.url, &odoo.database, &more)).unwrap();
    std::fs::write(folder.path().join("shop.key"), &odoo.key).unwrap();
    let home = folder.path().to_owned();
    let (_, out, said) = tokio::task::spawn_blocking(move || run_in(&home, &["check"])).await.unwrap();
    assert!(out.contains("the API key of `shop` in Odoo expires in 5 days"), "{out}{said}");
}

#[test]
fn every_alert_fires_and_is_quiet_where_it_should() {
    let (is_right, said) = promtool(&["check", "rules", "alerts.yaml"], "");
    assert!(is_right, "{said}");
    let (is_right, said) = promtool(&["check", "config", "prometheus.yaml"], "");
    assert!(is_right, "{said}");
    let (is_right, said) = promtool(&["test", "rules", "alerts.test.yaml"], "");
    assert!(is_right, "{said}");
    let read = |name: &str| std::fs::read_to_string(folder().join(name)).unwrap();
    let (alerts, tests) = (read("alerts.yaml"), read("alerts.test.yaml"));
    let pages = std::fs::read_to_string(folder().join("../../docs/operations.md")).unwrap();
    let headings: BTreeSet<String> = pages
        .lines()
        .filter_map(|line| line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")))
        .map(|heading| heading.to_lowercase().replace(' ', "-").replace(['`', ',', '\''], ""))
        .collect();
    for alert in alerts.split("- alert: ").skip(1) {
        let name = alert.lines().next().unwrap();
        assert_eq!(tests.matches(&format!("alertname=\"{name}\"")).count(), 2, "{name} is tried both ways");
        for part in ["summary:", "description:", "runbook_url:", "severity:"] {
            assert!(alert.contains(part), "{name} has no {part}");
        }
        let anchor = alert.split("docs/operations.md#").nth(1).unwrap().split('"').next().unwrap();
        assert!(headings.contains(anchor), "{name}: docs/operations.md has no heading for #{anchor}");
    }
}
