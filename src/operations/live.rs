//! Calls as they come in and end, for everyone who watches: one follower of the log for all of them.
//!
//! The follower runs only while somebody watches. It looks once a second, reads at most the last [`MOST`] bytes that are new, and
//! hands what it read to all; each watcher applies a filter of its own. A watcher that is too slow loses looks and is told so.
//!
//! Invariants: at most [`WATCHERS`] at a time, and [`KEPT`] looks that wait; the log is read on threads that may block.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::{
        OwnedSemaphorePermit, Semaphore,
        broadcast::{self, error::RecvError},
    },
    time::{self, MissedTickBehavior},
};
use uuid::Uuid;

use super::blocking;
use crate::log::{Archive, Call, CallState, Error, Filter, News, Place};

/// The most that watch at a time.
pub const WATCHERS: usize = 32;
/// How often the log is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// A look reads at most so many bytes.
const MOST: u64 = 512 << 10;
/// So many looks wait for a watcher that is slow.
const KEPT: usize = 4;
/// Of one look, a watcher gets at most so many calls.
const ROWS: usize = 50;
/// So many running calls are remembered for a watcher, to tell of their ends whatever its filter says of them.
const OPEN: usize = 1000;

/// Those that watch the log of a gateway, by one follower for all of them.
#[derive(Debug, Clone)]
pub struct Live(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    places: Arc<Semaphore>,
    /// The follower, while one runs.
    follower: Mutex<Option<broadcast::Sender<Arc<Look>>>>,
}

#[derive(Debug)]
struct Look {
    news: News,
    end: Place,
}

/// What a watcher is shown of one look.
#[derive(Debug)]
pub struct Shown {
    /// The latest first.
    pub calls: Vec<Call>,
    pub missed: Missed,
    /// Where the log is shown to.
    pub end: Place,
}

/// How many calls were left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    None,
    About(u64),
    /// Nobody can tell how many.
    Some,
}

impl Missed {
    fn of(count: Option<u64>) -> Self {
        match count {
            Some(0) => Self::None,
            Some(count) => Self::About(count),
            None => Self::Some,
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, missed) | (missed, Self::None) => missed,
            (Self::About(one), Self::About(other)) => Self::About(one.saturating_add(other)),
            _ => Self::Some,
        }
    }
}

/// Why somebody cannot watch.
#[derive(Debug, thiserror::Error)]
pub enum NotWatched {
    #[error("{WATCHERS} pages are live already; close one, or reload this page to see what is new")]
    TooMany,
    #[error(transparent)]
    Log(#[from] Error),
}

/// Somebody who watches.
#[derive(Debug)]
pub struct Watcher {
    looks: broadcast::Receiver<Arc<Look>>,
    filter: Filter,
    /// Calls that were shown as running.
    open: HashSet<Uuid>,
    /// What was added between the place from which this one watches and the follower's.
    first: Option<Shown>,
    seen: Place,
    _place: OwnedSemaphorePermit,
}

impl Live {
    /// Nobody watches the log in this folder yet.
    pub fn new(folder: &Path) -> Self {
        Self(Arc::new(Inner {
            folder: folder.to_owned(),
            places: Arc::new(Semaphore::new(WATCHERS)),
            follower: Mutex::default(),
        }))
    }

    /// Watches the calls that the filter admits, from a place on, or from now. `open` are those that are shown as running already.
    ///
    /// # Errors
    /// Too many watch, or the log cannot be read.
    pub async fn watch(&self, filter: Filter, from: Option<Place>, open: Vec<Uuid>) -> Result<Watcher, NotWatched> {
        let place = self.0.places.clone().try_acquire_owned().map_err(|_| NotWatched::TooMany)?;
        // First the follower, then what was before it: a line may be seen twice, and none is left out.
        let looks = self.follow().await?;
        let folder = self.0.folder.clone();
        let (news, seen) = blocking(move || {
            let archive = Archive::open(&folder)?;
            let now = archive.place()?;
            // A page may be older than the log, where that was begun anew.
            let mut place = from.filter(|from| *from <= now).unwrap_or(now);
            let news = archive.news(&mut place, MOST)?;
            Ok::<_, Error>((news, place))
        })
        .await?;
        let open = open.into_iter().take(OPEN).collect();
        let mut watcher = Watcher { looks, filter, open, first: None, seen, _place: place };
        watcher.first = Some(watcher.shown(&news, seen, Missed::None)).filter(Shown::is_something);
        Ok(watcher)
    }

    /// The looks of the follower, which begins where there is none.
    async fn follow(&self) -> Result<broadcast::Receiver<Arc<Look>>, Error> {
        if let Some(sender) = &*self.0.follower.lock() {
            return Ok(sender.subscribe());
        }
        let folder = self.0.folder.clone();
        let place = blocking(move || Archive::open(&folder)?.place()).await?;
        let mut follower = self.0.follower.lock();
        if let Some(sender) = &*follower {
            return Ok(sender.subscribe());
        }
        let (sender, receiver) = broadcast::channel(KEPT);
        *follower = Some(sender.clone());
        tokio::spawn(run(self.0.clone(), sender, place));
        Ok(receiver)
    }
}

/// Follows the log until nobody watches any more.
async fn run(inner: Arc<Inner>, sender: broadcast::Sender<Arc<Look>>, mut place: Place) {
    let mut looks = time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        {
            let mut follower = inner.follower.lock();
            // Under the lock, so that nobody subscribes to a follower that has ended.
            if sender.receiver_count() == 0 {
                *follower = None;
                return;
            }
        }
        let folder = inner.folder.clone();
        let look = blocking(move || {
            let mut end = place;
            let news = Archive::open(&folder)?.news(&mut end, MOST)?;
            Ok::<_, Error>(Look { news, end })
        });
        match look.await {
            Ok(look) => {
                place = look.end;
                if !look.news.is_empty() {
                    let _ = sender.send(Arc::new(look));
                }
            }
            // The next look tries again.
            Err(error) => tracing::warn!(%error, "the log cannot be read for the console"),
        }
    }
}

impl Shown {
    fn is_something(&self) -> bool {
        !self.calls.is_empty() || self.missed != Missed::None
    }
}

impl Watcher {
    /// What is new, as soon as there is something; `None` where there will be nothing any more.
    ///
    /// Nothing is lost where the wait is given up.
    pub async fn next(&mut self) -> Option<Shown> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let mut missed = Missed::None;
        loop {
            let look = match self.looks.recv().await {
                Ok(look) => look,
                Err(RecvError::Lagged(_)) => {
                    missed = Missed::Some;
                    continue;
                }
                Err(RecvError::Closed) => return None,
            };
            if look.end <= self.seen {
                continue;
            }
            self.seen = look.end;
            let shown = self.shown(&look.news, look.end, missed);
            if shown.is_something() {
                return Some(shown);
            }
        }
    }

    fn shown(&mut self, news: &News, end: Place, missed: Missed) -> Shown {
        let mut calls = news.calls(&self.filter, &self.open);
        let rest = calls.len().saturating_sub(ROWS) as u64;
        calls.truncate(ROWS);
        for call in &calls {
            if call.state != CallState::Running {
                self.open.remove(&call.id);
            } else if self.open.len() < OPEN {
                self.open.insert(call.id);
            }
        }
        Shown { calls, missed: missed.and(Missed::of(news.missed())).and(Missed::of(Some(rest))), end }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::{
        log::State,
        operations::recorded::{Recorded, end},
    };

    const SOON: Duration = Duration::from_secs(20);

    fn live(recorded: &Recorded) -> Live {
        Live::new(&recorded.config.log.directory)
    }

    async fn next(watcher: &mut Watcher) -> Shown {
        time::timeout(SOON, watcher.next()).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_call_is_shown_when_it_comes_in_and_again_when_it_ends() {
        let recorded = Recorded::new();
        recorded.call(State::Done).await;
        let mut watcher = live(&recorded).watch(Filter::default(), None, Vec::new()).await.unwrap();
        let (id, entry) = recorded.begin(Some("webshop"), json!({"payload": {}}), None).await;
        let came = next(&mut watcher).await;
        assert_eq!((came.calls.len(), came.calls[0].id, came.calls[0].state), (1, id, CallState::Running));
        end(entry, State::Failed).await;
        let ended = next(&mut watcher).await;
        assert_eq!((ended.calls[0].id, ended.calls[0].state), (id, CallState::Failed));
        assert_eq!(ended.missed, Missed::None);
        // To the millisecond, which its id has.
        assert_eq!(ended.calls[0].ts.as_millisecond(), came.calls[0].ts.as_millisecond());
    }

    #[tokio::test]
    async fn a_watcher_sees_what_its_filter_admits_and_the_ends_of_what_it_shows() {
        let recorded = Recorded::new();
        let (shown, entry) = recorded.begin(None, json!({"payload": {}}), None).await;
        let failed = Filter { state: Some(CallState::Failed), ..Filter::default() };
        let mut watcher = live(&recorded).watch(failed, None, vec![shown]).await.unwrap();
        recorded.call(State::Done).await;
        let id = recorded.call(State::Failed).await;
        end(entry, State::Done).await;
        let mut ids = HashSet::new();
        while ids.len() < 2 {
            ids.extend(next(&mut watcher).await.calls.iter().map(|call| (call.id, call.state)));
        }
        assert_eq!(ids, HashSet::from([(id, CallState::Failed), (shown, CallState::Done)]));
    }

    #[tokio::test]
    async fn what_came_since_a_page_was_made_is_shown_first() {
        let recorded = Recorded::new();
        let place = Archive::open(&recorded.config.log.directory).unwrap().place().unwrap();
        assert_eq!(place.to_string().parse::<Place>(), Ok(place));
        let id = recorded.call(State::Done).await;
        let live = live(&recorded);
        let mut watcher = live.watch(Filter::default(), Some(place), Vec::new()).await.unwrap();
        assert_eq!(next(&mut watcher).await.calls[0].id, id);
        // One that comes from another log is shown what is new from now on.
        let mut other = live.watch(Filter::default(), "99.7".parse().ok(), Vec::new()).await.unwrap();
        let id = recorded.call(State::Done).await;
        assert_eq!(next(&mut other).await.calls[0].id, id);
    }

    #[tokio::test]
    async fn of_very_much_the_last_is_shown_and_the_rest_is_told() {
        let recorded = Recorded::new();
        let place = Archive::open(&recorded.config.log.directory).unwrap().place().unwrap();
        for _ in 0..2 * ROWS {
            recorded.call(State::Done).await;
        }
        let last = recorded.call(State::Done).await;
        let mut watcher = live(&recorded).watch(Filter::default(), Some(place), Vec::new()).await.unwrap();
        let shown = next(&mut watcher).await;
        assert_eq!((shown.calls.len(), shown.calls[0].id), (ROWS, last));
        assert_eq!(shown.missed, Missed::About(ROWS as u64 + 1));
        // Of a few bytes, the last line.
        let archive = Archive::open(&recorded.config.log.directory).unwrap();
        let news = archive.news(&mut place.clone(), 4 << 10).unwrap();
        assert!(news.missed().unwrap() > 50, "{news:?}");
        assert_eq!(news.calls(&Filter::default(), &HashSet::new())[0].id, last);
    }

    #[tokio::test]
    async fn the_follower_ends_with_the_last_watcher_and_begins_anew() {
        let recorded = Recorded::new();
        let live = live(&recorded);
        let watch = async || live.watch(Filter::default(), None, Vec::new()).await;
        let mut watchers = Vec::new();
        for _ in 0..WATCHERS {
            watchers.push(watch().await.unwrap());
        }
        assert!(matches!(watch().await, Err(NotWatched::TooMany)));
        drop(watchers);
        let ended = async {
            while live.0.follower.lock().is_some() {
                time::sleep(Duration::from_millis(20)).await;
            }
        };
        time::timeout(SOON, ended).await.unwrap();
        let mut watcher = watch().await.unwrap();
        let id = recorded.call(State::Done).await;
        assert_eq!(next(&mut watcher).await.calls[0].id, id);
    }
}
