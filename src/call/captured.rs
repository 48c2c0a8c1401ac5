//! `capture` of a hook: what comes to it is kept for a look, with whether its sender has proven who it is.

use super::{
    Service,
    auth::clients::Client,
    authenticated::prove,
    incoming::{Incoming, Presented},
};
use crate::hook::{Came, Sent, SentBody};

impl Service {
    /// Keeps a request to a hook whose `capture` is on, whatever becomes of it.
    pub async fn capture(&self, incoming: &Incoming) {
        let (Some(to), Presented::Headers { line, headers, .. }) = (&incoming.hook, &incoming.presented) else {
            return;
        };
        let hook = &to.hook;
        if !self.captures.is_on(hook.name()) {
            return;
        }
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
