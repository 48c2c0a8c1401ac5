//! Works: the calls of a filter, sent again one after another by the gateway that runs, while a person looks on or not.
//!
//! What must stay true: an operator has one work under way at a time, and there are [`AT_ONCE`] in all. A call is sent by one of
//! them at a time ([`Works::hold`]). A work ends after the call under way when it is stopped and when the gateway stops; a reload
//! keeps it going, with the new configuration from the next call on. A finished work is kept in memory with its summary, among the
//! last [`KEPT`], and is gone with the process; the log has its calls and who began it.

use std::{
    collections::{HashSet, VecDeque},
    net::IpAddr,
    sync::Arc,
};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Actor, Again, Executor, NotReplayable, Options, Outcome, STOP_AFTER, Tally};
use crate::{
    call::Service,
    current::Current,
    log::{Acted, Action, Call, Operator},
};

/// As many calls are sent by one work.
pub const MOST: usize = 5_000;
/// As many works are under way at a time.
pub const AT_ONCE: usize = 4;
/// As many works are kept that have ended.
pub const KEPT: usize = 100;
/// Of a work, as many calls are listed with what came of them; all are counted.
pub const LISTED: usize = 500;
/// A message is listed up to so many characters.
const MESSAGE: usize = 200;

const FAILING: &str = "20 calls in a row were not done; what keeps them from it may keep all";
const _: () = assert!(STOP_AFTER == 20, "the sentence above has the number");

/// The works of this process.
#[derive(Debug)]
pub struct Works {
    current: Arc<Current>,
    known: Mutex<Known>,
    held: Arc<Mutex<HashSet<Uuid>>>,
}

#[derive(Debug, Default)]
struct Known {
    last: u64,
    /// The latest last.
    works: VecDeque<Arc<Work>>,
}

/// What a work is to do.
#[derive(Debug, Clone)]
pub struct Order {
    /// The conditions, as a query.
    pub filter: String,
    pub dry_run: bool,
    /// The `[[client]]` to act as, where not as the one that made the call.
    pub client: Option<String>,
    pub operator: Operator,
    /// Where the operator is.
    pub address: IpAddr,
    /// When the calls were listed: what happened to them since is looked up.
    pub listed: Timestamp,
}

/// Calls of a filter, on their way.
#[derive(Debug)]
pub struct Work {
    pub number: u64,
    pub order: Order,
    pub began: Timestamp,
    stop: CancellationToken,
    progress: watch::Sender<Progress>,
}

/// How far a work has come.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    pub all: usize,
    pub tally: Tally,
    /// What came of each, of the first [`LISTED`].
    pub results: Vec<Sent>,
    pub ended: Option<(Timestamp, End)>,
}

/// Why a work has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All calls have had their turn.
    Complete,
    /// A person has stopped it.
    Stopped,
    /// The gateway stops.
    Shutdown,
    /// It is not known what came of the last call.
    NoAnswer,
    /// [`STOP_AFTER`] calls in a row were not done.
    Failing,
    /// The log takes no lines.
    Log,
}

/// A call that had its turn.
#[derive(Debug, Clone)]
pub struct Sent {
    pub of: Uuid,
    pub model: String,
    pub outcome: Outcome,
}

/// Why a work does not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotStarted {
    #[error("you have another one under way; stop it, or wait for its end")]
    YouHaveOne,
    #[error("{AT_ONCE} are under way; wait for the end of one")]
    TooMany,
    #[error("the gateway is stopping")]
    Stopping,
}

/// A call that is being sent again. Nobody else sends it until this is dropped.
#[derive(Debug)]
pub struct Held {
    held: Arc<Mutex<HashSet<Uuid>>>,
    root: Uuid,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.held.lock().remove(&self.root);
    }
}

impl End {
    /// As it stands in the log and on the page.
    pub fn words(self) -> &'static str {
        match self {
            Self::Complete => "all calls have had their turn",
            Self::Stopped => "it was stopped",
            Self::Shutdown => "the gateway was stopped",
            Self::NoAnswer => "it is not known what came of the last call",
            Self::Failing => FAILING,
            Self::Log => "the log takes no lines",
        }
    }
}

impl Progress {
    /// How many have had their turn.
    pub fn turned(&self) -> usize {
        self.tally.turned()
    }

    fn add(&mut self, sent: Sent) {
        self.tally.add(&sent.outcome);
        if self.results.len() < LISTED {
            self.results.push(sent);
        }
    }
}

impl Works {
    pub fn new(current: Arc<Current>) -> Self {
        Self { current, known: Mutex::default(), held: Arc::default() }
    }

    /// The work with this number; none where it never was, or is kept no more.
    pub fn get(&self, number: u64) -> Option<Arc<Work>> {
        self.known.lock().works.iter().find(|work| work.number == number).cloned()
    }

    /// All works that are kept, the latest first.
    pub fn all(&self) -> Vec<Arc<Work>> {
        self.known.lock().works.iter().rev().cloned().collect()
    }

    /// Takes the right to send a call again; none where somebody has it. `root` is the call that was made first.
    pub fn hold(&self, root: Uuid) -> Option<Held> {
        self.held.lock().insert(root).then(|| Held { held: self.held.clone(), root })
    }

    /// Begins to send these calls. It goes on when the browser leaves.
    ///
    /// # Errors
    /// Too many are under way.
    pub fn start(self: &Arc<Self>, order: Order, calls: Vec<Call>) -> Result<Arc<Work>, NotStarted> {
        let site = self.current.site();
        if site.proxy.stop().is_cancelled() {
            return Err(NotStarted::Stopping);
        }
        let mut known = self.known.lock();
        let under_way: Vec<_> = known.works.iter().filter(|work| !work.is_ended()).collect();
        if under_way.iter().any(|work| work.order.operator.by == order.operator.by) {
            return Err(NotStarted::YouHaveOne);
        }
        if under_way.len() >= AT_ONCE {
            return Err(NotStarted::TooMany);
        }
        known.last += 1;
        let progress = Progress { all: calls.len(), ..Progress::default() };
        let work = Arc::new(Work {
            number: known.last,
            order,
            began: Timestamp::now(),
            stop: site.proxy.stop().child_token(),
            progress: watch::Sender::new(progress),
        });
        known.works.push_back(work.clone());
        while known.works.iter().filter(|work| work.is_ended()).count() > KEPT {
            let oldest = known.works.iter().position(|work| work.is_ended());
            oldest.and_then(|oldest| known.works.remove(oldest));
        }
        drop(known);
        // A stop of the gateway waits for it.
        site.calls.tasks.spawn(run(self.clone(), work.clone(), calls));
        Ok(work)
    }
}

impl Work {
    pub fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    /// Tells of every change from now on.
    pub fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    pub fn is_ended(&self) -> bool {
        self.progress.borrow().ended.is_some()
    }

    /// Sends no more calls; the one under way is finished.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    fn acted(&self, action: Action) -> Acted {
        let Order { operator, filter, client, .. } = &self.order;
        Acted { filter: filter.clone(), client: client.clone(), ..operator.does(action) }
    }
}

async fn run(works: Arc<Works>, work: Arc<Work>, calls: Vec<Call>) {
    let all = u64::try_from(calls.len()).ok();
    let is_recorded = work.order.dry_run || {
        let started = Acted { number: all, ..work.acted(Action::ReplayStarted) };
        works.current.site().calls.log.acted(started).await.is_ok()
    };
    let end = if is_recorded { send_all(&works, &work, calls).await } else { End::Log };
    let sent = work.progress.borrow().tally.sent();
    if !work.order.dry_run {
        let (number, why) = (u64::try_from(sent).ok(), Some(end.words().to_owned()));
        let ended = Acted { number, why, ..work.acted(Action::ReplayEnded) };
        if let Err(error) = works.current.site().calls.log.acted(ended).await {
            tracing::error!(%error, "the end of a work is not on the log's record");
        }
    }
    work.progress.send_modify(|progress| progress.ended = Some((Timestamp::now(), end)));
}

async fn send_all(works: &Works, work: &Work, calls: Vec<Call>) -> End {
    for call in calls {
        let site = works.current.site();
        if site.proxy.stop().is_cancelled() {
            return End::Shutdown;
        }
        if work.stop.is_cancelled() {
            return End::Stopped;
        }
        let outcome = shortened(send(works, work, &site.calls, &call).await);
        work.progress.send_modify(|progress| progress.add(Sent { of: call.id, model: call.model, outcome }));
        let progress = work.progress.borrow();
        if progress.tally.stops(None) {
            return End::NoAnswer;
        }
        // A dry run does no harm.
        if !work.order.dry_run && progress.tally.stops(Some(STOP_AFTER)) {
            return End::Failing;
        }
    }
    End::Complete
}

/// Sends one call, unless somebody else has sent it since the calls were listed.
async fn send(works: &Works, work: &Work, calls: &Arc<Service>, call: &Call) -> Outcome {
    let Order { dry_run, client, operator, address, listed, .. } = &work.order;
    let skipped = |reason: NotReplayable| Outcome::Skipped { reason: reason.to_string() };
    let Some(_held) = works.hold(call.id) else { return skipped(NotReplayable::Running) };
    let actor = client.clone().map_or(Actor::Recorded, Actor::Client);
    let options = Options { dry_run: *dry_run, actor, ..Options::default() };
    let again = Again { config: &calls.config, options: &options, operator, listed: *listed };
    let made = async {
        let draft = again.draft(call).await?;
        again.send(draft, &call.error, &Executor::within(calls.clone(), *address)).await
    };
    made.await.map_or_else(skipped, |made| made.outcome)
}

/// An outcome as it is listed, with sentences that are bounded.
fn shortened(mut outcome: Outcome) -> Outcome {
    match &mut outcome {
        Outcome::Done { .. } => {}
        Outcome::RefusedAgain { failure, .. }
        | Outcome::RefusedDifferently { failure, .. }
        | Outcome::InDoubt { failure, .. } => failure.message = short(&failure.message),
        Outcome::NoAnswer { message } | Outcome::Skipped { reason: message } => *message = short(message),
    }
    outcome
}

fn short(text: &str) -> String {
    let end = text.char_indices().nth(MESSAGE).map_or(text.len(), |(end, _)| end);
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::replay::{Failure, Kind};

    #[test]
    fn every_call_is_counted_and_the_first_are_listed() {
        let mut progress = Progress::default();
        let refused = |call, code: &str| {
            let failure = Failure { code: code.to_owned(), message: String::new(), is_in_doubt: false };
            Outcome::RefusedAgain { call, failure }
        };
        for number in 0..LISTED + 10 {
            let call = number.to_string();
            let outcome = match number % 3 {
                0 => Outcome::Done { call },
                1 => refused(call, "no_match"),
                _ => Outcome::Skipped { reason: NotReplayable::Repeated.to_string() },
            };
            progress.add(Sent { of: Uuid::nil(), model: "res.partner".to_owned(), outcome });
        }
        let tally = &progress.tally;
        assert_eq!(
            (progress.turned(), tally.of(Kind::Done), tally.failed(), tally.of(Kind::Skipped)),
            (510, 170, 170, 170)
        );
        assert_eq!((progress.results.len(), tally.codes["no_match"]), (LISTED, 170));
    }
}
