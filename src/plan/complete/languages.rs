//! In which languages a record's texts are written, where a payload has them by language.
//!
//! A write of Odoo's is in one language. So a new record is created in that of the call, and the others follow, each with a
//! write that is undone with the record. Existing records are updated in one language; one field of one record in several (16
//! and later). Whatever would take several writes is refused: an update cannot be taken back.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

use crate::{
    odoo::Caller,
    plan::{
        Error,
        read::{Draft, Languages, OpenKind, Texts},
        wording::shown,
    },
};

/// The first version that has `update_field_translations`.
const BY_FIELD: u16 = 16;

/// The language of an Odoo that is told none.
const SOURCE: &str = "en_US";

/// The languages that the record's texts are written in. `existing` are the records that an update writes.
///
/// # Errors
/// A language is not installed, or what was sent would take several writes that cannot be taken back.
pub(super) async fn languages(
    caller: &Caller,
    model: &str,
    draft: &Draft,
    existing: Option<&[i64]>,
    installed: &Installed,
) -> Result<Languages, Error> {
    let mut translated: Vec<(&str, &str, &Texts)> = Vec::new();
    for open in &draft.open {
        if let OpenKind::Texts(texts) = &open.kind {
            translated.push((open.field.as_str(), open.path.as_str(), texts));
        }
    }
    let Some((_, path, _)) = translated.first().filter(|_| existing.is_none_or(|ids| !ids.is_empty())) else {
        return Ok(Languages::Calls);
    };
    let own = language_of(caller, model);
    let all: BTreeSet<&str> = translated.iter().flat_map(|(_, _, texts)| texts.languages()).collect();
    if all.iter().all(|language| *language == own) {
        return Ok(Languages::Calls);
    }
    installed.check(caller, &translated).await?;
    if let (Some(only), 1) = (all.first(), all.len()) {
        return match draft.text_of_the_call() {
            None => Ok(Languages::One((*only).to_owned())),
            Some(other) => {
                let problem = format!(
                    "is in `{only}`, and `{other}` in the language of the call, `{own}`: give both by language, or send \
                     two calls"
                );
                Err(refused(path, problem))
            }
        };
    }
    match existing {
        None => besides(&own, &all, &translated),
        Some(ids) => {
            let is_alone = draft.fields.len() == 1 && !draft.has_standalone_files() && ids.len() == 1;
            match &translated[..] {
                [(field, _, texts)] if is_alone && caller.version().await? >= BY_FIELD => {
                    Ok(Languages::OfField { field: (*field).to_owned(), texts: texts.all().clone() })
                }
                _ => {
                    let problem = "has several languages, and Odoo updates records in one at a time: send a call for each, \
                                   as {\"fr_FR\": \"…\"}; or, to Odoo 16 and later, this field alone for one record";
                    Err(refused(path, problem.to_owned()))
                }
            }
        }
    }
}

/// The language that Odoo makes the call in.
pub(super) fn language_of(caller: &Caller, model: &str) -> String {
    let of_call = caller.context_of(model, &Map::new());
    let language = of_call.get("lang").or_else(|| caller.identity().context.get("lang")).and_then(Value::as_str);
    language.filter(|language| !language.is_empty()).unwrap_or(SOURCE).to_owned()
}

/// The languages of a new record besides its own.
fn besides(own: &str, all: &BTreeSet<&str>, translated: &[(&str, &str, &Texts)]) -> Result<Languages, Error> {
    if let Some((_, path, _)) = translated.iter().find(|(_, _, texts)| texts.get(own).is_none()) {
        // The new record would have another language's text in this one.
        let problem = format!(
            "has no text in the language of the call, `{own}`: give one, or set `context.lang` to one of its languages"
        );
        return Err(refused(path, problem));
    }
    let values = |language: &&str| {
        let texts = translated
            .iter()
            .filter_map(|(field, _, texts)| texts.get(language).map(|text| ((*field).to_owned(), text.clone())));
        ((*language).to_owned(), texts.collect())
    };
    Ok(Languages::Besides(all.iter().filter(|language| **language != own).map(values).collect()))
}

/// The languages that are installed in Odoo, which are asked for once in a call.
#[derive(Debug, Default)]
pub(super) struct Installed(OnceCell<Vec<String>>);

impl Installed {
    async fn check(&self, caller: &Caller, translated: &[(&str, &str, &Texts)]) -> Result<(), Error> {
        let installed = self.0.get_or_try_init(|| caller.installed_languages()).await?;
        for (_, path, texts) in translated {
            if let Some(language) = texts.languages().find(|language| !installed.iter().any(|code| code == language)) {
                let problem = format!(
                    "is in a language that is not installed in Odoo, `{}`; there are: {}",
                    shown(&json!(language)),
                    installed.join(", ")
                );
                return Err(refused(&format!("{path}.{language}"), problem));
            }
        }
        Ok(())
    }
}

fn refused(path: &str, problem: String) -> Error {
    Error::WrongKind { path: path.to_owned(), problem }
}
