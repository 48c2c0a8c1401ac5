//! `capture` of a hook: what comes to it is kept for a look, with whether its sender has proven who it is.

use http::HeaderMap;

use super::{
    Service,
    auth::clients::Client,
    authenticated::prove,
    incoming::{Incoming, Presented, ToHook},
};
use crate::{
    hook::{Came, RequestLine, Sent, SentBody},
    memory,
};

impl Service {
    /// Keeps a request to a hook whose `capture` is on, whatever becomes of it.
    pub async fn capture(&self, incoming: &Incoming) {
        let (Some(to), Presented::Headers { line, headers, .. }) = (&incoming.hook, &incoming.presented) else {
            return;
        };
        if !self.captures.is_on(to.hook.name()) {
            return;
        }
        // What is made of the body counts, as that of a call does.
        Box::pin(memory::scope(self.memory.clone(), self.keep_captured(to, line, headers, incoming))).await;
    }

    async fn keep_captured(&self, to: &ToHook, line: &RequestLine, headers: &HeaderMap, incoming: &Incoming) {
        let hook = &to.hook;
        let refused = prove(self, incoming).err().map(|error| error.to_string());
        let unread = |why: String| SentBody::Unreadable { text: String::new(), why };
        let (body, size) = match &incoming.body {
            Ok(body) => {
                let read = hook.read(headers, body, &self.config.limits);
                (read.unwrap_or_else(|error| unread(error.to_string())), body.len())
            }
            Err(error) => (unread(error.to_string()), 0),
        };
        let hidden = self.clients.by_name(&hook.entry.client).map(Client::hidden).unwrap_or_default();
        let sent = Sent::new(hook.entry.path.written(), line, headers, hidden, body);
        let (hook, address) = (hook.name(), incoming.address);
        self.captures.keep(Came { hook, line, headers, sent: &sent, size, address, refused }).await;
    }
}
