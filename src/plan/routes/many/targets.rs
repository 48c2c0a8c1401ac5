//! What the records are written to, once everything is found.

use std::collections::HashMap;

use futures_util::{FutureExt, StreamExt, stream};

use super::{Kind, MAX_CONCURRENT, reading::Read};
use crate::{
    odoo::Caller,
    plan::{
        Error, WarningCode, Warnings,
        compile::{RecordDraft, Target},
        complete::{Means, complete_all},
        lookup::XML_ID,
        read::{Draft, Languages},
        resolve::Resolved,
        routes::{existing::Found, write::Request},
        several::Several,
    },
};

/// The records with what they are written to.
///
/// # Errors
/// The lines of a record cannot be read.
pub(super) async fn targets(
    caller: &Caller,
    kind: Kind,
    is_atomic: bool,
    records: Vec<Read<'_>>,
    found: Vec<Option<Result<Found, Error>>>,
) -> Result<Vec<Result<RecordDraft, Error>>, Error> {
    let mut targets = Vec::with_capacity(records.len());
    for (record, found) in records.into_iter().zip(found) {
        targets.push(with_target(caller, kind, is_atomic, record, found).boxed());
    }
    let mut targets = stream::iter(targets).buffered(MAX_CONCURRENT);
    let mut all = Vec::new();
    while let Some(target) = targets.next().await {
        all.push(match target {
            Err(error @ Error::Odoo(_)) => return Err(error),
            target => target,
        });
    }
    refuse_same_record(&mut all);
    Ok(all)
}

/// Takes one of several matches where a field says which, in the records and in those that lookups did not find.
///
/// # Errors
/// Odoo does not answer, or a missing record needs one of several.
pub(super) async fn narrow_records(
    caller: &Caller,
    model: &str,
    records: &mut [Result<RecordDraft, Error>],
    resolved: &mut Resolved,
    warnings: &mut Warnings,
) -> Result<(), Error> {
    let mut several = Several::new(caller);
    for record in records {
        let Ok(RecordDraft { draft, warnings, .. }) = record else { continue };
        if let Err(error) = several.narrow(model, draft, resolved, warnings).await {
            *record = Err(error);
        }
    }
    several.narrow_missing(resolved, warnings).await
}

/// Closes the values that reading left open, of all records together. Where that fails, each is closed by itself, so that the
/// failure is that of its record alone.
///
/// # Errors
/// Odoo does not answer, or refuses.
pub(super) async fn complete_records(
    caller: &Caller,
    means: Means<'_>,
    model: &str,
    records: &mut [Result<RecordDraft, Error>],
    resolved: &mut Resolved,
) -> Result<u64, Error> {
    let all = records.iter_mut().flatten().map(open).collect();
    match complete_all(caller, means, model, all, resolved).await {
        Err(Error::Odoo(error)) => return Err(error.into()),
        Ok(named) => return Ok(named),
        Err(_) => {}
    }
    let mut named = 0;
    for record in records {
        let Ok(own) = record else { continue };
        match complete_all(caller, means, model, vec![open(own)], resolved).await {
            Ok(own) => named ^= own,
            Err(error) => *record = Err(error),
        }
    }
    Ok(named)
}

/// One call writes in one language: that of the request.
pub(super) fn refuse_languages(records: &mut [Result<RecordDraft, Error>]) {
    for record in records {
        if record.as_ref().is_ok_and(|record| record.draft.languages != Languages::Calls) {
            let problem = "has texts in another language than that of the call, which `atomic` cannot write".to_owned();
            *record = Err(Error::WrongKind { path: "payload".to_owned(), problem });
        }
    }
}

/// The draft of a record, with the records that it is written to.
fn open(record: &mut RecordDraft) -> (&mut Draft, Option<Vec<i64>>) {
    let RecordDraft { draft, target, .. } = record;
    match target {
        Target::New { .. } => (draft, None),
        Target::Existing(existing) => (draft, Some(existing.ids())),
    }
}

/// Refuses a record whose search key finds what that of an earlier one finds: nothing says which of the two is to be kept.
fn refuse_same_record(records: &mut [Result<RecordDraft, Error>]) {
    let mut first_of: HashMap<i64, usize> = HashMap::new();
    for (number, record) in records.iter_mut().enumerate() {
        let Ok(RecordDraft { target: Target::Existing(existing), .. }) = record else { continue };
        let taken = existing.records.iter().find_map(|record| Some((record.id, *first_of.get(&record.id)?)));
        match taken {
            Some((id, first)) => {
                let problem = format!("finds the record {id}, as `search_key[{first}]` does");
                *record = Err(Error::WrongKind { path: "search_key".to_owned(), problem });
            }
            None => first_of.extend(existing.records.iter().map(|record| (record.id, number))),
        }
    }
}

/// Why a new record of an atomic list gets no external id: that takes a call of its own.
const NOT_ATOMIC: &str = "cannot be given to a new record of an atomic list: that takes a call of its own";

async fn with_target(
    caller: &Caller,
    kind: Kind,
    is_atomic: bool,
    record: Read<'_>,
    found: Option<Result<Found, Error>>,
) -> Result<RecordDraft, Error> {
    let mut request = record?;
    let target = match found.transpose()? {
        None => Target::New { external_id: None, probe: None },
        Some(found) if found.records.is_empty() && kind == Kind::Upsert => {
            let target = request.new_record(caller, &found).await?;
            if is_atomic && matches!(target, Target::New { external_id: Some(_), .. }) {
                return Err(Error::WrongKind { path: format!("search_key.{XML_ID}"), problem: NOT_ATOMIC.to_owned() });
            }
            target
        }
        Some(found) => {
            if found.records.is_empty() {
                let (model, but) = (request.model, found.but_archived());
                let message = format!("no record of `{model}` matches `search_key`; nothing was updated{but}");
                request.vals.warnings.note(WarningCode::NothingMatched, "search_key", message)?;
            }
            request.note_several(caller, &found)?;
            request.existing(caller, found).await?
        }
    };
    let Request { vals, company, draft, .. } = request;
    Ok(RecordDraft { draft, target, company, warnings: vals.warnings })
}
