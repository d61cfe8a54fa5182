//! The consumer's seeded bugs.

use delivery_impls::core::steps::{AfterCommit, ConsumerSteps, Sound};
use delivery_impls::data::record::{Identity, Key, Record, Session};
use delivery_impls::store::{Change, Covers, EffectStore, Generation, StoreError};
use delivery_model::pipeline::{Commits, Settles};
use delivery_model::vocab::{Position, SettleOutcome};

use super::Mutant;

impl ConsumerSteps for Mutant {
    fn settles(&self, setting: Settles) -> Settles {
        match (self, setting) {
            (Mutant::SettleBeforeEffect, Settles::AfterEffect) => Settles::BeforeEffect,
            _ => Sound.settles(setting),
        }
    }

    fn commits(&self, setting: Commits) -> Commits {
        match (self, setting) {
            (Mutant::CommitsHighest, Commits::Prefix) => Commits::Highest,
            _ => Sound.commits(setting),
        }
    }

    fn key(&self, record: &Record, position: Position) -> Key {
        match self {
            Mutant::InboxByPosition => Key::Position(position),
            Mutant::InboxWithoutSession => match record.key(position) {
                Key::Identity(Identity::Sequence { number, .. }) => {
                    Key::Identity(Identity::Sequence { session: Session::default(), number })
                }
                other => other,
            },
            _ => Sound.key(record, position),
        }
    }

    fn was_handled<S: EffectStore>(
        &self,
        store: &S,
        position: Position,
        seen: impl FnOnce() -> Result<bool, StoreError>,
    ) -> Result<bool, StoreError> {
        match self {
            Mutant::InboxNotAsked => Ok(false),
            Mutant::PositionsTakenForInbox => Ok(store.finished()?.contains(position)),
            _ => Sound.was_handled(store, position, seen),
        }
    }

    fn passes_over_failure(&self) -> bool {
        *self == Mutant::FailureSettled || Sound.passes_over_failure()
    }

    fn transactions<E>(&self, change: Change<E>) -> (Change<E>, Option<Change<E>>) {
        let Change { effect, inbox, .. } = change;
        let effect = Change { effect, ..Change::default() };
        let inbox = Change { inbox, ..Change::default() };
        match self {
            Mutant::InboxAfterEffect => (effect, Some(inbox)),
            Mutant::InboxBeforeEffect => (inbox, Some(effect)),
            _ => Sound.transactions(Change { inbox: inbox.inbox, ..effect }),
        }
    }

    fn fenced_by(&self, generation: Generation) -> Option<Generation> {
        match self {
            Mutant::FenceIgnored => None,
            _ => Sound.fenced_by(generation),
        }
    }

    fn says_done(&self, finished: Covers) -> Covers {
        match (self, finished) {
            (Mutant::CommitsOneTooMany, Covers::Below(end)) => Covers::Below(Position(end.0 + 1)),
            _ => Sound.says_done(finished),
        }
    }

    fn settled(&self, outcome: SettleOutcome) -> SettleOutcome {
        match (self, outcome) {
            (Mutant::RefusedSettleTakenForOk, SettleOutcome::Refused) => SettleOutcome::Ok,
            (Mutant::LostSettleTakenForOk, SettleOutcome::Unknown) => SettleOutcome::Ok,
            _ => Sound.settled(outcome),
        }
    }

    fn goes_by_commits(&self) -> bool {
        *self != Mutant::DoneKept && Sound.goes_by_commits()
    }

    fn after_commit(&self, has_news: bool, is_last: bool) -> AfterCommit {
        match self {
            Mutant::CommitTakenForConfirmation if !has_news && !is_last => AfterCommit::Handle,
            _ => Sound.after_commit(has_news, is_last),
        }
    }
}
