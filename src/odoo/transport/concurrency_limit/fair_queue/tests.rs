//! The order of grants, the permits of dropped waiters, and the bounds of the queue.

use std::{cell::RefCell, collections::HashSet, pin::Pin, time::Duration};

use futures_util::{FutureExt, future};

use super::*;

const NEW: Priority = Priority::New { max_waiting: 100 };

fn user(number: i64) -> Flow {
    Flow::User(number)
}

fn later() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// Which user got a permit, in order. Each permit is held for a second.
struct Served<'t> {
    queue: &'t Arc<FairQueue>,
    order: RefCell<Vec<i64>>,
}

impl<'t> Served<'t> {
    fn by(queue: &'t Arc<FairQueue>) -> Self {
        Self { queue, order: RefCell::default() }
    }

    async fn serve(&self, priority: Priority, number: i64) {
        let _permit = self.queue.acquire(priority, user(number), later()).await.unwrap();
        self.order.borrow_mut().push(number);
        time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_with_many_connections_and_one_with_a_single_one_alternate() {
    let queue = FairQueue::new(1);
    let served = Served::by(&queue);
    let many = future::join_all((0..32).map(|_| served.serve(NEW, 1)));
    let one = async {
        for _ in 0..6 {
            served.serve(NEW, 2).await;
        }
    };
    future::join(many, one).await;
    assert_eq!(served.order.borrow()[..12], [1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn callers_that_wait_are_served_round_robin_and_each_in_its_own_order() {
    let queue = FairQueue::new(1);
    let held = queue.acquire(NEW, user(0), later()).await.unwrap();
    let order = RefCell::new(Vec::new());
    let serve = async |number: i64, n: usize| {
        let permit = queue.acquire(NEW, user(number), later()).await.unwrap();
        order.borrow_mut().push((number, n));
        drop(permit);
    };
    let waiting = [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (3, 0)].map(|(number, n)| serve(number, n));
    future::join(future::join_all(waiting), async { drop(held) }).await;
    assert_eq!(*order.borrow(), [(1, 0), (2, 0), (3, 0), (1, 1), (2, 1), (1, 2)]);
}

#[tokio::test(start_paused = true)]
async fn queued_calls_come_after_those_of_callers_who_wait() {
    let queue = FairQueue::new(1);
    let held = queue.acquire(NEW, user(1), later()).await.unwrap();
    let order = RefCell::new(Vec::new());
    let serve = async |flow: Flow| {
        let permit = queue.acquire(NEW, flow, later()).await.unwrap();
        order.borrow_mut().push(flow);
        drop(permit);
    };
    let (delivered, live) = (Flow::queue("shop"), Flow::client("shop"));
    let waiting = [delivered, user(1), delivered, live, user(1)].map(serve);
    future::join(future::join_all(waiting), async { drop(held) }).await;
    assert_eq!(*order.borrow(), [live, user(1), user(1), delivered, delivered]);
}

#[tokio::test(start_paused = true)]
async fn who_holds_no_place_goes_before_who_holds_some() {
    let queue = FairQueue::new(3);
    let held =
        [queue.acquire(NEW, user(1), later()).await.unwrap(), queue.acquire(NEW, user(1), later()).await.unwrap()];
    let mut last = Some(queue.acquire(NEW, user(2), later()).await.unwrap());
    let order = RefCell::new(Vec::new());
    let serve = async |number: i64| {
        let _permit = queue.acquire(NEW, user(number), later()).await.unwrap();
        order.borrow_mut().push(number);
        // Kept until both have one.
        time::sleep(Duration::from_secs(1)).await;
    };
    future::join3(serve(1), serve(3), async { drop(last.take()) }).await;
    drop(held);
    assert_eq!(*order.borrow(), [3, 1]);
}

#[tokio::test(start_paused = true)]
async fn calls_that_have_begun_to_write_go_first_and_leave_every_second_place_to_the_others() {
    let queue = FairQueue::new(1);
    let served = Served::by(&queue);
    let begun = future::join_all((0..4).map(|_| served.serve(Priority::Begun, 1)));
    let new = future::join_all((0..4).map(|_| served.serve(NEW, 2)));
    let held = queue.acquire(NEW, user(3), later()).await.unwrap();
    future::join3(new, begun, async { drop(held) }).await;
    assert_eq!(*served.order.borrow(), [1, 2, 1, 2, 1, 2, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_the_caller_that_fills_it_and_takes_the_others() {
    let queue = FairQueue::new(1);
    let held = queue.acquire(NEW, user(0), later()).await.unwrap();
    let priority = Priority::New { max_waiting: 4 };
    let take = async |number: i64| queue.acquire(priority, user(number), later()).await.map(drop);
    let many = future::join_all((0..6).map(|_| take(1)));
    let others = future::join_all([2, 3, 4, 5].map(take));
    let checked = async {
        assert_eq!(queue.load(), (1, 4));
        drop(held);
    };
    let (many, others, ()) = future::join3(many, others, checked).await;
    // Two came when the queue was full of their own, and three more made room for the others, but the last found one of each.
    assert_eq!(many.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, false, false, false, false]);
    assert_eq!(others.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, true, false]);
}

#[tokio::test(start_paused = true)]
async fn calls_that_have_begun_are_taken_into_a_full_queue() {
    let queue = FairQueue::new(1);
    let held = queue.acquire(NEW, user(0), later()).await.unwrap();
    assert_eq!(
        queue.acquire(Priority::New { max_waiting: 0 }, user(1), later()).await.unwrap_err(),
        Refusal::QueueFull
    );
    let (begun, ()) = future::join(queue.acquire(Priority::Begun, user(1), later()), async { drop(held) }).await;
    assert!(begun.is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_leaves_no_trace_and_takes_no_place_along() {
    let queue = FairQueue::new(1);
    let held = queue.acquire(NEW, user(0), later()).await.unwrap();
    let soon = Instant::now() + Duration::from_secs(1);
    assert_eq!(queue.acquire(NEW, user(1), soon).await.unwrap_err(), Refusal::TimedOut);
    assert_eq!(queue.load(), (1, 0));
    // One that is granted a permit and dropped before it has seen it.
    let mut first = Box::pin(queue.acquire(NEW, user(1), later()));
    let mut second = Box::pin(queue.acquire(NEW, user(2), later()));
    assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
    drop(held);
    drop(first);
    let permit = second.now_or_never().unwrap().unwrap();
    assert_eq!(queue.load(), (1, 0));
    drop(permit);
    assert_eq!(queue.load(), (0, 0));
    assert!(queue.lock().held.is_empty());
}

/// A wait for a permit.
type Acquiring = Pin<Box<dyn Future<Output = Result<Permit, Refusal>>>>;

/// Random flows wait, get permits, release them and give up, in any order: permits are neither lost nor created, and nothing
/// waits while one is free.
#[tokio::test(start_paused = true)]
async fn whatever_comes_and_goes_no_place_is_lost() {
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let permits = random.usize(1..4);
        let queue = FairQueue::new(permits);
        let mut held: Vec<Permit> = Vec::new();
        let mut waiting: Vec<Acquiring> = Vec::new();
        for step in 0..200 {
            match random.usize(0..5) {
                0 | 1 => {
                    let priority = if random.bool() { Priority::New { max_waiting: 6 } } else { Priority::Begun };
                    let (queue, flow) = (queue.clone(), user(random.i64(0..4)));
                    waiting.push(Box::pin(async move { queue.acquire(priority, flow, later()).await }));
                }
                4 => queue.resize(random.usize(1..4)),
                2 if !held.is_empty() => drop(held.swap_remove(random.usize(0..held.len()))),
                _ if !waiting.is_empty() => drop(waiting.swap_remove(random.usize(0..waiting.len()))),
                _ => {}
            }
            // Not all of them look at once whether it is their turn.
            let mut still = Vec::new();
            for mut one in waiting {
                match if random.u8(0..4) == 0 { None } else { one.as_mut().now_or_never() } {
                    None => still.push(one),
                    Some(Ok(permit)) => held.push(permit),
                    Some(Err(why)) => assert_eq!(why, Refusal::QueueFull),
                }
            }
            waiting = still;
            let state = queue.lock();
            let taken: usize = state.held.values().sum();
            assert_eq!(taken, state.in_use, "seed {seed}, step {step}");
            assert!(state.in_use >= state.max || state.new.len + state.begun.len == 0, "seed {seed}, step {step}");
            for queues in [&state.new, &state.begun] {
                let callers: HashSet<_> = queues.order.iter().collect();
                assert_eq!((callers.len(), queues.order.len()), (queues.queues.len(), queues.queues.len()));
                assert_eq!(queues.queues.values().map(VecDeque::len).sum::<usize>(), queues.len);
            }
        }
        drop((held, waiting));
        assert_eq!(queue.load(), (0, 0), "seed {seed}");
    }
}
