//! Work shared out among threads, item by item, so that none waits for a slower one.

use std::cell::OnceCell;
use std::sync::{Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// Some threads that stay: starting one costs as much as expanding a hundred states.
pub(super) struct Crew {
    threads: usize,
    /// All but the caller's own, from the first time that there is something for them to do.
    others: OnceCell<ThreadPool>,
}

impl Crew {
    /// So many threads, the caller's own included.
    pub(super) fn new(threads: usize) -> Self {
        Crew { threads: threads.max(1), others: OnceCell::new() }
    }

    /// Does `work` on every item; when it returns, all is done.
    ///
    /// Of every list, a thread gets the same places, so that what it wrote last time is still in its cache. Who is done
    /// takes what is left of the others'.
    ///
    /// # Panics
    ///
    /// If `work` does, on whichever thread, and with what it said; or if the system has no more threads.
    pub(super) fn share_out<T: Send>(&self, items: impl Iterator<Item = T>, work: impl Fn(T) + Sync) {
        let threads = self.threads;
        if threads == 1 {
            return items.for_each(work);
        }
        let others = self
            .others
            .get_or_init(|| ThreadPoolBuilder::new().num_threads(threads - 1).build().expect("the system has threads"));
        let items: Vec<Mutex<Option<T>>> = items.map(|item| Mutex::new(Some(item))).collect();
        let take = |place: usize| items[place].lock().unwrap_or_else(PoisonError::into_inner).take();
        let labour = |thread: usize| {
            let own = (thread..items.len()).step_by(threads);
            own.chain(0..items.len()).filter_map(take).for_each(&work);
        };
        others.in_place_scope(|scope| {
            for thread in 1..threads {
                let labour = &labour;
                scope.spawn(move |_| labour(thread));
            }
            labour(0);
        });
    }
}
