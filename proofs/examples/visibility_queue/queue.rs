//! A message queue in memory with visibility time-outs, after Amazon SQS. It knows nothing of the suite.
//!
//! A receive hides a message for a while. Deleting it with the receipt handle of that receive ends it; otherwise it comes
//! again. Everything is in memory: a crash of the queue loses it all.

use std::collections::VecDeque;
use std::time::Duration;

/// Which mistake the queue makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// None.
    None,
    /// The visibility time-out is measured from when the message was sent, and not from when it was received.
    HiddenFromSend,
    /// An old receipt handle deletes the message although somebody else has received it since.
    OldReceiptDeletes,
}

/// What a receive gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// The attribute that the sender gave.
    pub order_id: u64,
    /// The text.
    pub body: Vec<u8>,
    /// With what it is deleted.
    pub receipt: Receipt,
    /// How often it was received, this time included.
    pub receive_count: u32,
}

/// The right to delete what was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The message's place in the order of sending.
    pub sequence: u64,
    /// Which receive of it.
    pub receive: u32,
}

/// Why a call did not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueError {
    /// The message was received again since.
    ReceiptExpired,
    /// It was deleted already, or never existed.
    NoSuchMessage,
}

struct Entry {
    sequence: u64,
    order_id: u64,
    body: Vec<u8>,
    sent_at: Duration,
    visible_at: Duration,
    receive_count: u32,
}

/// The queue.
pub struct VisibilityQueue {
    bug: Bug,
    visibility: Duration,
    entries: VecDeque<Entry>,
    next_sequence: u64,
}

impl VisibilityQueue {
    /// An empty queue that hides what was received for so long.
    pub fn new(visibility: Duration, bug: Bug) -> Self {
        VisibilityQueue { bug, visibility, entries: VecDeque::new(), next_sequence: 0 }
    }

    /// Keeps a message. Its place in the order of sending.
    pub fn send(&mut self, now: Duration, order_id: u64, body: Vec<u8>) -> u64 {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.entries.push_back(Entry { sequence, order_id, body, sent_at: now, visible_at: now, receive_count: 0 });
        sequence
    }

    /// The first message that is visible, which is hidden from now on.
    pub fn receive(&mut self, now: Duration) -> Option<ReceivedMessage> {
        let (bug, visibility) = (self.bug, self.visibility);
        let entry = self.entries.iter_mut().find(|entry| entry.visible_at <= now)?;
        let hidden_from = if bug == Bug::HiddenFromSend { entry.sent_at } else { now };
        entry.visible_at = hidden_from + visibility;
        entry.receive_count += 1;
        let receipt = Receipt { sequence: entry.sequence, receive: entry.receive_count };
        let (order_id, body) = (entry.order_id, entry.body.clone());
        Some(ReceivedMessage { order_id, body, receipt, receive_count: entry.receive_count })
    }

    /// Deletes what was received.
    pub fn delete(&mut self, receipt: Receipt) -> Result<(), QueueError> {
        let is_it = |entry: &Entry| entry.sequence == receipt.sequence;
        let index = self.entries.iter().position(is_it).ok_or(QueueError::NoSuchMessage)?;
        let is_latest = self.entries[index].receive_count == receipt.receive;
        if !is_latest && self.bug != Bug::OldReceiptDeletes {
            return Err(QueueError::ReceiptExpired);
        }
        self.entries.remove(index);
        Ok(())
    }

    /// When the next hidden message becomes visible.
    pub fn next_visible(&self, now: Duration) -> Option<Duration> {
        self.entries.iter().map(|entry| entry.visible_at).filter(|at| *at > now).min()
    }
}
