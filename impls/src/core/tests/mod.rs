//! The cores against each other, under a clock that the test moves.

mod confirming;
mod consuming;
mod cursors;
mod delivering;
mod joining;
mod publishing;
mod relaying;
mod restarts;
mod retaining;
mod subscribing;
mod telling;
mod together;

use delivery_model::pipeline::Pipeline;
use delivery_model::vocab::{EventKind, MessageId};

use super::broker::{Broker, Journals, Peer};
use super::producer::Producer;
use super::report::Report;
use super::time::Millis;
use super::tuning::Tuning;
use crate::data::record::{Payload, ProducerId, Publish, Reply};
use crate::inventory::{Order, Sku};
use crate::store::simulated::{SimulatedJournal, SimulatedOutbox, Tear};

const NOW: Millis = Millis(0);
const PEER: Peer = Peer(7);

fn pipeline(change: impl FnOnce(&mut Pipeline)) -> Pipeline {
    let mut pipeline = Pipeline::default();
    change(&mut pipeline);
    pipeline
}

fn message(number: u64) -> MessageId {
    MessageId(number)
}

fn order(quantity: u32) -> Payload {
    Order { sku: Sku(1), quantity }.encode()
}

fn open_producer(pipeline: &Pipeline, store: SimulatedOutbox) -> Producer<SimulatedOutbox> {
    Producer::open(pipeline, Tuning::default(), ProducerId(1), store).unwrap()
}

fn open_broker(pipeline: &Pipeline, journals: Journals<SimulatedJournal>) -> Broker<SimulatedJournal> {
    Broker::open(pipeline, Tuning::default(), journals).unwrap()
}

/// The machine loses power, and comes back with `keeps` of the log's records that were not synced.
fn crash(pipeline: &Pipeline, broker: Broker<SimulatedJournal>, keeps: usize) -> Broker<SimulatedJournal> {
    let mut journals = broker.into_journals();
    journals.log.crash(keeps, Tear::Torn);
    journals.ledger.crash(0, Tear::Torn);
    open_broker(pipeline, journals)
}

/// A producer with so many messages, numbered from 1.
fn producer_with(pipeline: &Pipeline, messages: u64) -> Producer<SimulatedOutbox> {
    let mut producer = open_producer(pipeline, SimulatedOutbox::default());
    (1..=messages).for_each(|number| producer.submit(message(number), order(number as u32)).unwrap());
    producer
}

/// A broker whose log holds so many messages, numbered from 1, all durable.
fn broker_with(pipeline: &Pipeline, messages: u64) -> Broker<SimulatedJournal> {
    let mut broker = open_broker(pipeline, Journals::default());
    let windowless = self::pipeline(|it| {
        *it = pipeline.clone();
        it.producer.in_flight = u32::MAX;
    });
    let mut producer = producer_with(&windowless, messages);
    while let Some(publish) = producer.transmit(NOW).unwrap() {
        store(&mut broker, publish);
    }
    broker.sync().unwrap();
    broker.confirm_due();
    replies(&mut broker);
    broker
}

/// The broker receives an attempt and decides about it.
fn store(broker: &mut Broker<SimulatedJournal>, publish: Publish) {
    broker.receive(publish, Some(PEER)).unwrap();
    assert!(broker.append_next().unwrap());
}

fn replies(broker: &mut Broker<SimulatedJournal>) -> Vec<Reply> {
    std::iter::from_fn(|| broker.poll_reply()).map(|(_, reply)| reply).collect()
}

fn kinds(poll: impl FnMut() -> Option<Report>) -> Vec<EventKind> {
    std::iter::from_fn(poll).map(|report| report.kind).collect()
}
