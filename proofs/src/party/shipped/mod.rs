//! The shipped cores as parties: for pipelines that mix them with foreign ones, and as examples of adapters.

mod broker;
mod consumer;
mod effects;
mod producer;

use std::time::Duration;

use delivery_impls::core::time::Millis;
use delivery_impls::data::record::{self, ProducerId, Session};
use delivery_model::vocab::{Epoch, MessageId};

pub use broker::{ShippedBroker, broker, broker_with};
pub use consumer::{ShippedConsumer, consumer, consumer_with};
pub use effects::Effects;
pub use producer::{ShippedProducer, producer, producer_with};

use super::Identity;

/// The one producer of a suite.
const PRODUCER: ProducerId = ProducerId(0);
/// The reason why an error of a simulated disk is a mistake here: it fails only on request.
const WORKS: &str = "the disk works";

fn millis(now: Duration) -> Millis {
    Millis(now.as_millis() as u64)
}

fn duration(at: Millis) -> Duration {
    Duration::from_millis(at.0)
}

/// The cores' identity of a message.
fn to_core(identity: Identity, message: MessageId) -> record::Identity {
    let session = |session| Session { producer: PRODUCER, session: Epoch(session) };
    match identity {
        Identity::None => record::Identity::None,
        Identity::Message { session: of } => record::Identity::Message { message, session: session(of) },
        Identity::Sequence { session: of, number } => record::Identity::Sequence { session: session(of), number },
    }
}

fn from_core(identity: record::Identity) -> Identity {
    match identity {
        record::Identity::None => Identity::None,
        record::Identity::Message { session, .. } => Identity::Message { session: session.session.0 },
        record::Identity::Sequence { session, number } => Identity::Sequence { session: session.session.0, number },
    }
}

fn position(place: u64) -> delivery_model::vocab::Position {
    delivery_model::vocab::Position(place)
}
