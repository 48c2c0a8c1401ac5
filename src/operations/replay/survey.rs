//! Which calls of a filter would be sent again, how many there are of each kind, and which are left out for what reason.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use super::{
    NotSelected,
    listed::{Asked, left_out},
    select::check,
};
use crate::{
    config::Config,
    log::{Call, Error, Filter},
    operations::calls::Calls,
};

/// The calls of a filter, counted.
#[derive(Debug, Default)]
pub struct Survey {
    /// How many the filter admits; repetitions of other calls are not among them.
    pub matching: u64,
    pub states: BTreeMap<&'static str, u64>,
    /// By the code of their error; the empty one stands for none.
    pub errors: BTreeMap<String, u64>,
    pub models: BTreeMap<String, u64>,
    /// How many are left out, by the reason.
    pub left_out: BTreeMap<String, u64>,
    /// Those that may be sent, the earliest first; of more than are sent at a time, the earliest.
    pub calls: Vec<Call>,
    /// How many may be sent beyond these.
    pub beyond: u64,
    /// When the log was looked at.
    pub at: Timestamp,
}

impl Survey {
    /// Counts the calls of a filter. At most so many are kept to be sent, as this client where one is named.
    ///
    /// # Errors
    /// The filter names no state, so that it is too wide, or the log cannot be read.
    pub async fn of(
        log: &Calls,
        filter: &Filter,
        config: &Config,
        client: Option<&str>,
        most: usize,
    ) -> Result<Self, NotSelected> {
        check(filter)?;
        let filter = filter.clone();
        let known: Vec<String> = config.clients.iter().map(|client| client.name.clone()).collect();
        let asked = Asked { has_actor: client.is_some(), ..Asked::default() };
        let survey = log.read(move |archive| {
            let mut survey = Self { at: Timestamp::now(), ..Self::default() };
            // They come the latest first.
            let mut kept = VecDeque::new();
            archive.for_each(&filter, |call| {
                // It belongs to the call that it repeats.
                if call.replay_of.is_some() {
                    return;
                }
                survey.count(&call);
                if let Some(reason) = left_out(&call, &known, asked) {
                    *survey.left_out.entry(reason.to_string()).or_default() += 1;
                    return;
                }
                kept.push_back(call);
                if kept.len() > most {
                    kept.pop_front();
                    survey.beyond += 1;
                }
            })?;
            survey.calls = kept.into_iter().rev().collect();
            Ok::<_, Error>(survey)
        });
        Ok(survey.await?)
    }

    fn count(&mut self, call: &Call) {
        self.matching += 1;
        *self.states.entry(call.state.as_str()).or_default() += 1;
        *self.errors.entry(call.error.clone()).or_default() += 1;
        *self.models.entry(call.model.clone()).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        log::{CallState, State},
        operations::{recorded::Recorded, replay::NotReplayable},
    };

    #[tokio::test]
    async fn calls_are_counted_and_left_out_for_a_reason() {
        let recorded = Recorded::new();
        let [first, repeated, second] = [
            recorded.call(State::Failed).await,
            recorded.call(State::Failed).await,
            recorded.call(State::Failed).await,
        ];
        let vals = json!({"payload": {}});
        recorded.call_with(Some("webshop"), vals.clone(), Some(repeated), State::Done).await;
        let own = recorded.call_with(None, vals, None, State::Failed).await;
        let failed = Filter { state: Some(CallState::Failed), ..Filter::default() };
        let survey = async |client: Option<&str>, most: usize| {
            Survey::of(&recorded.calls(), &failed, &recorded.config, client, most).await.unwrap()
        };
        let all = survey(None, 10).await;
        assert_eq!((all.matching, all.states["failed"], all.models["res.partner"]), (4, 4, 4));
        assert_eq!(all.calls.iter().map(|call| call.id).collect::<Vec<_>>(), [first, second]);
        let reasons = [NotReplayable::Repeated, NotReplayable::WhoseCredential].map(|reason| reason.to_string());
        assert_eq!(all.left_out.keys().cloned().collect::<Vec<_>>(), reasons);
        let as_client = survey(Some("webshop"), 10).await;
        assert_eq!(as_client.calls.last().unwrap().id, own);
        let earliest = survey(None, 1).await;
        assert_eq!((earliest.calls[0].id, earliest.beyond), (first, 1));
        let wide = Survey::of(&recorded.calls(), &Filter::default(), &recorded.config, None, 1).await;
        assert!(matches!(wide, Err(NotSelected::Unselective)));
    }
}
