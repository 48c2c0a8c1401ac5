//! What a person does with calls and queues, in the log beside them.

use std::{borrow::Cow, net::IpAddr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    key_texts::mask_keys,
    log::{
        Error, Log,
        format::{event::Event, line::Body},
    },
};

/// As many ids of calls are listed.
const IDS: usize = 100;
/// Texts are cut after this many characters.
const TEXT: usize = 1000;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// A recorded call was sent again.
    #[serde(rename = "call.replayed")]
    Replayed,
    /// A call in doubt was closed.
    #[serde(rename = "call.settled")]
    Settled,
    /// Dead calls were put back into their queue, and waiting ones made due.
    #[serde(rename = "queue.retried")]
    Retried,
    /// Calls were taken out of the queue.
    #[serde(rename = "queue.dropped")]
    Dropped,
    #[serde(rename = "queue.paused")]
    Paused,
    #[serde(rename = "queue.resumed")]
    Resumed,
    /// The calls of a filter are sent again, one after another.
    #[serde(rename = "replay.started")]
    ReplayStarted,
    /// No call of the filter is sent any more.
    #[serde(rename = "replay.ended")]
    ReplayEnded,
}

/// The person who does something, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// The name in the configuration, or that of the user of this system.
    pub by: String,
    /// The role in the console; none on the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Cow<'static, str>>,
    /// Where the browser is; none on the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
}

/// What an operator has done, and with what.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Acted {
    #[serde(flatten)]
    pub operator: Operator,
    pub action: Action,
    /// The calls that were meant by their ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of: Vec<Uuid>,
    /// The conditions by which calls were meant, as a query.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub filter: String,
    /// The client whose queue it is, or whose Odoo account was used instead of that of the recorded call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// How many calls it was done with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

#[derive(Serialize)]
struct ActedLine<'a> {
    ts: Timestamp,
    #[serde(flatten)]
    acted: &'a Acted,
}

impl Operator {
    /// A user of this system, on the command line.
    pub fn on_command_line(by: impl Into<String>) -> Self {
        Self { by: by.into(), role: None, address: None }
    }

    /// Does this.
    pub fn does(&self, action: Action) -> Acted {
        Acted {
            operator: self.clone(),
            action,
            of: Vec::new(),
            filter: String::new(),
            client: None,
            number: None,
            why: None,
        }
    }
}

impl Acted {
    /// Without more than a line holds, and without texts in the form of a key.
    fn bounded(mut self) -> Self {
        self.of.truncate(IDS);
        let texts = [Some(&mut self.filter), Some(&mut self.operator.by), self.client.as_mut(), self.why.as_mut()];
        for text in texts.into_iter().flatten() {
            let end = text.char_indices().nth(TEXT).map_or(text.len(), |(end, _)| end);
            *text = mask_keys(&text[..end]).into_owned();
        }
        self
    }
}

impl Log {
    /// Records what an operator does. The line is durable when this returns.
    ///
    /// # Errors
    /// The log has failed or has been closed.
    pub async fn acted(&self, acted: Acted) -> Result<(), Error> {
        let acted = acted.bounded();
        self.record(Body::new(Event::OperatorActed, &ActedLine { ts: Timestamp::now(), acted: &acted })).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_no_more_than_it_may_and_no_key() {
        let key = "0".repeat(40);
        let acted = Acted {
            of: vec![Uuid::nil(); 200],
            filter: format!("text={key}"),
            why: Some("x".repeat(5000)),
            ..Operator::on_command_line("anna").does(Action::Dropped)
        };
        let acted = acted.bounded();
        assert_eq!((acted.of.len(), &*acted.filter, acted.why.map(|why| why.len())), (100, "text=***", Some(1000)));
    }
}
