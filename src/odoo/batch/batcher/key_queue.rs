//! The queue of one key: which jobs wait, and when the next batch starts.
//!
//! One RPC for several jobs costs less than one RPC each, so the queue tracks how many jobs have lately been present at a time.
//! Most callers that were just answered soon send their next job. A batch therefore lingers for them, for a small part of the
//! time that the last batch took. Below [`LINGER_THRESHOLD`] nothing lingers.

use std::{collections::VecDeque, mem, time::Duration};

use tokio::time::Instant;

use super::{BatchKind, Waiting};

/// With fewer expected jobs than this, a batch starts at once.
const LINGER_THRESHOLD: f64 = 4.0;
/// The share of the expected jobs that is forgotten with each batch, unless they are present.
const DECAY: f64 = 1.0 / 16.0;
/// The divisor of the last batch's duration that gives the time to linger while no batch runs.
const LINGER_IDLE: u32 = 8;
/// The same while other batches run, whose callers can join; and for kinds with one batch at a time, where a job that misses a
/// batch waits for all of it.
const LINGER_RUNNING: u32 = 2;
/// The maximum time to linger while no batch runs.
const MAX_LINGER: Duration = Duration::from_millis(50);
/// The expected number is forgotten after this idle time.
const STALE_AFTER: Duration = Duration::from_secs(1);

pub(super) struct KeyQueue<K: BatchKind> {
    running_batches: usize,
    running_jobs: usize,
    pub(super) waiting: VecDeque<Waiting<K>>,
    /// The time per job in the last batch.
    pub(super) time_per_job: Duration,
    /// How many jobs have lately been present at a time: a decaying maximum.
    expected: f64,
    /// The duration of the last batch.
    last_took: Duration,
    last_ended: Instant,
    linger_until: Option<Instant>,
}

/// The bounds of one queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) max_concurrent: usize,
    pub(super) max_size: usize,
}

/// Batches to be started, the leader of each first; and the time until which the jobs that remain linger.
pub(super) struct Ready<K: BatchKind> {
    pub(super) batches: Vec<Vec<Waiting<K>>>,
    pub(super) linger_until: Option<Instant>,
}

impl<K: BatchKind> KeyQueue<K> {
    pub(super) fn empty() -> Self {
        Self {
            running_batches: 0,
            running_jobs: 0,
            waiting: VecDeque::new(),
            time_per_job: Duration::ZERO,
            expected: 0.0,
            last_took: Duration::ZERO,
            last_ended: Instant::now(),
            linger_until: None,
        }
    }

    /// Starts a job at once where the queue is idle and no others are expected.
    pub(super) fn try_start(&mut self) -> bool {
        if self.is_stale() {
            self.expected = 0.0;
        }
        let can_start = self.is_idle() && self.expected < LINGER_THRESHOLD;
        if can_start {
            (self.running_batches, self.running_jobs) = (1, 1);
            self.note_present();
        }
        can_start
    }

    fn present(&self) -> f64 {
        u32::try_from(self.running_jobs + self.waiting.len()).unwrap_or(u32::MAX).into()
    }

    fn note_present(&mut self) {
        self.expected = self.expected.max(self.present());
    }

    /// Adds a waiting job.
    pub(super) fn add(&mut self, waiting: Waiting<K>, limits: Limits) -> Ready<K> {
        self.waiting.push_back(waiting);
        self.note_present();
        self.ready(limits, false)
    }

    /// A batch has ended.
    pub(super) fn end(&mut self, jobs: usize, size: usize, took: Duration) {
        self.expected -= self.expected * DECAY;
        self.note_present();
        self.running_batches -= 1;
        self.running_jobs -= jobs;
        self.time_per_job = took / u32::try_from(size.max(1)).unwrap_or(u32::MAX);
        (self.last_took, self.last_ended) = (took, Instant::now());
    }

    /// The batches that start when another has ended.
    pub(super) fn after_end(&mut self, limits: Limits) -> Ready<K> {
        // Where one batch runs at a time, the waiting jobs have waited for all of it: they do not linger.
        self.ready(limits, !K::CONCURRENT)
    }

    /// The time to linger is over: most of the jobs that were expected will not come.
    pub(super) fn linger_ended(&mut self, until: Instant, limits: Limits) -> Ready<K> {
        let is_due = self.linger_until.take_if(|lingering| *lingering == until).is_some();
        if is_due {
            self.expected = self.expected.midpoint(self.present());
        }
        self.ready(limits, is_due)
    }

    /// The batches to be started now. Where one is `due`, it starts with the jobs that are here.
    fn ready(&mut self, limits: Limits, due: bool) -> Ready<K> {
        // Jobs whose callers have given up.
        self.waiting.retain(|waiting| !waiting.reply.is_closed());
        let target = self.target_size(limits.max_concurrent);
        let lingers = self.expected >= LINGER_THRESHOLD;
        let mut due = due || !lingers;
        let mut ready = Ready { batches: Vec::new(), linger_until: None };
        while self.can_run(limits) && (due || self.waiting.len() >= target) {
            ready.batches.extend(self.take(limits.max_size, if K::CONCURRENT { target } else { usize::MAX }));
            due = !lingers;
        }
        if self.can_run(limits) {
            let until = Instant::now() + self.linger_time();
            if self.linger_until.is_none_or(|lingering| until < lingering) {
                self.linger_until = Some(until);
                ready.linger_until = Some(until);
            }
        }
        ready
    }

    /// Whether a job waits and another batch may run.
    fn can_run(&self, limits: Limits) -> bool {
        !self.waiting.is_empty() && self.running_batches < if K::CONCURRENT { limits.max_concurrent } else { 1 }
    }

    /// Whether as many batches run as the concurrency limit allows, so that a higher limit would allow one more.
    pub(super) fn is_full(&self, limits: Limits) -> bool {
        K::CONCURRENT && self.running_batches >= limits.max_concurrent
    }

    fn linger_time(&self) -> Duration {
        match (self.running_batches, K::CONCURRENT) {
            (0, true) => MAX_LINGER.min(self.last_took / LINGER_IDLE),
            (0, false) => MAX_LINGER.min(self.last_took / LINGER_RUNNING),
            _ => self.last_took / LINGER_RUNNING,
        }
    }

    /// The number of jobs that starts a batch: all that are expected, or an equal share where several batches run at a time.
    fn target_size(&self, max_concurrent: usize) -> usize {
        let expected = self.expected.ceil() as usize;
        if K::CONCURRENT { expected.div_ceil(max_concurrent) } else { expected }
    }

    /// Takes the jobs of the next batch, its leader first: at most `max_jobs` jobs, of at most `max_size` in sum. They count as
    /// running.
    pub(super) fn take(&mut self, max_size: usize, max_jobs: usize) -> Option<Vec<Waiting<K>>> {
        let leader = self.waiting.pop_front()?;
        let mut size = K::size(&leader.job);
        let mut taken = vec![leader];
        for waiting in mem::take(&mut self.waiting) {
            let larger = size + K::size(&waiting.job);
            if taken.len() < max_jobs
                && larger <= max_size
                && taken.iter().all(|other| K::may_share(&other.job, &waiting.job))
            {
                size = larger;
                taken.push(waiting);
            } else {
                self.waiting.push_back(waiting);
            }
        }
        self.running_batches += 1;
        self.running_jobs += taken.len();
        self.linger_until = None;
        Some(taken)
    }

    fn is_idle(&self) -> bool {
        self.running_batches == 0 && self.waiting.is_empty()
    }

    /// Whether jobs are present or expected.
    pub(super) fn is_worth_keeping(&self) -> bool {
        !self.is_idle() || self.expected >= LINGER_THRESHOLD
    }

    pub(super) fn is_stale(&self) -> bool {
        self.is_idle() && self.last_ended.elapsed() > STALE_AFTER
    }
}
