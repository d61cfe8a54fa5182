//! Steps that may as well be taken first: whatever else happens before such a step could as well happen after it.
//!
//! A rule says of one enabled step, which is no fault, that it stays enabled until it is taken, and that every other step
//! that is taken before it could as well be taken after it, with the same events for each message and the same state in
//! the end. Or it is *absorbed*: the other step is a crash that leaves nothing of it, so that it makes no difference
//! whether it was taken at all. What this is good for, and how each rule is checked on all states of whole pipelines, is said in
//! `check::reduced`.
//!
//! Most rules ask that certain faults cannot strike any more: that their share of the budget, or the whole of it, is
//! spent. A run that has its faults behind it has nearly nothing left to choose.
//!
//! No rule starts what cannot end: a refusal that may come again and again, or a handler that fails for ever, is left to
//! the full choice of steps. So there is no circle of such steps alone.
//!
//! Left out: several workers and a second consumer, whose work on one message can race (all that they do is left to the
//! full choice), and settles that are recorded lazily.

mod delivering;
mod publishing;

use std::cell::Cell;
use std::ops::ControlFlow;

use super::settings::Settings;
use super::state::{State, index};
use super::{Spec, faults};
use crate::pipeline::OnFailure;
use crate::vocab::{Fault, Move};

impl Spec {
    /// Calls `found` with enabled moves that may as well be taken first, given the faults that may still strike, until it
    /// breaks.
    ///
    /// Sound if `may_strike` is [`is_in_budget`](Spec::is_in_budget), or says yes more often.
    pub fn commuting(
        &self,
        state: &State,
        may_strike: impl Fn(Fault) -> bool,
        found: &mut dyn FnMut(Move) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let outlook = Outlook { settings: &self.settings, state, may_strike };
        self.moves(state, &mut |it| if outlook.commutes(it) { found(it) } else { ControlFlow::Continue(()) })
    }

    /// Calls `found` with every enabled move that may as well be taken first once certain faults cannot strike any more,
    /// and with these faults, as bits.
    ///
    /// They are the faults that the move's rule asks about. So [`commuting`](Spec::commuting) finds the move where none of
    /// them may strike; and nowhere else, as long as no rule needs but one of several.
    pub fn commuting_unless(&self, state: &State, found: &mut dyn FnMut(Move, u32)) {
        let asked = Cell::new(0);
        let may_strike = |fault: Fault| {
            asked.set(asked.get() | 1 << fault as u32);
            false
        };
        let outlook = Outlook { settings: &self.settings, state, may_strike };
        let _ = self.moves(state, &mut |it| {
            asked.set(0);
            if outlook.commutes(it) {
                found(it, asked.get());
            }
            ControlFlow::Continue(())
        });
    }

    /// The budget has a fault of this kind left, whether or not it can strike now.
    pub fn is_in_budget(&self, state: &State, fault: Fault) -> bool {
        faults::is_in_budget(&self.settings, state, fault)
    }
}

/// A state, and what may still go wrong after it.
struct Outlook<'a, F> {
    settings: &'a Settings,
    state: &'a State,
    may_strike: F,
}

impl<F: Fn(Fault) -> bool> Outlook<'_, F> {
    /// The rule of an enabled move.
    fn commutes(&self, it: Move) -> bool {
        use Move::*;
        if self.is_rearranged() {
            return false;
        }
        match it {
            // Another message's refusal may make the producer start over at any time, and abandon all of these.
            Attempt { .. } | Receive { .. } | Append { .. } | Sync | Ack { .. } | TakeReply { .. } | TimeOut { .. }
                if self.settings.renews =>
            {
                false
            }
            Submit { .. } => self.submit_commutes(),
            Attempt { message } => self.attempt_commutes(index(message)),
            Receive { .. } => self.receive_commutes(),
            ReceiveLate { .. } => false,
            Append { .. } => self.append_commutes(),
            Sync => self.sync_commutes(),
            SyncSettles => false,
            Ack { message } => self.ack_commutes(index(message)),
            TakeReply { message } => self.take_reply_commutes(index(message)),
            TimeOut { message } => self.time_out_commutes(index(message)),
            HandOff { .. } => self.has_one_worker() && self.hand_off_commutes(),
            DeadLetter { .. } => self.has_one_worker() && self.dead_letter_commutes(),
            Deliver { hand } => self.has_one_worker() && self.is_left_alone(hand) && self.deliver_commutes(hand),
            Handle { hand } => self.has_one_worker() && self.is_left_alone(hand) && self.handle_commutes(hand),
            // A crash of the consumer leaves nothing of either: its memory goes, and what it sends.
            Remember { hand } | Settle { hand } => {
                self.has_one_worker() && self.is_left_alone(hand) && self.broker_stays()
            }
            RecordSettle { hand } => self.has_one_worker() && self.is_left_alone(hand) && self.record_commutes(hand),
        }
    }

    /// Something may still take records or settles away, or put records back, at any moment; or consumers publish too. No
    /// rule was thought through for that.
    fn is_rearranged(&self) -> bool {
        let faults =
            [Fault::DeadLetterLost, Fault::Redrive, Fault::Failover, Fault::RecordExpired, Fault::GroupForgotten];
        !self.is_safe_from(&faults)
            || self.settings.loses_records
            || self.settings.consumer.on_failure == OnFailure::Requeue
    }

    /// None of these faults will strike any more.
    fn is_safe_from(&self, faults: &[Fault]) -> bool {
        !faults.iter().any(|&fault| (self.may_strike)(fault))
    }

    /// No incarnation of the producer will follow this one.
    fn producer_stays(&self) -> bool {
        self.is_safe_from(&[Fault::ProducerCrash, Fault::ProducerZombie])
    }

    fn broker_stays(&self) -> bool {
        self.is_safe_from(&[Fault::BrokerCrash])
    }
}
