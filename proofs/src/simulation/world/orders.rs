//! The orders that a world's application submits, and the ids under which events tell of their bytes.

use delivery_impls::data::record::Payload;
use delivery_impls::inventory::{Order, Sku};
use delivery_model::vocab::{EventKind, MessageId, PayloadId};

const ARTICLES: u64 = 8;
const QUANTITIES: u64 = 3;

/// The orders, encoded once.
pub(super) fn payloads() -> Vec<Payload> {
    (0..ARTICLES * QUANTITIES).map(|number| order(number).encode()).collect()
}

/// The order that this message carries, of [`payloads`]. Neighbours differ, so that a mix-up shows.
pub(super) fn payload_of(message: MessageId, payloads: &[Payload]) -> Payload {
    Payload::clone(&payloads[(message.0 % (ARTICLES * QUANTITIES)) as usize])
}

fn order(number: u64) -> Order {
    Order { sku: Sku((number % ARTICLES) as u32), quantity: (number / ARTICLES) as u32 + 1 }
}

/// The number of an order of ours.
fn number(order: Order) -> Option<u64> {
    let number = u64::from(order.quantity).checked_sub(1)?.checked_mul(ARTICLES)? + u64::from(order.sku.0);
    (number < ARTICLES * QUANTITIES && self::order(number) == order).then_some(number)
}

/// The id of these bytes: equal ids mean equal bytes, except that all bytes that are no order of ours share the last.
pub(super) fn id(bytes: &[u8]) -> PayloadId {
    PayloadId(Order::decode(bytes).ok().and_then(number).unwrap_or(ARTICLES * QUANTITIES) as u32)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_has_an_id_of_its_own_and_all_else_shares_one() {
        let ids: Vec<u32> = payloads().iter().map(|payload| id(payload).0).collect();
        assert_eq!(ids, (0..24).collect::<Vec<u32>>());
        let other = |sku, quantity| id(&Order { sku: Sku(sku), quantity }.encode()).0;
        let others = [other(8, 1), other(0, 0), other(0, 4), other(u32::MAX, u32::MAX), id(b"no order").0, id(b"").0];
        assert_eq!(others, [24; 6]);
    }
}
