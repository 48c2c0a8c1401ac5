//! The writes of several records that are all carried out, or none.
//!
//! All new records are created by one `create`, so that Odoo makes all of them or none. What comes before it, missing records and
//! files, is deleted again where a later call fails, and so are the new records. Updates cannot be taken back: they are one call,
//! after everything that may be refused.

use super::Written;
use crate::{
    execute::{
        Error,
        failed::{Failed, failed, lost, no_id},
        run::{Created, Run},
        settle::{How, Settler},
        undo::{Kind, Undo, UndoList, Updated, ids_of},
    },
    odoo::Rpc,
    plan::{self, Answer, NestedLines, Purpose, Record, SideEffects, Step, Steps, Warning},
};

/// A record while it is being written, with what its own calls have created.
struct Part<'p> {
    run: Run<'p>,
    before: Vec<Step>,
    main: Option<Step>,
    after: Vec<Step>,
    answer: Answer,
    warnings: Vec<Warning>,
    created: Option<i64>,
}

/// What was written of each record, and what is answered of it.
pub(super) type AllWritten = Vec<(Written, Answer, Vec<Warning>)>;

/// Carries out the writes.
///
/// # Errors
/// A call failed. What those before it had created has been deleted again, or the error names what is left.
pub(super) async fn write(settler: Settler<'_>, shared: Steps, records: Vec<Record>) -> Result<AllWritten, Error> {
    let mut writing = Writing { settler, undo: UndoList::new(settler.caller) };
    match writing.all(shared, records).await {
        Ok(parts) => Ok(parts.into_iter().map(Part::written).collect()),
        Err(failed) => Err(writing.undo.give_up(failed).await),
    }
}

struct Writing<'w> {
    settler: Settler<'w>,
    /// What all calls have done so far.
    undo: UndoList<'w>,
}

impl<'w> Writing<'w> {
    async fn all(&mut self, shared: Steps, records: Vec<Record>) -> Result<Vec<Part<'w>>, Failed> {
        let mut run = Run::new(self.settler);
        for step in shared {
            self.take(&mut run, step).await?;
        }
        let mut parts: Vec<Part<'w>> = records.into_iter().map(|record| Part::of(record, &run)).collect();
        for part in &mut parts {
            for step in std::mem::take(&mut part.before) {
                self.take(&mut part.run, step).await?;
            }
        }
        self.create(&mut parts).await?;
        for part in parts.iter_mut().filter(|part| part.created.is_some()) {
            for step in std::mem::take(&mut part.after) {
                self.take(&mut part.run, step).await?;
            }
        }
        self.update(&mut parts).await?;
        for part in &mut parts {
            for step in std::mem::take(&mut part.after) {
                self.take(&mut part.run, step).await?;
            }
        }
        Ok(parts)
    }

    /// Carries out a step that is not the main one of its record.
    async fn take(&mut self, run: &mut Run<'_>, step: Step) -> Result<(), Failed> {
        let taken = run.take_and_forget(step).await;
        run.undo.take().into_iter().for_each(|entry| self.undo.push(entry));
        taken.map(drop)
    }

    /// Creates the new records, by one call.
    async fn create(&mut self, parts: &mut [Part<'w>]) -> Result<(), Failed> {
        let (mut new, mut records, mut like) = (Vec::new(), Vec::new(), None);
        let mut side_effects = SideEffects::default();
        for (place, part) in parts.iter_mut().enumerate() {
            let Some((rpc, own)) = part.take_main(|rpc| rpc.ids.is_none()).await? else { continue };
            merge(&mut side_effects, own);
            new.push(place);
            let Rpc { model, args, context, .. } = rpc;
            records.extend(args.into_iter().filter_map(|(_, mut records)| Some(records.get_mut(0)?.take())));
            like.get_or_insert((model, context));
        }
        let Some((model, context)) = like else { return Ok(()) };
        let rpc = Rpc { context, ..Rpc::create(&model, records) };
        let sent = self.settler.send(&rpc, How::Alone).await;
        self.settler.caller.forget_lookups_of(side_effects.models.iter().map(String::as_str));
        let answer = sent.map_err(|error| failed(error, &rpc, true).with(&side_effects.models))?.answer;
        let ids = ids_of(&answer);
        if ids.len() != new.len() {
            return Err(lost(no_id(&rpc), &rpc, true).with(&side_effects.models));
        }
        self.undo.push(Undo { model: model.clone(), ids: ids.clone(), kind: Kind::Main, side_effects });
        let records =
            rpc.args.first().and_then(|(_, records)| records.as_array()).map(Vec::as_slice).unwrap_or_default();
        let ids = self.settler.caller.in_order(&model, records, ids).await?.ok_or_else(not_told)?;
        for (place, id) in new.into_iter().zip(ids) {
            parts[place].created = Some(id);
            parts[place].run.created.push(Created { model: model.clone(), ids: vec![id] });
        }
        Ok(())
    }

    /// Updates the records, by one call.
    async fn update(&mut self, parts: &mut [Part<'w>]) -> Result<(), Failed> {
        let mut writes: Vec<Rpc> = Vec::new();
        let mut side_effects = SideEffects::default();
        for part in &mut *parts {
            let Some((rpc, own)) = part.take_main(|_| true).await? else { continue };
            merge(&mut side_effects, own);
            writes.push(rpc);
        }
        let Some(rpc) = one_call(writes) else { return Ok(()) };
        let sent = self.settler.send(&rpc, How::Alone).await;
        self.settler.caller.forget_lookups_of(side_effects.models.iter().map(String::as_str));
        sent.map_err(|error| failed(error, &rpc, true).with(&side_effects.models))?;
        let (model, ids, with) = (rpc.model, rpc.ids.unwrap_or_default(), side_effects.models);
        self.undo.updated = Some(Updated { model: model.clone(), ids, with });
        for part in parts.iter_mut().filter(|part| part.created.is_none()) {
            part.run.created.push(Created { model: model.clone(), ids: Vec::new() });
        }
        Ok(())
    }
}

impl<'p> Part<'p> {
    /// The record, whose calls may use what `earlier` has created.
    fn of(record: Record, earlier: &Run<'p>) -> Self {
        let Record { write, warnings, .. } = record;
        let plan::Write { steps, lines_before, answer, .. } = write;
        let run = Run::after(earlier.settler(), earlier.created.clone(), lines_before);
        let mut part = Self { run, before: Vec::new(), main: None, after: Vec::new(), answer, warnings, created: None };
        let mut is_after = false;
        for step in steps {
            match step.purpose {
                Purpose::Main { .. } => {
                    is_after = true;
                    part.main = Some(step);
                }
                _ if is_after => part.after.push(step),
                _ => part.before.push(step),
            }
        }
        part
    }

    /// The main call, if it is such a one, with the ids that it needs.
    async fn take_main(&mut self, is_such: impl Fn(&Rpc) -> bool) -> Result<Option<(Rpc, SideEffects)>, Failed> {
        let Some(Step { mut rpc, placeholders, purpose }) = self.main.take_if(|step| is_such(&step.rpc)) else {
            return Ok(None);
        };
        self.run.fill(&mut rpc, &placeholders).await?;
        let side_effects = match purpose {
            Purpose::Main { side_effects, .. } => side_effects,
            _ => SideEffects::default(),
        };
        Ok(Some((rpc, side_effects)))
    }

    fn written(self) -> (Written, Answer, Vec<Warning>) {
        let Self { answer, warnings, created, .. } = self;
        (created.map_or(Written::Updated, Written::Created), answer, warnings)
    }
}

/// One call for all updates: the same values into all records, or to each its own (Odoo 19 and later).
fn one_call(mut writes: Vec<Rpc>) -> Option<Rpc> {
    let mut first = writes.pop()?;
    writes.reverse();
    if writes.iter().all(|write| write.args == first.args) {
        first.ids.get_or_insert_default().extend(writes.into_iter().flat_map(|write| write.ids.unwrap_or_default()));
        return Some(first);
    }
    writes.insert(0, first);
    let (mut ids, mut records) = (Vec::new(), Vec::new());
    let model = writes[0].model.clone();
    for Rpc { ids: own, args, .. } in writes {
        let values = args.into_iter().next().map(|(_, values)| values).unwrap_or_default();
        for id in own.unwrap_or_default() {
            ids.push(id);
            records.push(values.clone());
        }
    }
    Some(Rpc::web_save_multi(&model, ids, records))
}

fn merge(all: &mut SideEffects, own: SideEffects) {
    let SideEffects { lines, unidentified, models, delegation } = own;
    NestedLines::merge(&mut all.lines, lines);
    for (all, own) in [(&mut all.unidentified, unidentified), (&mut all.models, models)] {
        all.extend(own);
        all.sort_unstable();
        all.dedup();
    }
    all.delegation = all.delegation.max(delegation);
}

/// The ids of new records with different fields came in an order that cannot be known.
fn not_told() -> Failed {
    let problem = "cannot be kept: Odoo gives the new records back in another order, and they cannot be told apart";
    plan::Error::WrongKind { path: "atomic".to_owned(), problem: problem.to_owned() }.into()
}
