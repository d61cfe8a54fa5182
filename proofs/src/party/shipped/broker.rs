//! The shipped broker, on two simulated journals.

use std::collections::VecDeque;
use std::time::Duration;

use delivery_impls::core::broker::{Broker, Journals, Peer};
use delivery_impls::core::deliveries::Next;
use delivery_impls::core::delivery::{ConsumerId, DeliveryId, HandOff, Lease, SettleRequest};
use delivery_impls::core::report::Report;
use delivery_impls::core::steps::{BrokerSteps, Sound};
use delivery_impls::core::tuning::{Retention, Tuning};
use delivery_impls::data::positions::Positions;
use delivery_impls::data::record::Verdict;
use delivery_impls::data::record::{self, Record};
use delivery_impls::store::Covers;
use delivery_impls::store::simulated::{SimulatedJournal, Tear};
use delivery_model::pipeline::Pipeline;
use delivery_model::vocab::{AttemptNumber, Epoch, EventKind, Fault, MessageId, Position};

use super::{PRODUCER, WORKS, duration, from_core, millis, to_core};
use crate::party::{Delivery, FromBroker, Hardship, Party, Publish, Reply, ToBroker};

/// The producer's connection. Its successors take the same one over.
const PEER: Peer = Peer(0);

/// The shipped broker, as a party.
pub struct ShippedBroker<S = Sound> {
    core: Broker<SimulatedJournal, S>,
    outputs: VecDeque<FromBroker>,
    write_fails: bool,
}

/// Opens the broker of these settings on what the last one left.
pub fn broker(pipeline: &Pipeline) -> impl Fn(Journals<SimulatedJournal>) -> ShippedBroker + use<> {
    broker_with(pipeline, Sound)
}

/// The same, with steps of the caller's choice.
pub fn broker_with<S: BrokerSteps>(
    pipeline: &Pipeline,
    steps: S,
) -> impl Fn(Journals<SimulatedJournal>) -> ShippedBroker<S> + use<S> {
    let pipeline = pipeline.clone();
    // Nothing is kept that nobody needs: what a broker forgets is where mistakes show. Where a group may be rewound, there
    // is no telling what it needs.
    let drops_all = Retention { records: 0, batch: 1 };
    let retention = Some(drops_all).filter(|_| pipeline.faults.of(Fault::Rewind) == 0);
    let tuning = Tuning { retention, ..Tuning::default() };
    move |journals| {
        let core = Broker::with_steps(&pipeline, tuning, journals, steps.clone()).expect(WORKS);
        ShippedBroker { core, outputs: VecDeque::new(), write_fails: false }
    }
}

impl<S: BrokerSteps> Party for ShippedBroker<S> {
    type Input = ToBroker;
    type Output = FromBroker;
    type Disk = Journals<SimulatedJournal>;

    fn handle_input(&mut self, now: Duration, input: ToBroker) {
        match input {
            ToBroker::ProducerConnected { epoch } => {
                self.core.register(PRODUCER, Epoch(epoch), PEER).expect(WORKS);
            }
            ToBroker::ProducerGone => self.core.disconnect(PEER),
            ToBroker::Publish { publish, late } => self.publish(publish, late),
            ToBroker::Receive { consumer } => self.receive(now, consumer),
            ToBroker::Settle { consumer, settle } => {
                let hand = hand(&settle.tag);
                let covers = Covers::One(hand.position);
                let outcome = self.core.settle(millis(now), SettleRequest { hand, covers, finishes: settle.finishes });
                let outcome = outcome.expect(WORKS);
                self.outputs.push_back(FromBroker::Settled { consumer, tag: settle.tag, outcome });
            }
            ToBroker::Release { tag, .. } => self.core.release(hand(&tag)),
            ToBroker::ConsumerGone { consumer } => {
                self.core.unsubscribe(ConsumerId(consumer));
                // Whoever receives next joins the group.
                self.core.place_group().expect(WORKS);
            }
        }
    }

    /// What can be confirmed goes out before the next sync, and a sync is made when there is nothing else to say.
    fn poll_output(&mut self) -> Option<FromBroker> {
        let next = self.say();
        if next.is_some() || !self.core.needs_sync() {
            self.drop_unneeded();
            return next;
        }
        self.core.sync().expect(WORKS);
        self.say()
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.core.handle_timeout(millis(now));
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.core.poll_timeout().map(duration)
    }

    fn crash(self) -> Self::Disk {
        self.crash_keeping(0)
    }

    fn crash_keeping(self, unsynced: u64) -> Self::Disk {
        let beyond = self.core.log().end().0 - self.core.log().synced().0;
        let mut journals = self.core.into_journals();
        journals.log.crash(unsynced.min(beyond) as usize, Tear::Torn);
        journals.ledger.crash(0, Tear::Torn);
        journals
    }

    fn suffer(&mut self, hardship: Hardship) -> bool {
        match hardship {
            Hardship::WriteFails => self.write_fails = true,
            Hardship::DedupForgotten => self.core.forget_seen(),
            Hardship::HandlerFails(_) | Hardship::Poison(_) => return false,
        }
        true
    }
}

impl<S: BrokerSteps> ShippedBroker<S> {
    fn publish(&mut self, publish: Publish, late: bool) {
        let from = if late { None } else { Some(PEER) };
        self.core.receive(to_record(publish), from).expect("each attempt is decided at once");
        if std::mem::take(&mut self.write_fails) {
            self.core.refuse_next();
        } else {
            self.core.append_next().expect(WORKS);
        }
    }

    fn receive(&mut self, now: Duration, consumer: u8) {
        match self.core.next_for(ConsumerId(consumer), &[]) {
            Some(Next::HandOff(position)) => {
                let hand_off = self.core.hand_off(millis(now), position, ConsumerId(consumer)).expect(WORKS);
                self.outputs.push_back(FromBroker::Deliver { consumer, delivery: delivery(hand_off) });
            }
            Some(Next::DeadLetter(position)) => self.core.dead_letter(position).expect(WORKS),
            None => {}
        }
    }

    fn say(&mut self) -> Option<FromBroker> {
        self.core.confirm_due();
        if let Some((_, reply)) = self.core.poll_reply() {
            return Some(FromBroker::Reply(from_reply(reply)));
        }
        while let Some(Report { kind, .. }) = self.core.poll_report() {
            if let EventKind::DeadLetter { message, .. } = kind {
                return Some(FromBroker::DeadLetter { message: message.0 });
            }
        }
        self.outputs.pop_front()
    }

    fn drop_unneeded(&mut self) {
        if let Some(start) = self.core.droppable(&Positions::default()).filter(|_| !self.core.needs_sync()) {
            self.core.drop_below(start).expect(WORKS);
        }
        if self.core.is_ledger_long() {
            self.core.compact_ledger().expect(WORKS);
        }
    }
}

fn to_record(publish: Publish) -> record::Publish {
    let message = MessageId(publish.message);
    let record = Record {
        message,
        identity: to_core(publish.identity, message),
        producer: PRODUCER,
        epoch: Epoch(publish.epoch),
        payload: publish.payload.into(),
    };
    record::Publish { record, attempt: AttemptNumber(publish.attempt) }
}

fn from_reply(reply: record::Reply) -> Reply {
    let (message, attempt) = (reply.message.0, reply.attempt.0);
    match reply.verdict {
        Verdict::Acked(position) => Reply::Acked { message, attempt, position: position.map(|at| at.0) },
        Verdict::Refused => Reply::Refused { message, attempt },
    }
}

fn delivery(hand_off: HandOff) -> Delivery {
    let HandOff { hand, delivery, record, .. } = hand_off;
    Delivery {
        tag: format!("{}/{}.{}", hand.position, hand.lease.incarnation, hand.lease.number),
        message: record.message.0,
        payload: record.payload.to_vec(),
        identity: from_core(record.identity),
        position: Some(hand.position.0),
        number: delivery.map(|delivery| delivery.0),
    }
}

/// The hand-off that a tag names.
fn hand(tag: &str) -> DeliveryId {
    let mut parts = tag.split(['/', '.']).map(|part| part.parse::<u64>().expect("a tag that this broker gave"));
    let mut next = || parts.next().expect("three numbers");
    let (position, incarnation, number) = (next(), next() as u32, next() as u32);
    DeliveryId { position: Position(position), lease: Lease { incarnation, number } }
}
