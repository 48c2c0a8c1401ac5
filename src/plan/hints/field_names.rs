//! Which field of a model a name may stand for that the model does not have.

use std::fmt;

use super::renamed::other_names;
use crate::plan::schema_view::ModelView;

/// The name that was probably meant, as the end of a sentence; nothing where none is close.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Meant(Option<Box<str>>);

/// A name that a model has no field of, and the one that is meant.
#[derive(Debug, Clone)]
pub struct Unknown {
    pub name: String,
    pub meant: Meant,
}

impl fmt::Display for Meant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |name| write!(f, "; did you mean `{name}`?"))
    }
}

impl Meant {
    /// The closest of these names.
    pub(in crate::plan) fn among<'n>(names: impl IntoIterator<Item = &'n str>, name: &str) -> Self {
        Self(closest(names.into_iter(), name).map(String::into_boxed_str))
    }

    pub(in crate::plan) fn of(name: &str) -> Self {
        Self(Some(name.into()))
    }

    /// The name alone.
    pub fn name(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// The field that the name has in this version of Odoo, or the one with the closest name, among those that the caller may
/// read.
pub(in crate::plan) fn meant(view: ModelView<'_>, name: &str) -> Meant {
    let is_there = |name: &str| view.read(name).is_ok_and(|field| field.is_some());
    let renamed = other_names(view.name(), name).find(|other| is_there(other)).map(str::to_owned);
    let meant = renamed.or_else(|| closest(view.names().filter(|other| is_there(other)), name));
    Meant(meant.map(String::into_boxed_str))
}

/// The closest of the names: the same one with or without the ending of a relation, else one that a few letters make of it.
fn closest<'n>(names: impl Iterator<Item = &'n str>, name: &str) -> Option<String> {
    let bare = |name: &str| name.trim_end_matches("_ids").trim_end_matches("_id").to_lowercase();
    // One letter in four may differ, and a swap of two letters is one difference. A name of one or two letters is none misspelt.
    let most = match name.chars().count() {
        0..=2 => 0,
        letters => (letters / 4).max(1),
    };
    let distance = |other: &str| if bare(other) == bare(name) { 0 } else { strsim::osa_distance(other, name) };
    let close = names.map(|other| (distance(other), other)).filter(|(distance, _)| *distance <= most);
    close.min().map(|(_, other)| other.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 8] = ["name", "email", "phone", "partner_id", "tag_ids", "date_order", "user_id", "ref"];

    #[test]
    fn a_name_that_is_misspelt_stands_for_the_closest_field() {
        for (name, meant) in [
            ("emial", "email"),
            ("e_mail", "email"),
            ("Email", "email"),
            ("partner", "partner_id"),
            ("partner_ids", "partner_id"),
            ("tag_id", "tag_ids"),
            ("order_date", ""),
            ("dateorder", "date_order"),
            ("reference", ""),
            ("x", ""),
        ] {
            assert_eq!(closest(NAMES.into_iter(), name).unwrap_or_default(), meant, "{name}");
        }
    }

    #[test]
    fn a_renamed_field_is_known_in_both_directions() {
        assert_eq!(other_names("sale.order.line", "tax_id").collect::<Vec<_>>(), ["tax_ids"]);
        assert_eq!(other_names("res.users", "group_ids").collect::<Vec<_>>(), ["groups_id"]);
        assert_eq!(other_names("res.partner", "tax_id").count(), 0);
    }
}
