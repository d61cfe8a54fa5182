//! Faults on the wire: each befalls one frame of a role, in the proxy between clients and server.

use delivery_model::vocab::Fault as Word;

use super::Fault;
use crate::plan::{At, Load, Role};
use crate::product::{Product, Trouble};
use crate::proxy::Fate;

/// A fault on the wire.
pub struct OnTheWire {
    name: &'static str,
    means: &'static str,
    /// The nearest word of the vocabulary.
    word: Word,
    role: Role,
    fate: Fate,
}

/// A publish vanishes.
pub const PUBLISH_LOST: OnTheWire = OnTheWire {
    name: "publish-lost",
    means: "a publish vanishes, and its client waits in vain",
    word: Word::PublishLost,
    role: Role::Publish,
    fate: Fate::Lost,
};

/// A publish vanishes with its connection.
pub const PUBLISH_CUT: OnTheWire = OnTheWire {
    name: "publish-cut",
    means: "the connection is cut before the server has the publish",
    word: Word::PublishLost,
    role: Role::Publish,
    fate: Fate::Cut,
};

/// A publish comes twice.
pub const PUBLISH_DUPLICATED: OnTheWire = OnTheWire {
    name: "publish-duplicated",
    means: "a publish comes twice, one right behind the other",
    word: Word::PublishDuplicated,
    role: Role::Publish,
    fate: Fate::Doubled,
};

/// A publish comes after the retry that took its place.
pub const PUBLISH_DELAYED: OnTheWire = OnTheWire {
    name: "publish-delayed",
    means: "a publish comes when its client has given up, and has tried again",
    word: Word::PublishDuplicated,
    role: Role::Publish,
    fate: Fate::Late,
};

/// The server has stored a publish, and its client does not learn it.
pub const PUBLISH_ACK_LOST: OnTheWire = OnTheWire {
    name: "publish-ack-lost",
    means: "the connection is cut when the server has acked, before the client has the ack",
    word: Word::PublishAckLost,
    role: Role::PublishAck,
    fate: Fate::Cut,
};

/// A delivery vanishes.
pub const DELIVERY_LOST: OnTheWire = OnTheWire {
    name: "delivery-lost",
    means: "a delivery vanishes, and the consumer waits on",
    word: Word::DeliveryLost,
    role: Role::Delivery,
    fate: Fate::Lost,
};

/// A settle vanishes.
pub const SETTLE_LOST: OnTheWire = OnTheWire {
    name: "settle-lost",
    means: "a settle vanishes, and the consumer waits in vain for its confirmation",
    word: Word::SettleLost,
    role: Role::Settle,
    fate: Fate::Lost,
};

/// The server has settled a delivery, and the consumer does not learn it.
pub const SETTLE_ACK_LOST: OnTheWire = OnTheWire {
    name: "settle-ack-lost",
    means: "the connection is cut when the server has settled, before the consumer has the confirmation",
    word: Word::SettleLost,
    role: Role::SettleAck,
    fate: Fate::Cut,
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

    fn on_the_wire(&self) -> Option<Fate> {
        Some(self.fate)
    }

    fn possible_for(&self, product: &dyn Product) -> Result<(), Trouble> {
        let impossible = |why: &str| {
            let what = format!("{} of {}", self.name, product.name());
            Err(Trouble::Impossible { what, why: why.to_owned() })
        };
        if product.frames().is_none() {
            return impossible("the frames of its protocol are not known");
        }
        if self.fate == Fate::Doubled && !product.numbers_records() {
            return impossible("the server numbers no records, so a copy could not be told from a redelivery");
        }
        Ok(())
    }
}
