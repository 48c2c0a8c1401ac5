//! The page of a work: how far it has come, live, its end with a summary, and its stop.

use std::{convert::Infallible, sync::Arc, time::Duration};

use askama::Template;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame as BodyFrame;
use tokio::{
    sync::watch,
    time::{self, Instant},
};

use crate::{
    console::{
        visit::{Place, Shown, Visit},
        words,
    },
    operations::replay::{Kind, LISTED, Outcome, Progress, Work},
    web::{Frame, page as whole, page::secure, redirect, show},
};

/// No more events than one in this time.
const PACE: Duration = Duration::from_millis(300);
/// A silent stream shows that it is alive.
const BEAT: Duration = Duration::from_secs(15);
/// The browser asks again after this, and is known anew.
const LONGEST: Duration = Duration::from_secs(600);

#[derive(Template)]
#[template(path = "again_work.html")]
struct WorkPage<'w> {
    frame: Frame,
    inner: Inner<'w>,
    is_operator: bool,
}

/// What changes while the work goes on.
#[derive(Template)]
#[template(path = "again_progress.html")]
struct Inner<'w> {
    work: &'w Work,
    progress: Progress,
}

impl Inner<'_> {
    fn title(&self) -> String {
        let what = if self.work.order.dry_run { "Dry run" } else { "Run again" };
        match self.progress.ended {
            None => format!("{what}: {} of {}", self.progress.turned(), self.progress.all),
            Some(_) => format!("{what}: ended"),
        }
    }

    fn words(&self, outcome: &Outcome) -> &'static str {
        outcome.kind().words(self.work.order.dry_run)
    }

    fn is_cut(&self) -> bool {
        self.progress.turned() > LISTED
    }
}

fn work_of(visit: &Visit<'_>, number: &str) -> Result<Arc<Work>, crate::web::Problem> {
    let work = number.parse().ok().and_then(|number| visit.console.works.get(number));
    work.ok_or_else(|| {
        let words = "This gateway has no such work any more. The list of calls has what was sent.";
        crate::web::Problem::new(StatusCode::NOT_FOUND, "Not found", words)
    })
}

pub(super) fn page(visit: &Visit<'_>, number: &str) -> Shown {
    let work = work_of(visit, number)?;
    let inner = Inner { work: &work, progress: work.progress() };
    let frame = visit.frame("Run several again", Place::Calls);
    Ok(whole(StatusCode::OK, &WorkPage { frame, inner, is_operator: visit.is_operator() }))
}

pub(super) fn stop(visit: &Visit<'_>, number: &str) -> Shown {
    let work = work_of(visit, number)?;
    tracing::info!(by = visit.who(), work = work.number, "a work is stopped");
    work.stop();
    Ok(redirect(&format!("/again/works/{}", work.number)))
}

/// `progress` whenever a call has had its turn, and `end`.
pub(super) fn events(visit: &Visit<'_>, number: &str) -> Shown {
    let work = work_of(visit, number)?;
    let (changes, until) = (work.watch(), Instant::now() + LONGEST);
    let events = Events { changes, work, until, is_begun: false, has_ended: false };
    let events = stream::unfold(events, |mut events| async move {
        let event = events.next().await?;
        Some((Ok::<_, Infallible>(BodyFrame::data(Bytes::from(event))), events))
    });
    let body = StreamBody::new(events).map_err(|never| match never {}).boxed_unsync();
    let mut response = http::Response::new(body);
    secure(&mut response);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

struct Events {
    work: Arc<Work>,
    changes: watch::Receiver<Progress>,
    until: Instant,
    is_begun: bool,
    has_ended: bool,
}

impl Events {
    async fn next(&mut self) -> Option<String> {
        if self.has_ended || Instant::now() >= self.until {
            return None;
        }
        if self.is_begun {
            time::sleep(PACE).await;
            match time::timeout(BEAT, self.changes.changed()).await {
                Err(_) => return Some(": alive\n\n".to_owned()),
                Ok(Err(_)) => return None,
                Ok(Ok(())) => {}
            }
        }
        self.is_begun = true;
        let progress = self.changes.borrow_and_update().clone();
        self.has_ended = progress.ended.is_some();
        let inner = Inner { work: &self.work, progress };
        let name = if self.has_ended { "end" } else { "progress" };
        Some(event(name, &inner.render().unwrap_or_default()))
    }
}

/// An event of a stream (HTML Living Standard, section 9.2.5).
fn event(name: &str, data: &str) -> String {
    let lines: String = data.lines().map(|line| format!("data: {line}\n")).collect();
    format!("event: {name}\n{lines}\n")
}
