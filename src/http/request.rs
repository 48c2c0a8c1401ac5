//! The head of a request: whether it is well formed, where it goes, and where it comes from.

pub(super) mod destination;
pub(super) mod head;
pub(super) mod origin;
