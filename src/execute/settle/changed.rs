//! What became of an update or a deletion: the records are read, or searched for.

use serde_json::{Map, Value, json};

use super::{
    Outcome, Settler,
    candidates::{ALLOWANCE, odoo_time},
    compare::{Likeness, Written},
    lines::Lines,
    looks::Looking,
    may_pass,
};
use crate::{
    execute::undo::ids_of,
    odoo::{Error as OdooError, Page, Rpc, Schema, Sending},
    plan,
};

/// What one look tells of an update.
enum Seen {
    Written,
    NotWritten,
    /// Why its lines, which must not be written twice, do not tell.
    Unclear(String),
}

impl Settler<'_> {
    /// What became of an update. One that adds lines is known by them ([`super::lines`]). Other values that cannot be compared count as
    /// written where the record was changed since, by this user, and what can be compared is as it was written.
    pub(super) async fn updated(&self, rpc: &Rpc, sending: Sending, looking: Looking) -> Outcome {
        let schema = match self.caller.schema(&rpc.model).await {
            Ok(schema) => schema,
            Err(error) => return Outcome::Unread(error),
        };
        let changes = changes(rpc);
        let written: Vec<(i64, Written)> =
            changes.iter().map(|(id, values)| (*id, Written::of(self.caller, &schema, values))).collect();
        let mut looks = looking.begin();
        loop {
            let is_last = looks.is_last();
            let problem = match self.look_at(rpc, &schema, sending, &changes, &written).await {
                Ok(Seen::Written) => return Outcome::Done(Vec::new()),
                Ok(Seen::Unclear(why)) if is_last => {
                    return Outcome::Unknown(format!("lines cannot be written twice, and {why}"));
                }
                Ok(Seen::NotWritten) if is_last => return Outcome::NotDone,
                Ok(Seen::Unclear(_) | Seen::NotWritten) => None,
                Err(error) if may_pass(&error) => Some(error),
                Err(error) => return Outcome::Unread(error),
            };
            if !looks.again().await {
                return not_yet(problem);
            }
        }
    }

    /// Looks once at the lines that an update adds and, where these do not tell, at its records.
    async fn look_at(
        &self,
        rpc: &Rpc,
        schema: &Schema,
        sending: Sending,
        changes: &[(i64, &Map<String, Value>)],
        written: &[(i64, Written)],
    ) -> Result<Seen, OdooError> {
        let mut unclear = None;
        if written.iter().any(|(_, written)| written.creates_lines) {
            match self.added_lines(rpc, schema, sending, changes).await? {
                Lines::Added => return Ok(Seen::Written),
                Lines::NotAdded => return Ok(Seen::NotWritten),
                Lines::Unclear(why) => unclear = Some(why),
            }
        }
        Ok(match (self.is_written(rpc, schema, sending, written).await?, unclear) {
            (true, _) => Seen::Written,
            (false, Some(why)) => Seen::Unclear(why),
            (false, None) => Seen::NotWritten,
        })
    }

    async fn is_written(
        &self,
        rpc: &Rpc,
        schema: &Schema,
        sending: Sending,
        written: &[(i64, Written)],
    ) -> Result<bool, OdooError> {
        let is_traced =
            ["write_uid", "write_date"].iter().all(|name| schema.field(name).is_some_and(|field| field.is_stored));
        let mut fields: Vec<&str> = written.iter().flat_map(|(_, written)| written.fields()).collect();
        if is_traced {
            fields.extend(["write_uid", "write_date"]);
        }
        fields.sort_unstable();
        fields.dedup();
        let rows = self.rows(rpc, json!(fields)).await?;
        let earliest = odoo_time(sending.since, ALLOWANCE);
        let is_written = |(id, written): &(i64, Written)| {
            let Some(row) = rows.iter().find(|row| row["id"].as_i64() == Some(*id)) else { return false };
            let is_touched = is_traced
                && row["write_uid"][0].as_i64() == Some(self.caller.identity().uid)
                && row["write_date"].as_str().is_some_and(|date| date >= &*earliest);
            written.likeness(row) == Likeness::Equal && (!written.has_others || is_touched)
        };
        Ok(written.iter().all(is_written))
    }

    /// What became of a deletion.
    pub(super) async fn deleted(&self, rpc: &Rpc, looking: Looking) -> Outcome {
        let mut looks = looking.begin();
        loop {
            let is_last = looks.is_last();
            let problem = match self.rows(rpc, json!(["id"])).await {
                Ok(rows) if ids_of(&Value::Array(rows.clone())).is_empty() => return Outcome::Done(Vec::new()),
                Ok(_) if is_last => return Outcome::NotDone,
                Ok(_) => None,
                Err(error) if may_pass(&error) => Some(error),
                Err(error) => return Outcome::Unread(error),
            };
            if !looks.again().await {
                return not_yet(problem);
            }
        }
    }

    /// Those of the records that an RPC was called on which still exist.
    async fn rows(&self, rpc: &Rpc, fields: Value) -> Result<Vec<Value>, OdooError> {
        let those = json!([["id", "in", rpc.ids]]);
        let mut read = Rpc::search_read(&rpc.model, those, fields, Page::default()).reaching_all();
        read.context.clone_from(&rpc.context);
        let read = read.with_context("active_test", false);
        let rows = self.caller.call(&read).await?;
        plan::records(&read, rows)
    }
}

/// The values that an update writes into each record.
fn changes(rpc: &Rpc) -> Vec<(i64, &Map<String, Value>)> {
    let ids = rpc.ids.iter().flatten().copied();
    match rpc.args.first() {
        Some((_, Value::Object(values))) => ids.map(|id| (id, values)).collect(),
        Some((_, Value::Array(records))) => {
            ids.zip(records).filter_map(|(id, values)| Some((id, values.as_object()?))).collect()
        }
        _ => Vec::new(),
    }
}

fn not_yet(problem: Option<OdooError>) -> Outcome {
    match problem {
        Some(error) => Outcome::Unread(error),
        None => Outcome::Unknown(
            "its records are as before, and that may change until [delivery] longest_request has passed".to_owned(),
        ),
    }
}
