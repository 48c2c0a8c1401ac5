//! Calls of the log in a table, and how their states are told.

use super::terminal::{
    Room, cut,
    ids::ShortIds,
    mark::{self, WARNING},
    style::{BAD, WARN},
    table::{Cell, Column, Table},
    time::Times,
};
use crate::log::{Call, CallState, RecordedRoute};

/// A terminal of so many columns has room for whole names.
const ROOMY: usize = 110;

/// So many records of a call are named.
const RECORDS: usize = 4;

/// A table with a line for each call.
pub(in crate::cli) fn list(calls: &[Call], room: Room) -> String {
    let times = Times::of(room);
    let ids = ShortIds::of(room, calls.iter().map(|call| call.id));
    let mut table = Table::new([
        Column::new(times.head("TIME", calls.iter().map(|call| call.ts))),
        Column::new("ID"),
        Column::new("STATE"),
        Column::new("ROUTE").rank(1).least(6),
        Column::new("MODEL").least(11),
        Column::new("ERROR").least(14).if_any(),
        Column::new("CALLER").rank(2).least(7),
        Column::new("HOOK").rank(3).least(8).if_any(),
        Column::new("MS").rank(4).right(),
        Column::new("RECORDS").rank(5).least(10).if_any(),
        Column::new("DELIVERY").rank(6).least(10).if_any(),
        Column::new("MESSAGE").rank(7).least(20).if_any(),
    ]);
    for call in calls {
        // A request that was passed on has no model, but a method and a path.
        let is_request = call.model.is_empty() && call.route == RecordedRoute::Passed;
        let (subject, message) = if is_request { (&call.message, "") } else { (&call.model, &*call.message) };
        // Behind the code there is room for the beginning of the sentence, where the sentence has no column of its own.
        let (error, message) = match room.is_unlimited() || call.error.is_empty() || message.is_empty() {
            true => (call.error.clone(), message),
            false => (format!("{}: {message}", call.error), ""),
        };
        table.row([
            Cell::from(times.show(call.ts)),
            Cell::from(ids.show(call.id)),
            state_cell(call, room),
            Cell::from(route_in(room, call.route.name())),
            Cell::from(subject.clone()),
            Cell::styled(if call.state == CallState::Failed { BAD } else { WARN }, error),
            Cell::from(call.caller()),
            Cell::from(&*call.hook),
            Cell::from(call.duration_ms.map(|ms| format!("{ms:.1}")).unwrap_or_default()),
            Cell::from(records(call)),
            Cell::from(delivery(call)),
            Cell::from(message),
        ]);
    }
    table.shown(room)
}

/// The name of a route. Where there is little room, what most routes end with is left out.
pub(in crate::cli) fn route_in(room: Room, name: &str) -> &str {
    match room {
        Room::Columns(..ROOMY) => name.strip_suffix("_data").unwrap_or(name),
        _ => name,
    }
}

/// The state with its mark. Where there is little room, `!2` stands for two warnings.
pub(in crate::cli) fn state_cell(call: &Call, room: Room) -> Cell {
    let (sign, style) = mark::of_call(call.state);
    if room.is_unlimited() {
        return Cell::styled(style, format!("{sign} {}", state(call)));
    }
    let word = match (&call.settled, call.is_repeated()) {
        (Some(_), _) => "settled",
        (None, true) => "repeated",
        (None, false) => call.how(),
    };
    match call.warnings {
        0 => Cell::styled(style, format!("{sign} {word}")),
        warnings => Cell::styled(WARN, format!("{sign} {word} {WARNING}{warnings}")),
    }
}

/// The state in words.
pub(in crate::cli) fn state(call: &Call) -> String {
    let warnings = match call.warnings {
        0 => String::new(),
        1 => ", 1 warning".to_owned(),
        several => format!(", {several} warnings"),
    };
    let state = match (&call.settled, call.is_repeated()) {
        (Some(_), _) => format!("{}, settled", call.how()),
        (None, true) => format!("{}, repeated", call.how()),
        (None, false) => call.how().to_owned(),
    };
    state + &warnings
}

/// What the sender calls the delivery, shortened, and the place of the call in it.
fn delivery(call: &Call) -> String {
    const SHOWN: usize = 36;
    let id = cut(&call.delivery_id, SHOWN);
    let step = if call.step > 0 { format!("step {}", call.step) } else { String::new() };
    [id, step].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Ids of the call's own model stand alone.
pub(in crate::cli) fn records(call: &Call) -> String {
    let name =
        |(model, id): &(String, i64)| if *model == call.model { id.to_string() } else { format!("{model} {id}") };
    let mut shown: Vec<String> = call.records.iter().take(RECORDS).map(name).collect();
    if call.records.len() > RECORDS {
        shown.push(format!("and {} more", call.records.len() - RECORDS));
    }
    shown.join(", ")
}
