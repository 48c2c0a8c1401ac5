//! The last stage: what came of a call, as a value.
//!
//! An [`Outcome`] has all that an answer needs and nothing of a connection. It is serialised both ways, so that it can be kept
//! beside a key, put in a queue, and answered again byte for byte.

mod delivery;
mod in_part;

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value, json, value::RawValue};
use uuid::Uuid;

use self::in_part::{Failures, each};
use super::Error;
use crate::{
    errors::{Class, Code, Retry},
    execute::{Atomicity, Content, Done},
    key_texts::mask_keys,
    log::State,
    plan, store,
};

/// The sentence of a call that was accepted.
pub(super) const ACCEPTED: &str = "The call is accepted and will be made";

/// What came of a call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    pub state: State,
    /// What it means for HTTP.
    pub class: Class,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Refusal>,
    /// How a write kept to all or nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub atomicity: Option<Atomicity>,
    /// The records that were written, such as `{"res.partner": [7]}`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub records: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    pub body: Body,
}

/// Why a call was refused, and whether to send it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub code: Code,
    pub retry: Retry,
    /// After so many seconds, where Odoo or what stands before it has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u32>,
}

/// Something that was asked for and not done, as the caller is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    pub code: Code,
    /// Where in `vals` it stands, such as `payload.order_line[2].product_id`.
    pub path: String,
    pub message: String,
    /// The name that may be meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub did_you_mean: Vec<String>,
}

/// The member of the answer's envelope that matters. What Odoo or the plan decided is its `result`, done or not; what never came
/// to a decision is its `error`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// The call was carried out. Its result may be large, so it is there once, as it goes out.
    Done { result: Box<RawValue>, messages: String },
    /// Some of several records were not written: the answer of each, and what that means for the whole.
    InPart { result: Box<RawValue>, messages: String, error: Value },
    /// The object under `result` of a call that was refused.
    Refused(Value),
    /// The object under `error`.
    Failed(Value),
}

impl Outcome {
    /// Of a call that was carried out, with the same for the log.
    pub(super) fn done(done: Done, records: Map<String, Value>) -> (Self, Value) {
        let Done { result, message, warnings, atomicity } = done;
        let (result, failures) = match result {
            Content::One(result) => (result, None),
            Content::Each(results) => {
                let failures = Failures::of(&results);
                (results.into_iter().map(each).collect(), failures)
            }
        };
        #[expect(
            clippy::expect_used,
            reason = "a JSON value has string keys and finite numbers, so JSON can be written of it"
        )]
        let written = serde_json::value::to_raw_value(&result).expect("JSON");
        let messages = mask_keys(&message).into_owned();
        let warnings = warnings.into_iter().map(Warning::from).collect();
        let mut logged = Map::from_iter([
            ("is_success".to_owned(), Value::Bool(failures.is_none())),
            ("result".to_owned(), result),
            ("messages".to_owned(), Value::from(messages.clone())),
        ]);
        let outcome = match failures {
            None => {
                let body = Body::Done { result: written, messages };
                Self { state: State::Done, class: Class::Done, error: None, atomicity, records, warnings, body }
            }
            Some(failures) => {
                let (error, state) = (failures.refusal(), failures.state());
                let facts = failures.to_json();
                logged.insert("error".to_owned(), facts.clone());
                let body = Body::InPart { result: written, messages, error: facts };
                Self { state, class: error.code.class(), error: Some(error), atomicity, records, warnings, body }
            }
        };
        if !outcome.warnings.is_empty() {
            let warnings = outcome.warnings.iter().map(Warning::to_json);
            logged.insert("warnings".to_owned(), warnings.collect());
        }
        (outcome, Value::Object(logged))
    }

    /// Of a call that was accepted, and will be made later or is under way.
    pub(super) fn accepted(call: Uuid, state: store::State) -> Self {
        let told = serde_json::json!({"call": call, "state": state.as_str()});
        // JSON can be written of whatever is JSON.
        let result = serde_json::value::to_raw_value(&told).unwrap_or_else(|_| RawValue::NULL.to_owned());
        let body = Body::Done { result, messages: ACCEPTED.to_owned() };
        let (state, class) = (State::Queued, Class::Accepted);
        Self { state, class, error: None, atomicity: None, records: Map::new(), warnings: Vec::new(), body }
    }

    /// The result of a call that was carried out; null of any other.
    pub(super) fn result(&self) -> Value {
        match &self.body {
            Body::Done { result, .. } | Body::InPart { result, .. } => {
                serde_json::from_str(result.get()).unwrap_or_default()
            }
            Body::Refused(_) | Body::Failed(_) => Value::Null,
        }
    }

    /// The sentence of the answer.
    pub(super) fn sentence(&self) -> &str {
        match &self.body {
            Body::Done { messages, .. } | Body::InPart { messages, .. } => messages,
            Body::Refused(content) => content["messages"].as_str().unwrap_or_default(),
            Body::Failed(content) => content["message"].as_str().unwrap_or_default(),
        }
    }

    /// Of a call that was refused, or whose end is not known.
    pub fn refused(error: &Error) -> Self {
        Self::refused_with(error, Vec::new())
    }

    /// The same, with what the plan had warned of: it may be the reason.
    pub(super) fn refused_with(error: &Error, warnings: Vec<plan::Warning>) -> Self {
        let retry = error.retry();
        let warnings: Vec<Warning> = warnings.into_iter().map(Warning::from).collect();
        let told = || warnings.iter().map(Warning::to_json).collect::<Value>();
        let body = if error.is_decision() {
            let mut content = error.as_result();
            if !warnings.is_empty() {
                content["warnings"] = told();
            }
            Body::Refused(content)
        } else {
            let mut content = error.as_error();
            if !warnings.is_empty() {
                content["data"]["warnings"] = told();
            }
            Body::Failed(content)
        };
        Self {
            state: if retry == Retry::Unsafe { State::InDoubt } else { State::Failed },
            class: error.class(),
            error: Some(Refusal { code: error.code(), retry, after: error.retry_after() }),
            atomicity: None,
            records: Map::new(),
            warnings,
            body,
        }
    }

    /// What the log keeps of the answer: the content of the envelope's member.
    pub(super) fn logged(&self) -> Value {
        // JSON can be read of whatever is JSON.
        serde_json::to_value(self.member().1).unwrap_or_default()
    }

    /// Of a call of which a person has found out that it was done: what it was to answer is not known.
    pub fn settled(model: &str, ids: &[i64]) -> Self {
        let records = Map::from_iter((!ids.is_empty()).then(|| (model.to_owned(), Value::from(ids))));
        let result = serde_json::value::to_raw_value(&json!({"settled": true, "ids": ids})).unwrap_or_default();
        let messages = "a person found in Odoo that this call was done".to_owned();
        Self {
            state: State::Done,
            class: Class::Done,
            error: None,
            atomicity: None,
            records,
            warnings: Vec::new(),
            body: Body::Done { result, messages },
        }
    }

    /// As it is kept, to be answered again byte for byte.
    pub fn to_bytes(&self) -> Vec<u8> {
        // JSON can be written of whatever was JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// # Errors
    /// It is of a version that knows states or codes which this one does not, or broken.
    pub fn of_bytes(kept: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(kept)
    }

    /// Adds a warning to the answer of a call that was carried out.
    pub(super) fn warn(&mut self, code: Code, message: String) {
        if self.state == State::Done {
            self.warnings.push(Warning { code, path: String::new(), message, did_you_mean: Vec::new() });
        }
    }

    /// The name of the envelope's member, and its content.
    pub fn member(&self) -> (&'static str, Member<'_>) {
        match &self.body {
            Body::Done { .. } | Body::InPart { .. } | Body::Refused(_) => ("result", Member(self)),
            Body::Failed(_) => ("error", Member(self)),
        }
    }
}

/// The content of the envelope's member: written from where it stands, since an answer may be large.
#[derive(Debug)]
pub struct Member<'o>(&'o Outcome);

impl Serialize for Member<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (result, messages, error) = match &self.0.body {
            Body::Done { result, messages } => (result, messages, None),
            Body::InPart { result, messages, error } => (result, messages, Some(error)),
            Body::Refused(content) | Body::Failed(content) => return content.serialize(serializer),
        };
        let mut content = serializer.serialize_map(None)?;
        content.serialize_entry("is_success", &error.is_none())?;
        content.serialize_entry("result", result)?;
        content.serialize_entry("messages", messages)?;
        if let Some(error) = error {
            content.serialize_entry("error", error)?;
        }
        if !self.0.warnings.is_empty() {
            content.serialize_entry("warnings", &self.0.warnings)?;
        }
        content.end()
    }
}

impl From<plan::Warning> for Warning {
    fn from(warning: plan::Warning) -> Self {
        let message = mask_keys(&warning.message).into_owned();
        let did_you_mean = warning.meant.name().map(str::to_owned).into_iter().collect();
        Self { code: warning.code.code(), path: warning.path, message, did_you_mean }
    }
}

impl Warning {
    fn to_json(&self) -> Value {
        // JSON can be written of whatever is JSON.
        serde_json::to_value(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;

    fn answer(outcome: &Outcome) -> String {
        let (name, content) = outcome.member();
        format!("{name} {}", serde_json::to_string(&content).unwrap())
    }

    #[track_caller]
    fn check(outcome: &Outcome, expected: &str) {
        assert_eq!(answer(outcome), expected);
        let kept = serde_json::to_string(outcome).unwrap();
        let again: Outcome = serde_json::from_str(&kept).unwrap();
        assert_eq!((answer(&again), serde_json::to_string(&again).unwrap()), (expected.to_owned(), kept));
        assert_eq!((again.class, again.error), (outcome.class, outcome.error));
    }

    #[test]
    fn an_outcome_that_was_kept_is_answered_again_byte_for_byte() {
        let warning = plan::Warning {
            code: plan::WarningCode::NoMatch,
            path: "payload.tag_ids".to_owned(),
            message: "none".to_owned(),
            meant: plan::Meant::default(),
        };
        let done = Done {
            // An order of keys and a number that a reader might change.
            result: Content::One(json!({"name": "x", "id": 7, "amount": 1.10})),
            message: "Record created successfully".to_owned(),
            warnings: vec![warning],
            atomicity: Some(Atomicity::Compensated),
        };
        let records = Map::from_iter([("res.partner".to_owned(), json!([7]))]);
        let (outcome, logged) = Outcome::done(done, records);
        let expected = r#"{"is_success":true,"result":{"name":"x","id":7,"amount":1.1},"messages":"Record created successfully","warnings":[{"code":"no_match","path":"payload.tag_ids","message":"none"}]}"#;
        check(&outcome, &format!("result {expected}"));
        assert_eq!(logged.to_string(), expected);

        let refused = Outcome::refused(&Error::from(limits::Error::RateLimited { per_second: 3 }));
        assert_eq!((refused.state, refused.class), (State::Failed, Class::TooManyRequests));
        check(
            &refused,
            r#"error {"code":200,"message":"more than the 3 calls a second that this caller may make; come back in a moment","data":{"code":"rate_limited","retry":"safe","hint":"come back in a second","name":"odoo_gateway.rate_limited","message":"more than the 3 calls a second that this caller may make; come back in a moment"}}"#,
        );
        let warning = plan::Warning {
            code: plan::WarningCode::UnknownField,
            path: "payload.naem".to_owned(),
            message: "no such field".to_owned(),
            meant: plan::Meant::default(),
        };
        let refused = Outcome::refused_with(&Error::from(plan::Error::NoMethod), vec![warning]);
        check(
            &refused,
            r#"result {"is_success":false,"messages":"Missing 'method' in payload","error":{"code":"missing_parameter","retry":"no","path":"payload.method","hint":"add it: the message names it","errors":[{"code":"missing_parameter","path":"payload.method","hint":"add it: the message names it","message":"Missing 'method' in payload"}]},"warnings":[{"code":"unknown_field","path":"payload.naem","message":"no such field"}]}"#,
        );
        let unknown = Outcome::refused(&Error::Internal);
        assert_eq!(unknown.state, State::InDoubt);
    }
}
