//! Short ids, which can be pasted where an id is asked for.
//!
//! Ids are UUIDs of version 7: they begin with their time, so that neighbours in a list begin alike, and end at random. So their
//! ends are shown, of one length, which is long enough to tell those of a list apart.

use std::collections::HashSet;

use uuid::Uuid;

use super::Room;

/// At least so many signs: two of a million ids share them in 1 of 4,000 cases.
const LEAST: usize = 8;

/// The last part of an id, 12 signs, has no dash in it.
const MOST: usize = 12;

/// How the ids of a list are shown.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct ShortIds {
    /// `None` shows them whole.
    signs: Option<usize>,
}

impl ShortIds {
    pub(in crate::cli) fn of(room: Room, ids: impl IntoIterator<Item = Uuid>) -> Self {
        if room.is_unlimited() {
            return Self { signs: None };
        }
        let ids: HashSet<String> = ids.into_iter().map(|id| id.to_string()).collect();
        let tells_apart =
            |signs: &usize| ids.iter().map(|id| end(id, *signs)).collect::<HashSet<_>>().len() == ids.len();
        Self { signs: (LEAST..=MOST).find(tells_apart) }
    }

    pub(in crate::cli) fn show(self, id: Uuid) -> String {
        let whole = id.to_string();
        match self.signs {
            Some(signs) => end(&whole, signs).to_owned(),
            None => whole,
        }
    }
}

/// The end of an id where it is shown alone.
pub(in crate::cli) fn short(id: Uuid) -> String {
    short_text(&id.to_string()).to_owned()
}

/// The same of an id that is a text already.
pub(in crate::cli) fn short_text(id: &str) -> &str {
    end(id, LEAST)
}

fn end(id: &str, signs: usize) -> &str {
    &id[id.len().saturating_sub(signs)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_shown_as_short_as_they_are_told_apart() {
        let ids = ["019ad3c1-0000-7000-8000-00aa11111111", "019ad3c1-0000-7000-8000-00ab11111111"];
        let [one, other] = ids.map(|id| id.parse::<Uuid>().unwrap());
        let room = Room::Columns(80);
        assert_eq!(ShortIds::of(room, [one, one]).show(one), "11111111");
        let short = ShortIds::of(room, [one, other]);
        assert_eq!([one, other].map(|id| short.show(id)), ["a11111111", "b11111111"]);
        assert_eq!(ShortIds::of(Room::Unlimited, [one]).show(one), ids[0]);
    }
}
