//! Fair queue: hands out the permits for requests to Odoo, round robin between flows.
//!
//! A flow is the unit of fairness ([`Flow`]); each waiting flow has a FIFO queue of its own. A permit that becomes free goes to
//! the waiting flow that holds the fewest permits, and among equals to the flow whose turn is longest ago (round robin). So a
//! caller with many connections and a caller with a single connection alternate. Calls that have begun to write have queues of
//! their own: while both kinds wait, permits go alternately to a begun and to a new call, to the begun one first. Of both kinds,
//! calls that are delivered from the queue of the store come after those of callers who wait.
//!
//! Invariants: no waiter exists while a permit is free. A permit that is granted to a dropped future goes to the next waiter.
//! No lock is held across an await, or while a permit is sent or dropped.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use parking_lot::{Mutex, MutexGuard};
use tokio::{
    sync::oneshot,
    time::{self, Instant},
};

use crate::odoo::transport::origin::Flow;

/// The permits, and the queues of those that wait for one.
#[derive(Debug)]
pub(super) struct FairQueue {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The number of permits. More than this may be in use after it was reduced.
    max: usize,
    in_use: usize,
    /// The number of permits that each flow holds. Flows without permits have no entry.
    held: HashMap<Flow, usize>,
    new: RoundRobin,
    begun: RoundRobin,
    /// The last permit that was waited for went to a call that has begun to write.
    last_was_begun: bool,
    tickets: u64,
}

/// The queues of one priority, by flow.
#[derive(Debug, Default)]
struct RoundRobin {
    /// The flows that wait; the next turn is that of the first.
    order: VecDeque<Flow>,
    queues: HashMap<Flow, VecDeque<Waiter>>,
    len: usize,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    reply: oneshot::Sender<Granted>,
}

/// The permit, or the eviction from a queue of which this flow fills the largest part.
type Granted = Result<Permit, Evicted>;

/// The waiter was removed from a full queue to make room for another flow.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Evicted;

/// Why no permit was granted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    QueueFull,
    TimedOut,
}

/// Which of the two kinds of queues a call waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Priority {
    /// A call that has not changed anything yet. It is queued only while fewer than `max_waiting` calls wait.
    New { max_waiting: usize },
    /// A call that has begun to write. It is always queued.
    Begun,
}

/// The right to one request at a time, released when it is dropped.
#[derive(Debug)]
pub struct Permit {
    queue: Arc<FairQueue>,
    flow: Flow,
}

/// Removes a waiter from its queue when its future is dropped.
struct Queued<'t> {
    queue: &'t FairQueue,
    priority: Priority,
    flow: Flow,
    ticket: u64,
}

impl FairQueue {
    pub(super) fn new(permits: usize) -> Arc<Self> {
        let state = State {
            max: permits,
            in_use: 0,
            held: HashMap::new(),
            new: RoundRobin::default(),
            begun: RoundRobin::default(),
            last_was_begun: false,
            tickets: 0,
        };
        Arc::new(Self { state: Mutex::new(state) })
    }

    /// Waits for a permit until `until` at the latest.
    ///
    /// # Errors
    /// [`Refusal::QueueFull`] where the queue is full and no flow fills more of it than this one, or later, when the waiter is
    /// evicted to make room for another flow. [`Refusal::TimedOut`] at `until`.
    pub(super) async fn acquire(
        self: &Arc<Self>,
        priority: Priority,
        flow: Flow,
        until: Instant,
    ) -> Result<Permit, Refusal> {
        let (ticket, mut granted) = {
            let mut state = self.lock();
            if state.in_use < state.max {
                state.in_use += 1;
                return Ok(self.grant(&mut state, flow));
            }
            let evicted = match priority {
                Priority::New { max_waiting } if state.new.len >= max_waiting => {
                    Some(state.new.evict_for(flow).ok_or(Refusal::QueueFull)?)
                }
                _ => None,
            };
            state.tickets += 1;
            let (reply, granted) = oneshot::channel();
            let ticket = state.tickets;
            state.queues(priority).push(flow, Waiter { ticket, reply });
            drop(state);
            // The receiver may have been dropped meanwhile.
            let _ = evicted.map(|evicted| evicted.reply.send(Err(Evicted)));
            (ticket, granted)
        };
        let _queued = Queued { queue: self, priority, flow, ticket };
        match time::timeout_at(until, &mut granted).await {
            Ok(Ok(Ok(permit))) => Ok(permit),
            Ok(Ok(Err(Evicted)) | Err(_)) => Err(Refusal::QueueFull),
            Err(_) => Err(Refusal::TimedOut),
        }
    }

    /// The number of permits held, and of new calls that wait for one.
    pub(super) fn load(&self) -> (usize, usize) {
        let state = self.lock();
        (state.in_use, state.new.len)
    }

    /// Whether anybody waits for a permit.
    pub(super) fn is_waited_for(&self) -> bool {
        let state = self.lock();
        state.new.len + state.begun.len > 0
    }

    /// Changes the number of permits. Additional ones go to the waiters; surplus ones end as they are released.
    pub(super) fn resize(self: &Arc<Self>, permits: usize) {
        let mut granted = Vec::new();
        let mut state = self.lock();
        state.max = permits;
        while state.in_use < state.max
            && let Some((flow, waiter)) = state.next()
        {
            state.in_use += 1;
            granted.push((waiter, self.grant(&mut state, flow)));
        }
        drop(state);
        for (waiter, permit) in granted {
            drop(waiter.reply.send(Ok(permit)));
        }
    }

    fn grant(self: &Arc<Self>, state: &mut State, flow: Flow) -> Permit {
        *state.held.entry(flow).or_default() += 1;
        Permit { queue: self.clone(), flow }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl State {
    fn queues(&mut self, priority: Priority) -> &mut RoundRobin {
        match priority {
            Priority::New { .. } => &mut self.new,
            Priority::Begun => &mut self.begun,
        }
    }

    /// Removes and returns the waiter whose turn it is.
    fn next(&mut self) -> Option<(Flow, Waiter)> {
        let is_begun = match (self.begun.len, self.new.len) {
            (0, _) => false,
            (_, 0) => true,
            _ => !self.last_was_begun,
        };
        let queues = if is_begun { &mut self.begun } else { &mut self.new };
        let next = queues.pop(&self.held)?;
        self.last_was_begun = is_begun;
        Some(next)
    }

    fn release(&mut self, flow: Flow) {
        if let Some(held) = self.held.get_mut(&flow) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(&flow);
            }
        }
    }
}

impl RoundRobin {
    fn push(&mut self, flow: Flow, waiter: Waiter) {
        let queue = self.queues.entry(flow).or_default();
        if queue.is_empty() {
            self.order.push_back(flow);
        }
        queue.push_back(waiter);
        self.len += 1;
    }

    /// The first waiter of the flow that holds the fewest permits; of queued calls, only where no other flow waits. The flow goes
    /// to the end of the order.
    fn pop(&mut self, held: &HashMap<Flow, usize>) -> Option<(Flow, Waiter)> {
        let holds = |flow: &Flow| held.get(flow).copied().unwrap_or(0);
        // `min_by_key` gives the first of several equals.
        let next = (0..self.order.len()).min_by_key(|at| (self.order[*at].is_of_queue(), holds(&self.order[*at])))?;
        let flow = self.order.remove(next)?;
        let queue = self.queues.get_mut(&flow)?;
        let waiter = queue.pop_front();
        if queue.is_empty() {
            self.queues.remove(&flow);
        } else {
            self.order.push_back(flow);
        }
        self.len -= 1;
        waiter.map(|waiter| (flow, waiter))
    }

    /// Removes the newest waiter of the flow with the most waiters; none where `flow` would then have as many itself.
    fn evict_for(&mut self, flow: Flow) -> Option<Waiter> {
        let (largest, waiting) =
            self.queues.iter().map(|(flow, queue)| (*flow, queue.len())).max_by_key(|(_, waiting)| *waiting)?;
        let own = self.queues.get(&flow).map_or(0, VecDeque::len);
        let last = self.queues.get(&largest)?.back()?.ticket;
        if waiting > own + 1 { self.remove(largest, last) } else { None }
    }

    fn remove(&mut self, flow: Flow, ticket: u64) -> Option<Waiter> {
        let queue = self.queues.get_mut(&flow)?;
        let at = queue.iter().position(|waiter| waiter.ticket == ticket)?;
        let waiter = queue.remove(at);
        if queue.is_empty() {
            self.queues.remove(&flow);
            self.order.retain(|waiting| *waiting != flow);
        }
        self.len -= 1;
        waiter
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.queue.lock().queues(self.priority).remove(self.flow, self.ticket);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        // The next waiter is chosen while this flow still counts as a holder, so that flows without permits go first.
        let next = if state.in_use <= state.max { state.next() } else { None };
        state.release(self.flow);
        let Some((flow, waiter)) = next else {
            state.in_use -= 1;
            return;
        };
        let permit = self.queue.grant(&mut state, flow);
        drop(state);
        // If the receiver was dropped, the permit is dropped here and goes to the next waiter.
        drop(waiter.reply.send(Ok(permit)));
    }
}

#[cfg(test)]
mod tests;
