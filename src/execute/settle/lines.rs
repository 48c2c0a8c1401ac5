//! What became of the lines that an update adds: they are searched for below their record, by the user, the time and their values.
//!
//! What must stay true: lines are taken for those of the update only where each of them is there, as often as it was sent; and for not
//! added only where none is there that is like one of them, the search was not cut, and the user sees lines of the model at all.

use serde_json::{Map, Value, json};

use super::{
    Settler,
    candidates::{ALLOWANCE, SYSTEM, odoo_time},
    compare::{self, Likeness, Written},
};
use crate::{
    execute::undo::ids_of,
    odoo::{Error as OdooError, Kind, Page, Rpc, Schema, Sending},
    plan,
};

/// The records that one search looks through, beside those that are looked for.
const MOST: u64 = 1_000;

/// What was found of the lines of an update.
pub(super) enum Lines {
    /// All of them.
    Added,
    /// None of them.
    NotAdded,
    /// Why that is not known.
    Unclear(String),
}

/// The lines that are added to one field.
struct Added<'v> {
    model: String,
    /// The many2one of a line that leads to its record.
    inverse: String,
    /// Each with the record that it is added to.
    lines: Vec<(i64, &'v Map<String, Value>)>,
}

impl Settler<'_> {
    /// Looks for the lines that an update of these records, each with its values, has added.
    ///
    /// # Errors
    /// Odoo refuses the search, or does not answer.
    pub(super) async fn added_lines(
        &self,
        rpc: &Rpc,
        schema: &Schema,
        sending: Sending,
        changes: &[(i64, &Map<String, Value>)],
    ) -> Result<Lines, OdooError> {
        let added = match added(schema, changes) {
            Ok(added) => added,
            Err(why) => return Ok(Lines::Unclear(why)),
        };
        let (mut sent, mut found) = (0, 0);
        for added in &added {
            let schema = self.caller.schema(&added.model).await?;
            let written: Vec<Written> =
                added.lines.iter().map(|(_, values)| Written::of(self.caller, &schema, values)).collect();
            let is_dated = |name| schema.field(name).is_some_and(|field| field.is_stored && field.is_searchable);
            if !["create_uid", "create_date"].into_iter().all(is_dated) || !written.iter().all(Written::is_telling) {
                return Ok(Lines::Unclear(format!("nothing tells the new lines of `{}` from others", added.model)));
            }
            let most = MOST + u64::try_from(written.len()).unwrap_or(MOST);
            let mut rows = self.new_lines(rpc, sending, added, &written, most).await?;
            if rows.len() as u64 >= most {
                return Ok(Lines::Unclear(format!("too many lines of `{}` were created meanwhile", added.model)));
            }
            // A record rule may hide its lines.
            if rows.is_empty() && !self.sees_any_of(&added.model).await? {
                return Ok(Lines::Unclear(format!("this user sees no lines of `{}`", added.model)));
            }
            for ((record, _), written) in added.lines.iter().zip(&written) {
                sent += 1;
                let is_it = |row: &Value| {
                    row[&added.inverse][0].as_i64() == Some(*record) && written.likeness(row) >= Likeness::Changed
                };
                if let Some(place) = rows.iter().position(is_it) {
                    rows.swap_remove(place);
                    found += 1;
                }
            }
            if let Some(row) = rows.iter().find(|row| written.iter().any(|one| one.likeness(row) >= Likeness::Similar))
            {
                let why = format!("the line {} of `{}` is like one of its own, too", row["id"], added.model);
                return Ok(Lines::Unclear(why));
            }
        }
        Ok(match found {
            0 => Lines::NotAdded,
            all if all == sent => Lines::Added,
            some => Lines::Unclear(format!("{some} of its {sent} new lines are there")),
        })
    }

    /// The lines below these records that the user has created since.
    async fn new_lines(
        &self,
        rpc: &Rpc,
        sending: Sending,
        added: &Added<'_>,
        written: &[Written],
        most: u64,
    ) -> Result<Vec<Value>, OdooError> {
        let mut records: Vec<i64> = added.lines.iter().map(|(record, _)| *record).collect();
        records.dedup();
        let mut fields: Vec<&str> = written.iter().flat_map(Written::fields).chain([&*added.inverse]).collect();
        fields.sort_unstable();
        fields.dedup();
        let domain = json!([
            [added.inverse, "in", records],
            ["create_uid", "in", [self.caller.identity().uid, SYSTEM]],
            ["create_date", ">=", odoo_time(sending.since, ALLOWANCE)],
        ]);
        let page = Page { limit: Some(most), order: Some("id desc".to_owned()), ..Page::default() };
        let mut read = Rpc::search_read(&added.model, domain, json!(fields), page).reaching_all();
        read.context.clone_from(&rpc.context);
        let read = read.with_context("active_test", false);
        let rows = self.caller.call(&read).await?;
        plan::records(&read, rows)
    }

    async fn sees_any_of(&self, model: &str) -> Result<bool, OdooError> {
        let any = Rpc::search_read(model, json!([]), json!(["id"]), Page::first(1)).reaching_all();
        Ok(!ids_of(&self.caller.call(&any.with_context("active_test", false)).await?).is_empty())
    }
}

/// The lines that an update adds, by field.
///
/// # Errors
/// A sentence: why they cannot be looked for.
fn added<'v>(schema: &Schema, changes: &[(i64, &'v Map<String, Value>)]) -> Result<Vec<Added<'v>>, String> {
    let mut all: Vec<Added<'v>> = Vec::new();
    for (id, values) in changes {
        for (name, value) in values.iter().filter(|(_, value)| compare::creates(value)) {
            let own = schema.field(name).and_then(|field| match &field.kind {
                Kind::One2many(model) => Some((model.clone(), field.inverse.clone()?)),
                _ => None,
            });
            let Some((model, inverse)) = own else { return Err(format!("`{name}` creates records that are no lines")) };
            let mut lines = Vec::new();
            for command in value.as_array().into_iter().flatten().filter(|command| compare::creates(command)) {
                let Some(line) = compare::created_by(command) else {
                    return Err(format!("`{name}` changes lines that have new lines of their own"));
                };
                lines.push((*id, line));
            }
            match all.iter_mut().find(|added| added.model == model && added.inverse == inverse) {
                Some(added) => added.lines.extend(lines),
                None => all.push(Added { model, inverse, lines }),
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(values: Value) -> Result<Vec<(String, Vec<i64>)>, String> {
        let described = json!({
            "line_ids": {"type": "one2many", "relation": "l", "relation_field": "order_id", "store": true},
            "tag_ids": {"type": "many2many", "relation": "t", "store": true},
        });
        let schema = Schema::new("m", serde_json::from_value(described).unwrap());
        let values = values.as_object().unwrap();
        let all = added(&schema, &[(7, values), (8, values)])?;
        Ok(all.iter().map(|added| (added.inverse.clone(), added.lines.iter().map(|(id, _)| *id).collect())).collect())
    }

    #[test]
    fn each_record_gets_the_lines_that_are_created_and_others_are_not_looked_for() {
        let two = json!({"name": "a", "line_ids": [[0, 0, {"qty": 1}], [1, 5, {"qty": 2}], [0, 0, {"qty": 3}]]});
        assert_eq!(lines(two), Ok(vec![("order_id".to_owned(), vec![7, 7, 8, 8])]));
        assert_eq!(lines(json!({"line_ids": [[1, 5, {"qty": 2}]]})), Ok(Vec::new()));
        assert!(lines(json!({"line_ids": [[1, 5, {"sub_ids": [[0, 0, {"a": 1}]]}]]})).is_err());
        assert!(lines(json!({"tag_ids": [[0, 0, {"name": "t"}]]})).is_err());
    }
}
