//! The limit before a simulated Odoo: how near it comes to the best number, what it follows, and what it does not do.

use super::{
    Adaptive, FIRST, How, Kind, Moved, Seconds, Why,
    simulation::{Control, MIXED, Odoo, Simulation, Sort},
};

const CALLERS: usize = 48;
/// Creates of contacts that go in batches, with their lookups (Odoo 19, one worker).
const BATCHES: &[Sort] = &[Sort { fixed: 0.105, each: 0.005, share: 1.0 }];

fn auto(seed: u64) -> Control {
    Control::Auto(Box::new(Adaptive::new(FIRST, seed)))
}

fn simulation(odoo: Odoo, seed: u64) -> Simulation {
    Simulation::new(odoo, auto(seed), CALLERS, seed)
}

/// The answers in two minutes, from the first call on, as a part of those with the best of some fixed numbers.
fn part_of_best(odoo: Odoo, fixed: &[usize], seed: u64, mix: &'static [Sort], batches: bool) -> f64 {
    let answers = |control: Control| {
        let mut simulation = Simulation::new(odoo, control, CALLERS, seed);
        (simulation.mix, simulation.batches) = (mix, batches);
        simulation.run(120.0)
    };
    let best = fixed.iter().map(|number| answers(Control::Fixed(*number))).fold(0.0, f64::max);
    answers(auto(seed)) / best
}

#[test]
fn it_makes_odoo_do_as_much_as_the_best_fixed_number_does() {
    let worlds = [
        (Odoo::with_workers(1), [1, 2, 4]),
        (Odoo::with_workers(2), [2, 3, 8]),
        (Odoo::with_workers(4), [4, 5, 16]),
        (Odoo::with_workers(8), [8, 10, 32]),
        (Odoo::with_threads(), [4, 8, 16]),
    ];
    for (odoo, fixed) in worlds {
        for seed in 1..=2 {
            let part = part_of_best(odoo, &fixed, seed, MIXED, false);
            assert!(part >= 0.95, "{odoo:?}, {seed}: {part:.3}");
        }
    }
}

/// Half as many batches run as requests may be sent, and a batch of twice as many records takes less than twice as long.
#[test]
fn it_counts_the_records_of_batches_and_not_the_batches() {
    for (workers, fixed) in [(1, [1, 2, 4]), (4, [4, 8, 16])] {
        let part = part_of_best(Odoo::with_workers(workers), &fixed, 1, BATCHES, true);
        assert!(part >= 0.9, "{workers}: {part:.3}");
    }
}

/// Until the limit that is kept is one of these: after how many seconds.
fn until(simulation: &mut Simulation, within: Seconds, is_reached: impl Fn(usize) -> bool) -> Seconds {
    let began = simulation.now;
    while simulation.now < began + within && !is_reached(simulation.kept()) {
        simulation.run(0.5);
    }
    assert!(is_reached(simulation.kept()), "{} after {within} s", simulation.kept());
    simulation.now - began
}

#[test]
fn it_follows_a_change_within_seconds() {
    let mut simulation = simulation(Odoo::with_workers(8), 3);
    // Without orders and what takes 20 s: few of them would stop two workers, and what is left tells more in a second.
    simulation.mix = &MIXED[..3];
    until(&mut simulation, 15.0, |limit| limit >= 7);
    // Fewer workers, without an outage.
    simulation.run(30.0);
    simulation.odoo = Odoo::with_workers(2);
    until(&mut simulation, 10.0, |limit| limit <= 4);
    // Everything takes three times as long: the number of workers is the same.
    simulation.run(30.0);
    simulation.odoo.slowness = 3.0;
    for _ in 0..60 {
        simulation.run(1.0);
        assert!((2..=5).contains(&simulation.kept()), "{} at {}", simulation.kept(), simulation.now);
    }
    simulation.odoo = Odoo::with_workers(8);
    until(&mut simulation, 60.0, |limit| limit >= 6);
}

#[test]
fn refusals_lower_it_at_once_and_keep_it_from_where_they_began() {
    let mut simulation = simulation(Odoo { refuses_above: 6, ..Odoo::with_workers(16) }, 5);
    simulation.run(20.0);
    let before = simulation.refused;
    simulation.run(40.0);
    assert!((4..=6).contains(&simulation.kept()), "{}", simulation.kept());
    assert!(simulation.refused - before < 30, "{}", simulation.refused - before);
    // The proxy takes fewer.
    simulation.odoo.refuses_above = 3;
    until(&mut simulation, 5.0, |limit| limit <= 3);
}

#[test]
fn it_learns_nothing_while_nobody_waits() {
    let mut simulation = Simulation::new(Odoo::with_workers(16), auto(1), 3, 1);
    for _ in 0..60 {
        simulation.run(1.0);
        assert_eq!((simulation.limit(), simulation.kept()), (FIRST, FIRST));
    }
}

#[test]
fn slow_calls_alone_do_not_make_it_run_away() {
    const SLOW: &[Sort] = &[Sort { fixed: 0.0, each: 20.0, share: 1.0 }];
    let mut simulation = simulation(Odoo::with_workers(4), 1);
    simulation.mix = SLOW;
    for _ in 0..180 {
        simulation.run(10.0);
        assert!(simulation.kept() >= 3 && simulation.kept() <= 16, "{} at {}", simulation.kept(), simulation.now);
    }
}

/// Answers requests of 10 ms each, one after another, at a limit that calls wait for.
fn answer(limit: &mut Adaptive, from: Seconds, to: Seconds) {
    let mut now = from;
    while now < to {
        limit.begun(now, true);
        now += 0.01;
        limit.ended(now, true, now - 0.01, How::Answered(Kind(1), 1));
    }
}

#[test]
fn one_slow_request_or_one_that_is_cut_changes_nothing() {
    let mut limit = Adaptive::new(FIRST, 1);
    limit.begun(0.0, false);
    for second in 0..60 {
        let from = f64::from(second);
        limit.begun(from, false);
        limit.ended(from + 0.5, false, from, How::Answered(Kind(1), 1));
        assert_eq!(limit.limit(), FIRST);
    }
    limit.ended(60.0, false, 0.0, How::Refused);
    assert_eq!((limit.limit(), limit.take_moved()), (FIRST, None));
}

/// A lower limit on trial, whose places one slow request takes, is given up; so is one when nobody calls any more.
#[test]
fn a_lower_limit_on_trial_stops_nothing() {
    let mut limit = Adaptive::new(2, 1);
    let mut now = 0.0;
    while limit.limit() >= limit.kept() {
        answer(&mut limit, now, now + 0.1);
        now += 0.1;
        assert!(now < 60.0, "no lower limit was tried");
    }
    limit.begun(now, true);
    limit.tick(now + 0.1);
    assert_eq!((limit.limit(), limit.kept()), (1, 2));
    limit.tick(now + 2.0);
    assert_eq!(limit.kept(), 2);
    assert!(limit.limit() >= 2);
}

/// Calls that come in bursts would meet a trial in each.
#[test]
fn a_rest_does_not_pass_while_nothing_is_sent() {
    let mut limit = Adaptive::new(FIRST, 1);
    answer(&mut limit, 0.0, 300.0);
    let bursts_with_a_trial = (0..8).filter(|burst| {
        let began = 400.0 + 100.0 * f64::from(*burst);
        (0..20).any(|part| {
            let at = began + 0.1 * f64::from(part);
            answer(&mut limit, at, at + 0.1);
            limit.limit() != limit.kept()
        })
    });
    let count = bursts_with_a_trial.count();
    assert!(count <= 3, "{count} of 8");
}

#[test]
fn after_an_outage_it_begins_anew() {
    let mut limit = Adaptive::new(32, 1);
    answer(&mut limit, 0.0, 0.2);
    for _ in 0..5 {
        limit.begun(0.3, true);
        limit.ended(0.3, true, 0.3, How::Unreachable);
    }
    assert_eq!(limit.kept(), 32);
    answer(&mut limit, 9.0, 9.1);
    assert_eq!(limit.take_moved(), Some(Moved { from: 32, to: FIRST, why: Why::Away }));
}

/// Whatever happens in whatever order, the limit stays within its bounds.
#[test]
fn it_stays_between_1_and_64() {
    for seed in 0..100 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut limit = Adaptive::new(FIRST, seed);
        let (mut now, mut sent) = (0.0, Vec::new());
        for _ in 0..2_000 {
            now += random.f64() * if random.u8(..) == 0 { 100.0 } else { 0.02 };
            let waits = random.u8(..4) > 0;
            match random.u8(..20) {
                0 => limit.tick(now),
                1 => limit.held_back(now, now + random.f64()),
                2 => limit.refused(now),
                3..=10 => {
                    limit.begun(now, waits);
                    sent.push(now);
                }
                _ if !sent.is_empty() => {
                    let how = match random.u8(..30) {
                        0 => How::Refused,
                        1 => How::Unreachable,
                        2 => How::Nothing,
                        3 => How::Unmeasured,
                        _ => How::Answered(Kind(random.u64(..5)), random.u32(..9)),
                    };
                    let sent = sent.swap_remove(random.usize(..sent.len()));
                    limit.ended(now, waits, sent, how);
                }
                _ => {}
            }
            assert!((1..=64).contains(&limit.limit()) && (1..=64).contains(&limit.kept()), "seed {seed}");
        }
    }
}
