//! How much each client and each hook was used of late: calls, how they ended, and the last one.
//!
//! One pass over the columns of the calls since a time; readers skip the segments of the log that are older. Of a segment in which
//! thousands of names occur, calls of the last of these names are not counted.

use std::collections::HashMap;

use jiff::Timestamp;

use super::calls::Calls;
use crate::log::{Brief, CallState, Error};

/// What was used since a time.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    /// By the name of the `[[client]]`.
    clients: HashMap<String, Used>,
    /// Callers with an Odoo credential of their own.
    own_credentials: Used,
    /// By the name of the hook.
    hooks: HashMap<String, Used>,
}

/// The calls of one client or hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    /// Calls or deliveries that came in; attempts of queued ones are not among them.
    pub came: u64,
    pub done: u64,
    /// Calls and attempts that failed.
    pub failed: u64,
    pub in_doubt: u64,
    pub ignored: u64,
    pub last: Option<Timestamp>,
}

impl Usage {
    /// Of the client with this name.
    pub fn of_client(&self, name: &str) -> Used {
        self.clients.get(name).copied().unwrap_or_default()
    }

    /// Of all callers with an Odoo credential of their own.
    pub fn of_own_credentials(&self) -> Used {
        self.own_credentials
    }

    /// Of the hook with this name.
    pub fn of_hook(&self, name: &str) -> Used {
        self.hooks.get(name).copied().unwrap_or_default()
    }

    fn add(&mut self, names: &[String], call: &Brief) {
        if call.state == CallState::DryRun {
            return;
        }
        let name = |number: u16| names.get(usize::from(number)).map(String::as_str);
        match (name(call.client), name(call.caller)) {
            (Some(""), Some("")) | (None, _) => {}
            // One of the last logins of many has no name here, and is a login.
            (Some(""), _) => self.own_credentials.add(call),
            (Some(client), _) => of(&mut self.clients, client).add(call),
        }
        if let Some(hook) = name(call.hook).filter(|hook| !hook.is_empty()) {
            of(&mut self.hooks, hook).add(call);
        }
    }
}

impl Used {
    fn add(&mut self, call: &Brief) {
        if !call.is_attempt {
            self.came += 1;
            self.last = self.last.max(Timestamp::from_microsecond(call.arrived).ok());
        }
        match call.state {
            CallState::Done => self.done += 1,
            CallState::Failed => self.failed += 1,
            CallState::InDoubt => self.in_doubt += 1,
            CallState::Ignored => self.ignored += 1,
            CallState::Running | CallState::Queued | CallState::DryRun => {}
        }
    }
}

/// The entry of a name. Names are those of the configuration, of now and of earlier.
fn of<'u>(used: &'u mut HashMap<String, Used>, name: &str) -> &'u mut Used {
    if !used.contains_key(name) {
        used.insert(name.to_owned(), Used::default());
    }
    used.entry(name.to_owned()).or_default()
}

impl Calls {
    /// What was used since this time.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn usage(&self, since: Timestamp) -> Result<Usage, Error> {
        self.read(move |archive| {
            let mut usage = Usage::default();
            archive.briefs(since, |names, calls| calls.iter().for_each(|call| usage.add(names, call)))?;
            Ok(usage)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{log::State, operations::recorded::Recorded};

    #[tokio::test]
    async fn attempts_tell_how_a_delivery_ended_and_are_no_delivery_themselves() {
        let recorded = Recorded::new();
        let delivery = recorded.delivered(None, "evt_1", State::Queued).await;
        recorded.delivered(Some((delivery, 1)), "evt_1", State::Failed).await;
        recorded.delivered(Some((delivery, 2)), "evt_1", State::Done).await;
        let usage = recorded.calls().usage(Timestamp::UNIX_EPOCH).await.unwrap();
        let shop = usage.of_hook("shop");
        assert_eq!((shop.came, shop.done, shop.failed), (1, 1, 1));
        assert!(shop.last.is_some());
        assert_eq!(usage.of_hook("other"), Used::default());
    }

    #[tokio::test]
    async fn what_is_older_than_the_time_is_not_counted() {
        let recorded = Recorded::new();
        recorded.call(State::Done).await;
        recorded.call(State::Failed).await;
        let client = recorded.calls().usage(Timestamp::UNIX_EPOCH).await.unwrap().of_client("webshop");
        assert_eq!((client.came, client.done, client.failed), (2, 1, 1));
        let later = recorded.calls().usage(Timestamp::MAX).await.unwrap();
        assert_eq!(later.of_client("webshop"), Used::default());
    }
}
