//! Maps a list on several threads and takes the results in the order of the list.

use std::{ops::ControlFlow, sync::mpsc::sync_channel, thread};

/// The most threads. Each holds the results of one chunk beside the one that it computes, and results may be large.
const THREADS: usize = 4;
/// A thread takes so many items at a time at most: handing over the result of one may take as long as its work, above all on a
/// busy machine.
const CHUNK: usize = 2;

/// Calls `take` with each item and its result, until it breaks.
pub(in crate::log) fn each<I: Sync, R: Send, B>(
    items: &[I],
    work: impl Fn(&I) -> R + Sync,
    mut take: impl FnMut(&I, R) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS).min(items.len());
    if threads < 2 {
        return items.iter().try_for_each(|item| take(item, work(item)));
    }
    let chunks = &chunks(items, threads);
    thread::scope(|scope| {
        let work = &work;
        // Thread n has the chunks n, n + threads, and so on, and sends their results in that order.
        let results: Vec<_> = (0..threads)
            .map(|first| {
                let (send, receive) = sync_channel(0);
                scope.spawn(move || {
                    for chunk in chunks.iter().skip(first).step_by(threads) {
                        // The receiver is gone.
                        if send.send(chunk.iter().map(work).collect::<Vec<R>>()).is_err() {
                            return;
                        }
                    }
                });
                receive
            })
            .collect();
        for (chunk, results) in chunks.iter().zip(results.iter().cycle()) {
            // A thread that ended early has panicked, which the scope propagates.
            let Ok(results) = results.recv() else { break };
            chunk.iter().zip(results).try_for_each(|(item, result)| take(item, result))?;
        }
        ControlFlow::Continue(())
    })
}

/// The items in chunks that grow: who has enough with the first ones does not wait for many.
fn chunks<I>(mut items: &[I], threads: usize) -> Vec<&[I]> {
    let mut chunks = Vec::new();
    while !items.is_empty() {
        let size = (chunks.len() / threads + 1).min(CHUNK).min(items.len());
        let (chunk, rest) = items.split_at(size);
        chunks.push(chunk);
        items = rest;
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items_until_enough_is_seen() {
        let items: Vec<u64> = (0..100).collect();
        let mut seen = Vec::new();
        let outcome = each(
            &items,
            |item| item * 2,
            |item, double| {
                assert_eq!(double, item * 2);
                seen.push(double);
                if *item == 60 { ControlFlow::Break("enough") } else { ControlFlow::Continue(()) }
            },
        );
        assert_eq!((outcome, seen), (ControlFlow::Break("enough"), (0..=60).map(|item| item * 2).collect()));
    }
}
