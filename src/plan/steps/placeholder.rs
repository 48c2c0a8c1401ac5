//! Ids that are known only when earlier steps have been carried out, and the places in a later call that they fill.

use serde_json::Value;

use super::StepId;
use crate::odoo::Rpc;

/// A place in a call for an id that is not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placeholder {
    pub at: At,
    pub id: FutureId,
}

/// Where in a call an id is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// Behind the ids that the call is made on.
    Ids,
    Argument(ArgumentPath),
}

/// An id that an earlier step gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FutureId {
    /// A record that the step creates.
    Created { step: StepId, index: RecordIndex },
    /// A record that a path leads to.
    Record(RecordPath),
}

impl FutureId {
    /// The first record that the step creates.
    pub(crate) fn first(step: StepId) -> Self {
        Self::Created { step, index: RecordIndex::FIRST }
    }
}

/// The position of a record among those that one step creates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordIndex(pub usize);

impl RecordIndex {
    pub const FIRST: Self = Self(0);
}

/// A record that files belong to: one that a step creates or writes, or a line below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordPath {
    pub root: Root,
    pub lines: Vec<Line>,
}

/// The record at which a [`RecordPath`] begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// The record that this step creates.
    Step(StepId),
    /// A record that exists already.
    Record { model: String, id: i64 },
}

/// A line among those of a one2many: the `index`-th of `of`, in the order in which they were created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub field: String,
    pub model: String,
    pub inverse: Option<String>,
    pub index: usize,
    pub of: usize,
}

/// A place in the arguments of a call: an argument's name, and the keys and positions that lead on from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgumentPath {
    argument: &'static str,
    below: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Key(String),
    Position(usize),
}

impl ArgumentPath {
    /// The first key on the path: the field, in the values of one record.
    pub(crate) fn first_key(&self) -> Option<&str> {
        self.below.iter().find_map(|segment| match segment {
            Segment::Key(key) => Some(key.as_str()),
            Segment::Position(_) => None,
        })
    }

    /// The value at this place in the arguments of its call.
    ///
    /// # Panics
    /// The path belongs to another call. [`super::Steps::push`] resolves every path, so none that a plan has can fail.
    #[expect(
        clippy::expect_used,
        reason = "another value than the one meant would be written, or none; `Steps::push` has resolved every path"
    )]
    pub(crate) fn resolve<'r>(&self, rpc: &'r mut Rpc) -> &'r mut Value {
        let argument = rpc.args.iter_mut().find(|(name, _)| *name == self.argument);
        let (_, mut value) = argument.map(|(name, value)| (name, value)).expect("a path names an argument of its call");
        for segment in &self.below {
            value = match segment {
                Segment::Key(key) => value.get_mut(key.as_str()),
                Segment::Position(position) => value.get_mut(*position),
            }
            .expect("a path leads to a value of its call");
        }
        value
    }
}

/// An [`ArgumentPath`] while the values are being built: each part leads back to the one before, so that a path is copied only
/// where a placeholder needs it.
#[derive(Debug, Clone, Copy)]
pub(in super::super) enum Trail<'t> {
    Argument(&'static str),
    Key(&'t Trail<'t>, &'t str),
    Position(&'t Trail<'t>, usize),
}

impl<'t> Trail<'t> {
    pub(in super::super) fn key(&'t self, key: &'t str) -> Self {
        Self::Key(self, key)
    }

    pub(in super::super) fn position(&'t self, position: usize) -> Self {
        Self::Position(self, position)
    }

    pub(in super::super) fn to_path(self) -> ArgumentPath {
        match self {
            Self::Argument(argument) => ArgumentPath { argument, below: Vec::new() },
            Self::Key(before, key) => before.to_path().then(Segment::Key(key.to_owned())),
            Self::Position(before, position) => before.to_path().then(Segment::Position(position)),
        }
    }
}

impl ArgumentPath {
    fn then(mut self, segment: Segment) -> Self {
        self.below.push(segment);
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_leads_to_the_value_that_stood_at_its_trail() {
        let mut rpc = Rpc::create("order", vec![json!({"line_ids": [[0, 0, {"partner_id": null}]]})]);
        let root = Trail::Argument("vals_list");
        let (record, lines) = (root.position(0), "line_ids");
        let lines = record.key(lines);
        let (command, values) = (lines.position(0), 2);
        let values = command.position(values);
        let path = values.key("partner_id").to_path();
        assert_eq!(path.first_key(), Some("line_ids"));
        *path.resolve(&mut rpc) = json!(7);
        assert_eq!(rpc.args[0].1, json!([{"line_ids": [[0, 0, {"partner_id": 7}]]}]));
    }

    #[test]
    #[should_panic(expected = "a path leads to a value of its call")]
    fn a_path_of_another_call_is_not_skipped() {
        let root = Trail::Argument("vals");
        root.key("partner_id").to_path().resolve(&mut Rpc::write("order", vec![1], serde_json::Map::new()));
    }
}
