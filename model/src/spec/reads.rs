//! Which part of a state each step reads.
//!
//! Whoever publishes and whoever delivers know nothing of each other: they share the log, and nothing else. So what a
//! step does depends on one side of the state and the log, and a checker need not find it out again in every state that
//! differs in the other side. A crash of the broker takes from both sides; such steps have no side.
//!
//! A step also reads how often its fault has struck; that is left out here, and so is what the monitors observe.
//!
//! These are claims about the code beside this file. The checker compares what follows from them with what the steps do:
//! in every state in builds with debug assertions, in some states in others.

use super::packed::{PARTS, Part, WORDS};
use super::{Spec, faults};
use crate::pipeline::OnFailure;
use crate::vocab::{Fault, Move, Step, Strike};

use super::state::State;

/// A side of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// From the application to the broker's log.
    Publishing,
    /// From the broker's log to the settle.
    Delivering,
}

impl Side {
    /// The side of a step; none if it reads or changes both.
    pub fn of(step: Step) -> Option<Side> {
        match step {
            Step::Move(it) => Some(Side::of_move(it)),
            Step::Fault(strike) => Side::of_fault(strike.fault()),
        }
    }

    fn of_move(it: Move) -> Side {
        use Move::*;
        match it {
            Submit { .. }
            | Attempt { .. }
            | TakeReply { .. }
            | TimeOut { .. }
            | Receive { .. }
            | ReceiveLate { .. }
            | Append { .. }
            | Sync
            | Ack { .. } => Side::Publishing,
            SyncSettles
            | HandOff { .. }
            | DeadLetter { .. }
            | RecordSettle { .. }
            | Deliver { .. }
            | Handle { .. }
            | Remember { .. }
            | Settle { .. } => Side::Delivering,
        }
    }

    /// The side of a fault's strikes; none if they read or change both.
    pub fn of_fault(fault: Fault) -> Option<Side> {
        match fault {
            Fault::PublishLost
            | Fault::PublishReordered
            | Fault::PublishDuplicated
            | Fault::PublishRefused
            | Fault::PublishAckLost
            | Fault::ProducerCrash
            | Fault::ProducerZombie
            | Fault::DedupForgotten
            | Fault::CommitReordered => Some(Side::Publishing),
            Fault::DeliveryLost
            | Fault::SettleLost
            | Fault::ConsumerCrash
            | Fault::LeaseExpiry
            | Fault::HandlerFails
            | Fault::Rewind
            | Fault::DeadLetterLost
            | Fault::RecordExpired
            | Fault::GroupForgotten
            | Fault::Rebalance => Some(Side::Delivering),
            Fault::BrokerCrash | Fault::Failover | Fault::Redrive | Fault::Poison | Fault::HandlerCrashes => None,
        }
    }
}

/// Where a step stands in the order in which [`Spec::steps`] lists them: moves come in four runs, each of one side, and
/// each kind of fault is a run of its own.
pub fn run_of(step: Step) -> u8 {
    use Move::*;
    match step {
        Step::Move(Ack { .. }) => 2,
        Step::Move(SyncSettles) => 1,
        Step::Move(it) if Side::of_move(it) == Side::Publishing => 0,
        Step::Move(_) => 3,
        Step::Fault(strike) => FAULT_RUNS + strike.fault() as u8,
    }
}

/// The run of the first kind of fault.
pub const FAULT_RUNS: u8 = 4;

impl Spec {
    /// The words of an image that the steps of a side read, as all ones.
    pub fn reads(&self, side: Side) -> [u64; WORDS] {
        let settings = &self.settings;
        let strikes = |fault| settings.budget_of(fault) > 0;
        let own = match side {
            Side::Publishing => Part::Publishing,
            Side::Delivering => Part::Delivering,
        };
        let reads_other = self.reads_other(side);
        let reads_faults = match side {
            Side::Publishing => strikes(Fault::CommitReordered),
            // A rewound group has a place.
            Side::Delivering => strikes(Fault::Rewind),
        };
        PARTS.map(|part| {
            let is_read = match part {
                Part::Log => true,
                Part::Faults => reads_faults,
                part => part == own || reads_other,
            };
            if is_read { u64::MAX } else { 0 }
        })
    }

    /// The steps of a side read what is the other's, too.
    fn reads_other(&self, side: Side) -> bool {
        match side {
            // Whether there is room in the queue.
            Side::Publishing => self.settings.broker.capacity > 0,
            // A failed message is published again.
            Side::Delivering => self.settings.consumer.on_failure == OnFailure::Requeue,
        }
    }

    /// No step of a side reads what is the other's, or changes what the other reads: but for the log, which the publishing
    /// side writes.
    pub fn sides_are_apart(&self) -> bool {
        !self.reads_other(Side::Publishing) && !self.reads_other(Side::Delivering)
    }

    /// The words of an image that say how often faults have struck, as all ones.
    pub fn words_of_faults(&self) -> [u64; WORDS] {
        PARTS.map(|part| if part == Part::Faults { u64::MAX } else { 0 })
    }

    /// Calls `found` with every strike of this kind that may happen now.
    pub fn strikes(&self, state: &State, fault: Fault, found: &mut dyn FnMut(Strike)) {
        faults::strikes_of(&self.settings, state, fault, found);
    }

    /// Marks that a fault has struck, and nothing else of it.
    pub fn mark(&self, state: &mut State, fault: Fault) {
        state.mark_fired(fault);
    }
}
