//! One lane: who waits in it, and when they go.
//!
//! What goes to Odoo together costs less than the same one by one, so a lane remembers how many have lately been in it at a
//! time. Those who were just answered come back soon, most of them, and one who comes first waits for the others: a small
//! part of the time that their last batch took. Who comes where nobody has been goes at once.

use std::{collections::VecDeque, mem, time::Duration};

use tokio::time::Instant;

use super::{Waiting, Work};

/// Fewer are no crowd, and nobody waits for them.
const CROWD: f64 = 4.0;
/// With each batch, this part of those who have not come back is forgotten.
const FORGET: f64 = 1.0 / 16.0;
/// How long one waits for the others of a crowd, in parts of the time that Odoo took for the last batch. Not for long where
/// nothing is under way; longer where something is, whose share they are then; and where one call goes at a time those who
/// miss it wait for all of it, so that waiting for them costs little.
const GATHER: u32 = 8;
const GATHER_LONG: u32 = 2;
/// And for no longer than this where nothing is under way.
const MOST_GATHER: Duration = Duration::from_millis(50);
/// A crowd that has not been here for so long is forgotten.
const STALE: Duration = Duration::from_secs(1);

pub(super) struct Lane<W: Work> {
    /// Batches at which Odoo is, and their jobs.
    under_way: usize,
    jobs: usize,
    pub(super) waiting: VecDeque<Waiting<W>>,
    /// How long Odoo took for each job of those that ended last.
    pub(super) pace: Duration,
    /// How many have lately been here at a time.
    crowd: f64,
    /// How long the last batch took, and when it ended.
    took: Duration,
    since: Instant,
    gathering_until: Option<Instant>,
}

/// How many batches may be under way side by side, and how large each may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) abreast: usize,
    pub(super) most: usize,
}

/// Batches that go, the leader of each first; and until when those who are left wait for others to come back.
pub(super) struct Next<W: Work> {
    pub(super) go: Vec<Vec<Waiting<W>>>,
    pub(super) gather_until: Option<Instant>,
}

impl<W: Work> Lane<W> {
    pub(super) fn empty() -> Self {
        Self {
            under_way: 0,
            jobs: 0,
            waiting: VecDeque::new(),
            pace: Duration::ZERO,
            crowd: 0.0,
            took: Duration::ZERO,
            since: Instant::now(),
            gathering_until: None,
        }
    }

    /// One who comes has nobody to wait for, and is under way.
    pub(super) fn goes_first(&mut self) -> bool {
        if self.is_left() {
            self.crowd = 0.0;
        }
        let is_first = self.is_idle() && self.crowd < CROWD;
        if is_first {
            (self.under_way, self.jobs) = (1, 1);
            self.note_present();
        }
        is_first
    }

    fn present(&self) -> f64 {
        u32::try_from(self.jobs + self.waiting.len()).unwrap_or(u32::MAX).into()
    }

    fn note_present(&mut self) {
        self.crowd = self.crowd.max(self.present());
    }

    /// One more waits: those whose time it is now.
    pub(super) fn add(&mut self, waiting: Waiting<W>, room: Room) -> Next<W> {
        self.waiting.push_back(waiting);
        self.note_present();
        self.step(room, false)
    }

    /// A batch of so many jobs has ended.
    pub(super) fn end(&mut self, jobs: usize, size: usize, took: Duration) {
        self.crowd -= self.crowd * FORGET;
        self.note_present();
        self.under_way -= 1;
        self.jobs -= jobs;
        self.pace = took / u32::try_from(size.max(1)).unwrap_or(u32::MAX);
        (self.took, self.since) = (took, Instant::now());
    }

    /// Those whose time it is when a batch has ended.
    pub(super) fn ended(&mut self, room: Room) -> Next<W> {
        // Who had to wait for all of a call has waited enough.
        self.step(room, !W::SIDE_BY_SIDE)
    }

    /// Nobody waits any longer for those who have not come back; most of them may be gone.
    pub(super) fn gathered(&mut self, until: Instant, room: Room) -> Next<W> {
        let is_due = self.gathering_until.take_if(|gathering| *gathering == until).is_some();
        if is_due {
            self.crowd = self.crowd.midpoint(self.present());
        }
        self.step(room, is_due)
    }

    /// Those whose time it is; where it is `due`, with whoever is here.
    fn step(&mut self, room: Room, due: bool) -> Next<W> {
        // Who waits no longer.
        self.waiting.retain(|waiting| !waiting.tell.is_closed());
        let worth = self.worth(room.abreast);
        let is_crowd = self.crowd >= CROWD;
        let mut due = due || !is_crowd;
        let mut next = Next { go: Vec::new(), gather_until: None };
        while self.has_place(room) && (due || self.waiting.len() >= worth) {
            next.go.extend(self.take(room.most, if W::SIDE_BY_SIDE { worth } else { usize::MAX }));
            due = !is_crowd;
        }
        if self.has_place(room) {
            let until = Instant::now() + self.gathers_for();
            if self.gathering_until.is_none_or(|gathering| until < gathering) {
                self.gathering_until = Some(until);
                next.gather_until = Some(until);
            }
        }
        next
    }

    /// Somebody waits who could go.
    fn has_place(&self, room: Room) -> bool {
        !self.waiting.is_empty() && self.under_way < if W::SIDE_BY_SIDE { room.abreast } else { 1 }
    }

    fn gathers_for(&self) -> Duration {
        match (self.under_way, W::SIDE_BY_SIDE) {
            (0, true) => MOST_GATHER.min(self.took / GATHER),
            (0, false) => MOST_GATHER.min(self.took / GATHER_LONG),
            _ => self.took / GATHER_LONG,
        }
    }

    /// So many of the crowd are worth a call: all, or an equal share where several calls go side by side.
    fn worth(&self, abreast: usize) -> usize {
        let crowd = self.crowd.ceil() as usize;
        if W::SIDE_BY_SIDE { crowd.div_ceil(abreast) } else { crowd }
    }

    /// Those in front who go together, the leader first: so many at most, and no larger. They are under way now.
    pub(super) fn take(&mut self, most: usize, share: usize) -> Option<Vec<Waiting<W>>> {
        let leader = self.waiting.pop_front()?;
        let mut size = W::size(&leader.job);
        let mut taken = vec![leader];
        for waiting in mem::take(&mut self.waiting) {
            let larger = size + W::size(&waiting.job);
            if taken.len() < share
                && larger <= most
                && taken.iter().all(|other| W::go_together(&other.job, &waiting.job))
            {
                size = larger;
                taken.push(waiting);
            } else {
                self.waiting.push_back(waiting);
            }
        }
        self.under_way += 1;
        self.jobs += taken.len();
        self.gathering_until = None;
        Some(taken)
    }

    fn is_idle(&self) -> bool {
        self.under_way == 0 && self.waiting.is_empty()
    }

    /// Somebody is in it, or a crowd may come back.
    pub(super) fn is_worth_keeping(&self) -> bool {
        !self.is_idle() || self.crowd >= CROWD
    }

    /// Nobody has been here for a while.
    pub(super) fn is_left(&self) -> bool {
        self.is_idle() && self.since.elapsed() > STALE
    }
}
