//! `odoo-gateway queue`: the store of keys and queued calls, for people. The rules are in [`crate::operations::queue`].

mod change;
mod pauses;
mod show;
mod stats;

use std::{io::Write, process::ExitCode};

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Configured,
    log::{calls, list::route_in, show::the_one},
    terminal::{
        self, Room, Rows, View,
        ids::ShortIds,
        mark,
        pager::Out,
        style::BAD,
        table::{Cell, Column, Table},
    },
};
use crate::{
    config::{self},
    operations::{
        filter,
        near::did_you_mean,
        queue::{Done, Queue},
    },
    route::Route,
    store::{Delivery, Filter, State, StoredCall},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List calls, the oldest first: those that wait, and those that wait for a person
    Ls(Ls),
    /// Show one call: state, attempts, lane and answer
    Show(show::Show),
    /// Have dead calls tried again, in their order, and waiting ones without delay
    Retry(change::Retry),
    /// Take calls out of the queue for good; their idempotency keys are free again
    Drop(change::Drop),
    /// Let the calls of a client wait
    Pause(pauses::Pause),
    /// Let the calls of a client go on
    Resume(pauses::Resume),
    /// Count the calls of each client, with the oldest age and blocked keys
    Stats(stats::Stats),
}

pub(super) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    let mut out = Out::direct();
    let code = match command {
        Command::Ls(args) => args.run().await,
        Command::Show(args) => args.run(&mut out).await,
        Command::Retry(args) => args.run(&mut out).await,
        Command::Drop(args) => args.run(&mut out).await,
        Command::Pause(args) => args.run(&mut out).await,
        Command::Resume(args) => args.run(&mut out).await,
        Command::Stats(args) => args.run().await,
    }?;
    out.finish()?;
    Ok(code)
}

async fn open(configured: &Configured) -> anyhow::Result<Queue> {
    Ok(Queue::open(&configured.load()?).await?)
}

/// The id that is meant by it or by a part of it, as a list shows it. The log has the ids of all calls in the store.
async fn whole_id(configured: &Configured, part: &str) -> anyhow::Result<Uuid> {
    match part.parse() {
        Ok(id) => Ok(id),
        Err(_) => Ok(the_one(&calls(configured)?, part).await?.id),
    }
}

/// What was done; says where the log has no record of it.
fn told<T>(done: Done<T>) -> T {
    if let Err(error) = done.recorded {
        let error = format!("{:#}", anyhow::Error::from(error));
        eprintln!("it is done, but the log has no record of who did it: {}", terminal::plain(&error));
    }
    done.what
}

/// Which calls are meant.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which calls")]
struct Which {
    /// The name of a [[client]]
    #[arg(long)]
    client: Option<String>,
    /// An Odoo model, such as sale.order
    #[arg(long)]
    model: Option<String>,
    /// One of the routes, such as create_data
    #[arg(long, value_parser = route)]
    route: Option<Route>,
    /// running, queued, done, dead, in-doubt or dropped; may be given several times
    #[arg(long, value_parser = state)]
    state: Vec<State>,
    /// The code of the last error, such as no_match
    #[arg(long, value_name = "CODE", value_parser = filter::error)]
    error: Option<String>,
    /// An idempotency key
    #[arg(long)]
    key: Option<String>,
    /// An ordering key, as `queue show` tells it
    #[arg(long)]
    lane: Option<String>,
    /// Accepted longer ago than this, such as 90m or 3d
    #[arg(long, value_name = "SPAN", value_parser = age)]
    older_than: Option<i64>,
    /// Only calls that wait for an earlier one of their ordering key
    #[arg(long)]
    blocked: bool,
}

impl Which {
    fn is_any(&self) -> bool {
        let Self { client, model, route, state, error, key, lane, older_than, blocked } = self;
        let texts = [client, model, error, key, lane];
        texts.iter().any(|text| text.is_some())
            || route.is_some()
            || !state.is_empty()
            || older_than.is_some()
            || *blocked
    }

    fn filter(&self, ids: &[Uuid], now: i64) -> Filter {
        let Self { client, model, route, state, error, key, lane, older_than, blocked } = self.clone();
        Filter {
            ids: ids.to_vec(),
            states: state,
            client,
            model,
            route: route.map(|route| route.name().to_owned()),
            error,
            lane,
            key,
            before: older_than.map(|age| now.saturating_sub(age)),
            is_blocked: blocked,
        }
    }
}

fn route(text: &str) -> Result<Route, String> {
    let name = text.strip_prefix("/api/").unwrap_or(text);
    Route::ALL.into_iter().find(|route| route.name() == name).ok_or_else(|| {
        let known = Route::ALL.map(|route| route.name());
        format!("the routes are {}{}", known.join(", "), did_you_mean(name, known))
    })
}

fn state(text: &str) -> Result<State, String> {
    const NAMES: [&str; 6] = ["running", "queued", "done", "dead", "in-doubt", "dropped"];
    State::named(&text.replace('-', "_")).ok_or_else(|| {
        format!("a call is running, queued, done, dead, in-doubt or dropped{}", did_you_mean(text, NAMES))
    })
}

/// Milliseconds.
fn age(text: &str) -> Result<i64, String> {
    let span = config::days(text).map_err(|_| format!("`{text}` is no span of time; give 90m, 2h or 3d"))?;
    i64::try_from(span.as_millis()).map_err(|_| "that is longer than time can be counted".to_owned())
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  odoo-gateway queue ls --state dead --client webshop\n  odoo-gateway queue ls --blocked --older-than 1h --json"
)]
pub(super) struct Ls {
    #[command(flatten)]
    configured: Configured,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    rows: Rows,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    view: View,
}

impl Ls {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let queue = open(&self.configured).await?;
        let mut filter = self.which.filter(&[], queue.now());
        if filter.states.is_empty() {
            // What has ended well is the log's.
            filter.states = vec![State::Running, State::Queued, State::Dead, State::InDoubt];
        }
        let calls = queue.calls(&filter, self.rows.limit()).await?;
        if self.json {
            for call in &calls {
                println!("{}", facts(call));
            }
            return Ok(ExitCode::SUCCESS);
        }
        if calls.is_empty() {
            let ended = if self.which.state.is_empty() { "; --state done lists those that have ended" } else { "" };
            eprintln!("no call in the store is like that{ended}");
            return Ok(ExitCode::SUCCESS);
        }
        let mut out = Out::paged(self.view.paging);
        write!(out, "{}", list(&calls, queue.now(), self.view.room()))?;
        if self.rows.limit() == Some(calls.len()) {
            out.note(&format!("{} calls; -n or --all shows more", calls.len()))?;
        }
        out.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}

fn list(calls: &[StoredCall], now: i64, room: Room) -> String {
    let ids = ShortIds::of(room, calls.iter().map(|call| call.id));
    let mut table = Table::new([
        Column::new("ID"),
        Column::new("STATE"),
        Column::new("AGE").right(),
        Column::new("TRY").right(),
        Column::new("CLIENT").least(8).if_any(),
        Column::new("HOOK").least(8).if_any(),
        Column::new("ROUTE").rank(2).least(6),
        Column::new("MODEL").least(11).if_any(),
        Column::new("ERROR").least(12).if_any(),
        Column::new("DELIVERY").rank(1).least(10).if_any(),
        Column::new("KEY").rank(3).least(10).if_any(),
    ]);
    for call in calls {
        let (hook, delivery) = match &call.delivery {
            Some(Delivery { hook, id }) => (&**hook, id.as_deref().unwrap_or_default()),
            None => ("", ""),
        };
        let (sign, style) = mark::of_stored(call.state);
        let state = if call.is_held { "held" } else { call.state.as_str() };
        table.row([
            Cell::from(ids.show(call.id)),
            Cell::styled(style, format!("{sign} {state}")),
            Cell::from(span(now.saturating_sub(call.accepted))),
            Cell::from(call.attempts.to_string()),
            Cell::from(call.client.as_deref().unwrap_or_default()),
            Cell::from(hook),
            Cell::from(route_in(room, &call.route)),
            Cell::from(&*call.model),
            Cell::styled(BAD, call.error.as_deref().unwrap_or_default()),
            Cell::from(delivery),
            Cell::from(call.key.as_deref().unwrap_or_default()),
        ]);
    }
    table.shown(room)
}

/// An age or a delay in its largest unit.
fn span(millis: i64) -> String {
    let seconds = millis.max(0) / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A call as JSON, without its outcome.
fn facts(call: &StoredCall) -> Value {
    let time = |millis: i64| Timestamp::from_millisecond(millis).map(|time| time.to_string()).ok();
    json!({
        "id": call.id.to_string(), "state": call.state.as_str(), "held": call.is_held, "attempts": call.attempts,
        "client": call.client, "caller": call.caller, "key": call.key, "route": call.route, "model": call.model,
        "lane": call.lane, "error": call.error, "accepted": time(call.accepted), "due": call.due.and_then(time),
        "last_attempt": call.last_attempt.and_then(time), "closed": call.closed.and_then(time),
        "hook": call.delivery.as_ref().map(|delivery| &delivery.hook),
        "delivery_id": call.delivery.as_ref().and_then(|delivery| delivery.id.as_ref()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_list_has_80_columns_at_most() {
        let call = StoredCall {
            seq: 1,
            id: Uuid::nil(),
            caller: "client a-very-long-name".to_owned(),
            client: Some("a-very-long-name".to_owned()),
            key: None,
            route: "create_data".to_owned(),
            model: "a.very.long.model.name".to_owned(),
            lane: None,
            state: State::InDoubt,
            attempts: 123,
            error: Some("a_very_long_code_of_an_error".to_owned()),
            accepted: 0,
            closed: None,
            last_attempt: None,
            due: None,
            is_held: false,
            delivery: None,
            progress: None,
            outcome: None,
        };
        let delivery = Delivery { hook: "a/very/deep/hook".to_owned(), id: Some("an-id-of-its-senders".to_owned()) };
        let delivered = StoredCall { delivery: Some(delivery), ..call.clone() };
        for calls in [&[call.clone()][..], &[call.clone(), delivered]] {
            let listed = list(calls, 365 * 86_400_000, Room::Columns(80));
            let listed = anstream::adapter::strip_str(&listed).to_string();
            assert!(listed.lines().all(|line| line.chars().count() <= 80), "{listed}");
        }
    }

    #[test]
    fn ages_are_told_in_their_largest_unit() {
        let told = [0, 59_999, 60_000, 7_200_000, 3 * 86_400_000, -5].map(span);
        assert_eq!(told, ["0s", "59s", "1m", "2h", "3d", "0s"]);
        assert_eq!((age("90m"), age("3d")), (Ok(5_400_000), Ok(259_200_000)));
        assert!(age("soon").unwrap_err().contains("is no span of time"));
    }
}
