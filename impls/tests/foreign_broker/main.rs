//! The drivers of consumer and producer, met by brokers of another kind: the test says what the broker says, and hears what
//! it is told.

mod consumer;
mod producer;
mod served;
