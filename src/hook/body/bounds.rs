//! How much may be made of a body.

use std::io;

use bytes::Bytes;
use bytesize::ByteSize;
use serde::Serialize;

use crate::{
    config::Limits,
    memory::{self, Full},
};

/// What a value takes in memory besides its text, with its name and its place in an object.
const VALUE: usize = 160;
/// Memory is taken in pieces of this size.
const PIECE: usize = 64 << 10;

/// Why a body is not made JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::hook) enum Why {
    Unreadable(String),
    /// There is no room for it now.
    NoRoom,
}

impl Why {
    pub(super) fn unreadable(why: impl Into<String>) -> Self {
        Self::Unreadable(why.into())
    }
}

/// The bounds of `[limits]`, which count for what is made of a body as for one that is JSON.
#[derive(Debug, Clone, Copy)]
pub(in crate::hook) struct Bounds {
    /// Of the body when it is unpacked, and of the JSON that is made of it.
    pub(in crate::hook) size: ByteSize,
    pub(in crate::hook) values: usize,
    pub(in crate::hook) depth: usize,
}

impl Bounds {
    pub(in crate::hook) fn of(limits: &Limits) -> Self {
        Self { size: limits.body, values: limits.values.get(), depth: limits.json_depth.get() }
    }

    pub(super) fn size(&self) -> usize {
        usize::try_from(self.size.as_u64()).unwrap_or(usize::MAX)
    }

    /// Checks JSON before it is parsed.
    pub(super) fn check(&self, json: &[u8]) -> Result<(), Why> {
        let weight = memory::weigh(json);
        if weight.depth > self.depth {
            let depth = self.depth;
            return Err(Why::unreadable(format!(
                "it is nested deeper than the {depth} levels that [limits] json_depth allows"
            )));
        }
        if weight.values > self.values { Err(self.too_many()) } else { Ok(()) }
    }

    fn too_many(&self) -> Why {
        Why::unreadable(format!("it has more than the {} values that [limits] values allows", self.values))
    }

    pub(super) fn too_large(&self) -> Why {
        Why::unreadable(format!("it is larger than the {} that [limits] body allows, as JSON or unpacked", self.size))
    }
}

/// Counts what is made of one body, and takes the memory for it from the call.
#[derive(Debug)]
pub(super) struct Budget<'b> {
    bounds: &'b Bounds,
    values: usize,
    /// What has been taken and not been used.
    left: usize,
}

impl<'b> Budget<'b> {
    pub(super) fn new(bounds: &'b Bounds) -> Self {
        Self { bounds, values: 0, left: 0 }
    }

    /// One value more, whose name and text have so many bytes.
    pub(super) fn value(&mut self, bytes: usize) -> Result<(), Why> {
        self.values += 1;
        if self.values > self.bounds.values {
            return Err(self.bounds.too_many());
        }
        self.take(bytes.saturating_add(VALUE))
    }

    /// So many bytes of memory.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), Why> {
        if bytes > self.left {
            let more = (bytes - self.left).next_multiple_of(PIECE);
            memory::take(more).map_err(|full| match full {
                Full::Now { .. } => Why::NoRoom,
                Full::Always { .. } => Why::unreadable("it needs more memory than [limits] bodies allows"),
            })?;
            self.left += more;
        }
        self.left -= bytes;
        Ok(())
    }
}

/// JSON that is written within a budget.
#[derive(Debug)]
pub(super) struct Json<'b> {
    bytes: Vec<u8>,
    pub(super) budget: Budget<'b>,
    stopped: Option<Why>,
}

impl<'b> Json<'b> {
    pub(super) fn new(budget: Budget<'b>) -> Self {
        Self { bytes: Vec::new(), budget, stopped: None }
    }

    pub(super) fn write(&mut self, value: &impl Serialize) -> Result<(), Why> {
        serde_json::to_writer(&mut *self, value)
            .map_err(|error| self.stopped.take().unwrap_or_else(|| Why::unreadable(error.to_string())))
    }

    /// Writes what is JSON already, or a part of it.
    pub(super) fn write_raw(&mut self, json: &[u8]) -> Result<(), Why> {
        if self.bytes.len().saturating_add(json.len()) > self.budget.bounds.size() {
            return Err(self.budget.bounds.too_large());
        }
        self.budget.take(json.len())?;
        self.bytes.extend_from_slice(json);
        Ok(())
    }

    pub(super) fn finish(self) -> Bytes {
        self.bytes.into()
    }
}

impl io::Write for Json<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_raw(bytes).map_err(|why| {
            self.stopped = Some(why);
            io::Error::other("a bound")
        })?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
