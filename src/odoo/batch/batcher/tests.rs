//! Which jobs share a batch and when it starts, in simulated time.

use super::*;

/// Adds numbers. The answer is the sum of the batch.
enum Sums {}

impl BatchKind for Sums {
    type Key = &'static str;
    type Job = u64;
    type Answer = u64;

    fn may_share(one: &u64, other: &u64) -> bool {
        one % 2 == other % 2
    }
}

fn batcher(max_size: usize, max_waiting: usize) -> Arc<Batcher<Sums>> {
    batcher_of(1, max_size, max_waiting)
}

fn batcher_of<K: BatchKind>(max_concurrent: usize, max_size: usize, max_waiting: usize) -> Arc<Batcher<K>> {
    Arc::new(Batcher {
        queues: DashMap::new(),
        tickets: AtomicU64::new(0),
        max_concurrent,
        max_size,
        max_duration: Duration::from_secs(10),
        max_waiting,
        max_wait: Duration::from_secs(20),
    })
}

/// Adds a number, which takes `seconds`: how the job was dispatched, and the sum of its batch.
async fn add(batcher: &Arc<Batcher<Sums>>, number: u64, seconds: u64) -> (&'static str, u64) {
    let work = || time::sleep(Duration::from_secs(seconds));
    match batcher.join("sum", || number, Instant::now() + Duration::from_secs(60)).await {
        Ok(Dispatch::Immediate(_slot)) => {
            work().await;
            ("first", number)
        }
        Ok(Dispatch::Lead(batch)) => {
            let Batch { slot: _slot, jobs, mut followers } = batch;
            followers.begin();
            work().await;
            let sum = jobs.iter().sum();
            followers.answer(jobs.iter().skip(1).map(|_| Some(sum)));
            ("led", sum)
        }
        Ok(Dispatch::Answered(sum)) => ("told", sum),
        Ok(Dispatch::Single) => ("alone", number),
        Ok(Dispatch::Abandoned) => ("left", number),
        Err(error) => (error.code().as_str(), 0),
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_company_and_who_waits_goes_with_all_who_wait() {
    let batcher = batcher(100, 100);
    let all = tokio::join!(add(&batcher, 1, 1), add(&batcher, 3, 1), add(&batcher, 4, 1), add(&batcher, 5, 1));
    // The 4 is not of a kind with the others.
    assert_eq!(all, (("first", 1), ("led", 8), ("led", 4), ("told", 8)));
    assert!(batcher.queues.is_empty());
    assert_eq!(add(&batcher, 7, 1).await, ("first", 7));
}

#[tokio::test(start_paused = true)]
async fn a_batch_has_a_largest_size_and_is_smaller_where_odoo_is_slow() {
    let two = batcher(2, 100);
    let all = tokio::join!(add(&two, 1, 1), add(&two, 3, 1), add(&two, 5, 1), add(&two, 7, 1));
    assert_eq!(all, (("first", 1), ("led", 8), ("told", 8), ("led", 7)));
    let slow = batcher(100, 100);
    let all = tokio::join!(add(&slow, 1, 5), add(&slow, 3, 1), add(&slow, 5, 1), add(&slow, 7, 1));
    assert_eq!(all, (("first", 1), ("led", 8), ("told", 8), ("led", 7)));
}

#[tokio::test(start_paused = true)]
async fn who_has_waited_long_behind_a_slow_one_goes_beside_it_with_all_who_wait() {
    let batcher = batcher(100, 100);
    let started = Instant::now();
    let waits = async {
        let (one, other) = tokio::join!(add(&batcher, 3, 1), add(&batcher, 5, 1));
        ([one, other], started.elapsed())
    };
    let (slow, (mut waited, took)) = tokio::join!(add(&batcher, 1, 600), waits);
    // Whose time is over first is not said.
    waited.sort_unstable();
    assert_eq!((slow, waited, took), (("first", 1), [("led", 8), ("told", 8)], Duration::from_secs(21)));
    assert!(batcher.queues.is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_runs_out_of_time_or_finds_the_queue_full_is_sent_away() {
    let batcher = batcher(100, 1);
    let all = tokio::join!(add(&batcher, 1, 5), add(&batcher, 3, 1), add(&batcher, 5, 1));
    assert_eq!(all, (("first", 1), ("led", 3), ("too_busy", 0)));
    let hurried = Instant::now() + Duration::from_secs(1);
    let (_, hurried) = tokio::join!(add(&batcher, 1, 5), batcher.join("sum", || 3, hurried));
    assert_eq!(hurried.err().unwrap().code().as_str(), "out_of_time");
    assert!(batcher.queues.is_empty());
}

/// Jobs whose batches run concurrently.
enum Shares {}

impl BatchKind for Shares {
    type Key = ();
    type Job = ();
    type Answer = usize;
    const CONCURRENT: bool = true;
}

/// The size of the batch of a job that takes `seconds`.
async fn go(batcher: &Arc<Batcher<Shares>>, seconds: u64) -> usize {
    let work = time::sleep(Duration::from_secs(seconds));
    match batcher.join((), || (), Instant::now() + Duration::from_secs(60)).await {
        Ok(Dispatch::Immediate(_slot)) => {
            work.await;
            1
        }
        Ok(Dispatch::Lead(batch)) => {
            let Batch { slot: _slot, jobs, followers } = batch;
            work.await;
            followers.answer((1..jobs.len()).map(|_| Some(jobs.len())));
            jobs.len()
        }
        Ok(Dispatch::Answered(of)) => of,
        _ => 0,
    }
}

#[tokio::test(start_paused = true)]
async fn who_comes_goes_beside_what_is_under_way_and_many_share_the_places() {
    let batcher = batcher_of::<Shares>(2, 100, 100);
    assert_eq!(tokio::join!(go(&batcher, 1), go(&batcher, 5), go(&batcher, 1), go(&batcher, 1)), (1, 1, 2, 2));
    // Of many who wait for a slot, half go into each of two.
    let batcher = batcher_of::<Shares>(2, 100, 100);
    let all = futures_util::future::join_all((0..11).map(|number| go(&batcher, if number == 0 { 1 } else { 5 }))).await;
    assert_eq!(all, [1, 1, 6, 6, 6, 6, 6, 6, 3, 3, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_crowd_that_calls_again_and_again_falls_into_equal_shares() {
    let batcher = batcher_of::<Shares>(2, 100, 100);
    let client = async |number: u64| {
        let mut sizes = Vec::new();
        for _ in 0..40 {
            sizes.push(go(&batcher, 1).await);
            // No two come back at the same time.
            time::sleep(Duration::from_millis(10 + number)).await;
        }
        sizes
    };
    let sizes = futures_util::future::join_all((0..12).map(client)).await;
    let late: Vec<usize> = sizes.iter().flat_map(|sizes| &sizes[10..30]).copied().collect();
    assert!(late.iter().all(|size| *size == 6), "{late:?}");
}

#[tokio::test(start_paused = true)]
async fn one_of_a_crowd_waits_a_moment_for_those_who_come_back() {
    let batcher = batcher(100, 100);
    let expected = async |late: u64| {
        let started = Instant::now();
        let come = async |number: u64| {
            time::sleep(Duration::from_millis(number * late)).await;
            add(&batcher, 2 * number + 1, 1).await.1
        };
        let sums = futures_util::future::join_all((0..5).map(come)).await;
        (sums, started.elapsed().as_millis())
    };
    // Where nobody has been, the first waits for nobody.
    assert_eq!(expected(10).await, (vec![1, 24, 24, 24, 24], 2_000));
    // Then all go together as soon as they are here.
    assert_eq!(expected(10).await, (vec![25; 5], 1_040));
    // Who stays away is waited for once.
    let started = Instant::now();
    assert_eq!(add(&batcher, 1, 1).await, ("led", 1));
    assert_eq!(started.elapsed(), Duration::from_millis(1_050));
    assert_eq!(add(&batcher, 1, 1).await, ("first", 1));
}

#[tokio::test(start_paused = true)]
async fn a_crowd_that_has_not_been_here_for_a_while_is_not_waited_for() {
    let batcher = batcher(100, 100);
    futures_util::future::join_all((0..5).map(|number| add(&batcher, 2 * number + 1, 1))).await;
    time::sleep(Duration::from_secs(2)).await;
    assert_eq!(add(&batcher, 1, 1).await, ("first", 1));
}

#[tokio::test(start_paused = true)]
async fn one_of_a_crowd_who_gives_up_leaves_nobody_waiting() {
    let batcher = batcher(100, 100);
    let all = async || {
        tokio::join!(
            add(&batcher, 1, 1),
            add(&batcher, 3, 1),
            add(&batcher, 5, 1),
            add(&batcher, 7, 1),
            add(&batcher, 9, 1)
        )
    };
    all().await;
    let started = Instant::now();
    let hurried = time::timeout(Duration::from_millis(10), add(&batcher, 1, 1));
    let late = async {
        time::sleep(Duration::from_millis(20)).await;
        add(&batcher, 1, 1).await
    };
    let (hurried, late) = tokio::join!(hurried, late);
    assert!(hurried.is_err());
    assert_eq!((late, started.elapsed()), (("led", 1), Duration::from_millis(1_050)));
    // Where all have, nothing is left of the queue.
    all().await;
    assert!(time::timeout(Duration::from_millis(10), add(&batcher, 1, 1)).await.is_err());
    time::sleep(Duration::from_millis(100)).await;
    assert!(batcher.queues.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_is_waited_for_however_long_it_takes() {
    let batcher = batcher(100, 100);
    let all = tokio::join!(add(&batcher, 1, 1), add(&batcher, 3, 600), add(&batcher, 5, 1));
    assert_eq!(all, (("first", 1), ("led", 8), ("told", 8)));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_gone_leaves_nobody_waiting() {
    let batcher = batcher(100, 100);
    let first = add(&batcher, 1, 1);
    // Gone while it works, gone before it was told, and gone before its turn.
    let works = time::timeout(Duration::from_secs(2), add(&batcher, 3, 600));
    let (first, gone, told) = tokio::join!(first, works, add(&batcher, 5, 1));
    assert_eq!((first, gone.is_err(), told), (("first", 1), true, ("left", 5)));
    let (held, mut told) =
        (batcher.join("sum", || 1, Instant::now()).await.ok(), batcher.enqueue(&"sum", || 3, 0).unwrap());
    let (_, other) = tokio::join!(
        async {
            drop(held);
            told = None
        },
        add(&batcher, 5, 1)
    );
    assert!(told.is_none() && other.0 != "left", "{other:?}");
    let (_, gone, other) = tokio::join!(
        add(&batcher, 1, 5),
        time::timeout(Duration::from_secs(1), add(&batcher, 3, 1)),
        add(&batcher, 5, 1)
    );
    assert_eq!((gone.is_err(), other), (true, ("led", 5)));
    assert!(batcher.queues.is_empty());
}
