//! What the parties of a pipeline hold at one moment, in words that the model and running code share.
//!
//! The white-box properties look at this and at nothing else, so that what is claimed of the protocol's state is claimed
//! of the code's too. Everything here is what somebody can be shown to hold: a broker its log, its leases and its
//! counts, a consumer its memory. Whoever shows it may add evidence of its own, where the parties keep none.
//!
//! Architecture Invariant: this module knows ids and nothing else. It neither says what is right nor how anything works.

use crate::vocab::{Epoch, MessageId, Position};

/// What the broker makes of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// A record of it is put at the log's end.
    Store,
    /// It is taken for one that is in the log already, and not stored.
    Duplicate,
    /// It is not stored, and its producer is told so.
    Refuse,
}

/// An attempt in the broker's memory that it has not decided about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Received {
    /// Of which message.
    pub message: MessageId,
    /// Which incarnation of the producer sent it.
    pub epoch: Epoch,
    /// What will be made of it if the broker decides now.
    pub decision: Decision,
}

/// One moment of a pipeline, seen from inside. Of the log, [`end`](PartyState::end) positions are there to be asked about.
pub trait PartyState {
    /// One past the last record of the broker's log.
    fn end(&self) -> Position;

    /// One past its last durable record.
    fn synced(&self) -> Position;

    /// The message of a record.
    fn message_at(&self, position: Position) -> Option<MessageId>;

    /// What the broker is to decide about.
    fn received(&self) -> Option<Received>;

    /// The epoch that registered last.
    fn epoch(&self) -> Epoch;

    /// How many hand-offs of the position could be settled now.
    fn live_leases(&self, position: Position) -> usize;

    /// How often the position was handed off, since it was last rewound to, where hand-offs are limited.
    fn hand_offs(&self, position: Position) -> u32;

    /// The position is settled, durably or not.
    fn is_settled(&self, position: Position) -> bool;

    /// The position is dead-lettered.
    fn is_dead(&self, position: Position) -> bool;

    /// The effect of the message there was made, from this position or another, as far as anybody can show it.
    fn is_effected(&self, position: Position) -> bool;

    /// An effect was made from this very position, as far as anybody can show it.
    fn was_effected_from(&self, position: Position) -> bool;

    /// The memory of the group's consumers would recognise the message there.
    fn is_remembered(&self, position: Position) -> bool;

    /// The group was rewound at some time.
    fn was_rewound(&self) -> bool;
}

/// Every position below this one.
pub(crate) fn below(end: Position) -> impl DoubleEndedIterator<Item = Position> {
    (0..end.0).map(Position)
}

/// The message is in the log, below this position.
pub(crate) fn holds(inside: &impl PartyState, message: MessageId, upto: Position) -> bool {
    // Retries are of late messages: look from the end.
    below(upto).rev().any(|position| inside.message_at(position) == Some(message))
}
