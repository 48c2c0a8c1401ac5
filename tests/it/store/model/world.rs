//! A history: gateways with workers, a target that they write to, people, and time.

use std::{collections::BTreeMap, time::Duration};

use fastrand::Rng;
use odoo_gateway::store::{Accepted, Clock, Earlier, End, Error, Filter, NewCall, Place, State, Store, Ticket};
use sqlx::AnyConnection;
use uuid::Uuid;

use super::{
    ground::{Ground, clear, set_fault, wrong_lanes},
    reference::{Reference, millis},
};
use crate::store::{BEGIN, SPANS};

/// A write arrives within this time after it was sent, or never.
const LONGEST_REQUEST: i64 = 120_000;
const DAY: i64 = 86_400_000;
/// A worker gives up a call that ended so often without a word.
const POISON: u32 = 3;

/// What histories have met.
#[derive(Debug, Default)]
pub(super) struct Tally {
    calls: usize,
    writes: usize,
    late: usize,
    settled: usize,
    failed: usize,
    restarts: usize,
    jumps: usize,
    dropped: u64,
    retried: u64,
    adopted: u64,
}

impl Tally {
    pub(super) fn is_varied(&self) -> bool {
        let counts = [self.calls, self.writes, self.late, self.settled, self.failed, self.jumps];
        counts.iter().all(|count| *count > 0)
            && [self.dropped, self.retried, self.adopted].iter().all(|count| *count > 0)
    }
}

/// A call that a worker has, or believes to have.
#[derive(Debug, Clone)]
struct Hold {
    ticket: Ticket,
    in_lane: bool,
    earlier: Option<Earlier>,
    /// The time of the world, not of the clock, at which it was taken.
    taken: i64,
    /// It may write until this time of the world.
    may_write: i64,
    has_sent: bool,
}

/// One history.
pub(super) struct World<'g> {
    seed: u64,
    ground: &'g Ground,
    store: Option<Store>,
    raw: AnyConnection,
    clock: Clock,
    /// The time that passes for everybody, however the clock of the store is set.
    time: i64,
    rng: Rng,
    fault: bool,
    reference: Reference,
    holds: Vec<Hold>,
    /// When writes of a call arrive at the target.
    arrivals: BTreeMap<Uuid, Vec<i64>>,
    clients: [String; 2],
}

impl<'g> World<'g> {
    pub(super) async fn new(seed: u64, ground: &'g Ground) -> Self {
        let clock = Clock::virtual_at(BEGIN);
        let mut reference = Reference::default();
        if ground.is_of_one_gateway() {
            reference.release(BEGIN);
        }
        Self {
            seed,
            ground,
            store: Some(ground.open(&clock).await),
            raw: ground.raw().await,
            clock,
            time: 0,
            rng: Rng::with_seed(seed),
            fault: false,
            reference,
            holds: Vec::new(),
            arrivals: BTreeMap::new(),
            clients: [format!("shop {seed}"), format!("warehouse {seed}")],
        }
    }

    pub(super) async fn history(mut self, tally: &mut Tally) {
        // Printed where a panic ends it.
        let named = Named(self.seed);
        for _ in 0..self.rng.usize(30..120) {
            self.step(tally).await;
        }
        self.set_fault(None).await;
        for client in self.clients.clone() {
            self.pause(&client, false).await;
        }
        self.drain(tally).await;
        self.check_end().await;
        clear(&mut self.raw).await;
        tally.calls += self.reference.calls.len();
        tally.writes += self.arrivals.len();
        std::mem::forget(named);
    }

    async fn step(&mut self, tally: &mut Tally) {
        match self.rng.u8(0..100) {
            0..20 => self.accept(tally).await,
            20..65 => self.work(tally).await,
            65..78 => self.pass(),
            78..81 => self.adopt(tally).await,
            81..84 => self.expire().await,
            84..87 => self.retry(tally).await,
            87..90 => self.drop_calls(tally).await,
            90..92 => {
                let client = self.client();
                let pauses = self.rng.bool();
                self.pause(&client, pauses).await;
            }
            92..94 => self.restart(tally).await,
            94..96 => self.jump(tally),
            _ => {
                let fault = self.rng.bool().then(|| self.rng.usize(0..6));
                self.set_fault(fault).await;
            }
        }
        if self.rng.u8(0..10) == 0 {
            self.check_lanes().await;
        }
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    fn now(&self) -> i64 {
        self.clock.now()
    }

    fn client(&mut self) -> String {
        self.clients[self.rng.usize(0..2)].clone()
    }

    /// What the store replied; nothing where a statement was made to fail.
    #[track_caller]
    fn unless_failed<T>(&self, reply: Result<T, Error>, tally: &mut Tally) -> Option<T> {
        match reply {
            Ok(reply) => Some(reply),
            Err(error) => {
                assert!(self.fault, "{error}");
                tally.failed += 1;
                None
            }
        }
    }

    async fn set_fault(&mut self, at: Option<usize>) {
        self.fault = at.is_some();
        set_fault(&mut self.raw, at).await;
    }

    async fn accept(&mut self, tally: &mut Tally) {
        let client = self.client();
        let place = match self.rng.u8(0..3) {
            0 => Place::AtOnce,
            _ => Place::Lane(format!("{client} {}", self.rng.u8(0..3))),
        };
        let has_account = matches!(place, Place::Lane(_)) || self.rng.bool();
        let call = NewCall {
            id: Uuid::now_v7(),
            caller: format!("caller {}", self.seed),
            client: has_account.then(|| client.clone()),
            key: (self.rng.u8(0..4) > 0).then(|| format!("key {}", self.rng.u8(0..24))),
            digest: [u8::from(self.rng.u8(0..10) == 0); 32],
            route: "create_data".to_owned(),
            model: "res.partner".to_owned(),
            request: b"{}".to_vec(),
            place,
            keep: None,
            delivery: None,
        };
        let takes_over = self.rng.bool();
        let reply = self.store().accept(call.clone(), takes_over).await;
        let Some(reply) = self.unless_failed(reply, tally) else { return };
        let now = self.now();
        self.reference.accept(&call, takes_over, &reply, now);
        let (ticket, earlier) = match reply {
            Accepted::New(Some(ticket)) => (ticket, None),
            Accepted::TakenOver { ticket, earlier } => (ticket, Some(earlier)),
            _ => return,
        };
        self.hold(ticket, earlier, false);
    }

    fn hold(&mut self, ticket: Ticket, earlier: Option<Earlier>, in_lane: bool) {
        let (taken, may_write) = (self.time, self.time + millis(SPANS.lease));
        self.holds.push(Hold { ticket, in_lane, earlier, taken, may_write, has_sent: false });
    }

    async fn claim(&mut self, client: &str, tally: &mut Tally) {
        let claimed = self.store().claim(client).await;
        let Some(claimed) = self.unless_failed(claimed, tally) else { return };
        let now = self.now();
        self.reference.claim(client, claimed.as_ref().map(|claimed| (&claimed.ticket, claimed.earlier)), now);
        if let Some(claimed) = claimed {
            assert_eq!((claimed.client.as_str(), &claimed.request[..]), (client, &b"{}"[..]));
            self.hold(claimed.ticket, claimed.earlier, true);
        }
    }

    /// A worker takes a call, goes on with its own, hangs, or dies.
    async fn work(&mut self, tally: &mut Tally) {
        if self.holds.is_empty() || self.rng.u8(0..3) == 0 {
            let client = self.client();
            return self.claim(&client, tally).await;
        }
        let at = self.rng.usize(0..self.holds.len());
        match self.rng.u8(0..10) {
            0 => drop(self.holds.swap_remove(at)),
            1 => {}
            2..4 => drop(self.extend(at, tally).await),
            _ => self.go_on(at, tally).await,
        }
    }

    /// Whether the lease was extended; a worker whose lease is gone forgets its call.
    async fn extend(&mut self, at: usize, tally: &mut Tally) -> Option<bool> {
        let ticket = self.holds[at].ticket.clone();
        let reply = self.store().extend(&ticket).await;
        let is_held = self.unless_failed(reply, tally)?;
        let now = self.now();
        self.reference.extend(&ticket, is_held, now);
        if is_held {
            self.holds[at].may_write = self.time + millis(SPANS.lease);
        } else {
            tally.late += 1;
            self.holds.swap_remove(at);
        }
        Some(is_held)
    }

    async fn go_on(&mut self, at: usize, tally: &mut Tally) {
        let id = self.holds[at].ticket.id;
        let has_arrived = self.arrivals.get(&id).is_some_and(|times| times.iter().any(|time| *time <= self.time));
        if self.holds[at].has_sent || has_arrived {
            if !self.holds[at].has_sent {
                tally.settled += 1;
            }
            let end = match has_arrived && self.rng.u8(0..5) > 0 {
                true => done(),
                false => self.unclear(at),
            };
            return self.finish(at, end, tally).await;
        }
        let hold = &self.holds[at];
        if let Some(earlier) = hold.earlier {
            let since = millis(earlier.since_last) + self.time - hold.taken;
            if since < LONGEST_REQUEST || earlier.unfinished >= POISON {
                if earlier.unfinished < POISON && self.rng.bool() {
                    // It waits, with a heartbeat.
                    self.extend(at, tally).await;
                    return;
                }
                let end = self.unclear(at);
                return self.finish(at, end, tally).await;
            }
        }
        // The lease may have been extended a while ago, as a heartbeat does it.
        let must_ask = self.time >= self.holds[at].may_write || self.rng.bool();
        if must_ask && self.extend(at, tally).await != Some(true) {
            return;
        }
        match self.rng.u8(0..10) {
            0..6 => {
                let sent = match self.rng.u8(0..3) {
                    0 => self.time + self.rng.i64(1..=LONGEST_REQUEST),
                    _ => self.time,
                };
                // Some are lost on the way.
                if self.rng.u8(0..10) > 0 {
                    self.arrive(id, sent);
                }
                self.holds[at].has_sent = true;
            }
            6..8 => {
                let end = match self.holds[at].in_lane || self.rng.bool() {
                    true => End::Dead { outcome: b"refused".to_vec(), error: "no_match".to_owned() },
                    false => End::Free,
                };
                self.finish(at, end, tally).await;
            }
            _ => {
                let end = again(self.rng.u64(0..1_200));
                self.finish(at, end, tally).await;
            }
        }
    }

    fn arrive(&mut self, id: Uuid, at: i64) {
        let times = self.arrivals.entry(id).or_default();
        times.push(at);
        assert_eq!(times.len(), 1, "call {id} was written twice");
    }

    /// How an attempt ends where it is not known whether the call was written. One that has sent a write itself is not tried again
    /// before a person has looked.
    fn unclear(&mut self, at: usize) -> End {
        let Hold { in_lane, has_sent, .. } = self.holds[at];
        match in_lane && !has_sent && self.rng.u8(0..4) > 0 {
            true => again(60),
            false => End::InDoubt { outcome: b"?".to_vec(), error: "outcome_unknown".to_owned() },
        }
    }

    async fn finish(&mut self, at: usize, end: End, tally: &mut Tally) {
        let ticket = self.holds[at].ticket.clone();
        let reply = self.store().finish(&ticket, end.clone(), None).await;
        let Some(is_held) = self.unless_failed(reply, tally) else { return };
        let now = self.now();
        self.reference.finish(&ticket, &end, is_held, now);
        tally.late += usize::from(!is_held);
        self.holds.swap_remove(at);
    }

    fn pass(&mut self) {
        let most = [2_000, 20_000, 40_000, 200_000, 4_000_000][self.rng.usize(0..5)];
        let millis = self.rng.i64(0..most);
        self.pass_by(millis);
    }

    fn pass_by(&mut self, millis: i64) {
        self.time += millis;
        self.clock.set(self.now() + millis);
    }

    /// The clock of what gateways share is set by a day, while no write is under way. Workers notice when they ask for their lease.
    /// That of one gateway never jumps while it runs.
    fn jump(&mut self, tally: &mut Tally) {
        if self.ground.is_of_one_gateway() {
            return;
        }
        if self.arrivals.values().flatten().all(|time| *time <= self.time) {
            tally.jumps += 1;
            self.clock.set(self.now() + if self.rng.bool() { DAY } else { -DAY });
            self.holds.iter_mut().for_each(|hold| hold.may_write = 0);
        }
    }

    /// The gateway dies and comes back, perhaps by another clock. Its writes arrive all the same.
    async fn restart(&mut self, tally: &mut Tally) {
        self.holds.clear();
        if !self.ground.is_of_one_gateway() {
            return;
        }
        self.set_fault(None).await;
        tally.restarts += 1;
        let by = [0, 0, DAY, -DAY, 1_000, -600_000][self.rng.usize(0..6)];
        tally.jumps += usize::from(by.abs() == DAY);
        self.clock.set(self.now() + by);
        self.store = None;
        self.store = Some(self.ground.open(&self.clock).await);
        let now = self.now();
        self.reference.release(now);
    }

    async fn adopt(&mut self, tally: &mut Tally) {
        let reply = self.store().adopt().await;
        let Some(number) = self.unless_failed(reply, tally) else { return };
        let now = self.now();
        assert_eq!(number, self.reference.adopt(now));
        tally.adopted += number;
    }

    async fn expire(&mut self) {
        let reply = self.store().expire().await;
        let Some(number) = self.unless_failed(reply, &mut Tally::default()) else { return };
        let now = self.now();
        assert_eq!(number, self.reference.expire(now, !self.ground.is_of_one_gateway()));
    }

    async fn retry(&mut self, tally: &mut Tally) {
        let client = self.client();
        let reply = self.store().retry(&of(&client, None)).await;
        let Some(number) = self.unless_failed(reply, tally) else { return };
        self.reference.retry(&client);
        tally.retried += number;
    }

    async fn drop_calls(&mut self, tally: &mut Tally) {
        let client = self.client();
        let state = [State::Dead, State::Queued, State::InDoubt][self.rng.usize(0..3)];
        let reply = self.store().drop_calls(&of(&client, Some(state))).await;
        let Some(number) = self.unless_failed(reply, tally) else { return };
        let now = self.now();
        assert_eq!(number, self.reference.drop_calls(&client, state, now));
        tally.dropped += number;
    }

    async fn pause(&mut self, client: &str, pauses: bool) {
        let was_paused = self.reference.paused.iter().any(|paused| paused == client);
        let changed = self.store().pause(client, pauses.then_some("a person")).await.unwrap();
        assert_eq!(changed, was_paused != pauses);
        self.reference.paused.retain(|paused| paused != client);
        if pauses {
            self.reference.paused.push(client.to_owned());
        }
    }

    /// All faults are over: whatever is open comes to an end.
    async fn drain(&mut self, tally: &mut Tally) {
        for round in 0.. {
            let open = |call: &&super::reference::Call| matches!(call.state, State::Queued | State::Running);
            let left: Vec<_> = self.reference.calls.values().filter(open).collect();
            if left.is_empty() {
                return;
            }
            assert!(round < 400, "blocked for ever: {left:?} in {:?}", self.reference.lanes);
            self.adopt(tally).await;
            self.expire().await;
            for client in self.clients.clone() {
                self.claim(&client, tally).await;
            }
            for at in (0..self.holds.len()).rev() {
                self.go_on(at, tally).await;
            }
            self.pass_by(61_000);
        }
    }

    async fn check_lanes(&mut self) {
        let wrong = wrong_lanes(&mut self.raw).await;
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    /// What the store knows is what it should know, and each end is true.
    async fn check_end(&mut self) {
        self.check_lanes().await;
        for (id, call) in &self.reference.calls {
            let found = self.store().find(*id).await.unwrap().unwrap_or_else(|| panic!("{id} is lost: {call:?}"));
            assert_eq!((found.state, found.attempts, &found.lane), (call.state, call.attempts, &call.lane));
            let writes = self.arrivals.get(id).map_or(0, Vec::len);
            match call.state {
                State::Done => assert_eq!(writes, 1, "{call:?}"),
                State::Dead => assert_eq!(writes, 0, "{call:?}"),
                State::InDoubt | State::Dropped => assert!(writes <= 1),
                State::Running | State::Queued => panic!("{call:?} is open"),
            }
        }
    }
}

fn of(client: &str, state: Option<State>) -> Filter {
    Filter { client: Some(client.to_owned()), states: state.into_iter().collect(), ..Filter::default() }
}

fn done() -> End {
    End::Done { outcome: b"done".to_vec() }
}

fn again(seconds: u64) -> End {
    End::Again { after: Duration::from_secs(seconds), error: "odoo_unreachable".to_owned() }
}

/// Says which history it was, where one fails.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        eprintln!("it was the history of STORE_SEED={}", self.0);
    }
}
