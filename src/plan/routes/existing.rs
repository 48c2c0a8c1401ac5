//! Existing records: those that a search key finds, and the lines of records.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::{
    odoo::{self, Caller, Named, Page, Rpc},
    plan::{
        Error, domain,
        lookup::Filter,
        name_limits,
        old_lines::{self, OldFields, OldRecord},
        policy_check::denied,
        rows,
        schema_view::with_schemas,
        search_key::SearchKey,
        wording::archived,
    },
    policy::Touch,
};

/// The records to update, with what has to be known of their lines.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) records: Vec<OldRecord>,
    /// Archived records that match, where the search key does not count them.
    pub(super) archived: Vec<i64>,
    /// What the external ids of the search key name.
    pub(super) named: Vec<Named>,
}

/// The ids of the lines of some records, archived ones too.
///
/// They are found by the field that leads back, where there is one: the one2many itself may leave lines out (a
/// contact's archived contacts, for example).
///
/// # Errors
/// The RPC fails, or gives no records.
pub(crate) async fn lines_of(
    caller: &Caller,
    model: &str,
    ids: &[i64],
    field: &str,
    line_model: &str,
    inverse: Option<&str>,
) -> Result<Vec<i64>, odoo::Error> {
    let rpc = match inverse {
        Some(inverse) => {
            let domain = json!([[inverse, "in", ids]]);
            let page = Page { order: Some("id".to_owned()), ..Page::default() };
            Rpc::search_read(line_model, domain, json!(["id"]), page).reaching_all()
        }
        None => Rpc::read(model, ids.to_vec(), json!([field])),
    };
    let rpc = rpc.with_context("active_test", false);
    let rows = rows::records(&rpc, caller.call_again(&rpc).await?)?;
    let mut lines: Vec<i64> = match inverse {
        Some(_) => rows::ids(&rpc, &rows)?,
        None => {
            rows.iter().flat_map(|row| row[field].as_array().into_iter().flatten()).filter_map(Value::as_i64).collect()
        }
    };
    // Lines are created in the order in which they were sent, so their ids are in that order.
    lines.sort_unstable();
    Ok(lines)
}

/// Which of these records match a domain, archived ones too.
///
/// # Errors
/// The domain has a field that the model lacks or the policy denies, or the RPC fails.
pub(super) async fn matching(caller: &Caller, model: &str, ids: &[i64], when: &[Value]) -> Result<HashSet<i64>, Error> {
    const PATH: &str = "when";
    let domain = Value::Array(when.to_vec());
    name_limits::check_domain(&domain, PATH)?;
    let domain = with_schemas(caller, |schemas| {
        let mut domain = domain.clone();
        domain::convert(schemas, model, &mut domain, PATH)?;
        schemas.domain(model, &domain, PATH)?;
        Ok(domain)
    })
    .await?;
    let mut terms = vec![json!(["id", "in", ids])];
    terms.extend(domain.as_array().cloned().unwrap_or_default());
    let page = Page { order: Some("id".to_owned()), ..Page::default() };
    let rpc = Rpc::search_read(model, Value::Array(terms), json!(["id"]), page).reaching_all();
    let rpc = rpc.with_context("active_test", false);
    let found = rows::records(&rpc, caller.call_again(&rpc).await?)?;
    Ok(rows::ids(&rpc, &found)?.into_iter().collect())
}

/// The search key with its values as Odoo compares them, after the policy's checks.
///
/// # Errors
/// The policy denies a field, or a value is of another type than its field.
pub(super) async fn converted(
    caller: &Caller,
    model: &str,
    key: SearchKey,
    filter: Filter<'_>,
) -> Result<SearchKey, Error> {
    with_schemas(caller, |schemas| {
        let mut key = key.clone();
        key.convert(schemas, filter, model)?;
        schemas.domain(model, &Value::Array(key.domain()), "search_key")?;
        Ok(key)
    })
    .await
}

/// Finds the records that the search key names, with what has to be known of their lines.
///
/// # Errors
/// An RPC fails, or more records match than the caller may change.
pub(super) async fn find(caller: &Caller, model: &str, key: &SearchKey, mut fields: OldFields) -> Result<Found, Error> {
    let named = match key.external_ids() {
        Some(ids) => caller.external_ids(model, ids).await?,
        None => Vec::new(),
    };
    let mut domain = key.domain();
    if key.external_ids().is_some() {
        let seen = |named: &Named| matches!(named, Named::Record { is_seen: true, .. });
        let ids = named.iter().filter_map(Named::record).collect::<Vec<i64>>();
        let is_all = key.terms().is_empty() && fields.is_empty() && caller.policy().domain(model).is_none();
        if ids.is_empty() || (is_all && named.iter().all(seen)) {
            decide_written(caller, model, ids.len())?;
            let records = ids.into_iter().map(OldRecord::unread).collect();
            return Ok(Found { records, named, ..Found::default() });
        }
        domain.push(json!(["id", "in", ids]));
    }
    let mut page = most_written(caller);
    key.folded().for_each(|field| fields.add(field));
    if let Some(active) = told_by(caller, key) {
        fields.add(active);
        // Archived records come last, so that a limit does not cut off the others.
        page.order = page.limit.map(|_| format!("{active} desc, id"));
    }
    let records = old_lines::search(caller, model, Value::Array(domain), page, &fields).await?;
    Ok(Found { named, ..Found::of(caller, model, key, records)? })
}

/// The field by which archived records are told apart, unless the call's context makes them count.
pub(super) fn told_by<'k>(caller: &Caller, key: &'k SearchKey) -> Option<&'k str> {
    key.tells_archived().filter(|_| !caller.counts_archived())
}

impl Found {
    /// Which of these records the search key matches.
    ///
    /// # Errors
    /// There are more records than the caller may change.
    pub(super) fn of(
        caller: &Caller,
        model: &str,
        key: &SearchKey,
        mut records: Vec<OldRecord>,
    ) -> Result<Self, Error> {
        records.retain(|record| key.is_meant(&record.values));
        let active = told_by(caller, key);
        let is_archived =
            |record: &OldRecord| active.is_some_and(|active| record.values.get(active) == Some(&Value::Bool(false)));
        let (archived, records): (Vec<OldRecord>, Vec<OldRecord>) = records.into_iter().partition(is_archived);
        decide_written(caller, model, records.len())?;
        Ok(Self { records, archived: archived.iter().map(|record| record.id).collect(), named: Vec::new() })
    }

    pub(super) fn ids(&self) -> Vec<i64> {
        self.records.iter().map(|record| record.id).collect()
    }

    /// Where nothing was found: which archived records match, as the end of a sentence.
    pub(super) fn but_archived(&self) -> String {
        self.only_archived().map(|archived| format!(": {archived}")).unwrap_or_default()
    }

    /// Where nothing was found: which archived records match, for a sentence.
    pub(super) fn only_archived(&self) -> Option<String> {
        let is_only = self.records.is_empty() && !self.archived.is_empty();
        is_only.then(|| archived(&self.archived))
    }
}

/// The page of a search for records to write: one record more than may be changed, which shows that there are too many.
pub(super) fn most_written(caller: &Caller) -> Page {
    Page { limit: caller.policy().most.write.map(|most| most.saturating_add(1)), ..Page::default() }
}

pub(super) fn decide_written(caller: &Caller, model: &str, found: usize) -> Result<(), Error> {
    let records = u64::try_from(found).unwrap_or(u64::MAX);
    caller.policy().decide(Touch::WriteMany { model, records }).map_err(denied("search_key"))
}
