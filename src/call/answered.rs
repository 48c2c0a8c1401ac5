//! The answer to a call: its outcome, and what belongs to this one answer alone.

use http::HeaderValue;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;
use uuid::Uuid;

use super::{Error, Outcome};

/// What is answered, and under which id the call stands in the log. It serialises as the JSON object that the caller gets.
#[derive(Debug)]
pub struct Answered {
    pub call_id: Uuid,
    /// The `id` of the caller's envelope.
    pub envelope_id: Value,
    pub outcome: Outcome,
    /// It goes to the sender of a hook, who reads nothing but the status.
    pub is_of_hook: bool,
    /// It was received, now or before: the log has it, and who has sent it is known.
    pub is_taken: bool,
    /// It is the recorded answer to the first call with the same key.
    pub is_replay: bool,
    /// It was accepted to be made later.
    pub accepted: Option<Accepted>,
    /// A session that Odoo rotated during the call.
    pub cookie: Option<HeaderValue>,
}

/// A call that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Its id in the store, by which its caller may ask for its end.
    pub call: Uuid,
    /// Its caller has preferred that.
    pub is_preferred: bool,
}

impl Answered {
    /// The answer to a request that never became a call, or whose call has no answer of its own.
    pub fn refusal(call_id: Uuid, error: &Error) -> Self {
        let outcome = Outcome::refused(error);
        Self {
            call_id,
            envelope_id: Value::Null,
            outcome,
            is_of_hook: false,
            is_taken: false,
            is_replay: false,
            accepted: None,
            cookie: None,
        }
    }
}

impl Serialize for Answered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (name, content) = self.outcome.member();
        let mut body = serializer.serialize_map(Some(3))?;
        body.serialize_entry("jsonrpc", "2.0")?;
        body.serialize_entry("id", &self.envelope_id)?;
        body.serialize_entry(name, &content)?;
        body.end()
    }
}
