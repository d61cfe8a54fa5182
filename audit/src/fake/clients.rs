//! The connections of the fake's clients.

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Shared;
use super::disk::Disk;
use crate::clock::Deadline;
use crate::product::{Broken, Delivery, Published, Publisher, Receiver, Settled};

/// A connection to one run of the broker.
pub(super) struct Connection {
    shared: Arc<Shared>,
    run: u64,
}

impl Connection {
    pub(super) fn open(shared: &Arc<Shared>) -> Result<Connection, Broken> {
        let run = shared.run.load(Ordering::SeqCst);
        if run.is_multiple_of(2) {
            return Err(Broken("the broker is down".to_owned()));
        }
        Ok(Connection { shared: Arc::clone(shared), run })
    }

    fn is_broken(&self) -> bool {
        self.shared.run.load(Ordering::SeqCst) != self.run
    }

    /// Asks the broker something. None: no answer came, and the connection is of no more use.
    pub(super) fn call<T>(&self, question: impl FnOnce(&mut Disk) -> T) -> Option<T> {
        self.call_within(self.shared.answer, |disk| Some(question(disk)))
    }

    /// Asks the broker something until it has an answer, at most this long.
    fn call_within<T>(&self, wait: Duration, question: impl FnOnce(&mut Disk) -> Option<T>) -> Option<T> {
        let end = Deadline::after(wait);
        let mut disk = self.shared.lock();
        while disk.paused && !self.is_broken() && !end.has_passed() {
            let waited = self.shared.changed.wait_timeout(disk, end.left());
            disk = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if disk.paused || self.is_broken() {
            return None;
        }
        let answer = question(&mut disk);
        drop(disk);
        self.shared.changed.notify_all();
        answer
    }
}

impl Publisher for Connection {
    fn publish(&mut self, message: u64) -> Published {
        match self.call(|disk| disk.store(message)) {
            None => Published::Unknown("no answer".to_owned()),
            Some(None) => Published::Refused("there is no queue".to_owned()),
            Some(Some(position)) => Published::Acked(Some(position)),
        }
    }
}

/// A consumer's connection.
pub(super) struct Consuming {
    pub(super) connection: Connection,
    /// The position of the delivery that is at work.
    pub(super) taken: Option<u64>,
}

impl Receiver for Consuming {
    fn receive(&mut self, wait: Duration) -> Result<Option<Delivery>, Broken> {
        let end = Deadline::after(wait);
        loop {
            let taken = self.connection.call(Disk::take).ok_or_else(|| Broken("no answer".to_owned()))?;
            if let Some((message, position, marked)) = taken {
                self.taken = Some(position);
                return Ok(Some(Delivery { message, position: Some(position), marked }));
            }
            if end.has_passed() {
                return Ok(None);
            }
            let disk = self.connection.shared.lock();
            drop(self.connection.shared.changed.wait_timeout(disk, end.left()));
        }
    }

    fn settle(&mut self) -> Settled {
        let Some(position) = self.taken.take() else {
            return Settled::Refused("nothing is at work".to_owned());
        };
        match self.connection.call(|disk| disk.settle(position)) {
            None => Settled::Unknown("no answer".to_owned()),
            Some(true) => Settled::Confirmed,
            Some(false) => Settled::Refused("it is not with this consumer".to_owned()),
        }
    }
}
