//! `packaging/monitoring`: what is there for Prometheus and Grafana is right by Prometheus's own tool, and asks for nothing that the
//! gateway does not tell.

use std::{
    collections::BTreeSet,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use jiff::{SignedDuration, Timestamp};
use regex::Regex;
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

/// The families of metrics that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let name = Regex::new(r"\b(odoo_gateway|process)_[a-z_]+[a-z]").unwrap();
    let of_histogram = Regex::new("_seconds_(bucket|sum|count)$").unwrap();
    name.find_iter(text).map(|name| of_histogram.replace(name.as_str(), "_seconds").into_owned()).collect()
}

/// The expressions of a dashboard.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            found.extend(entries.get("expr").and_then(Value::as_str).map(str::to_owned));
            entries.values().for_each(|value| expressions(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn rules_and_dashboard_ask_for_what_a_gateway_tells() {
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
    // The log is looked at once the gateway is up.
    poll_for(async || gateway.metrics().await.contains_key("odoo_gateway_log_in_doubt_calls")).await;
    let text = http().get(format!("{}/metrics", gateway.admin)).send().await.unwrap().text().await.unwrap();

    let (is_right, said) = promtool(&["check", "metrics"], &text);
    assert!(is_right && said.trim().is_empty(), "{said}");

    let told: BTreeSet<String> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).map(str::to_owned).collect();
    let read = |name: &str| std::fs::read_to_string(folder().join(name)).unwrap();
    let alerts = read("alerts.yaml");
    let mut asked = Vec::new();
    expressions(&serde_json::from_str(&read("dashboard.json")).unwrap(), &mut asked);
    assert!(asked.len() > 50, "{}", asked.len());
    let wanted: BTreeSet<String> = named(&alerts).into_iter().chain(named(&asked.join("\n"))).collect();
    let missing: Vec<_> = wanted.difference(&told).collect();
    assert!(missing.is_empty(), "asked for and not told: {missing:?}");
    // Whatever is told is shown or watched.
    let unseen: Vec<_> = told.difference(&wanted).collect();
    assert_eq!(unseen, ["process_virtual_memory_bytes"]);

    let series = gateway.metrics().await;
    let value = |name: &str| series.get(name).copied().unwrap_or_default();
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
    assert!(out.contains("`shop`: its API key in Odoo expires in 5 days"), "{out}{said}");
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
        assert_eq!(tests.matches(&format!("alertname=\\\"{name}\\\"")).count(), 2, "{name} is tried both ways");
        for part in ["summary:", "description:", "runbook_url:", "severity:"] {
            assert!(alert.contains(part), "{name} has no {part}");
        }
        let anchor = alert.split("docs/operations.md#").nth(1).unwrap().split('"').next().unwrap();
        assert!(headings.contains(anchor), "{name}: docs/operations.md has no heading for #{anchor}");
    }
}
