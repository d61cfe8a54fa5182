//! The products: one file each, and two lines here.

mod nats;
mod postgres;
mod redis;

pub use self::nats::Nats;
pub use self::postgres::Postgres;
pub use self::redis::Redis;
use crate::product::Product;

/// Every product, in the order in which tables list them.
pub const ALL: [&dyn Product; 3] = [&Nats, &Redis, &Postgres];
