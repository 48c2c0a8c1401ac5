//! Lanes: calls of the same lane are made one after another.
//!
//! A lane is a client, a model and a search key; a call without a search key has a lane of its own, and so has every call of a client
//! with `ordering = "none"`. Lists that name their keys go one after another for a whole model. The deliveries of a hook with `key` have
//! the lane of its value. What is queued has its lane in the store; a delivery that is answered when its calls have ended takes its
//! turn here ([`Turns`]), in this process.

use std::sync::{Arc, Weak};

use dashmap::DashMap;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::{self, Instant},
};
use uuid::Uuid;

use super::{
    Error,
    auth::clients::Client,
    delivery::{Delivery, Todo},
    idempotency::Asked,
};
use crate::config::Ordering;

/// A lane with a longer name is known by its hash.
const LONGEST: usize = 200;

/// The lane of a call that is queued.
pub(super) fn of(client: &Client, asked: Asked<'_>) -> String {
    let own = || own(asked.incoming.id);
    match asked.delivery {
        Some(delivery) => of_delivery(delivery, asked.model, asked.vals).unwrap_or_else(own),
        None => of_call(client, asked.model, asked.vals).unwrap_or_else(own),
    }
}

/// That of a call which nothing orders.
pub(super) fn own(id: Uuid) -> String {
    format!("call {id}")
}

pub(super) fn of_call(client: &Client, model: &str, vals: &Map<String, Value>) -> Option<String> {
    match (client.ordering, by_search_key(vals)) {
        (Ordering::None, _) | (_, Value::Null) => None,
        (_, key) => Some(named(&client.name, model, &key)),
    }
}

/// That of a delivery; none where nothing orders it.
pub(super) fn of_delivery(delivery: &Delivery, model: &str, vals: &Map<String, Value>) -> Option<String> {
    let (client, hook) = (&delivery.hook.entry.client, delivery.hook.name());
    let of_hook = |key: &Value| named(client, &format!("hook {hook}"), key);
    match (&delivery.key, &delivery.todo) {
        (Some(Value::Null), _) => None,
        (Some(key), _) => Some(of_hook(key)),
        (None, Todo::Call) => {
            Some(by_search_key(vals)).filter(|key| !key.is_null()).map(|key| named(client, model, &key))
        }
        (None, Todo::Several(calls)) => {
            let mut keys = calls.iter().map(|call| (&call.model, by_search_key(&call.vals)));
            keys.find(|(_, key)| !key.is_null()).map(|(model, key)| named(client, model, &key))
        }
        // What it will be about is not known.
        (None, Todo::Later) => Some(of_hook(&json!("*"))),
        (None, Todo::Nothing(_) | Todo::Failed(_)) => None,
    }
}

/// What orders a call where nothing else is said; null where nothing does.
fn by_search_key(vals: &Map<String, Value>) -> Value {
    match vals.get("search_key") {
        Some(Value::Object(key)) if !key.is_empty() => sorted(&Value::Object(key.clone())),
        // A list of records, each with its own values.
        Some(Value::Array(names)) if !names.is_empty() => json!("*"),
        _ => Value::Null,
    }
}

fn named(client: &str, of: &str, key: &Value) -> String {
    let name = format!("{client}/{of}/{}", sorted(key));
    if name.len() <= LONGEST {
        return name;
    }
    let start: String = name.chars().take(LONGEST / 4).collect();
    format!("{start}… {}", const_hex::encode(Sha256::digest(name)))
}

/// The same value, with the keys of its objects in order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(members) => {
            let mut members: Vec<(&String, Value)> = members.iter().map(|(key, value)| (key, sorted(value))).collect();
            members.sort_unstable_by_key(|(key, _)| *key);
            members.into_iter().map(|(key, value)| (key.clone(), value)).collect()
        }
        value => value.clone(),
    }
}

/// The turns of deliveries that are made within their requests. There are no more lanes than such deliveries under way.
#[derive(Debug, Clone, Default)]
pub struct Turns(Arc<DashMap<String, Weak<Mutex<()>>>>);

/// The turn of a delivery, until this is dropped. The next one is that which has waited longest.
#[derive(Debug)]
pub(super) struct Turn {
    lanes: Arc<DashMap<String, Weak<Mutex<()>>>>,
    lane: String,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Waits for the turn.
    ///
    /// # Errors
    /// It has not come until then.
    pub(super) async fn take(&self, lane: &str, until: Instant) -> Result<Turn, Error> {
        let lock = {
            let mut known = self.0.entry(lane.to_owned()).or_default();
            known.upgrade().unwrap_or_else(|| {
                let lock = Arc::default();
                *known = Arc::downgrade(&lock);
                lock
            })
        };
        // One that gives up leaves no lane behind, either.
        let mut turn = Turn { lanes: self.0.clone(), lane: lane.to_owned(), guard: None };
        let waited = time::timeout_at(until, lock.lock_owned()).await;
        turn.guard = Some(waited.map_err(|_| Error::LaneBusy)?);
        Ok(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.guard = None;
        self.lanes.remove_if(&self.lane, |_, lock| lock.strong_count() == 0);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn calls_with_the_same_search_key_have_the_same_lane_in_whatever_order_its_keys_stand() {
        let lane = |vals: Value| {
            let key = by_search_key(vals.as_object().unwrap());
            (key != Value::Null).then(|| named("shop", "res.partner", &key))
        };
        let one = lane(json!({"search_key": {"ref": "A", "company_id": {"name": "B", "id": 1}}}));
        assert_eq!(one.as_deref(), Some(r#"shop/res.partner/{"company_id":{"id":1,"name":"B"},"ref":"A"}"#));
        assert_eq!(one, lane(json!({"search_key": {"company_id": {"id": 1, "name": "B"}, "ref": "A"}, "payload": {}})));
        assert_ne!(one, lane(json!({"search_key": {"ref": "B"}})));
        for without in [json!({"payload": {}}), json!({"search_key": {}}), json!({"search_key": []})] {
            assert_eq!(lane(without.clone()), None, "{without}");
        }
        let (long, other) = ("x".repeat(300), "x".repeat(301));
        let long = lane(json!({"search_key": {"ref": long}})).unwrap();
        assert!(long.len() < 130 && Some(long) != lane(json!({"search_key": {"ref": other}})));
    }

    #[tokio::test(start_paused = true)]
    async fn deliveries_of_a_lane_take_turns_and_leave_nothing_behind() {
        let turns = Turns::default();
        let within = || Instant::now() + Duration::from_secs(1);
        let first = turns.take("a", within()).await.unwrap();
        let other = turns.take("b", within()).await.unwrap();
        let late = turns.take("a", within()).await.unwrap_err();
        assert_eq!((late.code().as_str(), late.retry().as_str()), ("lane_busy", "safe"));
        let second = turns.take("a", within());
        drop((first, other));
        drop(second.await.unwrap());
        assert!(turns.0.is_empty());
    }
}
