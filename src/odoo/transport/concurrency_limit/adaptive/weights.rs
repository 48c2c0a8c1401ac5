//! What an RPC of each kind usually takes, so that a change of the mix of RPCs is not taken for a change of Odoo.
//!
//! The work in an RPC differs by a factor of 1,000: a search by name takes 5 ms, an order of 1,000 lines 20 s. So a latency is never
//! compared with that of another kind: each is divided by the usual time of its own kind. The usual time is that of one item, such as
//! one of the new records of a `create`. Thus a `create` of 64 records counts as much as 64 of one record each, and what batching
//! saves at a lower limit counts as a gain.
//!
//! What must stay true: the usual times do not change between two measurements that are compared, but by [`Weights::renew`].
//! The table has a fixed size; kinds that share a place share their usual time, which costs precision alone.

/// The number of places of the table.
const PLACES: usize = 256;
/// A kind counts once so many of its RPCs have been seen.
const ENOUGH: u32 = 3;
/// The part of what was seen before that still counts when the usual times are renewed.
const REMEMBERED: f64 = 0.25;

/// The kind of an RPC: those that have equal ones are compared with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind(pub u64);

#[derive(Debug, Clone, Copy, Default)]
struct Place {
    /// The usual time of one item, in seconds; none while the kind is not known well enough.
    usual: Option<f64>,
    seconds: f64,
    items: f64,
    seen: u32,
}

/// The usual times by kind.
#[derive(Debug)]
pub(super) struct Weights {
    places: Box<[Place; PLACES]>,
    are_renewed: bool,
}

impl Weights {
    pub(super) fn new() -> Self {
        Self { places: Box::new([Place::default(); PLACES]), are_renewed: false }
    }

    /// Notes an RPC, and gives the time that one of this kind with so many items usually takes.
    pub(super) fn note(&mut self, kind: Kind, items: f64, seconds: f64) -> Option<f64> {
        let place = &mut self.places[usize::try_from(kind.0 % PLACES as u64).unwrap_or(0)];
        place.seconds += seconds;
        place.items += items;
        place.seen = place.seen.saturating_add(1);
        if place.usual.is_none() && place.seen >= ENOUGH {
            place.usual = Some(place.seconds / place.items);
        }
        place.usual.map(|usual| usual * items)
    }

    /// Makes the usual times those that were seen lately. What was measured before cannot be compared with what comes.
    pub(super) fn renew(&mut self) {
        for place in self.places.iter_mut().filter(|place| place.seen >= ENOUGH) {
            place.usual = Some(place.seconds / place.items);
            place.seconds *= REMEMBERED;
            place.items *= REMEMBERED;
        }
        self.are_renewed = true;
    }

    /// Whether the usual times are those of a longer time, rather than of the first RPCs.
    pub(super) fn are_renewed(&self) -> bool {
        self.are_renewed
    }
}
