//! The search for new records that may be those of a create whose answer was lost.
//!
//! One search finds the records that the caller's user has created since, apart from those that other calls were answered with, in
//! pages from the newest record to the oldest. Only records that are like one of those that are looked for are kept.
//! What must stay true: the search misses no record that the create may have made, so its bounds are wider than what is taken.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::compare::{Likeness, Written};
use crate::{
    execute::undo::ids_of,
    odoo::{Caller, Error as OdooError, Look, Page, Rpc, Schema, Sending},
    plan,
};

/// How far Odoo's clock may be from what its answers say: a record from before is not the create's.
pub(super) const ALLOWANCE: SignedDuration = SignedDuration::from_secs(3);
/// How far the search reaches back: an equal record from between the two may be the create's.
const DOUBTFUL: SignedDuration = SignedDuration::from_mins(5);
/// The user that Odoo's modules create records as where the caller's own rights do not reach (14-19).
pub(super) const SYSTEM: i64 = 1;
/// The records of a page, beside those that are looked for; so many are kept at most.
const PAGE: usize = 10_000;
/// The pages of a search: more records than Odoo creates in the ten minutes that a search looks through.
const PAGES: usize = 10;
/// The most ids that a search names to leave them out.
const MOST_LEFT_OUT: usize = 2_000;

/// A record that may be one of those that are looked for.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) id: i64,
    pub(super) row: Value,
    /// It may have been created before the create was sent, or by somebody else.
    pub(super) is_doubtful: bool,
}

/// The search for the records of one create.
#[derive(Debug)]
pub(super) struct Search<'s> {
    caller: &'s Caller,
    model: &'s str,
    /// The language that the texts were sent in.
    language: Option<&'s Value>,
    fields: Vec<String>,
    sending: Sending,
    page: usize,
}

/// What a search has found.
#[derive(Debug)]
pub(super) struct Seen {
    /// The records that are like one of those that are looked for.
    rows: Vec<Value>,
    /// There may be more.
    pub(super) is_cut: bool,
}

impl<'s> Search<'s> {
    /// # Errors
    /// A sentence: why the model's new records cannot be told from older ones.
    pub(super) fn new(
        caller: &'s Caller,
        rpc: &'s Rpc,
        schema: &Schema,
        sending: Sending,
        records: &[Written],
    ) -> Result<Self, String> {
        let model = rpc.model.as_str();
        let is_dated = |name| schema.field(name).is_some_and(|field| field.is_stored && field.is_searchable);
        if !is_dated("create_uid") {
            return Err(format!("Odoo does not tell who created the records of `{model}`"));
        }
        let has_date = is_dated("create_date");
        if !has_date && sending.above.is_none() {
            return Err(format!("Odoo does not tell when the records of `{model}` were created"));
        }
        let mut fields: Vec<String> = records.iter().flat_map(Written::fields).map(str::to_owned).collect();
        fields.push("create_uid".to_owned());
        if has_date {
            fields.push("create_date".to_owned());
        }
        fields.sort_unstable();
        fields.dedup();
        let page = PAGE + 2 * records.len();
        Ok(Self { caller, model, language: rpc.context.get("lang"), fields, sending, page })
    }

    /// Looks for records that are like one of these.
    pub(super) async fn look(&self, written: &[Written]) -> Result<Seen, OdooError> {
        let (domain, mut kept, mut below) = (self.domain(), Vec::new(), None);
        for _ in 0..PAGES {
            let rows = self.page(&domain, below).await?;
            let is_last = rows.len() < self.page;
            below = rows.last().and_then(|row| row["id"].as_i64());
            let is_like = |row: &Value| written.iter().any(|one| one.likeness(row) >= Likeness::Similar);
            kept.extend(rows.into_iter().filter(is_like));
            if is_last || kept.len() >= self.page {
                return Ok(Seen { rows: kept, is_cut: !is_last });
            }
        }
        Ok(Seen { rows: kept, is_cut: true })
    }

    /// The records that the user has created since, apart from those that are known.
    fn domain(&self) -> Vec<Value> {
        let mut domain = vec![json!(["create_uid", "in", [self.caller.identity().uid, SYSTEM]])];
        match self.sending.above {
            Some(above) => domain.push(json!(["id", ">", above])),
            None => domain.push(json!(["create_date", ">=", odoo_time(self.sending.since, DOUBTFUL)])),
        }
        if let Some(until) = self.sending.until.filter(|_| self.sending.above.is_none()) {
            domain.push(json!(["create_date", "<=", odoo_time(until, -DOUBTFUL)]));
        }
        domain.extend(left_out(&self.known()));
        domain
    }

    /// The newest records below this id.
    async fn page(&self, domain: &[Value], below: Option<i64>) -> Result<Vec<Value>, OdooError> {
        let mut domain = domain.to_vec();
        domain.extend(below.map(|below| json!(["id", "<", below])));
        let limit = u64::try_from(self.page).ok();
        let page = Page { limit, order: Some("id desc".to_owned()), ..Page::default() };
        let rpc = Rpc::search_read(self.model, Value::Array(domain), json!(self.fields), page).reaching_all();
        let mut rpc = rpc.with_context("active_test", false);
        if let Some(language) = self.language {
            rpc = rpc.with_context("lang", language.clone());
        }
        let rows = self.caller.call(&rpc).await?;
        plan::records(&rpc, rows)
    }

    /// The records of a search that belong to no call. Those that were being created when it was made must have ended.
    pub(super) fn candidates(&self, seen: Seen) -> Vec<Candidate> {
        let known = self.known();
        let earliest = odoo_time(self.sending.since, ALLOWANCE);
        let candidate = |row: Value| {
            let id = row["id"].as_i64().filter(|id| known.known.binary_search(id).is_err())?;
            let is_new =
                self.sending.above.is_some() || row["create_date"].as_str().is_some_and(|date| date >= &*earliest);
            let is_own = row["create_uid"][0].as_i64() == Some(self.caller.identity().uid);
            Some(Candidate { id, is_doubtful: !is_new || !is_own || id <= known.known_above, row })
        };
        seen.rows.into_iter().filter_map(candidate).collect()
    }

    /// Whether the user sees records of the model: such as it has created itself, else any. Where it sees none, a record rule may
    /// hide one that is not found.
    pub(super) async fn sees_any(&self) -> Result<bool, OdooError> {
        let own = json!([["create_uid", "=", self.caller.identity().uid]]);
        Ok(self.finds(own).await? || self.finds(json!([])).await?)
    }

    async fn finds(&self, domain: Value) -> Result<bool, OdooError> {
        let rpc = Rpc::search_read(self.model, domain, json!(["id"]), Page::first(1)).reaching_all();
        Ok(!ids_of(&self.caller.call(&rpc.with_context("active_test", false)).await?).is_empty())
    }

    fn known(&self) -> Look {
        self.caller.look_above(self.model, self.sending.above.unwrap_or_default())
    }
}

/// The conditions that leave out records which belong to calls, as far as they can be named: each of them, or the ids between
/// them, of which there are few where all records of a time are known.
fn left_out(look: &Look) -> Vec<Value> {
    let known = &look.known;
    let (Some(&first), Some(&last)) = (known.first(), known.last()) else { return Vec::new() };
    if known.len() <= MOST_LEFT_OUT {
        return vec![json!(["id", "not in", known])];
    }
    let gaps = known.windows(2).flat_map(|pair| pair[0] + 1..pair[1]).take(MOST_LEFT_OUT + 1).collect::<Vec<i64>>();
    if gaps.len() > MOST_LEFT_OUT {
        return Vec::new();
    }
    vec![json!("|"), json!("|"), json!(["id", "<", first]), json!(["id", "in", gaps]), json!(["id", ">", last])]
}

/// A time before `time`, as Odoo writes it.
pub(super) fn odoo_time(time: Timestamp, before: SignedDuration) -> String {
    time.saturating_sub(before).unwrap_or(time).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_that_belong_to_calls_are_left_out_by_name_or_by_the_gaps_between_them() {
        let look = |known| Look { known, known_above: 0 };
        assert!(left_out(&look(Vec::new())).is_empty());
        assert_eq!(left_out(&look(vec![3, 5])), [json!(["id", "not in", [3, 5]])]);
        let mut many: Vec<i64> = (10..20_010).collect();
        many.retain(|id| *id != 77 && *id != 500);
        let expected = [
            json!("|"),
            json!("|"),
            json!(["id", "<", 10]),
            json!(["id", "in", [77, 500]]),
            json!(["id", ">", 20_009]),
        ];
        assert_eq!(left_out(&look(many)), expected);
        assert!(left_out(&look((0..20_000).map(|id| id * 7).collect())).is_empty());
    }

    #[test]
    fn a_time_is_written_as_odoo_writes_it() {
        let time: Timestamp = "2026-11-30T10:00:02.9Z".parse().unwrap();
        assert_eq!(odoo_time(time, ALLOWANCE), "2026-11-30 09:59:59");
    }
}
