//! The products: one file or folder each, and three lines here.

mod beanstalkd;
mod delivery;
mod mosquitto;
mod nats;
mod postgres;
mod rabbitmq;
mod redis;
mod tansu;

pub use self::beanstalkd::Beanstalkd;
pub use self::delivery::Delivery;
pub use self::mosquitto::Mosquitto;
pub use self::nats::Nats;
pub use self::postgres::Postgres;
pub use self::rabbitmq::RabbitMq;
pub use self::redis::Redis;
pub use self::tansu::Tansu;
use crate::product::Product;

/// Every product, in the order in which tables list them.
pub const ALL: [&dyn Product; 8] = [&Nats, &Redis, &Postgres, &Mosquitto, &RabbitMq, &Beanstalkd, &Tansu, &Delivery];
