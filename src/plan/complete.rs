//! Closes the values that reading left open, once the lookups are answered: it asks Odoo, reading only, for what they
//! name, and fetches the files that are named by their URL. What it needs is asked for all records of a call together.

mod analytic;
mod contents;
mod languages;
mod place;
mod properties;

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use self::{
    analytic::Accounts,
    contents::Contents,
    languages::{Installed, language_of, languages},
    place::{Place, Record},
    properties::Answers,
};
use super::{
    Error,
    error::Mistakes,
    lookup::{Filter, Matches},
    read::{Content, Draft, File, Open, OpenKind, Remote, Slot},
    resolve::Resolved,
};
use crate::{fetch::CallFiles, odoo::Caller};

/// What values are closed with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Means<'m> {
    pub(super) filter: Filter<'m>,
    pub(super) files: &'m CallFiles,
    /// The plan is only shown: no file is fetched for it.
    pub(super) is_dry_run: bool,
}

/// Closes the open values of a record and of those that are created for it. `existing` are the records that an update
/// writes. The result is a hash of what Odoo answered.
///
/// # Errors
/// An RPC fails; or a value names what is not there, or does not fit.
pub(super) async fn complete(
    caller: &Caller,
    means: Means<'_>,
    model: &str,
    draft: &mut Draft,
    resolved: &mut Resolved,
    existing: Option<Vec<i64>>,
) -> Result<u64, Error> {
    complete_all(caller, means, model, vec![(draft, existing)], resolved).await
}

/// The same for several records of a model; where it fails, none of them is closed.
///
/// # Errors
/// As those of [`complete`], of any of the records.
pub(super) async fn complete_all(
    caller: &Caller,
    means: Means<'_>,
    model: &str,
    records: Vec<(&mut Draft, Option<Vec<i64>>)>,
    resolved: &mut Resolved,
) -> Result<u64, Error> {
    let record = |existing: Option<Vec<i64>>| existing.map_or(Record::New, Record::Existing);
    let Resolved { questions, matches, missing_records, .. } = resolved;
    let (of_payload, installed) = (records.len(), Installed::default());
    let mut written_in = Vec::with_capacity(of_payload);
    for (draft, existing) in &records {
        written_in.push(languages(caller, model, draft, existing.as_deref(), &installed).await?);
    }
    let mut drafts: Vec<_> =
        records.into_iter().map(|(draft, existing)| (model.to_owned(), record(existing), draft)).collect();
    for (id, missing) in missing_records {
        drafts.push((questions.get(*id).model.clone(), Record::New, &mut missing.draft));
    }
    let mut remote: Vec<Remote> = Vec::new();
    for (_, _, draft) in &mut drafts {
        each_file(draft, &mut |file| remote.extend(file.remote()));
    }
    let mut places = Vec::new();
    for (number, (model, record, draft)) in drafts.iter().enumerate() {
        open_places(model, record.clone(), number < of_payload, draft, matches, &mut places);
    }
    let mut open: Vec<(&Open, &Place)> = Vec::new();
    for (values, place) in &places {
        open.extend(values.iter().map(|value| (*value, place)));
    }
    for (open, _) in &open {
        if let OpenKind::Content(url) = &open.kind {
            remote.push(Remote { url: url.clone(), path: format!("{}.url", open.path) });
        }
    }
    if open.is_empty() && remote.is_empty() {
        return Ok(0);
    }
    let own = language_of(caller, model);
    let accounts = Accounts::ask(caller, means.filter, &open).await?;
    let answers = Answers::ask(caller, &open).await?;
    // The longest, and nothing that Odoo would refuse before it.
    let contents = Contents::fetch(caller, means.files, &remote, means.is_dry_run).await?;
    let (mut closed, mut mistakes) = (Vec::new(), Mistakes::default());
    let mut hash = DefaultHasher::new();
    for (open, place) in open {
        let value = match &open.kind {
            OpenKind::Distribution(distribution) => accounts.distribute(distribution, &open.path),
            OpenKind::Properties(values) => answers.close(open, values, place),
            OpenKind::Texts(texts) if place.is_main => Ok(texts.main(&own)),
            OpenKind::Texts(_) => {
                let problem = "has texts by language: in a line, or a record of `auto_create`, give one in the language of the call";
                Err(Error::WrongKind { path: open.path.clone(), problem: problem.to_owned() })
            }
            OpenKind::Content(url) => {
                Ok(contents.of(url).map_or_else(|| Content::At(url.clone()).to_value(), Value::from))
            }
        };
        let value = mistakes.take(value).unwrap_or_default();
        value.to_string().hash(&mut hash);
        closed.push(Slot::Plain(value));
    }
    mistakes.and(Ok(()))?;
    let mut closed = closed.into_iter();
    for ((_, _, draft), languages) in drafts.iter_mut().zip(written_in) {
        draft.languages = languages;
    }
    for (_, _, draft) in drafts {
        close(draft, &mut closed);
        each_file(draft, &mut |file| {
            if let Some(content) = file.remote().and_then(|remote| contents.of(&remote.url)) {
                file.give(content.to_owned());
            }
        });
    }
    Ok(hash.finish())
}

/// Gathers the open values of a draft and of its lines, in the order in which [`close`] closes them.
fn open_places<'d>(
    model: &str,
    record: Record,
    is_main: bool,
    draft: &'d Draft,
    matches: &Matches,
    places: &mut Vec<(Vec<&'d Open>, Place)>,
) {
    let of = match &record {
        Record::Existing(ids) => <[i64; 1]>::try_from(ids.as_slice()).ok().map(|[id]| id),
        Record::New | Record::Line { .. } => None,
    };
    if !draft.open.is_empty() {
        places.push((draft.open.iter().collect(), Place::of(model, record, is_main, draft, matches)));
    }
    for (_, slot) in &draft.fields {
        let Some((model, inverse, records)) = slot.within() else { continue };
        for record in records {
            open_places(
                model,
                Record::Line { inverse: inverse.map(str::to_owned), of },
                false,
                record,
                matches,
                places,
            );
        }
    }
}

/// Visits the files of a draft and of its lines.
fn each_file(draft: &mut Draft, visit: &mut impl FnMut(&mut File)) {
    draft.files.iter_mut().for_each(&mut *visit);
    for (_, slot) in &mut draft.fields {
        if let Slot::Files { files, .. } = slot {
            files.iter_mut().for_each(&mut *visit);
        }
        slot.within_mut().into_iter().for_each(|record| each_file(record, visit));
    }
}

fn close(draft: &mut Draft, closed: &mut impl Iterator<Item = Slot>) {
    for open in std::mem::take(&mut draft.open) {
        if let (Some((_, slot)), Some(value)) =
            (draft.fields.iter_mut().find(|(name, _)| *name == open.field), closed.next())
        {
            *slot = value;
        }
    }
    for (_, slot) in &mut draft.fields {
        slot.within_mut().into_iter().for_each(|record| close(record, closed));
    }
}
