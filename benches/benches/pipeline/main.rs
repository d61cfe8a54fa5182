//! The running pipeline from end to end: exactly-once and at-least-once with threads, TCP and disk, compared with the limit
//! of the disk.
//!
//! One producer submits, or four where it says so, and everything is delivered. With 64 in flight the durable steps may share their syncs; with one in
//! flight (the next message is submitted when the last one is acked) each message has its own: an outbox row, the log, then
//! the effect with its inbox entry, then the ledger. The limit is a loop that appends frames of a record's size to a file on
//! the same disk, and syncs after each, or after each 64. "In memory" is the same pipeline on a file system in memory, where
//! a sync costs nothing.
//!
//! Real brokers take turns with the pipeline ([`brokers`]).
//!
//! The transactions of the inventory are measured by themselves, too ([`inventory`]).
//!
//! Each message orders an article of its own. Each timed run ends with a look at the inventory: every order was taken once.
//! Nobody records a history here; the observer notes when a message was submitted and when it took effect, for the latencies.

mod brokers;
mod inventory;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use delivery_benches::disk::floor;
use delivery_benches::{is_test, tell, time};
use delivery_impls::core::report::Report;
use delivery_impls::core::tuning::Tuning;
use delivery_impls::data::record::{Identity, ProducerId, Record, Session};
use delivery_impls::driver::producer::Orders;
use delivery_impls::driver::run::{Deployment, Ended, Run, Stores, apart_tuning};
use delivery_impls::driver::{Observer, drive};
use delivery_impls::inventory::{Order, Sku};
use delivery_impls::store::embedded::EmbeddedInventory;
use delivery_impls::store::file::{FileJournal, Room};
use delivery_impls::store::{Journal, frame};
use delivery_model::pipeline::Pipeline;
use delivery_model::presets;
use delivery_model::vocab::{Epoch, EventKind, MessageId};
use delivery_proofs::figures::{Bound, Sheet};
use tempfile::TempDir;

/// The most messages in flight at once.
const MANY: u32 = 64;
/// The producers where there are several, each with so many in flight.
const PRODUCERS: u64 = 4;
/// The syncs of a message that wait for each other from its submit to its ack.
const SYNCS_TO_ACK: f64 = 2.0;
/// The syncs of a message that wait for each other from its submit to its effect.
const SYNCS_TO_EFFECT: f64 = 3.0;
/// A file system in memory, where there is one.
const IN_MEMORY: &str = "/dev/shm";

/// When a message was submitted, and when it first took effect, since the run began; none: not yet.
type Instants = (Option<Duration>, Option<Duration>);

/// A clock that notes when each message was submitted, and when it first took effect.
struct Stopwatch {
    began: Instant,
    instants: Mutex<BTreeMap<MessageId, Instants>>,
}

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
    fn start() -> Stopwatch {
        Stopwatch { began: Instant::now(), instants: Mutex::default() }
    }

    /// From submit (its row is durable) to effect, shortest first.
    fn latencies(&self) -> Vec<Duration> {
        let instants = self.instants.lock().expect("no panic");
        let mut latencies: Vec<Duration> =
            instants.values().filter_map(|&(submit, effect)| Some(effect?.saturating_sub(submit?))).collect();
        latencies.sort();
        latencies
    }
}

impl Observer for Stopwatch {
    fn observe(&self, _: &str, report: &Report) -> io::Result<()> {
        let now = self.began.elapsed();
        match report.kind {
            EventKind::Submit { message, .. } => {
                self.instants.lock().expect("no panic").entry(message).or_default().0 = Some(now);
            }
            EventKind::Effect { message, .. } => {
                self.instants.lock().expect("no panic").entry(message).or_default().1.get_or_insert(now);
            }
            _ => {}
        }
        Ok(())
    }

    fn notice(&self, _: &str, _: &dyn Display) {}
}

/// The result of a run.
struct Ran {
    took: Duration,
    latencies: Vec<Duration>,
}

impl Ran {
    fn percentile(&self, percent: usize) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get(last * percent / 100).copied().unwrap_or_default()
    }
}

/// A directory on the disk of temporary files, or in memory.
fn directory(memory: Option<&Path>) -> TempDir {
    memory.map_or_else(tempfile::tempdir, tempfile::tempdir_in).expect("a directory")
}

/// Runs a preset with so many producers, which have so many messages in flight each, until every message has taken effect and
/// is settled.
fn run(preset: &str, memory: Option<&Path>, in_flight: u32, producers: u64, messages: u64) -> Ran {
    let mut pipeline: Pipeline = presets::named(preset).expect("a preset");
    pipeline.producer.in_flight = in_flight;
    pipeline.consumer.workers = in_flight;
    // With one in flight, nothing is submitted ahead.
    let ahead = if in_flight == 1 { 1 } else { 2 * in_flight as usize };
    // Leases outlast a busy machine: a run must not measure what is delivered again.
    let tuning = Tuning { ahead, ..apart_tuning() };
    let directory = directory(memory);
    let stores = Stores::in_directory(directory.path());
    let inventory = stores.inventory();
    let stopwatch = Arc::new(Stopwatch::start());
    let observer = Arc::clone(&stopwatch) as Arc<dyn Observer>;
    let run = Run::new(pipeline, tuning, stores, observer, Deployment::Together);
    let order = |message: u64| (MessageId(message), Order { sku: Sku(message as u32), quantity: 1 }.encode());
    let orders = (0..producers).map(|first| (1..=messages).skip(first as usize).step_by(producers as usize));
    let orders: Vec<Orders> = orders.map(|messages| messages.map(order).collect()).collect();
    let took = time(|| assert_eq!(drive(&run, orders).expect("no failure"), Ended::Drained));
    let left = EmbeddedInventory::open(&inventory).and_then(|inventory| inventory.stocks()).expect("an inventory");
    assert!(left.iter().map(|(Sku(sku), _)| u64::from(*sku)).eq(1..=messages), "every order was taken");
    // At-least-once may take an order again that it settled late.
    let is_once = left.iter().all(|(_, left)| *left == -1);
    assert!(is_once || preset == "at-least-once", "every order was taken once");
    Ran { took, latencies: stopwatch.latencies() }
}

/// The frame of a record in the log.
fn frame_of_record() -> Vec<u8> {
    let (producer, epoch) = (ProducerId(1), Epoch(0));
    let identity = Identity::Sequence { session: Session { producer, session: epoch }, number: 1 };
    let payload = Order { sku: Sku(7), quantity: 1 }.encode();
    let record = Record { message: MessageId(1), identity, producer, epoch, payload };
    let mut bytes = Vec::new();
    frame::write(&mut bytes, record.encode());
    bytes
}

fn disk_alone(records: u64, group: u64) -> Duration {
    floor(directory(None).path(), &frame_of_record(), records, group)
}

/// A journal alone: the same frames, each synced, into zeros that were written ahead.
fn journal_alone(records: u64) -> Duration {
    let directory = directory(None);
    let mut journal = FileJournal::open(&directory.path().join("journal"), Room::default()).expect("a new file");
    let frame = frame_of_record();
    let record = &frame[frame::HEADER_BYTES..];
    let took = time(|| {
        for _ in 0..records {
            journal.append(record).and_then(|()| journal.sync()).expect("room");
        }
    });
    assert_eq!(journal.synced_records(), records);
    took
}

/// What is compared: runs of the pipeline, and the disk alone.
const CONTENDERS: [(&str, u32, u64); 4] =
    [("exactly-once", MANY, 1), ("at-least-once", MANY, 1), ("exactly-once", 1, 1), ("exactly-once", MANY, PRODUCERS)];

/// The best of a few runs of each contender, which take turns, so that other load affects all of them in the same way.
fn report(messages: u64, tries: u32) {
    let memory = Some(Path::new(IN_MEMORY)).filter(|path| path.is_dir());
    let mut runs: [Option<Ran>; 4] = Default::default();
    let mut in_memory: Option<Ran> = None;
    let (mut floor_one, mut floor_many, mut zeros) = (Duration::MAX, Duration::MAX, Duration::MAX);
    let mut transactions = [[Duration::MAX; 2]; 2];
    let keep = |best: &mut Option<Ran>, ran: Ran| {
        if best.as_ref().is_none_or(|best| ran.took < best.took) {
            *best = Some(ran);
        }
    };
    let singly = messages / 8;
    let brokers = brokers::start();
    let mut theirs = vec![Duration::MAX; brokers.len()];
    for _ in 0..tries {
        floor_one = floor_one.min(disk_alone(singly, 1));
        floor_many = floor_many.min(disk_alone(messages, MANY.into()));
        zeros = zeros.min(journal_alone(singly));
        for (best, (together, messages)) in transactions.iter_mut().zip([(1, singly), (MANY.into(), messages)]) {
            let ours = inventory::ours(directory(None).path(), messages, together);
            let redb = inventory::redb_alone(directory(None).path(), messages, together);
            *best = [best[0].min(ours), best[1].min(redb)];
        }
        for (best, (preset, in_flight, producers)) in runs.iter_mut().zip(CONTENDERS) {
            let messages = if in_flight == 1 { singly } else { messages };
            keep(best, run(preset, None, in_flight, producers, messages));
        }
        for (best, broker) in theirs.iter_mut().zip(&brokers) {
            *best = broker.time(messages).min(*best);
        }
        if memory.is_some() {
            keep(&mut in_memory, run("exactly-once", memory, MANY, 1, messages));
        }
    }
    let a_second = |messages: u64, took: Duration| messages as f64 / took.as_secs_f64();
    let (floor_one, floor_many) = (a_second(singly, floor_one), a_second(messages, floor_many));
    let [exactly, least, one, more] = runs.map(|ran| ran.expect("at least one try"));
    let about = format!(
        "The running pipeline from end to end: threads, TCP, disk. {messages} messages, {singly} with one in flight; the best \
         of {tries} runs each, which take turns. Latency is from submit to effect."
    );
    let mut sheet = Sheet::new("pipeline", &about);
    let columns = ["run", "messages/s", "p50 ms", "p99 ms"];
    let table = sheet.table("from submit to settle", &columns);
    let mut row = |name: &str, messages: u64, ran: &Ran| {
        let latencies = [50, 99].map(|percent| ran.percentile(percent).as_secs_f64() * 1e3);
        table.row(name, [a_second(messages, ran.took), latencies[0], latencies[1]]);
    };
    row("exactly-once, durable, 64 in flight", messages, &exactly);
    row("at-least-once, durable, 64 in flight", messages, &least);
    row("exactly-once, durable, 4 producers with 64 in flight each", messages, &more);
    row("exactly-once, durable, 1 in flight", singly, &one);
    match &in_memory {
        Some(ran) => row("exactly-once, in memory, 64 in flight", messages, ran),
        None => eprintln!("exactly-once in memory: left out, there is no {IN_MEMORY}"),
    }
    let table =
        sheet.table("brokers, from publish to settle, a sync before each ack, 64 in flight", &["broker", "messages/s"]);
    let mut best_of_theirs = None::<f64>;
    for (broker, took) in brokers.iter().zip(theirs) {
        let rate = a_second(messages, took);
        table.row(&broker.name, [rate]);
        best_of_theirs = Some(best_of_theirs.unwrap_or_default().max(rate));
    }
    let table = sheet.table("the disk alone: appended frames of a record", &["syncs", "records/s"]);
    table.row("one a record", [floor_one]).row("one a record, into zeros", [a_second(singly, zeros)]);
    table.row("one for 64 records", [floor_many]);
    let columns = ["effects in a transaction", "inventory", "redb alone"];
    let table = sheet.table("durable transactions of the inventory, effects/s", &columns);
    for ((together, messages), took) in [("one", singly), ("64", messages)].into_iter().zip(transactions) {
        table.row(together, took.map(|took| a_second(messages, took)));
    }
    let rate = a_second(messages, exactly.took);
    sheet.goal("exactly-once, durable, 64 in flight", rate, "messages a second", Bound::AtLeast(20_000.0));
    let share = 100.0 * rate / floor_many;
    sheet.goal("the same", share, "% of the disk alone in batches of 64", Bound::AtLeast(21.0));
    if let Some(theirs) = best_of_theirs {
        sheet.goal("the same", rate / theirs, "times the best real broker", Bound::AtLeast(2.0));
    }
    let ratio = exactly.took.as_secs_f64() / least.took.as_secs_f64();
    sheet.goal("the same", ratio, "times at-least-once's time", Bound::AtMost(1.05));
    let rate = a_second(singly, one.took);
    for (syncs, to) in [(SYNCS_TO_ACK, "ack"), (SYNCS_TO_EFFECT, "effect")] {
        let of = format!("exactly-once, durable, 1 in flight, {syncs} syncs from submit to {to}");
        sheet.goal(&of, 100.0 * rate * syncs / floor_one, "% of the disk alone", Bound::AtLeast(80.0));
    }
    tell(&sheet);
}

fn pipeline(criterion: &mut Criterion) {
    let is_test = is_test();
    let (messages, tries) = if is_test { (256, 1) } else { (8_192, 5) };
    report(messages, tries);
    let mut group = criterion.benchmark_group("pipeline");
    group.sample_size(10);
    for (preset, in_flight, producers) in CONTENDERS {
        let each = if is_test { 64 } else { 1_024 };
        group.throughput(Throughput::Elements(each));
        let from = if producers == 1 { String::new() } else { format!(" from each of {producers} producers") };
        group.bench_function(format!("{preset}, {in_flight} in flight{from}"), |bencher| {
            bencher.iter_custom(|iterations| run(preset, None, in_flight, producers, iterations * each).took);
        });
    }
    group.finish();
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
