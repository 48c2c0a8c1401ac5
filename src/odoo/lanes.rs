//! Natural batching: whoever comes while others are under way waits, and goes together with all who wait as soon as one of
//! those has ended. Where nothing is under way nobody waits, so that a lone caller pays nothing for it, unless a crowd that was
//! here a moment ago is coming back; and behind one that is slow nobody waits for long, but goes beside it.
//!
//! A lane is for those whose jobs can be done as one. One of those who go together leads: it does the work of all and tells
//! each what came of its own. What must stay true: a lane is there for as long as somebody is in it; everybody who waits is
//! told something or finds that its leader is gone; and what was not begun can be done by each alone.

mod lane;

use std::{
    fmt,
    hash::Hash,
    mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use dashmap::{DashMap, Entry};
use tokio::{
    runtime::Handle,
    sync::oneshot,
    time::{self, Instant},
};

use self::lane::{Lane, Next, Room};
use super::error::{Error, Queue};
use crate::config;

/// A batch is not made larger than what Odoo has lately done in this part of the time that one call may take, so that many
/// slow jobs do not become one that is never answered.
const PART: u32 = 10;

/// What goes by a kind of lane.
pub(super) trait Work: 'static {
    /// Jobs of the same key may become one.
    type Key: Hash + Eq + Clone + Send + Sync + 'static;
    type Job: Send + Sync + 'static;
    type Answer: Send + 'static;
    /// Several batches may be under way side by side, instead of one at a time.
    const SIDE_BY_SIDE: bool = false;

    /// What a job counts towards the largest batch.
    fn size(_job: &Self::Job) -> usize {
        1
    }

    /// Whether two jobs of the same key may go together after all.
    fn go_together(_one: &Self::Job, _other: &Self::Job) -> bool {
        true
    }
}

/// Beyond so many lanes, those are given up where nobody has been for a while.
const MOST_LANES: usize = 256;

/// All lanes of one kind.
pub(super) struct Lanes<W: Work> {
    lanes: DashMap<W::Key, Lane<W>>,
    tickets: AtomicU64,
    /// So many batches may be under way side by side in a lane: half of what Odoo takes at a time.
    abreast: usize,
    /// The largest batch, and the longest that it should take.
    most: usize,
    longest: Duration,
    queue: usize,
    /// For so long one waits for those before it.
    wait: Duration,
}

struct Waiting<W: Work> {
    ticket: u64,
    job: W::Job,
    tell: oneshot::Sender<Told<W>>,
}

/// What one who waits is told.
enum Told<W: Work> {
    Lead(Batch<W>),
    Answer(W::Answer),
    Alone,
}

/// How one's turn came.
pub(super) enum Turn<W: Work> {
    /// Nobody was in the way. The place is held until one's own job is done.
    First(Place<W>),
    /// To do the jobs of all who waited, the own one among them.
    Lead(Batch<W>),
    /// Another one has done it.
    Answer(W::Answer),
    /// Another one would have done it, and has not.
    Alone,
    /// Another one was doing it and is gone; what became of it is not known.
    Left,
}

/// A place in a lane. When it is given back, those who wait go.
pub(super) struct Place<W: Work> {
    lanes: Arc<Lanes<W>>,
    key: W::Key,
    jobs: usize,
    size: usize,
    since: Instant,
}

/// Jobs that go together, before they are begun.
pub(super) struct Batch<W: Work> {
    pub(super) place: Place<W>,
    /// The leader's is the first.
    pub(super) jobs: Vec<W::Job>,
    pub(super) followers: Followers<W>,
}

/// The others of a batch, in the order of their jobs. Who is told nothing goes alone, until [`Followers::begin`].
pub(super) struct Followers<W: Work> {
    waiting: Vec<oneshot::Sender<Told<W>>>,
    has_begun: bool,
}

impl<W: Work> Lanes<W> {
    pub(super) fn build(config: &config::Upstream) -> Arc<Self> {
        Arc::new(Self {
            lanes: DashMap::new(),
            tickets: AtomicU64::new(0),
            abreast: usize::from(config.max_in_flight.get()).div_ceil(2),
            most: usize::from(config.batch_max.get()),
            longest: config.timeout / PART,
            queue: config.queue,
            wait: config.batch_wait,
        })
    }

    /// Waits for one's turn, until `until` at the latest; what another one has begun is waited for in any case.
    pub(super) async fn turn(
        self: &Arc<Self>,
        key: W::Key,
        job: impl FnOnce() -> W::Job,
        until: Instant,
    ) -> Result<Turn<W>, Error> {
        let ticket = self.tickets.fetch_add(1, Relaxed);
        let Some(mut told) = self.queue_up(&key, job, ticket)? else {
            return Ok(Turn::First(Place { lanes: self.clone(), key, jobs: 1, size: 1, since: Instant::now() }));
        };
        let patience = Instant::now() + self.wait;
        let told = match time::timeout_at(patience.min(until), &mut told).await {
            Ok(told) => told,
            Err(_) if until <= patience && self.give_up(&key, ticket) => return Err(Error::OutOfTime),
            Err(_) => match self.go_beside(&key, ticket) {
                Some(batch) => return Ok(Turn::Lead(batch)),
                // Another one has taken it along.
                None => told.await,
            },
        };
        Ok(match told {
            Ok(Told::Lead(batch)) => Turn::Lead(batch),
            Ok(Told::Answer(answer)) => Turn::Answer(answer),
            Ok(Told::Alone) => Turn::Alone,
            Err(_) => Turn::Left,
        })
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.lanes.iter().map(|lane| lane.waiting.len()).sum()
    }

    /// What one waits for; none where nobody is in the way.
    fn queue_up(
        self: &Arc<Self>,
        key: &W::Key,
        job: impl FnOnce() -> W::Job,
        ticket: u64,
    ) -> Result<Option<oneshot::Receiver<Told<W>>>, Error> {
        let mut lane = self.lanes.entry(key.clone()).or_insert_with(Lane::empty);
        if lane.goes_first() {
            return Ok(None);
        }
        if lane.waiting.len() >= self.queue {
            return Err(Error::Busy(Queue::Full(self.queue)));
        }
        let (tell, told) = oneshot::channel();
        let room = self.room(&lane);
        let next = lane.add(Waiting { ticket, job: job(), tell }, room);
        drop(lane);
        self.follow(key, next);
        Ok(Some(told))
    }

    /// Takes one who waits out of the queue; false where another one has taken it along already.
    fn give_up(&self, key: &W::Key, ticket: u64) -> bool {
        let Some(mut lane) = self.lanes.get_mut(key) else { return false };
        let own = lane.waiting.iter().position(|waiting| waiting.ticket == ticket);
        own.is_some_and(|own| lane.waiting.remove(own).is_some())
    }

    /// Takes one who waits out of the queue, with all who may go together with it: beside those that are under way.
    fn go_beside(self: &Arc<Self>, key: &W::Key, ticket: u64) -> Option<Batch<W>> {
        let mut lane = self.lanes.get_mut(key)?;
        let own = lane.waiting.iter().position(|waiting| waiting.ticket == ticket)?;
        lane.waiting.swap(0, own);
        let Room { most, .. } = self.room(&lane);
        let taken = lane.take(most, usize::MAX)?;
        drop(lane);
        Some(self.batch(key.clone(), taken).1)
    }

    fn room(&self, lane: &Lane<W>) -> Room {
        let affordable = self.longest.as_nanos() / lane.pace.as_nanos().max(1);
        Room { abreast: self.abreast, most: self.most.min(usize::try_from(affordable).unwrap_or(usize::MAX)) }
    }

    /// Who leads is told of the batch.
    fn batch(self: &Arc<Self>, key: W::Key, taken: Vec<Waiting<W>>) -> (Option<oneshot::Sender<Told<W>>>, Batch<W>) {
        let size = taken.iter().map(|waiting| W::size(&waiting.job)).sum();
        let place = Place { lanes: self.clone(), key, jobs: taken.len(), size, since: Instant::now() };
        let (jobs, waiting): (Vec<_>, Vec<_>) = taken.into_iter().map(|waiting| (waiting.job, waiting.tell)).unzip();
        let mut waiting = waiting.into_iter();
        let leader = waiting.next();
        (leader, Batch { place, jobs, followers: Followers { waiting: waiting.collect(), has_begun: false } })
    }

    /// One less is under way: others may go instead.
    fn end(self: &Arc<Self>, ended: &Place<W>) {
        let Entry::Occupied(mut entry) = self.lanes.entry(ended.key.clone()) else { return };
        let lane = entry.get_mut();
        lane.end(ended.jobs, ended.size, ended.since.elapsed());
        let room = self.room(lane);
        let next = lane.ended(room);
        if !lane.is_worth_keeping() {
            entry.remove();
            return;
        }
        drop(entry);
        self.follow(&ended.key, next);
        if self.lanes.len() > MOST_LANES {
            self.lanes.retain(|_, lane| !lane.is_left());
        }
    }

    /// Those who go are told, and those who wait for others to come back do that for no longer than they should.
    fn follow(self: &Arc<Self>, key: &W::Key, next: Next<W>) {
        for taken in next.go {
            let (leader, batch) = self.batch(key.clone(), taken);
            // Where the leader has given up in this moment the batch is dropped: each goes alone, and the next ones follow.
            let _ = leader.map(|leader| leader.send(Told::Lead(batch)));
        }
        // Without a runtime everything ends, and nobody waits.
        if let (Some(until), Ok(runtime)) = (next.gather_until, Handle::try_current()) {
            let (lanes, key) = (self.clone(), key.clone());
            runtime.spawn(async move {
                time::sleep_until(until).await;
                let Some(mut lane) = lanes.lanes.get_mut(&key) else { return };
                let room = lanes.room(&lane);
                let next = lane.gathered(until, room);
                drop(lane);
                // All may have given up.
                lanes.lanes.remove_if(&key, |_, lane| !lane.is_worth_keeping());
                lanes.follow(&key, next);
            });
        }
    }
}

impl<W: Work> Place<W> {
    /// Others wait for this place to be given back.
    pub(super) fn is_waited_for(&self) -> bool {
        self.lanes.lanes.get(&self.key).is_some_and(|lane| !lane.waiting.is_empty())
    }
}

impl<W: Work> Drop for Place<W> {
    fn drop(&mut self) {
        self.lanes.end(self);
    }
}

impl<W: Work> Followers<W> {
    /// From here on, who is told nothing does not know what became of its job.
    pub(super) fn begin(&mut self) {
        self.has_begun = true;
    }

    /// Tells each its answer; none where it is to go alone.
    pub(super) fn tell(mut self, answers: impl IntoIterator<Item = Option<W::Answer>>) {
        for (waiting, answer) in mem::take(&mut self.waiting).into_iter().zip(answers) {
            // One that is no longer there has no use for it.
            let _ = waiting.send(answer.map_or(Told::Alone, Told::Answer));
        }
    }
}

impl<W: Work> Drop for Followers<W> {
    fn drop(&mut self) {
        for waiting in mem::take(&mut self.waiting).into_iter().filter(|_| !self.has_begun) {
            let _ = waiting.send(Told::Alone);
        }
    }
}

impl<W: Work> fmt::Debug for Lanes<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lanes").field("open", &self.lanes.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
