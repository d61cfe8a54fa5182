//! Workers: campaigns side by side. An audit mostly waits, for leases and for servers, so that more workers than cores pay.

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
    let next = AtomicUsize::new(0);
    let (send, receive) = channel();
    thread::scope(|scope| {
        for _ in 0..workers.clamp(1, campaigns.len().max(1)) {
            let (send, next) = (send.clone(), &next);
            scope.spawn(move || {
                while !shared.interrupt.load(Ordering::SeqCst) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(campaign) = campaigns.get(number) else { return };
                    let sums = campaign.run(shared.extent, shared.run, shared.interrupt, shared.done);
                    if send.send((number, sums)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        let mut early = BTreeMap::new();
        let mut due = 0;
        for (number, sums) in receive {
            early.insert(number, sums);
            while let Some(sums) = early.remove(&due) {
                each(due, sums);
                due += 1;
            }
        }
    });
}
