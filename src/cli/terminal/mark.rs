//! Marks of states: a sign and a style together, so that nothing is told by colour alone.

use anstyle::Style;

use super::style::{BAD, DIM, GOOD, WARN};
use crate::{log::CallState, store::State};

/// The sign of something that a person should look at.
pub(in crate::cli) const WARNING: char = '!';

/// The sign of a state, and its style.
pub(in crate::cli) fn of_call(state: CallState) -> (char, Style) {
    match state {
        CallState::Done => ('✓', GOOD),
        CallState::Failed => ('✗', BAD),
        CallState::InDoubt => ('?', WARN),
        CallState::Running | CallState::Queued => ('…', DIM),
        CallState::Ignored => ('-', DIM),
        CallState::DryRun => ('≈', DIM),
    }
}

/// The same for a call in the store.
pub(in crate::cli) fn of_stored(state: State) -> (char, Style) {
    match state {
        State::Done => ('✓', GOOD),
        State::Dead => ('✗', BAD),
        State::InDoubt => ('?', WARN),
        State::Running | State::Queued => ('…', DIM),
        State::Dropped => ('-', DIM),
    }
}
