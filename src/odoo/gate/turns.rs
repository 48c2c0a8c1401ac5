//! Fair queue: the places at Odoo, given out to callers in turn.
//!
//! Each caller that waits has a FIFO of its own. A place that becomes free goes to the waiting caller that holds the fewest,
//! and among equals to the one that has waited longest for a turn (round robin). So a caller with many connections and one with a
//! single connection alternate. Calls that have begun to write have queues of their own: while both kinds wait, places go to one
//! of them and to a new call in turn, to the begun one first.
//!
//! Invariants: while a place is free, nobody waits. A place that is granted to a future which is dropped goes to the next one.
//! No lock is held across an await, or while a place is sent or dropped.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::oneshot,
    time::{self, Instant},
};

use crate::odoo::origin::Party;

/// All places, and the queue for them.
#[derive(Debug)]
pub(super) struct Turns {
    state: Mutex<State>,
    most: usize,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// How many places each caller holds; without those that hold none.
    held: HashMap<Party, usize>,
    new: Ring,
    begun: Ring,
    /// The last place that was waited for went to a call that has begun to write.
    last_was_begun: bool,
    tickets: u64,
}

/// The queues, by caller.
#[derive(Debug, Default)]
struct Ring {
    /// The callers that wait; the one whose turn comes next is the first.
    order: VecDeque<Party>,
    queues: HashMap<Party, VecDeque<Waiter>>,
    len: usize,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    tell: oneshot::Sender<Granted>,
}

/// The place, or that the queue is full and this caller fills most of it.
type Granted = Result<Place, Full>;

/// Why no place is waited for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// Why no place was had.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoPlace {
    Full,
    /// The time was over.
    TooLate,
}

/// How a call waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A call that has changed nothing yet: it waits only while fewer than this many wait.
    New { queue: usize },
    /// A call that has begun to write: it is not turned away.
    Begun,
}

/// A place at Odoo, held until it is dropped.
#[derive(Debug)]
pub struct Place {
    turns: Arc<Turns>,
    party: Party,
}

/// Takes a waiter out of its queue when its future is dropped.
struct Waiting<'t> {
    turns: &'t Turns,
    kind: Kind,
    party: Party,
    ticket: u64,
}

impl Turns {
    pub(super) fn new(places: usize) -> Arc<Self> {
        let state = State {
            free: places,
            held: HashMap::new(),
            new: Ring::default(),
            begun: Ring::default(),
            last_was_begun: false,
            tickets: 0,
        };
        Arc::new(Self { state: Mutex::new(state), most: places })
    }

    /// Waits for a place until `until` at the latest.
    ///
    /// # Errors
    ///
    /// Where the queue is full and no caller fills more of it than this one, or later on, when others come for whom this caller
    /// leaves no room; and where the time is over.
    pub(super) async fn take(self: &Arc<Self>, kind: Kind, party: Party, until: Instant) -> Result<Place, NoPlace> {
        let (ticket, mut granted) = {
            let mut state = self.lock();
            if state.free > 0 {
                state.free -= 1;
                return Ok(self.place(&mut state, party));
            }
            let evicted = match kind {
                Kind::New { queue } if state.new.len >= queue => Some(state.new.evict_for(party).ok_or(NoPlace::Full)?),
                _ => None,
            };
            state.tickets += 1;
            let (tell, granted) = oneshot::channel();
            let ticket = state.tickets;
            state.ring(kind).push(party, Waiter { ticket, tell });
            drop(state);
            // One that is no longer there has no use for it.
            let _ = evicted.map(|evicted| evicted.tell.send(Err(Full)));
            (ticket, granted)
        };
        let _waiting = Waiting { turns: self, kind, party, ticket };
        match time::timeout_at(until, &mut granted).await {
            Ok(Ok(Ok(place))) => Ok(place),
            Ok(Ok(Err(Full)) | Err(_)) => Err(NoPlace::Full),
            Err(_) => Err(NoPlace::TooLate),
        }
    }

    /// How many places are held, and how many new calls wait for one.
    pub(super) fn load(&self) -> (usize, usize) {
        let state = self.lock();
        (self.most - state.free, state.new.len)
    }

    fn place(self: &Arc<Self>, state: &mut State, party: Party) -> Place {
        *state.held.entry(party).or_default() += 1;
        Place { turns: self.clone(), party }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn ring(&mut self, kind: Kind) -> &mut Ring {
        match kind {
            Kind::New { .. } => &mut self.new,
            Kind::Begun => &mut self.begun,
        }
    }

    /// Whose turn it is.
    fn next(&mut self) -> Option<(Party, Waiter)> {
        let is_begun = match (self.begun.len, self.new.len) {
            (0, _) => false,
            (_, 0) => true,
            _ => !self.last_was_begun,
        };
        let ring = if is_begun { &mut self.begun } else { &mut self.new };
        let next = ring.pop(&self.held)?;
        self.last_was_begun = is_begun;
        Some(next)
    }

    fn let_go(&mut self, party: Party) {
        if let Some(held) = self.held.get_mut(&party) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(&party);
            }
        }
    }
}

impl Ring {
    fn push(&mut self, party: Party, waiter: Waiter) {
        let queue = self.queues.entry(party).or_default();
        if queue.is_empty() {
            self.order.push_back(party);
        }
        queue.push_back(waiter);
        self.len += 1;
    }

    /// The first of the caller that holds the fewest places; its caller's next turn comes after those of all others.
    fn pop(&mut self, held: &HashMap<Party, usize>) -> Option<(Party, Waiter)> {
        let holds = |party: &Party| held.get(party).copied().unwrap_or(0);
        // The first of several equals.
        let place = (0..self.order.len()).min_by_key(|place| holds(&self.order[*place]))?;
        let party = self.order.remove(place)?;
        let queue = self.queues.get_mut(&party)?;
        let waiter = queue.pop_front();
        if queue.is_empty() {
            self.queues.remove(&party);
        } else {
            self.order.push_back(party);
        }
        self.len -= 1;
        waiter.map(|waiter| (party, waiter))
    }

    /// The waiter that came last, of the caller with the most; none where `party` would have as many itself.
    fn evict_for(&mut self, party: Party) -> Option<Waiter> {
        let (largest, waiting) =
            self.queues.iter().map(|(party, queue)| (*party, queue.len())).max_by_key(|(_, waiting)| *waiting)?;
        let own = self.queues.get(&party).map_or(0, VecDeque::len);
        let last = self.queues.get(&largest)?.back()?.ticket;
        if waiting > own + 1 { self.remove(largest, last) } else { None }
    }

    fn remove(&mut self, party: Party, ticket: u64) -> Option<Waiter> {
        let queue = self.queues.get_mut(&party)?;
        let place = queue.iter().position(|waiter| waiter.ticket == ticket)?;
        let waiter = queue.remove(place);
        if queue.is_empty() {
            self.queues.remove(&party);
            self.order.retain(|waiting| *waiting != party);
        }
        self.len -= 1;
        waiter
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.turns.lock().ring(self.kind).remove(self.party, self.ticket);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.turns.lock();
        // While it is chosen who comes next, this caller still holds the place: it goes behind those that hold none.
        let next = state.next();
        state.let_go(self.party);
        let Some((party, waiter)) = next else {
            state.free += 1;
            return;
        };
        let place = self.turns.place(&mut state, party);
        drop(state);
        // Where the waiter is gone, the place is dropped here, and goes to the next one.
        drop(waiter.tell.send(Ok(place)));
    }
}

#[cfg(test)]
mod tests;
