//! `search_data`: a domain, a page, and the wanted fields; or the number of what is found, or groups of it (`group`).

use serde_json::{Map, Value};

use super::{
    group::{Grouping, Searched},
    vals::{self, Vals, flag, note_unread},
};
use crate::{
    literal,
    odoo::{Caller, Page, Rpc},
    plan::{
        Asked, Error, Fields, Plan, Selection, Work, attachment, domain, field_list, name_limits, policy_check::denied,
        schema_view::with_schemas, wording::wrong,
    },
    policy::Touch,
};

/// Plans the search, or with `count` or `group` the counting of what it would find.
///
/// # Errors
/// A parameter is of the wrong kind, or the policy denies the search.
pub async fn search_data(caller: &Caller, asked: Asked<'_>) -> Result<Plan, Error> {
    let Asked { model, rows, .. } = asked;
    let Vals { payload, mut warnings, dry_run, .. } = Vals::read(caller, asked, &vals::SEARCH)?;
    name_limits::check_keys(&payload, "payload")?;
    note_unread(&payload, &vals::OF_SEARCH, "payload.", &mut warnings)?;
    let mut domain = read_domain(payload.get("search_domain"))?;
    name_limits::check_domain(&domain, "payload.search_domain")?;
    caller.policy().decide(Touch::Model(model)).map_err(denied("model"))?;
    if domain::may_be_converted(&domain) {
        domain = with_schemas(caller, |schemas| {
            let mut domain = domain.clone();
            domain::convert(schemas, model, &mut domain, "payload.search_domain")?;
            Ok(domain)
        })
        .await?;
    }
    let searched = Searched { model, domain };
    let work = if flag(&payload, "count")?.unwrap_or(false) {
        alone(&payload, "count", &["search_field", "limit", "offset", "order", "group", "aggregates"])?;
        count(caller, searched).await?
    } else if let Some(grouping) = Grouping::read(&payload)? {
        alone(&payload, "group", &["search_field", "order"])?;
        let (page, most) = bounded(caller, &searched, page(&payload)?, rows)?;
        // One group more shows that there are too many.
        let limit = page.limit.or(most.map(|most| most.saturating_add(1)));
        let rpc = grouping.plan(caller, &searched, Page { limit, ..page }).await?;
        Work::Groups { rpc, grouping, most }
    } else {
        records(caller, searched, &payload, rows).await?
    };
    Ok(Plan::without_lookups(work, warnings, dry_run))
}

/// Refuses parameters that do not go together with another.
fn alone(payload: &Map<String, Value>, name: &str, others: &[&str]) -> Result<(), Error> {
    let is_given = |other: &&&str| !matches!(payload.get(**other), None | Some(Value::Null | Value::Bool(false)));
    match others.iter().find(is_given) {
        None => Ok(()),
        Some(other) => {
            let problem = format!("does not go together with `{name}`; ask in another call");
            Err(Error::WrongKind { path: format!("payload.{other}"), problem })
        }
    }
}

/// Plans the counting of what a search would find.
async fn count(caller: &Caller, searched: Searched<'_>) -> Result<Work, Error> {
    let Searched { model, domain } = searched;
    if !caller.policy().is_open() {
        with_schemas(caller, |schemas| schemas.domain(model, &domain, "payload.search_domain")).await?;
    }
    Ok(Work::Count { rpc: Rpc::search_count(model, domain) })
}

/// Reads the page that is wanted.
fn page(payload: &Map<String, Value>) -> Result<Page, Error> {
    let page = Page {
        offset: whole(payload, "offset")?.unwrap_or(0),
        limit: whole(payload, "limit")?,
        order: match payload.get("order") {
            None | Some(Value::Null | Value::Bool(false)) => None,
            Some(Value::String(order)) => Some(order.clone()).filter(|order| !order.trim().is_empty()),
            Some(other) => return Err(wrong("payload.order", "a text such as \"date desc, id\"", other)),
        },
    };
    if let Some(order) = &page.order {
        name_limits::check_order(order, "payload.order")?;
    }
    Ok(page)
}

/// The page as the policy bounds it, and the most records that may be answered where the caller gave no limit.
fn bounded(caller: &Caller, searched: &Searched<'_>, page: Page, rows: u64) -> Result<(Page, Option<u64>), Error> {
    let (policy, model) = (caller.policy(), searched.model);
    policy.decide(Touch::ReadMany { model, records: page.limit.unwrap_or(0) }).map_err(denied("payload.limit"))?;
    // Odoo takes a limit of 0 for none.
    let limit = page.limit.filter(|limit| *limit > 0);
    Ok(match (limit, policy.most.read) {
        (Some(_), _) => (Page { limit, ..page }, None),
        // One record more than may be answered shows that there are too many.
        (None, Some(most)) => (Page { limit: Some(most.saturating_add(1)), ..page }, None),
        (None, None) => (Page { limit: None, ..page }, Some(rows)),
    })
}

/// Plans the reading of records. Where no fields are named within relations, and the policy is open, Odoo is not asked for
/// the model's fields: it reports an unknown field itself.
async fn records(
    caller: &Caller,
    searched: Searched<'_>,
    payload: &Map<String, Value>,
    rows: u64,
) -> Result<Work, Error> {
    let (page, most) = bounded(caller, &searched, page(payload)?, rows)?;
    let Searched { model, domain } = searched;
    let policy = caller.policy();
    let listed = field_list::parse(payload.get("search_field").unwrap_or(&Value::Null))
        .map_err(|source| Error::FieldList { parameter: "search_field", source })?;
    let is_nested = listed.iter().any(|entry| !entry.within.is_empty());
    let mut names: Vec<String> = listed.iter().map(|entry| entry.name.clone()).collect();
    let mut nested = None;
    let names_content = names.iter().any(|name| name == attachment::DATAS);
    if is_nested || names_content || !policy.is_open() {
        let (selection, readable) = with_schemas(caller, |schemas| {
            schemas.domain(model, &domain, "payload.search_domain")?;
            if let Some(order) = &page.order {
                schemas.order(model, order, "payload.order")?;
            }
            let view = schemas.model(model).map_err(denied("model"))?;
            let has_other_name =
                names_content && view.is_some_and(|view| view.stored_name(attachment::DATAS) != attachment::DATAS);
            let readable = view.and_then(|view| view.readable());
            // Where the policy is open, Odoo reports an unknown field itself.
            if policy.is_open() && !is_nested && !has_other_name {
                return Ok((None, readable));
            }
            let selection = Selection::read(schemas, model, &listed, "search_field")?;
            let is_shaped = is_nested || has_other_name || selection.has_properties();
            Ok((is_shaped.then_some(selection), readable))
        })
        .await?;
        nested = selection;
        // A search without fields means all fields that may be read.
        if let Some(readable) = readable.filter(|_| names.is_empty()) {
            names = readable;
            // An empty list would mean all fields again.
            if names.is_empty() {
                names.push("id".to_owned());
            }
        }
    }
    let fields = match nested {
        None => Fields::Named(names),
        Some(selection) => {
            let specification = selection.specification_for(caller).await?;
            Fields::Nested { selection, specification }
        }
    };
    Ok(Work::Search { model: model.to_owned(), domain, page, most, fields })
}

/// Reads a domain as a Python literal in a text (the addon's form), or as a JSON list.
fn read_domain(value: Option<&Value>) -> Result<Value, Error> {
    const PATH: &str = "payload.search_domain";
    let domain = match value {
        None | Some(Value::Null | Value::Bool(false)) => return Ok(Value::Array(Vec::new())),
        Some(Value::String(text)) if text.trim().is_empty() => return Ok(Value::Array(Vec::new())),
        Some(Value::String(text)) => {
            literal::parse(text).map_err(|source| Error::Domain { path: PATH.to_owned(), source })?
        }
        Some(other) => other.clone(),
    };
    if domain.is_array() { Ok(domain) } else { Err(wrong(PATH, "a list of conditions", &domain)) }
}

fn whole(payload: &Map<String, Value>, name: &str) -> Result<Option<u64>, Error> {
    match payload.get(name) {
        None | Some(Value::Null | Value::Bool(false)) => Ok(None),
        Some(value) => {
            let number = value.as_u64().filter(|number| *number <= i32::MAX as u64);
            number.map(Some).ok_or_else(|| wrong(format!("payload.{name}"), "a whole number from 0", value))
        }
    }
}
