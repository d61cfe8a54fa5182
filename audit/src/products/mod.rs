//! The products: one file or folder each, and three lines here.

mod beanstalkd;
mod delivery;
mod mosquitto;
mod nats;
mod postgres;
mod rabbitmq;
mod redis;

pub use self::beanstalkd::Beanstalkd;
pub use self::delivery::Delivery;
pub use self::mosquitto::Mosquitto;
pub use self::nats::Nats;
pub use self::postgres::Postgres;
pub use self::rabbitmq::RabbitMq;
pub use self::redis::Redis;
use crate::product::Product;

/// Every product, in the order in which tables list them.
pub const ALL: [&dyn Product; 7] = [&Nats, &Redis, &Postgres, &Mosquitto, &RabbitMq, &Beanstalkd, &Delivery];
