//! What the store should do, in memory.

use std::{collections::BTreeMap, time::Duration};

use odoo_gateway::store::{Accepted, Earlier, End, NewCall, Place, State, Ticket};
use uuid::Uuid;

use crate::store::SPANS;

/// No retry waits longer.
const LONGEST_PAUSE: i64 = 3_600_000;

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap()
}

/// A call that the store should know.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// Its place in the order in which calls were accepted.
    pub(super) order: u64,
    pub(super) client: Option<String>,
    pub(super) key: Option<String>,
    pub(super) digest: [u8; 32],
    pub(super) lane: Option<String>,
    pub(super) state: State,
    pub(super) holder: Option<Ticket>,
    pub(super) lease_until: i64,
    pub(super) attempts: u32,
    pub(super) unfinished: u32,
    /// How many attempts before the last one had ended without a word, and when they can have sent something.
    before: (u32, i64),
    first: Option<i64>,
    last: Option<i64>,
    outcome: Option<Vec<u8>>,
    expires: Option<i64>,
}

impl Call {
    fn earlier(&self, now: i64, began: i64) -> Option<Earlier> {
        let (first, last) = (self.first?, self.last?);
        let until = if last < began { began } else { last };
        let since = now - self.lease_until.max(until).min(now);
        Some(Earlier {
            attempts: self.attempts,
            unfinished: self.unfinished,
            first,
            last,
            since_last: Duration::from_millis(u64::try_from(since).unwrap()),
        })
    }

    fn begin(&mut self, ticket: &Ticket, now: i64, began: i64) {
        let since = self.earlier(now, began).map_or(0, |earlier| millis(earlier.since_last));
        self.before = (self.unfinished, now - since);
        self.holder = Some(ticket.clone());
        self.lease_until = now + millis(SPANS.lease);
        self.attempts += 1;
        self.unfinished += 1;
        self.first = self.first.or(Some(now));
        self.last = Some(now);
    }

    fn close(&mut self, state: State, outcome: Option<Vec<u8>>, now: i64) {
        self.state = state;
        self.outcome = outcome;
        self.holder = None;
        self.lease_until = now;
        self.unfinished = match state {
            State::Dead => self.before.0,
            State::InDoubt => self.before.0.max(1),
            _ => 0,
        };
        self.expires = Some(now + millis(SPANS.keep));
    }
}

/// A lane with open calls.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    client: String,
    due: i64,
    holder: Option<Ticket>,
}

/// All that the store should know.
#[derive(Debug, Default)]
pub(super) struct Reference {
    pub(super) calls: BTreeMap<Uuid, Call>,
    pub(super) lanes: BTreeMap<String, Lane>,
    pub(super) paused: Vec<String>,
    accepted: u64,
    /// When one gateway took the place for itself.
    pub(super) began: i64,
}

impl Reference {
    pub(super) fn accept(&mut self, new: &NewCall, takes_over: bool, reply: &Accepted, now: i64) {
        let known = self.calls.iter_mut().find(|(_, call)| new.key.is_some() && call.key == new.key);
        let Some((id, call)) = known else {
            let Accepted::New(ticket) = reply else { panic!("a new call was answered {reply:?}") };
            let (state, lane) = match &new.place {
                Place::AtOnce => (State::Running, None),
                Place::Lane(lane) => (State::Queued, Some(lane.clone())),
            };
            assert_eq!(ticket.is_some(), lane.is_none());
            self.accepted += 1;
            let mut call = Call {
                order: self.accepted,
                client: new.client.clone(),
                key: new.key.clone(),
                digest: new.digest,
                lane: lane.clone(),
                state,
                holder: None,
                lease_until: 0,
                attempts: 0,
                unfinished: 0,
                before: (0, 0),
                first: None,
                last: None,
                outcome: None,
                expires: None,
            };
            if let Some(ticket) = ticket {
                call.begin(ticket, now, self.began);
            }
            self.calls.insert(new.id, call);
            if let Some(lane) = lane {
                self.join(&lane, new.client.as_deref().unwrap(), now);
            }
            return;
        };
        let is_free = matches!(call.state, State::Running | State::InDoubt) && call.lease_until <= now;
        if call.digest != new.digest {
            assert_eq!(*reply, Accepted::Reused { id: *id });
        } else if is_free && takes_over {
            let Accepted::TakenOver { ticket, earlier } = reply else {
                panic!("{call:?} was not taken over: {reply:?}")
            };
            assert_eq!(Some(*earlier), call.earlier(now, self.began));
            (call.state, call.outcome, call.expires) = (State::Running, None, None);
            call.begin(ticket, now, self.began);
        } else if let Some(outcome) = &call.outcome {
            assert_eq!(*reply, Accepted::Closed { id: *id, state: call.state, outcome: outcome.clone() });
        } else {
            assert_eq!(*reply, Accepted::Open { id: *id, state: call.state });
        }
    }

    fn join(&mut self, lane: &str, client: &str, due: i64) {
        self.lanes.entry(lane.to_owned()).or_insert_with(|| Lane { client: client.to_owned(), due, holder: None });
    }

    /// A lane goes on or ends.
    fn leave(&mut self, lane: &str) {
        if self.first_of(lane).is_none() {
            self.lanes.remove(lane);
        }
    }

    /// The call of a lane that is next.
    pub(super) fn first_of(&self, lane: &str) -> Option<Uuid> {
        let open =
            self.calls.iter().filter(|(_, call)| call.state == State::Queued && call.lane.as_deref() == Some(lane));
        open.min_by_key(|(_, call)| call.order).map(|(id, _)| *id)
    }

    pub(super) fn claim(&mut self, client: &str, claimed: Option<(&Ticket, Option<Earlier>)>, now: i64) {
        let is_paused = self.paused.iter().any(|paused| paused == client);
        let is_due = |lane: &Lane| lane.client == client && lane.due <= now && !is_paused;
        let Some((ticket, earlier)) = claimed else {
            let due = self.lanes.iter().find(|(_, lane)| is_due(lane));
            assert!(due.is_none(), "a lane is due and was not claimed: {due:?}");
            return;
        };
        let lane = self.calls[&ticket.id].lane.clone().unwrap();
        assert!(is_due(&self.lanes[&lane]), "a lane was claimed that is not due");
        assert_eq!(self.first_of(&lane), Some(ticket.id), "the order of lane {lane}");
        let call = self.calls.get_mut(&ticket.id).unwrap();
        assert_eq!(earlier, call.earlier(now, self.began));
        call.begin(ticket, now, self.began);
        let lane = self.lanes.get_mut(&lane).unwrap();
        (lane.holder, lane.due) = (Some(ticket.clone()), now + millis(SPANS.lease));
    }

    /// Whether a call is this holder's.
    pub(super) fn is_held(&self, ticket: &Ticket) -> bool {
        let Some(call) = self.calls.get(&ticket.id).filter(|call| call.holder.as_ref() == Some(ticket)) else {
            return false;
        };
        let lane = call.lane.as_ref().filter(|_| call.state == State::Queued);
        lane.is_none_or(|lane| self.lanes[lane].holder.as_ref() == Some(ticket))
    }

    pub(super) fn extend(&mut self, ticket: &Ticket, reply: bool, now: i64) {
        assert_eq!(reply, self.is_held(ticket), "extend of {:?}", self.calls.get(&ticket.id));
        if !reply {
            return;
        }
        let call = self.calls.get_mut(&ticket.id).unwrap();
        call.lease_until = now + millis(SPANS.lease);
        if call.state == State::Queued {
            self.lanes.get_mut(call.lane.as_ref().unwrap()).unwrap().due = call.lease_until;
        }
    }

    pub(super) fn finish(&mut self, ticket: &Ticket, end: &End, reply: bool, now: i64) {
        assert_eq!(reply, self.is_held(ticket), "finish of {:?}", self.calls.get(&ticket.id));
        if !reply {
            return;
        }
        let call = self.calls.get_mut(&ticket.id).unwrap();
        let lane = call.lane.clone().filter(|_| call.state == State::Queued);
        let mut due = now;
        match end.clone() {
            End::Free => {
                self.calls.remove(&ticket.id);
            }
            End::Again { after, .. } => {
                (call.holder, call.unfinished) = (None, call.before.0);
                call.lease_until = now;
                if call.before.0 > 0 {
                    (call.lease_until, call.last) = (call.before.1, Some(call.before.1));
                }
                due += millis(after);
            }
            End::Done { outcome } => call.close(State::Done, Some(outcome), now),
            End::Dead { outcome, .. } => call.close(State::Dead, Some(outcome), now),
            End::InDoubt { outcome, .. } => call.close(State::InDoubt, Some(outcome), now),
        }
        if let Some(lane) = lane {
            let row = self.lanes.get_mut(&lane).unwrap();
            (row.holder, row.due) = (None, due);
            self.leave(&lane);
        }
    }

    /// Puts all dead calls of a client into their lanes again.
    pub(super) fn retry(&mut self, client: &str) {
        let of_client = |call: &&mut Call| call.client.as_deref() == Some(client);
        let mut joins = Vec::new();
        for (id, call) in self.calls.iter_mut() {
            if !of_client(&call) {
                continue;
            }
            match call.state {
                State::Dead => {
                    call.unfinished = call.unfinished.min(1);
                    let lane = call.lane.clone().unwrap_or_else(|| format!("call {id}"));
                    (call.state, call.outcome, call.expires) = (State::Queued, None, None);
                    call.lane = Some(lane.clone());
                    joins.push(lane);
                }
                State::Queued => {
                    let lane = self.lanes.get_mut(call.lane.as_ref().unwrap()).unwrap();
                    if lane.holder.is_none() {
                        lane.due = 0;
                    }
                }
                _ => {}
            }
        }
        joins.iter().for_each(|lane| self.join(lane, client, 0));
    }

    /// Drops all calls of a client in this state that nobody has.
    pub(super) fn drop_calls(&mut self, client: &str, state: State, now: i64) -> u64 {
        let chosen: Vec<Uuid> = self
            .calls
            .iter()
            .filter(|(_, call)| call.client.as_deref() == Some(client) && call.state == state)
            .map(|(id, _)| *id)
            .collect();
        let mut number = 0;
        for id in chosen {
            let call = &self.calls[&id];
            let lane = call.lane.clone().filter(|_| state == State::Queued);
            let is_held = call.holder.as_ref().is_some_and(|ticket| self.is_held(ticket));
            if is_held && lane.as_ref().is_none_or(|lane| self.lanes[lane].due > now) {
                continue;
            }
            number += 1;
            let call = self.calls.get_mut(&id).unwrap();
            call.close(State::Dropped, None, now);
            call.key = None;
            if let Some(lane) = lane {
                if is_held {
                    self.lanes.get_mut(&lane).unwrap().holder = None;
                }
                self.leave(&lane);
            }
        }
        number
    }

    pub(super) fn adopt(&mut self, now: i64) -> u64 {
        let mut joins = Vec::new();
        for (id, call) in self.calls.iter_mut() {
            let Some(client) = call.client.clone() else { continue };
            if call.state == State::Running && call.lease_until <= now {
                let lane = call.lane.clone().unwrap_or_else(|| format!("call {id}"));
                (call.state, call.holder, call.lane) = (State::Queued, None, Some(lane.clone()));
                joins.push((lane, client));
            }
        }
        joins.iter().for_each(|(lane, client)| self.join(lane, client, now));
        joins.len() as u64
    }

    /// Closes what nobody can make again, deletes what is old, and mends times that lie too far ahead of a clock that may jump. How
    /// many were deleted.
    pub(super) fn expire(&mut self, now: i64, mends: bool) -> u64 {
        if mends {
            self.mend(now);
        }
        let abandoned = now - LONGEST_PAUSE;
        for call in self.calls.values_mut() {
            if call.state == State::Running && call.client.is_none() && call.lease_until <= abandoned {
                (call.state, call.holder) = (State::InDoubt, None);
                call.expires = Some(now + millis(SPANS.keep));
            }
        }
        let before = self.calls.len();
        self.calls.retain(|_, call| call.expires.is_none_or(|expires| expires > now));
        (before - self.calls.len()) as u64
    }

    fn mend(&mut self, now: i64) {
        let far = now + LONGEST_PAUSE;
        for call in self.calls.values_mut().filter(|call| matches!(call.state, State::Running | State::InDoubt)) {
            call.lease_until = if call.lease_until > far { now } else { call.lease_until };
        }
        self.lanes.values_mut().filter(|lane| lane.due > far).for_each(|lane| lane.due = now);
    }

    /// One gateway takes the place anew: the process that had it is gone.
    pub(super) fn release(&mut self, now: i64) {
        self.began = now;
        for call in self.calls.values_mut() {
            match call.state {
                State::Running | State::InDoubt => call.lease_until = call.lease_until.min(now),
                State::Queued if call.holder.is_some() => (call.holder, call.lease_until) = (None, now),
                _ => {}
            }
        }
        for lane in self.lanes.values_mut() {
            if lane.holder.is_some() || lane.due > now + LONGEST_PAUSE {
                (lane.holder, lane.due) = (None, now);
            }
        }
    }
}
