//! Answers in the form that a sender expects: by `handshake` of its hook to what nobody has signed, and by `respond` to a delivery.
//!
//! What must stay true: a handshake is bounded in size and number, so that strangers never take the place of deliveries; an
//! expression that fails loses no delivery; and an answer that asks a sender to try again is never replaced.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::{sync::Semaphore, time};

use super::{Site, respond};
use crate::{
    call::{self, Answered, Presented},
    config::Accept,
    hook::{self, Hook, Input, Reply, RequestLine, Sent},
    memory,
};

/// The largest body of a handshake.
const BODY: usize = 64 << 10;
/// How long a handshake waits for its turn.
const PATIENCE: Duration = Duration::from_secs(2);
/// The handshakes that are answered at the same time. The slots for templates are several times as many.
static HANDSHAKES: Semaphore = Semaphore::const_new(2);

/// A request to a hook with answers of its own.
pub(super) struct Asked {
    hook: Arc<Hook>,
    line: RequestLine,
    headers: HeaderMap,
    body: Bytes,
}

impl Asked {
    /// None where the hook has no answers of its own, or the body did not come.
    pub(super) fn of(incoming: &call::Incoming) -> Option<Self> {
        let hook = incoming.hook.as_ref().map(|to| &to.hook)?;
        let (Presented::Headers { line, headers, .. }, Ok(body)) = (&incoming.presented, &incoming.body) else {
            return None;
        };
        let has_answers = hook.has_handshake() || hook.has_respond();
        has_answers.then(|| Self {
            hook: hook.clone(),
            line: line.clone(),
            headers: headers.clone(),
            body: body.clone(),
        })
    }

    /// The answer to a request whose sender is not proven; none where it is no handshake. An expression that fails is told to the
    /// operator, and the request is refused as any other.
    ///
    /// # Errors
    /// There is no room for it now.
    pub(super) async fn handshake(&self, site: &Site) -> Result<Option<Reply>, call::Error> {
        if !self.hook.has_handshake() || self.body.len() > BODY {
            return Ok(None);
        }
        let turn = time::timeout(PATIENCE, HANDSHAKES.acquire()).await;
        let _turn = turn.map_err(|_| hook::Error::Busy)?.map_err(|_| hook::Error::Busy)?;
        let answered = async { self.hook.handshake(&self.input(site)?).await };
        match memory::scope(site.calls.memory.clone(), answered).await {
            Err(busy @ (hook::Error::Busy | hook::Error::NoRoom)) => Err(busy.into()),
            Err(error) => {
                // Anyone can cause this, as often as a network carries it.
                if site.calls.refused_lines.take() {
                    tracing::warn!(hook = self.hook.name(), %error, "the handshake of a hook fails");
                }
                Ok(None)
            }
            Ok(reply) => Ok(reply),
        }
    }

    /// The answer to a delivery that was taken; none where it is the usual one.
    pub(super) async fn respond(&self, site: &Site, answered: &Answered) -> Option<Reply> {
        let status = respond::status_of(answered);
        let may_come_again = status.is_server_error()
            || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS);
        if !self.hook.has_respond() || !answered.is_taken || may_come_again {
            return None;
        }
        let reply = async {
            let outcome = match self.hook.entry.accept {
                Accept::Store => Value::Null,
                Accept::Answer => outcome(answered, status),
            };
            self.hook.respond(&self.input(site)?.with("outcome", outcome)).await
        };
        memory::scope(site.calls.memory.clone(), reply).await.unwrap_or_else(|error| {
            let (hook, call) = (self.hook.name(), answered.call_id);
            tracing::warn!(hook, %call, %error, "a delivery has the usual answer, since `respond` of its hook fails");
            None
        })
    }

    /// What the expressions see: all of the request, and the secret of its signatures.
    fn input(&self, site: &Site) -> Result<Input, hook::Error> {
        let body = self.hook.read(&self.headers, &self.body, &site.calls.config.limits)?;
        let path = self.hook.entry.path.written();
        let input = self.hook.input(&Sent::unhidden(path, &self.line, &self.headers, body));
        let client = site.calls.clients.by_name(&self.hook.entry.client);
        let secret = client.and_then(|client| client.first_secret());
        Ok(input.with("secret", secret.map_or(Value::Null, |secret| Value::from(secret.expose_secret()))))
    }
}

/// What came of a delivery, as `$outcome`.
fn outcome(answered: &Answered, status: StatusCode) -> Value {
    let outcome = &answered.outcome;
    // JSON can be written of whatever is JSON.
    let content = serde_json::to_value(outcome.member().1).unwrap_or_default();
    let message = content.get("messages").or_else(|| content.get("message"));
    json!({
        "state": outcome.state.as_str(),
        "status": status.as_u16(),
        "code": outcome.error.map(|refusal| refusal.code.as_str()),
        "result": content.get("result"),
        "message": message,
        "call": answered.call_id,
    })
}
