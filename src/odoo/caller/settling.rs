//! What a call needs to find out what became of a create whose answer was lost: when it was sent, by Odoo's clock, and which
//! records belong to other calls.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{self, Instant};

use super::Caller;
use crate::odoo::created::{Look, Sought};

/// How often it is looked whether the creates that are under way have ended.
const PAUSE: Duration = Duration::from_millis(20);

/// The moment before a create is sent.
#[derive(Debug, Clone, Copy)]
pub struct Sending {
    /// By Odoo's clock.
    pub since: Timestamp,
    /// After this time, by Odoo's clock, it can create nothing; none where it is yet to be sent.
    pub until: Option<Timestamp>,
    /// The records that it creates have higher ids than this one, where one is known.
    pub above: Option<i64>,
}

impl Caller {
    /// The moment, before a create of the model is sent.
    pub fn sending(&self, model: &str) -> Sending {
        Sending { since: self.odoo_time(Timestamp::now()), until: None, above: self.odoo.created.bound(model) }
    }

    /// A time of the gateway's clock, by Odoo's.
    pub fn odoo_time(&self, time: Timestamp) -> Timestamp {
        self.odoo.endpoint.transport.clock.at(time)
    }

    /// The records of a model above an id that belong to calls.
    pub fn look_above(&self, model: &str, above: i64) -> Look {
        self.odoo.created.look(model, above)
    }

    /// Notes that this call looks for records with these values, for as long as what is returned is kept.
    pub fn seek(&self, model: &str, fingerprints: Vec<u64>) -> Sought {
        self.odoo.created.seek(model, fingerprints)
    }

    /// Waits until all creates of the model that are under way now have ended, so that the records which they made are known to
    /// be theirs; false where some have not until then.
    pub async fn creates_have_ended(&self, model: &str, until: Instant) -> bool {
        let now = self.odoo.created.now();
        loop {
            if self.odoo.created.have_ended(model, now) {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
            time::sleep(PAUSE).await;
        }
    }
}
