//! Leases of a broker that runs: what was settled in time counts, however late the loop hears of it; what was not, or was
//! given back, is handed off again.

use std::fmt::Display;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use delivery_impls::core::delivery::{ConsumerId, DeliveryId, SettleRequest};
use delivery_impls::core::report::Report;
use delivery_impls::core::time::Millis;
use delivery_impls::core::tuning::Tuning;
use delivery_impls::data::positions::Positions;
use delivery_impls::data::record::{Identity, ProducerId, Publish, Record, Session};
use delivery_impls::driver::faults::Injector;
use delivery_impls::driver::link::{Limits, Link};
use delivery_impls::driver::run::{Deployment, DriverError, Ended, Run, Stores, loopback_tuning};
use delivery_impls::driver::secret::Secret;
use delivery_impls::driver::wire::{FromBroker, ToBroker};
use delivery_impls::driver::{LOOPBACK, Observer, broker};
use delivery_impls::inventory::{Order, Sku};
use delivery_impls::store::Covers;
use delivery_model::pipeline::Pipeline;
use delivery_model::schedule::{PlannedFault, Point, StepWord};
use delivery_model::vocab::{AttemptNumber, Epoch, EventKind, Fault, MessageId, Position, SettleOutcome};
use tempfile::TempDir;

/// Far longer than anything here takes.
const HUNG: Duration = Duration::from_secs(20);
const LEASE: Millis = Millis(50);
const PRODUCER: ProducerId = ProducerId(1);

/// Tells of each fault, and holds up the loop that reports it until it is let go.
struct HoldsUp {
    struck: Mutex<Sender<Fault>>,
    let_go: Mutex<Receiver<()>>,
}

impl Observer for HoldsUp {
    fn observe(&self, _: &str, report: &Report) -> io::Result<()> {
        if let EventKind::Fault { fault } = report.kind {
            self.struck.lock().expect("no panic").send(fault).expect("the test waits for it");
            self.let_go.lock().expect("no panic").recv_timeout(HUNG).expect("it is let go");
        }
        Ok(())
    }

    fn notice(&self, _: &str, _: &dyn Display) {}
}

struct Served {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    struck: Receiver<Fault>,
    let_go: Sender<()>,
    broker: JoinHandle<Result<Ended, DriverError>>,
    _directory: TempDir,
}

fn serve(faults: &[PlannedFault]) -> Served {
    serve_by(Pipeline::default(), LEASE, faults)
}

fn serve_by(pipeline: Pipeline, lease: Millis, faults: &[PlannedFault]) -> Served {
    let directory = tempfile::tempdir().expect("a directory");
    let ((strikes, struck), (let_go, go)) = (channel(), channel());
    let observer = Arc::new(HoldsUp { struck: Mutex::new(strikes), let_go: Mutex::new(go) });
    let (stores, tuning) = (Stores::in_directory(directory.path()), Tuning { lease, ..loopback_tuning() });
    let mut run = Run::new(pipeline, tuning, stores, observer, Deployment::Apart);
    run.injector = Injector::new(faults, 1).expect("faults of a threaded run");
    let inbox = broker::listen(&run, LOOPBACK).expect("a free port");
    let (address, stop) = (inbox.address(), Arc::clone(&run.stop));
    let broker = thread::spawn(move || broker::serve(&run, inbox));
    Served { address, stop, struck, let_go, broker, _directory: directory }
}

impl Served {
    fn connect(&self, standing: &ToBroker) -> Client {
        let stream = TcpStream::connect(self.address).expect("it listens");
        let (says, said) = channel();
        let link = Link::start("client", stream, Limits::default(), move |bodies| {
            let said = |body: &Vec<u8>| FromBroker::decode(body).expect("as in the table");
            bodies.is_ok_and(|bodies| bodies.iter().all(|body| says.send(said(body)).is_ok()))
        });
        let client = Client { link: link.expect("two threads"), said };
        client.say(&ToBroker::Hello(Secret::default()));
        client.say(standing);
        client
    }

    fn consumer(&self, workers: u32) -> Client {
        let (consumer, hands, has) = (ConsumerId(0), Vec::new(), Positions::default());
        self.connect(&ToBroker::Subscribe { consumer, workers, hands, has })
    }

    fn producer(&self) -> Client {
        let client = self.connect(&ToBroker::Register { producer: PRODUCER, epoch: Epoch(0) });
        assert!(matches!(client.hear(), FromBroker::Registered));
        client
    }

    /// Messages 0 up to before this one are durable, at the positions of their numbers.
    fn publish(&self, messages: u64) {
        let producer = self.producer();
        for number in 0..messages {
            producer.attempt(number);
            assert!(matches!(producer.hear(), FromBroker::Reply(_)));
        }
    }

    fn end(self) {
        self.stop.store(true, Ordering::Release);
        self.broker.join().expect("no panic").expect("no failure");
    }
}

struct Client {
    link: Link,
    said: Receiver<FromBroker>,
}

impl Client {
    fn say(&self, said: &ToBroker) {
        self.link.send_now(&said.encode());
    }

    fn attempt(&self, number: u64) {
        let (producer, epoch) = (PRODUCER, Epoch(0));
        let identity = Identity::Sequence { session: Session { producer, session: epoch }, number };
        let payload = Order { sku: Sku(1), quantity: 1 }.encode();
        let record = Record { message: MessageId(number), identity, producer, epoch, payload };
        self.say(&ToBroker::Publish(Publish { record, attempt: AttemptNumber(1) }));
    }

    fn hear(&self) -> FromBroker {
        self.said.recv_timeout(HUNG).expect("the broker says something")
    }

    fn handed_off(&self) -> DeliveryId {
        match self.hear() {
            FromBroker::HandOff(hand_off) => hand_off.hand,
            other => panic!("expected a hand-off, found {other:?}"),
        }
    }

    fn settle(&self, hand: DeliveryId) {
        let covers = Covers::One(hand.position);
        self.say(&ToBroker::Settle(SettleRequest { hand, covers, finishes: true }));
    }

    /// Says what makes no sense, and waits until the broker's end has read that, and so whatever was said before.
    fn until_cut_off(self) {
        self.link.send_now(&[99]);
        assert_eq!(self.said.recv_timeout(HUNG).map(drop), Err(RecvTimeoutError::Disconnected));
    }
}

/// Once, the loop ended the lease first and read what had come in then: the settle was refused, and its message
/// delivered again.
#[test]
fn a_settle_that_came_while_the_loop_was_held_up_past_its_lease_counts() {
    let of_second = Point { step: StepWord::HandOff, message: Some(MessageId(1)), nth: 1 };
    // Long enough to have the second published while it lives.
    let lease = Millis(10 * LEASE.0);
    let served = serve_by(Pipeline::default(), lease, &[PlannedFault::new(Fault::DeliveryLost, of_second)]);
    served.publish(1);
    let consumer = served.consumer(2);
    let first = consumer.handed_off();
    assert_eq!(first.position, Position(0));
    let producer = served.producer();
    producer.attempt(1);
    assert_eq!(served.struck.recv_timeout(HUNG), Ok(Fault::DeliveryLost), "the second is lost, and the loop held up");
    consumer.settle(first);
    consumer.until_cut_off();
    // The lease began before, by the same clock.
    assert_eq!(served.struck.recv_timeout(Duration::from_millis(lease.0 + 1)), Err(RecvTimeoutError::Timeout));
    served.let_go.send(()).expect("the loop waits");
    assert_eq!(served.consumer(2).handed_off().position, Position(1), "the first is settled");
    served.end();
}

#[test]
fn a_settle_that_came_when_its_lease_had_ended_is_refused() {
    let served = serve(&[]);
    served.publish(1);
    let consumer = served.consumer(1);
    let (first, second) = (consumer.handed_off(), consumer.handed_off());
    assert_eq!(first.position, second.position);
    consumer.settle(first);
    let refused = loop {
        match consumer.hear() {
            // Its own time may be up meanwhile.
            FromBroker::HandOff(_) => {}
            other => break other,
        }
    };
    assert!(
        matches!(refused, FromBroker::Settled { hand, outcome: SettleOutcome::Refused } if hand == first),
        "{refused:?}"
    );
    drop(consumer);
    served.end();
}

#[test]
fn what_is_given_back_is_handed_off_again_as_often_as_it_may_be() {
    let mut pipeline = Pipeline::default();
    pipeline.broker.max_deliveries = 2;
    let served = serve_by(pipeline, Millis(60_000), &[]);
    served.publish(2);
    let consumer = served.consumer(1);
    for _ in 0..2 {
        let hand = consumer.handed_off();
        assert_eq!(hand.position, Position(0));
        consumer.say(&ToBroker::Release(hand));
    }
    let hand = consumer.handed_off();
    assert_eq!(hand.position, Position(1), "the first is set aside");
    consumer.settle(hand);
    let settled = consumer.hear();
    assert!(matches!(settled, FromBroker::Settled { outcome: SettleOutcome::Ok, .. }), "{settled:?}");
    drop(consumer);
    served.end();
}

/// Settles that come together share a sync. What is told of one of them is told after that sync.
#[test]
fn settles_that_share_a_sync_outlast_a_crash_as_soon_as_one_of_them_is_recorded() {
    const TOGETHER: u64 = 4;
    let of_last = Point { step: StepWord::RecordSettle, message: Some(MessageId(TOGETHER - 1)), nth: 1 };
    let crash = PlannedFault::new(Fault::BrokerCrash, of_last);
    let served = serve_by(Pipeline::default(), Millis(60_000), &[crash]);
    served.publish(TOGETHER);
    let consumer = served.consumer(TOGETHER as u32);
    let hands: Vec<DeliveryId> = (0..TOGETHER).map(|_| consumer.handed_off()).collect();
    hands.into_iter().for_each(|hand| consumer.settle(hand));
    assert_eq!(served.struck.recv_timeout(HUNG), Ok(Fault::BrokerCrash));
    served.let_go.send(()).expect("the loop waits");
    served.publish(TOGETHER + 1);
    assert_eq!(served.consumer(1).handed_off().position, Position(TOGETHER), "all before it are settled");
    served.end();
}
