//! What the concurrency limit compares requests by: their kind and their items.

use std::hash::{DefaultHasher, Hash, Hasher};

use http::StatusCode;
use serde_json::Value;

use super::concurrency_limit::{How, Kind, Place};
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

impl Place {
    /// A request that was passed on has been answered with this status, or failed. Its kind is its path without numbers, which are
    /// mostly ids.
    pub fn note_passed(&mut self, path: &str, answer: Result<StatusCode, &Error>) {
        self.note(match answer.map(|status| status.as_u16()) {
            Ok(429 | 502..=504) => How::Refused,
            Ok(status) => {
                let letters: String = path.chars().filter(|letter| !letter.is_ascii_digit()).collect();
                How::Answered(Kind(hash(&(letters, status))), 1)
            }
            Err(error) => How::of_error(error),
        });
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The kind and the items of an answered request.
    fn answered(rpc: &Rpc, request: usize, answer: usize) -> (Kind, u32) {
        let How::Answered(kind, items) = Work::of(rpc).answered(request, answer) else {
            unreachable!("it was answered")
        };
        (kind, items)
    }

    #[test]
    fn records_of_a_batch_are_items_and_an_order_of_many_lines_is_of_another_kind() {
        let partners = |count| Rpc::create("res.partner", vec![json!({"name": "a"}); count]);
        let ((one, _), (many, items)) = (answered(&partners(1), 300, 200), answered(&partners(40), 5_000, 500));
        assert_eq!((one, items), (many, 40));
        let order = Rpc::create("sale.order", vec![json!({})]);
        assert_ne!(answered(&order, 1_000, 200).0, answered(&order, 300_000, 200).0);
        assert_ne!(answered(&order, 1_000, 200).0, one);
    }

    #[test]
    fn a_time_out_says_nothing_of_the_limit_and_a_broken_connection_is_a_refusal() {
        use crate::odoo::model::effect::Effect;

        let no_answer = |why| How::of_error(&Error::NoAnswer { effect: Effect::Read, why });
        assert_eq!(no_answer(Why::TimedOut(std::time::Duration::from_secs(150))), How::Nothing);
        assert_eq!(no_answer(Why::Broken(String::new())), How::Refused);
        assert_eq!(no_answer(Why::Status(502)), How::Refused);
        assert_eq!(How::of_error(&Error::Overloaded { status: 429, after: None }), How::Refused);
        assert_eq!(How::of_error(&Error::WrongKey), How::Unmeasured);
    }
}
