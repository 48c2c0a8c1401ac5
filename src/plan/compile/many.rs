//! The writes of several records that were read and looked up together.
//!
//! Each record is compiled as if it were the only one, but for the missing records, which all of them share. What cannot be
//! compiled is an error of its record alone; a missing record that cannot be compiled is one of each record that needs it.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Calls, Files, Main, Settler, Target, in_place};
use crate::{
    plan::{
        Error, Selection, Warnings,
        lookup::{Filter, Matches, QuestionId, Questions},
        read::Draft,
        resolve::{MissingRecord, Resolved},
        steps::{Delegation, Many, Missing, Record, SideEffects, StepId, Steps},
    },
    policy::Policy,
};

/// What the records of a request have in common.
pub(in crate::plan) struct Shared<'s> {
    pub(in crate::plan) policy: &'s Policy,
    pub(in crate::plan) model: &'s str,
    pub(in crate::plan) filter: Filter<'s>,
    /// The company of missing records that have none.
    pub(in crate::plan) company: Option<i64>,
    pub(in crate::plan) wanted: Selection,
    pub(in crate::plan) is_atomic: bool,
}

/// One record, read and with its target.
pub(in crate::plan) struct RecordDraft {
    pub(in crate::plan) draft: Draft,
    pub(in crate::plan) target: Target,
    pub(in crate::plan) company: Option<i64>,
    pub(in crate::plan) warnings: Warnings,
}

/// Compiles the writes. `warnings` takes what concerns the missing records.
pub(in crate::plan) fn compile_many(
    shared: Shared<'_>,
    records: Vec<Result<RecordDraft, Error>>,
    resolved: Resolved,
    warnings: &mut Warnings,
) -> Many {
    let places = in_place(&shared, &records, &resolved);
    let is_in_place = |id: &QuestionId| places.iter().any(|questions| questions.contains(id));
    let (mut order, mut seen) = (Vec::new(), HashSet::new());
    let ordered = records.into_iter().map(|record| {
        let record = record?;
        let missing = resolved.order(&record.draft)?;
        order.extend(missing.into_iter().filter(|id| seen.insert(*id) && !is_in_place(id)));
        Ok(record)
    });
    let ordered: Vec<Result<RecordDraft, Error>> = ordered.collect();
    // Of a request with mistakes in missing records, nothing is compiled.
    let Resolved { questions, matches, missing_records, same, mistakes: _ } = resolved;
    let Shared { policy, model, filter, company, wanted, is_atomic } = shared;
    let mut compiler = Compiler {
        policy,
        model,
        filter,
        company,
        questions: &questions,
        matches: &matches,
        same: &same,
        drafts: missing_records,
        steps: Steps::default(),
        missing: Vec::new(),
        created: HashMap::new(),
        refused: HashMap::new(),
    };
    for id in order {
        compiler.add_missing(id, warnings);
    }
    let records = ordered.into_iter().zip(places);
    let records = records.map(|(record, in_place)| record.and_then(|record| compiler.record(record, &in_place)));
    let records = records.collect();
    let Compiler { steps: shared, missing, .. } = compiler;
    let mut many = Many { wanted, shared, missing, records, together: Vec::new(), is_atomic };
    many.gather();
    many
}

/// By record: the missing records that are created within its own call.
fn in_place(
    shared: &Shared<'_>,
    records: &[Result<RecordDraft, Error>],
    resolved: &Resolved,
) -> Vec<HashSet<QuestionId>> {
    let of_record = |record: &Result<RecordDraft, Error>| match record {
        // What follows the one call for all records may fail, and what was created within it could not be found again.
        Ok(_) if shared.is_atomic => HashSet::new(),
        Ok(RecordDraft { draft, target, .. }) => in_place::questions(shared.policy, draft, resolved, target),
        Err(_) => HashSet::new(),
    };
    records.iter().map(of_record).collect()
}

struct Compiler<'c> {
    policy: &'c Policy,
    model: &'c str,
    filter: Filter<'c>,
    company: Option<i64>,
    questions: &'c Questions,
    matches: &'c Matches,
    same: &'c HashMap<QuestionId, QuestionId>,
    /// The missing records that have not been compiled yet.
    drafts: BTreeMap<QuestionId, MissingRecord>,
    steps: Steps,
    missing: Vec<Missing>,
    /// By question: the place of its record in `missing`, and the step that creates it.
    created: HashMap<QuestionId, (usize, StepId)>,
    /// Missing records that cannot be created.
    refused: HashMap<QuestionId, Error>,
}

/// What a record needs of the missing ones.
struct Needed {
    created: HashMap<QuestionId, StepId>,
    places: Vec<usize>,
}

impl Compiler<'_> {
    fn alias(&self, id: QuestionId) -> QuestionId {
        self.same.get(&id).copied().unwrap_or(id)
    }

    /// The missing records that these drafts need directly.
    fn needed<'d>(&self, drafts: impl Iterator<Item = &'d Draft>) -> Result<Needed, Error> {
        let mut needed = Needed { created: HashMap::new(), places: Vec::new() };
        for id in drafts.flat_map(Draft::questions).map(|id| self.alias(id)) {
            if let Some(error) = self.refused.get(&id) {
                return Err(error.clone());
            }
            if let Some(&(place, step)) = self.created.get(&id)
                && needed.created.insert(id, step).is_none()
            {
                needed.places.push(place);
            }
        }
        needed.places.sort_unstable();
        Ok(needed)
    }

    /// Adds the steps that create the record which a question did not find.
    fn add_missing(&mut self, id: QuestionId, warnings: &mut Warnings) {
        #[expect(clippy::expect_used, reason = "the order has each of the records to be created once")]
        let missing = self.drafts.remove(&id).expect("a record is created once");
        let len = self.steps.len();
        if let Err(error) = self.compile_missing(id, missing, warnings) {
            self.steps.truncate(len);
            self.refused.insert(id, error);
        }
    }

    fn compile_missing(
        &mut self,
        id: QuestionId,
        missing: MissingRecord,
        warnings: &mut Warnings,
    ) -> Result<(), Error> {
        if missing.draft.has_standalone_files() {
            let problem = "has files, which a missing record of a list cannot have; send that record alone first";
            return Err(Error::WrongKind { path: "auto_create".to_owned(), problem: problem.to_owned() });
        }
        let Needed { created, places: needs } = self.needed(std::iter::once(&missing.draft))?;
        let delegation = missing.draft.delegation(&|id| created.contains_key(&self.alias(id)));
        let probe = self.questions.question(self.filter, id);
        let mut settler =
            Settler { same: self.same, created, ..Settler::of_found(self.questions, self.matches, warnings) };
        let steps = std::mem::take(&mut self.steps);
        let len = steps.len();
        let mut calls = Calls { policy: self.policy, company: self.company, steps, files: Files::default() };
        let step = calls.create_missing(&mut settler, self.questions.get(id), probe, missing, delegation);
        self.steps = calls.steps;
        self.created.insert(id, (self.missing.len(), step?));
        self.missing.push(Missing { steps: self.steps.len() - len, needs });
        Ok(())
    }

    fn record(&mut self, record: RecordDraft, in_place: &HashSet<QuestionId>) -> Result<Record, Error> {
        let RecordDraft { draft, target, company, mut warnings } = record;
        let mut inline = BTreeMap::new();
        for id in in_place {
            inline.extend(self.drafts.remove(id).map(|missing| (*id, missing.draft)));
        }
        let Needed { created, places: needs } = self.needed(std::iter::once(&draft).chain(inline.values()))?;
        let is_created = |id| {
            let id = self.alias(id);
            created.contains_key(&id) || in_place.contains(&id)
        };
        let delegation = draft.delegation(&is_created);
        let delegation = inline.values().map(|draft| draft.delegation(&is_created)).fold(delegation, Delegation::max);
        let created_in_place = in_place.iter().map(|id| self.questions.get(*id).model.clone());
        let side_effects = SideEffects::new(draft.nested_lines(), draft.unidentified(), created_in_place, delegation);
        let settler = Settler {
            same: self.same,
            created,
            inline,
            ..Settler::of_found(self.questions, self.matches, &mut warnings)
        };
        let (policy, model) = (self.policy, self.model);
        let calls = Calls { policy, company, steps: self.steps.following(), files: Files::default() };
        // What is wanted is read of all records together.
        let wanted = Selection { model: model.to_owned(), fields: Vec::new() };
        let main = Main { model, draft, side_effects, wanted, reads_back: None };
        let write = match target {
            Target::New { external_id, probe } => main.create(settler, calls, external_id, probe)?,
            Target::Existing(existing) => main.update(settler, calls, existing)?,
        };
        Ok(Record { write, needs, warnings: warnings.into_vec() })
    }
}
