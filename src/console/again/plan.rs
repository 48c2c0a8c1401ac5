//! A plan in words: what was looked up in Odoo, and the calls to Odoo that would follow.

use serde_json::Value;

use crate::console::words;

/// A plan, as `call.planned` and the answer of a dry run have it.
#[derive(Debug, Default)]
pub(in crate::console) struct PlanWords {
    pub(in crate::console) lookups: Vec<String>,
    pub(in crate::console) calls: Vec<PlannedCall>,
}

/// A call to Odoo.
#[derive(Debug)]
pub(in crate::console) struct PlannedCall {
    pub(in crate::console) head: String,
    pub(in crate::console) note: String,
    /// The arguments as JSON; empty where there are none.
    pub(in crate::console) args: String,
}

/// `vals` without what makes a dry run of it.
pub(in crate::console) fn without_dry_run(vals: &Value) -> Value {
    let mut vals = vals.clone();
    if let Some(entries) = vals.as_object_mut() {
        entries.shift_remove("dry_run");
    }
    vals
}

impl PlanWords {
    /// The words of a plan; none where this is no plan.
    pub(in crate::console) fn of(plan: &Value) -> Option<Self> {
        let calls = plan["calls"].as_array()?;
        let lookups = plan["lookups"].as_array().map(Vec::as_slice).unwrap_or_default();
        Some(Self { lookups: lookups.iter().map(lookup).collect(), calls: calls.iter().map(PlannedCall::of).collect() })
    }

    /// The plan as lines, to be compared with those of another.
    pub(in crate::console) fn to_text(&self) -> String {
        let mut text = String::new();
        for lookup in &self.lookups {
            text += &format!("look up {lookup}\n");
        }
        for call in &self.calls {
            text += &format!(
                "{}{}\n",
                call.head,
                if call.note.is_empty() { String::new() } else { format!(" ({})", call.note) }
            );
            for line in call.args.lines() {
                text += &format!("    {line}\n");
            }
        }
        text
    }
}

impl PlannedCall {
    fn of(call: &Value) -> Self {
        let text = |member: &str| call[member].as_str().unwrap_or_default();
        let ids = if call["ids"].is_array() { format!(" {}", call["ids"]) } else { String::new() };
        let notes: Vec<&str> = [text("undo"), text("note")].into_iter().filter(|note| !note.is_empty()).collect();
        let args = if call["args"].is_null() { String::new() } else { words::json(&call["args"]) };
        Self { head: format!("{}.{}{ids}", text("model"), text("method")), note: notes.join("; "), args }
    }
}

fn lookup(found: &Value) -> String {
    let text = |member: &str| found[member].as_str().unwrap_or_default();
    let ids = found["ids"].as_array().map(Vec::as_slice).unwrap_or_default();
    let what = match ids {
        [] => "no record".to_owned(),
        ids => ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    words::plain(&format!("{} by {} = {}: {what}", text("model"), text("field"), found["value"])).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plan_reads_as_lookups_and_calls() {
        let plan = json!({
            "lookups": [{"model": "res.country", "field": "code", "value": "BE", "ids": [20]}],
            "calls": [{"model": "res.partner", "method": "write", "ids": [7], "args": {"vals": {"name": "x"}}, "note": "first"}],
        });
        let text = PlanWords::of(&plan).unwrap().to_text();
        assert!(
            text.starts_with("look up res.country by code = \"BE\": 20\nres.partner.write [7] (first)\n"),
            "{text}"
        );
        assert!(PlanWords::of(&json!({"error": "no plan"})).is_none());
    }
}
