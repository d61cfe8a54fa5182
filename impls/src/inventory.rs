//! The application's message: an order that reserves stock.

use crate::data::record::{DecodeError, Payload, Reader};

/// A stock keeping unit: which article.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sku(pub u32);

/// An order, as the order service publishes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Order {
    /// Which article.
    pub sku: Sku,
    /// How many of it.
    pub quantity: u32,
}

const ORDER_VERSION: u8 = 1;

impl Order {
    /// The bytes of a message.
    pub fn encode(&self) -> Payload {
        let mut bytes = [0; 9];
        bytes[0] = ORDER_VERSION;
        bytes[1..5].copy_from_slice(&self.sku.0.to_le_bytes());
        bytes[5..].copy_from_slice(&self.quantity.to_le_bytes());
        Payload::from(bytes)
    }

    /// Reads what [`Order::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Order, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.tag("order version", ORDER_VERSION)?;
        let order = Order { sku: Sku(reader.u32()?), quantity: reader.u32()? };
        reader.end()?;
        Ok(order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_reads_back_as_it_was_written() {
        let order = Order { sku: Sku(7), quantity: 3 };
        assert_eq!(Order::decode(&order.encode()), Ok(order));
    }

    #[test]
    fn bytes_left_over_are_an_error() {
        let mut bytes = Order { sku: Sku(7), quantity: 3 }.encode().to_vec();
        bytes.push(0);
        assert_eq!(Order::decode(&bytes), Err(DecodeError::Long { offset: 9, found: 1 }));
    }
}
