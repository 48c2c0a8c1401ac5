//! `delete_data`: deletes all the records that a search key matches, in one RPC.
//!
//! A key that matches more records than it names is refused, unless the policy says how many may be written: nothing brings them back.

use super::{
    existing::{converted, find},
    vals::{self, Vals},
};
use crate::{
    odoo::{Caller, Rpc},
    plan::{
        Answer, Asked, Error, Plan, Purpose, SideEffects, Step, Steps, WarningCode, Work, Write, lookup::Filter,
        old_lines::OldFields, policy_check::denied,
    },
    policy::Touch,
};

/// Plans the deletion. Odoo deletes all of the records or none; what it has deleted cannot be brought back.
///
/// # Errors
/// There is no search key, or the policy denies the model, a field of the key, or so many records.
pub async fn delete_data(caller: &Caller, asked: Asked<'_>) -> Result<Plan, Error> {
    let Asked { model, .. } = asked;
    let vals = Vals::read(caller, asked, &vals::DELETE)?;
    let key = vals.search_key()?;
    caller.policy().decide(Touch::Model(model)).map_err(denied("model"))?;
    let key = converted(caller, model, key, Filter::of(asked.compat)).await?;
    let echo = key.sent().clone();
    let mut warnings = vals.warnings;
    let found = find(caller, model, &key, OldFields::default()).await?;
    let but = found.but_archived();
    let ids = found.ids();
    let mut steps = Steps::default();
    if ids.is_empty() {
        let message = format!("no record of `{model}` matches `search_key`; nothing was deleted{but}");
        warnings.note(WarningCode::NothingMatched, "search_key", message)?;
    } else {
        if ids.len() > 1 && !key.names_each_of(ids.len()) && caller.policy().most.write.is_none() {
            let problem = format!(
                "matches {} records of `{model}`, and a deletion cannot be taken back; name them by a list of ids, or allow so many by \
                 `[policy] max_records.write`",
                ids.len()
            );
            return Err(Error::WrongKind { path: "search_key".to_owned(), problem });
        }
        let rpc = Rpc::unlink(model, ids.clone());
        let purpose = Purpose::Main { side_effects: SideEffects::default(), probe: None };
        steps.push(Step { rpc, placeholders: Vec::new(), purpose });
    }
    let answer = Answer::Deleted { ids, echo };
    let write = Write { steps, lines_before: Default::default(), answer, reads_back: false };
    Ok(Plan::without_lookups(Work::Write(write), warnings, vals.dry_run))
}
