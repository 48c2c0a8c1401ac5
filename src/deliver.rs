//! Delivery: workers make the calls that are queued in the store, one after another of each ordering key, and clients are told how
//! their calls ended.
//!
//! What must stay true:
//! - A worker claims one call and makes it; nothing is claimed before there is a worker for it, so that no order is broken.
//! - What a worker has claimed it brings to an end, also while the gateway stops; then it claims nothing more.
//! - The end of an attempt is recorded by compare-and-set: a worker that has lost its lease changes nothing.
//! - Calls of callers who wait go first, and `[delivery] rate` holds for what is begun here.
//! - While Odoo is away nothing is claimed but one call at a time, to find out whether it is back.
//!
//! Tries are counted at the claim, so that a call that ends its process is not made for ever. A store that is away is asked again.

mod attempt;
mod callback;
mod chance;
mod gate;
mod retry;
mod schedule;
mod stops;
mod upkeep;
mod worker;

use std::sync::Arc;

use ipnet::IpNet;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    callback::{Receivers, Teller},
    gate::Gate,
    schedule::Schedule,
    stops::Stops,
    upkeep::Upkeep,
    worker::Worker,
};
use crate::{
    current::Current,
    fetch::{self, Unusable},
    limits::Pace,
};

/// So many clients are told at a time.
const TELLERS: usize = 4;

/// What workers share.
#[derive(Debug)]
struct Shared {
    current: Arc<Current>,
    schedule: Arc<Schedule>,
    gate: Arc<Gate>,
    pace: Pace,
    stops: Stops,
    receivers: Receivers,
    /// Reaches public addresses, and the networks of `allow_private`.
    http: reqwest::Client,
    allow_private: Vec<IpNet>,
    /// From then on, nothing more is claimed.
    stop: CancellationToken,
}

/// Starts the workers. They end after `stop`, when what they have begun has ended; the tracker waits for that.
///
/// # Errors
/// TLS cannot be set up.
pub fn start(current: &Arc<Current>, stop: CancellationToken) -> Result<TaskTracker, Unusable> {
    let delivery = current.site().calls.config.delivery.clone();
    let shared = Arc::new(Shared {
        current: current.clone(),
        schedule: Arc::default(),
        gate: Arc::default(),
        pace: Pace::new(delivery.rate),
        stops: Stops::default(),
        receivers: Receivers::default(),
        http: fetch::public_client(&delivery.allow_private)?,
        allow_private: delivery.allow_private,
        stop,
    });
    let tasks = TaskTracker::new();
    for _ in 0..delivery.workers.get() {
        tasks.spawn(Worker::new(shared.clone()).run());
    }
    for _ in 0..TELLERS {
        tasks.spawn(Teller::new(shared.clone()).run());
    }
    let upkeep = Arc::new(Upkeep::new(shared));
    tasks.spawn({
        let upkeep = upkeep.clone();
        async move { upkeep.note_arrivals().await }
    });
    tasks.spawn(async move { upkeep.run().await });
    tasks.close();
    Ok(tasks)
}
