//! Worker threads that run campaigns at the same time. An audit mostly waits, for leases and for servers, so more workers than
//! cores save time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use crate::campaign::{Campaign, Extent, Sums};
use crate::place::Run;
use crate::trouble::Trouble;

/// What all workers of an audit share.
#[derive(Clone, Copy)]
pub struct Shared<'a> {
    /// How much each campaign runs.
    pub extent: &'a Extent,
    /// The audit's directory.
    pub run: &'a Run,
    /// Ends the work early when it is raised. Then the sums of what was at work are of fewer rounds.
    pub interrupt: &'a AtomicBool,
    /// Is told the end of each round.
    pub done: &'a (dyn Fn() + Sync),
}

/// Runs the campaigns on this many workers, at least one. `each` gets the number of every campaign with its sums, in the
/// order of the campaigns, as soon as they are there.
pub fn run_all(
    campaigns: &[Campaign],
    workers: usize,
    shared: Shared<'_>,
    each: &mut dyn FnMut(usize, Result<Sums, Trouble>),
) {
    let Shared { extent, run, interrupt, done } = shared;
    in_order(campaigns, workers, interrupt, |campaign| campaign.run(extent, run, interrupt, done), each);
}

/// Does the work for each item on this many workers, at least one. `each` gets the number of every item with what came of
/// it, in the order of the items, as soon as it is there. When the interrupt is raised, no more work begins.
pub fn in_order<T: Sync, R: Send>(
    items: &[T],
    workers: usize,
    interrupt: &AtomicBool,
    work: impl Fn(&T) -> R + Sync,
    each: &mut dyn FnMut(usize, R),
) {
    let next = AtomicUsize::new(0);
    let (send, receive) = channel();
    thread::scope(|scope| {
        for _ in 0..workers.clamp(1, items.len().max(1)) {
            let (send, next, work) = (send.clone(), &next, &work);
            scope.spawn(move || {
                while !interrupt.load(Ordering::SeqCst) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(number) else { return };
                    if send.send((number, work(item))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        let mut early = BTreeMap::new();
        let mut due = 0;
        for (number, result) in receive {
            early.insert(number, result);
            while let Some(result) = early.remove(&due) {
                each(due, result);
                due += 1;
            }
        }
    });
}
