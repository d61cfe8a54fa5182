//! The orders that a world's application submits, and the ids under which events tell of their bytes.

use delivery_impls::data::record::Payload;
use delivery_impls::inventory::{Order, Sku};
use delivery_model::vocab::{EventKind, MessageId, PayloadId};

const ARTICLES: u64 = 8;
const QUANTITIES: u64 = 3;

/// The order that this message carries. Neighbours differ, so that a mix-up shows.
pub(super) fn payload_of(message: MessageId) -> Payload {
    order(message.0 % (ARTICLES * QUANTITIES)).encode()
}

fn order(number: u64) -> Order {
    Order { sku: Sku((number % ARTICLES) as u32), quantity: (number / ARTICLES) as u32 + 1 }
}

/// The id of these bytes: equal ids mean equal bytes, except that all bytes that are no order of ours share the last.
pub(super) fn id(bytes: &[u8]) -> PayloadId {
    let number = (0..ARTICLES * QUANTITIES).find(|&number| *order(number).encode() == *bytes);
    PayloadId(number.unwrap_or(ARTICLES * QUANTITIES) as u32)
}

/// What the ids stand for, as histories tell it.
pub(super) fn texts() -> impl Iterator<Item = String> {
    let orders = (0..ARTICLES * QUANTITIES).map(order);
    orders.map(|order| format!("{} of article {}", order.quantity, order.sku.0)).chain(["no order".to_owned()])
}

/// The same event with a payload, where the kind has one.
pub(super) fn with_payload(mut kind: EventKind, bytes: Option<PayloadId>) -> EventKind {
    use EventKind::*;
    match &mut kind {
        Submit { payload, .. } | Attempt { payload, .. } | Deliver { payload, .. } | Effect { payload, .. } => {
            *payload = bytes;
        }
        Outcome { .. } | Settle { .. } | DeadLetter { .. } | Rewind { .. } | Commit { .. } | Abort { .. } => {}
        Fault { .. } | Heal { .. } | Quiescent => {}
    }
    kind
}
