//! Natural batching: jobs that arrive while Odoo works on others with the same key are sent together when it has answered.
//!
//! Each key has a queue ([`KeyQueue`]). A job whose queue is idle starts at once, so that a single caller pays nothing; other
//! jobs wait until a running batch ends. The first job of a batch is its leader: its caller makes one RPC for all jobs and
//! sends each follower its own result. Under a steady load of many callers, a batch also lingers for a moment, so that callers
//! that have just been answered can join it. A job that has waited for `[upstream] batch_wait` becomes the leader of a batch
//! beside the running ones.
//!
//! Invariants: a queue exists while a job of its key waits or runs. Every waiting job gets a reply, or learns that its leader
//! is gone. A job that no RPC was begun for can be sent by its own caller alone.

mod key_queue;

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

use self::key_queue::{KeyQueue, Limits, Ready};
use crate::{
    config,
    odoo::{
        model::error::{Error, Queue},
        transport::concurrency_limit::UpstreamLimit,
    },
};

/// A batch holds no more jobs than Odoo has lately done in this part of the request time-out, so that many slow jobs do not
/// become one request that times out.
const PART_OF_TIMEOUT: u32 = 10;
/// Beyond this number of queues, idle ones are removed.
const MAX_QUEUES: usize = 256;

/// A kind of jobs that can be batched.
pub(in crate::odoo) trait BatchKind: 'static {
    /// Only jobs with equal keys can share a batch.
    type Key: Hash + Eq + Clone + Send + Sync + 'static;
    type Job: Send + Sync + 'static;
    type Answer: Send + 'static;
    /// Several batches with the same key may run at the same time.
    const CONCURRENT: bool = false;

    /// How much a job adds to the size of its batch.
    fn size(_job: &Self::Job) -> usize {
        1
    }

    /// Whether two jobs with the same key can share a batch.
    fn may_share(_one: &Self::Job, _other: &Self::Job) -> bool {
        true
    }
}

/// The queues of one kind of jobs.
pub(in crate::odoo) struct Batcher<K: BatchKind> {
    queues: DashMap<K::Key, KeyQueue<K>>,
    tickets: AtomicU64,
    /// Half of its permits is the number of concurrent batches per key.
    limit: Arc<UpstreamLimit>,
    max_size: usize,
    /// How long a batch should take at most.
    max_duration: Duration,
    max_waiting: usize,
    /// How long a job waits for running batches.
    max_wait: Duration,
}

/// A job that waits for a batch.
struct Waiting<K: BatchKind> {
    ticket: u64,
    job: K::Job,
    reply: oneshot::Sender<Reply<K>>,
}

/// The message that ends a wait.
enum Reply<K: BatchKind> {
    Lead(Batch<K>),
    Answer(K::Answer),
    Single,
    Rejoin,
}

/// How a job is to be done.
pub(in crate::odoo) enum Dispatch<K: BatchKind> {
    /// Alone and at once. The slot is held until the job is done.
    Immediate(Slot<K>),
    /// As the leader, which does all jobs of the batch.
    Lead(Batch<K>),
    /// It has been done by a leader.
    Answered(K::Answer),
    /// Alone: the leader has not begun it.
    Single,
    /// The leader had begun it and is gone. The outcome is unknown.
    Abandoned,
}

/// The right to run one batch. The next batch of the queue starts when the slot is dropped.
pub(in crate::odoo) struct Slot<K: BatchKind> {
    batcher: Arc<Batcher<K>>,
    key: K::Key,
    jobs: usize,
    size: usize,
    since: Instant,
}

/// The jobs of a batch that has not begun.
pub(in crate::odoo) struct Batch<K: BatchKind> {
    pub(in crate::odoo) slot: Slot<K>,
    /// The job of the leader is the first.
    pub(in crate::odoo) jobs: Vec<K::Job>,
    pub(in crate::odoo) followers: Followers<K>,
}

/// The other callers of a batch, in the order of their jobs. When it is dropped, the callers without an answer do their jobs
/// alone; after [`Followers::begin`] the outcome of their jobs is unknown.
pub(in crate::odoo) struct Followers<K: BatchKind> {
    waiting: Vec<oneshot::Sender<Reply<K>>>,
    has_begun: bool,
}

impl<K: BatchKind> Batcher<K> {
    pub(in crate::odoo) fn build(config: &config::Upstream, limit: &Arc<UpstreamLimit>) -> Arc<Self> {
        Arc::new(Self {
            queues: DashMap::new(),
            tickets: AtomicU64::new(0),
            limit: limit.clone(),
            max_size: usize::from(config.batch_max.get()),
            max_duration: config.timeout / PART_OF_TIMEOUT,
            max_waiting: config.queue,
            max_wait: config.batch_wait,
        })
    }

    /// Adds a job and waits until it is to be done or has been done, until `until` at the latest. A job that a leader has taken
    /// is waited for in any case.
    ///
    /// # Errors
    /// [`Error::Busy`] where the queue is full, [`Error::OutOfTime`] at `until`.
    pub(in crate::odoo) async fn join(
        self: &Arc<Self>,
        key: K::Key,
        job: impl Fn() -> K::Job,
        until: Instant,
    ) -> Result<Dispatch<K>, Error> {
        loop {
            let dispatch = self.join_once(key.clone(), &job, until).await?;
            match dispatch {
                Some(dispatch) => return Ok(dispatch),
                None if Instant::now() < until => {}
                None => return Err(Error::OutOfTime),
            }
        }
    }

    /// As [`Self::join`]; none where the leader had no time to do the jobs of its batch.
    async fn join_once(
        self: &Arc<Self>,
        key: K::Key,
        job: impl FnOnce() -> K::Job,
        until: Instant,
    ) -> Result<Option<Dispatch<K>>, Error> {
        let ticket = self.tickets.fetch_add(1, Relaxed);
        let Some(mut reply) = self.enqueue(&key, job, ticket)? else {
            let slot = Slot { batcher: self.clone(), key, jobs: 1, size: 1, since: Instant::now() };
            return Ok(Some(Dispatch::Immediate(slot)));
        };
        let deadline = Instant::now() + self.max_wait;
        let reply = match time::timeout_at(deadline.min(until), &mut reply).await {
            Ok(reply) => reply,
            Err(_) if until <= deadline && self.withdraw(&key, ticket) => return Err(Error::OutOfTime),
            Err(_) => match self.lead_beside(&key, ticket) {
                Some(batch) => return Ok(Some(Dispatch::Lead(batch))),
                // A leader has taken it meanwhile.
                None => reply.await,
            },
        };
        Ok(Some(match reply {
            Ok(Reply::Lead(batch)) => Dispatch::Lead(batch),
            Ok(Reply::Answer(answer)) => Dispatch::Answered(answer),
            Ok(Reply::Single) => Dispatch::Single,
            Ok(Reply::Rejoin) => return Ok(None),
            Err(_) => Dispatch::Abandoned,
        }))
    }

    /// The number of waiting jobs.
    pub(in crate::odoo) fn waiting(&self) -> usize {
        self.queues.iter().map(|queue| queue.waiting.len()).sum()
    }

    /// Queues a job; none where it can start at once.
    fn enqueue(
        self: &Arc<Self>,
        key: &K::Key,
        job: impl FnOnce() -> K::Job,
        ticket: u64,
    ) -> Result<Option<oneshot::Receiver<Reply<K>>>, Error> {
        let mut queue = self.queues.entry(key.clone()).or_insert_with(KeyQueue::empty);
        if queue.try_start() {
            return Ok(None);
        }
        if queue.waiting.len() >= self.max_waiting {
            return Err(Error::Busy(Queue::Full(self.max_waiting)));
        }
        let (reply, receiver) = oneshot::channel();
        let limits = self.limits(&queue);
        let ready = queue.add(Waiting { ticket, job: job(), reply }, limits);
        drop(queue);
        self.start(key, ready);
        Ok(Some(receiver))
    }

    /// Removes a waiting job; false where a leader has taken it already.
    fn withdraw(&self, key: &K::Key, ticket: u64) -> bool {
        let Some(mut queue) = self.queues.get_mut(key) else { return false };
        let own = queue.waiting.iter().position(|waiting| waiting.ticket == ticket);
        own.is_some_and(|own| queue.waiting.remove(own).is_some())
    }

    /// Makes a waiting job the leader of a batch beside the running ones; none where a leader has taken it already.
    fn lead_beside(self: &Arc<Self>, key: &K::Key, ticket: u64) -> Option<Batch<K>> {
        let mut queue = self.queues.get_mut(key)?;
        let own = queue.waiting.iter().position(|waiting| waiting.ticket == ticket)?;
        queue.waiting.swap(0, own);
        let Limits { max_size, .. } = self.limits(&queue);
        let taken = queue.take(max_size, usize::MAX)?;
        drop(queue);
        Some(self.batch(key.clone(), taken).1)
    }

    fn limits(&self, queue: &KeyQueue<K>) -> Limits {
        let affordable = self.max_duration.as_nanos() / queue.time_per_job.as_nanos().max(1);
        let max_size = self.max_size.min(usize::try_from(affordable).unwrap_or(usize::MAX));
        Limits { max_concurrent: self.limit.permits().div_ceil(2), max_size }
    }

    /// The batch of these jobs, and the channel to its leader.
    fn batch(self: &Arc<Self>, key: K::Key, taken: Vec<Waiting<K>>) -> (Option<oneshot::Sender<Reply<K>>>, Batch<K>) {
        let size = taken.iter().map(|waiting| K::size(&waiting.job)).sum();
        let slot = Slot { batcher: self.clone(), key, jobs: taken.len(), size, since: Instant::now() };
        let (jobs, replies): (Vec<_>, Vec<_>) = taken.into_iter().map(|waiting| (waiting.job, waiting.reply)).unzip();
        let mut replies = replies.into_iter();
        let leader = replies.next();
        (leader, Batch { slot, jobs, followers: Followers { waiting: replies.collect(), has_begun: false } })
    }

    /// Ends a batch and starts those that can run in its place.
    fn end(self: &Arc<Self>, ended: &Slot<K>) {
        let Entry::Occupied(mut entry) = self.queues.entry(ended.key.clone()) else { return };
        let queue = entry.get_mut();
        let (limits, took) = (self.limits(queue), ended.since.elapsed());
        if ended.jobs > 1 && queue.is_full(limits) {
            self.limit.hold_back(took);
        }
        queue.end(ended.jobs, ended.size, took);
        let limits = self.limits(queue);
        let ready = queue.after_end(limits);
        if !queue.is_worth_keeping() {
            entry.remove();
            return;
        }
        drop(entry);
        self.start(&ended.key, ready);
        if self.queues.len() > MAX_QUEUES {
            self.queues.retain(|_, queue| !queue.is_stale());
        }
    }

    /// Hands the batches to their leaders, and sets the timer of a batch that lingers.
    fn start(self: &Arc<Self>, key: &K::Key, ready: Ready<K>) {
        for taken in ready.batches {
            let (leader, batch) = self.batch(key.clone(), taken);
            // If the leader has just given up, the batch is dropped: each job is done alone, and the next batch starts.
            let _ = leader.map(|leader| leader.send(Reply::Lead(batch)));
        }
        // Without a runtime the process is about to end.
        if let (Some(until), Ok(runtime)) = (ready.linger_until, Handle::try_current()) {
            let (batcher, key) = (self.clone(), key.clone());
            runtime.spawn(async move {
                time::sleep_until(until).await;
                let Some(mut queue) = batcher.queues.get_mut(&key) else { return };
                let limits = batcher.limits(&queue);
                let ready = queue.linger_ended(until, limits);
                drop(queue);
                // All waiting jobs may have been given up.
                batcher.queues.remove_if(&key, |_, queue| !queue.is_worth_keeping());
                batcher.start(&key, ready);
            });
        }
    }
}

impl<K: BatchKind> Slot<K> {
    /// Whether other jobs wait for this slot.
    pub(in crate::odoo) fn has_waiters(&self) -> bool {
        self.batcher.queues.get(&self.key).is_some_and(|queue| !queue.waiting.is_empty())
    }
}

impl<K: BatchKind> Drop for Slot<K> {
    fn drop(&mut self) {
        self.batcher.end(self);
    }
}

impl<K: BatchKind> Followers<K> {
    /// The RPC is about to be sent: from here on, the outcome of a job without an answer is unknown.
    pub(in crate::odoo) fn begin(&mut self) {
        self.has_begun = true;
    }

    /// Nothing was sent, as the time of the leader was over: the followers form the next batch.
    pub(in crate::odoo) fn rejoin(mut self) {
        for waiting in mem::take(&mut self.waiting) {
            let _ = waiting.send(Reply::Rejoin);
        }
    }

    /// Sends each follower its answer. A follower without one does its job alone.
    pub(in crate::odoo) fn answer(mut self, answers: impl IntoIterator<Item = Option<K::Answer>>) {
        for (waiting, answer) in mem::take(&mut self.waiting).into_iter().zip(answers) {
            // The receiver may have been dropped meanwhile.
            let _ = waiting.send(answer.map_or(Reply::Single, Reply::Answer));
        }
    }
}

impl<K: BatchKind> Drop for Followers<K> {
    fn drop(&mut self) {
        for waiting in mem::take(&mut self.waiting).into_iter().filter(|_| !self.has_begun) {
            let _ = waiting.send(Reply::Single);
        }
    }
}

impl<K: BatchKind> fmt::Debug for Batcher<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batcher").field("queues", &self.queues.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
