//! A store with many open calls. `STORE_CALLS` says how many.

use std::time::{Duration, Instant};

use odoo_gateway::store::{Accepted, Clock, End, Place, State, Ticket};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use super::{BEGIN, call, in_folder, queued};

/// How long each of some steps took.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    async fn of<T>(&mut self, step: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let came = step.await;
        self.0.push(began.elapsed());
        came
    }

    fn at(&mut self, percent: usize) -> Duration {
        self.0.sort_unstable();
        self.0[(self.0.len() * percent / 100).min(self.0.len() - 1)]
    }
}

#[tokio::test]
async fn each_step_of_a_call_is_quick_among_many_open_ones() {
    let number: i64 = std::env::var("STORE_CALLS").map_or(20_000, |number| number.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::virtual_at(BEGIN);
    let store = in_folder(folder.path(), &clock).await;
    let path = folder.path().join("store.sqlite");
    let mut raw = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    // Half of them in one lane each, the others in a lane together.
    for fill in [
        format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number}) \
             INSERT INTO calls (id, caller, client, idempotency_key, digest, route, model, lane, state, request, attempts, \
             unfinished, lease_until, accepted) SELECT printf('%08x-0000-7000-8000-000000000000', i), 'client shop', 'shop', \
             'key ' || i, zeroblob(32), 'create_data', 'res.partner', 'lane ' || CASE WHEN i % 2 = 0 THEN i ELSE 1 END, 'queued', \
             zeroblob(200), 0, 0, 0, {BEGIN} FROM n"
        ),
        format!(
            "INSERT INTO lanes (lane, client, depth, due) SELECT lane, 'shop', COUNT(*), {BEGIN} FROM calls GROUP BY lane"
        ),
    ] {
        sqlx::raw_sql(AssertSqlSafe(fill)).execute(&mut raw).await.unwrap();
    }
    let (mut accepts, mut keyed, mut claims) = (Times::default(), Times::default(), Times::default());
    let (mut extends, mut finishes, mut looks) = (Times::default(), Times::default(), Times::default());
    let mut first = Vec::new();
    for round in 0..500 {
        let new = queued(&format!("lane {round}"));
        accepts.of(store.accept(new.clone(), true)).await.unwrap();
        let key = format!("key {}", round + 1);
        let mut again = call(Some(&key), Place::AtOnce);
        again.digest = [0; 32];
        let known = keyed.of(store.accept(again, true)).await.unwrap();
        assert!(matches!(known, Accepted::Open { state: State::Queued, .. } | Accepted::Closed { .. }), "{known:?}");
        clock.set(clock.now() + 1);
        let claimed = claims.of(store.claim("shop")).await.unwrap().unwrap();
        assert!(extends.of(store.extend(&claimed.ticket)).await.unwrap());
        let end = End::Done { outcome: vec![0; 200] };
        assert!(finishes.of(store.finish(&claimed.ticket, end, None)).await.unwrap());
        assert!(looks.of(store.find(new.id)).await.unwrap().is_some());
        first.push(claimed.ticket);
    }
    let (mut counts, mut upkeep) = (Times::default(), Times::default());
    let depths = counts.of(store.depths()).await.unwrap();
    assert_eq!(depths[0].queued, u64::try_from(number).unwrap());
    upkeep.of(store.adopt()).await.unwrap();
    upkeep.of(store.expire()).await.unwrap();
    let ids: std::collections::HashSet<_> = first.iter().map(|Ticket { id, .. }| *id).collect();
    assert_eq!(ids.len(), 500);
    for (what, times) in [
        ("accept", &mut accepts),
        ("known key", &mut keyed),
        ("claim", &mut claims),
        ("extend", &mut extends),
        ("finish", &mut finishes),
        ("find", &mut looks),
        ("count", &mut counts),
        ("upkeep", &mut upkeep),
    ] {
        println!("{what}: {:?} at the median, {:?} at 99 % among {number}", times.at(50), times.at(99));
    }
    // A scan of all calls takes longer from some hundred thousand on; a busy machine is allowed for.
    assert!(claims.at(50) < Duration::from_millis(50), "{:?}", claims.at(50));
}
