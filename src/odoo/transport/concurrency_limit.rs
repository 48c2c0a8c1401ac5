//! The limit on concurrent requests to Odoo, with a queue for what exceeds it.
//!
//! Odoo answers as many requests at a time as it has workers. Further requests wait here instead of in Odoo's backlog, in a
//! queue that is fair between callers ([`fair_queue`]). The queue has a maximum length and a deadline, so that a caller soon
//! learns that Odoo is busy and can retry. A call that has begun to write is never refused: half of it is in Odoo already.
//! The number of permits is configured, or finds itself ([`adaptive`]).
//!
//! After a reload, the requests of the old and of the new configuration share the permits ([`UpstreamLimit::successor`]), so that
//! both together never exceed the limit.

mod adaptive;
mod control;
mod fair_queue;

use std::{sync::Arc, time::Duration};

use tokio::time::{self, Instant, MissedTickBehavior};

pub use self::{
    adaptive::{How, Kind},
    control::{Change, Limit, Place},
};
use self::{
    control::Control,
    fair_queue::{FairQueue, Priority, Refusal},
};
use super::{circuit_breaker::CircuitBreaker, origin::Flow};
use crate::{
    config,
    odoo::model::error::{Error, Queue},
};

/// How often a limit that finds itself looks at a lower one that is on trial.
const TICK: Duration = Duration::from_millis(250);

/// What a permit is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestClass {
    /// A call that has not changed anything yet.
    New,
    /// A call that has begun to write: it must be completed or undone.
    Begun,
    /// A transfer or long poll that is passed on. It takes no permit, as it would hold it for as long as the other side likes.
    Stream,
    /// A probe of the gateway itself. It takes no permit and passes an open circuit breaker.
    Probe,
}

/// Admission of all requests to Odoo: circuit breaker, queue, permits.
#[derive(Debug)]
pub struct UpstreamLimit {
    permits: Arc<FairQueue>,
    control: Arc<Control>,
    wanted: config::MaxInFlight,
    max_waiting: usize,
    queue_timeout: Duration,
    breaker: CircuitBreaker,
}

impl UpstreamLimit {
    pub fn build(config: &config::Upstream) -> Self {
        let permits = FairQueue::new(0);
        Self::with(permits.clone(), Control::new(permits, config.max_in_flight), config)
    }

    /// The limit for a changed configuration of the same Odoo. It shares the permits with this one, whose number stays as it is
    /// until [`Self::apply`].
    pub(in crate::odoo) fn successor(&self, config: &config::Upstream) -> Self {
        Self::with(self.permits.clone(), self.control.clone(), config)
    }

    /// Sets the number of permits to that of this limit's configuration, for all that share them. Where the configuration leaves the
    /// number to the gateway, it goes on from the number that there is.
    pub fn apply(&self) {
        self.control.apply(self.wanted);
    }

    fn with(permits: Arc<FairQueue>, control: Arc<Control>, config: &config::Upstream) -> Self {
        Self {
            permits,
            control,
            wanted: config.max_in_flight,
            max_waiting: config.queue,
            queue_timeout: config.queue_timeout,
            breaker: CircuitBreaker::default(),
        }
    }

    /// The limit as it is now.
    pub fn now(&self) -> Limit {
        self.control.limit()
    }

    /// How many requests Odoo is given at a time, at this moment.
    pub(in crate::odoo) fn permits(&self) -> usize {
        self.control.permits()
    }

    /// A batch has taken this long, and jobs would have gone beside it if the limit had been higher.
    pub(in crate::odoo) fn hold_back(&self, took: Duration) {
        self.control.hold_back(took);
    }

    /// Odoo refused something that it had begun, such as for want of a connection to its database.
    pub(in crate::odoo) fn note_refusal(&self) {
        self.control.refused();
    }

    /// Lets a limit that finds itself know that time passes, for as long as it is polled.
    pub(in crate::odoo) async fn watch(&self) {
        let mut ticks = time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.control.tick();
        }
    }

    /// Waits for a place until `until` at the latest. It is given back when it is dropped; a stream or probe gets none.
    ///
    /// # Errors
    /// [`Error::Busy`] where the queue is full or the queue's time-out passes, [`Error::OutOfTime`] where `until` passes before
    /// that, [`Error::Down`] while the circuit breaker is open. A call that has begun to write fails by time-out only.
    pub async fn acquire(&self, class: RequestClass, flow: Flow, until: Instant) -> Result<Option<Place>, Error> {
        match class {
            RequestClass::Probe => return Ok(None),
            RequestClass::Begun => {
                let patience = until.saturating_duration_since(Instant::now());
                let permit = self.permits.acquire(Priority::Begun, flow, until).await;
                return permit
                    .map(|permit| Some(self.control.place(permit)))
                    .map_err(|_| Error::Busy(Queue::TooLong(patience)));
            }
            RequestClass::Stream => return self.breaker.check().map(|()| None),
            RequestClass::New => {}
        }
        self.breaker.check()?;
        let deadline = Instant::now() + self.queue_timeout;
        let priority = Priority::New { max_waiting: self.max_waiting };
        let permit = self.permits.acquire(priority, flow, deadline.min(until)).await;
        // The breaker may have opened meanwhile: then everything that waits fails at once.
        self.breaker.check()?;
        permit.map(|permit| Some(self.control.place(permit))).map_err(|refusal| match refusal {
            Refusal::QueueFull => Error::Busy(Queue::Full(self.max_waiting)),
            Refusal::TimedOut if until < deadline => Error::OutOfTime,
            Refusal::TimedOut => Error::Busy(Queue::TooLong(self.queue_timeout)),
        })
    }

    pub fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }

    /// How many permits are held, and how many new calls wait for one.
    pub fn load(&self) -> (usize, usize) {
        self.permits.load()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::odoo::transport::circuit_breaker::FAILURES_TO_OPEN;

    fn limit(max_waiting: usize, queue_timeout: Duration) -> UpstreamLimit {
        let (permits, wanted) = (FairQueue::new(1), config::MaxInFlight::Fixed(1.try_into().unwrap()));
        UpstreamLimit {
            control: Control::new(permits.clone(), wanted),
            permits,
            wanted,
            max_waiting,
            queue_timeout,
            breaker: CircuitBreaker::default(),
        }
    }

    fn code<T>(outcome: Result<T, Error>) -> &'static str {
        outcome.err().map_or("acquired", |error| error.code().as_str())
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    async fn acquire(limit: &UpstreamLimit, class: RequestClass) -> Result<Option<Place>, Error> {
        limit.acquire(class, Flow::Gateway, soon()).await
    }

    #[tokio::test(start_paused = true)]
    async fn the_queue_has_a_length_and_a_deadline() {
        let limit = limit(1, Duration::from_secs(5));
        let _held = acquire(&limit, RequestClass::New).await.unwrap();
        let (first, second) = tokio::join!(acquire(&limit, RequestClass::New), acquire(&limit, RequestClass::New));
        assert_eq!((code(first), code(second)), ("too_busy", "too_busy"));
        assert_eq!(limit.load(), (1, 0));
        let hurried = Instant::now() + Duration::from_secs(1);
        assert_eq!(code(limit.acquire(RequestClass::New, Flow::Gateway, hurried).await), "out_of_time");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_has_begun_is_not_turned_away() {
        let limit = limit(0, Duration::from_secs(5));
        let held = acquire(&limit, RequestClass::New).await.unwrap();
        let release = async {
            time::sleep(Duration::from_secs(30)).await;
            drop(held);
        };
        assert_eq!(code(tokio::join!(acquire(&limit, RequestClass::Begun), release).0), "acquired");
        let _held = acquire(&limit, RequestClass::New).await.unwrap();
        assert_eq!(code(acquire(&limit, RequestClass::Begun).await), "too_busy");
    }

    #[tokio::test]
    async fn failed_connections_open_the_breaker_until_one_is_made() {
        let limit = limit(1, Duration::from_secs(5));
        let failure = Err::<(), _>(Error::Unreachable { url: String::new(), reason: "refused".to_owned() });
        for _ in 0..FAILURES_TO_OPEN {
            assert_eq!(code(acquire(&limit, RequestClass::New).await), "acquired");
            limit.breaker().record(&failure);
        }
        let refused = acquire(&limit, RequestClass::New).await.unwrap_err();
        assert!(refused.for_operator().contains("(refused)"), "{refused:?}");
        assert_eq!(code(acquire(&limit, RequestClass::Begun).await), "acquired");
        // A call that ran out of time may not have been connected yet.
        limit.breaker().record(&Err::<(), _>(Error::OutOfTime));
        assert_eq!(code(acquire(&limit, RequestClass::New).await), "odoo_unreachable");
        limit.breaker().record(&Ok(()));
        assert_eq!(code(acquire(&limit, RequestClass::New).await), "acquired");
    }

    fn config(permits: impl std::fmt::Display) -> config::Upstream {
        let text = format!("[upstream]\nurl = \"http://o\"\ndatabase = \"d\"\nmax_in_flight = {permits}");
        config::Config::parse(&text, "gateway.toml".as_ref()).unwrap().upstream
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_reload_old_and_new_requests_share_the_permits() {
        let old = UpstreamLimit::build(&config(2));
        let held = [acquire(&old, RequestClass::New).await.unwrap(), acquire(&old, RequestClass::New).await.unwrap()];
        let hurried = || Instant::now() + Duration::from_secs(1);
        let try_acquire = async |limit: &UpstreamLimit| {
            code(limit.acquire(RequestClass::New, Flow::Gateway, hurried()).await.map(drop))
        };
        let more = old.successor(&config(3));
        assert_eq!(try_acquire(&more).await, "out_of_time");
        // The new number counts once it is applied, for waiting requests too.
        let waits = async { try_acquire(&old).await };
        let applies = async { more.apply() };
        assert_eq!(tokio::join!(waits, applies).0, "acquired");
        // Of fewer permits, none is granted until enough have been released.
        let fewer = more.successor(&config(1));
        fewer.apply();
        let [one, other] = held;
        drop(one);
        assert_eq!(try_acquire(&fewer).await, "out_of_time");
        drop(other);
        assert_eq!(try_acquire(&fewer).await, "acquired");
        assert_eq!(fewer.load(), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reload_goes_between_a_number_and_a_limit_that_finds_itself() {
        let old = UpstreamLimit::build(&config(12));
        let _held = acquire(&old, RequestClass::New).await.unwrap();
        let auto = old.successor(&config("\"auto\""));
        auto.apply();
        assert_eq!((old.now().permits, auto.now().permits, auto.now().is_auto, auto.load()), (12, 12, true, (1, 0)));
        // A further reload keeps what was found.
        auto.successor(&config("\"auto\"")).apply();
        assert_eq!(auto.now().permits, 12);
        auto.successor(&config(3)).apply();
        assert_eq!((auto.now().permits, auto.now().is_auto), (3, false));
        assert_eq!(UpstreamLimit::build(&config("\"auto\"")).now().permits, adaptive::FIRST);
    }

    /// Odoo works on three at a time, for 20 ms each; a proxy before it refuses the sixth.
    #[tokio::test(start_paused = true)]
    async fn permits_follow_what_odoo_takes() {
        let limit = UpstreamLimit::build(&config("\"auto\""));
        let workers = tokio::sync::Semaphore::new(3);
        let until = Instant::now() + Duration::from_secs(60);
        let caller = async || {
            while Instant::now() < until {
                let mut place = limit
                    .acquire(RequestClass::New, Flow::Gateway, until + Duration::from_secs(9))
                    .await
                    .unwrap()
                    .unwrap();
                let is_refused = limit.load().0 > 5;
                if !is_refused {
                    let _worker = workers.acquire().await.unwrap();
                    time::sleep(Duration::from_millis(20)).await;
                }
                place.note(if is_refused { How::Refused } else { How::Answered(Kind(1), 1) });
                drop(place);
                tokio::task::yield_now().await;
            }
        };
        futures_util::future::join_all((0..32).map(|_| caller())).await;
        let now = limit.now();
        assert!((3..=5).contains(&now.permits) && now.changed.is_some(), "{now:?}");
        assert_eq!(limit.load(), (0, 0));
    }
}
