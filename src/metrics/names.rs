//! The names that may be values of labels: those of clients and hooks of the configuration, up to [`MOST`] of each kind.
//!
//! A name that has got a series keeps it until the process ends, so the number of series is bounded over any number of reloads.
//! All other names are counted together as [`OTHER`].

use std::collections::BTreeSet;

use parking_lot::RwLock;

/// So many names have series of their own.
pub(super) const MOST: usize = 100;
/// The value of the label for all others.
pub(super) const OTHER: &str = "other";

#[derive(Debug, Default)]
pub(super) struct Names(RwLock<BTreeSet<String>>);

impl Names {
    /// Admits the names of a configuration, in its order, as far as there is room.
    pub(super) fn admit<'n>(&self, names: impl IntoIterator<Item = &'n str>) {
        let mut admitted = self.0.write();
        for name in names {
            if admitted.len() >= MOST {
                return;
            }
            admitted.insert(name.to_owned());
        }
    }

    /// The value of the label for this name.
    pub(super) fn label(&self, name: &str) -> String {
        if self.0.read().contains(name) { name } else { OTHER }.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_bound_and_unknown_ones_share_a_series() {
        let names = Names::default();
        let all: Vec<String> = (0..MOST).map(|number| format!("c{number}")).collect();
        names.admit(all.iter().map(String::as_str));
        names.admit(["late"]);
        assert_eq!([names.label("c99"), names.label("late"), names.label("junk")], ["c99", OTHER, OTHER]);
    }
}
