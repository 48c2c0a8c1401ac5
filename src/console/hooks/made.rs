//! What came of a template that was tried, as the page shows it. What the log hides is hidden.

use serde_json::Value;

use crate::{
    log::Log,
    operations::tried::{End, Refusal, Tried, TriedCall},
    web::show,
};

pub(super) enum Outcome {
    /// The form cannot be used.
    Unready(String),
    Tried {
        facts: Vec<(&'static str, String)>,
        fetched: Option<String>,
        end: Ended,
    },
}

pub(super) enum Ended {
    Ignored(String),
    Refused(Refused),
    Calls(Vec<Made>),
}

/// Why no call was made, or why one would be refused.
pub(super) struct Refused {
    pub(super) code: &'static str,
    /// The first line.
    pub(super) words: String,
    /// The lines with a marker, where the mistake is in the template.
    pub(super) place: String,
    /// Where the mistake is in the payload.
    pub(super) path: Option<String>,
    /// All mistakes of the payload, where there are several.
    pub(super) all: Vec<String>,
}

/// A call that would be made.
pub(super) struct Made {
    /// Of the element that shows `vals`.
    pub(super) id: String,
    pub(super) route: &'static str,
    pub(super) model: String,
    pub(super) vals: String,
    /// The lookups and the calls to Odoo, in their order; none where there is no plan.
    pub(super) plan: Option<Vec<String>>,
    pub(super) refused: Option<Refused>,
    pub(super) warnings: Vec<String>,
}

impl Outcome {
    pub(super) fn of(log: &Log, tried: Tried) -> Self {
        let told = |name, value: Option<Result<String, Refusal>>| {
            let words = match value? {
                Ok(text) => text,
                Err(refusal) => format!("! {}", refusal.message),
            };
            Some((name, words))
        };
        let json = |value: Option<Result<Value, Refusal>>| value.map(|value| value.map(|value| value.to_string()));
        let facts = [
            told("Delivery id", tried.delivery_id),
            told("Ordered by", json(tried.key)),
            told("Version", json(tried.version)),
        ];
        let fetched = tried.fetched.map(|mut fetched| {
            log.hide_sent(&mut fetched);
            show::json(&fetched)
        });
        let end = match tried.end {
            End::Ignored(why) => Ended::Ignored(why),
            End::Refused(refusal) => Ended::Refused(refusal.into()),
            End::Calls(calls) => {
                Ended::Calls((1..).zip(calls).map(|(number, call)| Made::of(log, number, call)).collect())
            }
        };
        Self::Tried { facts: facts.into_iter().flatten().collect(), fetched, end }
    }
}

impl Made {
    fn of(log: &Log, number: usize, TriedCall { made, planned, noted }: TriedCall) -> Self {
        let mut vals = Value::Object(made.vals);
        log.hide_vals(&made.model, &mut vals);
        let (plan, refused, warnings) = match planned {
            None => (None, None, noted),
            Some(Err(refusal)) => (None, Some(refusal.into()), noted),
            Some(Ok(mut planned)) => {
                log.hide_plan(&mut planned.plan);
                (Some(steps(&planned.plan)), None, planned.warnings)
            }
        };
        let warnings =
            warnings.iter().map(|warning| format!("{}: {}", word(&warning["code"]), word(&warning["message"])));
        Self {
            id: format!("vals-{number}"),
            route: made.route.name(),
            model: made.model,
            vals: show::json(&vals),
            plan,
            refused,
            warnings: warnings.collect(),
        }
    }
}

impl From<Refusal> for Refused {
    fn from(Refusal { code, path, message, errors }: Refusal) -> Self {
        let (words, place) = message.split_once('\n').unwrap_or((&message, ""));
        let told = |mistake: &Value| {
            format!("{} at {}: {}", word(&mistake["code"]), word(&mistake["path"]), word(&mistake["message"]))
        };
        let all = errors.iter().map(told).collect();
        Self { code: code.unwrap_or("refused"), words: words.to_owned(), place: place.to_owned(), path, all }
    }
}

/// Lookups and calls of a plan in words.
fn steps(plan: &Value) -> Vec<String> {
    let lookups = plan["lookups"].as_array().into_iter().flatten().map(|lookup| {
        format!(
            "look up {} by {} = {}: {}",
            word(&lookup["model"]),
            word(&lookup["field"]),
            lookup["value"],
            lookup["ids"]
        )
    });
    let calls = plan["calls"].as_array().into_iter().flatten().map(|rpc| {
        let ids = if rpc["ids"].is_array() { format!(" {}", rpc["ids"]) } else { String::new() };
        let args = if rpc["args"].is_null() { String::new() } else { format!(" {}", rpc["args"]) };
        let note = rpc["note"].as_str().map(|note| format!(" ({note})")).unwrap_or_default();
        format!("{}.{}{ids}{args}{note}", word(&rpc["model"]), word(&rpc["method"]))
    });
    let refused = plan["refused"].as_array().into_iter().flatten().map(|refused| {
        format!("record {} is refused: {}: {}", refused["record"], word(&refused["code"]), word(&refused["message"]))
    });
    lookups.chain(calls).chain(refused).collect()
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mistake_is_told_with_its_place_below() {
        let message = "the template does not compile: 2:3: `}` is due\n  {\n  ^".to_owned();
        let refused = Refused::from(Refusal { code: Some("hook_template"), path: None, message, errors: Vec::new() });
        assert_eq!(refused.words, "the template does not compile: 2:3: `}` is due");
        assert_eq!(refused.place, "  {\n  ^");
    }

    #[test]
    fn a_plan_is_told_in_the_order_of_its_steps() {
        let plan = json!({
            "lookups": [{"model": "res.country", "field": "code", "value": "DE", "ids": [57]}],
            "calls": [{"model": "res.partner", "method": "write", "ids": [7], "args": [{"name": "A"}], "note": "once"}],
        });
        let told = ["look up res.country by code = \"DE\": [57]", "res.partner.write [7] [{\"name\":\"A\"}] (once)"];
        assert_eq!(steps(&plan), told);
    }
}
