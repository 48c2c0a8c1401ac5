//! Natural batching: whoever comes while others are under way waits, and goes together with all who wait as soon as one of
//! those has ended. Where nothing is under way nobody waits, so that a lone caller pays nothing for it; and behind one that is
//! slow nobody waits for long, but goes beside it.
//!
//! A lane is for those whose jobs can be done as one. One of those who go together leads: it does the work of all and tells
//! each what came of its own. What must stay true: a lane is there for as long as somebody is in it; everybody who waits is
//! told something or finds that its leader is gone; and what was not begun can be done by each alone.

use std::{
    collections::VecDeque,
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
    sync::oneshot,
    time::{self, Instant},
};

use super::error::{Error, Queue};
use crate::config;

/// A batch is not made larger than what Odoo has lately done in this part of the time that one call may take, so that many
/// slow jobs do not become one that is never answered.
const PART: u32 = 10;

/// What goes by a kind of lane.
pub(super) trait Work {
    /// Jobs of the same key may become one.
    type Key: Hash + Eq + Clone;
    type Job;
    type Answer;
    /// So many jobs are worth a further call to Odoo, beside those that are under way; fewer wait for one of them to end.
    const WORTH_A_CALL: usize = usize::MAX;

    /// What a job counts towards the largest batch.
    fn size(_job: &Self::Job) -> usize {
        1
    }

    /// Whether two jobs of the same key may go together after all.
    fn go_together(_one: &Self::Job, _other: &Self::Job) -> bool {
        true
    }
}

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

struct Lane<W: Work> {
    under_way: usize,
    waiting: VecDeque<Waiting<W>>,
    /// How long Odoo took for each job of those that ended last.
    pace: Duration,
}

struct Waiting<W: Work> {
    ticket: u64,
    job: W::Job,
    tell: oneshot::Sender<Told<W>>,
}

/// What one who has queued up waits for, if it has to; and who go because it came.
type Queued<W> = (Option<oneshot::Receiver<Told<W>>>, Option<Vec<Waiting<W>>>);

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
        let (told, begun) = self.queue_up(&key, job, ticket)?;
        self.send_off(&key, begun);
        let Some(mut told) = told else {
            return Ok(Turn::First(Place { lanes: self.clone(), key, jobs: 1, since: Instant::now() }));
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

    /// Nothing to wait for where nobody is in the way; and the batch that goes now that there is one more.
    fn queue_up(&self, key: &W::Key, job: impl FnOnce() -> W::Job, ticket: u64) -> Result<Queued<W>, Error> {
        let mut lane = self.lanes.entry(key.clone()).or_insert_with(Lane::empty);
        if lane.under_way == 0 {
            lane.under_way = 1;
            return Ok((None, None));
        }
        if lane.waiting.len() >= self.queue {
            return Err(Error::Busy(Queue::Full(self.queue)));
        }
        let (tell, told) = oneshot::channel();
        lane.waiting.push_back(Waiting { ticket, job: job(), tell });
        let most = self.affordable(lane.pace);
        Ok((Some(told), lane.begin(self.abreast, most)))
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
        let own = lane.waiting.remove(own)?;
        lane.waiting.push_front(own);
        let most = self.affordable(lane.pace);
        let taken = lane.take(most, usize::MAX)?;
        lane.under_way += 1;
        drop(lane);
        Some(self.batch(key.clone(), taken).1)
    }

    /// How many jobs of this pace may go together.
    fn affordable(&self, pace: Duration) -> usize {
        let affordable = self.longest.as_nanos() / pace.as_nanos().max(1);
        self.most.min(usize::try_from(affordable).unwrap_or(usize::MAX))
    }

    /// Who leads is told of the batch.
    fn batch(self: &Arc<Self>, key: W::Key, taken: Vec<Waiting<W>>) -> (Option<oneshot::Sender<Told<W>>>, Batch<W>) {
        let size = taken.iter().map(|waiting| W::size(&waiting.job)).sum();
        let place = Place { lanes: self.clone(), key, jobs: size, since: Instant::now() };
        let (jobs, waiting): (Vec<_>, Vec<_>) = taken.into_iter().map(|waiting| (waiting.job, waiting.tell)).unzip();
        let mut waiting = waiting.into_iter();
        let leader = waiting.next();
        (leader, Batch { place, jobs, followers: Followers { waiting: waiting.collect(), has_begun: false } })
    }

    /// One less is under way: the batches that go instead.
    fn end(&self, ended: &Place<W>) -> Vec<Vec<Waiting<W>>> {
        let Entry::Occupied(mut entry) = self.lanes.entry(ended.key.clone()) else { return Vec::new() };
        let lane = entry.get_mut();
        lane.pace = ended.since.elapsed() / u32::try_from(ended.jobs.max(1)).unwrap_or(u32::MAX);
        lane.under_way -= 1;
        let most = self.affordable(lane.pace);
        let begun = std::iter::from_fn(|| lane.begin(self.abreast, most)).collect();
        if lane.under_way == 0 {
            entry.remove();
        }
        begun
    }

    fn send_off(self: &Arc<Self>, key: &W::Key, begun: impl IntoIterator<Item = Vec<Waiting<W>>>) {
        for taken in begun {
            let (leader, batch) = self.batch(key.clone(), taken);
            // Where the leader has given up in this moment the batch is dropped: each goes alone, and the next ones follow.
            let _ = leader.map(|leader| leader.send(Told::Lead(batch)));
        }
    }
}

impl<W: Work> Lane<W> {
    fn empty() -> Self {
        Self { under_way: 0, waiting: VecDeque::new(), pace: Duration::ZERO }
    }

    /// The next who go, where it is their time; then one more is under way.
    fn begin(&mut self, abreast: usize, most: usize) -> Option<Vec<Waiting<W>>> {
        // Who waits no longer.
        self.waiting.retain(|waiting| !waiting.tell.is_closed());
        let (waiting, free) = (self.waiting.len(), abreast.saturating_sub(self.under_way));
        if self.under_way > 0 && (free == 0 || waiting < W::WORTH_A_CALL) {
            return None;
        }
        // Where they are worth a call for each place, none is left idle.
        let is_many = waiting / free.max(1) >= W::WORTH_A_CALL;
        let taken = self.take(most, if is_many { waiting.div_ceil(free) } else { waiting })?;
        self.under_way += 1;
        Some(taken)
    }

    /// Those in front who go together, the leader first: so many at most, and no larger.
    fn take(&mut self, most: usize, share: usize) -> Option<Vec<Waiting<W>>> {
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
        Some(taken)
    }
}

impl<W: Work> Drop for Place<W> {
    fn drop(&mut self) {
        let begun = self.lanes.end(self);
        self.lanes.send_off(&self.key, begun);
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
