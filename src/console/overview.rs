//! The overview: what needs a person first, how many calls there were and how they ended, and how Odoo, log and store are.
//!
//! Its middle part is fetched again every ten seconds. All readers share what is counted ([`Overviews`]) and what is asked of
//! Odoo, queue and log ([`Facts`]), so that many open consoles cost as much as one.

mod chart;

use std::{sync::Arc, time::Instant};

use askama::Template;
use http::StatusCode;
use tokio::sync::Mutex;

use self::chart::{Bars, Lines};
use super::visit::{Place, Shown, Visit};
use crate::{
    operations::{
        overview::{Cause, Counted, Groups, Overview, Overviews, Slot, Window},
        status::{
            facts::{FRESH, Facts, SHARE, STALE},
            needs::{self, Need},
        },
    },
    web::{Form, Frame, Problem, page as whole, show},
};

/// What all readers of the overview share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    overviews: Mutex<Option<Overviews>>,
    /// With the time until which they are shared.
    facts: Mutex<Option<(Arc<Facts>, Instant)>>,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    window: Window,
    overview: Arc<Overview>,
    bars: Bars,
    lines: Lines,
    parts: [Part; 3],
    needs: Vec<Need>,
    facts: Arc<Facts>,
}

/// Calls by something.
struct Part {
    title: &'static str,
    /// The condition of the list that selects one of them.
    field: &'static str,
    /// What calls have that have no name.
    nameless: &'static str,
    groups: Groups,
}

pub(super) async fn page(visit: &Visit<'_>) -> Shown {
    let window = Window::named(visit.query.text("window")).unwrap_or_default();
    let overviews = visit.console.overview.overviews(visit).await?;
    let overview = overviews.of(window).await.map_err(unreadable)?;
    let day = overviews.of(Window::Day).await.map_err(unreadable)?;
    let facts = visit.console.overview.facts(visit).await?;
    let frame = visit.frame("Overview", Place::Overview);
    Ok(whole(StatusCode::OK, &OverviewPage::new(frame, overview, &day, facts, visit)))
}

fn unreadable(error: crate::log::Error) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "The log cannot be read", error.to_string())
}

impl Shared {
    async fn overviews(&self, visit: &Visit<'_>) -> Result<Overviews, Problem> {
        let mut overviews = self.overviews.lock().await;
        match &*overviews {
            Some(overviews) => Ok(overviews.clone()),
            None => Ok(overviews.insert(Overviews::new(visit.calls()?)).clone()),
        }
    }

    async fn facts(&self, visit: &Visit<'_>) -> Result<Arc<Facts>, Problem> {
        let mut facts = self.facts.lock().await;
        match &*facts {
            Some((facts, until)) if Instant::now() < *until => Ok(facts.clone()),
            _ => {
                let (calls, begun) = (visit.calls()?, Instant::now());
                let new = Arc::new(Facts::of(&visit.site.calls, &calls).await.map_err(unreadable)?);
                let pause = FRESH.max(begun.elapsed() * SHARE).min(STALE);
                *facts = Some((new.clone(), Instant::now() + pause));
                Ok(new)
            }
        }
    }
}

impl OverviewPage {
    fn new(frame: Frame, overview: Arc<Overview>, day: &Overview, facts: Arc<Facts>, visit: &Visit<'_>) -> Self {
        let parts = [
            Part { title: "Routes", field: "route", nameless: "unknown", groups: overview.routes.clone() },
            Part { title: "Models", field: "model", nameless: "no model", groups: overview.models.clone() },
            Part { title: "Clients", field: "caller", nameless: "unknown caller", groups: overview.callers.clone() },
        ];
        Self {
            frame,
            window: overview.window,
            bars: Bars::of(&overview),
            lines: Lines::of(&overview),
            parts,
            needs: needs::of(&facts, day, visit.config()),
            overview,
            facts,
        }
    }

    /// The window in words, behind "in the last".
    fn span(&self) -> &'static str {
        match self.window {
            Window::Hour => "hour",
            Window::Day => "24 hours",
            Window::Week => "7 days",
        }
    }

    fn share(&self) -> String {
        share(&self.overview.all)
    }

    fn took(&self, counted: &Counted, which: usize) -> String {
        counted.took.map_or_else(|| "–".to_owned(), |took| show::milliseconds(&took[which]))
    }

    fn time(&self, slot: &Slot) -> String {
        chart::time(slot, self.window)
    }

    fn all_calls(&self) -> String {
        self.list(&[])
    }

    fn failed_calls(&self) -> String {
        self.list(&[("state", "failed")])
    }

    fn doubtful_calls(&self) -> String {
        self.list(&[("state", "in-doubt")])
    }

    fn cause_calls(&self, cause: &Cause) -> String {
        // A call that got no end has no error.
        let state = if cause.error.is_empty() { "in-doubt" } else { "" };
        self.list(&[("error", &cause.error), ("model", &cause.model), ("state", state)])
    }

    fn link(&self, part: &Part, name: &str) -> String {
        self.list(&[(part.field, name)])
    }

    /// The list of calls of the window with these conditions.
    fn list(&self, conditions: &[(&str, &str)]) -> String {
        let all = conditions.iter().filter(|(_, text)| !text.is_empty());
        let form = all.fold(Form::default(), |form, (field, text)| form.with(field, *text));
        format!("/calls?{}", form.with("since", self.window.name()).to_query())
    }
}

/// How many of a hundred calls failed.
fn share(counted: &Counted) -> String {
    match (counted.failed, counted.calls) {
        (0, _) | (_, 0) => "0 %".to_owned(),
        (failed, calls) => {
            let share = 100.0 * failed as f64 / calls as f64;
            if share < 0.1 { "< 0.1 %".to_owned() } else { format!("{share:.1} %") }
        }
    }
}
