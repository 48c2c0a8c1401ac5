//! What requests, calls and answers hold in memory, counted against `[limits] bodies`.
//!
//! A body counts while its bytes are held. A call counts besides for what its JSON takes once it is parsed, and for what Odoo
//! answers it: [`scope`] gives a call an account of its own, from which [`take`] takes; all of it is given back when the call
//! has ended. [`weigh`] tells the size of parsed JSON before any of it is parsed.

mod weight;

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

pub use self::weight::{Weight, weigh, weigh_literal};

/// An answer of Odoo's up to this size is never refused: there are `[upstream] max_in_flight` of them at most at a time.
const SMALL: usize = 1 << 20;

/// What is parsed of XML takes so many times its bytes, which are mostly the names of elements.
const XML: usize = 8;

tokio::task_local! {
    static CALL: RefCell<Held>;
}

/// So many bytes may be held in all.
#[derive(Debug)]
pub struct Memory {
    limit: AtomicUsize,
    held: AtomicUsize,
}

/// Bytes that are held, until this is dropped.
#[derive(Debug)]
pub struct Held {
    memory: Arc<Memory>,
    bytes: usize,
}

/// There is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// There will be when others have ended.
    Now { needed: usize },
    /// There never will be: it is more than all of them together may hold.
    Always { needed: usize, limit: usize },
}

impl Memory {
    pub fn new(limit: u64) -> Arc<Self> {
        let memory = Self { limit: AtomicUsize::new(0), held: AtomicUsize::new(0) };
        memory.limit_to(limit);
        Arc::new(memory)
    }

    /// What is held beyond a new limit stays until it is given back.
    pub fn limit_to(&self, limit: u64) {
        self.limit.store(usize::try_from(limit).unwrap_or(usize::MAX), Relaxed);
    }

    /// How many bytes are held at the moment.
    pub fn held(&self) -> usize {
        self.held.load(Relaxed)
    }

    /// Nothing so far; it can grow.
    pub fn hold_nothing(self: &Arc<Self>) -> Held {
        Held { memory: self.clone(), bytes: 0 }
    }

    /// Holds so many bytes, whether or not there is room: they are there already.
    pub fn hold_anyway(self: &Arc<Self>, bytes: usize) -> Held {
        self.held.fetch_add(bytes, Relaxed);
        Held { memory: self.clone(), bytes }
    }
}

impl Held {
    /// Holds so many bytes more.
    ///
    /// # Errors
    /// All that is held would be more than the limit.
    pub fn grow(&mut self, more: usize) -> Result<(), Full> {
        let limit = self.memory.limit.load(Relaxed);
        let grown = |held: usize| held.checked_add(more).filter(|held| *held <= limit);
        let needed = self.bytes.saturating_add(more);
        let full = if needed > limit { Full::Always { needed, limit } } else { Full::Now { needed: more } };
        self.memory.held.fetch_update(Relaxed, Relaxed, grown).map_err(|_| full)?;
        self.bytes = needed;
        Ok(())
    }

    /// How many bytes this holds.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn grow_anyway(&mut self, more: usize) {
        self.memory.held.fetch_add(more, Relaxed);
        self.bytes += more;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.held.fetch_sub(self.bytes, Relaxed);
    }
}

/// Runs a call with an account of its own, which ends with the call.
pub async fn scope<F: Future>(memory: Arc<Memory>, call: F) -> F::Output {
    CALL.scope(RefCell::new(memory.hold_nothing()), call).await
}

/// The present call is about to need so many bytes. Outside of a call nothing is counted.
///
/// # Errors
/// There is no room for them.
pub fn take(bytes: usize) -> Result<(), Full> {
    CALL.try_with(|held| held.borrow_mut().grow(bytes)).unwrap_or(Ok(()))
}

/// The present call is about to parse an answer of Odoo's, JSON or XML. One to a write is taken beyond the limit
/// if it would fit by itself, since the write is done.
///
/// # Errors
/// There is no room for it.
pub fn take_answer(answer: &[u8], is_write: bool) -> Result<(), Full> {
    if answer.len() * weight::AT_MOST <= SMALL {
        return Ok(());
    }
    let parsed = if answer.starts_with(b"<") { answer.len() * XML } else { weigh(answer).parsed };
    let needed = parsed.saturating_add(answer.len());
    let taken = CALL.try_with(|held| {
        let mut held = held.borrow_mut();
        match held.grow(needed) {
            Err(Full::Now { .. }) if is_write || needed <= SMALL => {
                held.grow_anyway(needed);
                Ok(())
            }
            taken => taken,
        }
    });
    taken.unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_call_has_taken_is_given_back_at_its_end() {
        let memory = Memory::new(100);
        scope(memory.clone(), async {
            take(60).unwrap();
            assert_eq!(take(50), Err(Full::Always { needed: 110, limit: 100 }));
            take(40).unwrap();
            assert_eq!(memory.held(), 100);
            assert_eq!(memory.hold_nothing().grow(1), Err(Full::Now { needed: 1 }));
        })
        .await;
        assert_eq!(memory.held(), 0);
        assert_eq!(memory.hold_nothing().grow(101), Err(Full::Always { needed: 101, limit: 100 }));
    }
}
