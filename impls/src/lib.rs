//! The judged: producer, broker and consumer as sans-IO cores, their stores, and drivers over threads and TCP.
//!
//! Architecture Invariant: this crate sees the model's words and formats, never its semantics or its protocol, so that
//! what is judged and what judges it share nothing but the words.
//!
//! | module | what |
//! |---|---|
//! | [`core`](mod@crate::core) | the logic as state machines: no clock, no socket, no thread |
//! | [`data`] | plain values that travel and are stored |
//! | [`store`] | what must survive a crash: simulated disks and real ones |
//! | [`shared`] | what threads share, from files that loom compiles too |
//! | [`driver`] | threads, TCP and clocks around the cores |
//!
//! A message from its producer to the broker's disk and back, by hand: whoever drives the cores carries what they say.
//!
//! ```
//! use delivery_impls::core::{broker::{Broker, Journals, Peer}, producer::Producer, time::Millis, tuning::Tuning};
//! use delivery_impls::data::record::ProducerId;
//! use delivery_impls::inventory::{Order, Sku};
//! use delivery_impls::store::simulated::{SimulatedJournal, SimulatedOutbox};
//! use delivery_model::pipeline::Pipeline;
//! use delivery_model::vocab::MessageId;
//!
//! let (settings, tuning, now) = (Pipeline::default(), Tuning::default(), Millis(0));
//! let mut producer = Producer::open(&settings, tuning, ProducerId(1), SimulatedOutbox::default()).unwrap();
//! let mut broker = Broker::open(&settings, tuning, Journals::<SimulatedJournal>::default()).unwrap();
//!
//! producer.submit(MessageId(1), Order { sku: Sku(1), quantity: 2 }.encode()).unwrap();
//! let publish = producer.transmit(now).unwrap().expect("an attempt is due");
//! broker.receive(publish, Some(Peer(0))).unwrap();
//! broker.append_next().unwrap();
//! assert_eq!(broker.poll_reply(), None, "nothing is confirmed before it is durable");
//! broker.sync().unwrap();
//! broker.confirm_due();
//! let (_, ack) = broker.poll_reply().expect("an ack is due");
//! producer.handle_reply(now, ack).unwrap();
//! assert_eq!(producer.next_attempt(), None, "nothing is left to do");
//! ```

pub mod core;
pub mod data;
pub mod driver;
pub mod inventory;
pub mod shared;
pub mod store;
pub mod sync;
