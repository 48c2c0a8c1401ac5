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
    /// So many are under way side by side in a lane: half of what Odoo takes at a time. Fewer would leave its workers idle,
    /// more would make many small batches.
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
        let Some(mut told) = self.queue_up(&key, job, ticket)? else {
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

    /// Nothing where there is a place at once.
    fn queue_up(
        &self,
        key: &W::Key,
        job: impl FnOnce() -> W::Job,
        ticket: u64,
    ) -> Result<Option<oneshot::Receiver<Told<W>>>, Error> {
        let mut lane = self.lanes.entry(key.clone()).or_insert_with(Lane::empty);
        if lane.under_way < self.abreast && lane.waiting.is_empty() {
            lane.under_way += 1;
            return Ok(None);
        }
        if lane.waiting.len() >= self.queue {
            return Err(Error::Busy(Queue::Full(self.queue)));
        }
        let (tell, told) = oneshot::channel();
        lane.waiting.push_back(Waiting { ticket, job: job(), tell });
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
        let own = lane.waiting.remove(own)?;
        lane.waiting.push_front(own);
        let most = self.affordable(lane.pace);
        let taken = lane.take(most)?;
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

    /// The next who go together, the leader first; where there is none, the lane has one less under way.
    fn next(&self, ended: &Place<W>) -> Option<Vec<Waiting<W>>> {
        let Entry::Occupied(mut entry) = self.lanes.entry(ended.key.clone()) else { return None };
        let lane = entry.get_mut();
        lane.pace = ended.since.elapsed() / u32::try_from(ended.jobs.max(1)).unwrap_or(u32::MAX);
        let most = self.affordable(lane.pace);
        let taken = lane.take(most);
        if taken.is_none() {
            lane.under_way -= 1;
            if lane.under_way == 0 {
                entry.remove();
            }
        }
        taken
    }
}

impl<W: Work> Lane<W> {
    fn empty() -> Self {
        Self { under_way: 0, waiting: VecDeque::new(), pace: Duration::ZERO }
    }

    fn take(&mut self, most: usize) -> Option<Vec<Waiting<W>>> {
        // Who waits no longer.
        self.waiting.retain(|waiting| !waiting.tell.is_closed());
        let leader = self.waiting.pop_front()?;
        let mut size = W::size(&leader.job);
        let mut taken = vec![leader];
        for waiting in mem::take(&mut self.waiting) {
            let larger = size + W::size(&waiting.job);
            if larger <= most && taken.iter().all(|other| W::go_together(&other.job, &waiting.job)) {
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
        let Some(taken) = self.lanes.next(self) else { return };
        let (leader, batch) = self.lanes.batch(self.key.clone(), taken);
        // Where the leader has given up in this moment the batch is dropped: each goes alone, and the next ones follow.
        let _ = leader.map(|leader| leader.send(Told::Lead(batch)));
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
mod tests {
    use super::*;

    /// Adds numbers: the answer is the sum of all that went together.
    enum Sums {}

    impl Work for Sums {
        type Key = &'static str;
        type Job = u64;
        type Answer = u64;

        fn go_together(one: &u64, other: &u64) -> bool {
            one % 2 == other % 2
        }
    }

    fn lanes(most: usize, queue: usize) -> Arc<Lanes<Sums>> {
        Arc::new(Lanes {
            lanes: DashMap::new(),
            tickets: AtomicU64::new(0),
            abreast: 1,
            most,
            longest: Duration::from_secs(10),
            queue,
            wait: Duration::from_secs(20),
        })
    }

    /// One who adds, and takes so many seconds for it: how its turn came, and the sum.
    async fn add(lanes: &Arc<Lanes<Sums>>, number: u64, seconds: u64) -> (&'static str, u64) {
        let work = || time::sleep(Duration::from_secs(seconds));
        match lanes.turn("sum", || number, Instant::now() + Duration::from_secs(60)).await {
            Ok(Turn::First(_place)) => {
                work().await;
                ("first", number)
            }
            Ok(Turn::Lead(batch)) => {
                let Batch { place: _place, jobs, mut followers } = batch;
                followers.begin();
                work().await;
                let sum = jobs.iter().sum();
                followers.tell(jobs.iter().skip(1).map(|_| Some(sum)));
                ("led", sum)
            }
            Ok(Turn::Answer(sum)) => ("told", sum),
            Ok(Turn::Alone) => ("alone", number),
            Ok(Turn::Left) => ("left", number),
            Err(error) => (error.code(), 0),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_company_and_who_waits_goes_with_all_who_wait() {
        let lanes = lanes(100, 100);
        let all = tokio::join!(add(&lanes, 1, 1), add(&lanes, 3, 1), add(&lanes, 4, 1), add(&lanes, 5, 1));
        // The 4 is not of a kind with the others.
        assert_eq!(all, (("first", 1), ("led", 8), ("led", 4), ("told", 8)));
        assert!(lanes.lanes.is_empty());
        assert_eq!(add(&lanes, 7, 1).await, ("first", 7));
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_has_a_largest_size_and_is_smaller_where_odoo_is_slow() {
        let two = lanes(2, 100);
        let all = tokio::join!(add(&two, 1, 1), add(&two, 3, 1), add(&two, 5, 1), add(&two, 7, 1));
        assert_eq!(all, (("first", 1), ("led", 8), ("told", 8), ("led", 7)));
        let slow = lanes(100, 100);
        let all = tokio::join!(add(&slow, 1, 5), add(&slow, 3, 1), add(&slow, 5, 1), add(&slow, 7, 1));
        assert_eq!(all, (("first", 1), ("led", 8), ("told", 8), ("led", 7)));
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_waited_long_behind_a_slow_one_goes_beside_it_with_all_who_wait() {
        let lanes = lanes(100, 100);
        let started = Instant::now();
        let waits = async {
            let (one, other) = tokio::join!(add(&lanes, 3, 1), add(&lanes, 5, 1));
            ([one, other], started.elapsed())
        };
        let (slow, (mut waited, took)) = tokio::join!(add(&lanes, 1, 600), waits);
        // Whose time is over first is not said.
        waited.sort_unstable();
        assert_eq!((slow, waited, took), (("first", 1), [("led", 8), ("told", 8)], Duration::from_secs(21)));
        assert!(lanes.lanes.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_runs_out_of_time_or_finds_the_queue_full_is_sent_away() {
        let lanes = lanes(100, 1);
        let all = tokio::join!(add(&lanes, 1, 5), add(&lanes, 3, 1), add(&lanes, 5, 1));
        assert_eq!(all, (("first", 1), ("led", 3), ("too_busy", 0)));
        let hurried = Instant::now() + Duration::from_secs(1);
        let (_, hurried) = tokio::join!(add(&lanes, 1, 5), lanes.turn("sum", || 3, hurried));
        assert_eq!(hurried.err().unwrap().code(), "out_of_time");
        assert!(lanes.lanes.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_under_way_is_waited_for_however_long_it_takes() {
        let lanes = lanes(100, 100);
        let all = tokio::join!(add(&lanes, 1, 1), add(&lanes, 3, 600), add(&lanes, 5, 1));
        assert_eq!(all, (("first", 1), ("led", 8), ("told", 8)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_that_is_gone_leaves_nobody_waiting() {
        let lanes = lanes(100, 100);
        let first = add(&lanes, 1, 1);
        // Gone while it works, gone before it was told, and gone before its turn.
        let works = time::timeout(Duration::from_secs(2), add(&lanes, 3, 600));
        let (first, gone, told) = tokio::join!(first, works, add(&lanes, 5, 1));
        assert_eq!((first, gone.is_err(), told), (("first", 1), true, ("left", 5)));
        let (held, mut told) =
            (lanes.turn("sum", || 1, Instant::now()).await.ok(), lanes.queue_up(&"sum", || 3, 0).unwrap());
        let (_, other) = tokio::join!(
            async {
                drop(held);
                told = None
            },
            add(&lanes, 5, 1)
        );
        assert!(told.is_none() && other.0 != "left", "{other:?}");
        let (_, gone, other) = tokio::join!(
            add(&lanes, 1, 5),
            time::timeout(Duration::from_secs(1), add(&lanes, 3, 1)),
            add(&lanes, 5, 1)
        );
        assert_eq!((gone.is_err(), other), (true, ("led", 5)));
        assert!(lanes.lanes.is_empty());
    }
}
