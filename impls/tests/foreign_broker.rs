//! The consumer, met by brokers of another kind: one that is slow of hearing hands off again what the consumer has at
//! work or behind it, one that has been at it for long hands off what is far along. And the producer, met by one that never
//! answers.

use std::fmt::Display;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use delivery_impls::core::delivery::{ConsumerId, DeliveryId, HandOff, Lease};
use delivery_impls::core::report::Report;
use delivery_impls::core::time::{BackOff, Millis};
use delivery_impls::core::tuning::Tuning;
use delivery_impls::data::positions::Positions;
use delivery_impls::data::record::{Identity, ProducerId, Record};
use delivery_impls::driver::link::Link;
use delivery_impls::driver::run::{Deployment, DriverError, Ended, Run, Stores, loopback_tuning};
use delivery_impls::driver::wire::{FromBroker, ToBroker};
use delivery_impls::driver::{LOOPBACK, Observer, consumer, producer};
use delivery_impls::inventory::{Order, Sku};
use delivery_impls::store::embedded::{EmbeddedInventory, EmbeddedOutbox};
use delivery_impls::store::{Change, Covers, EffectStore, Generation, OutboxStore};
use delivery_model::pipeline::Pipeline;
use delivery_model::vocab::{DeliveryNumber, Epoch, EventKind, MessageId, Position};

/// Far longer than anything here takes.
const HUNG: Duration = Duration::from_secs(20);

/// Passes on what happened.
struct Events(Mutex<Sender<EventKind>>);

impl Observer for Events {
    fn observe(&self, _: &str, report: &Report) -> io::Result<()> {
        let _ = self.0.lock().expect("no panic").send(report.kind);
        Ok(())
    }

    fn notice(&self, _: &str, _: &dyn Display) {}
}

/// A consumer, or a producer, and the broker's end of its connection.
struct Served {
    link: Link,
    said: Receiver<ToBroker>,
    stop: Arc<AtomicBool>,
    events: Receiver<EventKind>,
    party: JoinHandle<Result<Ended, DriverError>>,
}

fn serve(toml: &str) -> Served {
    serve_on(toml, |_| ())
}

/// A consumer whose stores are as they were left.
fn serve_on(toml: &str, leave: impl FnOnce(&Stores)) -> Served {
    serve_party(toml, leave, consumer::consume)
}

fn serve_party(
    toml: &str,
    leave: impl FnOnce(&Stores),
    party: impl FnOnce(&Run, SocketAddr) -> Result<Ended, DriverError> + Send + 'static,
) -> Served {
    let pipeline = Pipeline::from_toml(&format!("name = \"orders\"\n{toml}"), "orders").expect("a pipeline");
    let directory = tempfile::tempdir().expect("a directory");
    let (event, events) = channel();
    let observer = Arc::new(Events(Mutex::new(event)));
    let stores = Stores::in_directory(directory.path());
    leave(&stores);
    let run = Run::new(pipeline, loopback_tuning(), stores, observer, Deployment::Apart);
    let stop = Arc::clone(&run.stop);
    let listener = TcpListener::bind(LOOPBACK).expect("a free port");
    let (limits, address) = (run.limits, listener.local_addr().expect("it listens"));
    let party = thread::spawn(move || {
        let _directory = directory;
        party(&run, address)
    });
    let (stream, _) = listener.accept().expect("it connects");
    let (heard, said) = channel();
    let link = Link::start("broker", stream, limits, move |body| {
        body.is_ok_and(|body| heard.send(ToBroker::decode(&body).expect("as in the table")).is_ok())
    });
    Served { link: link.expect("two threads"), said, stop, events, party }
}

impl Served {
    fn say(&self, said: &FromBroker) {
        self.link.send(said.encode());
    }

    fn hear(&self) -> ToBroker {
        self.said.recv_timeout(HUNG).expect("the consumer says something")
    }

    /// Waits until it subscribes.
    fn subscribed(&self) {
        while !matches!(self.hear(), ToBroker::Subscribe { .. }) {}
    }

    /// The messages with an effect, until that of the last one.
    fn effects_until(&self, last: MessageId) -> Vec<MessageId> {
        let mut effects = Vec::new();
        while effects.last() != Some(&last) {
            if let EventKind::Effect { message, .. } = self.events.recv_timeout(HUNG).expect("it goes on") {
                effects.push(message);
            }
        }
        effects
    }

    fn end(self) {
        self.stop.store(true, Ordering::Release);
        drop(self.link);
        self.party.join().expect("no panic").expect("no failure");
    }
}

/// The message at this position, whose number is one higher, under this lease.
fn hand_off(position: u64, lease: u32) -> FromBroker {
    let record = Record {
        message: MessageId(position + 1),
        identity: Identity::None,
        producer: ProducerId(0),
        epoch: Epoch(0),
        payload: Order { sku: Sku(1), quantity: 1 }.encode(),
    };
    FromBroker::HandOff(HandOff {
        hand: DeliveryId { position: Position(position), lease: Lease { incarnation: 1, number: lease } },
        consumer: ConsumerId(0),
        generation: Generation(0),
        delivery: Some(DeliveryNumber(lease)),
        record,
    })
}

/// As it does when it has no room for a registration, or when two processes take turns in the same role.
#[test]
fn a_broker_that_hangs_up_at_once_is_called_again_ever_more_slowly() {
    const CALLS: u64 = 12;
    let directory = tempfile::tempdir().expect("a directory");
    let observer = Arc::new(Events(Mutex::new(channel().0)));
    let stores = Stores::in_directory(directory.path());
    let tuning = Tuning { back_off: BackOff { base: Millis(4), max: Millis(4), seed: 0 }, ..loopback_tuning() };
    let run = Run::new(Pipeline::default(), tuning, stores, observer, Deployment::Apart);
    let stop = Arc::clone(&run.stop);
    let listener = TcpListener::bind(LOOPBACK).expect("a free port");
    let address = listener.local_addr().expect("it listens");
    let consumer = thread::spawn(move || consumer::consume(&run, address));
    #[expect(clippy::disallowed_methods, reason = "it is about waits")]
    let began = Instant::now();
    (0..CALLS).for_each(|_| drop(listener.accept().expect("it calls")));
    // The first cut is like any other; after the others it waits.
    assert!(began.elapsed() >= Duration::from_millis(4 * (CALLS - 2)), "{:?}", began.elapsed());
    stop.store(true, Ordering::Release);
    drop(listener);
    consumer.join().expect("no panic").expect("no failure");
}

/// Every position is handed off three times over, as if its lease had ended while the consumer was at work.
fn takes_nothing_twice(toml: &str) {
    let served = serve(toml);
    served.subscribed();
    for (position, lease) in [(0, 1), (0, 2), (1, 1), (0, 3), (1, 2), (1, 3), (2, 1)] {
        served.say(&hand_off(position, lease));
    }
    assert_eq!(served.effects_until(MessageId(3)), [1, 2, 3].map(MessageId), "{toml}");
    let mut released = Vec::new();
    while released.len() < 4 {
        match served.hear() {
            ToBroker::Release(hand) if hand.lease.number > 1 => released.push((hand.position.0, hand.lease.number)),
            _ => {}
        }
    }
    assert_eq!(released, [(0, 2), (0, 3), (1, 2), (1, 3)], "each one declined is given back: {toml}");
    served.end();
}

#[test]
fn a_consumer_that_follows_its_own_position_takes_nothing_twice() {
    takes_nothing_twice("[consumer]\nsettles = \"with-effect\"\nremembers = \"nothing\"");
    takes_nothing_twice("[consumer]\nsettles = \"with-effect\"\nremembers = \"nothing\"\ncommits = \"prefix\"");
    takes_nothing_twice("[consumer]\nremembers = \"nothing\"\ncommits = \"prefix\"");
}

const STORES_ITS_POSITION: &str =
    "[consumer]\nsettles = \"with-effect\"\nremembers = \"nothing\"\ncommits = \"prefix\"";

/// Once, a consumer that stores its position with its effects counted none of them as finished: after 8192 positions
/// what it was handed waited for room for ever.
#[test]
fn a_consumer_that_stores_its_position_has_room_for_what_comes_next() {
    let served = serve(STORES_ITS_POSITION);
    served.subscribed();
    // The first word of the window, and then the first position for which it has no room before that is finished.
    for position in (0..32).chain([8192]) {
        served.say(&hand_off(position, 1));
        served.effects_until(MessageId(position + 1));
    }
    served.end();
}

/// As before, over a restart with more behind it than there is room for.
#[test]
fn a_consumer_that_comes_back_has_room_beyond_what_it_stored() {
    let served = serve_on(STORES_ITS_POSITION, |stores| {
        let mut inventory = EmbeddedInventory::open(&stores.inventory()).expect("a new one");
        let finished = Some(Covers::Below(Position(9000)));
        inventory.apply(&Change { finished, ..Change::default() }).expect("it is stored");
    });
    served.subscribed();
    served.say(&hand_off(9000, 1));
    served.effects_until(MessageId(9001));
    served.end();
}

/// Position 7 was set aside before this consumer came. Once, it was told so and forgot it, until it was told again.
#[test]
fn a_prefix_reaches_over_what_was_set_aside_ahead_of_it() {
    let served = serve("[consumer]\ncommits = \"prefix\"");
    served.subscribed();
    let mut committed = Positions::below(Position(6));
    committed.insert(Position(7));
    served.say(&FromBroker::Committed(committed));
    served.say(&hand_off(6, 1));
    let covers = loop {
        if let ToBroker::Settle(request) = served.hear() {
            break request.covers;
        }
    };
    assert_eq!(covers, Covers::Below(Position(8)));
    served.end();
}

/// Once, it went on for ever.
#[test]
fn a_producer_that_is_never_answered_stops_when_it_is_asked_to_and_keeps_what_it_has() {
    let served = serve_party(
        "",
        |_| (),
        |run, broker| {
            let orders = [(MessageId(1), Order { sku: Sku(1), quantity: 1 }.encode())].into();
            let ended = producer::produce(run, ProducerId(0), broker, orders)?;
            let mut outbox = EmbeddedOutbox::open(&run.stores.outbox(ProducerId(0))).expect("nobody else has it");
            assert_eq!(outbox.recover().expect("readable").rows.len(), 1);
            Ok(ended)
        },
    );
    while !matches!(served.hear(), ToBroker::Register { .. }) {}
    served.say(&FromBroker::Registered);
    for _ in 0..2 {
        while !matches!(served.hear(), ToBroker::Publish(_)) {}
    }
    served.stop.store(true, Ordering::Release);
    assert!(matches!(served.party.join().expect("no panic"), Ok(Ended::Stopped)));
}
