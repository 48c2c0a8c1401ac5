//! A simulated Odoo and its callers, on which the limit is tested: deterministic, and without a clock.
//!
//! Callers send one RPC after another. Those that have no place yet wait in the gateway. Odoo has a number of workers, or threads
//! without number; those that are busy share the machine's speed. What finds no worker waits in the backlog.

use std::collections::VecDeque;

use super::{Adaptive, How, Kind, Seconds};

/// The way between gateway and Odoo, and what the gateway does between two RPCs of a caller.
const WAY: Seconds = 0.000_5;
const PAUSE: Seconds = 0.001;

/// How often the limit is told that time passes.
const TICK: Seconds = 0.25;

/// RPCs of one kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sort {
    /// The time that Odoo works on one, for itself and for each item.
    pub(super) fixed: Seconds,
    pub(super) each: Seconds,
    /// How often, beside the others.
    pub(super) share: f64,
}

/// What everyday load consists of: searches, reads, creates, orders, and one RPC in two thousand that takes 20 s.
pub(super) const MIXED: &[Sort] = &[
    Sort { fixed: 0.0, each: 0.005, share: 60.0 },
    Sort { fixed: 0.0, each: 0.015, share: 25.0 },
    Sort { fixed: 0.0, each: 0.080, share: 12.0 },
    Sort { fixed: 0.0, each: 0.600, share: 2.5 },
    Sort { fixed: 0.0, each: 20.0, share: 0.03 },
];

#[derive(Debug, Clone, Copy)]
pub(super) struct Odoo {
    /// How many RPCs it works on at a time.
    pub(super) workers: usize,
    /// The speed of the whole machine by how many are worked on.
    pub(super) speed: fn(f64) -> f64,
    /// By what factor everything takes longer.
    pub(super) slowness: f64,
    /// Beyond this number, a proxy refuses.
    pub(super) refuses_above: usize,
    /// How many RPCs of people in their browsers it works on besides, all the time.
    pub(super) people: usize,
}

impl Odoo {
    pub(super) fn with_workers(workers: usize) -> Self {
        Self { workers, speed: |busy| busy, slowness: 1.0, refuses_above: usize::MAX, people: 0 }
    }

    /// Threads share the interpreter; while one waits for PostgreSQL, others work. Many of them hinder each other.
    pub(super) fn with_threads() -> Self {
        let speed = |busy: f64| busy.min(1.5 - 0.5 / busy) / (1.0 + 0.004 * busy);
        Self { workers: usize::MAX, speed, ..Self::with_workers(0) }
    }
}

/// What decides on how many are sent at a time.
#[derive(Debug)]
pub(super) enum Control {
    Fixed(usize),
    Auto(Box<Adaptive>),
}

#[derive(Debug, Clone, Copy)]
struct Rpc {
    caller: usize,
    is_of_people: bool,
    sort: usize,
    items: usize,
    chance: f64,
    sent: Seconds,
    /// What Odoo still has to do.
    left: Seconds,
    is_refused: bool,
}

#[derive(Debug)]
pub(super) struct Simulation {
    pub(super) now: Seconds,
    pub(super) odoo: Odoo,
    pub(super) control: Control,
    pub(super) mix: &'static [Sort],
    /// Calls of one kind that wait go together, in half as many batches as RPCs may be sent.
    pub(super) batches: bool,
    /// The RPCs that were answered; of batches, each call.
    pub(super) answered: usize,
    pub(super) refused: usize,
    callers: usize,
    seed: u64,
    number: u64,
    random: fastrand::Rng,
    /// Callers that will send, and when.
    paused: Vec<(Seconds, usize)>,
    waiting: VecDeque<Rpc>,
    on_the_way: Vec<(Seconds, Rpc)>,
    backlog: VecDeque<Rpc>,
    worked_on: Vec<Rpc>,
    coming_back: Vec<(Seconds, Rpc)>,
    in_flight: usize,
    linger_until: Seconds,
    tick_at: Seconds,
}

impl Simulation {
    pub(super) fn new(odoo: Odoo, control: Control, callers: usize, seed: u64) -> Self {
        let mut new = Self {
            now: 0.0,
            odoo,
            control,
            mix: MIXED,
            batches: false,
            answered: 0,
            refused: 0,
            callers,
            seed,
            number: 0,
            random: fastrand::Rng::with_seed(seed),
            paused: (0..callers).map(|caller| (0.0, caller)).collect(),
            waiting: VecDeque::new(),
            on_the_way: Vec::new(),
            backlog: VecDeque::new(),
            worked_on: Vec::new(),
            coming_back: Vec::new(),
            in_flight: 0,
            linger_until: 0.0,
            tick_at: 0.0,
        };
        for _ in 0..odoo.people {
            let rpc = new.rpc(usize::MAX, true);
            new.backlog.push_back(rpc);
        }
        new
    }

    pub(super) fn limit(&self) -> usize {
        match &self.control {
            Control::Fixed(limit) => *limit,
            Control::Auto(limit) => limit.limit(),
        }
    }

    pub(super) fn kept(&self) -> usize {
        match &self.control {
            Control::Fixed(limit) => *limit,
            Control::Auto(limit) => limit.kept(),
        }
    }

    /// Goes on for this time; gives the number of answers in a second.
    pub(super) fn run(&mut self, span: Seconds) -> f64 {
        let (until, before) = (self.now + span, self.answered);
        while self.now < until {
            if self.now >= self.tick_at {
                self.tick_at = self.now + TICK;
                if let Control::Auto(limit) = &mut self.control {
                    limit.tick(self.now);
                }
            }
            self.send();
            self.start_work();
            self.step(until);
        }
        (self.answered - before) as f64 / span
    }

    /// The next RPC. Its kind and what Odoo has to do are those of its number, so that all controls get the same ones.
    fn rpc(&mut self, caller: usize, is_of_people: bool) -> Rpc {
        self.number += 1;
        self.random = fastrand::Rng::with_seed(self.seed.wrapping_add(self.number).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut at = self.random.f64() * self.mix.iter().map(|sort| sort.share).sum::<f64>();
        let sort = self.mix.iter().position(|sort| {
            at -= sort.share;
            at < 0.0
        });
        let sort = sort.unwrap_or(0);
        let chance = self.chance();
        let left = self.mix[sort].each * chance;
        Rpc { caller, is_of_people, sort, items: 1, chance, sent: 0.0, left, is_refused: false }
    }

    /// From half to twice as long as usual, and one in a hundred five times as long.
    fn chance(&mut self) -> f64 {
        let sum: f64 = (0..6).map(|_| self.random.f64()).sum();
        let usual = ((sum - 3.0) * 0.6).exp();
        if self.random.u8(..) < 3 { 5.0 * usual } else { usual }
    }

    fn send(&mut self) {
        loop {
            let limit = self.limit();
            let running = self.in_flight;
            let most = if self.batches { limit.div_ceil(2) } else { limit };
            if running >= most {
                break;
            }
            let target = self.callers.div_ceil(most);
            if self.batches && self.waiting.len() < target && self.now < self.linger_until {
                break;
            }
            let Some(mut rpc) = self.waiting.pop_front() else { break };
            if self.batches {
                let others = (target - 1).min(self.waiting.len());
                rpc.items += others;
                let joined: Vec<usize> = self.waiting.drain(..others).map(|other| other.caller).collect();
                // They send again when the batch has ended; until then they are nowhere.
                self.joined(rpc.caller, joined);
            }
            let sort = self.mix[rpc.sort];
            // The chances of many items are near their mean together.
            let chance = 1.0 + (rpc.chance - 1.0) / (rpc.items as f64).sqrt();
            rpc.left = (sort.fixed + sort.each * rpc.items as f64) * chance * self.odoo.slowness;
            rpc.sent = self.now;
            rpc.is_refused = running + 1 > self.odoo.refuses_above;
            self.in_flight += 1;
            let waits = !self.waiting.is_empty();
            if let Control::Auto(limit) = &mut self.control {
                limit.begun(self.now, waits);
            }
            let queue = if rpc.is_refused { &mut self.coming_back } else { &mut self.on_the_way };
            queue.push((self.now + WAY, rpc));
        }
    }

    fn joined(&mut self, _leader: usize, joined: Vec<usize>) {
        // Callers are alike, so that it does not matter which of them comes back.
        self.paused.extend(joined.into_iter().map(|caller| (f64::INFINITY, caller)));
    }

    fn start_work(&mut self) {
        while self.worked_on.len() < self.odoo.workers
            && let Some(rpc) = self.backlog.pop_front()
        {
            self.worked_on.push(rpc);
        }
    }

    /// Goes to the next event.
    fn step(&mut self, until: Seconds) {
        let busy = self.worked_on.len() as f64;
        let rate = if busy > 0.0 { (self.odoo.speed)(busy) / busy } else { 0.0 };
        let done = self.worked_on.iter().map(|rpc| self.now + rpc.left / rate).fold(f64::INFINITY, f64::min);
        let moments = [&self.on_the_way, &self.coming_back];
        let moved = moments.into_iter().flatten().map(|(at, _)| *at).fold(f64::INFINITY, f64::min);
        let back = self.paused.iter().map(|(at, _)| *at).fold(f64::INFINITY, f64::min);
        let lingered = if self.linger_until > self.now { self.linger_until } else { f64::INFINITY };
        let next = done.min(moved).min(back).min(lingered).min(until).min(self.tick_at).max(self.now);
        for rpc in &mut self.worked_on {
            rpc.left -= (next - self.now) * rate;
        }
        self.now = next;
        for rpc in extract(&mut self.on_the_way, |(at, _)| *at <= next) {
            self.backlog.push_back(rpc.1);
        }
        for rpc in extract(&mut self.worked_on, |rpc| rpc.left <= 1e-9) {
            if rpc.is_of_people {
                let mut next = self.rpc(usize::MAX, true);
                next.left *= self.odoo.slowness;
                self.backlog.push_back(next);
            } else {
                self.coming_back.push((next + WAY, rpc));
            }
        }
        for (_, rpc) in extract(&mut self.coming_back, |(at, _)| *at <= next) {
            self.end(rpc);
        }
        for (_, caller) in extract(&mut self.paused, |(at, _)| *at <= next) {
            if caller < self.callers {
                let rpc = self.rpc(caller, false);
                self.waiting.push_back(rpc);
            }
        }
    }

    fn end(&mut self, rpc: Rpc) {
        self.in_flight -= 1;
        self.linger_until = self.now + 0.5 * (self.now - rpc.sent);
        self.refused += usize::from(rpc.is_refused);
        if !rpc.is_refused {
            self.answered += rpc.items;
        }
        let waits = !self.waiting.is_empty();
        let is_full = self.batches && rpc.items > 1 && self.in_flight + 1 >= self.limit().div_ceil(2);
        if let Control::Auto(limit) = &mut self.control {
            if is_full {
                limit.held_back(self.now, self.now + (self.now - rpc.sent));
            }
            let items = u32::try_from(rpc.items).unwrap_or(u32::MAX);
            let how = if rpc.is_refused { How::Refused } else { How::Answered(Kind(rpc.sort as u64), items) };
            limit.ended(self.now, waits, rpc.sent, how);
        }
        // Those that were in its batch send again, too.
        let mut others = rpc.items - 1;
        for (at, _) in &mut self.paused {
            if others > 0 && at.is_infinite() {
                *at = self.now + PAUSE;
                others -= 1;
            }
        }
        self.paused.push((self.now + PAUSE, rpc.caller));
    }
}

fn extract<T>(list: &mut Vec<T>, is_due: impl Fn(&T) -> bool) -> Vec<T> {
    let (due, rest) = std::mem::take(list).into_iter().partition(|item| is_due(item));
    *list = rest;
    due
}
