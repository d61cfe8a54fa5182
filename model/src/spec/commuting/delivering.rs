//! Rules for the steps from the broker's disk to the settle.

use super::Outlook;
use crate::pipeline::Settles;
use crate::spec::broker::{next_hand_off, used_up};
use crate::spec::state::{Holding, Stage};
use crate::vocab::{DeliveryRef, Fault, Move, Position};

impl<F: Fn(Fault) -> bool> Outlook<'_, F> {
    pub(super) fn delivering(&self, found: &mut impl FnMut(Move)) {
        if self.settings.consumers > 1 || self.settings.workers > 1 {
            return;
        }
        if let Some((position, _)) = next_hand_off(self.settings, self.state) {
            let is_last = used_up(self.settings, self.state, position);
            let position = Position(position as u64);
            if is_last && self.may_dead_letter() {
                found(Move::DeadLetter { position });
            } else if !is_last && self.may_hand_off() {
                found(Move::HandOff { position });
            }
        }
        for (hand, holding) in self.state.hands() {
            self.hand(hand, holding, found);
        }
    }

    /// A crash of the consumer leaves as much of a settle or a note in memory as if they had not been: nothing. A rewind
    /// ends leases.
    fn hand(&self, hand: DeliveryRef, holding: Holding, found: &mut impl FnMut(Move)) {
        // Of several late ones of a position, each is called by its number, which changes when another one ends. Of a
        // cursor, a late one whose settle is refused takes back what its consumer has for done.
        let is_one_of_several = hand.late > 1 || self.state.holding(DeliveryRef { late: 2, ..hand }).is_some();
        let is_called_otherwise = hand.is_late() && is_one_of_several;
        if !self.is_safe_from(&[Fault::Rewind])
            || is_called_otherwise
            || self.settings.cursor && self.state.has_late_hands()
        {
            return;
        }
        let settles_first = self.settings.settles == Settles::BeforeEffect;
        match holding.stage {
            Stage::OnWire if self.may_deliver(hand) => found(Move::Deliver { hand }),
            Stage::AtWork if settles_first && self.broker_stays() => found(Move::Settle { hand }),
            Stage::AtWork if !settles_first && self.may_handle(hand) => found(Move::Handle { hand }),
            Stage::Confirmed if self.may_handle(hand) => found(Move::Handle { hand }),
            Stage::ToRemember if self.broker_stays() => found(Move::Remember { hand }),
            Stage::ToSettle if self.broker_stays() => found(Move::Settle { hand }),
            Stage::Settling if self.may_record(hand) => found(Move::RecordSettle { hand }),
            _ => {}
        }
    }

    /// A crash loses a hand-off that is on its way, and nothing remains of it where hand-offs are not counted. Whatever
    /// else may happen leaves it the lowest: there is no other hand-off that could be dropped.
    fn may_hand_off(&self) -> bool {
        let is_counted = self.settings.deliveries_max > 0 || self.settings.delivers_once;
        let crashes = [Fault::ConsumerCrash, Fault::BrokerCrash];
        self.is_safe_from(&[Fault::Rewind])
            && (!self.state.has_hands() && !is_counted || self.is_safe_from(&crashes))
            && self.others_will_settle()
    }

    fn may_dead_letter(&self) -> bool {
        self.is_safe_from(&[Fault::Rewind, Fault::ConsumerCrash, Fault::BrokerCrash]) && self.others_will_settle()
    }

    /// Every hand-off that there is will be settled. Its settle covers nothing that is still to be handed off: one worker
    /// is done with positions in their order.
    fn others_will_settle(&self) -> bool {
        let settles = |(hand, holding): (DeliveryRef, Holding)| !hand.is_late() && holding.stage == Stage::Settling;
        !self.state.has_hands() || self.state.hands().all(settles) && self.is_safe_from(&[Fault::SettleLost])
    }

    fn may_deliver(&self, hand: DeliveryRef) -> bool {
        self.is_only_one_of(hand) && self.is_safe_from(&[Fault::DeliveryLost, Fault::ConsumerCrash, Fault::BrokerCrash])
    }

    /// What fails will be handed off for ever.
    fn may_handle(&self, hand: DeliveryRef) -> bool {
        let message = self.state.log[hand.position.0 as usize].message();
        !self.state.fails(message + 1) && self.is_safe_from(&[Fault::ConsumerCrash, Fault::BrokerCrash])
    }

    fn may_record(&self, hand: DeliveryRef) -> bool {
        self.is_only_one_of(hand)
            && !self.settings.settles_lazily
            && self.is_safe_from(&[Fault::SettleLost, Fault::ConsumerCrash, Fault::BrokerCrash])
    }

    /// Its lease has not ended, and neither has that of an earlier hand-off of the position that is still about.
    fn is_only_one_of(&self, hand: DeliveryRef) -> bool {
        !self.state.has_late(hand.position.0 as usize)
    }
}
