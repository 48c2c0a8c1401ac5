//! What else is wrong with a payload that is refused already: its lookups that find nothing, or too much.
//!
//! What must stay true: only calls that are refused come here, so that no other call pays for it; what is asked is bounded and reads
//! only; and nothing is asked where the policy denies something, so that a denial costs no word of Odoo's.

use super::{
    Warnings,
    compile::Settler,
    error::Mistakes,
    lookup::Questions,
    read::Draft,
    resolve::{Asking, Resolved, resolve},
    steps::Trail,
    warning::Noted,
};
use crate::odoo::Caller;

/// Asks the questions of a payload with mistakes, and notes what they show. What Odoo does not answer is left out.
pub(super) async fn ask(
    caller: &Caller,
    asking: Asking<'_>,
    questions: Questions,
    (model, draft): (&str, Draft),
    mistakes: &mut Mistakes,
) {
    if mistakes.have_denial() {
        return;
    }
    let mut warnings = Warnings::noting(false, Noted::default());
    let resolved = resolve(caller, asking, questions, &mut warnings).await;
    if let Some(Some(mut resolved)) = mistakes.take(resolved) {
        mistakes.take(resolved.refuse());
        let missing: Vec<(String, Draft)> = resolved.take_missing_drafts();
        for (model, draft) in missing {
            note(&resolved, &model, draft, mistakes);
        }
        note(&resolved, model, draft, mistakes);
    }
}

/// Notes the lookups of a draft that find nothing, or too much, whatever becomes of the record.
pub(super) fn note(resolved: &Resolved, model: &str, mut draft: Draft, mistakes: &mut Mistakes) {
    draft.keep_lookups();
    let mut warnings = Warnings::noting(false, Noted::default());
    let Resolved { questions, matches, same, missing_records, .. } = resolved;
    // What is created is there, or is told of where it would be created.
    let refused = missing_records.keys().copied().collect();
    let mut settler = Settler { same, refused, ..Settler::of_found(questions, matches, &mut warnings) };
    mistakes.take(settler.settle(model, draft, None, &Trail::Argument("vals")));
}
