//! The consumer's memory of what it has handled, and what it has done but not committed.

use delivery_model::pipeline::Commits;
use delivery_model::vocab::Position;

use crate::data::keys::Keys;
use crate::data::positions::Positions;
use crate::data::record::Key;
use crate::store::Covers;

/// What a consumer remembers until it crashes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Inbox {
    seen: Keys,
    /// Finished positions that a restart of the broker could forget, or that no commit covers yet.
    done: Positions,
}

impl Inbox {
    /// Whether this message was handled, as far as memory goes.
    pub fn has_seen(&self, key: &Key) -> bool {
        self.seen.contains(key)
    }

    /// Notes that this message was handled.
    pub fn remember(&mut self, key: Key) {
        self.seen.insert(&key);
    }

    /// Nothing would be lost with it, given what nobody can forget any more.
    pub fn is_needless(&self, safe: &Positions) -> bool {
        self.seen.is_empty() && self.done.minus(safe).is_empty()
    }

    /// Finished positions that are not known to be safe.
    pub fn done(&self) -> &Positions {
        &self.done
    }

    /// What to commit once this position is finished too, given what is committed or set aside already.
    pub fn covers(&self, position: Position, commits: Commits, committed: &Positions) -> Covers {
        if commits == Commits::Each {
            return Covers::One(position);
        }
        let mut all = committed.clone();
        all.extend(&self.done);
        all.insert(position);
        Covers::Below(if commits == Commits::Prefix { all.first_missing(Position(0)) } else { all.end() })
    }

    /// The position is finished.
    pub fn finish(&mut self, position: Position) {
        self.done.insert(position);
    }

    /// These positions can no longer be forgotten by anybody.
    pub fn forget_done(&mut self, safe: &Positions) {
        self.done = self.done.minus(safe);
    }

    /// What is not committed is to be done again.
    pub fn forget_all_done(&mut self) {
        self.done = Positions::default();
    }
}
