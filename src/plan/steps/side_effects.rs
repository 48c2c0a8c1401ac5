//! What a call creates beside its record, which an undo and a policy have to know.

/// What a call creates beside its record.
#[derive(Debug, Clone, Default)]
pub struct SideEffects {
    pub lines: Vec<NestedLines>,
    /// Models of which Odoo's own commands may create records that cannot be told from those they link.
    pub unidentified: Vec<String>,
    /// The models of all of it.
    pub models: Vec<String>,
    pub delegation: Delegation,
}

impl SideEffects {
    /// `in_place` are the models of records that are created by a command where they are needed.
    pub(in super::super) fn new(
        lines: Vec<NestedLines>,
        unidentified: Vec<String>,
        in_place: impl Iterator<Item = String>,
        delegation: Delegation,
    ) -> Self {
        let mut models: Vec<String> =
            NestedLines::models(&lines).into_iter().chain(unidentified.clone()).chain(in_place).collect();
        models.sort_unstable();
        models.dedup();
        Self { lines, unidentified, models, delegation }
    }
}

/// Lines that a record is created with. Odoo does not always delete them with it (a contact's contacts stay, 14-19), so an undo
/// of the record has to look for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NestedLines {
    pub field: String,
    pub model: String,
    /// The lines' many2one that leads back to the record, where there is one.
    pub inverse: Option<String>,
    pub within: Vec<NestedLines>,
}

impl NestedLines {
    /// Whether one of the lines is of such a model.
    pub(in super::super) fn has(lines: &[Self], is_such: &impl Fn(&str) -> bool) -> bool {
        lines.iter().any(|lines| is_such(&lines.model) || Self::has(&lines.within, is_such))
    }

    /// The models of lines at every level.
    pub(in super::super) fn models(lines: &[Self]) -> Vec<String> {
        lines.iter().flat_map(|lines| [vec![lines.model.clone()], Self::models(&lines.within)].concat()).collect()
    }

    /// Adds `more` to `into`. Lines of one field differ in what they hold, and all of it is looked for.
    pub(crate) fn merge(into: &mut Vec<Self>, more: Vec<Self>) {
        for lines in more {
            match into.iter_mut().find(|known| known.field == lines.field) {
                Some(known) => Self::merge(&mut known.within, lines.within),
                None => into.push(lines),
            }
        }
    }
}

/// What the record that a call creates, or one beside it, is a part of itself by delegation inheritance (Odoo's `_inherits`).
/// Odoo may delete that record with it: a product's document takes its attachment along (19).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Delegation {
    #[default]
    None,
    /// To a record that an earlier call creates.
    ToCreated,
    /// To a record that existed before.
    ToExisting,
}
