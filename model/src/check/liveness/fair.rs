//! Who must go on, and how urgently: the fairness under which the protocol's promises about whole runs are judged.
//!
//! Steps are classed by who owes them and about what, so that a party that is busy with one message for ever does not
//! count as caring for another. Nothing is owed of faults, whose budgets end anyhow, nor of the application: it may stop
//! submitting. All else is weakly fair: what could be done without a break is done some time. Only the consumer's workers
//! are shared out among positions that can be handed off now and then: there [`Shares`] matter. (The producer's window is
//! shared out too, but it serves the oldest message first, so that none is passed over.)

use super::super::graph::Fairness;
use crate::spec::bounds::{LOG_MAX, MESSAGES_MAX};
use crate::vocab::{DeliveryRef, MessageId, Move, Position, Step};

/// How the consumer's workers are shared out among the positions that wait for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shares {
    /// Somehow. A position that could be handed off now and then may come too late each time.
    Any,
    /// Fairly. A position that could be handed off again and again is, some time: strong fairness.
    Fair,
}

/// Nothing is owed of these.
const UNFAIR: u8 = 0;
const RECEIVE: u8 = 1;
const RECEIVE_LATE: u8 = 2;
const APPEND: u8 = 3;
const SYNC: u8 = 4;
/// The broker acks a message.
const ACK: u8 = 5;
/// The producer takes in what came of an attempt.
const LEARN: u8 = ACK + MESSAGES_MAX as u8;
/// The producer transmits a message.
const ATTEMPT: u8 = LEARN + MESSAGES_MAX as u8;
/// The broker hands a position off, or sets it aside: a worker.
const HAND_OFF: u8 = ATTEMPT + MESSAGES_MAX as u8;
/// A hand-off goes on by one step; in each of its states there is one. Late ones of a position share a class: each of
/// them ends after a few steps and none begins without a fault, so that no run with one of them goes on for ever.
const HAND: u8 = HAND_OFF + LOG_MAX as u8;
const END: u8 = HAND + 2 * LOG_MAX as u8;

const _: () = assert!(END <= Fairness::CLASSES);

/// One turn of a loop, step by step: whether a run that takes it again and again is fair, with shares that are fair.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    enabled_always: u64,
    enabled_once: u64,
    taken: u64,
}

impl Default for Turn {
    /// Nothing was done yet.
    fn default() -> Self {
        Turn { enabled_always: u64::MAX, enabled_once: 0, taken: 0 }
    }
}

impl Turn {
    /// This step was taken where those were enabled, faults aside.
    pub fn take(&mut self, step: Step, enabled: &[Step]) {
        let enabled = enabled.iter().fold(0, |classes, step| classes | 1 << class(step));
        self.enabled_always &= enabled;
        self.enabled_once |= enabled;
        self.taken |= 1 << class(&step);
    }

    /// Whatever could be done without a break was done, and no position that could be handed off again and again was
    /// passed over.
    pub fn is_fair(&self) -> bool {
        let ones = |classes: std::ops::Range<u8>| classes.fold(0_u64, |bits, class| bits | 1 << class);
        let (weak, strong) = (ones(UNFAIR + 1..END), ones(HAND_OFF..HAND));
        (weak & self.enabled_always | strong & self.enabled_once) & !self.taken == 0
    }
}

/// The class of a step: whose it is, and about what. Of steps of class 0 nothing is owed.
pub fn class(step: &Step) -> u8 {
    use Move::*;
    let Step::Move(it) = *step else { return UNFAIR };
    match it {
        Submit { .. } => UNFAIR,
        Receive { .. } => RECEIVE,
        ReceiveLate { .. } => RECEIVE_LATE,
        Append { .. } => APPEND,
        Sync | SyncSettles => SYNC,
        Ack { message } => ACK + of_message(message),
        TakeReply { message } | TimeOut { message } => LEARN + of_message(message),
        Attempt { message } => ATTEMPT + of_message(message),
        HandOff { position } | DeadLetter { position } => HAND_OFF + of_position(position),
        Deliver { hand } | Handle { hand } | Remember { hand } | Settle { hand } | RecordSettle { hand } => {
            HAND + of_hand(hand)
        }
    }
}

/// Beyond the model's bounds, which only a simulation meets, several share a class.
fn of_message(message: MessageId) -> u8 {
    ((message.0 - 1) % MESSAGES_MAX as u64) as u8
}

fn of_position(position: Position) -> u8 {
    (position.0 % LOG_MAX as u64) as u8
}

fn of_hand(hand: DeliveryRef) -> u8 {
    2 * of_position(hand.position) + u8::from(hand.is_late())
}

/// What is owed of each class.
pub fn fairness(shares: Shares) -> Fairness {
    let owed = (UNFAIR + 1..END).fold(Fairness::NONE, Fairness::weak);
    match shares {
        Shares::Any => owed,
        Shares::Fair => (HAND_OFF..HAND).fold(owed, Fairness::strong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::Strike;

    /// What a party does about one subject is of another class than what it does about another.
    fn differ(step: impl Fn(u64) -> Step, subjects: std::ops::Range<u64>) {
        let classes: std::collections::BTreeSet<u8> = subjects.clone().map(|subject| class(&step(subject))).collect();
        assert_eq!(classes.len(), subjects.count(), "{:?}", step(1));
        assert!(!classes.contains(&UNFAIR), "{:?}", step(1));
    }

    #[test]
    fn care_for_one_message_is_no_care_for_another() {
        let messages = || 1..MESSAGES_MAX as u64 + 1;
        differ(|id| Step::Move(Move::Attempt { message: MessageId(id) }), messages());
        differ(|id| Step::Move(Move::Ack { message: MessageId(id) }), messages());
        differ(|id| Step::Move(Move::TakeReply { message: MessageId(id) }), messages());
        differ(|id| Step::Move(Move::TimeOut { message: MessageId(id) }), messages());
        differ(|place| Step::Move(Move::HandOff { position: Position(place) }), 0..LOG_MAX as u64);
        differ(|place| Step::Move(Move::DeadLetter { position: Position(place) }), 0..LOG_MAX as u64);
        let hand = |place| DeliveryRef { position: Position(place / 2), late: (place % 2) as u8 };
        for of_hand in [
            |hand| Step::Move(Move::Deliver { hand }),
            |hand| Step::Move(Move::Handle { hand }),
            |hand| Step::Move(Move::Remember { hand }),
            |hand| Step::Move(Move::Settle { hand }),
            |hand| Step::Move(Move::RecordSettle { hand }),
        ] {
            differ(|place| of_hand(hand(place)), 0..2 * LOG_MAX as u64);
        }
    }

    #[test]
    fn nothing_is_owed_of_faults_and_of_the_application() {
        for step in [
            Step::Move(Move::Submit { message: MessageId(1) }),
            Step::Fault(Strike::ProducerCrash),
            Step::Fault(Strike::BrokerCrash { keeps: 0 }),
        ] {
            assert_eq!(class(&step), UNFAIR, "{step:?}");
        }
    }
}
