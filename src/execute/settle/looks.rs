//! When it is looked for what a write has done: at once, then in growing pauses, and once more when nothing can appear any more.

use std::time::Duration;

use tokio::time::{self, Instant};

/// The pauses between two looks, from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The number of looks after the time in which something may still appear: Odoo may be away at the first.
const LAST_LOOKS: usize = 3;

/// How long is looked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Looking {
    pub(super) deadline: Instant,
    /// Until then, what was sent may still have an effect.
    pub(super) appears_until: Instant,
    /// It is known that it was done, though not with which records.
    pub(super) was_done: bool,
}

/// The looks of one settlement.
pub(super) struct Looks {
    looking: Looking,
    pause: Duration,
    late: usize,
}

impl Looking {
    pub(super) fn begin(self) -> Looks {
        Looks { looking: self, pause: FIRST_PAUSE, late: 0 }
    }
}

impl Looks {
    /// Whether a look that begins now is certain to find what was done.
    pub(super) fn is_last(&self) -> bool {
        self.looking.was_done || Instant::now() >= self.looking.appears_until
    }

    /// Waits for the next look; false where there is none any more.
    pub(super) async fn again(&mut self) -> bool {
        let Looking { deadline, appears_until, .. } = self.looking;
        let now = Instant::now();
        if self.is_last() {
            self.late += 1;
        }
        if now >= deadline || self.late >= LAST_LOOKS {
            return false;
        }
        let mut next = now + self.pause;
        if now < appears_until {
            next = next.min(appears_until);
        }
        time::sleep_until(next.min(deadline)).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds, from the beginning, at which is looked.
    async fn looks(deadline: u64, appears_until: u64, was_done: bool) -> Vec<f32> {
        let began = Instant::now();
        let after = |seconds| began + Duration::from_secs(seconds);
        let looking = Looking { deadline: after(deadline), appears_until: after(appears_until), was_done };
        let (mut looks, mut at) = (looking.begin(), vec![0.0]);
        while looks.again().await {
            at.push((began.elapsed().as_secs_f32() * 10.0).round() / 10.0);
        }
        at
    }

    #[tokio::test(start_paused = true)]
    async fn the_pauses_grow_and_one_look_is_made_when_nothing_can_appear_any_more() {
        assert_eq!(looks(100, 2, false).await, [0.0, 0.1, 0.3, 0.7, 1.5, 2.0, 5.2, 10.2]);
        // The deadline ends it, with a look.
        assert_eq!(looks(1, 100, false).await, [0.0, 0.1, 0.3, 0.7, 1.0]);
        assert_eq!(looks(0, 100, false).await, [0.0]);
        // What was done is there at once.
        assert_eq!(looks(100, 100, true).await.len(), LAST_LOOKS);
    }
}
