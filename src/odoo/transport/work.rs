//! What the concurrency limit compares requests by: their kind and their items.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::concurrency_limit::{How, Kind};
use crate::odoo::model::{
    error::{Error, Why},
    rpc::Rpc,
};

/// Up to this size, in bytes, requests and answers of the same method are of one kind, and again up to four times of it, and so on.
const SMALL: usize = 4 << 10;

/// What a request asks of Odoo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::odoo) struct Work {
    kind: u64,
    items: usize,
}

impl Work {
    /// New records count one by one, since the gateway puts those of several callers together; everything else counts as one item.
    pub(in crate::odoo) fn of(rpc: &Rpc) -> Self {
        let items = match (rpc.method.as_str(), &rpc.args[..]) {
            ("create" | "web_save" | "web_save_multi", [(_, Value::Array(records)), ..]) => records.len().max(1),
            _ => 1,
        };
        Self { kind: hash(&(&rpc.model, &rpc.method)), items }
    }

    /// Odoo answered; request and answer had so many bytes. A search that finds 10,000 records is another kind than one that finds
    /// one, and so is an order of 1,000 lines.
    pub(super) fn answered(self, request: usize, answer: usize) -> How {
        let class = |size: usize| (size / self.items / SMALL + 1).ilog2() / 2;
        let kind = Kind(hash(&(self.kind, class(request), class(answer))));
        How::Answered(kind, u32::try_from(self.items).unwrap_or(u32::MAX))
    }
}

impl How {
    /// How a request ended that failed.
    pub(in crate::odoo) fn of_error(error: &Error) -> Self {
        match error {
            Error::Unreachable { .. } => Self::Unreachable,
            Error::Overloaded { .. } | Error::NoAnswer { why: Why::Broken(_) | Why::Status(502..=504), .. } => {
                Self::Refused
            }
            Error::OutOfTime | Error::NoAnswer { .. } | Error::Unsendable { .. } => Self::Nothing,
            _ => Self::Unmeasured,
        }
    }
}

fn hash(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}
