//! The producer's outbox with changes of its rows gathered: what one turn of the loop submits and finishes is one transaction.
//!
//! The core goes on as if each change were durable. The loop stores them before it tells or sends anything that the core has
//! said since: a crash before that is, for everybody outside, a crash before those steps.

use std::cell::RefCell;
use std::rc::Rc;

use delivery_model::vocab::{Epoch, MessageId};

use crate::data::record::Payload;
use crate::store::outbox::{FileOutbox, RowChange};
use crate::store::{OutboxContents, OutboxRow, OutboxStore, RecoverError, StoreError};

/// The outbox of one incarnation. The core has a clone, and the loop another one, on the same thread.
#[derive(Clone, Debug)]
pub(super) struct GatheredRows(Rc<RefCell<Gathered>>);

#[derive(Debug)]
struct Gathered {
    store: FileOutbox,
    /// In the order in which the core made them. Bounded by the replies that one turn takes in and what it submits then.
    changes: Vec<RowChange>,
}

impl GatheredRows {
    pub fn of(store: FileOutbox) -> GatheredRows {
        GatheredRows(Rc::new(RefCell::new(Gathered { store, changes: Vec::new() })))
    }

    /// Makes all changes durable, in one transaction. Without changes nothing is written. After an error it is not known whether
    /// they are.
    pub fn store(&self) -> Result<(), StoreError> {
        self.0.borrow_mut().store()
    }

    fn change(&self, change: RowChange) {
        self.0.borrow_mut().changes.push(change);
    }

    /// Runs this on the store, after all changes.
    fn after_all<T>(&self, act: impl FnOnce(&mut FileOutbox) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut gathered = self.0.borrow_mut();
        gathered.store()?;
        act(&mut gathered.store)
    }
}

impl Gathered {
    fn store(&mut self) -> Result<(), StoreError> {
        if !self.changes.is_empty() {
            self.store.change_rows(&self.changes)?;
            self.changes.clear();
        }
        Ok(())
    }
}

impl OutboxStore for GatheredRows {
    fn recover(&mut self) -> Result<OutboxContents, RecoverError> {
        self.store()?;
        self.0.borrow_mut().store.recover()
    }

    fn begin(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        self.after_all(|store| store.begin(epoch))
    }

    fn renew(&mut self, epoch: Epoch, numbers: &[(MessageId, u64)]) -> Result<(), StoreError> {
        self.after_all(|store| store.renew(epoch, numbers))
    }

    fn advance(&mut self, position: MessageId) -> Result<(), StoreError> {
        self.after_all(|store| store.advance(position))
    }

    fn insert(&mut self, message: MessageId, payload: &Payload, number: Option<u64>) -> Result<(), StoreError> {
        self.change(RowChange::Insert(OutboxRow { message, payload: Payload::clone(payload), number }));
        Ok(())
    }

    fn delete(&mut self, message: MessageId) -> Result<(), StoreError> {
        self.change(RowChange::Delete(message));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(bytes: &[u8]) -> Payload {
        bytes.into()
    }

    fn messages(path: &std::path::Path) -> Vec<u64> {
        let rows = FileOutbox::open(path).unwrap().recover().unwrap().rows;
        rows.iter().map(|row| row.message.0).collect()
    }

    #[test]
    fn a_crash_loses_what_was_not_stored_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("outbox");
        let mut rows = GatheredRows::of(FileOutbox::open(&path).unwrap());
        rows.insert(MessageId(1), &payload(b"one"), Some(0)).unwrap();
        rows.insert(MessageId(2), &payload(b"two"), Some(1)).unwrap();
        rows.delete(MessageId(1)).unwrap();
        rows.store().unwrap();
        rows.insert(MessageId(3), &payload(b"three"), Some(2)).unwrap();
        drop(rows);
        assert_eq!(messages(&path), [2]);
    }

    #[test]
    fn what_is_written_at_once_comes_after_what_was_gathered() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("outbox");
        let mut rows = GatheredRows::of(FileOutbox::open(&path).unwrap());
        rows.insert(MessageId(1), &payload(b"one"), None).unwrap();
        rows.renew(Epoch(4), &[(MessageId(1), 7)]).unwrap();
        drop(rows);
        let contents = FileOutbox::open(&path).unwrap().recover().unwrap();
        assert_eq!((contents.epoch, contents.next_number), (Some(Epoch(4)), 8));
        assert_eq!(contents.rows[0].number, Some(7));
    }
}
