//! Who goes together with whom, and when, in time that passes at once.

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
    lanes_of(1, most, queue)
}

fn lanes_of<W: Work>(abreast: usize, most: usize, queue: usize) -> Arc<Lanes<W>> {
    Arc::new(Lanes {
        lanes: DashMap::new(),
        tickets: AtomicU64::new(0),
        abreast,
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
        Err(error) => (error.code().as_str(), 0),
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
    assert_eq!(hurried.err().unwrap().code().as_str(), "out_of_time");
    assert!(lanes.lanes.is_empty());
}

/// Go side by side.
enum Shares {}

impl Work for Shares {
    type Key = ();
    type Job = ();
    type Answer = usize;
    const SIDE_BY_SIDE: bool = true;
}

/// With how many one went, where that takes so many seconds.
async fn go(lanes: &Arc<Lanes<Shares>>, seconds: u64) -> usize {
    let work = time::sleep(Duration::from_secs(seconds));
    match lanes.turn((), || (), Instant::now() + Duration::from_secs(60)).await {
        Ok(Turn::First(_place)) => {
            work.await;
            1
        }
        Ok(Turn::Lead(batch)) => {
            let Batch { place: _place, jobs, followers } = batch;
            work.await;
            followers.tell((1..jobs.len()).map(|_| Some(jobs.len())));
            jobs.len()
        }
        Ok(Turn::Answer(of)) => of,
        _ => 0,
    }
}

#[tokio::test(start_paused = true)]
async fn who_comes_goes_beside_what_is_under_way_and_many_share_the_places() {
    let lanes = lanes_of::<Shares>(2, 100, 100);
    assert_eq!(tokio::join!(go(&lanes, 1), go(&lanes, 5), go(&lanes, 1), go(&lanes, 1)), (1, 1, 2, 2));
    // Of many who wait for a place, half go into each of two.
    let lanes = lanes_of::<Shares>(2, 100, 100);
    let all = futures_util::future::join_all((0..11).map(|number| go(&lanes, if number == 0 { 1 } else { 5 }))).await;
    assert_eq!(all, [1, 1, 6, 6, 6, 6, 6, 6, 3, 3, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_crowd_that_calls_again_and_again_falls_into_equal_shares() {
    let lanes = lanes_of::<Shares>(2, 100, 100);
    let client = async |number: u64| {
        let mut sizes = Vec::new();
        for _ in 0..40 {
            sizes.push(go(&lanes, 1).await);
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
    let lanes = lanes(100, 100);
    let crowd = async |late: u64| {
        let started = Instant::now();
        let come = async |number: u64| {
            time::sleep(Duration::from_millis(number * late)).await;
            add(&lanes, 2 * number + 1, 1).await.1
        };
        let sums = futures_util::future::join_all((0..5).map(come)).await;
        (sums, started.elapsed().as_millis())
    };
    // Where nobody has been, the first waits for nobody.
    assert_eq!(crowd(10).await, (vec![1, 24, 24, 24, 24], 2_000));
    // Then all go together as soon as they are here.
    assert_eq!(crowd(10).await, (vec![25; 5], 1_040));
    // Who stays away is waited for once.
    let started = Instant::now();
    assert_eq!(add(&lanes, 1, 1).await, ("led", 1));
    assert_eq!(started.elapsed(), Duration::from_millis(1_050));
    assert_eq!(add(&lanes, 1, 1).await, ("first", 1));
}

#[tokio::test(start_paused = true)]
async fn a_crowd_that_has_not_been_here_for_a_while_is_not_waited_for() {
    let lanes = lanes(100, 100);
    futures_util::future::join_all((0..5).map(|number| add(&lanes, 2 * number + 1, 1))).await;
    time::sleep(Duration::from_secs(2)).await;
    assert_eq!(add(&lanes, 1, 1).await, ("first", 1));
}

#[tokio::test(start_paused = true)]
async fn one_of_a_crowd_who_gives_up_leaves_nobody_waiting() {
    let lanes = lanes(100, 100);
    let all = async || {
        tokio::join!(add(&lanes, 1, 1), add(&lanes, 3, 1), add(&lanes, 5, 1), add(&lanes, 7, 1), add(&lanes, 9, 1))
    };
    all().await;
    let started = Instant::now();
    let hurried = time::timeout(Duration::from_millis(10), add(&lanes, 1, 1));
    let late = async {
        time::sleep(Duration::from_millis(20)).await;
        add(&lanes, 1, 1).await
    };
    let (hurried, late) = tokio::join!(hurried, late);
    assert!(hurried.is_err());
    assert_eq!((late, started.elapsed()), (("led", 1), Duration::from_millis(1_050)));
    // Where all have, nothing is left of the lane.
    all().await;
    assert!(time::timeout(Duration::from_millis(10), add(&lanes, 1, 1)).await.is_err());
    time::sleep(Duration::from_millis(100)).await;
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
    let (_, gone, other) =
        tokio::join!(add(&lanes, 1, 5), time::timeout(Duration::from_secs(1), add(&lanes, 3, 1)), add(&lanes, 5, 1));
    assert_eq!((gone.is_err(), other), (true, ("led", 5)));
    assert!(lanes.lanes.is_empty());
}
