//! Counts calls as they are read, part by part of the log.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde::{
    Deserialize,
    de::{IntoDeserializer, value::StrDeserializer},
};
use uuid::Uuid;

use super::{Cause, Counted, Groups, Overview, Slot, Window, durations::Durations};
use crate::{
    errors::{Class, Code},
    log::{Brief, CallState},
};

/// So many routes, models, clients and causes are told apart while calls are counted.
pub(super) const NAMES: usize = 256;
/// So many are shown of each.
const SHOWN: usize = 10;
const CAUSES: usize = 20;
const PERCENTS: [u64; 3] = [50, 95, 99];

/// The window and what has been counted of it.
pub(super) struct Counting {
    window: Window,
    since: Timestamp,
    until: Timestamp,
    slot: i64,
    slots: Vec<Tally>,
    routes: Named,
    models: Named,
    callers: Named,
    causes: HashMap<(String, String, String), Failures>,
    other_causes: u64,
}

impl Counting {
    /// A window that ends at this time: its slots begin at whole multiples of their length, and the last one has this time.
    pub(super) fn new(window: Window, until: Timestamp) -> Self {
        let (number, length) = window.slots();
        let slot = micros(length);
        let last = until.as_microsecond().div_euclid(slot);
        let since = Timestamp::from_microsecond((last - number + 1) * slot).unwrap_or(Timestamp::MIN);
        let slots = (0..number).map(|_| Tally::default()).collect();
        let (routes, models, callers, causes) = Default::default();
        Self { window, since, until, slot, slots, routes, models, callers, causes, other_causes: 0 }
    }

    pub(super) fn since(&self) -> Timestamp {
        self.since
    }

    pub(super) fn add(&mut self, names: &[String], briefs: &[Brief]) {
        let name = |number: u16| names.get(usize::from(number)).map(String::as_str);
        let (mut routes, mut models) = (Places::default(), Places::default());
        let mut callers = Places::default();
        let mut failures: HashMap<(u16, u16, u16), Failures> = HashMap::new();
        let mut denials: HashMap<u16, bool> = HashMap::new();
        for brief in briefs.iter().filter(|brief| brief.state != CallState::DryRun) {
            let at = (brief.arrived - self.since.as_microsecond()).div_euclid(self.slot);
            // A call that arrived while its segment was read is of the next overview.
            let Some(slot) = usize::try_from(at).ok().and_then(|at| self.slots.get_mut(at)) else { continue };
            slot.add(brief);
            if brief.state == CallState::Failed
                && *denials.entry(brief.error).or_insert_with(|| name(brief.error).is_some_and(is_denial))
            {
                slot.calls.denied += 1;
            }
            routes.of(brief.route, &mut self.routes, name).add(brief);
            models.of(brief.model, &mut self.models, name).add(brief);
            callers.of(brief.caller, &mut self.callers, name).add(brief);
            if matches!(brief.state, CallState::Failed | CallState::InDoubt) {
                failures.entry((brief.error, brief.model, brief.path)).or_default().add(brief.arrived, 1, brief.id);
            }
        }
        for ((error, model, path), failures) in failures {
            self.fail([name(error), name(model), name(path)], failures);
        }
    }

    fn fail(&mut self, [error, model, path]: [Option<&str>; 3], failures: Failures) {
        let cause = error.zip(model).zip(path).map(|((error, model), path)| (error.into(), model.into(), path.into()));
        let is_full = self.causes.len() >= NAMES;
        match cause.filter(|cause| !is_full || self.causes.contains_key(cause)) {
            Some(cause) => self.causes.entry(cause).or_default().join(failures),
            None => self.other_causes += failures.count,
        }
    }

    pub(super) fn end(self) -> Overview {
        let Self { window, since, until, slot, slots, routes, models, callers, causes, mut other_causes } = self;
        let mut all = Tally::default();
        slots.iter().for_each(|slot| all.join(slot));
        let begin = |number: usize| {
            let ago = i64::try_from(number).unwrap_or_default() * slot;
            since.saturating_add(SignedDuration::from_micros(ago)).unwrap_or(since)
        };
        let slots = slots
            .iter()
            .enumerate()
            .map(|(number, tally)| Slot { begin: begin(number), calls: tally.counted() })
            .collect();
        let mut causes: Vec<Cause> = causes.into_iter().map(|(cause, failures)| failures.of(cause)).collect();
        causes.sort_by(|a, b| {
            b.count.cmp(&a.count).then_with(|| b.last.cmp(&a.last)).then_with(|| a.error.cmp(&b.error))
        });
        other_causes += causes.drain(CAUSES.min(causes.len())..).map(|cause| cause.count).sum::<u64>();
        let [routes, models, callers] = [routes, models, callers].map(Named::end);
        Overview { window, since, until, all: all.counted(), slots, routes, models, callers, causes, other_causes }
    }
}

/// Whether a policy does not allow what failed with this error.
fn is_denial(error: &str) -> bool {
    let deserializer: StrDeserializer<'_, serde::de::value::Error> = error.into_deserializer();
    Code::deserialize(deserializer).is_ok_and(|code| code.class() == Class::Denied)
}

fn micros(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Calls, and how long they took.
#[derive(Default)]
struct Tally {
    calls: Counted,
    durations: Durations,
}

impl Tally {
    fn add(&mut self, brief: &Brief) {
        self.calls.calls += 1;
        match brief.state {
            CallState::Failed => self.calls.failed += 1,
            CallState::InDoubt => self.calls.in_doubt += 1,
            CallState::Ignored => self.calls.ignored += 1,
            CallState::Done | CallState::Running | CallState::Queued | CallState::DryRun => {}
        }
        if let Some(took) = brief.took {
            self.durations.add(took);
        }
    }

    fn join(&mut self, other: &Self) {
        let Counted { calls, failed, denied, in_doubt, ignored, took: _ } = other.calls;
        self.calls.calls += calls;
        self.calls.failed += failed;
        self.calls.denied += denied;
        self.calls.in_doubt += in_doubt;
        self.calls.ignored += ignored;
        self.durations.join(&other.durations);
    }

    fn counted(&self) -> Counted {
        Counted { took: self.durations.percentiles(PERCENTS), ..self.calls }
    }
}

/// Calls by name: at place 0 those of all names that are too many.
struct Named {
    numbers: HashMap<String, usize>,
    tallies: Vec<Tally>,
}

impl Default for Named {
    fn default() -> Self {
        Self { numbers: HashMap::new(), tallies: vec![Tally::default()] }
    }
}

impl Named {
    /// The place of a name.
    fn place(&mut self, name: &str) -> usize {
        match self.numbers.get(name) {
            Some(place) => *place,
            None if self.tallies.len() > NAMES => 0,
            None => {
                let place = self.tallies.len();
                self.tallies.push(Tally::default());
                self.numbers.insert(name.to_owned(), place);
                place
            }
        }
    }

    fn end(self) -> Groups {
        let Self { numbers, mut tallies } = self;
        let mut named: Vec<(String, usize)> = numbers.into_iter().collect();
        let calls = |place: usize| tallies[place].calls.calls;
        named.sort_by(|(a, at), (b, bt)| calls(*bt).cmp(&calls(*at)).then_with(|| a.cmp(b)));
        let mut others = std::mem::take(&mut tallies[0]);
        for (_, place) in named.drain(SHOWN.min(named.len())..) {
            others.join(&tallies[place]);
        }
        let named = named.into_iter().map(|(name, place)| (name, tallies[place].counted())).collect();
        Groups { named, others: Some(others.counted()).filter(|others| others.calls > 0) }
    }
}

/// Where the names of one part of the log are counted.
#[derive(Default)]
struct Places(Vec<Option<usize>>);

impl Places {
    fn of<'n, 'g>(
        &mut self,
        number: u16,
        groups: &'g mut Named,
        name: impl Fn(u16) -> Option<&'n str>,
    ) -> &'g mut Tally {
        let number = usize::from(number);
        let known = self.0.get(number).copied().flatten();
        let place = known.unwrap_or_else(|| {
            let place = u16::try_from(number).ok().and_then(name).map_or(0, |name| groups.place(name));
            if self.0.len() <= number {
                self.0.resize(number + 1, None);
            }
            self.0[number] = Some(place);
            place
        });
        &mut groups.tallies[place]
    }
}

/// Failures of one cause.
#[derive(Default)]
struct Failures {
    count: u64,
    /// In microseconds, of the first and the last, and the latter's id.
    seen: Option<(i64, i64, Uuid)>,
}

impl Failures {
    fn add(&mut self, at: i64, count: u64, id: Uuid) {
        self.count += count;
        let (first, last, latest) = self.seen.unwrap_or((at, at, id));
        // Of calls that came in at the same time, the one with the greater id.
        let (last, latest) = (last, latest).max((at, id));
        self.seen = Some((first.min(at), last, latest));
    }

    fn join(&mut self, other: Self) {
        if let Some((first, last, latest)) = other.seen {
            self.add(first, 0, latest);
            self.add(last, other.count, latest);
        }
    }

    fn of(self, (error, model, path): (String, String, String)) -> Cause {
        let (first, last, example) = self.seen.unwrap_or_default();
        let time = |at| Timestamp::from_microsecond(at).unwrap_or_default();
        Cause { error, model, path, count: self.count, first: time(first), last: time(last), example }
    }
}
