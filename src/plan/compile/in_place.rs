//! Which missing records are created by a command within the call that needs them.

use std::collections::HashSet;

use super::Target;
use crate::{
    plan::{lookup::QuestionId, read::Draft, resolve::Resolved},
    policy::Policy,
};

/// The questions whose missing record is created by a command in the place that needs it, being needed nowhere else.
///
/// That place must be in the main call, or in a record that is itself created there: only the main call ends with all of it
/// done or none. No call may follow it for the record itself, such as one that gives it an external id.
pub(super) fn questions(policy: &Policy, main: &Draft, resolved: &Resolved, target: &Target) -> HashSet<QuestionId> {
    let mut in_place = HashSet::new();
    // What follows the main call may fail, and a record created within it could not be told from one that it links.
    let ends_with_main = !matches!(target, Target::New { external_id: Some(_), .. })
        && !main.has_standalone_files()
        && resolved.missing_records.values().all(|missing| !missing.draft.has_standalone_files());
    if target.number_of_records() != 1 || !ends_with_main {
        return in_place;
    }
    let mut drafts = vec![main];
    while let Some(draft) = drafts.pop() {
        for id in draft.questions() {
            // Few of the questions of a long list are of missing records.
            let Some(missing) = resolved.missing_records.get(&id).filter(|missing| missing.is_certain) else {
                continue;
            };
            let question = resolved.questions.get(id);
            let is_needed_once = question.uses == 1 && question.is_for_many && !resolved.is_shared(id);
            // One that must be within a domain is checked when it has been created.
            if is_needed_once && policy.domain(&question.model).is_none() {
                in_place.insert(id);
                drafts.push(&missing.draft);
            }
        }
    }
    in_place
}
