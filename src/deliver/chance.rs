//! Chance, for pauses that are spread over time.

use std::collections::hash_map::RandomState;

use tower::util::rng::{HasherRng, Rng};

/// A random number between 0 and 1.
pub(super) fn chance() -> f64 {
    HasherRng::<RandomState>::new().next_f64()
}
