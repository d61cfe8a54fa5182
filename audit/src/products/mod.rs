//! The products: one file each, and one line here.

mod redis;

pub use self::redis::Redis;
use crate::product::Product;

/// Every product, in the order in which tables list them.
pub const ALL: [&dyn Product; 1] = [&Redis];
