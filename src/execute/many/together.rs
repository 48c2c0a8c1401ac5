//! New records that go together into one `create`, in parts that Odoo answers in time (`pace`).
//!
//! A part that Odoo refuses for its content is halved until the records that it refuses are known: each refusal rolls its part
//! back. A part whose answer was lost is never sent again. What is no matter of the records, as an Odoo that is not reached, ends
//! the rest, of which nothing was sent.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use serde_json::{Map, Value};

use super::{Error, pace::Pace, unknown};
use crate::{
    errors::Retry,
    execute::{
        failed::{is_lost, no_id},
        progress::Progress,
        run::Run,
        settle::{How, Sent, Settler},
        undo::ids_of,
    },
    odoo::{Error as OdooError, Rpc},
    plan::Step,
};

/// A record with its values.
struct New {
    place: usize,
    values: Value,
    /// The models of what is created with it.
    with: Vec<String>,
}

/// Creates the records, which are alike, and returns the id of each by its place.
pub(super) async fn create(
    run: &mut Run<'_>,
    progress: &Progress,
    records: Vec<(usize, Step)>,
) -> Vec<(usize, Result<i64, Error>)> {
    let mut ends = Ends { ends: Vec::with_capacity(records.len()), progress };
    let (mut open, mut alike) = (VecDeque::with_capacity(records.len()), None);
    for (place, mut step) in records {
        if let Err(failed) = run.fill(&mut step.rpc, &step.placeholders).await {
            ends.push(place, Err(failed.into()));
            continue;
        }
        let with = step.side_effects().map_or_else(Vec::new, |side_effects| side_effects.models.clone());
        let Rpc { model, mut args, context, .. } = step.rpc;
        let values = args.pop().map(|(_, mut records)| records[0].take()).unwrap_or_default();
        open.push_back(New { place, values, with });
        alike.get_or_insert((model, context));
    }
    let Some((model, context)) = alike else { return ends.ends };
    let settler = run.settler();
    let pace = Pace::new(settler.caller.timeout());
    let mut parts = Parts { settler, model: &model, context: &context, pace, ends };
    parts.create_all(open).await;
    parts.ends.ends
}

/// What became of the records so far, by their places.
struct Ends<'e> {
    ends: Vec<(usize, Result<i64, Error>)>,
    progress: &'e Progress,
}

impl Ends<'_> {
    fn push(&mut self, place: usize, end: Result<i64, Error>) {
        self.progress.add(&end);
        self.ends.push((place, end));
    }
}

/// The records while they are being created.
struct Parts<'p> {
    settler: Settler<'p>,
    model: &'p str,
    context: &'p Map<String, Value>,
    pace: Pace,
    ends: Ends<'p>,
}

/// Records that were sent to be created by one RPC.
struct Part {
    /// The places of the records, and the models of what is created with each.
    places: Vec<(usize, Vec<String>)>,
    rpc: Rpc,
    outcome: Result<Sent, OdooError>,
    took: Duration,
}

impl<'p> Parts<'p> {
    async fn create_all(&mut self, mut open: VecDeque<New>) {
        // What is to be sent before the rest: halves of a part that was refused.
        let mut first: Vec<Vec<New>> = Vec::new();
        let (mut under_way, mut stop) = (FuturesUnordered::new(), None);
        loop {
            while stop.is_none() && under_way.len() < self.pace.side_by_side() {
                let Some(part) = first.pop().or_else(|| self.next(&mut open)) else { break };
                under_way.push(self.send(part));
            }
            let Some(part) = under_way.next().await else { break };
            if let Err(error) = self.take(part, &mut first) {
                stop.get_or_insert(error);
            }
        }
        if let Some(stop) = stop {
            let rest = first.into_iter().flatten().chain(open);
            rest.for_each(|new| self.ends.push(new.place, Err(stop.clone())));
        }
    }

    /// The next part: as many records as its size allows, and at least one; `None` where there are no more.
    fn next(&self, open: &mut VecDeque<New>) -> Option<Vec<New>> {
        let (mut size, mut number) = (0, 0);
        for new in &*open {
            size += lines(&new.values);
            if number > 0 && size > self.pace.size() {
                break;
            }
            number += 1;
        }
        (number > 0).then(|| open.drain(..number).collect())
    }

    /// Sends one part.
    fn send(&self, part: Vec<New>) -> impl Future<Output = Part> + use<'p> {
        let Self { settler, model, context, .. } = *self;
        async move {
            let (places, records): (Vec<(usize, Vec<String>)>, Vec<Value>) =
                part.into_iter().map(|new| ((new.place, new.with), new.values)).unzip();
            let rpc = Rpc { context: context.clone(), ..Rpc::create(model, records) };
            let started = Instant::now();
            let outcome = settler.send(&rpc, How::Alone).await;
            for (_, with) in &places {
                settler.caller.forget_lookups_of(with.iter().map(String::as_str));
            }
            Part { places, rpc, outcome, took: started.elapsed() }
        }
    }

    /// Notes what became of a part, or adds what is to be sent of it once more to `first`.
    ///
    /// # Errors
    /// Nothing of it was done, for a reason that would meet every other record.
    fn take(&mut self, part: Part, first: &mut Vec<Vec<New>>) -> Result<(), Error> {
        let Part { places, rpc, outcome, took } = part;
        let error = match outcome {
            Ok(sent) => {
                let ids = ids_of(&sent.answer);
                if ids.len() == places.len() {
                    self.pace.created(ids.len(), took, Instant::now());
                    places.into_iter().zip(ids).for_each(|((place, _), id)| self.ends.push(place, Ok(id)));
                    return Ok(());
                }
                no_id(&rpc)
            }
            Err(error) => error,
        };
        if is_lost(&error) {
            self.pace.lost();
            let unknown = |with: &[String]| unknown(&error, self.model, with);
            places.into_iter().for_each(|(place, with)| self.ends.push(place, Err(unknown(&with))));
            return Ok(());
        }
        // The two parts under way have met in one row, and Odoo has given up one of them.
        if is_conflict(&error) && self.pace.one_by_one() {
            first.push(records_of(places, rpc));
            return Ok(());
        }
        if !error.splits_batch() {
            let refused = Error::from(error);
            places.into_iter().for_each(|(place, _)| self.ends.push(place, Err(refused.clone())));
            return Err(refused);
        }
        if let [(place, _)] = places[..] {
            self.ends.push(place, Err(error.into()));
            return Ok(());
        }
        let mut records = records_of(places, rpc);
        let second = records.split_off(records.len().div_ceil(2));
        first.extend([second, records]);
        Ok(())
    }
}

/// Whether Odoo has refused it since other transactions were in its way.
fn is_conflict(error: &OdooError) -> bool {
    matches!(error, OdooError::Fault(_)) && error.retry() == Retry::Safe
}

/// The records of a part that was refused.
fn records_of(places: Vec<(usize, Vec<String>)>, mut rpc: Rpc) -> Vec<New> {
    let records = rpc.args.pop().and_then(|(_, records)| match records {
        Value::Array(records) => Some(records),
        _ => None,
    });
    let records = records.unwrap_or_default();
    places.into_iter().zip(records).map(|((place, with), values)| New { place, values, with }).collect()
}

/// The number of records that the values create: one, and its lines at every level.
fn lines(values: &Value) -> usize {
    let below = values.as_object().into_iter().flatten().map(|(_, value)| match value {
        Value::Array(commands) => {
            commands.iter().filter(|command| command[2].is_object()).map(|command| lines(&command[2])).sum()
        }
        _ => 0,
    });
    1 + below.sum::<usize>()
}
