//! The company that a payload names. It is resolved before everything else, since all other lookups search in it.

use serde_json::{Map, Value};

use crate::{
    odoo::Caller,
    plan::{
        Error, Warnings,
        compile::Settler,
        error::Mistakes,
        lookup::{Filter, Matches, Questions},
        read::Reader,
        schema_view::with_schemas,
        steps::Trail,
    },
};

pub(super) const FIELD: &str = "company_id";

/// The id of the company that a lookup in `company_id` finds; `None` where the model has no companies, which reading
/// the whole payload says.
///
/// # Errors
/// The lookup finds none or several, or cannot be asked.
pub(super) async fn look_up(
    caller: &Caller,
    model: &str,
    company: &Value,
    filter: Filter<'_>,
    warnings: &mut Warnings,
) -> Result<Option<Value>, Error> {
    let alone = Map::from_iter([(FIELD.to_owned(), company.clone())]);
    let (draft, questions, noted) = with_schemas(caller, |schemas| {
        let (mut noted, mut mistakes) = (warnings.anew(), Mistakes::default());
        let questions = Questions::default();
        let mut reader = Reader { schemas, filter, questions, warnings: &mut noted, mistakes: &mut mistakes };
        let mut draft = reader.read(model, &alone, "payload", None);
        // Reading the whole payload warns of it.
        draft.computed.clear();
        let questions = reader.questions;
        mistakes.and(Ok((draft, questions, noted.without_unwritten())))
    })
    .await?;
    let mut matches = Matches::default();
    questions.ask(caller, filter, &mut matches, None, |_| false).await?;
    let settled =
        Settler::of_found(&questions, &matches, warnings).settle(model, draft, None, &Trail::Argument("vals"));
    let mut settled = match settled {
        Err(error) => return Err(error.with_candidates(caller).await),
        Ok(settled) => settled,
    };
    let Some(company) = settled.values.remove(FIELD) else { return Ok(None) };
    warnings.extend(noted);
    Ok(Some(company))
}
