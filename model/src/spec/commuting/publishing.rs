//! Rules for the steps from the application to the broker's disk.

use super::Outlook;
use crate::party_state::Decision;
use crate::pipeline::{OnRefusal, OnRestart};
use crate::spec::bounds::LOG_MAX;
use crate::spec::broker::{decide, is_refused};
use crate::spec::state::{Phase, Record};
use crate::vocab::Fault;

impl<F: Fn(Fault) -> bool> Outlook<'_, F> {
    /// Later messages are submitted under later numbers and wait behind it. A crash of the producer makes no difference
    /// where the successor has all that was submitted: it takes this message up as if it were submitted to it. Only what
    /// is not submitted yet can be poisoned, kill its consumer, or have its row delayed.
    pub(super) fn submit_commutes(&self) -> bool {
        self.is_safe_from(&[Fault::Poison, Fault::HandlerCrashes, Fault::CommitReordered])
            && self.state.delayed.is_none()
            && (self.settings.producer.on_restart != OnRestart::Forgets || self.producer_stays())
    }

    /// No lower one will come back to wait, and be sent before it.
    pub(super) fn attempt_commutes(&self, message: usize) -> bool {
        let lower = &self.state.phases[..message];
        !lower.iter().any(|phase| phase.is_unresolved())
            && self.rows_are_in_order()
            && self.producer_stays()
            && self.broker_stays()
    }

    /// No row has become visible before one of a lower position, nor will one.
    fn rows_are_in_order(&self) -> bool {
        self.state.fired(Fault::CommitReordered) == 0 && self.is_safe_from(&[Fault::CommitReordered])
    }

    /// A crash of the broker loses the same whether the attempt was on the wire or received.
    pub(super) fn receive_commutes(&self) -> bool {
        self.state.stragglers[0].is_none()
            && self.producer_stays()
            && self.is_safe_from(&[Fault::PublishLost, Fault::PublishReordered, Fault::PublishDuplicated])
    }

    /// The next sync comes after it in any case. What was appended since the last one is lost in a crash of the broker
    /// like what was only received, as long as the crash has something else to befall. What is refused may be sent, and
    /// refused, for ever.
    pub(super) fn append_commutes(&self) -> bool {
        let Some(received) = self.state.slot else { return false };
        let decision = decide(self.settings, self.state, received);
        let is_told = self.settings.broker.acks.wait_for_disk() && !received.straggler;
        !is_refused(self.settings, decision)
            && self.settings.broker.capacity == 0
            && !(received.straggler && self.is_ack_owed(received.record))
            && usize::from(self.state.log_len) < LOG_MAX
            && self.state.log_len == self.state.synced
            && !self.settings.settles_lazily
            && (received.straggler || self.is_safe_from(&[Fault::PublishRefused]))
            && (!received.straggler || self.producer_stays())
            && self.is_safe_from(&[Fault::DedupForgotten])
            && (decision == Decision::Store || is_told || self.broker_stays())
    }

    /// Whoever owes it waits for the last record that looks like it.
    fn is_ack_owed(&self, record: Record) -> bool {
        let state = self.state;
        (0..state.phases.len()).any(|it| state.phases[it] == Phase::AckOwed && state.identities[it] == record)
    }

    /// Nothing more can be appended before it.
    pub(super) fn sync_commutes(&self) -> bool {
        let state = self.state;
        let waits_for_it = |message: usize| {
            let record = state.last_record(state.identities[message]);
            state.phases[message] == Phase::AckOwed && record.is_some_and(|place| place >= state.synced.into())
        };
        let messages = 0..usize::from(self.settings.messages);
        let mut outstanding = messages.clone().filter(|&message| state.phases[message].is_outstanding());
        let count = outstanding.clone().count() as u32;
        let is_done = |message: usize| !matches!(state.phases[message], Phase::Queued | Phase::Unsubmitted);
        state.log_len > state.synced
            && !self.settings.settles_lazily
            && state.slot.is_none()
            && state.stragglers[0].is_none()
            && outstanding.all(waits_for_it)
            && (count >= self.settings.producer.in_flight || messages.clone().all(is_done))
            && self.producer_stays()
            && self.broker_stays()
    }

    /// The record stays durable, and whoever crashes forgets that an ack was owed as well as that it was sent. A late copy of the
    /// same transmission could be stored again, and would then have to be synced before the ack.
    pub(super) fn ack_commutes(&self, message: usize) -> bool {
        let state = self.state;
        let record = state.identities[message];
        let late = state.slot.iter().chain(state.stragglers.iter().flatten());
        state.last_record(record).is_some() && !late.into_iter().any(|transmission| transmission.record == record)
    }

    pub(super) fn take_reply_commutes(&self, message: usize) -> bool {
        let is_acked = self.state.phases[message] == Phase::AckOnWire;
        let gives_up = self.settings.producer.on_refusal == OnRefusal::GiveUp;
        (is_acked || gives_up || self.may_come_back(message))
            && (!is_acked || self.is_safe_from(&[Fault::PublishAckLost]))
            && self.producer_stays()
            && self.broker_stays()
    }

    pub(super) fn time_out_commutes(&self, message: usize) -> bool {
        self.may_come_back(message) && self.producer_stays()
    }

    /// No later message's attempt depends on whether this one waits to be sent again.
    fn may_come_back(&self, message: usize) -> bool {
        let gives_up = self.settings.attempts_max > 0 && self.state.attempts_left.at(message) == 0;
        gives_up || self.settings.producer.in_flight == 1
    }
}
