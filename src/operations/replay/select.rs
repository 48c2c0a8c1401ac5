//! Which calls are replayed.

use super::NotReplayable;
use crate::{
    log::{Call, CallState, Error, Filter},
    operations::calls::{Calls, NotOne, Query},
};

/// A shorter part of an id may be a typing error.
pub const SHORTEST_ID: usize = 8;

/// The calls that an operator names.
#[derive(Debug, Clone)]
pub enum Selection {
    /// By their ids, or by parts of these that no other call has.
    Ids(Vec<String>),
    /// Those that a filter admits and that have not been repeated with success.
    Matching(Box<Filter>),
}

/// Why a selection names no calls.
#[derive(Debug, thiserror::Error)]
pub enum NotSelected {
    #[error("`{0}` is too short: what is sent again must be named by {SHORTEST_ID} characters of its id")]
    TooShort(String),
    #[error(transparent)]
    NotOne(#[from] NotOne),
    /// Neither a state nor the doubt is asked for, so calls that succeeded are meant, too.
    #[error("a filter without a state selects calls that succeeded")]
    Unselective,
    #[error("dry runs wrote nothing, and are not run again; name the calls that they were of")]
    DryRuns,
    #[error(transparent)]
    Log(#[from] Error),
}

impl Selection {
    /// The calls, the earliest first; a call and its repetitions count as one.
    ///
    /// # Errors
    /// An id names no call or several, the filter is too wide, or the log cannot be read.
    pub async fn calls(&self, log: &Calls) -> Result<Vec<Call>, NotSelected> {
        match self {
            Self::Ids(ids) => by_ids(log, ids).await,
            Self::Matching(filter) => {
                check(filter)?;
                let query = Query { filter: (**filter).clone(), ..Query::default() };
                let mut calls = log.page(query).await?.calls;
                // A repetition belongs to the call that it repeats.
                calls.retain(|call| call.replay_of.is_none() && !call.is_repeated());
                calls.reverse();
                Ok(calls)
            }
        }
    }

    /// Whether a call that is not replayed for this reason was meant at all: a filter finds dry runs that failed among the
    /// calls that failed.
    pub fn means(&self, reason: &NotReplayable) -> bool {
        !matches!((self, reason), (Self::Matching(_), NotReplayable::DryRun))
    }
}

/// Whether a filter selects calls that are to be made again.
///
/// # Errors
/// It is too wide, or selects dry runs, of which none is.
pub(super) fn check(filter: &Filter) -> Result<(), NotSelected> {
    match filter.state {
        Some(CallState::DryRun) => Err(NotSelected::DryRuns),
        None if !filter.in_doubt => Err(NotSelected::Unselective),
        _ => Ok(()),
    }
}

async fn by_ids(log: &Calls, ids: &[String]) -> Result<Vec<Call>, NotSelected> {
    let root = |call: &Call| call.replay_of.unwrap_or(call.id);
    let mut calls: Vec<Call> = Vec::new();
    for id in ids {
        if id.len() < SHORTEST_ID {
            return Err(NotSelected::TooShort(id.clone()));
        }
        let call = log.one(id).await?;
        if !calls.iter().any(|known| root(known) == root(&call)) {
            calls.push(call);
        }
    }
    Ok(calls)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{log::State, operations::recorded::Recorded};

    #[tokio::test]
    async fn a_call_and_its_repetitions_are_selected_once() {
        let recorded = Recorded::new();
        let [first, second, repeated] = [
            recorded.call(State::Failed).await,
            recorded.call(State::Failed).await,
            recorded.call(State::Failed).await,
        ];
        let vals = json!({"payload": {}});
        let tried = recorded.call_with(None, vals.clone(), Some(second), State::Failed).await;
        recorded.call_with(None, vals, Some(repeated), State::Done).await;
        let calls = recorded.calls();
        let ids = async |selection: Selection| {
            let calls = selection.calls(&calls).await.unwrap();
            calls.iter().map(|call| call.id).collect::<Vec<_>>()
        };
        let failed = Filter { state: Some(CallState::Failed), ..Filter::default() };
        assert_eq!(ids(Selection::Matching(Box::new(failed))).await, [first, second]);
        let named = [tried, second, first].map(|id| id.to_string()).to_vec();
        assert_eq!(ids(Selection::Ids(named)).await, [tried, first]);
    }

    #[tokio::test]
    async fn a_selection_that_may_be_a_slip_is_refused() {
        let recorded = Recorded::new();
        recorded.call(State::Failed).await;
        let calls = recorded.calls();
        let refused = async |selection: Selection| selection.calls(&calls).await.unwrap_err();
        assert!(matches!(refused(Selection::Ids(vec!["0".to_owned()])).await, NotSelected::TooShort(_)));
        assert!(matches!(refused(Selection::Ids(vec!["no such id".to_owned()])).await, NotSelected::NotOne(_)));
        assert!(matches!(refused(Selection::Matching(Box::default())).await, NotSelected::Unselective));
    }

    #[test]
    fn a_filter_does_not_mean_dry_runs() {
        assert!(!Selection::Matching(Box::default()).means(&NotReplayable::DryRun));
        assert!(Selection::Matching(Box::default()).means(&NotReplayable::Done));
        assert!(Selection::Ids(Vec::new()).means(&NotReplayable::DryRun));
    }
}
