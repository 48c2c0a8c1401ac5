//! From answered questions to the calls of a write, in the order in which they can be undone.
//!
//! Most writes are one call. Records that a lookup did not find come before it, each after those that it needs itself; where
//! one is needed in a single place, it goes into the write as a command instead (`in_place`). Files come before the main call
//! too, and are attached after it to the records that it creates (`files`). The values come from `settle`.
//!
//! Compiling is pure: it imports no caller and asks Odoo nothing. `settle`, `in_place` and `files` do not import this file.

mod calls;
mod files;
mod in_place;
mod many;
mod settle;

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use self::{
    calls::{Calls, in_company},
    files::Files,
    settle::{Owner, Settled},
};
pub(super) use self::{
    many::{RecordDraft, Shared, compile_many},
    settle::Settler,
};
use super::{
    Error, Warnings,
    answer::Selection,
    lookup::{Filter, QuestionId},
    old_lines::OldRecord,
    policy_check::denied,
    read::{Draft, Languages},
    resolve::Resolved,
    steps::{Answer, At, Delegation, NestedLines, Placeholder, Purpose, Root, SideEffects, Step, Steps, Trail, Write},
};
use crate::{
    odoo::{ExternalId, Rpc},
    policy::{Policy, Touch},
};

/// The records that a write is about.
pub(super) enum Target {
    /// A new record, which gets an external id. `probe` finds it by its search key.
    New {
        external_id: Option<ExternalId>,
        probe: Option<Rpc>,
    },
    Existing(Existing),
}

impl Target {
    /// The number of records that the main call writes.
    fn number_of_records(&self) -> usize {
        match self {
            Self::New { .. } => 1,
            Self::Existing(existing) => existing.records.len(),
        }
    }
}

/// Existing records that are updated.
pub(super) struct Existing {
    /// With the lines that they have in the fields that are written.
    pub(super) records: Vec<OldRecord>,
    /// All lines that there are in the fields whose new lines get files.
    pub(super) before: HashSet<(String, i64)>,
    /// The search key, which the answer repeats.
    pub(super) echo: Map<String, Value>,
}

impl Existing {
    pub(super) fn ids(&self) -> Vec<i64> {
        self.records.iter().map(|record| record.id).collect()
    }
}

/// What a write is compiled from, besides the payload.
pub(super) struct WriteContext<'s> {
    pub(super) policy: &'s Policy,
    pub(super) model: &'s str,
    pub(super) filter: Filter<'s>,
    /// A record that is created without a company of its own belongs to this one, as in the addon.
    pub(super) company: Option<i64>,
    pub(super) wanted: Selection,
    /// How the main call can answer what is wanted itself, where it can.
    pub(super) specification: Option<Value>,
}

/// Compiles the write.
///
/// # Errors
/// Lookups found nothing, or too much; the policy does not let the caller write what would be written. All that is wrong is told.
pub(super) fn compile(
    context: WriteContext<'_>,
    draft: Draft,
    resolved: Resolved,
    target: Target,
    warnings: &mut Warnings,
) -> Result<Write, Error> {
    let WriteContext { policy, model, filter, company, wanted, specification } = context;
    let order = resolved.order(&draft)?;
    let in_place = in_place::questions(policy, &draft, &resolved, &target);
    let Resolved { questions, matches, mut missing_records, same, mut mistakes } = resolved;
    let created: HashSet<QuestionId> = missing_records.keys().copied().collect();
    let is_created = |id| created.contains(same.get(&id).unwrap_or(&id));
    let mut settler = Settler { same: &same, ..Settler::of_found(&questions, &matches, warnings) };
    let mut calls = Calls { policy, company, steps: Steps::default(), files: Files::default() };

    for id in order {
        #[expect(clippy::expect_used, reason = "the order has each of the records to be created once")]
        let missing = missing_records.remove(&id).expect("a record is created once");
        if in_place.contains(&id) {
            settler.inline.insert(id, missing.draft);
        } else {
            let delegation = missing.draft.delegation(&is_created);
            let probe = questions.question(filter, id);
            let step = calls.create_missing(&mut settler, questions.get(id), probe, missing, delegation);
            match mistakes.take(step) {
                Some(step) => drop(settler.created.insert(id, step)),
                None => drop(settler.refused.insert(id)),
            }
        }
    }

    let created_in_place = in_place.iter().map(|id| questions.get(*id).model.clone());
    let in_place_delegation = settler.inline.values().map(|draft| draft.delegation(&is_created));
    let delegation = in_place_delegation.fold(draft.delegation(&is_created), Delegation::max);
    let lines = draft.nested_lines();
    let side_effects = SideEffects::new(lines, draft.unidentified(), created_in_place, delegation);
    let reads_back = specification.filter(|_| !wanted.fields.is_empty());
    let main = Main { model, draft, side_effects, wanted, reads_back };
    mistakes.and(match target {
        Target::New { external_id, probe } => main.create(settler, calls, external_id, probe),
        Target::Existing(existing) => main.update(settler, calls, existing),
    })
}

/// The main call: one record's values, and what is written beside it.
struct Main<'m> {
    model: &'m str,
    draft: Draft,
    side_effects: SideEffects,
    wanted: Selection,
    /// The specification by which the call answers the wanted fields itself.
    reads_back: Option<Value>,
}

impl Main<'_> {
    /// Completes the write with a main call that creates the record.
    fn create(
        self,
        mut settler: Settler<'_>,
        mut calls: Calls<'_>,
        external_id: Option<ExternalId>,
        probe: Option<Rpc>,
    ) -> Result<Write, Error> {
        let Self { model, mut draft, side_effects, wanted, reads_back } = self;
        let languages = std::mem::take(&mut draft.languages);
        // The argument that the values stand in differs between the two calls.
        let vals_list = Trail::Argument("vals_list");
        let at = if reads_back.is_some() { Trail::Argument("vals") } else { vals_list.position(0) };
        let Settled { values, placeholders, files } = settler.settle(model, draft, None, &at)?;
        let is_read_back = reads_back.is_some();
        let rpc = match reads_back {
            Some(specification) => Rpc::web_save(model, Vec::new(), values, specification),
            None => Rpc::create(model, vec![Value::Object(values)]),
        };
        for (place, files) in files {
            calls.files.of_new_record(model, place.lines, files);
        }
        let attach = calls.create_files();
        let (delegation, lines) = (side_effects.delegation, side_effects.lines.clone());
        let purpose = Purpose::Main { side_effects, probe: probe.map(Box::new) };
        let rpc = in_language(in_company(rpc, calls.company), &languages);
        let step = Step { rpc, placeholders, purpose };
        let created = calls.create(step, delegation, &lines)?;
        calls.translate(model, created, languages);
        if let Some(external_id) = external_id {
            calls.name(model, created, external_id);
        }
        attach.after_create(&mut calls.steps, created);
        let answer = Answer::Created { wanted };
        Ok(Write { steps: calls.steps, lines_before: HashSet::new(), answer, reads_back: is_read_back })
    }

    /// Completes the write with a main call that updates the records, where anything of them is written or read.
    fn update(self, mut settler: Settler<'_>, mut calls: Calls<'_>, existing: Existing) -> Result<Write, Error> {
        let Self { model, mut draft, side_effects, wanted, reads_back } = self;
        let ids = existing.ids();
        let Existing { records, before, echo } = existing;
        let policy = calls.policy;
        let has_lines = draft.has_lines();
        // Existing lines are removed and edited too, wherever they are.
        for (field, model) in draft.replaced() {
            policy.decide(Touch::Unchecked(model)).map_err(denied(&format!("payload.{field}")))?;
        }
        let languages = std::mem::take(&mut draft.languages);
        let Settled { values, placeholders, files } =
            settler.settle(model, draft, Some(&records), &Trail::Argument("vals"))?;
        // An update is not undone, so it is checked beforehand.
        for model in NestedLines::models(&side_effects.lines) {
            policy.decide(Touch::Unchecked(&model)).map_err(denied("payload"))?;
        }
        if policy.domain(model).is_some_and(|domain| !domain.keeps(&without_future_ids(&values, &placeholders))) {
            return Err(denied("payload")(policy.outside(model)));
        }
        // A write without values would still change who wrote the record last, and when. Odoo's method for the languages of one field
        // answers no record.
        let is_unchanged = has_lines && values.is_empty();
        let reads_back = reads_back.filter(|_| !is_unchanged && !matches!(languages, Languages::OfField { .. }));
        let is_read_back = reads_back.is_some() && !ids.is_empty();
        if ids.is_empty() {
            calls.steps = Steps::default();
        } else {
            for (place, files) in files {
                match place.owner {
                    Owner::Main => ids.iter().for_each(|id| {
                        let root = Root::Record { model: model.to_owned(), id: *id };
                        calls.files.of_record(root, model, place.lines.clone(), files.clone());
                    }),
                    Owner::Line { model, id } => {
                        let root = Root::Record { model: model.clone(), id };
                        calls.files.of_record(root, &model, place.lines, files);
                    }
                }
            }
            let attach = calls.create_files();
            if !is_unchanged && (!values.is_empty() || is_read_back || calls.steps.is_empty()) {
                let rpc = match (reads_back, &languages) {
                    (_, Languages::OfField { field, texts }) => {
                        Rpc::update_field_translations(model, ids.clone(), field, texts.clone())
                    }
                    (Some(specification), _) => Rpc::web_save(model, ids.clone(), values, specification),
                    (None, _) => Rpc::write(model, ids.clone(), values),
                };
                let rpc = in_language(rpc, &languages);
                calls.steps.push(Step { rpc, placeholders, purpose: Purpose::Main { side_effects, probe: None } });
            }
            attach.after_update(&mut calls.steps);
        }
        let answer = Answer::Updated { ids, echo, wanted };
        Ok(Write { steps: calls.steps, lines_before: before, answer, reads_back: is_read_back })
    }
}

/// The values as far as they are known: an id that is yet to come cannot be held against a domain.
fn without_future_ids(values: &Map<String, Value>, placeholders: &[Placeholder]) -> Map<String, Value> {
    let mut values = values.clone();
    for placeholder in placeholders {
        if let At::Argument(path) = &placeholder.at
            && let Some(value) = path.first_key().and_then(|field| values.get_mut(field))
        {
            *value = json!([]);
        }
    }
    values
}

/// The call in the one language that its texts are in, where that is not the call's.
fn in_language(rpc: Rpc, languages: &Languages) -> Rpc {
    match languages {
        Languages::One(language) => rpc.with_context("lang", language.as_str()),
        Languages::Calls | Languages::Besides(_) | Languages::OfField { .. } => rpc,
    }
}
