//! Calls as they come in and end, as server-sent events (HTML Living Standard, section 9.2) with rows of the list.
//!
//! `rows` has table rows, the latest first; `missed` has about how many calls were left out, or `some`; a comment every quarter of
//! a minute shows that the connection is alive. The id of an event is the place in the log from which a page goes on (`at`). The
//! stream is read as fast as the browser takes it: one that is slow is told what it has missed, and the listener closes one that
//! takes nothing. It ends when the gateway stops, and when the person is not signed in any more.

use std::{fmt::Write, time::Duration};

use askama::Template;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body;
use tokio::time::{self, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{
    calls::{
        records::OdooLinks,
        row::{Row, Rows},
    },
    session::SignedIn,
    visit::{Shown, Visit},
};
use crate::{
    log,
    operations::{
        filter::filter_of,
        live::{self, Missed, NotWatched, Watcher},
    },
    web::{Problem, page::secure},
};

/// How often a silent stream shows that it is alive, and looks whether its person is signed in.
const BEAT: Duration = Duration::from_secs(15);

pub(super) async fn answer(visit: &Visit<'_>) -> Shown {
    let Ok(filter) = filter_of(|name| visit.query.given(name)) else {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "Not live", "Some filters cannot be read."));
    };
    let from = visit.query.given("at").and_then(|place| place.parse::<log::Place>().ok());
    let open = visit.query.text("open").split(',').filter_map(|id| id.parse().ok()).collect();
    let watcher = visit.console.live.watch(filter, from, open).await.map_err(|error| {
        let status = match error {
            NotWatched::TooMany => StatusCode::SERVICE_UNAVAILABLE,
            NotWatched::Log(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Problem::new(status, "Not live", error.to_string())
    })?;
    let mut beat = time::interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let events = Events {
        watcher,
        links: OdooLinks::of(visit),
        signed_in: visit.signed_in(),
        stop: visit.site.proxy.stop(),
        beat,
    };
    let events = stream::unfold(events, |mut events| async move {
        let event = events.next().await?;
        Some((Ok(body::Frame::data(Bytes::from(event))), events))
    });
    let mut response = http::Response::new(StreamBody::new(events).boxed_unsync());
    secure(&mut response);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // A proxy in front must not gather events (nginx, ngx_http_proxy_module, `proxy_buffering`).
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// A stream of events.
struct Events {
    watcher: Watcher,
    links: OdooLinks,
    signed_in: SignedIn,
    stop: CancellationToken,
    beat: Interval,
}

impl Events {
    /// The next event, as it is sent; `None` at the end.
    async fn next(&mut self) -> Option<String> {
        let shown = tokio::select! {
            biased;
            () = self.stop.cancelled() => return None,
            shown = self.watcher.next() => Some(shown?),
            _ = self.beat.tick() => None,
        };
        if !self.signed_in.is_still() {
            return None;
        }
        Some(match shown {
            Some(shown) => self.events(&shown),
            None => ":\n\n".to_owned(),
        })
    }

    fn events(&self, shown: &live::Shown) -> String {
        let id = shown.end.to_string();
        let mut events = String::new();
        if !shown.calls.is_empty() {
            let rows = shown.calls.iter().map(|call| Row::of(call, &self.links)).collect();
            // Its parts are texts and numbers, so that it can be rendered.
            let rows = Rows { rows }.render().unwrap_or_default();
            events += &event("rows", &id, &rows);
        }
        match shown.missed {
            Missed::None => {}
            Missed::About(number) => events += &event("missed", &id, &number.to_string()),
            Missed::Some => events += &event("missed", &id, "some"),
        }
        events
    }
}

/// One event. Each line of its data has a field of its own, whichever sign ends it.
fn event(name: &str, id: &str, data: &str) -> String {
    let mut event = format!("event: {name}\nid: {id}\n");
    for line in data.split(['\n', '\r']).filter(|line| !line.is_empty()) {
        let _ = writeln!(event, "data: {line}");
    }
    event + "\n"
}

#[cfg(test)]
mod tests {
    use super::event;

    #[test]
    fn no_data_ends_an_event_or_begins_another_one() {
        let event = event("rows", "1.5", "<tr>\r\nevent: x\n\n</tr>");
        assert_eq!(event, "event: rows\nid: 1.5\ndata: <tr>\ndata: event: x\ndata: </tr>\n\n");
    }
}
