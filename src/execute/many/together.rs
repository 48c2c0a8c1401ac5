//! New records that go together into one `create`, in parts that Odoo answers in time.
//!
//! A part that Odoo refuses for its content is halved until the records that it refuses are known: each refusal rolls its part
//! back. A part whose answer was lost is never sent again. What is no matter of the records, as an Odoo that is not reached, ends
//! the rest, of which nothing was sent.

use std::{collections::VecDeque, time::Instant};

use serde_json::{Map, Value};

use super::{Error, unknown};
use crate::{
    execute::{
        failed::{is_lost, no_id},
        progress::Progress,
        run::Run,
        settle::{How, Settler},
        undo::ids_of,
    },
    odoo::Rpc,
    plan::Step,
};

/// The number of records of the first part, with their lines.
const FIRST_PART: usize = 250;
const LARGEST_PART: usize = 2_000;
/// A part should take no longer than this part of the time that Odoo has for one RPC.
const PART_OF_TIMEOUT: u32 = 20;

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
    let mut parts = Parts { settler: run.settler(), model, context, size: FIRST_PART, ends };
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
    model: String,
    context: Map<String, Value>,
    /// The size of the next part.
    size: usize,
    ends: Ends<'p>,
}

impl Parts<'_> {
    async fn create_all(&mut self, mut open: VecDeque<New>) {
        // Halves of a part that was refused come before the rest.
        let mut halves: Vec<Vec<New>> = Vec::new();
        loop {
            let part = match halves.pop() {
                Some(half) => half,
                None if open.is_empty() => return,
                None => self.next(&mut open),
            };
            if let Err(stop) = self.create(part, &mut halves).await {
                let rest = halves.drain(..).flatten().chain(open.drain(..));
                rest.for_each(|new| self.ends.push(new.place, Err(stop.clone())));
                return;
            }
        }
    }

    /// The next part: as many records as its size allows, and at least one.
    fn next(&self, open: &mut VecDeque<New>) -> Vec<New> {
        let (mut size, mut number) = (0, 0);
        for new in &*open {
            size += lines(&new.values);
            if number > 0 && size > self.size {
                break;
            }
            number += 1;
        }
        open.drain(..number).collect()
    }

    /// Creates one part, or adds its halves.
    ///
    /// # Errors
    /// Nothing was sent, for a reason that would meet every other record.
    async fn create(&mut self, part: Vec<New>, halves: &mut Vec<Vec<New>>) -> Result<(), Error> {
        let started = Instant::now();
        let (places, records): (Vec<(usize, Vec<String>)>, Vec<Value>) =
            part.into_iter().map(|new| ((new.place, new.with), new.values)).unzip();
        let mut rpc = Rpc { context: self.context.clone(), ..Rpc::create(&self.model, records) };
        let outcome = self.settler.send(&rpc, How::Alone).await;
        for (_, with) in &places {
            self.settler.caller.forget_lookups_of(with.iter().map(String::as_str));
        }
        let error = match outcome {
            Ok(sent) => {
                let ids = ids_of(&sent.answer);
                if ids.len() == places.len() {
                    self.adapt(started);
                    places.into_iter().zip(ids).for_each(|((place, _), id)| self.ends.push(place, Ok(id)));
                    return Ok(());
                }
                no_id(&rpc)
            }
            Err(error) => error,
        };
        if is_lost(&error) {
            self.size = (self.size / 4).max(1);
            let unknown = |with: &[String]| unknown(&error, &self.model, with);
            places.into_iter().for_each(|(place, with)| self.ends.push(place, Err(unknown(&with))));
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
        let records = rpc.args.pop().map(|(_, records)| records);
        let Some(Value::Array(records)) = records else { return Ok(()) };
        let mut first: Vec<New> =
            places.into_iter().zip(records).map(|((place, with), values)| New { place, values, with }).collect();
        let second = first.split_off(first.len().div_ceil(2));
        halves.extend([second, first]);
        Ok(())
    }

    /// Makes the next part larger where Odoo was quick, and smaller where it was slow.
    fn adapt(&mut self, started: Instant) {
        let (took, most) = (started.elapsed(), self.settler.caller.timeout() / PART_OF_TIMEOUT);
        if took > most {
            self.size = (self.size / 2).max(1);
        } else if took < most / 2 {
            self.size = (self.size * 2).min(LARGEST_PART);
        }
    }
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
