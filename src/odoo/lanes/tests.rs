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
async fn many_who_wait_go_beside_what_is_under_way_and_share_the_places() {
    enum Slow {}

    impl Work for Slow {
        type Key = ();
        type Job = ();
        type Answer = usize;
        const WORTH_A_CALL: usize = 2;
    }

    let lanes = lanes_of::<Slow>(2, 100, 100);
    let go = async |seconds| {
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
    };
    // Two go beside the first; of the others one is not worth a call while those two are under way.
    assert_eq!(tokio::join!(go(1), go(5), go(1), go(1)), (1, 2, 2, 1));
    // Those who waited for the only one are shared out.
    let only = lanes_of::<Slow>(2, 100, 100);
    let held = only.turn((), || (), Instant::now()).await.ok();
    only.lanes.get_mut(&()).unwrap().under_way = 2;
    let waiting: Vec<_> = (0..5).map(|n| only.queue_up(&(), || (), n).unwrap()).collect();
    assert!(waiting.iter().all(|(told, begun)| told.is_some() && begun.is_none()));
    only.lanes.get_mut(&()).unwrap().under_way = 1;
    drop(held);
    let sizes = waiting.into_iter().filter_map(|(told, _)| match told?.try_recv() {
        Ok(Told::Lead(batch)) => Some(batch.jobs.len()),
        _ => None,
    });
    assert_eq!(sizes.collect::<Vec<_>>(), [3, 2]);
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
        (lanes.turn("sum", || 1, Instant::now()).await.ok(), lanes.queue_up(&"sum", || 3, 0).unwrap().0);
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
