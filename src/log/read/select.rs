//! Selects calls of a segment by its columns, without reading what a listing shows of them.
//!
//! Invariant: every call in the columns that [`Filter::admits`] is selected. Others may be, too.

use std::{cmp::Reverse, io};

use uuid::Uuid;

use super::{call::CallState, filter::Filter};
use crate::log::{
    format::{
        event::State,
        index::columns::{
            Column, Columns, Head, OTHER, hash_of_id, hash_of_text, is_request, keys, records, state_of, value,
        },
        segment::Segment,
    },
    read::route::RecordedRoute,
};

/// Which calls are wanted.
#[derive(Clone, Copy)]
pub(super) struct Selection<'f> {
    pub(super) filter: &'f Filter,
    /// Calls that began with this line or a later one are not, unless they need other segments.
    pub(super) before: Option<u64>,
    pub(super) id: Option<&'f IdPart>,
}

/// An id or a part of one.
pub(super) struct IdPart {
    part: String,
    whole: Option<u128>,
}

impl IdPart {
    pub(super) fn new(part: &str) -> Self {
        let part = part.to_lowercase();
        // Other spellings of an id are no part of it.
        let whole = part.parse::<Uuid>().ok().filter(|id| id.to_string() == part);
        Self { part, whole: whole.map(|id| id.as_u128()) }
    }

    /// Whether one call at most has it.
    pub(super) fn is_whole(&self) -> bool {
        self.whole.is_some()
    }

    pub(super) fn is_of(&self, id: u128) -> bool {
        match self.whole {
            Some(whole) => whole == id,
            None => {
                let mut text = Uuid::encode_buffer();
                Uuid::from_u128(id).hyphenated().encode_lower(&mut text).contains(&self.part)
            }
        }
    }
}

impl<'f> Selection<'f> {
    pub(super) fn of(filter: &'f Filter) -> Self {
        Self { filter, before: None, id: None }
    }

    /// The selected calls of a segment: the number of each call's first line, and its own; the latest first.
    pub(super) fn calls(&self, segment: Segment, columns: &dyn Columns) -> io::Result<Vec<(u64, u32)>> {
        let Some(state) = self.state() else { return Ok(Vec::new()) };
        let head = columns.head();
        if !self.may_be_in(head, state) {
            return Ok(Vec::new());
        }
        let mut calls = self.named(columns)?;
        self.keep_kind(&mut calls, columns, state)?;
        self.keep_names(&mut calls, columns)?;
        self.keep_times(&mut calls, columns)?;
        if let Some(id) = self.id
            && !calls.is_empty()
        {
            let ids = columns.column(Column::Id)?;
            calls.retain(|call| id.is_of(u128::from_le_bytes(value(&ids, *call))));
        }
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let lines = columns.column(Column::Line)?;
        let line = |call: u32| segment.0.saturating_add(u32::from_le_bytes(value(&lines, call)).into());
        let calls = calls.into_iter().map(|call| (line(call), call));
        let mut calls: Vec<_> = calls.filter(|(line, _)| self.before.is_none_or(|before| *line < before)).collect();
        calls.sort_unstable_by_key(|call| Reverse(*call));
        Ok(calls)
    }

    /// The state that the columns must have, if any; `None` where no call in columns is in the wanted one.
    fn state(&self) -> Option<Option<State>> {
        match (self.filter.in_doubt, self.filter.state) {
            (true, _) | (_, Some(CallState::InDoubt | CallState::Running)) => None,
            (_, None) => Some(None),
            (_, Some(CallState::Done)) => Some(Some(State::Done)),
            (_, Some(CallState::Failed)) => Some(Some(State::Failed)),
            (_, Some(CallState::Queued)) => Some(Some(State::Queued)),
            (_, Some(CallState::Ignored)) => Some(Some(State::Ignored)),
            (_, Some(CallState::DryRun)) => Some(Some(State::DryRun)),
        }
    }

    /// Whether the head leaves it open that a call is selected.
    fn may_be_in(&self, head: &Head, state: Option<State>) -> bool {
        let filter = self.filter;
        let Some((earliest, latest)) = head.arrived else { return false };
        let is_known = |name: &Option<String>| name.as_deref().is_none_or(|name| head.number(name).is_some());
        let has_id = |id: u128| head.ids.is_some_and(|(least, most)| least <= id && id <= most);
        state.is_none_or(|state| head.has_state(state))
            && filter.since.is_none_or(|since| latest >= since.as_microsecond())
            && filter.until.is_none_or(|until| earliest <= until.as_microsecond())
            && is_known(&filter.error)
            && is_known(&filter.hook)
            && (filter.record.is_some() || is_known(&filter.model))
            && self.id.and_then(|id| id.whole).is_none_or(has_id)
    }

    /// The calls that wrote the wanted record and are of the wanted delivery.
    fn named(&self, columns: &dyn Columns) -> io::Result<Vec<u32>> {
        let mut calls: Vec<u32> = match self.filter.record {
            None => (0..columns.head().calls).collect(),
            Some(record) => {
                let mut calls: Vec<u32> =
                    records(&columns.records()?).filter(|(id, _)| *id == record).map(|(_, call)| call).collect();
                calls.dedup();
                calls
            }
        };
        if let Some(identity) = self.filter.delivery.as_deref()
            && !calls.is_empty()
        {
            let id = identity.parse::<Uuid>().ok().map(|id| id.as_u128());
            let hashes = [Some(hash_of_text(identity)), id.map(hash_of_id)];
            let section = columns.keys()?;
            let mut of_delivery: Vec<u32> =
                keys(&section).filter(|(hash, _)| hashes.contains(&Some(*hash))).map(|(_, call)| call).collect();
            let head = columns.head();
            if let Some(id) = id.filter(|id| head.ids.is_some_and(|(least, most)| least <= *id && *id <= most)) {
                let ids = columns.column(Column::Id)?;
                of_delivery.extend((0..head.calls).filter(|call| u128::from_le_bytes(value(&ids, *call)) == id));
            }
            of_delivery.sort_unstable();
            calls.retain(|call| of_delivery.binary_search(call).is_ok());
        }
        Ok(calls)
    }

    fn keep_kind(&self, calls: &mut Vec<u32>, columns: &dyn Columns, state: Option<State>) -> io::Result<()> {
        if calls.is_empty() {
            return Ok(());
        }
        let wants_requests = self.filter.route == Some(RecordedRoute::Passed);
        let kinds = columns.column(Column::State)?;
        calls.retain(|call| {
            let [kind] = value(&kinds, *call);
            is_request(kind) == wants_requests && state.is_none_or(|state| state_of(kind) == state)
        });
        Ok(())
    }

    fn keep_names(&self, calls: &mut Vec<u32>, columns: &dyn Columns) -> io::Result<()> {
        let filter = self.filter;
        let route = filter.route.as_ref().filter(|route| **route != RecordedRoute::Passed);
        // Together with a record, the model is that of the record.
        let model = filter.model.as_deref().filter(|_| filter.record.is_none());
        for (column, name) in [
            (Column::Error, filter.error.as_deref()),
            (Column::Model, model),
            (Column::Route, route.map(RecordedRoute::name)),
            (Column::Hook, filter.hook.as_deref()),
        ] {
            let Some(name) = name.filter(|_| !calls.is_empty()) else { continue };
            let Some(number) = columns.head().number(name) else {
                calls.clear();
                return Ok(());
            };
            let names = columns.column(column)?;
            calls.retain(|call| [number, OTHER].contains(&u16::from_le_bytes(value(&names, *call))));
        }
        if let Some(part) = filter.caller.as_deref()
            && !calls.is_empty()
        {
            let are_wanted: Vec<bool> = columns.head().names.iter().map(|name| name.contains(part)).collect();
            let (clients, logins) = (columns.column(Column::Client)?, columns.column(Column::Login)?);
            let is_wanted = |names: &[u8], call: u32| {
                let number = u16::from_le_bytes(value(names, call));
                number == OTHER || are_wanted.get(usize::from(number)).copied().unwrap_or_default()
            };
            calls.retain(|call| is_wanted(&clients, *call) || is_wanted(&logins, *call));
        }
        Ok(())
    }

    fn keep_times(&self, calls: &mut Vec<u32>, columns: &dyn Columns) -> io::Result<()> {
        let (since, until) = (self.filter.since, self.filter.until);
        if calls.is_empty() || since.is_none() && until.is_none() {
            return Ok(());
        }
        let arrived = columns.column(Column::Arrived)?;
        calls.retain(|call| {
            let at = i64::from_le_bytes(value(&arrived, *call));
            since.is_none_or(|since| at >= since.as_microsecond())
                && until.is_none_or(|until| at <= until.as_microsecond())
        });
        Ok(())
    }
}
