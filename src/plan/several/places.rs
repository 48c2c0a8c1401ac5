//! Where lookups of many2manys match several records, at every level of a payload.

use serde_json::{Value, json};

use crate::plan::{
    lookup::{MAX_MATCHES, Matches, QuestionId},
    read::{Draft, Linked, Slot},
};

/// The model of taxes, of which those on sales and those on purchases often have the same name.
const TAX: &str = "account.tax";

/// A lookup in a many2many that matches several records.
#[derive(Debug)]
pub(super) struct Place {
    /// The model and the field of the many2many.
    pub(super) model: String,
    pub(super) field: String,
    pub(super) question: QuestionId,
    pub(super) path: String,
    /// The kind of taxes that the document takes, where it shows.
    taxes: Option<&'static str>,
}

/// The places in the draft of a record of `model`.
pub(super) fn of(model: &str, draft: &Draft, matches: &Matches) -> Vec<Place> {
    let mut found = Found { matches, places: Vec::new() };
    found.visit(model, draft, None);
    found.places
}

struct Found<'f> {
    matches: &'f Matches,
    places: Vec<Place>,
}

impl Found<'_> {
    fn visit(&mut self, model: &str, draft: &Draft, taxes: Option<&'static str>) {
        let taxes = taxes_of(model, draft).or(taxes);
        for (field, slot) in &draft.fields {
            match slot {
                Slot::Many { records, path, .. } => {
                    for (index, record) in records.iter().enumerate() {
                        let Linked::Question(question) = record else { continue };
                        if !(2..=MAX_MATCHES).contains(&self.matches[*question].len()) {
                            continue;
                        }
                        self.places.push(Place {
                            model: model.to_owned(),
                            field: field.clone(),
                            question: *question,
                            path: format!("{path}.records[{index}]"),
                            taxes,
                        });
                    }
                }
                slot => {
                    if let Some((model, _, records)) = slot.within() {
                        records.into_iter().for_each(|record| self.visit(model, record, taxes));
                    }
                }
            }
        }
    }
}

/// The kind of taxes that a document takes: orders always, invoices by their type.
fn taxes_of(model: &str, draft: &Draft) -> Option<&'static str> {
    match model {
        "sale.order" | "sale.order.line" => Some("sale"),
        "purchase.order" | "purchase.order.line" => Some("purchase"),
        "account.move" => {
            let (_, slot) = draft.fields.iter().find(|(name, _)| name == "move_type")?;
            let Slot::Plain(Value::String(kind)) = slot else { return None };
            match kind.split_once('_')?.0 {
                "out" => Some("sale"),
                "in" => Some("purchase"),
                _ => None,
            }
        }
        _ => None,
    }
}

impl Place {
    /// The term for the kind of taxes, where the lookup is for some.
    pub(super) fn kind_of_tax(&self, related: &str) -> Option<Value> {
        let taxes = self.taxes.filter(|_| related == TAX)?;
        Some(json!(["type_tax_use", "=", taxes]))
    }

    /// Puts the record in the place of the lookup.
    pub(super) fn take(&self, draft: &mut Draft, id: i64) {
        self.take_in(draft, &self.path, id);
    }

    fn take_in(&self, draft: &mut Draft, at: &str, id: i64) {
        for (_, slot) in &mut draft.fields {
            match slot {
                Slot::Many { records, path, .. }
                    if at.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('.')) =>
                {
                    for record in records.iter_mut().filter(|record| **record == Linked::Question(self.question)) {
                        *record = Linked::Id(id);
                    }
                }
                slot => slot.within_mut().into_iter().for_each(|record| self.take_in(record, at, id)),
            }
        }
    }
}
