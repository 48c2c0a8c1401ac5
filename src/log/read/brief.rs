//! Calls in brief, segment by segment, to be counted: as fast as the columns can be read.

use std::{borrow::Cow, collections::HashMap, io, ops::ControlFlow, rc::Rc};

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    archive::Archive,
    assembly::{Assembly, Met},
    call::{CallState, View},
    filter::Filter,
    parallel,
};
use crate::log::{
    Error,
    format::{
        index::{
            self,
            columns::{Column, Columns, Head, OTHER, is_attempt, is_request, state_of, value},
            rows::Rows,
        },
        lock::is_in_use,
        segment::Segment,
    },
};

/// So many names of calls that lie in several segments are told apart.
const NAMES: usize = 4096;

/// What is counted of a call. Texts are numbers of the names that come with it; one that has no name there is one of many.
#[derive(Debug, Clone, Copy)]
pub struct Brief {
    pub id: Uuid,
    /// When it arrived, in microseconds since 1970.
    pub arrived: i64,
    pub state: CallState,
    /// It is an attempt of a call that was queued.
    pub is_attempt: bool,
    /// In milliseconds; `None` of a call that has no end.
    pub took: Option<f32>,
    pub route: u16,
    pub model: u16,
    /// The client; the empty name where it is none.
    pub client: u16,
    /// The client, or else the Odoo login.
    pub caller: u16,
    pub hook: u16,
    pub error: u16,
    /// The place in the payload that the error names, without positions in lists.
    pub path: u16,
}

impl Archive {
    /// Calls `each` with all calls that arrived since, some at a time and in no order, and the names that they share. Requests
    /// that are no calls are left out.
    ///
    /// # Errors
    /// The folder of the log cannot be read.
    pub fn briefs(&self, since: Timestamp, mut each: impl FnMut(&[String], &[Brief])) -> Result<(), Error> {
        let filter = Filter { since: Some(since), ..Filter::default() };
        let is_live = is_in_use(self.folder());
        let (mut assembly, mut strays) = (Assembly::default(), Strays::default());
        let mut add = |call: &View<'_>| {
            strays.add(call);
            ControlFlow::Continue(())
        };
        let mut segments = self.segments_to_read()?;
        segments.reverse();
        let outcome = parallel::each(
            &segments,
            |segment| self.brief(*segment, since.as_microsecond()),
            |(segment, _), read| {
                let read = match read {
                    Ok(read) => read,
                    Err(source) => return ControlFlow::Break(self.failed(source)),
                };
                let rows = Rc::new(read.strays);
                for row in (0..rows.rows.len()).rev() {
                    let _ = assembly.add(Met::new(&rows, row, *segment, None), is_live, &filter, &mut add);
                }
                if !read.calls.is_empty() {
                    each(&read.head.names, &read.calls);
                }
                ControlFlow::Continue(())
            },
        );
        if let ControlFlow::Break(error) = outcome {
            return Err(error);
        }
        assembly.rest(&filter, &mut add);
        each(&strays.names, &strays.calls);
        Ok(())
    }

    /// When the earliest line of the log was written, and the size of its segments and their indexes in bytes. Contents that are
    /// kept beside the log are not counted.
    ///
    /// # Errors
    /// The folder of the log cannot be read.
    pub fn extent(&self) -> Result<(Option<Timestamp>, u64), Error> {
        let segments = self.segments_to_read()?;
        let size_of = |name: &str| self.disk().stat(name).map_or(0, |(size, _)| size);
        let sizes = segments.iter().map(|(segment, is_sealed)| {
            let lines = if *is_sealed { size_of(&segment.sealed()) } else { size_of(&segment.open()) };
            lines + size_of(&index::file(*segment))
        });
        let size = sizes.sum();
        let Some((segment, is_sealed)) = segments.first() else { return Ok((None, size)) };
        let mut index = self.index(*segment, *is_sealed).map_err(|source| self.failed(source))?;
        let times = index.read_or_mend(self.disk(), *segment, |columns| Ok(columns.head().times));
        let earliest = times.map_err(|source| self.failed(source))?.map(|(earliest, _)| earliest);
        Ok((earliest.and_then(|at| Timestamp::from_microsecond(at).ok()), size))
    }

    fn brief(&self, (segment, is_sealed): (Segment, bool), since: i64) -> io::Result<Read> {
        let mut index = self.index(segment, is_sealed)?;
        index.read_or_mend(self.disk(), segment, |columns| {
            let head = columns.head().clone();
            let is_wanted = head.arrived.is_some_and(|(_, latest)| latest >= since);
            let calls = if is_wanted { calls(columns, since)? } else { Vec::new() };
            Ok(Read { head, calls, strays: columns.strays()? })
        })
    }
}

/// What is read of a segment.
struct Read {
    head: Head,
    calls: Vec<Brief>,
    strays: Rows,
}

fn calls(columns: &dyn Columns, since: i64) -> io::Result<Vec<Brief>> {
    let numbers = |column| columns.column(column);
    let (arrived, took, states) = (numbers(Column::Arrived)?, numbers(Column::Took)?, numbers(Column::State)?);
    let (routes, models, ids) = (numbers(Column::Route)?, numbers(Column::Model)?, numbers(Column::Id)?);
    let (clients, logins, hooks) = (numbers(Column::Client)?, numbers(Column::Login)?, numbers(Column::Hook)?);
    let (errors, paths) = (numbers(Column::Error)?, numbers(Column::Path)?);
    let name = |names: &Cow<'_, [u8]>, call| u16::from_le_bytes(value(names, call));
    let brief = |call: u32| {
        let [state] = value(&states, call);
        let at = i64::from_le_bytes(value(&arrived, call));
        let client = name(&clients, call);
        (at >= since && !is_request(state)).then(|| Brief {
            id: Uuid::from_u128(u128::from_le_bytes(value(&ids, call))),
            arrived: at,
            state: CallState::recorded(Some(state_of(state))),
            is_attempt: is_attempt(state),
            took: Some(f32::from_le_bytes(value(&took, call))),
            route: name(&routes, call),
            model: name(&models, call),
            client,
            // The first name is empty.
            caller: if client == 0 { name(&logins, call) } else { client },
            hook: name(&hooks, call),
            error: name(&errors, call),
            path: name(&paths, call),
        })
    };
    Ok((0..columns.head().calls).filter_map(brief).collect())
}

/// The calls that lie in several segments, and their names.
#[derive(Default)]
struct Strays {
    calls: Vec<Brief>,
    names: Vec<String>,
    numbers: HashMap<String, u16>,
}

impl Strays {
    fn add(&mut self, call: &View<'_>) {
        let caller = if call.client().is_empty() { call.login() } else { call.client() };
        let brief = Brief {
            id: Uuid::from_u128(call.first.row.id),
            arrived: call.ts(),
            state: call.state,
            is_attempt: call.first.row.attempt_of.is_some(),
            took: call.took().map(|took| took as f32),
            route: self.number(call.route().name()),
            model: self.number(call.model()),
            client: self.number(call.client()),
            caller: self.number(caller),
            hook: self.number(call.hook()),
            error: self.number(call.error()),
            path: self.number(call.path()),
        };
        self.calls.push(brief);
    }

    fn number(&mut self, name: &str) -> u16 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        match u16::try_from(self.names.len()) {
            Ok(number) if usize::from(number) < NAMES => {
                self.names.push(name.to_owned());
                self.numbers.insert(name.to_owned(), number);
                number
            }
            _ => OTHER,
        }
    }
}
