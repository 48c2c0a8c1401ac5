//! What came of it, counted and grouped: alike differences are one group with one example.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    compare::{Difference, Kind},
    expected,
    recorded::Recorded,
};
use crate::route::Route;

/// Longer texts are cut to this number of characters.
const SHOWN: usize = 200;

/// What came of the calls.
#[derive(Debug, Default)]
pub struct Report {
    /// Reads that both were asked, and how many of them were answered alike.
    pub compared: usize,
    pub same: usize,
    pub writes: Writes,
    /// Calls that ask for the same as an earlier one.
    pub repeated: usize,
    /// Calls that were not asked, by the reason.
    pub left_out: BTreeMap<String, usize>,
    groups: BTreeMap<Key, Group>,
}

/// Writes, which the gateway has planned and nobody has made.
#[derive(Debug, Default)]
pub struct Writes {
    pub would_be_done: usize,
    pub would_be_refused: usize,
    /// What would be done: lookups, and calls by their method.
    pub lookups: usize,
    pub calls: BTreeMap<String, usize>,
}

/// What a group of alike differences means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Unexpected,
    /// Of a write, about which nothing of the addon is known.
    Note,
    /// By this row of docs/differences.md.
    Expected(&'static str),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    verdict: Verdict,
    route: Route,
    model: String,
    what: String,
}

/// Alike differences.
#[derive(Debug)]
pub struct Group {
    key: Key,
    pub count: usize,
    /// The first call that has it, and both sides of it.
    pub example: String,
    pub addon: String,
    pub gateway: String,
}

impl Group {
    pub fn route(&self) -> Route {
        self.key.route
    }

    pub fn model(&self) -> &str {
        &self.key.model
    }

    /// The difference in words.
    pub fn what(&self) -> &str {
        &self.key.what
    }

    /// The row of docs/differences.md, by its first cell.
    pub fn row(&self) -> Option<&'static str> {
        match self.key.verdict {
            Verdict::Expected(row) => Some(row),
            Verdict::Unexpected | Verdict::Note => None,
        }
    }

    pub fn is_unexpected(&self) -> bool {
        self.key.verdict == Verdict::Unexpected
    }

    fn to_json(&self) -> Value {
        json!({
            "expected": !self.is_unexpected(),
            "row": self.row(),
            "route": self.route().name(),
            "model": self.model(),
            "difference": self.what(),
            "calls": self.count,
            "example": {"call": self.example, "addon": self.addon, "gateway": self.gateway},
        })
    }
}

impl Report {
    /// The groups, those that are not expected first, and of these the largest.
    pub fn groups(&self) -> Vec<&Group> {
        let mut groups: Vec<&Group> = self.groups.values().collect();
        groups.sort_by_key(|group| (group.key.verdict, usize::MAX - group.count));
        groups
    }

    /// Whether there is a difference that docs/differences.md does not have.
    pub fn has_unexpected(&self) -> bool {
        self.groups.values().any(Group::is_unexpected)
    }

    /// The number of writes that were not compared.
    pub fn writes_not_compared(&self) -> usize {
        self.writes.would_be_done + self.writes.would_be_refused
    }

    pub fn to_json(&self) -> Value {
        let Writes { would_be_done, would_be_refused, lookups, calls } = &self.writes;
        let groups: Vec<Value> = self.groups().into_iter().map(Group::to_json).collect();
        json!({
            "reads": {"compared": self.compared, "same": self.same},
            "writes": {
                "compared": 0,
                "would_be_done": would_be_done,
                "would_be_refused": would_be_refused,
                "lookups": lookups,
                "calls": calls,
            },
            "repeated": self.repeated,
            "left_out": self.left_out,
            "differences": groups,
        })
    }

    pub fn leave_out(&mut self, reason: impl Into<String>) {
        *self.left_out.entry(reason.into()).or_default() += 1;
    }

    /// A read that both answered.
    pub(super) fn add_read(&mut self, call: &Recorded, differences: &[Difference]) {
        self.compared += 1;
        self.same += usize::from(differences.is_empty());
        let mut known = Vec::new();
        for difference in differences {
            let verdict = expected::row(call, difference).map_or(Verdict::Unexpected, Verdict::Expected);
            let key = key(call, verdict, words(difference));
            // Several records of one call count once.
            if !known.contains(&key) {
                self.add(call, key.clone(), (&difference.addon, &difference.gateway));
                known.push(key);
            }
        }
    }

    /// A write that the gateway has planned: `result` is its plan.
    pub(super) fn add_plan(&mut self, call: &Recorded, result: &Value, warnings: &Value) {
        self.writes.would_be_done += 1;
        self.writes.lookups += result["lookups"].as_array().map_or(0, Vec::len);
        for step in result["calls"].as_array().into_iter().flatten() {
            *self.writes.calls.entry(step["method"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
        for warning in warnings.as_array().into_iter().flatten() {
            let code = warning["code"].as_str().unwrap_or_default();
            let verdict = expected::of_code(code).map_or(Verdict::Note, Verdict::Expected);
            let what = format!("the gateway would warn of `{code}`, where the addon says nothing");
            self.add(call, key(call, verdict, what), (&Value::Null, &warning["message"]));
        }
        if call.was_done == Some(false) {
            let what = "the gateway would do now what the addon refused then".to_owned();
            self.add(call, key(call, Verdict::Note, what), (&json!("failed"), &json!("would be done")));
        }
    }

    /// A write that the gateway would refuse.
    pub(super) fn add_refusal(&mut self, call: &Recorded, (code, path): (&str, &str), message: &str) {
        self.writes.would_be_refused += 1;
        let row = expected::of_refusal(code).or_else(|| expected::of_lookup(call, code, path));
        let (verdict, addon) = match (call.was_done, row) {
            (Some(true), None) => (Verdict::Unexpected, json!("done")),
            (Some(false), _) => (Verdict::Note, json!("failed")),
            (done, Some(row)) => (Verdict::Expected(row), json!(done.map(|_| "done"))),
            (None, None) => (Verdict::Note, Value::Null),
        };
        let then = match call.was_done {
            Some(true) => ", which the addon did then",
            Some(false) => ", and the addon refused it then",
            None => "",
        };
        let what = format!("the gateway would refuse it with `{code}`{then}");
        self.add(call, key(call, verdict, what), (&addon, &json!(message)));
    }

    fn add(&mut self, call: &Recorded, key: Key, (addon, gateway): (&Value, &Value)) {
        let group = self.groups.entry(key.clone()).or_insert_with(|| Group {
            key,
            count: 0,
            example: call.name.clone(),
            addon: shown(addon),
            gateway: shown(gateway),
        });
        group.count += 1;
    }
}

fn key(call: &Recorded, verdict: Verdict, what: String) -> Key {
    Key { verdict, route: call.route, model: call.model.clone(), what }
}

fn words(difference: &Difference) -> String {
    match &difference.kind {
        Kind::GatewayRefuses(code) => format!("the gateway refuses it with `{code}`"),
        Kind::AddonRefuses => "the addon refuses it".to_owned(),
        Kind::Words => "both refuse it, in other words".to_owned(),
        Kind::Message => "another message".to_owned(),
        Kind::Records => "records that one of them alone answers".to_owned(),
        Kind::Order => "another order of the records".to_owned(),
        Kind::Value if difference.place.is_empty() => "another result".to_owned(),
        Kind::Value => format!("another value in `{}`", difference.place),
        Kind::Warning(code) => format!("the gateway warns of `{code}`, where the addon says nothing"),
    }
}

/// A value in a line.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, was_done: Option<bool>) -> Recorded {
        let call = Recorded::new(name.to_owned(), Route::CreateData, "res.partner".to_owned(), serde_json::Map::new());
        Recorded { was_done, ..call }
    }

    #[test]
    fn alike_differences_are_one_group_with_its_first_example() {
        let mut report = Report::default();
        let difference =
            |place: &str| Difference { kind: Kind::Value, place: place.to_owned(), addon: json!(1), gateway: json!(2) };
        report.add_read(&call("a", None), &[difference("credit"), difference("credit")]);
        report.add_read(&call("b", None), &[difference("credit")]);
        report.add_read(&call("c", None), &[]);
        assert_eq!((report.compared, report.same, report.has_unexpected()), (3, 1, true));
        let groups = report.groups();
        assert_eq!(groups.len(), 1, "{report:?}");
        let group = groups[0];
        assert_eq!((group.count, group.example.as_str(), group.what()), (2, "a", "another value in `credit`"));
    }

    #[test]
    fn a_write_is_a_difference_where_the_addon_did_what_the_gateway_would_refuse() {
        let refused = |was_done: Option<bool>, code: &str| {
            let mut report = Report::default();
            report.add_refusal(&call("a", was_done), (code, "payload.name"), "why");
            (report.has_unexpected(), report.groups()[0].row().is_some())
        };
        assert_eq!(refused(Some(true), "access_error"), (true, false));
        assert_eq!(refused(Some(true), "invalid_value"), (false, true));
        assert_eq!(refused(Some(false), "no_match"), (false, false));
        assert_eq!(refused(None, "no_match"), (false, false));
    }

    #[test]
    fn a_plan_is_counted_and_its_warnings_are_named() {
        let mut report = Report::default();
        let plan =
            json!({"lookups": [{}, {}], "calls": [{"method": "create"}, {"method": "create"}, {"method": "write"}]});
        report.add_plan(&call("a", None), &plan, &json!([{"code": "unknown_field", "message": "`naem` was left out"}]));
        assert_eq!((report.writes.lookups, report.writes.calls["create"], report.writes_not_compared()), (2, 2, 1));
        assert_eq!(report.groups()[0].row(), Some("A field that the model lacks"));
        assert!(!report.has_unexpected());
    }
}
