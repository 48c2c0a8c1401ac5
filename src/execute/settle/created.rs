//! What became of a create: its records are searched for by the caller's user, the time and their values, and where a key or a
//! lookup stands for the record, by that.

use super::{
    How, Outcome, Settler,
    candidates::{Candidate, Search},
    compare::{Likeness, Written},
    looks::Looking,
    may_pass, new_records,
};
use crate::{
    execute::undo::ids_of,
    odoo::{Error as OdooError, Rpc, Sending, Sought},
};

/// The number of records that a message names.
const MOST_NAMED: usize = 5;

/// What is looked for.
struct Quest<'q> {
    settler: Settler<'q>,
    rpc: &'q Rpc,
    how: How<'q>,
    written: Vec<Written>,
    /// Why new records cannot be told from others, where they cannot.
    search: Result<Search<'q>, String>,
    looking: Looking,
}

impl Settler<'_> {
    /// What became of a create.
    pub(super) async fn created(&self, rpc: &Rpc, how: How<'_>, sending: Sending, looking: Looking) -> Outcome {
        let schema = match self.caller.schema(&rpc.model).await {
            Ok(schema) => schema,
            Err(error) => return Outcome::Unread(error),
        };
        if let (Some(marker), How::Batched | How::Keyed(_)) = (&self.settling.marker, how)
            && let Ok(Some(id)) = marker.record(self.caller, &rpc.model).await
        {
            return Outcome::Done(vec![id]);
        }
        let written: Vec<Written> =
            new_records(rpc).into_iter().map(|values| Written::of(self.caller, &schema, values)).collect();
        let search = match written.iter().all(Written::is_telling) && !written.is_empty() {
            true => Search::new(self.caller, rpc, &schema, sending, &written),
            false => Err("none of its values tells its record from others".to_owned()),
        };
        if let (Err(why), How::Alone | How::Batched) = (&search, how) {
            return Outcome::Unknown(why.clone());
        }
        let mut sought = self.caller.seek(&rpc.model, written.iter().map(Written::fingerprint).collect());
        let quest = Quest { settler: *self, rpc, how, written, search, looking };
        let mut looks = looking.begin();
        loop {
            let is_last = looks.is_last();
            let problem = match quest.look(&mut sought, is_last).await {
                Ok(Some(outcome)) => return outcome,
                Ok(None) => None,
                Err(error) if may_pass(&error) => Some(error),
                Err(error) => return Outcome::Unread(error),
            };
            if !looks.again().await {
                return match problem {
                    Some(error) => Outcome::Unread(error),
                    None => Outcome::Unknown(
                        "no new record has its values, and one may appear until [delivery] longest_request has passed"
                            .to_owned(),
                    ),
                };
            }
        }
    }
}

impl Quest<'_> {
    /// Looks once; none where it is to be looked again.
    async fn look(&self, sought: &mut Sought, is_last: bool) -> Result<Option<Outcome>, OdooError> {
        if let How::LookedUp(probe) = self.how
            && let [id] = self.found_by(probe).await?[..]
        {
            return Ok(Some(Outcome::Done(vec![id])));
        }
        let absence = match &self.search {
            Err(_) => None,
            Ok(search) => {
                let seen = search.look(&self.written).await?;
                // Records that other creates have made are known to be theirs once those have ended.
                let (caller, model) = (self.settler.caller, &self.rpc.model);
                if !caller.creates_have_ended(model, self.looking.deadline).await {
                    return Ok(Some(Outcome::Unknown(format!(
                        "other creates of `{model}` were under way, which may have made the records that were found"
                    ))));
                }
                let is_cut = seen.is_cut;
                let candidates = search.candidates(seen);
                if let Some(ids) = sought.take(&self.equal(&candidates)) {
                    return Ok(Some(Outcome::Done(ids)));
                }
                Some((search, candidates, is_cut))
            }
        };
        if let How::Keyed(probe) = self.how
            && let [id] = self.found_by(probe).await?[..]
        {
            return self.update(id).await.map(Some);
        }
        match absence {
            _ if !is_last => Ok(None),
            _ if self.looking.was_done => {
                Ok(Some(Outcome::Unknown("it was carried out, and no new record has its values".to_owned())))
            }
            Some((search, candidates, is_cut)) => self.absence(search, &candidates, is_cut).await.map(Some),
            // Its key, or its lookup, finds nothing.
            None => Ok(Some(Outcome::NotDone)),
        }
    }

    async fn found_by(&self, probe: &Rpc) -> Result<Vec<i64>, OdooError> {
        Ok(ids_of(&self.settler.caller.call(probe).await?))
    }

    /// Updates the record that has the search key: it is this call's, with values that Odoo has changed, or was created by others
    /// meanwhile.
    async fn update(&self, id: i64) -> Result<Outcome, OdooError> {
        let ([written], [values]) = (&self.written[..], &new_records(self.rpc)[..]) else {
            return Ok(Outcome::Unknown(format!("the record {id} has its search key")));
        };
        if written.creates_lines {
            let why = format!("the record {id} has its search key and other values, and lines cannot be written twice");
            return Ok(Outcome::Unknown(why));
        }
        let mut write = Rpc::write(&self.rpc.model, vec![id], (*values).clone());
        write.context.clone_from(&self.rpc.context);
        // The same values once more do no harm.
        self.settler.caller.call_again(&write).await?;
        Ok(Outcome::Done(vec![id]))
    }

    /// For each record, the candidates with its values: those that have them as they were sent, else in another form.
    fn equal(&self, candidates: &[Candidate]) -> Vec<Vec<i64>> {
        let with = |written: &Written, likeness: Likeness| -> Vec<i64> {
            let certain = candidates.iter().filter(|candidate| !candidate.is_doubtful);
            let mut ids: Vec<i64> = certain
                .filter(|candidate| written.likeness(&candidate.row) == likeness)
                .map(|candidate| candidate.id)
                .collect();
            // Records of one create come in their order.
            ids.sort_unstable();
            ids
        };
        let of_one = |written: &Written| match with(written, Likeness::Equal) {
            none if none.is_empty() => with(written, Likeness::Changed),
            equal => equal,
        };
        self.written.iter().map(of_one).collect()
    }

    /// Whether it is certain that no record was created, where none was found that is this call's.
    async fn absence(&self, search: &Search<'_>, candidates: &[Candidate], is_cut: bool) -> Result<Outcome, OdooError> {
        if is_cut {
            return Ok(Outcome::Unknown("too many records were created meanwhile to look through them".to_owned()));
        }
        let is_like = |candidate: &&Candidate| {
            let least = if candidate.is_doubtful { Likeness::Changed } else { Likeness::Similar };
            self.written.iter().any(|written| written.likeness(&candidate.row) >= least)
        };
        let alike = candidates.iter().filter(is_like).take(MOST_NAMED);
        let alike: Vec<String> = alike.map(|candidate| candidate.id.to_string()).collect();
        if !alike.is_empty() {
            return Ok(Outcome::Unknown(format!(
                "it may be {} {}, which nobody was answered with and which has the same values or most of them",
                self.rpc.model,
                alike.join(", ")
            )));
        }
        Ok(match search.sees_any().await? {
            true => Outcome::NotDone,
            false => Outcome::Unknown(
                "this user sees no record of the model, and may not see those that it creates".to_owned(),
            ),
        })
    }
}
