//! The overview is held against a naive count over the same calls.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::*;
use crate::{
    log::{Brief, CallState, State},
    operations::recorded::Recorded,
};

const STATES: [CallState; 7] = [
    CallState::Done,
    CallState::Failed,
    CallState::InDoubt,
    CallState::Running,
    CallState::Queued,
    CallState::Ignored,
    CallState::DryRun,
];

/// A part of a log: its names, in an order of its own, and its calls.
fn part(random: &mut Rng, models: usize, until: Timestamp) -> (Vec<String>, Vec<Brief>) {
    let mut names: Vec<String> = (0..models).map(|number| format!("model.{number}")).collect();
    names.extend(
        ["create_data", "update_data", "webshop", "crm", "no_match", "model_not_allowed", "payload.name"]
            .map(str::to_owned),
    );
    names.push(String::new());
    random.shuffle(&mut names);
    let number = |name: &str| u16::try_from(names.iter().position(|known| known == name).unwrap()).unwrap();
    let calls = (0..random.usize(1..300)).map(|_| {
        let state = random.choice(STATES).unwrap();
        let error =
            if state == CallState::Failed { random.choice(["no_match", "model_not_allowed"]).unwrap() } else { "" };
        // The lower numbers are called more often.
        let model = random.usize(..models).min(random.usize(..models)).min(random.usize(..models));
        Brief {
            id: Uuid::from_u128(random.u128(..)),
            arrived: until.as_microsecond() - random.i64(0..8 * 24 * 3_600_000_000),
            state,
            took: (state != CallState::Running).then(|| random.f32() * 500.0),
            route: number(random.choice(["create_data", "update_data"]).unwrap()),
            model: number(&format!("model.{model}")),
            is_attempt: false,
            client: number(""),
            caller: number(random.choice(["webshop", "crm", ""]).unwrap()),
            hook: number(""),
            error: number(error),
            path: number(random.choice(["payload.name", ""]).unwrap()),
        }
    });
    let calls = calls.collect();
    (names, calls)
}

fn naive<'c>(calls: impl Iterator<Item = &'c Brief>) -> (Counted, Vec<f32>) {
    let (mut counted, mut times) = (Counted::default(), Vec::new());
    for call in calls.filter(|call| call.state != CallState::DryRun) {
        counted.calls += 1;
        counted.failed += u64::from(call.state == CallState::Failed);
        counted.in_doubt += u64::from(call.state == CallState::InDoubt);
        counted.ignored += u64::from(call.state == CallState::Ignored);
        times.extend(call.took);
    }
    times.sort_by(f32::total_cmp);
    (counted, times)
}

fn check(counted: &Counted, (expected, times): (Counted, Vec<f32>), what: &str) {
    assert_eq!(Counted { took: None, denied: 0, ..*counted }, expected, "{what}");
    assert_eq!(counted.took.is_some(), !times.is_empty(), "{what}");
    for (told, percent) in counted.took.into_iter().flatten().zip([50, 95, 99]) {
        let measured = f64::from(times[(times.len() * percent).div_ceil(100).max(1) - 1]).max(0.125);
        assert!((told / measured - 1.0).abs() <= 1.0 / 32.0, "{what}: {told} for {measured}");
    }
}

#[test]
fn an_overview_is_what_a_naive_count_comes_to() {
    let until: Timestamp = "2026-11-30T10:07:31Z".parse().unwrap();
    for seed in 0..40 {
        let mut random = Rng::with_seed(seed);
        let models = random.choice([3, 9, 40]).unwrap();
        let parts: Vec<_> = (0..random.usize(1..8)).map(|_| part(&mut random, models, until)).collect();
        for window in Window::ALL {
            let mut counting = Counting::new(window, until);
            parts.iter().for_each(|(names, calls)| counting.add(names, calls));
            let overview = counting.end();
            let (number, length) = window.slots();
            assert_eq!(overview.slots.len(), usize::try_from(number).unwrap());
            let within = |from: Timestamp, to: Timestamp| {
                let within = from.as_microsecond()..to.as_microsecond();
                move |call: &&Brief| within.contains(&call.arrived)
            };
            let of = |from, to| parts.iter().flat_map(|(_, calls)| calls).filter(within(from, to));
            let mut begin = overview.since;
            for slot in &overview.slots {
                assert_eq!((slot.begin, begin.as_microsecond() % 60_000_000), (begin, 0));
                begin += length;
                check(&slot.calls, naive(of(slot.begin, begin)), "slot");
            }
            assert!(begin > until && begin - length <= until);
            check(&overview.all, naive(of(overview.since, begin)), "all");
            let is_denied = |names: &[String], call: &Brief| names[usize::from(call.error)] == "model_not_allowed";
            let denied = parts.iter().map(|(names, calls)| {
                let within = calls.iter().filter(within(overview.since, begin));
                within.filter(|call| is_denied(names, call)).count() as u64
            });
            assert_eq!(overview.all.denied, denied.sum::<u64>());
            check_groups(&overview, &parts, |call| call.model, &overview.models);
            check_groups(&overview, &parts, |call| call.route, &overview.routes);
            check_groups(&overview, &parts, |call| call.caller, &overview.callers);
            check_causes(&overview, &parts);
        }
    }
}

type Parts = [(Vec<String>, Vec<Brief>)];

fn check_groups(overview: &Overview, parts: &Parts, of: fn(&Brief) -> u16, groups: &Groups) {
    let mut expected: BTreeMap<&str, Vec<&Brief>> = BTreeMap::new();
    for (names, calls) in parts {
        let is_counted =
            |call: &&Brief| call.arrived >= overview.since.as_microsecond() && call.state != CallState::DryRun;
        for call in calls.iter().filter(is_counted) {
            expected.entry(&names[usize::from(of(call))]).or_default().push(call);
        }
    }
    for (name, counted) in &groups.named {
        check(counted, naive(expected.remove(&**name).unwrap().into_iter()), name);
    }
    let least = groups.named.iter().map(|(_, counted)| counted.calls).min().unwrap_or_default();
    assert!(expected.values().all(|calls| calls.len() as u64 <= least));
    assert_eq!(groups.others.is_some(), !expected.is_empty());
    if let Some(others) = &groups.others {
        check(others, naive(expected.into_values().flatten()), "others");
    }
}

fn check_causes(overview: &Overview, parts: &Parts) {
    let mut expected: BTreeMap<[&str; 3], Vec<(i64, Uuid)>> = BTreeMap::new();
    for (names, calls) in parts {
        for call in calls.iter().filter(|call| call.arrived >= overview.since.as_microsecond()) {
            if matches!(call.state, CallState::Failed | CallState::InDoubt) {
                let cause = [call.error, call.model, call.path].map(|name| &*names[usize::from(name)]);
                expected.entry(cause).or_default().push((call.arrived, call.id));
            }
        }
    }
    for cause in &overview.causes {
        let calls = expected.remove(&[&*cause.error, &*cause.model, &*cause.path]).unwrap();
        let (first, last) = (calls.iter().min().unwrap(), calls.iter().max().unwrap());
        let seen = (cause.first.as_microsecond(), cause.last.as_microsecond(), cause.example);
        assert_eq!((cause.count, seen), (calls.len() as u64, (first.0, last.0, last.1)));
    }
    assert_eq!(overview.other_causes, expected.values().map(|calls| calls.len() as u64).sum::<u64>());
}

#[test]
fn ten_thousand_names_that_a_sender_makes_up_are_counted_together() {
    let until: Timestamp = "2026-11-30T10:07:31Z".parse().unwrap();
    let mut counting = Counting::new(Window::Hour, until);
    for part in 0..10_u16 {
        let names: Vec<String> = (0..1_000).map(|number| format!("made.up.{part}.{number}")).collect();
        let calls: Vec<Brief> = (0..1_000_u16)
            .map(|number| Brief {
                id: Uuid::from_u128(number.into()),
                arrived: until.as_microsecond(),
                state: CallState::Failed,
                took: Some(1.0),
                route: number,
                model: number,
                // It has no name: there were too many for the index.
                caller: u16::MAX,
                is_attempt: false,
                client: u16::MAX,
                hook: u16::MAX,
                error: number,
                path: number,
            })
            .collect();
        counting.add(&names, &calls);
    }
    let overview = counting.end();
    assert_eq!((overview.all.calls, overview.models.named.len(), overview.causes.len()), (10_000, 10, 20));
    assert_eq!((overview.models.others.unwrap().calls, overview.other_causes), (9_990, 9_980));
    assert_eq!((overview.callers.named.len(), overview.callers.others.unwrap().calls), (0, 10_000));
}

#[tokio::test]
async fn readers_who_come_at_once_share_one_overview_of_the_log() {
    let recorded = Recorded::new();
    let failed = recorded.call(State::Failed).await;
    recorded.call(State::Done).await;
    recorded.pass().await;
    let overviews = Overviews::new(recorded.calls());
    let (one, other) = tokio::join!(overviews.of(Window::Hour), overviews.of(Window::Hour));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(Arc::ptr_eq(&one, &other));
    assert_eq!((one.all.calls, one.all.failed), (2, 1));
    assert_eq!((&*one.callers.named[0].0, &*one.models.named[0].0), ("webshop", "res.partner"));
    assert_eq!((&*one.causes[0].error, one.causes[0].example), ("odoo_error", failed));
    assert_eq!(overviews.of(Window::Week).await.unwrap().all.calls, 2);
}

#[test]
fn a_window_has_one_name() {
    for window in Window::ALL {
        assert_eq!(Window::named(window.name()), Some(window));
    }
    assert_eq!(Window::named("1y"), None);
}
