//! From answered questions to the calls of a write, in the order in which they can be undone.
//!
//! Most writes are one call. Records that a lookup did not find come before it, each after those it needs itself; where
//! one is needed in a single place it goes into the write as a command instead. Files come before the main call too,
//! and are tied after it to records that it makes.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::{
    Error, Warnings,
    draft::Draft,
    files::{self, File},
    joins::Joins,
    lookup::Filter,
    resolve::Resolved,
    selection::Selection,
    settle::{OldLines, Settled, Settler},
    steps::{Answer, At, Below, Beside, Hole, Line, Place, Purpose, Root, Step, Write},
    touched::denied,
};
use crate::{
    odoo::{Page, Rpc},
    policy::{Policy, Touch},
};

/// What is written into.
pub(super) enum Target {
    New,
    /// `lines` are those that the new ones replace, `before` all that there are where new ones get files.
    Existing {
        ids: Vec<i64>,
        lines: OldLines,
        before: HashSet<(String, i64)>,
        echo: Map<String, Value>,
    },
}

/// Files that await their record: where it is, and the lines that lead to it.
type Loose = (Root, Vec<Line>, Vec<File>);

/// What a write is compiled from, besides the payload.
pub(super) struct Setting<'s> {
    pub(super) policy: &'s Policy,
    pub(super) model: &'s str,
    pub(super) filter: Filter<'s>,
    /// What is made without a company of its own belongs to this one, as the addon has it.
    pub(super) company: Option<i64>,
    pub(super) wanted: Selection,
    /// How the main call can answer what is wanted itself, where it can.
    pub(super) specification: Option<Value>,
}

/// Compiles the write. The error of a lookup that found nothing, or too much, comes up here.
pub(super) fn compile(
    setting: Setting<'_>,
    mut draft: Draft,
    resolved: Resolved,
    target: Target,
    warnings: &mut Warnings,
) -> Result<Write, Error> {
    let Setting { policy, model, filter, company, wanted, specification } = setting;
    let order = resolved.order(&draft)?;
    let none = OldLines::new();
    let (targets, old) = match &target {
        Target::New => (1, &none),
        Target::Existing { ids, lines, .. } => (ids.len(), lines),
    };
    // What follows the main call may fail, and a record made within it could not be told from one that it links.
    let ends_with_main =
        !draft.has_loose_files() && resolved.makings.values().all(|making| !making.draft.has_loose_files());
    let in_place =
        if targets == 1 && ends_with_main { resolved_in_place(policy, &draft, &resolved) } else { HashSet::new() };
    let Resolved { questions, found, mut makings, same } = resolved;
    let made: HashSet<usize> = makings.keys().copied().collect();
    let is_made = |number| made.contains(same.get(&number).unwrap_or(&number));
    let mut settler = Settler { same: &same, ..Settler::of_found(&questions, &found, warnings) };
    let mut steps = Vec::new();
    let mut loose: Vec<Loose> = Vec::new();

    for number in order {
        let Some(making) = makings.remove(&number) else { continue };
        let question = questions.get(number);
        if in_place.contains(&number) {
            settler.inline.insert(number, making.draft);
            continue;
        }
        let joins = making.draft.joins(&is_made);
        let beside = Beside::new(making.draft.below(), making.draft.unseen(), std::iter::empty(), joins);
        let made = settler.settle(&question.model, making.draft, &none, "/vals_list/0")?;
        let rpc =
            in_company(Rpc::create(&question.model, vec![Value::Object(made.values)]), question.company.or(company));
        let lookup = (question.fields(), question.shown());
        let probe = Box::new(questions.question(filter, number));
        let purpose = Purpose::Make { probe, lookup, must_match: !making.is_certain, beside };
        loose.extend(made.files.into_iter().map(|(lines, files)| (Root::Step(steps.len()), lines, files)));
        settler.made.insert(number, steps.len());
        let below = beside_below(&purpose);
        steps.push(Step { rpc, holes: made.holes, purpose });
        steps.extend(check(policy, &question.model, steps.len() - 1, below, joins)?);
    }

    // Whether one call writes and reads is known before the values are settled, since it decides where they stand.
    let reads_back = specification.filter(|_| !wanted.fields.is_empty());
    let at = if matches!(target, Target::New) && reads_back.is_none() { "/vals_list/0" } else { "/vals" };
    let made_in_place = in_place.iter().map(|number| questions.get(*number).model.clone());
    let in_place_join = settler.inline.values().map(|draft| draft.joins(&is_made));
    let joins = in_place_join.chain([draft.joins(&is_made)]).max().unwrap_or_default();
    let beside = Beside::new(draft.below(), draft.unseen(), made_in_place, joins);
    let below = draft.below();
    if let Target::Existing { .. } = target {
        // In records that are there, a value stays until Odoo computes it anew.
        draft.computed.clear();
        // Lines that are there go too, wherever they are.
        for (field, model) in draft.replaced() {
            policy.decide(Touch::Unchecked(model)).map_err(denied(&format!("payload.{field}")))?;
        }
    }
    let Settled { values, holes, files } = settler.settle(model, draft, old, at)?;
    if let Target::Existing { .. } = target {
        // An update is not undone, so it has to be seen beforehand.
        for model in Below::models(&below) {
            policy.decide(Touch::Unchecked(&model)).map_err(denied("payload"))?;
        }
        if policy.domain(model).is_some_and(|domain| !domain.keeps(&with_holes_open(&values, &holes))) {
            return Err(denied("payload")(policy.outside(model)));
        }
    }

    let (answer, lines_before) = match target {
        Target::New => (Answer::Created { wanted }, HashSet::new()),
        Target::Existing { ids, echo, before, .. } => (Answer::Updated { ids, echo, wanted }, before),
    };
    if targets == 0 {
        return Ok(Write { steps: Vec::new(), lines_before, answer, reads_back: false });
    }
    let roots = match &answer {
        // The main call follows the files, if there are any.
        Answer::Created { .. } => vec![Root::Step(steps.len() + usize::from(!(loose.is_empty() && files.is_empty())))],
        Answer::Updated { ids, .. } => ids.iter().map(|id| Root::Record { model: model.to_owned(), id: *id }).collect(),
    };
    for (lines, files) in files {
        loose.extend(roots.iter().map(|root| (root.clone(), lines.clone(), files.clone())));
    }
    let ties = if loose.is_empty() { Vec::new() } else { file_steps(model, loose, &mut steps) };
    let reads = reads_back.is_some();
    let is_needed = |values: &Map<String, Value>| !values.is_empty() || reads || steps.is_empty();
    match &answer {
        Answer::Created { .. } => {
            let rpc = match reads_back {
                Some(specification) => Rpc::web_save(model, Vec::new(), values, specification),
                None => Rpc::create(model, vec![Value::Object(values)]),
            };
            let main = steps.len();
            steps.push(Step { rpc: in_company(rpc, company), holes, purpose: Purpose::Main { beside } });
            steps.extend(check(policy, model, main, below, joins)?);
        }
        Answer::Updated { ids, .. } if is_needed(&values) => {
            let rpc = match reads_back {
                Some(specification) => Rpc::web_save(model, ids.clone(), values, specification),
                None => Rpc::write(model, ids.clone(), values),
            };
            steps.push(Step { rpc, holes, purpose: Purpose::Main { beside } });
        }
        Answer::Updated { .. } => {}
    }
    steps.extend(ties);
    Ok(Write { steps, lines_before, answer, reads_back: reads })
}

/// The step that looks whether what another one made is within the caller's domains, where it has any there. What joins a
/// record that was there could not be deleted again, and is refused.
fn check(policy: &Policy, model: &str, step: usize, below: Vec<Below>, joins: Joins) -> Result<Option<Step>, Error> {
    let is_narrowed = |model: &str| policy.domain(model).is_some();
    if !is_narrowed(model) && !Below::has(&below, &is_narrowed) {
        return Ok(None);
    }
    if joins == Joins::Existing {
        let models = [vec![model.to_owned()], Below::models(&below)].concat();
        let decide = |model: &String| policy.decide(Touch::Unchecked(model)).map_err(denied("payload"));
        models.iter().try_for_each(decide)?;
    }
    let rpc = Rpc::search_read(model, json!([["id", "=", null]]), json!(["id"]), Page::default());
    let holes = vec![Hole { at: At::Argument("/domain/0/2".to_owned()), step, index: 0 }];
    let rpc = rpc.with_context("active_test", false);
    Ok(Some(Step { rpc, holes, purpose: Purpose::Check { step, below } }))
}

/// The values as far as they are known: an id that is yet to come is none that a domain could be held against.
fn with_holes_open(values: &Map<String, Value>, holes: &[Hole]) -> Map<String, Value> {
    let mut values = values.clone();
    for hole in holes {
        if let At::Argument(at) = &hole.at
            && let Some(value) = at.split('/').nth(2).and_then(|field| values.get_mut(field))
        {
            *value = json!([]);
        }
    }
    values
}

fn beside_below(purpose: &Purpose) -> Vec<Below> {
    match purpose {
        Purpose::Make { beside, .. } | Purpose::Main { beside } => beside.below.clone(),
        Purpose::Files | Purpose::Check { .. } | Purpose::Tie { .. } => Vec::new(),
    }
}

/// The missing records that can be made by a command in the place that needs them, being needed nowhere else.
///
/// That place must be in the main call, or in a record that is itself made there: only the main call ends with all of it
/// done or none.
fn resolved_in_place(policy: &Policy, main: &Draft, resolved: &Resolved) -> HashSet<usize> {
    let mut in_place = HashSet::new();
    let mut drafts = vec![main];
    while let Some(draft) = drafts.pop() {
        for number in draft.questions() {
            let question = resolved.questions.get(number);
            let is_needed_once = question.uses == 1 && question.is_for_many && !resolved.is_shared(number);
            // One that must be within a domain is looked at when it has been made.
            let is_needed_once = is_needed_once && policy.domain(&question.model).is_none();
            if let Some(making) = resolved.makings.get(&number).filter(|making| making.is_certain && is_needed_once) {
                in_place.insert(number);
                drafts.push(&making.draft);
            }
        }
    }
    in_place
}

fn in_company(rpc: Rpc, company: Option<i64>) -> Rpc {
    match company {
        Some(company) => rpc.with_context("default_company_id", company),
        None => rpc,
    }
}

/// Adds the call that makes all files, and gives those that tie them to records which are not there before the main call.
fn file_steps(model: &str, loose: Vec<Loose>, steps: &mut Vec<Step>) -> Vec<Step> {
    let mut attachments = Vec::new();
    let mut ties = Vec::new();
    for (root, lines, files) in loose {
        let owner = match (lines.last(), &root) {
            (Some(line), _) => line.model.clone(),
            (None, Root::Record { model, .. }) => model.clone(),
            (None, Root::Step(step)) => steps.get(*step).map_or(model, |step| &step.rpc.model).to_owned(),
        };
        let first = attachments.len();
        for file in files {
            let mut values = file.values();
            if let (Root::Record { model, id }, []) = (&root, &lines[..]) {
                values.extend([("res_model".to_owned(), json!(model)), ("res_id".to_owned(), json!(id))]);
            }
            attachments.push(Value::Object(values));
        }
        if matches!((&root, &lines[..]), (Root::Record { .. }, [])) {
            continue;
        }
        let values = Map::from_iter([("res_model".to_owned(), json!(owner)), ("res_id".to_owned(), Value::Null)]);
        let holes = (first..attachments.len()).map(|index| Hole { at: At::Ids, step: steps.len(), index }).collect();
        let rpc = Rpc::write(files::MODEL, Vec::new(), values);
        ties.push(Step { rpc, holes, purpose: Purpose::Tie { place: Place { root, lines } } });
    }
    steps.push(Step { rpc: Rpc::create(files::MODEL, attachments), holes: Vec::new(), purpose: Purpose::Files });
    ties
}
