//! The cost of durable confirmations, with one sync for each and with one sync for many, compared with the limit of
//! the disk.
//!
//! Everything runs through the real broker: threads, TCP, and the log's file. One producer with one message in flight
//! makes the broker sync each record by itself. With 64 producers, records that arrive during a sync share the next
//! one. The limit is a loop that appends frames of the same size to a file on the same disk and syncs after each, or
//! after each 64, and does nothing else.
//!
//! Every publish of a timed run is confirmed, and afterwards the log is read: it must hold each of them once.

use std::fmt::Display;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use delivery_benches::{disk, is_test, tell};
use delivery_impls::core::report::Report;
use delivery_impls::data::record::{Identity, ProducerId, Publish, Record, Session, Verdict};
use delivery_impls::driver::frame::{self, Decoder};
use delivery_impls::driver::run::{Deployment, Run, Stores, loopback_tuning};
use delivery_impls::driver::secret::Secret;
use delivery_impls::driver::wire::{FromBroker, ToBroker};
use delivery_impls::driver::{LOOPBACK, Observer, broker};
use delivery_impls::inventory::{Order, Sku};
use delivery_impls::store::Journal;
use delivery_impls::store::file::{FileJournal, Room};
use delivery_model::pipeline::Pipeline;
use delivery_model::vocab::{AttemptNumber, Epoch, MessageId};
use delivery_proofs::figures::Sheet;

/// The number of producers that have a message in flight at once.
const MANY: u32 = 64;
/// The number of publishes of each producer in an iteration.
const EACH: u64 = 20;

/// An observer that ignores everything.
struct Ignore;

impl Observer for Ignore {
    fn observe(&self, _: &str, _: &Report) -> io::Result<()> {
        Ok(())
    }

    fn notice(&self, _: &str, _: &dyn Display) {}
}

/// A producer: its connection, and the number of its next publish.
struct Client {
    stream: TcpStream,
    decoder: Decoder,
    id: ProducerId,
    number: u64,
}

impl Client {
    fn connect(broker: SocketAddr, id: ProducerId) -> Client {
        let stream = TcpStream::connect(broker).expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        let mut client = Client { stream, decoder: Decoder::default(), id, number: 0 };
        client.say(&ToBroker::Hello(Secret::default()));
        client.say(&ToBroker::Register { producer: id, epoch: Epoch(0) });
        assert_eq!(client.hear(), FromBroker::Registered);
        client
    }

    fn say(&mut self, said: &ToBroker) {
        let mut bytes = Vec::with_capacity(128);
        frame::encode(&said.encode(), &mut bytes).expect("short");
        self.stream.write_all(&bytes).expect("connected");
    }

    fn hear(&mut self) -> FromBroker {
        let mut buffer = [0; 512];
        loop {
            let length = self.stream.read(&mut buffer).expect("connected");
            assert_ne!(length, 0, "the broker closed");
            let mut piece = &buffer[..length];
            while let Some(body) = self.decoder.take(&mut piece).expect("frames") {
                // There is one reply for each publish, and heartbeats between.
                if !body.is_empty() {
                    return FromBroker::decode(&body).expect("a message");
                }
            }
        }
    }

    fn publish(&mut self) {
        let (producer, epoch) = (self.id, Epoch(0));
        let identity = Identity::Sequence { session: Session { producer, session: epoch }, number: self.number };
        let message = MessageId(u64::from(producer.0) << 32 | self.number);
        self.say(&ToBroker::Publish(Publish {
            record: record(message, identity, producer),
            attempt: AttemptNumber(1),
        }));
        self.number += 1;
        match self.hear() {
            FromBroker::Reply(reply) => {
                assert_eq!(reply.message, message);
                assert!(matches!(reply.verdict, Verdict::Acked(Some(_))), "{reply:?}");
            }
            other => panic!("{other:?} is no reply"),
        }
    }
}

fn record(message: MessageId, identity: Identity, producer: ProducerId) -> Record {
    let payload = Order { sku: Sku(7), quantity: 1 }.encode();
    Record { message, identity, producer, epoch: Epoch(0), payload }
}

/// The time that this many producers, each with one message in flight, take for `each` publishes each.
fn publish(producers: u32, each: u64) -> Duration {
    let directory = tempfile::tempdir().expect("a directory");
    let stores = Stores::in_directory(directory.path());
    let log = stores.log();
    let run = Run::new(Pipeline::default(), loopback_tuning(), stores, Arc::new(Ignore), Deployment::Apart);
    let inbox = broker::listen(&run, LOOPBACK).expect("a free port");
    let address = inbox.address();
    let took = thread::scope(|scope| {
        let served = scope.spawn(|| broker::serve(&run, inbox).expect("no failure"));
        let mut clients: Vec<Client> = (0..producers).map(|id| Client::connect(address, ProducerId(id))).collect();
        let took = delivery_benches::time_at_once(
            clients.iter_mut().map(|client| move || (0..each).for_each(|_| client.publish())),
        );
        drop(clients);
        run.stop.store(true, Ordering::Release);
        served.join().expect("no panic");
        took
    });
    let mut stored = FileJournal::open(&log, Room::default()).expect("a log").recover().expect("intact");
    assert_eq!(stored.len() as u64, u64::from(producers) * each, "what was confirmed is in the log");
    stored.sort();
    stored.dedup();
    assert_eq!(stored.len() as u64, u64::from(producers) * each, "each once");
    took
}

/// The time to append this many frames of a record's size and to sync after every `group` of them.
fn floor(records: u64, group: u64) -> Duration {
    let directory = tempfile::tempdir().expect("a directory");
    let session = Session::default();
    let record = record(MessageId(1), Identity::Sequence { session, number: 1 }, ProducerId(1)).encode();
    let mut bytes = Vec::new();
    delivery_impls::store::frame::write(&mut bytes, &record);
    disk::floor(directory.path(), &bytes, records, group)
}

/// A measurement to compare: the number of its records, and the function that stores them durably.
type Contender = (u64, Box<dyn Fn() -> Duration>);

/// The best of `tries` short measurements of each contender, in records a second. The contenders take turns, so that
/// other use of the disk affects all of them in the same way.
fn best<const N: usize>(tries: u32, contenders: [Contender; N]) -> [f64; N] {
    let mut best = [0.0; N];
    for _ in 0..tries {
        for (best, (records, store)) in best.iter_mut().zip(&contenders) {
            *best = f64::max(*best, *records as f64 / store().as_secs_f64());
        }
    }
    best
}

/// Tells the four figures and their ratios, on one disk.
fn report(each: u64, tries: u32) {
    let many = u64::from(MANY) * each;
    let [one, floor_one, group, floor_group] = best(
        tries,
        [
            (each, Box::new(move || publish(1, each))),
            (each, Box::new(move || floor(each, 1))),
            (many, Box::new(move || publish(MANY, each))),
            (many, Box::new(move || floor(many, MANY.into()))),
        ],
    );
    let about = format!(
        "Durable confirmations of a broker beside what its disk does alone; the best of {tries} runs that take turns."
    );
    let mut sheet = Sheet::new("group_sync", &about);
    let columns = ["in flight", "confirmations/s", "the disk alone, records/s", "% of it"];
    let table = sheet.table("a sync before each confirmation", &columns);
    table.row("1", [one, floor_one, 100.0 * one / floor_one]);
    table.row(MANY.to_string(), [group, floor_group, 100.0 * group / floor_group]);
    tell(&sheet);
}

fn group_sync(criterion: &mut Criterion) {
    let is_test = is_test();
    report(if is_test { EACH } else { 10 * EACH }, if is_test { 1 } else { 20 });
    let mut group = criterion.benchmark_group("durable confirmations");
    group.sample_size(10);
    for producers in [1, MANY] {
        let publishes = u64::from(producers) * EACH;
        group.throughput(Throughput::Elements(publishes));
        group.bench_function(format!("{producers} in flight"), |bencher| {
            bencher.iter_custom(|iterations| publish(producers, iterations * EACH));
        });
        group.bench_function(format!("the disk alone, a sync for {producers}"), |bencher| {
            bencher.iter_custom(|iterations| floor(iterations * publishes, producers.into()));
        });
    }
    group.finish();
}

criterion_group!(benches, group_sync);
criterion_main!(benches);
