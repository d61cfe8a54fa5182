//! The consumer's steps.

use delivery_model::pipeline::{Commits, Settles};
use delivery_model::vocab::{Position, SettleOutcome};

use super::Value;
use crate::data::record::{Key, Record};
use crate::store::{Change, Covers, EffectStore, Generation, StoreError};

/// What a consumer does about a hand-off that it settles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AfterCommit {
    /// Send the settle, and wait for what comes of it.
    Send,
    /// Run the handler, and send nothing.
    Handle,
    /// End the delivery.
    GiveUp,
}

/// The decisions of a consumer. The defaults are what ships.
pub trait ConsumerSteps: Value {
    /// When it settles, given the setting.
    fn settles(&self, setting: Settles) -> Settles {
        setting
    }

    /// What it commits, given the setting.
    fn commits(&self, setting: Commits) -> Commits {
        setting
    }

    /// By what its memory knows a message.
    fn key(&self, record: &Record, position: Position) -> Key {
        record.key(position)
    }

    /// Whether the message at this position was handled before. `seen` asks the memory that the settings name.
    fn was_handled<S: EffectStore>(
        &self,
        store: &S,
        position: Position,
        seen: impl FnOnce() -> Result<bool, StoreError>,
    ) -> Result<bool, StoreError> {
        let _ = (store, position);
        seen()
    }

    /// Whether a delivery whose handler failed counts as handled: no, it is released.
    fn passes_over_failure(&self) -> bool {
        false
    }

    /// The transactions of an effect with its inbox entry: one. A second one would come in a step of its own.
    fn transactions<E>(&self, change: Change<E>) -> (Change<E>, Option<Change<E>>) {
        (change, None)
    }

    /// By which generation a transaction of a checked lease may be refused.
    fn fenced_by(&self, generation: Generation) -> Option<Generation> {
        Some(generation)
    }

    /// The positions that it says are done, given those that it has finished.
    fn says_done(&self, finished: Covers) -> Covers {
        finished
    }

    /// What a settle came to, given what is known of it.
    fn settled(&self, outcome: SettleOutcome) -> SettleOutcome {
        outcome
    }

    /// Whether a new generation of the group goes by what is committed alone.
    fn goes_by_commits(&self) -> bool {
        true
    }

    /// What follows on a commit. `has_news`: it covers what is not known to be committed. `is_last`: the handler has run.
    fn after_commit(&self, has_news: bool, is_last: bool) -> AfterCommit {
        if has_news || !is_last { AfterCommit::Send } else { AfterCommit::GiveUp }
    }
}
