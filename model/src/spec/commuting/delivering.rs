//! Rules for the steps from the broker's disk to the settle.

use super::Outlook;
use crate::pipeline::{OnDuplicate, Settles};
use crate::spec::consumer;
use crate::spec::state::{Holding, Stage};
use crate::vocab::{DeliveryRef, Fault};

impl<F: Fn(Fault) -> bool> Outlook<'_, F> {
    /// The consumer is one worker, whose steps come one after the other, in one order, none of which is a crash or makes room in a
    /// queue that may be full.
    pub(super) fn has_one_worker(&self) -> bool {
        self.settings.consumers == 1
            && self.settings.consumer.capacity() == 1
            && self.settings.broker.capacity == 0
            && self.settings.consumer.settles != Settles::InBackground
            && self.state.crashing.is_none()
            && self.is_safe_from(&[Fault::HandlerCrashes])
    }

    /// Nothing else ends the hand-off, or gives it another name. A rewind ends leases.
    ///
    /// Of several late ones of a position, each is called by its number, which changes when another one ends. Of a cursor,
    /// a late one whose settle is refused takes back what its consumer has for done.
    pub(super) fn is_left_alone(&self, hand: DeliveryRef) -> bool {
        let is_one_of_several = || hand.late > 1 || self.state.holding(DeliveryRef { late: 2, ..hand }).is_some();
        self.is_safe_from(&[Fault::Rewind])
            && !(hand.is_late() && is_one_of_several())
            && !(self.settings.cursor && self.state.has_late_hands())
    }

    /// A crash loses a hand-off that is on its way, and nothing remains of it where hand-offs are not counted. Whatever
    /// else may happen leaves it the lowest: there is no other hand-off that could be dropped.
    pub(super) fn hand_off_commutes(&self) -> bool {
        let is_counted = self.settings.deliveries_max > 0 || self.settings.delivers_once;
        let crashes = [Fault::ConsumerCrash, Fault::BrokerCrash];
        self.is_safe_from(&[Fault::Rewind])
            && (!self.state.has_hands() && !is_counted || self.is_safe_from(&crashes))
            && self.others_will_settle()
    }

    pub(super) fn dead_letter_commutes(&self) -> bool {
        self.is_safe_from(&[Fault::Rewind, Fault::ConsumerCrash, Fault::BrokerCrash]) && self.others_will_settle()
    }

    /// Every hand-off that there is will be settled. Its settle covers nothing that is still to be handed off: one worker
    /// is done with positions in their order.
    fn others_will_settle(&self) -> bool {
        let settles = |(hand, holding): (DeliveryRef, Holding)| !hand.is_late() && holding.stage == Stage::Settling;
        !self.state.has_hands() || self.state.hands().all(settles) && self.is_safe_from(&[Fault::SettleLost])
    }

    pub(super) fn deliver_commutes(&self, hand: DeliveryRef) -> bool {
        self.is_only_one_of(hand) && self.is_safe_from(&[Fault::DeliveryLost, Fault::ConsumerCrash, Fault::BrokerCrash])
    }

    /// What fails, or is ignored, will be handed off for ever.
    pub(super) fn handle_commutes(&self, hand: DeliveryRef) -> bool {
        let strikes = [Fault::ConsumerCrash, Fault::BrokerCrash, Fault::HandlerFails];
        self.settings.consumer.on_duplicate == OnDuplicate::Settle
            && !consumer::fails(self.state, hand)
            && self.is_safe_from(&strikes)
    }

    pub(super) fn record_commutes(&self, hand: DeliveryRef) -> bool {
        self.is_only_one_of(hand)
            && !self.settings.settles_lazily
            && self.is_safe_from(&[Fault::SettleLost, Fault::ConsumerCrash, Fault::BrokerCrash])
    }

    /// Its lease has not ended, and neither has that of an earlier hand-off of the position that is still about.
    fn is_only_one_of(&self, hand: DeliveryRef) -> bool {
        !self.state.has_late(hand.position.0 as usize)
    }
}
