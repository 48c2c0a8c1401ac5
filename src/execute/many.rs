//! The writes of several records, each of which ends by itself.
//!
//! Missing records come first, each once. A record that needs one which could not be created is refused for the same reason, and
//! a missing record that no record needs in the end is deleted again. Then come the new records that go together (`together`),
//! and the writes of the others, some at a time. What is wanted of the records is read of all of them together.

mod atomic;
mod pace;
mod together;

use std::collections::HashMap;

use futures_util::{StreamExt, future::BoxFuture, stream};
use serde_json::{Value, json};

use super::{
    Atomicity, Content, Done, Error, Incomplete,
    failed::Failed,
    leftover::{Fate, Leftover},
    progress::Progress,
    read,
    run::{self, Run},
    settle::Settler,
    undo::{Undo, UndoList},
    updated,
};
use crate::{
    odoo::Caller,
    plan::{self, Answer, Many, Missing, Record, Selection, StepMap, Steps, Together, Warning},
};

/// The number of records that are written concurrently.
const MAX_CONCURRENT: usize = 4;
/// The maximum number of records that one RPC reads.
const MAX_READ: usize = 1_000;

/// What became of a record.
enum Written {
    Created(i64),
    Updated,
}

/// What is answered of a record beside what was written, and its warnings.
type Told = (Answer, Vec<Warning>);

/// A missing record: what was created, and why it is of no use.
struct Shared {
    undo: Vec<Undo>,
    failed: Option<Error>,
}

/// Carries out the writes.
///
/// # Errors
/// None of the records was written, all of them for the same reason, which is none of theirs.
pub(super) async fn save(
    settler: Settler<'_>,
    progress: &Progress,
    many: Many,
    warnings: Vec<Warning>,
) -> Result<Done, Error> {
    let caller = settler.caller;
    let Many { wanted, shared: steps, missing, records, together, is_atomic } = many;
    if is_atomic {
        return Box::pin(save_all(settler, &wanted, steps, records, warnings)).await;
    }
    progress.begin(records.len());
    let mut run = Run::new(settler);
    let shared = create_missing(&mut run, steps, &missing).await;
    let needs: Vec<Vec<usize>> = records
        .iter()
        .map(|record| record.as_ref().map_or_else(|_| Vec::new(), |record| record.needs.clone()))
        .collect();
    let mut open: Vec<Option<Record>> = Vec::with_capacity(records.len());
    let mut ends: Vec<Option<Result<Written, Error>>> = Vec::with_capacity(records.len());
    let mut answers = Vec::with_capacity(records.len());
    for record in records {
        let (record, end) = match record {
            Ok(record) => match record.needs.iter().find_map(|need| shared[*need].failed.clone()) {
                None => (Some(record), None),
                Some(error) => (None, Some(Err(error))),
            },
            Err(error) => (None, Some(Err(Error::Refused(error)))),
        };
        end.iter().for_each(|end| progress.add(end));
        open.push(record);
        ends.push(end);
        answers.push(None);
    }
    for Together(places) in together {
        let mut records = Vec::new();
        for place in places {
            let Some(Record { write, warnings, .. }) = open[place].take() else { continue };
            answers[place] = Some((write.answer, warnings));
            records.extend(write.steps.into_iter().next().map(|step| (place, step)));
        }
        for (place, end) in together::create(&mut run, progress, records).await {
            ends[place] = Some(end.map(Written::Created));
        }
    }
    let mut alone = Vec::new();
    for (place, record) in open.into_iter().enumerate().filter_map(|(place, record)| Some((place, record?))) {
        alone.push(write_alone(settler, run.created.clone(), place, record));
    }
    let mut alone = stream::iter(alone).buffered(MAX_CONCURRENT);
    while let Some((place, end, answer)) = alone.next().await {
        progress.add(&end);
        ends[place] = Some(end);
        answers[place] = Some(answer);
    }
    #[expect(clippy::expect_used, reason = "each record is refused, goes together with others, or is written alone")]
    let ends = ends.into_iter().map(|end| end.expect("every record has an end"));
    let mut ends: Vec<Result<Written, Error>> = ends.collect();
    delete_unused(caller, &missing, shared, &needs, &mut ends).await;
    let results = answer(caller, &wanted, ends, answers).await;
    Ok(done(results, warnings))
}

/// Carries out the writes, all or none.
async fn save_all(
    settler: Settler<'_>,
    wanted: &Selection,
    shared: Steps,
    records: Vec<Result<Record, plan::Error>>,
    warnings: Vec<Warning>,
) -> Result<Done, Error> {
    let records: Vec<Record> = records.into_iter().collect::<Result<_, _>>()?;
    let written = atomic::write(settler, shared, records).await?;
    let (ends, answers): (Vec<_>, Answers) =
        written.into_iter().map(|(written, answer, warnings)| (Ok(written), Some((answer, warnings)))).unzip();
    let results = answer(settler.caller, wanted, ends, answers).await;
    Ok(Done { atomicity: Some(Atomicity::Compensated), ..done(results, warnings) })
}

/// Writes one record with steps of its own.
fn write_alone(
    settler: Settler<'_>,
    earlier: StepMap<run::Created>,
    place: usize,
    record: Record,
) -> BoxFuture<'_, (usize, Result<Written, Error>, Told)> {
    Box::pin(async move {
        let Record { write, warnings, .. } = record;
        let plan::Write { steps, lines_before, answer, .. } = write;
        let main = run::run_after(settler, earlier, steps, lines_before).await;
        let end = main.map(|main| match main.and_then(|main| main.created) {
            Some(id) => Written::Created(id),
            None => Written::Updated,
        });
        (place, end, (answer, warnings))
    })
}

/// The result of the whole request.
fn done(results: Vec<Result<Done, Error>>, warnings: Vec<Warning>) -> Done {
    let of = results.len();
    let refused: Vec<usize> = (0..of).filter(|place| results[*place].is_err()).collect();
    let message = match refused[..] {
        [] => format!("{of} records processed successfully"),
        [first, ..] => {
            let why = results[first].as_ref().err().map(ToString::to_string).unwrap_or_default();
            format!("{} of {of} records were not processed, the first of them `payload[{first}]`: {why}", refused.len())
        }
    };
    Done { result: Content::Each(results), message, warnings, atomicity: Some(Atomicity::PerRecord) }
}

/// Creates the missing records, as far as those that they need exist.
async fn create_missing(run: &mut Run<'_>, steps: Steps, missing: &[Missing]) -> Vec<Shared> {
    let mut shared: Vec<Shared> = Vec::with_capacity(missing.len());
    let mut steps = steps.into_iter();
    for Missing { steps: number, needs } in missing {
        let mut failed = needs.iter().find_map(|need| shared[*need].failed.clone());
        for step in steps.by_ref().take(*number) {
            if failed.is_some() {
                run.leave_out(step);
                continue;
            }
            if let Err(error) = run.take_and_forget(step).await {
                run.note_failed();
                failed = Some(error.into());
            }
        }
        shared.push(Shared { undo: run.undo.take(), failed });
    }
    shared
}

/// Deletes the missing records that no record needs which was written. What has to stay, or cannot be deleted, is named by the
/// first record that needed it.
async fn delete_unused(
    caller: &Caller,
    missing: &[Missing],
    shared: Vec<Shared>,
    needs: &[Vec<usize>],
    ends: &mut [Result<Written, Error>],
) {
    let mut uses = vec![Use::None; missing.len()];
    for (needs, end) in needs.iter().zip(&*ends) {
        let of_end = match end {
            Ok(_) => Use::Written,
            Err(Error::Incomplete(_)) => Use::Unknown,
            Err(Error::Refused(_)) => Use::None,
        };
        needs.iter().for_each(|need| uses[*need] = uses[*need].max(of_end));
    }
    let first_of = first_needing(missing, needs);
    // Last first, since a later one may refer to an earlier one.
    for (place, Shared { undo, failed }) in shared.into_iter().enumerate().rev() {
        if matches!(failed, Some(Error::Incomplete(_))) {
            uses[place] = uses[place].max(Use::Unknown);
        }
        let Some(end) = first_of[place].and_then(|record| ends.get_mut(record)) else { continue };
        let left = match uses[place] {
            Use::Written => Vec::new(),
            Use::Unknown => undo.into_iter().map(kept).collect(),
            Use::None => {
                let mut list = UndoList::new(caller);
                undo.into_iter().for_each(|entry| list.push(entry));
                list.delete_all().await
            }
        };
        if !left.is_empty() {
            uses[place] = uses[place].max(Use::Unknown);
            leave(end, left);
        }
        for need in &missing[place].needs {
            uses[*need] = uses[*need].max(uses[place]);
        }
    }
}

/// Whether something refers to a missing record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    None,
    /// Something may, of which that is not known.
    Unknown,
    Written,
}

/// The first record that needs each missing one, directly or by another.
fn first_needing(missing: &[Missing], needs: &[Vec<usize>]) -> Vec<Option<usize>> {
    let mut first = vec![None; missing.len()];
    for (record, needs) in needs.iter().enumerate() {
        let mut open = needs.clone();
        while let Some(place) = open.pop() {
            if first[place].is_none() {
                first[place] = Some(record);
                open.extend(&missing[place].needs);
            }
        }
    }
    first
}

fn kept(undo: Undo) -> Leftover {
    let Undo { model, ids, side_effects, .. } = undo;
    let why = "something that is left, or may be, may refer to it".to_owned();
    Leftover { model, ids, fate: Fate::Made, why, with: side_effects.models }
}

/// Adds what is left to the error of a record.
fn leave(end: &mut Result<Written, Error>, more: Vec<Leftover>) {
    match end {
        Ok(_) => {}
        Err(Error::Refused(cause)) => *end = Err(Incomplete { cause: cause.clone(), left: more }.into()),
        Err(Error::Incomplete(incomplete)) => incomplete.left.extend(more),
    }
}

type Answers = Vec<Option<Told>>;

/// The answer for each record, with what is wanted of those that were written.
async fn answer(
    caller: &Caller,
    wanted: &Selection,
    ends: Vec<Result<Written, Error>>,
    answers: Answers,
) -> Vec<Result<Done, Error>> {
    let ids = ends.iter().zip(&answers).flat_map(|(end, answer)| match (end, answer) {
        (Ok(Written::Created(id)), _) => vec![*id],
        (Ok(Written::Updated), Some((Answer::Updated { ids, .. }, _))) => ids.clone(),
        _ => Vec::new(),
    });
    let (read, problem) = read_all(caller, wanted, ids.collect()).await;
    let of_record = |(end, answer): (Result<Written, Error>, Option<Told>)| {
        let written = end?;
        let (answer, mut warnings) = answer.unzip();
        let mut warnings = warnings.take().unwrap_or_default();
        let (result, message) = match (written, answer) {
            (Written::Created(id), _) => {
                let record = read.get(&id).cloned().unwrap_or_else(|| json!({"id": id}));
                (record, "Record created successfully")
            }
            (Written::Updated, Some(Answer::Updated { ids, echo, .. })) => {
                let records = ids.iter().filter_map(|id| read.get(id).cloned()).collect();
                (updated(ids, echo, wanted, records), "Record updated successfully")
            }
            (Written::Updated, _) => (Value::Null, "Record updated successfully"),
        };
        warnings.extend(problem.clone());
        Ok(Done { result: Content::One(result), message: message.to_owned(), warnings, atomicity: None })
    };
    ends.into_iter().zip(answers).map(of_record).collect()
}

/// What is wanted of the records, by their ids; a failure to read is a warning.
async fn read_all(caller: &Caller, wanted: &Selection, mut ids: Vec<i64>) -> (HashMap<i64, Value>, Option<Warning>) {
    let (mut all, mut warnings) = (HashMap::new(), Vec::new());
    if wanted.fields.is_empty() {
        return (all, None);
    }
    ids.sort_unstable();
    ids.dedup();
    for some in ids.chunks(MAX_READ) {
        let records = read(caller, wanted, some.to_vec(), &mut warnings).await;
        all.extend(records.into_iter().filter_map(|record| Some((record["id"].as_i64()?, record))));
    }
    (all, warnings.pop())
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        let Failed { cause, own: left, .. } = failed;
        if left.is_empty() { Self::Refused(cause) } else { Incomplete { cause, left }.into() }
    }
}

/// Names what may be left of records of which it is not known whether they were created.
fn unknown(cause: &crate::odoo::Error, model: &str, with: &[String]) -> Error {
    let left = Leftover {
        model: model.to_owned(),
        ids: Vec::new(),
        fate: Fate::Unknown,
        why: "Odoo's answer was lost".to_owned(),
        with: with.to_vec(),
    };
    Incomplete { cause: cause.clone().into(), left: vec![left] }.into()
}
