//! The parts of a world by which it offers moves, and which of them a step may change.
//!
//! | part | its moves | what they read |
//! |---|---|---|
//! | producing | submit, attempt, take a reply, time out | the producer, the wires to and from it, the broker's slot, who is owed a confirmation |
//! | publishing | append, receive, sync, ack | the attempts on the wire, the slot, the log, what is owed, what is settled in memory only |
//! | handing off | hand off, dead-letter | the log, the deliveries, the subscribers |
//! | consuming | deliver, and all that a consumer does | the hand-offs on the wire, the leases, the consumers |
//!
//! After every step of a run, tests compare what is kept with what the world says.

use std::ops::{BitOr, Sub};

use delivery_model::vocab::{Move, Step};

/// A set of parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::simulation) struct Parts(u8);

impl Parts {
    pub const COUNT: usize = 4;
    pub const NONE: Parts = Parts(0);
    pub const PRODUCING: Parts = Parts(1);
    pub const PUBLISHING: Parts = Parts(1 << 1);
    pub const HANDING_OFF: Parts = Parts(1 << 2);
    pub const CONSUMING: Parts = Parts(1 << 3);
    pub const ALL: Parts = Parts((1 << Parts::COUNT) - 1);

    /// Each part by itself, in the order in which their moves are offered.
    pub fn iter(self) -> impl Iterator<Item = Parts> {
        (0..Parts::COUNT).map(|place| Parts(1 << place)).filter(move |part| self.0 & part.0 != 0)
    }

    /// The place of a single part in that order.
    pub fn place(self) -> usize {
        self.0.trailing_zeros() as usize
    }

    /// The parts that this step may change, in a world where consumers are leased single positions. Records that are dropped
    /// after a step count as handed off.
    pub fn changed_by(step: Step) -> Parts {
        use Move::*;
        let Step::Move(it) = step else { return Parts::ALL };
        match it {
            Submit { .. } | TimeOut { .. } => Parts::PRODUCING,
            Attempt { .. } | Receive { .. } | ReceiveLate { .. } | Ack { .. } | TakeReply { .. } => {
                Parts::PRODUCING | Parts::PUBLISHING
            }
            Append { .. } => Parts::PRODUCING | Parts::PUBLISHING | Parts::HANDING_OFF,
            Sync | SyncSettles => Parts::PUBLISHING | Parts::HANDING_OFF,
            HandOff { .. } | Deliver { .. } => Parts::HANDING_OFF | Parts::CONSUMING,
            DeadLetter { .. } | Handle { .. } | Remember { .. } | Settle { .. } | RecordSettle { .. } => {
                Parts::PUBLISHING | Parts::HANDING_OFF | Parts::CONSUMING
            }
        }
    }
}

impl BitOr for Parts {
    type Output = Parts;

    fn bitor(self, other: Parts) -> Parts {
        Parts(self.0 | other.0)
    }
}

impl Sub for Parts {
    type Output = Parts;

    fn sub(self, other: Parts) -> Parts {
        Parts(self.0 & !other.0)
    }
}
