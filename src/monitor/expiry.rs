//! What ends soon, said once a day from [`AHEAD`] on.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};

use crate::config;

/// So long before an end it is said.
pub const AHEAD: SignedDuration = SignedDuration::from_hours(14 * 24);
/// And so often.
const AGAIN: SignedDuration = SignedDuration::from_hours(24);

/// When the clients of a configuration expire that are not revoked, by name.
pub(super) fn of_clients(clients: &[config::Client]) -> BTreeMap<String, Timestamp> {
    let serving = clients.iter().filter(|client| !client.is_revoked);
    serving.filter_map(|client| Some((client.name.clone(), client.expires?))).collect()
}

fn is_soon(end: Timestamp, now: Timestamp) -> bool {
    end.duration_since(now) <= AHEAD
}

/// What has been said, and when.
#[derive(Debug, Default)]
pub(super) struct Told(HashMap<(Kind, String), Timestamp>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Certificate,
    Client,
    OdooKey,
}

impl Told {
    pub(super) fn certificates(&mut self, ends: &BTreeMap<&'static str, Timestamp>, now: Timestamp) {
        let ends = ends.iter().map(|(name, end)| (*name, *end));
        for (certificate, end) in self.due(Kind::Certificate, ends, now) {
            tracing::warn!(certificate, %end, "a certificate ends soon; put the new one in its place, it is read by itself");
        }
    }

    pub(super) fn clients(&mut self, ends: &BTreeMap<String, Timestamp>, now: Timestamp) {
        for (client, end) in self.due(Kind::Client, borrowed(ends), now) {
            tracing::warn!(client, %end, "a client expires soon; give it a later `expires`, or a new key");
        }
    }

    pub(super) fn odoo_keys(&mut self, ends: &BTreeMap<String, Timestamp>, now: Timestamp) {
        for (client, end) in self.due(Kind::OdooKey, borrowed(ends), now) {
            tracing::warn!(
                client,
                %end,
                "the API key of a client expires in Odoo soon; make a new one there and put it in its place"
            );
        }
    }

    /// Those that are to be said now.
    fn due<'n>(
        &mut self,
        kind: Kind,
        ends: impl Iterator<Item = (&'n str, Timestamp)>,
        now: Timestamp,
    ) -> Vec<(&'n str, Timestamp)> {
        let soon: HashMap<(Kind, String), (&str, Timestamp)> = ends
            .filter(|(_, end)| is_soon(*end, now))
            .map(|(name, end)| ((kind, name.to_owned()), (name, end)))
            .collect();
        self.0.retain(|said, _| said.0 != kind || soon.contains_key(said));
        let mut due = Vec::new();
        for (what, end) in soon {
            let is_due = self.0.get(&what).is_none_or(|said| now.duration_since(*said) >= AGAIN);
            if is_due {
                self.0.insert(what, now);
                due.push(end);
            }
        }
        due.sort_unstable();
        due
    }
}

fn borrowed(ends: &BTreeMap<String, Timestamp>) -> impl Iterator<Item = (&str, Timestamp)> {
    ends.iter().map(|(name, end)| (name.as_str(), *end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_said_once_a_day_from_two_weeks_ahead_on() {
        let now: Timestamp = "2026-11-30T00:00:00Z".parse().unwrap();
        let ends = BTreeMap::from([
            ("soon".to_owned(), now + SignedDuration::from_hours(13 * 24)),
            ("late".to_owned(), now + SignedDuration::from_hours(16 * 24)),
        ]);
        let mut told = Told::default();
        let mut names = |hours| -> Vec<String> {
            let now = now + SignedDuration::from_hours(hours);
            told.due(Kind::OdooKey, borrowed(&ends), now).into_iter().map(|(name, _)| name.to_owned()).collect()
        };
        assert_eq!([names(0), names(1), names(24)], [vec!["soon"], vec![], vec!["soon"]]);
        assert_eq!(names(49), ["late", "soon"]);
    }
}
