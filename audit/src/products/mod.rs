//! The products: one file or folder each, and three lines here.

mod delivery;
mod mosquitto;
mod nats;
mod postgres;
mod redis;

pub use self::delivery::Delivery;
pub use self::mosquitto::Mosquitto;
pub use self::nats::Nats;
pub use self::postgres::Postgres;
pub use self::redis::Redis;
use crate::product::Product;

/// Every product, in the order in which tables list them.
pub const ALL: [&dyn Product; 5] = [&Nats, &Redis, &Postgres, &Mosquitto, &Delivery];
