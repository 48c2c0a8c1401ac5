//! Pages of a listing, and the cursor by which a reader gets the next one.
//!
//! Invariant: a reader who follows the cursors to the end gets each call of the first page's listing exactly once, whatever is
//! written meanwhile. Calls that came in later are left out. A call in doubt may be carried forward to the end of the log
//! meanwhile, and the first line of a call may be dropped with its segment: both are recognised by the numbers of the older
//! lines. Only a call that retention carries forward twice, the second time while its page is being turned, may come again.

use std::{fmt, ops::ControlFlow, str::FromStr};

use super::{
    archive::Archive,
    call::{Call, View},
    filter::Filter,
    select::Selection,
};
use crate::log::Error;

/// Some calls of a listing, the latest first.
#[derive(Debug, Clone)]
pub struct Page {
    pub calls: Vec<Call>,
    /// Where the next page begins; `None` where there is nothing more. The next page may turn out to be empty.
    pub next: Option<Cursor>,
}

/// The end of a page. It is written as a text for links and command lines, and means nothing without its filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The line at which the first page began; later lines are not of the listing.
    newest: u64,
    /// Every call whose first line is this one or a later one has been listed.
    first_line: u64,
    /// Of the calls whose first line is gone, every one whose last line is this one or a later one has been listed.
    last_line: Option<u64>,
}

/// A text that is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no cursor of a listing")]
pub struct NotACursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.newest, self.first_line)?;
        self.last_line.map_or(Ok(()), |line| write!(f, ".{line}"))
    }
}

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let numbers: Result<Vec<u64>, _> = text.split('.').map(str::parse).collect();
        match numbers.map_err(|_| NotACursor)?[..] {
            [newest, first_line] => Ok(Self { newest, first_line, last_line: None }),
            [newest, first_line, last_line] => Ok(Self { newest, first_line, last_line: Some(last_line) }),
            _ => Err(NotACursor),
        }
    }
}

impl Archive {
    /// The calls behind the cursor that match the filter, and at most so many; without a cursor, the latest.
    ///
    /// # Errors
    /// The folder of the log cannot be read.
    pub fn page(&self, filter: &Filter, limit: Option<usize>, cursor: Option<Cursor>) -> Result<Page, Error> {
        let mut listing = Listing { cursor, limit, calls: Vec::new(), carried: Vec::new() };
        if limit == Some(0) {
            return Ok(Page { calls: Vec::new(), next: cursor });
        }
        let before = cursor.map(|cursor| cursor.first_line);
        self.select(&Selection { before, ..Selection::of(filter) }, |call| listing.add(call))?;
        let _ = listing.add_carried(0);
        let next = listing.cursor.filter(|_| listing.is_full());
        Ok(Page { calls: listing.calls, next })
    }
}

/// A page in the making.
struct Listing {
    /// Of the page before, then of this one.
    cursor: Option<Cursor>,
    limit: Option<usize>,
    calls: Vec<Call>,
    /// Calls that were carried forward since the first page, with the line at which they are listed: the latest last.
    carried: Vec<(u64, Call)>,
}

impl Listing {
    fn is_full(&self) -> bool {
        self.limit.is_some_and(|limit| self.calls.len() >= limit)
    }

    fn add(&mut self, call: &View<'_>) -> ControlFlow<()> {
        let row = call.first.row;
        if !row.event.is_first() {
            self.add_carried(0)?;
            return self.add_headless(call, row.received, row.seq);
        }
        match self.cursor {
            Some(cursor) if row.seq > cursor.newest => {
                // It is listed at its old line, or has been.
                if let Some(line) = row.carried_from.filter(|line| *line < cursor.first_line) {
                    let at = self.carried.partition_point(|(known, _)| *known < line);
                    self.carried.insert(at, (line, call.to_call()));
                }
                ControlFlow::Continue(())
            }
            _ => {
                self.add_carried(row.seq)?;
                self.add_at(row.seq, || call.to_call())
            }
        }
    }

    /// Lists what was carried forward from behind this line.
    fn add_carried(&mut self, line: u64) -> ControlFlow<()> {
        let start = self.carried.partition_point(|(known, _)| *known <= line);
        let mut later = self.carried.split_off(start);
        while let Some((line, call)) = later.pop() {
            if self.is_full() {
                return ControlFlow::Break(());
            }
            self.add_at(line, || call)?;
        }
        ControlFlow::Continue(())
    }

    /// Lists a call whose first line is this one, unless it has been.
    fn add_at(&mut self, line: u64, call: impl FnOnce() -> Call) -> ControlFlow<()> {
        if self.cursor.is_some_and(|cursor| line >= cursor.first_line) {
            return ControlFlow::Continue(());
        }
        let newest = self.cursor.map_or(line, |cursor| cursor.newest);
        self.push(call(), Cursor { newest, first_line: line, last_line: None })
    }

    /// Lists a call whose first line is gone with its segment, unless it has been.
    fn add_headless(&mut self, call: &View<'_>, received: Option<u64>, line: u64) -> ControlFlow<()> {
        let Cursor { newest, first_line, last_line } =
            self.cursor.unwrap_or(Cursor { newest: line, first_line: line, last_line: None });
        let has_been = received.is_some_and(|received| received >= first_line)
            || last_line.is_some_and(|last_line| line >= last_line);
        if has_been {
            return ControlFlow::Continue(());
        }
        self.push(call.to_call(), Cursor { newest, first_line, last_line: Some(line) })
    }

    fn push(&mut self, call: Call, cursor: Cursor) -> ControlFlow<()> {
        self.calls.push(call);
        self.cursor = Some(cursor);
        if self.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
