//! What `packaging/monitoring` asks for is told, and all that is told is shown or watched.

use std::{collections::BTreeSet, path::Path, time::Duration};

use serde_json::Value;

use super::*;

/// The families of metrics that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
    let words = text.split(|c| !is_part(c));
    let names = words.filter(|word| word.starts_with("odoo_gateway_") || word.starts_with("process_"));
    let family = |name: &str| {
        let parts = ["_bucket", "_sum", "_count"].into_iter().find_map(|part| name.strip_suffix(part));
        parts.filter(|family| family.ends_with("_seconds")).unwrap_or(name).to_owned()
    };
    names.map(family).collect()
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

/// Metrics of which each has a sample.
fn with_all() -> Metrics {
    let (metrics, took) = (Metrics::default(), Duration::from_millis(5));
    let client = Some("shop");
    metrics.call(EndedCall { route: "create_data", state: DONE, code: None, client, took });
    metrics.passed(200, None, took);
    metrics.odoo(ANSWERED, took);
    metrics.shared("create");
    metrics.limited("requests");
    metrics.reloaded(true);
    metrics.queue.attempt("done");
    metrics.queue.stop("client_account");
    metrics.queue.callback("told");
    metrics.queue.claim(took);
    metrics.queue.store(true);
    metrics.queue.found(vec![Found { client: "shop".to_owned(), ..Found::default() }]);
    metrics.deliveries.count("orders", "shop", Delivered::Done);
    metrics.watch(|watched| {
        watched.certificates.insert("tls.certificate", 1);
        watched.odoo_keys.insert("shop".to_owned(), 1);
        watched.clients.insert("shop".to_owned(), 1);
    });
    metrics
}

#[test]
fn rules_and_dashboard_ask_for_what_is_told_and_for_all_of_it() {
    let text = with_all().render(Reading::default(), Form::Text);
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let told: BTreeSet<String> = types.map(str::to_owned).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/monitoring");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let mut asked = vec![read("alerts.yaml")];
    expressions(&serde_json::from_str(&read("dashboard.json")).unwrap(), &mut asked);
    assert!(asked.len() > 50, "{}", asked.len());
    // What a sentence of a rule advises to look at counts, too.
    let wanted = named(&asked.join("\n"));
    let missing: Vec<_> = wanted.difference(&told).collect();
    assert!(missing.is_empty(), "asked for and not told: {missing:?}");
    let mut unseen: Vec<_> = told.difference(&wanted).map(String::as_str).collect();
    unseen.retain(|name| *name != "process_virtual_memory_bytes" && *name != "odoo_gateway_build_info");
    assert!(unseen.is_empty(), "told, and neither shown nor watched: {unseen:?}");
}
