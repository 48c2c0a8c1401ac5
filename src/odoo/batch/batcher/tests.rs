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
    let text = format!("[upstream]\nurl = \"http://o\"\ndatabase = \"d\"\nmax_in_flight = {}", 2 * max_concurrent);
    let limit = UpstreamLimit::build(&config::Config::parse(&text, "gateway.toml".as_ref()).unwrap().upstream);
    Arc::new(Batcher {
        queues: DashMap::new(),
        tickets: AtomicU64::new(0),
        limit: Arc::new(limit),
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
            ("immediate", number)
        }
        Ok(Dispatch::Lead(batch)) => {
            let Batch { slot: _slot, jobs, mut followers } = batch;
            followers.begin();
            work().await;
            let sum = jobs.iter().sum();
            followers.answer(jobs.iter().skip(1).map(|_| Some(sum)));
            ("led", sum)
        }
        Ok(Dispatch::Answered(sum)) => ("answered", sum),
        Ok(Dispatch::Single) => ("single", number),
        Ok(Dispatch::Abandoned) => ("abandoned", number),
        Err(error) => (error.code().as_str(), 0),
    }
}

#[tokio::test(start_paused = true)]
async fn a_single_job_starts_at_once_and_waiting_jobs_share_a_batch() {
    let batcher = batcher(100, 100);
    let all = tokio::join!(add(&batcher, 1, 1), add(&batcher, 3, 1), add(&batcher, 4, 1), add(&batcher, 5, 1));
    // The 4 may not share a batch with the others.
    assert_eq!(all, (("immediate", 1), ("led", 8), ("led", 4), ("answered", 8)));
    assert!(batcher.queues.is_empty());
    assert_eq!(add(&batcher, 7, 1).await, ("immediate", 7));
}

#[tokio::test(start_paused = true)]
async fn a_batch_has_a_maximum_size_which_is_smaller_where_odoo_is_slow() {
    let two = batcher(2, 100);
    let all = tokio::join!(add(&two, 1, 1), add(&two, 3, 1), add(&two, 5, 1), add(&two, 7, 1));
    assert_eq!(all, (("immediate", 1), ("led", 8), ("answered", 8), ("led", 7)));
    let slow = batcher(100, 100);
    let all = tokio::join!(add(&slow, 1, 5), add(&slow, 3, 1), add(&slow, 5, 1), add(&slow, 7, 1));
    assert_eq!(all, (("immediate", 1), ("led", 8), ("answered", 8), ("led", 7)));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_has_waited_long_behind_a_slow_batch_leads_another_beside_it() {
    let batcher = batcher(100, 100);
    let started = Instant::now();
    let waits = async {
        let (one, other) = tokio::join!(add(&batcher, 3, 1), add(&batcher, 5, 1));
        ([one, other], started.elapsed())
    };
    let (slow, (mut waited, took)) = tokio::join!(add(&batcher, 1, 600), waits);
    // Either of them may lead.
    waited.sort_unstable();
    assert_eq!((slow, waited, took), (("immediate", 1), [("answered", 8), ("led", 8)], Duration::from_secs(21)));
    assert!(batcher.queues.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_job_at_its_deadline_or_before_a_full_queue_is_refused() {
    let batcher = batcher(100, 1);
    let all = tokio::join!(add(&batcher, 1, 5), add(&batcher, 3, 1), add(&batcher, 5, 1));
    assert_eq!(all, (("immediate", 1), ("led", 3), ("too_busy", 0)));
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
async fn concurrent_batches_share_the_waiting_jobs() {
    let batcher = batcher_of::<Shares>(2, 100, 100);
    assert_eq!(tokio::join!(go(&batcher, 1), go(&batcher, 5), go(&batcher, 1), go(&batcher, 1)), (1, 1, 2, 2));
    // Of many who wait for a slot, half go into each of two.
    let batcher = batcher_of::<Shares>(2, 100, 100);
    let all = futures_util::future::join_all((0..11).map(|number| go(&batcher, if number == 0 { 1 } else { 5 }))).await;
    assert_eq!(all, [1, 1, 6, 6, 6, 6, 6, 6, 3, 3, 3]);
}

#[tokio::test(start_paused = true)]
async fn callers_that_call_again_and_again_form_equal_batches() {
    let batcher = batcher_of::<Shares>(2, 100, 100);
    let client = async |number: u64| {
        let mut sizes = Vec::new();
        for _ in 0..40 {
            sizes.push(go(&batcher, 1).await);
            // They come back one after another.
            time::sleep(Duration::from_millis(10 + number)).await;
        }
        sizes
    };
    let sizes = futures_util::future::join_all((0..12).map(client)).await;
    let late: Vec<usize> = sizes.iter().flat_map(|sizes| &sizes[10..30]).copied().collect();
    assert!(late.iter().all(|size| *size == 6), "{late:?}");
}

#[tokio::test(start_paused = true)]
async fn a_batch_lingers_for_callers_that_come_back() {
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
    // Where no jobs are expected, the first starts at once.
    assert_eq!(expected(10).await, (vec![1, 24, 24, 24, 24], 2_000));
    // Then all share a batch as soon as they are here.
    assert_eq!(expected(10).await, (vec![25; 5], 1_040));
    // Jobs that do not come are waited for once.
    let started = Instant::now();
    assert_eq!(add(&batcher, 1, 1).await, ("led", 1));
    assert_eq!(started.elapsed(), Duration::from_millis(1_050));
    assert_eq!(add(&batcher, 1, 1).await, ("immediate", 1));
}

#[tokio::test(start_paused = true)]
async fn after_an_idle_time_nothing_lingers() {
    let batcher = batcher(100, 100);
    futures_util::future::join_all((0..5).map(|number| add(&batcher, 2 * number + 1, 1))).await;
    time::sleep(Duration::from_secs(2)).await;
    assert_eq!(add(&batcher, 1, 1).await, ("immediate", 1));
}

#[tokio::test(start_paused = true)]
async fn a_lingering_job_that_is_given_up_leaves_no_job_waiting() {
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
    // If all have given up, nothing is left of the queue.
    all().await;
    assert!(time::timeout(Duration::from_millis(10), add(&batcher, 1, 1)).await.is_err());
    time::sleep(Duration::from_millis(100)).await;
    assert!(batcher.queues.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_followers_of_a_leader_without_time_form_the_next_batch() {
    let batcher = batcher(100, 100);
    let hurried = async {
        let job = batcher.join("sum", || 3, Instant::now() + Duration::from_secs(60)).await;
        let Ok(Dispatch::Lead(mut batch)) = job else { return 0 };
        batch.followers.begin();
        batch.followers.rejoin();
        batch.jobs.len()
    };
    let others = async {
        let all = futures_util::future::join_all([5, 7, 9].map(|number| add(&batcher, number, 1))).await;
        let mut dispatched: Vec<&str> = all.iter().map(|(dispatch, _)| *dispatch).collect();
        dispatched.sort_unstable();
        dispatched
    };
    let all = tokio::join!(add(&batcher, 1, 1), hurried, others);
    assert_eq!(all, (("immediate", 1), 4, vec!["answered", "answered", "led"]));
}

#[tokio::test(start_paused = true)]
async fn a_running_batch_is_waited_for_however_long_it_takes() {
    let batcher = batcher(100, 100);
    let all = tokio::join!(add(&batcher, 1, 1), add(&batcher, 3, 600), add(&batcher, 5, 1));
    assert_eq!(all, (("immediate", 1), ("led", 8), ("answered", 8)));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_gone_leaves_no_job_waiting() {
    let batcher = batcher(100, 100);
    let first = add(&batcher, 1, 1);
    // Gone while it runs, gone before it was told, and gone while it waits.
    let works = time::timeout(Duration::from_secs(2), add(&batcher, 3, 600));
    let (first, gone, reply) = tokio::join!(first, works, add(&batcher, 5, 1));
    assert_eq!((first, gone.is_err(), reply), (("immediate", 1), true, ("abandoned", 5)));
    let (held, mut reply) =
        (batcher.join("sum", || 1, Instant::now()).await.ok(), batcher.enqueue(&"sum", || 3, 0).unwrap());
    let (_, other) = tokio::join!(
        async {
            drop(held);
            reply = None
        },
        add(&batcher, 5, 1)
    );
    assert!(reply.is_none() && other.0 != "abandoned", "{other:?}");
    let (_, gone, other) = tokio::join!(
        add(&batcher, 1, 5),
        time::timeout(Duration::from_secs(1), add(&batcher, 3, 1)),
        add(&batcher, 5, 1)
    );
    assert_eq!((gone.is_err(), other), (true, ("led", 5)));
    assert!(batcher.queues.is_empty());
}

/// The mean batch size of clients that call again and again for a minute, each within `back` after its answer. A batch takes
/// 89 ms and 6.8 ms per job, as creates take on the machine of docs/performance.md.
async fn mean_batch(clients: u64, back: Duration) -> f64 {
    let batcher = batcher_of::<Shares>(2, 100, 1_000);
    let end = Instant::now() + Duration::from_secs(60);
    let client = async |number: u64| {
        let mut random = fastrand::Rng::with_seed(number);
        let (mut batches, mut jobs) = (0_u32, 0_u32);
        while Instant::now() < end {
            let (slot, size, followers) = match batcher.join((), || (), end + Duration::from_secs(60)).await.unwrap() {
                Dispatch::Immediate(slot) => (Some(slot), 1, None),
                Dispatch::Lead(Batch { slot, jobs, followers }) => (Some(slot), jobs.len(), Some(followers)),
                _ => (None, 0, None),
            };
            if size > 0 {
                time::sleep(Duration::from_micros(89_000 + 6_800 * size as u64)).await;
                (batches, jobs) = (batches + 1, jobs + size as u32);
            }
            if let Some(followers) = followers {
                followers.answer((1..size).map(|_| Some(size)));
            }
            drop(slot);
            time::sleep(Duration::from_micros(random.u64(1_000..back.as_micros() as u64))).await;
        }
        (batches, jobs)
    };
    let all = futures_util::future::join_all((0..clients).map(client)).await;
    let (batches, jobs) = all.into_iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    f64::from(jobs) / f64::from(batches)
}

#[tokio::test(start_paused = true)]
async fn batches_stay_large_whether_callers_come_back_soon_or_late() {
    for (clients, back, expected) in [(6, 5, 2.9), (16, 5, 7.9), (16, 15, 7.9), (64, 10, 31.0), (64, 40, 30.0)] {
        let size = mean_batch(clients, Duration::from_millis(back)).await;
        assert!(size >= expected, "{clients} clients within {back} ms: {size:.1}");
    }
}
