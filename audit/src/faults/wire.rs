//! Faults on the wire: the proxy between clients and server injects each into one frame of a role.

use delivery_model::vocab::Fault as Word;

use super::Fault;
use crate::plan::{At, Load, Role};
use crate::product::{Product, Trouble};
use crate::proxy::FrameFault;

/// A fault on the wire.
pub struct OnTheWire {
    name: &'static str,
    means: &'static str,
    /// The nearest word of the vocabulary.
    word: Word,
    role: Role,
    frame: FrameFault,
}

/// A publish is dropped.
pub const PUBLISH_LOST: OnTheWire = OnTheWire {
    name: "publish-lost",
    means: "a publish is dropped, and its client gets no answer",
    word: Word::PublishLost,
    role: Role::Publish,
    frame: FrameFault::Drop,
};

/// The connection is cut before a publish reaches the server.
pub const PUBLISH_CUT: OnTheWire = OnTheWire {
    name: "publish-cut",
    means: "the connection is cut before the server has the publish",
    word: Word::PublishLost,
    role: Role::Publish,
    frame: FrameFault::Cut,
};

/// A publish is duplicated.
pub const PUBLISH_DUPLICATED: OnTheWire = OnTheWire {
    name: "publish-duplicated",
    means: "a publish comes twice, one right behind the other",
    word: Word::PublishDuplicated,
    role: Role::Publish,
    frame: FrameFault::Duplicate,
};

/// A publish is delayed until its client has tried again.
pub const PUBLISH_DELAYED: OnTheWire = OnTheWire {
    name: "publish-delayed",
    means: "a publish comes when its client has given up, and has tried again",
    word: Word::PublishDuplicated,
    role: Role::Publish,
    frame: FrameFault::Delay,
};

/// The connection is cut before the ack of a publish reaches its client.
pub const PUBLISH_ACK_LOST: OnTheWire = OnTheWire {
    name: "publish-ack-lost",
    means: "the connection is cut when the server has acked, before the client has the ack",
    word: Word::PublishAckLost,
    role: Role::PublishAck,
    frame: FrameFault::Cut,
};

/// A delivery is dropped.
pub const DELIVERY_LOST: OnTheWire = OnTheWire {
    name: "delivery-lost",
    means: "a delivery is dropped, and the consumer goes on waiting",
    word: Word::DeliveryLost,
    role: Role::Delivery,
    frame: FrameFault::Drop,
};

/// A settle is dropped.
pub const SETTLE_LOST: OnTheWire = OnTheWire {
    name: "settle-lost",
    means: "a settle is dropped, and the consumer gets no confirmation",
    word: Word::SettleLost,
    role: Role::Settle,
    frame: FrameFault::Drop,
};

/// The connection is cut before the confirmation of a settle reaches the consumer.
pub const SETTLE_ACK_LOST: OnTheWire = OnTheWire {
    name: "settle-ack-lost",
    means: "the connection is cut when the server has settled, before the consumer has the confirmation",
    word: Word::SettleLost,
    role: Role::SettleAck,
    frame: FrameFault::Cut,
};

impl Fault for OnTheWire {
    fn name(&self) -> &'static str {
        self.name
    }

    fn means(&self) -> &'static str {
        self.means
    }

    fn word(&self) -> Word {
        self.word
    }

    fn at(&self, _load: Load) -> At {
        At::Frame(self.role)
    }

    fn strikes_the_server(&self) -> bool {
        false
    }

    fn on_the_wire(&self) -> Option<FrameFault> {
        Some(self.frame)
    }

    fn possible_for(&self, product: &dyn Product) -> Result<(), Trouble> {
        let impossible = |why: &str| {
            let what = format!("{} of {}", self.name, product.name());
            Err(Trouble::Impossible { what, why: why.to_owned() })
        };
        if product.frames().is_none() {
            return impossible("the frames of its protocol are not known");
        }
        if self.frame == FrameFault::Duplicate && !product.numbers_records() {
            return impossible("the server numbers no records, so a copy could not be told from a redelivery");
        }
        Ok(())
    }
}
