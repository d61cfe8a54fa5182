//! The consumer's memory: the messages that it has handled, and the positions that it has finished but not committed.

use delivery_model::pipeline::Commits;
use delivery_model::vocab::Position;

use crate::data::keys::Keys;
use crate::data::positions::Positions;
use crate::data::record::Key;
use crate::store::Covers;

/// The memory of a consumer, lost in a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Inbox {
    seen: Keys,
    /// The finished positions that a restart of the broker could forget, or that no commit covers yet.
    done: Positions,
}

impl Inbox {
    /// Whether this memory knows the message as handled.
    pub fn has_seen(&self, key: &Key) -> bool {
        self.seen.contains(key)
    }

    /// Notes that the message was handled.
    pub fn remember(&mut self, key: Key) {
        self.seen.insert(&key);
    }

    /// Whether a crash would lose nothing, given the positions that are committed durably.
    pub fn is_needless(&self, safe: &Positions) -> bool {
        self.seen.is_empty() && self.done.minus(safe).is_empty()
    }

    /// The finished positions that are not known to be committed durably.
    pub fn done(&self) -> &Positions {
        &self.done
    }

    /// The positions to commit once this position is finished too, given those that are committed or set aside
    /// already.
    pub fn covers(&self, position: Position, commits: Commits, committed: &Positions) -> Covers {
        let mut finished = committed.clone();
        finished.extend(&self.done);
        covers(position, commits, finished)
    }

    /// Notes that the position is finished.
    pub fn finish(&mut self, position: Position) {
        self.done.insert(position);
    }

    /// Removes positions that are committed durably.
    pub fn forget_done(&mut self, safe: &Positions) {
        self.done = self.done.minus(safe);
    }

    /// Forgets all finished positions: what is not committed will be done again.
    pub fn forget_all_done(&mut self) {
        self.done = Positions::default();
    }
}

/// What to commit once this position is finished beside these.
pub fn covers(position: Position, commits: Commits, mut finished: Positions) -> Covers {
    finished.insert(position);
    match commits {
        Commits::Each => Covers::One(position),
        Commits::Prefix => Covers::Below(finished.first_missing(Position(0))),
        Commits::Highest => Covers::Below(finished.end()),
    }
}
