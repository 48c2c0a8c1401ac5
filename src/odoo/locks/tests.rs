//! Keyed locks by themselves, and with locks that another gateway may hold.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::json;

use super::*;

fn key(name: &str) -> RecordKey {
    RecordKey::new("d", "m", &[("name", &json!(name))])
}

/// Some keys in the order in which they are locked.
fn keys() -> [RecordKey; 3] {
    let mut keys = ["a", "b", "c"].map(key);
    keys.sort_unstable();
    keys
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(1)
}

async fn take(locks: &Arc<KeyLocks>, held: Held, keys: &[RecordKey]) -> Result<(Held, Taken), Error> {
    locks.take(held, keys.to_vec(), soon()).await
}

#[test]
fn values_that_odoo_compares_as_equal_have_the_same_key_in_any_order_of_fields() {
    let key = |terms: &[(&str, Value)]| {
        let terms: Vec<(&str, &Value)> = terms.iter().map(|(field, value)| (*field, value)).collect();
        RecordKey::new("d", "m", &terms)
    };
    assert_eq!(key(&[("ref", json!(1))]), key(&[("ref", json!("1"))]));
    assert_eq!(key(&[("ref", json!(1.0))]), key(&[("ref", json!("1"))]));
    let (a, b) = (("a", json!("x")), ("b", json!(true)));
    assert_eq!(key(&[a.clone(), b.clone()]), key(&[b, a]));
    for other in [json!("X"), json!(" x"), json!(1), json!(true)] {
        assert_ne!(key(&[("a", json!("x"))]), key(&[("a", other)]));
    }
    assert_ne!(key(&[("ab", json!("c"))]), key(&[("a", json!("bc"))]));
    assert_ne!(RecordKey::new("d", "m", &[]), RecordKey::new("d", "n", &[]));
}

#[tokio::test(start_paused = true)]
async fn a_lock_is_waited_for_until_the_deadline_and_others_are_free() {
    let locks = Arc::<KeyLocks>::default();
    let [a, b, _] = keys();
    let (held, _) = take(&locks, Held::default(), &[a, a]).await.unwrap();
    assert_eq!(take(&locks, Held::default(), &[a]).await.unwrap_err().code().as_str(), "key_busy");
    assert!(take(&locks, Held::default(), &[b]).await.is_ok());
    drop(held);
    assert!(take(&locks, Held::default(), &[a]).await.is_ok());
    assert_eq!((locks.locks.len(), locks.waiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_needs_more_out_of_order_keeps_what_it_has_where_the_rest_is_free() {
    let locks = Arc::<KeyLocks>::default();
    let [a, b, c] = keys();
    let (held, _) = take(&locks, Held::default(), &[b]).await.unwrap();
    let (held, taken) = take(&locks, held, &[a, b, c]).await.unwrap();
    assert_eq!((held.0.len(), taken), (3, Taken::Added));
}

#[tokio::test(start_paused = true)]
async fn two_calls_that_need_each_others_locks_both_get_them() {
    let locks = Arc::<KeyLocks>::default();
    let [a, b, _] = keys();
    let (one, _) = take(&locks, Held::default(), &[a]).await.unwrap();
    let (other, _) = take(&locks, Held::default(), &[b]).await.unwrap();
    let both = async |held, key| {
        let (held, taken) = take(&locks, held, &[key]).await.unwrap();
        drop(held);
        taken
    };
    let taken = tokio::join!(both(one, b), both(other, a));
    // The one that held the first lock keeps it; the other has to begin anew.
    assert_eq!(taken, (Taken::Added, Taken::Anew));
    assert_eq!(locks.locks.len(), 0);
}

#[tokio::test]
async fn many_that_want_many_locks_in_any_order_all_end_and_leave_nothing() {
    let locks = Arc::<KeyLocks>::default();
    let until = Instant::now() + Duration::from_secs(60);
    let mut calls = Vec::new();
    for number in 0..200_usize {
        let locks = locks.clone();
        calls.push(tokio::spawn(async move {
            let mut held = Held::default();
            for step in 0..4 {
                let wanted = key(&((number * 7 + step * 5) % 9).to_string());
                held = locks.take(held, vec![wanted], until).await.unwrap().0;
                tokio::task::yield_now().await;
            }
        }));
    }
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!((locks.locks.len(), locks.waiting()), (0, 0));
}

/// Locks of one session at a time, of which another gateway may hold some.
#[derive(Debug, Default)]
struct Fake {
    others: parking_lot::Mutex<Vec<RecordKey>>,
    session: Arc<AtomicUsize>,
    released: Arc<AtomicUsize>,
    taken: AtomicUsize,
}

#[derive(Debug)]
struct FakeLock(Session, Arc<AtomicUsize>);

impl SharedLock for FakeLock {
    fn session(&self) -> Session {
        self.0
    }
}

impl Drop for FakeLock {
    fn drop(&mut self) {
        self.1.fetch_add(1, Relaxed);
    }
}

impl Fake {
    fn now(&self) -> Session {
        Session(self.session.load(Relaxed) as u64)
    }

    fn lose_session(&self) {
        self.session.fetch_add(1, Relaxed);
    }

    fn tried(&self, key: RecordKey) -> Option<Box<dyn SharedLock>> {
        if self.others.lock().contains(&key) {
            return None;
        }
        self.taken.fetch_add(1, Relaxed);
        Some(Box::new(FakeLock(self.now(), self.released.clone())))
    }
}

impl SharedLocks for Fake {
    fn take(&self, key: RecordKey, until: Instant) -> BoxFuture<'_, Result<Box<dyn SharedLock>, NotTaken>> {
        Box::pin(async move {
            loop {
                match self.tried(key) {
                    Some(lock) => return Ok(lock),
                    None if Instant::now() >= until => return Err(NotTaken::Busy),
                    None => time::sleep(Duration::from_millis(10)).await,
                }
            }
        })
    }

    fn try_take(&self, key: RecordKey) -> BoxFuture<'_, Option<Box<dyn SharedLock>>> {
        Box::pin(async move { self.tried(key) })
    }

    fn is_current(&self, session: Session) -> BoxFuture<'_, bool> {
        Box::pin(async move { session == self.now() })
    }
}

fn shared() -> (Arc<KeyLocks>, Arc<Fake>) {
    let (locks, fake) = (Arc::<KeyLocks>::default(), Arc::<Fake>::default());
    locks.share(fake.clone());
    (locks, fake)
}

#[test]
fn numbers_of_keys_sort_as_the_keys_do() {
    let mut keys: Vec<RecordKey> = (0..100).map(|number| key(&number.to_string())).collect();
    keys.sort_unstable();
    assert!(keys.is_sorted_by_key(|key| key.number()));
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_another_gateway_holds_is_waited_for_and_released_with_the_own_one() {
    let (locks, fake) = shared();
    let [a, b, _] = keys();
    fake.others.lock().push(b);
    assert_eq!(take(&locks, Held::default(), &[a, b]).await.unwrap_err().code().as_str(), "key_busy");
    assert_eq!((fake.released.load(Relaxed), locks.locks.len(), locks.waiting()), (1, 0, 0));
    let waiting = tokio::spawn({
        let locks = locks.clone();
        async move { take(&locks, Held::default(), &[a, b]).await.map(|(held, _)| held.0.len()) }
    });
    time::sleep(Duration::from_millis(500)).await;
    assert!(!waiting.is_finished());
    fake.others.lock().clear();
    assert_eq!(waiting.await.unwrap().unwrap(), 2);
    assert_eq!((fake.released.load(Relaxed), locks.locks.len()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_shared_lock_out_of_order_that_another_gateway_holds_makes_the_call_begin_anew() {
    let (locks, fake) = shared();
    let [a, b, _] = keys();
    let (held, _) = take(&locks, Held::default(), &[b]).await.unwrap();
    fake.others.lock().push(a);
    let waiting = tokio::spawn({
        let locks = locks.clone();
        async move { take(&locks, held, &[a]).await.unwrap() }
    });
    time::sleep(Duration::from_millis(100)).await;
    // It waits for the first and holds none, so that the other gateway could have the second.
    assert_eq!(fake.released.load(Relaxed), 1);
    fake.others.lock().clear();
    let (held, taken) = waiting.await.unwrap();
    assert_eq!((held.0.len(), taken), (2, Taken::Anew));
}

#[tokio::test(start_paused = true)]
async fn locks_of_a_session_that_has_ended_are_taken_anew_before_the_first_write() {
    let (locks, fake) = shared();
    let [a, b, c] = keys();
    let (held, _) = take(&locks, Held::default(), &[a, b]).await.unwrap();
    let (held, taken) = locks.confirm(held, soon()).await.unwrap();
    assert_eq!(taken, Taken::Added);
    fake.lose_session();
    let (held, taken) = locks.confirm(held, soon()).await.unwrap();
    assert_eq!((held.0.len(), taken), (2, Taken::Anew));
    assert_eq!(locks.confirm(held, soon()).await.unwrap().1, Taken::Added);

    // Also where only a further lock shows it.
    let (held, _) = take(&locks, Held::default(), &[a]).await.unwrap();
    fake.lose_session();
    let (held, taken) = take(&locks, held, &[c]).await.unwrap();
    assert_eq!((held.0.len(), taken, held.session()), (2, Taken::Anew, Some(fake.now())));
    drop(held);
    assert_eq!(fake.taken.load(Relaxed), fake.released.load(Relaxed));
}

#[tokio::test(start_paused = true)]
async fn a_lost_lock_that_another_gateway_has_taken_is_waited_for_until_the_deadline() {
    let (locks, fake) = shared();
    let [a, ..] = keys();
    let (held, _) = take(&locks, Held::default(), &[a]).await.unwrap();
    fake.lose_session();
    fake.others.lock().push(a);
    assert_eq!(locks.confirm(held, soon()).await.unwrap_err().code().as_str(), "key_busy");
    assert_eq!(locks.locks.len(), 0);
}

#[tokio::test]
async fn a_call_without_shared_locks_has_nothing_to_confirm() {
    let locks = Arc::<KeyLocks>::default();
    let (held, _) = take(&locks, Held::default(), &keys()).await.unwrap();
    let (held, taken) = locks.confirm(held, soon()).await.unwrap();
    assert_eq!((held.0.len(), taken), (3, Taken::Added));
}
