//! The plan of a call in words, and what was called in Odoo on one time line.

use serde_json::{Map, Value};

use super::{
    super::{
        calls::records::{OdooLinks, RecordLink},
        words::{cut, plain},
    },
    large::{Large, Shown},
};
use crate::web::show;

/// So many steps of one kind are shown, until a person asks for the whole page.
const STEPS: usize = 200;
/// So many ids are named in a sentence.
const IDS: usize = 5;
/// So many characters of a value that was looked up are shown.
const VALUE: usize = 120;
/// The width of the time line, in parts.
const WIDTH: f64 = 1000.0;

/// A lookup of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lookup {
    pub(super) words: String,
    pub(super) found: Vec<RecordLink>,
}

/// A call that the plan has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) words: String,
    pub(super) note: String,
    pub(super) detail: Option<Large>,
}

/// A call that Odoo has answered, or not.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Made {
    pub(super) words: String,
    pub(super) method: String,
    pub(super) took: String,
    /// When it began, from the beginning of the call on.
    pub(super) at: String,
    /// The bar's beginning and width, in parts of 1000.
    pub(super) bar: (u32, u32),
    pub(super) error: String,
    pub(super) message: String,
    pub(super) note: String,
    pub(super) records: Vec<RecordLink>,
    pub(super) detail: Option<Large>,
    pub(super) traceback: Option<Large>,
}

/// Of many, those that are shown, and how many are not.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part<T> {
    pub(super) shown: Vec<T>,
    pub(super) more: usize,
}

fn part<T>(values: &Value, shown: Shown, each: impl FnMut((usize, &Value)) -> T) -> Part<T> {
    let all = values.as_array().map(Vec::as_slice).unwrap_or_default();
    let most = if shown == Shown::All { all.len() } else { STEPS };
    Part { shown: all.iter().take(most).enumerate().map(each).collect(), more: all.len().saturating_sub(most) }
}

pub(super) fn lookups(plan: &Value, links: &OdooLinks, shown: Shown) -> Part<Lookup> {
    part(&plan["lookups"], shown, |(_, lookup)| {
        let model = text(lookup, "model");
        let value = match &lookup["value"] {
            Value::String(value) => format!("“{value}”"),
            value => value.to_string(),
        };
        let words = format!("{model} with {} {}", text(lookup, "field"), cut(&value, VALUE));
        let ids = lookup["ids"].as_array().into_iter().flatten().filter_map(Value::as_i64);
        Lookup {
            words: plain(&words).into_owned(),
            found: ids.take(IDS).map(|id| links.record(model, model, id)).collect(),
        }
    })
}

pub(super) fn planned(plan: &Value, shown: Shown) -> Part<Step> {
    part(&plan["calls"], shown, |(number, rpc)| Step {
        words: plain(&sentence(rpc)).into_owned(),
        note: plain(&[text(rpc, "note"), text(rpc, "undo")].join(" ")).trim().to_owned(),
        detail: detail(format!("plan-{number}"), rpc, shown),
    })
}

/// What was called, on a line as long as the call took.
pub(super) fn made(odoo: &Value, took: f64, links: &OdooLinks, shown: Shown) -> Part<Made> {
    // Lines of earlier versions do not have when a call began: one came after another then.
    let mut before = 0.0;
    let all = odoo.as_array().map(Vec::as_slice).unwrap_or_default();
    let ends = all.iter().map(|rpc| number(rpc, "at") + number(rpc, "ms"));
    let whole = ends.fold(took, f64::max).max(0.001);
    part(odoo, shown, |(place, rpc)| {
        let ms = number(rpc, "ms");
        let at = rpc["at"].as_f64().unwrap_or(before);
        before = at + ms;
        let model = text(rpc, "model");
        let ids = rpc["records"].as_array().into_iter().flatten().filter_map(Value::as_i64);
        Made {
            words: plain(&sentence(rpc)).into_owned(),
            method: plain(&format!("{model}.{}", text(rpc, "method"))).into_owned(),
            took: show::milliseconds(&ms),
            at: show::milliseconds(&at),
            bar: bar(at, ms, whole),
            error: plain(text(rpc, "error")).into_owned(),
            message: plain(text(rpc, "message")).into_owned(),
            note: note(rpc),
            records: ids.take(IDS).map(|id| links.record(model, model, id)).collect(),
            detail: detail(format!("odoo-{place}"), rpc, shown),
            traceback: Large::text(format!("traceback-{place}"), text(rpc, "traceback"), shown),
        }
    })
}

/// Where a bar begins and how wide it is: wide enough to be seen, and within the line.
fn bar(at: f64, ms: f64, whole: f64) -> (u32, u32) {
    let share = |ms: f64| (ms / whole * WIDTH).clamp(0.0, WIDTH).round();
    let width = share(ms).max(4.0);
    let begin = share(at).min(WIDTH - width);
    // Both are between 0 and 1000.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped above")]
    (begin as u32, width as u32)
}

fn note(rpc: &Value) -> String {
    let mut notes = Vec::new();
    if let Some(batch) = rpc["batch"].as_u64().filter(|batch| *batch > 1) {
        notes.push(format!("one call to Odoo for {batch} calls"));
    }
    if rpc["refused"] == true {
        notes.push("refused together; each was made by itself after that".to_owned());
    }
    notes.join(", ")
}

/// What a person would say that a method does.
fn sentence(rpc: &Value) -> String {
    let (model, method) = (text(rpc, "model"), text(rpc, "method"));
    let ids = rpc["ids"].as_array().map(Vec::as_slice).unwrap_or_default();
    let on = match ids {
        [] => model.to_owned(),
        [id] => format!("{model} {}", plain_id(id)),
        ids => {
            let named: Vec<String> = ids.iter().take(IDS).map(plain_id).collect();
            let more = ids.len().saturating_sub(IDS);
            let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("{model} {}{rest}", named.join(", "))
        }
    };
    match method {
        "create" => format!("Create {on}"),
        "web_save" if ids.is_empty() => format!("Create {on}"),
        "write" | "web_save" => format!("Update {on}"),
        "unlink" => format!("Delete {on}"),
        "search" | "search_read" | "web_search_read" | "name_search" => format!("Search {on}"),
        "search_count" => format!("Count {on}"),
        "read" | "web_read" => format!("Read {on}"),
        "fields_get" => format!("Read the fields of {on}"),
        "authenticate" => "Log in".to_owned(),
        "get_session_info" | "context_get" => "Ask who the user is".to_owned(),
        "update_field_translations" => format!("Translate {on}"),
        method => format!("Call {method} on {on}"),
    }
}

fn plain_id(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

/// Arguments and context.
fn detail(id: String, rpc: &Value, shown: Shown) -> Option<Large> {
    let members = ["args", "context"].into_iter().filter_map(|member| Some((member, rpc.get(member)?)));
    let detail: Map<String, Value> = members.map(|(member, value)| (member.to_owned(), value.clone())).collect();
    if detail.is_empty() { None } else { Large::json(id, &Value::Object(detail), shown) }
}

fn text<'v>(of: &'v Value, member: &str) -> &'v str {
    of[member].as_str().unwrap_or_default()
}

fn number(of: &Value, member: &str) -> f64 {
    of[member].as_f64().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bars_stand_where_calls_began_and_one_after_another_where_that_is_not_known() {
        assert_eq!(bar(50.0, 25.0, 100.0), (500, 250));
        // Wide enough to be seen, and within the line.
        assert_eq!((bar(100.0, 0.0, 100.0), bar(-5.0, 300.0, 100.0)), ((996, 4), (0, 1000)));
        let links = OdooLinks::none();
        let known = json!([{"at": 10.0, "ms": 20.0}, {"at": 12.0, "ms": 88.0}]);
        let bars =
            |odoo: &Value| made(odoo, 50.0, &links, Shown::All).shown.iter().map(|made| made.bar).collect::<Vec<_>>();
        assert_eq!(bars(&known), [(100, 200), (120, 880)]);
        assert_eq!(bars(&json!([{"ms": 10.0}, {"ms": 40.0}])), [(0, 200), (200, 800)]);
        assert!(bars(&Value::Null).is_empty());
    }

    #[test]
    fn a_step_is_told_in_words() {
        let words = |rpc: Value| sentence(&rpc);
        assert_eq!(words(json!({"model": "res.partner", "method": "create", "args": {}})), "Create res.partner");
        assert_eq!(words(json!({"model": "res.partner", "method": "web_save", "ids": [7]})), "Update res.partner 7");
        assert_eq!(
            words(json!({"model": "sale.order", "method": "action_confirm", "ids": [1, 2, 3, 4, 5, 6]})),
            "Call action_confirm on sale.order 1, 2, 3, 4, 5 and 1 more"
        );
        let plan = json!({
            "lookups": [{"model": "res.country", "field": "code", "value": "B\u{202e}E", "ids": [21]}],
            "calls": [{"model": "res.partner", "method": "create", "note": "as <id from call 1>", "args": {"a": 1}}]
        });
        let lookups = lookups(&plan, &OdooLinks::none(), Shown::Beginning);
        assert_eq!(lookups.shown[0].words, "res.country with code “B\\u{202e}E”");
        assert_eq!(lookups.shown[0].found[0].words, "21");
        let planned = planned(&plan, Shown::Beginning);
        assert_eq!((planned.shown[0].note.as_str(), planned.more), ("as <id from call 1>", 0));
        assert!(planned.shown[0].detail.as_ref().unwrap().text.contains("\"a\": 1"));
    }
}
