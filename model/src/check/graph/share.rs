//! Work shared out among threads, item by item, so that none waits for a slower one.

use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Does `work` on every item, on so many threads. Which thread does what is left open; when it returns, all is done.
///
/// # Panics
///
/// If `work` does, on whichever thread, and with what it said.
pub(super) fn share_out<T, I>(threads: usize, items: I, work: impl Fn(T) + Sync)
where
    T: Send,
    I: Iterator<Item = T> + Send,
{
    if threads <= 1 {
        return items.for_each(work);
    }
    let items = Mutex::new(items);
    let take = || items.lock().unwrap_or_else(PoisonError::into_inner).next();
    let labour = || {
        while let Some(item) = take() {
            work(item);
        }
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(labour)).collect();
        labour();
        for other in others {
            other.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
    });
}
