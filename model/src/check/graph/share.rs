//! Work shared out among threads, item by item, so that none waits for a slower one.

use std::sync::{Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// Some threads that stay: starting one costs as much as expanding a hundred states.
pub(super) struct Crew {
    threads: usize,
    /// All but the caller's own; none, if it works alone.
    others: Option<ThreadPool>,
}

impl Crew {
    /// So many threads, the caller's own included.
    ///
    /// # Panics
    ///
    /// If the system has no more threads.
    pub(super) fn new(threads: usize) -> Self {
        let pool = |others| ThreadPoolBuilder::new().num_threads(others).build().expect("the system has threads");
        Crew { threads: threads.max(1), others: (threads > 1).then(|| pool(threads - 1)) }
    }

    /// Does `work` on every item; when it returns, all is done.
    ///
    /// Of every list, a thread gets the same places, so that what it wrote last time is still in its cache. Who is done
    /// takes what is left of the others'.
    ///
    /// # Panics
    ///
    /// If `work` does, on whichever thread, and with what it said.
    pub(super) fn share_out<T: Send>(&self, items: impl Iterator<Item = T>, work: impl Fn(T) + Sync) {
        let Some(others) = &self.others else { return items.for_each(work) };
        let items: Vec<Mutex<Option<T>>> = items.map(|item| Mutex::new(Some(item))).collect();
        let take = |place: usize| items[place].lock().unwrap_or_else(PoisonError::into_inner).take();
        let labour = |thread: usize| {
            let own = (thread..items.len()).step_by(self.threads);
            own.chain(0..items.len()).filter_map(take).for_each(&work);
        };
        others.in_place_scope(|scope| {
            for thread in 1..self.threads {
                let labour = &labour;
                scope.spawn(move |_| labour(thread));
            }
            labour(0);
        });
    }
}
