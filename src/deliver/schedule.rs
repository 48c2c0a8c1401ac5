//! Which client's queue is looked into next: those that may have a call that is due, in turn.
//!
//! It holds names alone; the calls stay in the store until a worker claims one. A client whose account is being tried again has one
//! call under way at a time.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// The clients that may have calls that are due.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    order: VecDeque<Arc<str>>,
    /// The clients of `order`, with the number of the last word that they may have a call.
    marks: HashMap<Arc<str>, u64>,
    /// The clients whose account is being tried, and whether a call of theirs is under way.
    tried: HashMap<Arc<str>, bool>,
    words: u64,
}

/// The turn of a client. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    schedule: Arc<Schedule>,
    pub(super) client: Arc<str>,
    mark: u64,
    /// The only one of its client.
    is_alone: bool,
}

impl Schedule {
    /// The client may have a call that is due.
    pub(super) fn may_have_calls(&self, client: &str) {
        let mut state = self.state.lock();
        state.words += 1;
        let word = state.words;
        let client: Arc<str> = client.into();
        if state.marks.insert(client.clone(), word).is_none() {
            state.order.push_back(client);
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// One call of this client is made at a time from now on, until [`Self::is_accepted`].
    pub(super) fn try_account(&self, client: &str) {
        self.state.lock().tried.entry(client.into()).or_insert(false);
    }

    /// The account of this client is accepted.
    pub(super) fn is_accepted(&self, client: &str) {
        let was_tried = self.state.lock().tried.remove(client).is_some();
        if was_tried {
            self.changed.notify_waiters();
        }
    }

    /// Waits for the next turn.
    pub(super) async fn next(self: &Arc<Self>) -> Turn {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(turn) = self.take() {
                return turn;
            }
            changed.await;
        }
    }

    fn take(self: &Arc<Self>) -> Option<Turn> {
        let mut state = self.state.lock();
        let State { order, marks, tried, .. } = &mut *state;
        for _ in 0..order.len() {
            let client = order.pop_front()?;
            order.push_back(client.clone());
            let is_alone = match tried.get_mut(&client) {
                Some(is_under_way) if *is_under_way => continue,
                Some(is_under_way) => {
                    *is_under_way = true;
                    true
                }
                None => false,
            };
            let mark = marks.get(&client).copied().unwrap_or_default();
            return Some(Turn { schedule: self.clone(), client, mark, is_alone });
        }
        None
    }
}

impl Turn {
    /// No call of the client is due, unless a word has come since the turn began.
    pub(super) fn found_nothing(self) {
        let mut state = self.schedule.state.lock();
        if state.marks.get(&self.client) == Some(&self.mark) {
            state.marks.remove(&self.client);
            state.order.retain(|client| *client != self.client);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.is_alone {
            return;
        }
        if let Some(is_under_way) = self.schedule.state.lock().tried.get_mut(&self.client) {
            *is_under_way = false;
        }
        self.schedule.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn next(schedule: &Arc<Schedule>) -> Option<Turn> {
        schedule.next().now_or_never()
    }

    #[test]
    fn clients_have_turns_until_nothing_of_theirs_is_due() {
        let schedule = Arc::<Schedule>::default();
        for client in ["a", "b", "a"] {
            schedule.may_have_calls(client);
        }
        let turns: Vec<Turn> = (0..4).map(|_| next(&schedule).unwrap()).collect();
        assert_eq!(turns.iter().map(|turn| &*turn.client).collect::<Vec<_>>(), ["a", "b", "a", "b"]);
        let [first, second, third, fourth] = turns.try_into().unwrap();
        first.found_nothing();
        // The other worker that had its turn at the same time says the same.
        third.found_nothing();
        assert_eq!(&*next(&schedule).unwrap().client, "b");
        // A call came between the look into the store and this.
        schedule.may_have_calls("b");
        second.found_nothing();
        assert_eq!(&*next(&schedule).unwrap().client, "b");
        let newer = next(&schedule).unwrap();
        fourth.found_nothing();
        newer.found_nothing();
        assert!(next(&schedule).is_none());
    }

    #[test]
    fn a_client_whose_account_is_tried_has_one_call_at_a_time() {
        let schedule = Arc::<Schedule>::default();
        schedule.try_account("a");
        schedule.may_have_calls("a");
        let turn = next(&schedule).unwrap();
        assert!(next(&schedule).is_none());
        drop(turn);
        let turn = next(&schedule).unwrap();
        schedule.is_accepted("a");
        assert!(next(&schedule).is_some());
        drop(turn);
        assert!(next(&schedule).is_some());
    }
}
