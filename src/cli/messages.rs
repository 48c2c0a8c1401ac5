//! What the program says on standard error while it works: messages, and of `serve` a line for each call.
//!
//! What `serve` says goes through a thread of its own and a short queue: where the reader is slow, lines are left out and counted,
//! and no call ever waits for them. The interface log has every call all the same. Other commands write at once.

mod place;

use std::{
    fmt,
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use clap::ValueEnum;
use jiff::Timestamp;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, LevelFilter, filter_fn},
    fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter, format::Writer},
    layer::{Filter, SubscriberExt},
    registry::LookupSpan,
    util::SubscriberInitExt,
};

pub(super) use self::place::Place;
use super::terminal::{Room, ids::short_text, line::Told};
use crate::{
    key_texts::{Masked, mask_keys},
    log::{CALLS, CallState},
    operations::filter,
};

/// So many lines wait for their reader.
const LINES: usize = 1024;
/// So many bytes of them are written at once.
const BATCH: usize = 64 << 10;
/// Between two writes there is this long. Lines that come meanwhile are written together: under load, a write and a wake-up for
/// each would cost more than all else about them.
const PACE: Duration = Duration::from_millis(2);
/// What is left of them at the end of the process gets this long.
const LAST_WAIT: Duration = Duration::from_millis(500);

/// How the program says on standard error what it does.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Messages {
    /// `json` for `serve` where standard error is neither a terminal nor the journal of systemd; else `text`
    Auto,
    /// A line of words for each; on a terminal `serve` adds a line for each call
    Text,
    /// A JSON object for each, for a collector of logs; `serve` adds one for each call
    Json,
}

/// Which lines of calls there are.
enum Calls {
    None,
    ForPerson,
    Json,
}

/// Begins to write messages to this place, and of `serve` lines of calls. The guard waits for the last of them.
pub(super) fn start(messages: Messages, is_serve: bool, place: Place) -> Option<Guard> {
    let is_terminal = place.is_terminal();
    let is_json = match messages {
        Messages::Json => true,
        Messages::Text => false,
        Messages::Auto => is_serve && !is_terminal && !(place.is_standard_error() && is_journal()),
    };
    let calls = match (is_serve, is_json, is_terminal) {
        (true, true, _) => Calls::Json,
        (true, false, true) => Calls::ForPerson,
        _ => Calls::None,
    };
    let is_call = || filter_fn(|metadata| metadata.target() == CALLS);
    if !is_serve {
        let said = tracing_subscriber::fmt::layer().with_writer(move || Masked(place.clone())).with_ansi(is_terminal);
        let said = if is_json { said.json().boxed() } else { said.boxed() };
        tracing_subscriber::registry().with(said.with_filter(levels().and(is_call().not()))).init();
        return None;
    }
    let (lines, guard) = Lines::start(place);
    let said = tracing_subscriber::fmt::layer().with_writer(lines.clone()).with_ansi(is_terminal);
    let said = if is_json { said.json().boxed() } else { said.boxed() };
    let told = tracing_subscriber::fmt::layer().with_writer(lines).with_ansi(is_terminal);
    let of_calls = match calls {
        Calls::None => None,
        Calls::ForPerson => Some(told.event_format(ForPerson { is_terminal }).boxed()),
        Calls::Json => Some(told.json().with_current_span(false).with_span_list(false).boxed()),
    };
    tracing_subscriber::registry()
        .with(said.with_filter(levels().and(is_call().not())))
        .with(of_calls.map(|layer| layer.with_filter(levels().and(is_call()))))
        .init();
    Some(guard)
}

/// Which messages there are: by `RUST_LOG`, else from `info` on. A filter of spans, which that may be, costs each call more than
/// one of levels.
fn levels<S>() -> Box<dyn Filter<S> + Send + Sync> {
    match EnvFilter::try_from_default_env() {
        Ok(named) => Box::new(named),
        Err(_) => Box::new(LevelFilter::INFO),
    }
}

/// Whether standard error is the journal: systemd tells its device and its number.
fn is_journal() -> bool {
    let told = std::env::var("JOURNAL_STREAM").ok();
    let told = told.as_deref().and_then(|told| told.split_once(':'));
    let told = told.and_then(|(device, inode)| Some((device.parse::<u64>().ok()?, inode.parse::<u64>().ok()?)));
    let is = rustix::fs::fstat(io::stderr()).ok().map(|stat| (stat.st_dev, stat.st_ino));
    told.is_some() && told == is
}

/// The door to the thread that writes what `serve` says.
#[derive(Clone)]
struct Lines {
    queue: SyncSender<Order>,
    left_out: Arc<AtomicU64>,
}

enum Order {
    Write(Vec<u8>),
    /// All before it has been written.
    Tell(SyncSender<()>),
}

/// Waits for the last lines when it is dropped.
pub(super) struct Guard(SyncSender<Order>);

impl Drop for Guard {
    fn drop(&mut self) {
        let (tell, told) = sync_channel(1);
        if self.0.try_send(Order::Tell(tell)).is_ok() {
            let _ = told.recv_timeout(LAST_WAIT);
        }
    }
}

impl Lines {
    fn start(place: Place) -> (Self, Guard) {
        let (queue, orders) = sync_channel(LINES);
        let left_out = Arc::<AtomicU64>::default();
        let counted = left_out.clone();
        // Without the thread, lines are left out.
        let _ = thread::Builder::new().name("messages".to_owned()).spawn(move || write_lines(place, &orders, &counted));
        (Self { queue: queue.clone(), left_out }, Guard(queue))
    }
}

#[expect(clippy::disallowed_methods, reason = "it is this thread that is to wait")]
fn write_lines(mut place: Place, orders: &Receiver<Order>, left_out: &AtomicU64) {
    let (mut told, mut lines) = (0, Vec::new());
    while let Ok(first) = orders.recv() {
        let end = take_lines(first, orders, &mut lines);
        let _ = place.write_all(mask_keys(&String::from_utf8_lossy(&lines)).as_bytes());
        lines.clear();
        match end {
            Some(tell) => drop(tell.send(())),
            None => thread::sleep(PACE),
        }
        let all = left_out.load(Ordering::Relaxed);
        if all > told {
            tracing::warn!(lines = all - told, "lines were left out here: what the gateway says is read too slowly");
            told = all;
        }
    }
}

/// Takes the lines that wait; whom to tell when they are written, where somebody wants to know.
fn take_lines(first: Order, orders: &Receiver<Order>, lines: &mut Vec<u8>) -> Option<SyncSender<()>> {
    let mut next = Some(first);
    while let Some(order) = next {
        match order {
            Order::Write(line) => lines.extend_from_slice(&line),
            Order::Tell(tell) => return Some(tell),
        }
        next = if lines.len() < BATCH { orders.try_recv().ok() } else { None };
    }
    None
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.queue.try_send(Order::Write(line.to_vec())).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Lines {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

/// A call as [`Told`] shows it.
struct ForPerson {
    is_terminal: bool,
}

impl<S, N> FormatEvent<S, N> for ForPerson
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut ended = Ended::default();
        event.record(&mut ended);
        let told = Told {
            ts: Timestamp::now(),
            id: short_text(&ended.id).into(),
            state: ended.state.unwrap_or(CallState::Running),
            route: ended.route.into(),
            model: ended.model.into(),
            ms: Some(ended.ms),
            caller: ended.caller.into(),
            warnings: ended.warnings,
            error: ended.error.into(),
            message: ended.message.into(),
        };
        let line = told.shown(if self.is_terminal { Room::of_stderr() } else { Room::Unlimited });
        if out.has_ansi_escapes() {
            writeln!(out, "{line}")
        } else {
            writeln!(out, "{}", anstream::adapter::strip_str(&line))
        }
    }
}

/// The fields of the event.
#[derive(Default)]
struct Ended {
    id: String,
    state: Option<CallState>,
    route: String,
    model: String,
    ms: f64,
    caller: String,
    warnings: u32,
    error: String,
    message: String,
}

impl Visit for Ended {
    fn record_str(&mut self, field: &Field, value: &str) {
        let text = match field.name() {
            "id" => &mut self.id,
            "route" => &mut self.route,
            "model" => &mut self.model,
            "caller" => &mut self.caller,
            "error" => &mut self.error,
            "message" => &mut self.message,
            "state" => {
                self.state = filter::state(value).ok();
                return;
            }
            _ => return,
        };
        value.clone_into(text);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "ms" {
            self.ms = value;
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "warnings" {
            self.warnings = u32::try_from(value).unwrap_or(u32::MAX);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
