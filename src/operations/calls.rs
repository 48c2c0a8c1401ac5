//! Queries of the log: pages of calls, one call with its lines, calls as they end.

use std::{collections::HashMap, path::Path, sync::Arc};

use jiff::Timestamp;
use serde_json::Value;

use super::{blocking, statistics::Statistics};
use crate::log::{Archive, Call, Cursor, Error, Event, Filter, FollowPosition, Page, Place};

/// The calls of a log, for asynchronous readers. Cheap to open and to clone.
///
/// Whether a gateway writes the log is determined when it is opened, so a long-lived reader opens it for each query.
#[derive(Debug, Clone)]
pub struct Calls {
    archive: Arc<Archive>,
}

/// Which calls are listed.
#[derive(Debug, Clone, Default)]
pub struct Query {
    pub filter: Filter,
    /// At most so many, the latest; without one, all of them.
    pub limit: Option<usize>,
    /// Where the listing goes on: the `next` of the page before.
    pub cursor: Option<Cursor>,
}

/// Why a part of an id does not name a call.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotOne {
    #[error("no call of the log has the id `{0}`")]
    Unknown(String),
    #[error("{calls} calls have `{part}` in their ids; give more of it")]
    Several { part: String, calls: usize },
    #[error(transparent)]
    Log(#[from] Error),
}

/// The line of a call that records this event.
pub fn line_of(lines: &[Value], event: Event) -> Option<&Value> {
    lines.iter().find(|line| line["event"].as_str().and_then(Event::named) == Some(event))
}

impl Calls {
    /// The calls of the log in this folder.
    ///
    /// # Errors
    /// There is no such folder.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        Archive::open(folder).map(|archive| Self { archive: Arc::new(archive) })
    }

    /// A page of calls, the latest first. The cursors of successive pages give each call exactly once.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn page(&self, query: Query) -> Result<Page, Error> {
        self.read(move |archive| archive.page(&query.filter, query.limit, query.cursor)).await
    }

    /// The call with this id, or with an id that has this part and is the only one. A part with which one id ends, and no other,
    /// is of that one: lists show such ends.
    ///
    /// # Errors
    /// There is none, there are several, or the log cannot be read.
    pub async fn one(&self, part: &str) -> Result<Call, NotOne> {
        let part = part.to_owned();
        self.read(move |archive| {
            let mut found = archive.find(&part)?;
            let exact = found.iter().position(|call| call.id.to_string().eq_ignore_ascii_case(&part));
            let end = part.to_lowercase();
            let mut at_end = (0..found.len()).filter(|place| found[*place].id.to_string().ends_with(&end));
            let exact = exact.or_else(|| at_end.next().filter(|_| at_end.next().is_none()));
            match (exact, found.len()) {
                (Some(exact), _) => Ok(found.swap_remove(exact)),
                (None, 0) => Err(NotOne::Unknown(part)),
                (None, 1) => Ok(found.swap_remove(0)),
                (None, calls) => Err(NotOne::Several { part, calls }),
            }
        })
        .await
    }

    /// The call that was accepted or made first, its attempts or steps and its repetitions, the earliest first.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn delivery(&self, of: &Call) -> Result<Vec<Call>, Error> {
        let root = of.attempt_of.or(of.repeat_of).unwrap_or(of.id);
        let filter = Filter::of_delivery(root);
        let mut calls = self.page(Query { filter, ..Query::default() }).await?.calls;
        calls.reverse();
        Ok(calls)
    }

    /// The lines of a call, with large values put back into them; see [`Archive::lines`].
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn lines(&self, call: &Call) -> Result<Vec<Value>, Error> {
        let call = call.clone();
        self.read(move |archive| archive.lines(&call)).await
    }

    /// What operators did within this time, the earliest first; see [`Archive::acts`].
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn acts(&self, since: Option<Timestamp>, until: Option<Timestamp>) -> Result<Vec<Value>, Error> {
        self.read(move |archive| archive.acts(since, until)).await
    }

    /// The place at which the log ends at this moment, cheaper than [`Self::end`].
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn place(&self) -> Result<Place, Error> {
        self.read(Archive::place).await
    }

    /// The end of the log at this moment.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn end(&self) -> Result<FollowPosition, Error> {
        self.read(Archive::end).await
    }

    /// How far a list of records was, as its call told on the way; see [`Archive::progress`].
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn progress(&self, call: &Call) -> Result<Vec<Value>, Error> {
        let call = call.clone();
        self.read(move |archive| archive.progress(&call)).await
    }

    /// The matching calls that have ended since, or that tell how far they are, each with the line that says so; and the position
    /// behind them.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn told_since(
        &self,
        mut position: FollowPosition,
        filter: &Filter,
    ) -> Result<(FollowPosition, Vec<(Call, Value)>), Error> {
        let filter = filter.clone();
        self.read(move |archive| {
            let told = archive.told_since(&mut position, &filter)?;
            Ok((position, told))
        })
        .await
    }

    /// When the earliest line of the log was written, and the size of its segments; see [`Archive::extent`].
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn extent(&self) -> Result<(Option<Timestamp>, u64), Error> {
        self.read(Archive::extent).await
    }

    /// How many calls there are and how long they took.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn statistics(&self, filter: Filter) -> Result<Statistics, Error> {
        self.read(move |archive| {
            let mut statistics = Statistics::default();
            archive.for_each(&filter, |call| statistics.add(&call))?;
            Ok(statistics)
        })
        .await
    }

    /// When each client called last; the empty name stands for callers without one.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn last_by_client(&self) -> Result<HashMap<String, Timestamp>, Error> {
        self.read(|archive| {
            let mut last = HashMap::new();
            archive.for_each(&Filter::default(), |call| {
                let latest = last.entry(call.client).or_insert(call.ts);
                *latest = call.ts.max(*latest);
            })?;
            Ok(last)
        })
        .await
    }

    pub(super) async fn read<T, E>(&self, work: impl FnOnce(&Archive) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let archive = self.archive.clone();
        blocking(move || work(&archive)).await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::{
        log::{CallState, State},
        operations::recorded::{Recorded, end},
        route::Route,
    };

    fn ids(calls: &[Call]) -> Vec<Uuid> {
        calls.iter().map(|call| call.id).collect()
    }

    #[tokio::test]
    async fn paging_gives_each_call_once_while_calls_are_added() {
        let recorded = Recorded::new();
        let mut before = Vec::new();
        for number in 0..25 {
            before.push(recorded.call(if number % 3 == 0 { State::Failed } else { State::Done }).await);
            recorded.pass().await;
        }
        before.reverse();
        for size in [1, 4, 25, 30] {
            let (mut query, mut paged) = (Query { limit: Some(size), ..Query::default() }, Vec::new());
            loop {
                let page = recorded.calls().page(query.clone()).await.unwrap();
                assert!(page.calls.len() <= size);
                paged.extend(ids(&page.calls));
                let Some(next) = page.next else { break };
                // As a link has it.
                query.cursor = Some(next.to_string().parse().unwrap());
                recorded.call(State::Done).await;
            }
            let added = paged.iter().position(|id| *id == before[0]).unwrap();
            assert_eq!(paged[added..], before, "pages of {size}");
            assert_eq!(paged.iter().collect::<HashSet<_>>().len(), paged.len(), "pages of {size}");
        }
    }

    #[tokio::test]
    async fn a_call_that_ends_while_pages_are_turned_stays_in_its_place() {
        let recorded = Recorded::new();
        let (first, entry) = recorded.begin(None, json!({"payload": {}}), None).await;
        let second = recorded.call(State::Done).await;
        let third = recorded.call(State::Failed).await;
        let query = Query { limit: Some(2), ..Query::default() };
        let page = recorded.calls().page(query.clone()).await.unwrap();
        assert_eq!(ids(&page.calls), [third, second]);
        end(entry, State::Done).await;
        let page = recorded.calls().page(Query { cursor: page.next, ..query }).await.unwrap();
        assert_eq!((ids(&page.calls), page.next), (vec![first], None));
    }

    #[tokio::test]
    async fn a_page_is_of_the_calls_that_the_filter_admits() {
        let recorded = Recorded::new();
        let failed = recorded.call(State::Failed).await;
        recorded.call(State::Done).await;
        let passed = recorded.pass().await;
        let calls = recorded.calls();
        let query = async |filter: Filter| ids(&calls.page(Query { filter, ..Query::default() }).await.unwrap().calls);
        let state = Some(CallState::Failed);
        assert_eq!(query(Filter { state, ..Filter::default() }).await, [failed]);
        let route = Some(crate::log::RecordedRoute::Passed);
        assert_eq!(query(Filter { route, ..Filter::default() }).await, [passed]);
        assert!(query(Filter { route: Some(Route::SearchData.into()), ..Filter::default() }).await.is_empty());
        let none = Query { limit: Some(0), ..Query::default() };
        assert!(calls.page(none).await.unwrap().calls.is_empty());
    }

    #[test]
    fn a_cursor_is_read_as_it_is_written_and_nothing_else_is_one() {
        for text in ["9.4", "9.4.7"] {
            assert_eq!(text.parse::<Cursor>().unwrap().to_string(), text);
        }
        for text in ["", "9", "9.4.7.1", "9.-4", "x.4"] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn a_call_is_found_by_a_part_of_its_id_that_no_other_has() {
        let recorded = Recorded::new();
        let [one, other] = [recorded.call(State::Done).await, recorded.call(State::Done).await];
        let calls = recorded.calls();
        assert_eq!(calls.one(&one.to_string().to_uppercase()).await.unwrap().id, one);
        assert_eq!(calls.one(&other.to_string()[24..]).await.unwrap().id, other);
        assert!(matches!(calls.one("-").await, Err(NotOne::Several { calls: 2, .. })));
        assert!(matches!(calls.one("no such").await, Err(NotOne::Unknown(_))));
        let lines = calls.lines(&calls.one(&one.to_string()).await.unwrap()).await.unwrap();
        assert_eq!(line_of(&lines, Event::CallReceived).unwrap()["vals"]["payload"]["name"], "x");
        assert!(line_of(&lines, Event::CallRefused).is_none());
    }

    #[tokio::test]
    async fn a_follower_gets_each_call_as_it_ends() {
        let recorded = Recorded::new();
        recorded.call(State::Done).await;
        let calls = recorded.calls();
        let position = calls.end().await.unwrap();
        let later = recorded.call(State::Failed).await;
        let (position, ended) = calls.told_since(position, &Filter::default()).await.unwrap();
        assert_eq!(ended.iter().map(|(call, _)| call.id).collect::<Vec<_>>(), [later]);
        assert_eq!(ended[0].1["event"], "call.finished");
        let (_, ended) = calls.told_since(position, &Filter::default()).await.unwrap();
        assert!(ended.is_empty());
    }

    #[tokio::test]
    async fn a_list_that_runs_is_followed_by_the_filter_of_its_call_and_told_of_that_call_alone() {
        let mut recorded = Recorded::new();
        let calls = recorded.calls();
        let position = calls.end().await.unwrap();
        let vals = || json!({"payload": [{}]});
        let (id, entry) = recorded.begin(Some("webshop"), vals(), None).await;
        let (_, other) = recorded.begin(None, vals(), None).await;
        entry.progress(3_250, 0, 10_000).await.unwrap();
        other.progress(1, 1, 2).await.unwrap();
        entry.progress(9_000, 2, 10_000).await.unwrap();
        recorded.restart().await;
        let filter = Filter { caller: Some("webshop".to_owned()), ..Filter::default() };
        let (_, told) = calls.told_since(position, &filter).await.unwrap();
        let told: Vec<_> = told.iter().map(|(call, line)| (call.id, call.state, &*call.message, &line["of"])).collect();
        let (running, of) = (CallState::Running, &json!(10_000));
        let expected = [
            (id, running, "3,250 of 10,000 records written", of),
            (id, running, "9,000 of 10,000 records written, 2 failed", of),
        ];
        assert_eq!(told, expected);
        // The gateway that worked on it is gone: how far it came is known.
        let call = calls.one(&id.to_string()).await.unwrap();
        let progress = calls.progress(&call).await.unwrap();
        assert_eq!((call.state, progress.len(), &progress[1]["written"]), (CallState::InDoubt, 2, &json!(9_000)));
    }

    #[tokio::test]
    async fn an_ignored_call_has_not_failed_and_is_counted_by_itself() {
        let recorded = Recorded::new();
        let ignored = recorded.call(State::Ignored).await;
        let failed = recorded.call(State::Failed).await;
        let calls = recorded.calls();
        let of = async |state| {
            let filter = Filter { state: Some(state), ..Filter::default() };
            ids(&calls.page(Query { filter, ..Query::default() }).await.unwrap().calls)
        };
        assert_eq!(of(CallState::Failed).await, [failed]);
        assert_eq!(of(CallState::Ignored).await, [ignored]);
        let all = calls.statistics(Filter::default()).await.unwrap().all;
        assert_eq!((all.calls, all.failed, all.ignored), (2, 1, 1));
    }

    #[tokio::test]
    async fn the_calls_of_a_delivery_are_found_by_either_of_its_ids() {
        let recorded = Recorded::new();
        let delivery = recorded.delivered(None, "evt_1", State::Queued).await;
        let first = recorded.delivered(Some((delivery, 1)), "evt_1", State::Done).await;
        let second = recorded.delivered(Some((delivery, 2)), "evt_1", State::Failed).await;
        recorded.delivered(None, "evt_12", State::Queued).await;
        recorded.call(State::Done).await;
        let calls = recorded.calls();
        let found = async |filter| calls.page(Query { filter, ..Query::default() }).await.unwrap().calls;
        for identity in ["evt_1".to_owned(), delivery.to_string()] {
            let filter = Filter { delivery: Some(identity), ..Filter::default() };
            assert_eq!(ids(&found(filter).await), [second, first, delivery]);
        }
        let one = calls.one(&second.to_string()).await.unwrap();
        assert_eq!(ids(&calls.delivery(&one).await.unwrap()), [delivery, first, second]);
        let of_hook = found(Filter { hook: Some("shop".to_owned()), ..Filter::default() }).await;
        assert_eq!(of_hook.len(), 4);
        let second = &of_hook[1];
        assert_eq!((&*second.hook, &*second.delivery_id), ("shop", "evt_1"));
        assert_eq!((second.attempt_of, second.attempt, second.step), (Some(delivery), 1, 2));
        assert!(found(Filter { hook: Some("sho".to_owned()), ..Filter::default() }).await.is_empty());
    }

    #[tokio::test]
    async fn statistics_count_by_route_and_caller() {
        let recorded = Recorded::new();
        recorded.call(State::Done).await;
        recorded.call_with(None, json!({"payload": {}}), None, State::Failed).await;
        let statistics = recorded.calls().statistics(Filter::default()).await.unwrap();
        assert_eq!((statistics.all.calls, statistics.all.done, statistics.all.failed), (2, 1, 1));
        let route = &statistics.routes[&(Route::CreateData.into(), "res.partner".to_owned())];
        assert_eq!(route.calls, 2);
        assert_eq!(statistics.callers.keys().collect::<Vec<_>>(), ["", "webshop"]);
    }
}
