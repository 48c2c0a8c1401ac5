//! The records that creates of this process were answered with, and the creates that are under way: what an unknown outcome is
//! settled with.
//!
//! A create whose answer was lost is looked for among the records that nobody was answered with. So each answer is noted here
//! before a caller gets it, and a record is taken for a lost create only once no create of its model is under way that may have
//! made it.
//!
//! What must stay true:
//! - A record belongs to one call: [`CreatedRecords::take`] looks and takes under one lock.
//! - Between the end of a create and the noting of its answer there is no moment at which it is neither under way nor noted.
//! - The memory is bounded: of a model whose ids were forgotten, [`Look::known_above`] says from where on they are known.
//!
//! The table belongs to this process. What another gateway, or a person with the same account, creates at the same time is told
//! apart by its values alone.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

/// The ids that are kept of all models together.
const MOST_IDS: usize = 200_000;
/// How long the highest id of a model bounds those of later records. An Odoo that was restored from a backup begins again at lower
/// ids, and takes longer than this to come back.
const BOUND_FOR: Duration = Duration::from_secs(600);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(in crate::odoo) struct CreatedRecords(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    models: HashMap<String, Model>,
    ids: usize,
    tickets: u64,
}

#[derive(Debug, Default)]
struct Model {
    /// The records that calls were answered with, or that were taken.
    known: BTreeSet<i64>,
    /// Ids up to this one may have been forgotten.
    forgotten: i64,
    /// The highest id of an answer, and when it came.
    highest: Option<(i64, Instant)>,
    under_way: BTreeSet<u64>,
    /// How many records calls look for, by the fingerprint of their values.
    sought: HashMap<u64, usize>,
}

/// A create that is under way, until it is dropped or answered.
#[derive(Debug)]
pub(in crate::odoo) struct UnderWay {
    records: Arc<CreatedRecords>,
    model: String,
    ticket: u64,
}

/// Records that a call looks for, by the fingerprint of their values, until it is dropped.
#[derive(Debug)]
pub struct Sought {
    records: Arc<CreatedRecords>,
    model: String,
    fingerprints: Vec<u64>,
}

/// What is known of a model's new records at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Records that belong to calls, in order.
    pub known: Vec<i64>,
    /// Of ids up to this one it may have been forgotten that they belong to calls.
    pub known_above: i64,
}

/// A create that was begun no later than this moment.
#[derive(Debug, Clone, Copy)]
pub struct Moment(u64);

impl CreatedRecords {
    /// Notes that a create of the model is about to be sent.
    pub(in crate::odoo) fn begin(self: &Arc<Self>, model: &str) -> UnderWay {
        let mut table = self.0.lock();
        table.tickets += 1;
        let ticket = table.tickets;
        table.models.entry(model.to_owned()).or_default().under_way.insert(ticket);
        UnderWay { records: self.clone(), model: model.to_owned(), ticket }
    }

    /// An id below those of all records of the model that will be created by calls that begin now; none where no answer of the
    /// last minutes tells one.
    pub(in crate::odoo) fn bound(&self, model: &str) -> Option<i64> {
        let table = self.0.lock();
        let (id, since) = table.models.get(model)?.highest?;
        (since.elapsed() < BOUND_FOR).then_some(id)
    }

    /// The records of the model above `above` that belong to calls.
    pub(in crate::odoo) fn look(&self, model: &str, above: i64) -> Look {
        let table = self.0.lock();
        match table.models.get(model) {
            None => Look { known: Vec::new(), known_above: 0 },
            Some(model) => {
                let known = model.known.range(above.saturating_add(1)..).copied().collect();
                Look { known, known_above: model.forgotten }
            }
        }
    }

    pub(in crate::odoo) fn now(&self) -> Moment {
        Moment(self.0.lock().tickets)
    }

    /// Whether all creates of the model that began before this moment have ended.
    pub(in crate::odoo) fn have_ended(&self, model: &str, before: Moment) -> bool {
        let table = self.0.lock();
        table.models.get(model).is_none_or(|model| model.under_way.range(..=before.0).next().is_none())
    }

    /// Notes that a call looks for records with these values.
    pub(in crate::odoo) fn seek(self: &Arc<Self>, model: &str, fingerprints: Vec<u64>) -> Sought {
        let mut table = self.0.lock();
        let entry = table.models.entry(model.to_owned()).or_default();
        for fingerprint in &fingerprints {
            *entry.sought.entry(*fingerprint).or_default() += 1;
        }
        Sought { records: self.clone(), model: model.to_owned(), fingerprints }
    }

    /// Notes records that an earlier process has answered a call with. They bound nothing: Odoo may have been restored since.
    pub(in crate::odoo) fn note_earlier(&self, model: &str, ids: &[i64]) {
        let mut table = self.0.lock();
        table.note(model, ids);
        table.keep_small();
    }

    /// Takes back that these records belong to a call.
    pub(in crate::odoo) fn free(&self, model: &str, ids: &[i64]) {
        let mut table = self.0.lock();
        let Some(known) = table.models.get_mut(model).map(|model| &mut model.known) else { return };
        let freed = ids.iter().filter(|id| known.remove(id)).count();
        table.ids -= freed;
        table.drop_if_empty(model);
    }

    /// Notes records that a call is answered with.
    fn note(&self, model: &str, ids: &[i64]) {
        let mut table = self.0.lock();
        table.note(model, ids);
        table.bound(model, ids);
        table.keep_small();
    }

    /// Forgets the ids of records, not what is under way: another Odoo answers.
    pub(in crate::odoo) fn forget_all(&self) {
        let mut table = self.0.lock();
        table.ids = 0;
        for model in table.models.values_mut() {
            model.known.clear();
            (model.forgotten, model.highest) = (0, None);
        }
    }
}

impl UnderWay {
    /// Ends it with the ids that Odoo answered.
    pub(in crate::odoo) fn answered(self, ids: &[i64]) {
        self.records.note(&self.model, ids);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut table = self.records.0.lock();
        if let Some(model) = table.models.get_mut(&self.model) {
            model.under_way.remove(&self.ticket);
        }
        table.drop_if_empty(&self.model);
    }
}

impl Sought {
    /// Takes a record for each that the call looks for, in their order. `candidates` has, for each, the records with its values.
    /// None are taken where one is missing, or where more records than calls that look for such values make it unknown whose they
    /// are.
    pub fn take(&mut self, candidates: &[Vec<i64>]) -> Option<Vec<i64>> {
        let mut table = self.records.0.lock();
        let model = table.models.get(&self.model)?;
        let mut taken: HashSet<i64> = HashSet::new();
        let mut ids = Vec::with_capacity(self.fingerprints.len());
        for (fingerprint, candidates) in self.fingerprints.iter().zip(candidates) {
            let is_free = |id: &&i64| !model.known.contains(id) && **id > model.forgotten;
            let free = candidates.iter().filter(is_free).count();
            if free > model.sought.get(fingerprint).copied().unwrap_or_default() {
                return None;
            }
            let own = candidates.iter().filter(is_free).find(|id| !taken.contains(id))?;
            taken.insert(*own);
            ids.push(*own);
        }
        table.note(&self.model, &ids);
        table.bound(&self.model, &ids);
        table.keep_small();
        table.seek_no_more(&self.model, &self.fingerprints);
        self.fingerprints.clear();
        Some(ids)
    }
}

impl Drop for Sought {
    fn drop(&mut self) {
        let mut table = self.records.0.lock();
        table.seek_no_more(&self.model, &self.fingerprints);
        table.drop_if_empty(&self.model);
    }
}

impl Table {
    fn note(&mut self, model: &str, ids: &[i64]) {
        if ids.is_empty() {
            return;
        }
        let model = self.models.entry(model.to_owned()).or_default();
        self.ids += ids.iter().filter(|id| model.known.insert(**id)).count();
    }

    fn bound(&mut self, model: &str, ids: &[i64]) {
        let (Some(highest), Some(model)) = (ids.iter().copied().max(), self.models.get_mut(model)) else { return };
        let highest = model.highest.map_or(highest, |(known, _)| known.max(highest));
        model.highest = Some((highest, Instant::now()));
    }

    /// Forgets the lower half of the model with the most ids where there are too many.
    fn keep_small(&mut self) {
        if self.ids <= MOST_IDS {
            return;
        }
        let Some(model) = self.models.values_mut().max_by_key(|model| model.known.len()) else { return };
        let middle = model.known.iter().nth(model.known.len() / 2).copied().unwrap_or_default();
        let kept = model.known.split_off(&middle);
        self.ids -= model.known.len();
        model.forgotten = model.known.last().copied().unwrap_or(model.forgotten);
        model.known = kept;
    }

    fn seek_no_more(&mut self, model: &str, fingerprints: &[u64]) {
        let Some(model) = self.models.get_mut(model) else { return };
        for fingerprint in fingerprints {
            if let Some(count) = model.sought.get_mut(fingerprint) {
                *count -= 1;
                if *count == 0 {
                    model.sought.remove(fingerprint);
                }
            }
        }
    }

    /// The names of models come from callers: one of which nothing is known is not kept.
    fn drop_if_empty(&mut self, name: &str) {
        let is_empty = |model: &Model| {
            model.highest.is_none() && model.known.is_empty() && model.under_way.is_empty() && model.sought.is_empty()
        };
        if self.models.get(name).is_some_and(is_empty) {
            self.models.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_record_that_a_call_was_answered_with_is_nobody_elses() {
        let records = Arc::<CreatedRecords>::default();
        records.begin("m").answered(&[7]);
        let mut sought = records.seek("m", vec![1]);
        assert_eq!(sought.take(&[vec![7]]), None);
        assert_eq!(sought.take(&[vec![7, 8]]), Some(vec![8]));
        assert_eq!(records.look("m", 0), Look { known: vec![7, 8], known_above: 0 });
        assert_eq!((records.look("m", 7).known, records.bound("m")), (vec![8], Some(8)));
        records.note_earlier("m", &[9]);
        assert_eq!((records.look("m", 7).known, records.bound("m")), (vec![8, 9], Some(8)));
        // An attempt that ended without a word made it, and the next one looks for it.
        let mut sought = records.seek("m", vec![1]);
        records.free("m", &[9, 10]);
        assert_eq!((records.look("m", 7).known, sought.take(&[vec![7, 8, 9]])), (vec![8], Some(vec![9])));
    }

    #[tokio::test]
    async fn two_records_for_two_equal_calls_are_shared_out_and_for_one_they_are_not() {
        let records = Arc::<CreatedRecords>::default();
        let mut one = records.seek("m", vec![1]);
        assert_eq!(one.take(&[vec![7, 8]]), None);
        let mut other = records.seek("m", vec![1]);
        assert_eq!(one.take(&[vec![7, 8]]), Some(vec![7]));
        assert_eq!(other.take(&[vec![7, 8]]), Some(vec![8]));
        // Of several records of one call, all are there or none is taken.
        let mut both = records.seek("m", vec![2, 2]);
        assert_eq!(both.take(&[vec![9], vec![9]]), None);
        assert_eq!(both.take(&[vec![9, 10], vec![9, 10]]), Some(vec![9, 10]));
    }

    #[tokio::test]
    async fn what_is_under_way_is_seen_until_it_has_ended() {
        let records = Arc::<CreatedRecords>::default();
        let under_way = records.begin("m");
        let now = records.now();
        let later = records.begin("m");
        assert!(!records.have_ended("m", now));
        drop(under_way);
        assert!(records.have_ended("m", now) && !records.have_ended("m", records.now()));
        drop(later);
        assert!(records.0.lock().models.is_empty());
    }

    #[tokio::test]
    async fn the_memory_is_bounded_and_says_what_it_has_forgotten() {
        let records = CreatedRecords::default();
        let most = i64::try_from(MOST_IDS).unwrap();
        records.note("m", &(1..=most).collect::<Vec<_>>());
        records.note("n", &[5]);
        let look = records.look("m", 0);
        assert_eq!((look.known.len(), look.known_above, look.known[0]), (MOST_IDS / 2, most / 2, most / 2 + 1));
        assert_eq!((records.look("n", 0).known, records.0.lock().ids), (vec![5], MOST_IDS / 2 + 1));
    }
}
