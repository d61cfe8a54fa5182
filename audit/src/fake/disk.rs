//! What the fake stores, and what a crash makes it forget.

use super::{FORGOTTEN, Switch};

/// A stored message.
struct Record {
    message: u64,
    position: u64,
    settled: bool,
    /// Whether it is with a consumer.
    taken: bool,
    /// Whether it was handed off, as far as the broker knows.
    handed: bool,
}

/// The fake's disk, and its memory, which it writes through.
pub(super) struct Disk {
    pub(super) switch: Switch,
    pub(super) has_queue: bool,
    pub(super) paused: bool,
    records: Vec<Record>,
    next: u64,
}

impl Disk {
    pub(super) fn new(switch: Switch) -> Disk {
        Disk { switch, has_queue: false, paused: false, records: Vec::new(), next: 0 }
    }

    /// Stores a message, or recognises it. Returns its position; none where there is no queue.
    pub(super) fn store(&mut self, message: u64) -> Option<u64> {
        if !self.has_queue {
            return None;
        }
        let known = self.records.iter().find(|record| record.message == message);
        if let Some(record) = known.filter(|_| self.switch != Switch::StoresRetries) {
            return Some(record.position);
        }
        let position = self.next;
        self.next += 1;
        self.records.push(Record { message, position, settled: false, taken: false, handed: false });
        Some(position)
    }

    /// Hands off the first record that is free: message, position, and whether it is marked as handed off before.
    pub(super) fn take(&mut self) -> Option<(u64, u64, bool)> {
        let marks = !matches!(self.switch, Switch::DoesNotMark | Switch::RepeatsSettledUnmarked);
        let record = self.records.iter_mut().find(|record| !record.settled && !record.taken)?;
        let marked = record.handed && marks;
        (record.taken, record.handed) = (true, true);
        Some((record.message, record.position, marked))
    }

    /// Hands off the first record that never was: message and position.
    pub(super) fn take_new(&mut self) -> Option<(u64, u64)> {
        let record = self.records.iter_mut().find(|record| !record.settled && !record.handed)?;
        (record.taken, record.handed) = (true, true);
        Some((record.message, record.position))
    }

    /// Hands off again the first record at this position or behind it that was handed off and is not settled.
    pub(super) fn pending(&mut self, from: u64) -> Option<(u64, u64)> {
        let is_pending = |record: &&mut Record| record.handed && !record.settled && record.position >= from;
        let record = self.records.iter_mut().find(is_pending)?;
        record.taken = true;
        Some((record.message, record.position))
    }

    /// Settles the record there. Returns whether it was with a consumer.
    pub(super) fn settle(&mut self, position: u64) -> bool {
        let record = self.records.iter_mut().find(|record| record.position == position && record.taken);
        record.map(|record| (record.settled, record.taken) = (true, false)).is_some()
    }

    /// No record is with a consumer: its connection is gone.
    pub(super) fn release_all(&mut self) {
        self.records.iter_mut().for_each(|record| record.taken = false);
    }

    pub(super) fn waiting(&self) -> u64 {
        self.records.iter().filter(|record| !record.settled).count() as u64
    }

    /// Removes the queue with all that is in it.
    pub(super) fn remove(&mut self) {
        self.records.clear();
        self.has_queue = false;
    }

    /// What a kill does to the disk.
    pub(super) fn crash(&mut self) {
        self.release_all();
        match self.switch {
            Switch::LosesAckedOnKill => self.forget_records(),
            Switch::RepeatsSettled | Switch::RepeatsSettledUnmarked => {
                let settled = self.records.iter_mut().rev().filter(|record| record.settled);
                settled.take(FORGOTTEN).for_each(|record| record.settled = false);
            }
            Switch::ForgetsQueue => self.remove(),
            _ => {}
        }
    }

    /// What a power loss does to the disk.
    pub(super) fn lose_power(&mut self) {
        match self.switch {
            Switch::LosesAckedOnPower => {
                self.release_all();
                self.forget_records();
            }
            _ => self.crash(),
        }
    }

    fn forget_records(&mut self) {
        let kept = self.records.len().saturating_sub(FORGOTTEN);
        self.records.truncate(kept);
    }
}
