//! What is claimed of the queue, and with whom it is joined.

use delivery_model::pipeline::Semantics;
use delivery_model::presets;
use delivery_model::semantics::PropertyId;
use delivery_model::vocab::Fault::*;
use delivery_proofs::party::shipped::{self, Effects, ShippedConsumer, ShippedProducer};
use delivery_proofs::party::{Claim, Suite};

use super::glue::{Queue, VISIBILITY, open};
use super::queue::Bug;

/// At least once, whatever fails but the queue itself, and what SQS says of receipts and visibility. Producer and consumer
/// are the shipped ones.
pub fn suite(bug: Bug) -> Suite<ShippedProducer, Queue, ShippedConsumer<Effects>> {
    let claim = Claim::new("visibility-queue", Semantics::AtLeastOnce)
        .surviving([PublishLost, PublishRefused, PublishAckLost, PublishDuplicated, ProducerCrash])
        .surviving([DeliveryLost, ConsumerCrash, SettleLost, LeaseExpiry])
        .lease(VISIBILITY)
        .and(PropertyId::StaleSettleRefused);
    let others = presets::named("sqs-standard").expect("the preset exists");
    let (producer, consumer) = (shipped::producer(&others), shipped::consumer(&others));
    Suite::new(claim, producer, move |()| open(bug), consumer)
}
