//! What every store does, whatever it runs on.

use std::time::Duration;

use odoo_gateway::store::{Accepted, Clock, Delivery, End, Filter, NewCall, Place, State, Store};

use super::{BEGIN, call, queued};

/// Runs all of it on a store that is empty. The clock is the store's.
pub(super) async fn holds(store: &Store, clock: &Clock) {
    a_key_is_known_again_with_its_outcome(store).await;
    a_call_that_is_stored_again_is_there_once(store).await;
    a_key_is_taken_over_when_its_holder_is_gone(store, clock).await;
    what_is_given_back_is_as_it_was_before(store, clock).await;
    a_lane_goes_one_after_another_and_others_beside_it(store, clock).await;
    a_worker_that_comes_back_late_changes_nothing(store, clock).await;
    what_a_delivery_has_come_to_is_there_for_the_next_attempt_alone(store, clock).await;
    an_older_event_never_takes_the_place_of_a_newer_one(store).await;
    what_an_attempt_without_an_end_has_done_is_to_be_found_out_until_the_call_is_done(store, clock).await;
    calls_are_retried_and_dropped_by_filter(store).await;
    a_paused_client_is_not_claimed(store).await;
    what_waits_for_a_person_outlives_its_key(store, clock).await;
    ends_are_told_once(store, clock).await;
    what_is_old_is_deleted(store, clock).await;
}

fn ticket(accepted: Accepted) -> odoo_gateway::store::Ticket {
    match accepted {
        Accepted::New(Some(ticket)) | Accepted::TakenOver { ticket, .. } => ticket,
        other => panic!("{other:?}"),
    }
}

async fn a_key_is_known_again_with_its_outcome(store: &Store) {
    let first = call(Some("k1"), Place::AtOnce);
    let ticket = ticket(store.accept(first.clone(), true).await.unwrap());
    let again = store.accept(call(Some("k1"), Place::AtOnce), true).await.unwrap();
    assert_eq!(again, Accepted::Open { id: first.id, state: State::Running });
    let mut other = call(Some("k1"), Place::AtOnce);
    other.digest = [2; 32];
    assert_eq!(store.accept(other, true).await.unwrap(), Accepted::Reused { id: first.id });
    let mut apart = call(Some("k1"), Place::AtOnce);
    apart.caller = "client warehouse".to_owned();
    assert!(matches!(store.accept(apart, true).await.unwrap(), Accepted::New(Some(_))));
    assert!(store.finish(&ticket, End::Done { outcome: b"done".to_vec() }, None).await.unwrap());
    let again = store.accept(call(Some("k1"), Place::AtOnce), true).await.unwrap();
    assert_eq!(again, Accepted::Closed { id: first.id, state: State::Done, outcome: b"done".to_vec() });
    let found = store.find(first.id).await.unwrap().unwrap();
    assert_eq!((found.state, found.outcome, found.attempts), (State::Done, Some(b"done".to_vec()), 1));
    let outcomes = store.outcomes(Store::outcomes_from(store.now()), 10).await.unwrap();
    assert_eq!(outcomes.iter().map(|(_, outcome)| &outcome[..]).collect::<Vec<_>>(), [b"done"]);
    assert_eq!(store.outcomes(outcomes[0].0, 10).await.unwrap(), []);
    assert_eq!(store.outcomes(Store::outcomes_from(store.now() + 1), 10).await.unwrap(), []);

    let freed = self::ticket(store.accept(call(Some("k2"), Place::AtOnce), true).await.unwrap());
    assert!(store.finish(&freed, End::Free, None).await.unwrap());
    assert!(matches!(store.accept(call(Some("k2"), Place::AtOnce), true).await.unwrap(), Accepted::New(Some(_))));
}

async fn a_call_that_is_stored_again_is_there_once(store: &Store) {
    let call = queued("again");
    assert_eq!(store.accept(call.clone(), false).await.unwrap(), Accepted::New(None));
    let again = store.accept(call.clone(), false).await.unwrap();
    assert_eq!(again, Accepted::Open { id: call.id, state: State::Queued });
    let claimed = store.claim("shop").await.unwrap().unwrap();
    assert!(store.claim("shop").await.unwrap().is_none(), "it is there twice");
    assert!(store.finish(&claimed.ticket, End::Done { outcome: b"done".to_vec() }, None).await.unwrap());
    let again = store.accept(call.clone(), false).await.unwrap();
    assert_eq!(again, Accepted::Closed { id: call.id, state: State::Done, outcome: b"done".to_vec() });
}

/// An attempt that wrote nothing does not put off the time after which nothing of the one before can appear.
async fn what_is_given_back_is_as_it_was_before(store: &Store, clock: &Clock) {
    let first = call(Some("given back"), Place::AtOnce);
    ticket(store.accept(first.clone(), true).await.unwrap());
    let again = call(Some("given back"), Place::AtOnce);
    clock.set(clock.now() + 40_000);
    for since_last in [10, 20] {
        let taken = store.accept(again.clone(), true).await.unwrap();
        let Accepted::TakenOver { ticket, earlier } = taken else { panic!("{taken:?}") };
        assert_eq!((ticket.id, earlier.since_last), (first.id, Duration::from_secs(since_last)));
        let sent_until = store.now() - i64::try_from(earlier.since_last.as_millis()).unwrap();
        clock.set(clock.now() + 10_000);
        assert!(store.give_back(&ticket, sent_until).await.unwrap());
        assert!(!store.give_back(&ticket, sent_until).await.unwrap(), "it is nobody's any more");
    }
    let taken = ticket(store.accept(again, true).await.unwrap());
    assert!(store.finish(&taken, End::Done { outcome: b"done".to_vec() }, None).await.unwrap());
}

async fn a_key_is_taken_over_when_its_holder_is_gone(store: &Store, clock: &Clock) {
    let first = call(Some("k3"), Place::AtOnce);
    let late = ticket(store.accept(first.clone(), true).await.unwrap());
    clock.set(clock.now() + 29_999);
    assert!(matches!(store.accept(call(Some("k3"), Place::AtOnce), true).await.unwrap(), Accepted::Open { .. }));
    assert!(store.extend(&late).await.unwrap());
    clock.set(clock.now() + 30_000);
    assert!(matches!(store.accept(call(Some("k3"), Place::AtOnce), false).await.unwrap(), Accepted::Open { .. }));
    let Accepted::TakenOver { ticket, earlier } = store.accept(call(Some("k3"), Place::AtOnce), true).await.unwrap()
    else {
        panic!("it is not taken over");
    };
    assert_eq!((ticket.id, earlier.attempts, earlier.unfinished), (first.id, 1, 1));
    assert_eq!(earlier.last - earlier.first, 0);
    assert_eq!(earlier.since_last, Duration::ZERO);
    assert!(!store.extend(&late).await.unwrap());
    assert!(!store.finish(&late, End::Done { outcome: b"late".to_vec() }, None).await.unwrap());
    let doubt = End::InDoubt { outcome: b"?".to_vec(), error: "outcome_unknown".to_owned() };
    assert!(store.finish(&ticket, doubt, None).await.unwrap());
    // A call in doubt is given to the caller who asks again, to find out.
    let again = store.accept(call(Some("k3"), Place::AtOnce), true).await.unwrap();
    assert!(matches!(again, Accepted::TakenOver { earlier, .. } if earlier.attempts == 2), "{again:?}");
}

async fn a_lane_goes_one_after_another_and_others_beside_it(store: &Store, clock: &Clock) {
    let calls = [queued("a"), queued("b"), queued("a"), queued("a")];
    for call in &calls {
        assert_eq!(store.accept(call.clone(), true).await.unwrap(), Accepted::New(None));
    }
    let first = store.claim("shop").await.unwrap().unwrap();
    let second = store.claim("shop").await.unwrap().unwrap();
    assert_eq!((first.ticket.id, second.ticket.id), (calls[0].id, calls[1].id));
    assert_eq!((first.earlier, &first.request[..]), (None, &b"{\"name\": \"x\"}"[..]));
    assert!(store.claim("shop").await.unwrap().is_none());
    assert!(store.claim("warehouse").await.unwrap().is_none());
    let again = End::Again { after: Duration::from_secs(60), error: "odoo_unreachable".to_owned() };
    assert!(store.finish(&first.ticket, again, None).await.unwrap());
    // The ones behind it wait with it.
    assert!(store.claim("shop").await.unwrap().is_none());
    let blocked = Filter { is_blocked: true, ..Filter::default() };
    let blocked = store.list(blocked, 0, 10).await.unwrap();
    assert_eq!(blocked.iter().map(|call| call.id).collect::<Vec<_>>(), [calls[2].id, calls[3].id]);
    let depths = store.depths().await.unwrap();
    let shop = depths.iter().find(|depth| depth.client == "shop").unwrap();
    assert_eq!((shop.queued, shop.blocked_lanes), (4, 1));
    clock.set(clock.now() + 60_000);
    assert!(store.extend(&second.ticket).await.unwrap());
    let first = store.claim("shop").await.unwrap().unwrap();
    let earlier = first.earlier.unwrap();
    assert_eq!((first.ticket.id, earlier.attempts, earlier.unfinished), (calls[0].id, 1, 0));
    for ticket in [&first.ticket, &second.ticket] {
        assert!(store.finish(ticket, End::Done { outcome: Vec::new() }, None).await.unwrap());
    }
    for call in &calls[2..] {
        let claimed = store.claim("shop").await.unwrap().unwrap();
        assert_eq!(claimed.ticket.id, call.id);
        assert!(store.finish(&claimed.ticket, End::Done { outcome: Vec::new() }, None).await.unwrap());
    }
    assert!(store.claim("shop").await.unwrap().is_none());
}

async fn a_worker_that_comes_back_late_changes_nothing(store: &Store, clock: &Clock) {
    let call = queued("late");
    store.accept(call.clone(), true).await.unwrap();
    let late = store.claim("shop").await.unwrap().unwrap();
    clock.set(clock.now() + 30_001);
    let next = store.claim("shop").await.unwrap().unwrap();
    assert_eq!((next.ticket.id, next.earlier.unwrap().unfinished), (call.id, 1));
    assert!(!store.extend(&late.ticket).await.unwrap());
    assert!(!store.finish(&late.ticket, End::Done { outcome: Vec::new() }, None).await.unwrap());
    assert!(store.claim("shop").await.unwrap().is_none());
    assert!(store.finish(&next.ticket, End::Done { outcome: Vec::new() }, None).await.unwrap());
}

async fn what_a_delivery_has_come_to_is_there_for_the_next_attempt_alone(store: &Store, clock: &Clock) {
    let mut call = queued("delivery");
    call.delivery = Some(Delivery { hook: "shop".to_owned(), id: Some("e-1".to_owned()) });
    store.accept(call.clone(), true).await.unwrap();
    let late = store.claim("shop").await.unwrap().unwrap();
    assert_eq!(late.ticket.progress(), None);
    assert!(store.keep_progress(&late.ticket, b"[1]".to_vec()).await.unwrap());
    clock.set(clock.now() + 30_001);
    let next = store.claim("shop").await.unwrap().unwrap();
    assert_eq!(next.ticket.progress(), Some(&b"[1]"[..]));
    assert!(!store.keep_progress(&late.ticket, b"[late]".to_vec()).await.unwrap());
    // It waits for a person, and goes on from there.
    let dead = End::Dead { outcome: b"no".to_vec(), error: "no_match".to_owned() };
    assert!(store.finish(&next.ticket, dead, None).await.unwrap());
    assert_eq!(store.find(call.id).await.unwrap().unwrap().delivery, call.delivery);
    assert_eq!(store.retry(&Filter { ids: vec![call.id], ..Filter::default() }).await.unwrap(), 1);
    let again = store.claim("shop").await.unwrap().unwrap();
    assert_eq!(again.ticket.progress(), Some(&b"[1]"[..]));
    assert!(store.finish(&again.ticket, End::Done { outcome: Vec::new() }, None).await.unwrap());
}

async fn an_older_event_never_takes_the_place_of_a_newer_one(store: &Store) {
    assert_eq!(store.newest("shop", "k").await.unwrap(), None);
    for (version, newest) in [(2.5, 2.5), (1.0, 2.5), (1_764_500_000.123_456, 1_764_500_000.123_456)] {
        store.note_newest("shop", "k", version).await.unwrap();
        assert_eq!(store.newest("shop", "k").await.unwrap(), Some(newest));
    }
    assert_eq!(store.newest("other", "k").await.unwrap(), None);
}

async fn what_an_attempt_without_an_end_has_done_is_to_be_found_out_until_the_call_is_done(
    store: &Store,
    clock: &Clock,
) {
    let call = queued("unsettled");
    store.accept(call.clone(), true).await.unwrap();
    store.claim("shop").await.unwrap().unwrap();
    for end in [
        End::Again { after: Duration::ZERO, error: "odoo_unreachable".to_owned() },
        End::Dead { outcome: b"no".to_vec(), error: "no_match".to_owned() },
        End::Again { after: Duration::ZERO, error: "settling".to_owned() },
    ] {
        clock.set(clock.now() + 30_001);
        store.retry(&Filter { ids: vec![call.id], ..Filter::default() }).await.unwrap();
        let claimed = store.claim("shop").await.unwrap().unwrap();
        assert_eq!(claimed.earlier.unwrap().unfinished, 1, "{end:?}");
        assert!(store.finish(&claimed.ticket, end, None).await.unwrap());
    }
    let claimed = store.claim("shop").await.unwrap().unwrap();
    assert_eq!(claimed.earlier.unwrap().unfinished, 1);
    assert!(store.finish(&claimed.ticket, End::Done { outcome: Vec::new() }, None).await.unwrap());
}

async fn calls_are_retried_and_dropped_by_filter(store: &Store) {
    for _ in 0..3 {
        store.accept(queued("refused"), true).await.unwrap();
        let claimed = store.claim("shop").await.unwrap().unwrap();
        let dead = End::Dead { outcome: b"no".to_vec(), error: "no_match".to_owned() };
        assert!(store.finish(&claimed.ticket, dead, None).await.unwrap());
    }
    let refused = Filter { error: Some("no_match".to_owned()), ..Filter::default() };
    assert_eq!(store.list(refused.clone(), 0, 10).await.unwrap().len(), 3);
    assert_eq!(store.retry(&refused).await.unwrap(), 3);
    let claimed = store.claim("shop").await.unwrap().unwrap();
    // The one that is being delivered stays.
    assert_eq!(store.drop_calls(&refused).await.unwrap(), 2);
    assert!(store.finish(&claimed.ticket, End::Done { outcome: Vec::new() }, None).await.unwrap());
    assert!(store.claim("shop").await.unwrap().is_none());
}

async fn a_paused_client_is_not_claimed(store: &Store) {
    store.accept(queued("paused"), true).await.unwrap();
    assert!(store.pause("shop", Some("its key has expired")).await.unwrap());
    assert!(!store.pause("shop", Some("again")).await.unwrap());
    assert!(store.claim("shop").await.unwrap().is_none());
    let depths = store.depths().await.unwrap();
    assert_eq!(depths.iter().filter_map(|depth| depth.paused.as_deref()).collect::<Vec<_>>(), ["its key has expired"]);
    assert!(store.pause("shop", None).await.unwrap());
    let claimed = store.claim("shop").await.unwrap().unwrap();
    let told = Some(("shop".to_owned(), b"{}".to_vec()));
    assert!(store.finish(&claimed.ticket, End::Done { outcome: Vec::new() }, told).await.unwrap());
}

/// Such as a delivery without an id, whose content is known for as long as its signature could be sent again.
async fn what_waits_for_a_person_outlives_its_key(store: &Store, clock: &Clock) {
    let lane = || Place::Lane("signed".to_owned());
    let signed = || NewCall { keep: Some(Duration::from_secs(60)), ..call(Some("signed"), lane()) };
    let ends = [
        End::Dead { outcome: b"no".to_vec(), error: "no_match".to_owned() },
        End::InDoubt { outcome: b"perhaps".to_vec(), error: "outcome_unknown".to_owned() },
    ];
    let mut waiting = Vec::new();
    for end in ends {
        let call = signed();
        assert_eq!(store.accept(call.clone(), false).await.unwrap(), Accepted::New(None), "its key is known");
        let claimed = store.claim("shop").await.unwrap().unwrap();
        assert!(store.finish(&claimed.ticket, end, None).await.unwrap());
        assert!(matches!(store.accept(signed(), false).await.unwrap(), Accepted::Closed { .. }));
        clock.set(clock.now() + 61_000);
        while store.expire().await.unwrap() > 0 {}
        waiting.push(call);
    }
    for call in &waiting {
        let kept = store.find(call.id).await.unwrap().expect("it is deleted before a person has seen it");
        assert_eq!((kept.key, kept.state.is_closed()), (None, true));
    }
    let dead = Filter { ids: vec![waiting[0].id], ..Filter::default() };
    assert_eq!(store.retry(&dead).await.unwrap(), 1);
    let claimed = store.claim("shop").await.unwrap().unwrap();
    assert_eq!(claimed.request, waiting[0].request);
    assert!(store.finish(&claimed.ticket, End::Done { outcome: Vec::new() }, None).await.unwrap());
}

async fn ends_are_told_once(store: &Store, clock: &Clock) {
    let untold = store.claim_callback().await.unwrap().unwrap();
    assert_eq!((untold.client.as_str(), &untold.body[..], untold.attempts), ("shop", &b"{}"[..], 0));
    assert!(store.claim_callback().await.unwrap().is_none());
    assert!(store.end_callback(&untold, Some(Duration::from_secs(5))).await.unwrap());
    assert!(store.claim_callback().await.unwrap().is_none());
    clock.set(clock.now() + 5_000);
    let again = store.claim_callback().await.unwrap().unwrap();
    assert_eq!(again.attempts, 1);
    assert!(!store.end_callback(&untold, None).await.unwrap());
    assert!(store.end_callback(&again, None).await.unwrap());
    assert!(store.claim_callback().await.unwrap().is_none());
}

async fn what_is_old_is_deleted(store: &Store, clock: &Clock) {
    while store.adopt().await.unwrap() > 0 {}
    let open = queued("open for eight days");
    assert_eq!(store.accept(open.clone(), false).await.unwrap(), Accepted::New(None));
    clock.set(clock.now().max(BEGIN) + 8 * 86_400_000);
    while store.expire().await.unwrap() > 0 {}
    let left = store.list(Filter::default(), 0, 100).await.unwrap();
    assert!(left.iter().any(|call| call.id == open.id), "{left:?}");
    assert!(left.iter().all(|call| !call.state.is_closed()), "{left:?}");
    assert_eq!(store.newest("shop", "k").await.unwrap(), None);
    assert!(matches!(store.accept(call(Some("k1"), Place::AtOnce), true).await.unwrap(), Accepted::New(_)));
}
