//! A plan in a few lines: what was looked up, and what is written, in words.

use std::fmt::Write;

use serde_json::{Map, Value};

use crate::cli::terminal::{cut, plain};

/// So many values of a record are named, and so many signs of each.
const VALUES: usize = 6;
const SIGNS: usize = 28;
/// So many records of one call are named.
const RECORDS: usize = 3;

/// Lookups and writes, a line each.
pub(in crate::cli) fn in_words(plan: &Value) -> Vec<String> {
    let calls = plan["calls"].as_array().into_iter().flatten();
    lookups(plan).into_iter().chain(calls.flat_map(call_in_words)).collect()
}

pub(in crate::cli) fn lookups(plan: &Value) -> Vec<String> {
    let found = plan["lookups"].as_array().into_iter().flatten().map(|lookup| {
        let ids = lookup["ids"].as_array().map(Vec::as_slice).unwrap_or_default();
        let found = if ids.is_empty() { "nothing".to_owned() } else { listed(ids) };
        let [model, field] = [text(&lookup["model"]), text(&lookup["field"])];
        plain(&format!("look up {model} by {field} {}: {found}", value(&lookup["value"]))).into_owned()
    });
    found.collect()
}

fn call_in_words(rpc: &Value) -> Vec<String> {
    let (model, method, args) = (text(&rpc["model"]), text(&rpc["method"]), &rpc["args"]);
    let ids = rpc["ids"].as_array().map(|ids| listed(ids)).unwrap_or_default();
    let note = rpc["note"].as_str().or(rpc["undo"].as_str()).map(|note| format!(" ({note})")).unwrap_or_default();
    let lines = match (&*method, &args["vals_list"], &args["vals"]) {
        ("create", Value::Array(records), _) if records.len() > 1 => {
            let shown = records.iter().take(RECORDS).map(|record| format!("  {}", values(record)));
            let more = records.len().saturating_sub(RECORDS);
            let more = (more > 0).then(|| format!("  … and {more} more"));
            [format!("create  {} records of {model}{note}", records.len())]
                .into_iter()
                .chain(shown)
                .chain(more)
                .collect()
        }
        ("web_save_multi", Value::Array(records), _) => {
            let fields = records.first().map(values).unwrap_or_default();
            vec![format!("update  {} records of {model} {ids}: {fields}{note}", records.len())]
        }
        ("create", records, _) => vec![format!("create  {model}: {}{note}", values(&records[0]))],
        ("write" | "web_save", _, vals) if ids.is_empty() => vec![format!("create  {model}: {}{note}", values(vals))],
        ("write" | "web_save", _, vals) => vec![format!("update  {model} {ids}: {}{note}", values(vals))],
        ("unlink", ..) => vec![format!("delete  {model} {ids}{note}")],
        _ => vec![format!("call    {}{note}", rpc_name(rpc))],
    };
    lines.iter().map(|line| plain(line.trim_end()).into_owned()).collect()
}

/// The fields of a record with their values, as far as there is room.
fn values(record: &Value) -> String {
    let fields = record.as_object().map(Map::len).unwrap_or_default();
    let named = record.as_object().into_iter().flatten().take(VALUES);
    let mut named: Vec<String> = named.map(|(field, of)| format!("{field} = {}", value(of))).collect();
    if fields > VALUES {
        named.push(format!("and {} more", fields - VALUES));
    }
    named.join(", ")
}

/// A value in few signs. Lines of a record are counted.
fn value(of: &Value) -> String {
    match of {
        Value::Array(lines) if lines.iter().any(Value::is_array) => {
            format!("{} line{}", lines.len(), if lines.len() == 1 { "" } else { "s" })
        }
        other => cut(&other.to_string(), SIGNS),
    }
}

fn listed(ids: &[Value]) -> String {
    const SHOWN: usize = 6;
    let mut shown: Vec<String> = ids.iter().take(SHOWN).map(text).collect();
    if ids.len() > SHOWN {
        shown.push(format!("and {} more", ids.len() - SHOWN));
    }
    shown.join(", ")
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// An RPC without its arguments: `model.method 17, 18 (3 records)`.
pub(in crate::cli) fn rpc_name(rpc: &Value) -> String {
    let mut words = format!("{}.{}", text(&rpc["model"]), text(&rpc["method"]));
    if let Some(ids) = rpc["ids"].as_array() {
        let _ = write!(words, " {}", listed(ids));
    }
    if let Some(records) = rpc["records"].as_array() {
        let _ = write!(words, " → {}", listed(records));
    }
    if let Some(batch) = rpc["batch"].as_u64() {
        let _ = write!(words, " (in one call with those of {} others)", batch.saturating_sub(1));
    }
    plain(&words).into_owned()
}

/// An RPC as it would be called: `model.method(ids) {arguments}`.
pub(in crate::cli) fn rpc_words(rpc: &Value) -> String {
    let mut words = format!("{}.{}", text(&rpc["model"]), text(&rpc["method"]));
    if rpc["ids"].is_array() {
        words += &format!(" {}", rpc["ids"]);
    }
    for member in ["args", "context", "undo", "note", "records"] {
        match &rpc[member] {
            Value::Null => {}
            Value::String(told) => words += &format!(" ({told})"),
            value if member == "args" => words += &format!(" {value}"),
            value => words += &format!(" {member} {value}"),
        }
    }
    plain(&words).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plan_is_told_in_a_line_for_each_lookup_and_write() {
        let plan = json!({
            "lookups": [
                {"model": "res.country", "field": "code", "value": "BE", "ids": [20]},
                {"model": "res.partner", "field": "ref", "value": "C-1", "ids": []},
            ],
            "calls": [
                {"model": "res.partner", "method": "create", "args": {"vals_list": [{"ref": "C-1"}]}, "undo": "deleted again"},
                {"model": "sale.order", "method": "create", "args": {"vals_list": [
                    {"partner_id": "<id from call 1>", "order_line": [[0, 0, {"name": "a"}], [0, 0, {"name": "b"}]]},
                ]}},
                {"model": "sale.order", "method": "write", "ids": [17], "args": {"vals": {"note": "x"}}},
                {"model": "sale.order", "method": "action_confirm", "ids": [17]},
                {"model": "res.partner", "method": "unlink", "ids": [1, 2]},
            ],
        });
        let expected = [
            "look up res.country by code \"BE\": 20",
            "look up res.partner by ref \"C-1\": nothing",
            "create  res.partner: ref = \"C-1\" (deleted again)",
            "create  sale.order: partner_id = \"<id from call 1>\", order_line = 2 lines",
            "update  sale.order 17: note = \"x\"",
            "call    sale.order.action_confirm 17",
            "delete  res.partner 1, 2",
        ];
        assert_eq!(in_words(&plan), expected);
    }

    #[test]
    fn many_records_and_long_values_are_shortened() {
        let record = json!({"a": "x".repeat(90), "b": 1, "c": 1, "d": 1, "e": 1, "f": 1, "g": 1});
        let plan = json!({"calls": [{"model": "m", "method": "create", "args": {"vals_list": vec![record; 5]}}]});
        let words = in_words(&plan);
        assert_eq!((words.len(), &*words[0], &*words[4]), (5, "create  5 records of m", "  … and 2 more"));
        assert!(words[1].ends_with("xxx…, b = 1, c = 1, d = 1, e = 1, f = 1, and 1 more"), "{words:?}");
    }
}
