//! Calls that are to be made again, as a listing has them: which of them would be sent, why others would not, and which are alike.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{
    NotReplayable,
    draft::{Actor, Options},
};
use crate::{
    config::Config,
    log::{Call, CallState},
};

/// Calls that an operator has selected, before any of them is sent.
#[derive(Debug, Default)]
pub struct Listed {
    /// The earliest first, with what keeps one from being sent, as far as a listing tells. The rest is found when its turn comes.
    pub calls: Vec<(Call, Option<NotReplayable>)>,
    /// How many that may be sent are beyond the limit.
    pub beyond: usize,
}

impl Listed {
    /// These calls, of which at most so many are sent: the earliest.
    pub fn of(calls: Vec<Call>, config: &Config, options: &Options, limit: Option<usize>) -> Self {
        let clients: Vec<String> = config.clients.iter().map(|client| client.name.clone()).collect();
        let asked =
            Asked { is_free: options.force || options.dry_run, has_actor: !matches!(options.actor, Actor::Recorded) };
        let mut listed = Self::default();
        let mut sent = 0;
        for call in calls {
            let reason = left_out(&call, &clients, asked);
            if reason.is_none() {
                if limit.is_some_and(|limit| sent >= limit) {
                    listed.beyond += 1;
                    continue;
                }
                sent += 1;
            }
            listed.calls.push((call, reason));
        }
        listed
    }

    /// Those that would be sent.
    pub fn sendable(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|(_, reason)| reason.is_none()).map(|(call, _)| call)
    }
}

/// What is asked of all of them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Asked {
    /// Also what succeeded, or may have.
    pub(super) is_free: bool,
    /// It is known as whom they are made, no matter who made them first.
    pub(super) has_actor: bool,
}

/// Why a call is not sent, as far as a listing tells.
pub(super) fn left_out(call: &Call, clients: &[String], asked: Asked) -> Option<NotReplayable> {
    let is_any = |state: CallState| call.repeated_by.iter().any(|repetition| repetition.state == state);
    Some(match call.state {
        CallState::DryRun if !asked.is_free => NotReplayable::DryRun,
        CallState::Running => NotReplayable::Running,
        _ if is_any(CallState::Running) => NotReplayable::Running,
        CallState::Ignored if call.repeat_of.is_some() && !asked.is_free => NotReplayable::KnownKey,
        CallState::Queued if !asked.is_free => NotReplayable::Queued,
        CallState::Done if !asked.is_free => NotReplayable::Done,
        _ if call.is_repeated() && !asked.is_free => NotReplayable::Repeated,
        CallState::InDoubt if !asked.is_free => NotReplayable::InDoubt,
        _ if is_any(CallState::InDoubt) && !asked.is_free => NotReplayable::InDoubt,
        _ if asked.has_actor => return None,
        _ if call.client.is_empty() => NotReplayable::WhoseCredential,
        _ if !clients.contains(&call.client) => NotReplayable::UnknownClient(call.client.clone()),
        _ => return None,
    })
}

/// Calls of the same route and model, with the same error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub route: String,
    pub model: String,
    /// Empty where they have none.
    pub error: String,
    pub count: usize,
    pub first: Timestamp,
    pub last: Timestamp,
}

/// The groups of these calls, the largest first.
pub fn groups<'c>(calls: impl Iterator<Item = &'c Call>) -> Vec<Group> {
    let mut found: HashMap<(String, &str, &str), Group> = HashMap::new();
    for call in calls {
        let key = (call.route.to_string(), call.model.as_str(), call.error.as_str());
        let group = found.entry(key).or_insert_with(|| Group {
            route: call.route.to_string(),
            model: call.model.clone(),
            error: call.error.clone(),
            count: 0,
            first: call.ts,
            last: call.ts,
        });
        group.count += 1;
        group.first = group.first.min(call.ts);
        group.last = group.last.max(call.ts);
    }
    let mut groups: Vec<Group> = found.into_values().collect();
    groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.first.cmp(&b.first)));
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{log::State, operations::recorded::Recorded};

    #[tokio::test]
    async fn at_most_so_many_are_sent_and_those_that_are_left_out_do_not_count() {
        let recorded = Recorded::new();
        for state in [State::Failed, State::Done, State::Failed, State::Failed] {
            recorded.call(state).await;
        }
        let mut calls = recorded.calls().page(Default::default()).await.unwrap().calls;
        calls.reverse();
        let listed = Listed::of(calls.clone(), &recorded.config, &Options::default(), Some(2));
        assert_eq!((listed.calls.len(), listed.sendable().count(), listed.beyond), (3, 2, 1));
        assert!(matches!(listed.calls[1].1, Some(NotReplayable::Done)));
        let forced = Options { force: true, ..Options::default() };
        assert_eq!(Listed::of(calls.clone(), &recorded.config, &forced, None).sendable().count(), 4);
        let groups = groups(calls.iter());
        assert_eq!(groups.iter().map(|group| group.count).collect::<Vec<_>>(), [3, 1]);
        assert_eq!((&*groups[0].error, groups[0].first, groups[0].last), ("odoo_error", calls[0].ts, calls[3].ts));
    }
}
