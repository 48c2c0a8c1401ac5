//! A planned write of several records, each of which ends by itself or, where the caller asks for it, all together.
//!
//! Records that lookups did not find are shared: each is created once, before the records that need it. New records that take
//! nothing but one `create` go together; every other record has a write of its own.

use std::collections::HashMap;

use super::{Purpose, Step, Steps, Write};
use crate::{
    odoo::{Effect, Rpc},
    plan::{Error, Selection, Warning},
};

/// The calls of several creates and updates.
#[derive(Debug)]
pub struct Many {
    /// What is answered of each record.
    pub wanted: Selection,
    /// The steps of `missing`, in their order.
    pub shared: Steps,
    pub missing: Vec<Missing>,
    /// What is written of each record, in the order of the request, or why it cannot be.
    pub records: Vec<Result<Record, Error>>,
    /// The records that go together, by their places in `records`.
    pub together: Vec<Together>,
    /// All records are written, or none.
    pub is_atomic: bool,
}

/// A record that a lookup did not find: the number of its steps, and the ones that it needs itself.
#[derive(Debug)]
pub struct Missing {
    pub steps: usize,
    /// Places in [`Many::missing`], all of them before its own.
    pub needs: Vec<usize>,
}

/// One record of several.
#[derive(Debug)]
pub struct Record {
    /// Its own steps, after the shared ones.
    pub write: Write,
    /// The missing records that it needs: places in [`Many::missing`].
    pub needs: Vec<usize>,
    pub warnings: Vec<Warning>,
}

/// New records that one `create` takes: they have the same fields, and the same context.
///
/// A model may give the ids of records with different fields back in another order (`calendar.event`, Odoo 14-19).
#[derive(Debug, PartialEq, Eq)]
pub struct Together(pub Vec<usize>);

impl Many {
    /// Whether it may change anything in Odoo.
    pub(in crate::plan) fn writes(&self) -> bool {
        self.records.iter().flatten().any(|record| !record.write.steps.is_empty())
    }

    /// The main calls of the records: those that create one, and those that update some.
    pub(in crate::plan) fn main_steps(&self) -> impl Iterator<Item = &Step> {
        let steps = self.records.iter().flatten().flat_map(|record| record.write.steps.iter());
        steps.filter(|step| matches!(step.purpose, Purpose::Main { .. }))
    }

    /// Puts the new records that take one plain `create` together.
    pub(in crate::plan) fn gather(&mut self) {
        let mut groups: Vec<(usize, Vec<usize>)> = Vec::new();
        let mut group_of = HashMap::new();
        for (place, record) in self.records.iter().enumerate() {
            let Some(step) = record.as_ref().ok().and_then(|record| record.write.only_create()) else { continue };
            // What one call has to make is one group, whatever the records have in common.
            let shape = if self.is_atomic { String::new() } else { shape(&step.rpc) };
            let group = *group_of.entry(shape).or_insert_with(|| {
                groups.push((place, Vec::new()));
                groups.len() - 1
            });
            groups[group].1.push(place);
        }
        self.together = groups.into_iter().map(|(_, places)| Together(places)).collect();
    }
}

impl Write {
    /// The only step, where that creates one record.
    pub fn only_create(&self) -> Option<&Step> {
        let mut steps = self.steps.iter();
        match (steps.next(), steps.next()) {
            (Some(step), None) if step.rpc.is_create_of_one() => Some(step),
            _ => None,
        }
    }
}

/// What records have in common that go together: the context, the names of the fields, and the booleans in them.
fn shape(rpc: &Rpc) -> String {
    let values = rpc.args.first().and_then(|(_, records)| records[0].as_object());
    let mut fields: Vec<(&str, Option<bool>)> =
        values.into_iter().flatten().map(|(name, value)| (name.as_str(), value.as_bool())).collect();
    fields.sort_unstable();
    format!("{:?} {fields:?}", rpc.context)
}

impl Rpc {
    fn is_create_of_one(&self) -> bool {
        self.effect == Effect::Write
            && self.method == "create"
            && self.ids.is_none()
            && self.args.first().and_then(|(_, records)| records.as_array()).is_some_and(|records| records.len() == 1)
    }
}
