//! Real brokers beside the pipeline: the same number of messages, the same batch, a sync before each ack, clients in Rust.
//!
//! A producer has up to [`BATCH`] messages unacked, in one pipeline or one transaction; a consumer takes and settles as many
//! at a time. Payloads are those of the pipeline's orders. No effect is stored, so a broker has less to do than the pipeline.
//! Servers are those of the audit, on the disk of temporary files. What is not installed, or cannot sync before it acks, is
//! left out by name.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::{self, stream};
use delivery_audit::address::Address;
use delivery_audit::place::{Run, base};
use delivery_audit::plan::Patience;
use delivery_audit::product::{Broker, Product};
use delivery_audit::products;
use delivery_benches::time_at_once;
use delivery_impls::inventory::{Order, Sku};
use futures_util::StreamExt;
use redis::streams::StreamReadReply;
use tokio_postgres::NoTls;

/// The most messages in flight, and in one settle.
pub const BATCH: u64 = 64;

/// A broker that can be measured.
struct Contender {
    product: &'static str,
    setting: &'static str,
    run: fn(&Address, u64) -> Duration,
}

const CONTENDERS: [Contender; 3] = [
    Contender { product: "nats", setting: "sync-always", run: nats },
    Contender { product: "redis", setting: "always", run: redis },
    Contender { product: "postgres", setting: "default", run: postgres },
];

/// A broker that runs. It ends when this is dropped.
pub struct Served {
    pub name: String,
    run: fn(&Address, u64) -> Duration,
    address: Address,
    _broker: Box<dyn Broker>,
    // Last: its end removes the files.
    _run: Run,
}

impl Served {
    /// From the first publish until every message is settled.
    pub fn time(&self, messages: u64) -> Duration {
        (self.run)(&self.address, messages)
    }
}

/// Starts all that can be measured here. The others are told with the reason.
pub fn start() -> Vec<Served> {
    let started = |contender: &Contender| {
        served(contender).map_err(|why| eprintln!("left out: {}: {why}", contender.product)).ok()
    };
    CONTENDERS.iter().filter_map(started).collect()
}

fn served(contender: &Contender) -> Result<Served, String> {
    let product: &dyn Product = *products::ALL.iter().find(|it| it.name() == contender.product).expect("it is audited");
    let setting = product.settings().iter().find(|it| it.name == contender.setting).expect("it is audited");
    let version = product.version().map_err(|missing| missing.to_string())?;
    product.supports(setting).map_err(|trouble| trouble.to_string())?;
    let begin = || {
        let (run, _) = Run::begin(&base().with_file_name(format!("delivery-bench-{}", contender.product)))?;
        let place = run.place(&run.directory()?, false)?;
        let mut broker = product.broker(setting, place, Patience::LOCAL)?;
        broker.start()?;
        Ok::<_, delivery_audit::trouble::Trouble>((run, broker))
    };
    let (run, broker) = begin().map_err(|trouble| trouble.to_string())?;
    let address = broker.address().expect("a server listens");
    let name = format!("{} {version}, {}", contender.product, setting.means);
    Ok(Served { name, run: contender.run, address, _broker: broker, _run: run })
}

fn payload(message: u64) -> Vec<u8> {
    let order = Order { sku: Sku(message as u32), quantity: 1 }.encode();
    [&message.to_le_bytes()[..], &order[..]].concat()
}

fn message(payload: &[u8]) -> u64 {
    u64::from_le_bytes(*payload.first_chunk().expect("it begins with the number"))
}

/// The messages that a consumer took, each once and in order.
#[derive(Default)]
struct Taken(u64);

impl Taken {
    fn take(&mut self, payload: &[u8]) {
        assert_eq!(message(payload), self.0, "each message comes once, in order");
        self.0 += 1;
    }
}

/// Runs both ends, each on a thread of its own.
fn both<P: Future<Output = ()>, C: Future<Output = ()>>(
    produce: impl FnOnce() -> P + Send,
    consume: impl FnOnce() -> C + Send,
) -> Duration {
    let produce: Box<dyn FnOnce() + Send> = Box::new(|| block_on(produce()));
    let consume: Box<dyn FnOnce() + Send> = Box::new(|| block_on(consume()));
    time_at_once([produce, consume])
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

/// A name that no other run has.
fn fresh(kind: &str) -> String {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    format!("{kind}{}", RUNS.fetch_add(1, Ordering::Relaxed))
}

fn batches(messages: u64) -> impl Iterator<Item = std::ops::Range<u64>> {
    (0..messages).step_by(BATCH as usize).map(move |first| first..(first + BATCH).min(messages))
}

fn nats(address: &Address, messages: u64) -> Duration {
    let (url, name) = (address.url(), fresh("orders"));
    let connect = || async { jetstream::new(async_nats::connect(url).await.expect("it listens")) };
    block_on(async {
        let config = stream::Config { name: name.clone(), subjects: vec![name.clone()], ..Default::default() };
        let stream = connect().await.create_stream(config).await.expect("a new stream");
        let config = pull::Config {
            durable_name: Some("inventory".to_owned()),
            ack_policy: AckPolicy::Explicit,
            ..Default::default()
        };
        stream.create_consumer(config).await.expect("a new consumer");
    });
    let produce = async || {
        let context = connect().await;
        for batch in batches(messages) {
            let mut acks = Vec::new();
            for number in batch {
                acks.push(context.publish(name.clone(), payload(number).into()).await.expect("it is sent"));
            }
            for ack in acks {
                ack.await.expect("it is acked");
            }
        }
    };
    let consume = async || {
        let stream = connect().await.get_stream(&name).await.expect("it is there");
        let mut consumer = stream.get_consumer::<pull::Config>("inventory").await.expect("it is there");
        let mut taken = Taken::default();
        while taken.0 < messages {
            let batch = consumer.fetch().max_messages(BATCH as usize).messages().await;
            let mut batch = batch.expect("it is asked");
            while let Some(delivery) = batch.next().await {
                let delivery = delivery.expect("a message");
                taken.take(&delivery.payload);
                delivery.ack().await.expect("it is sent");
            }
        }
        // Acks are not answered: the server has taken them in once nothing is pending.
        while consumer.info().await.expect("it is asked").num_ack_pending > 0 {}
    };
    both(produce, consume)
}

fn redis(address: &Address, messages: u64) -> Duration {
    let (url, stream) = (address.url(), fresh("orders"));
    let connect = || {
        let client = redis::Client::open(url).expect("an address");
        client.get_connection().expect("it listens")
    };
    let create = ["CREATE", &stream, "inventory", "0", "MKSTREAM"];
    redis::cmd("XGROUP").arg(&create).query::<()>(&mut connect()).expect("a new group");
    let produce: Box<dyn FnOnce() + Send> = Box::new(|| {
        let mut connection = connect();
        for batch in batches(messages) {
            let mut pipeline = redis::pipe();
            for number in batch {
                pipeline.cmd("XADD").arg(&stream).arg("*").arg("order").arg(payload(number)).ignore();
            }
            pipeline.query::<()>(&mut connection).expect("all are acked");
        }
    });
    let consume: Box<dyn FnOnce() + Send> = Box::new(|| {
        let mut connection = connect();
        let mut taken = Taken::default();
        while taken.0 < messages {
            let mut read = redis::cmd("XREADGROUP");
            read.arg(&["GROUP", "inventory", "consumer-0", "COUNT"]).arg(BATCH).arg(&["BLOCK", "1000", "STREAMS"]);
            let read = read.arg(&stream).arg(">").query::<Option<StreamReadReply>>(&mut connection);
            let Some(reply) = read.expect("it is asked") else { continue };
            let mut settle = redis::cmd("XACK");
            settle.arg(&stream).arg("inventory");
            for entry in reply.keys.into_iter().flat_map(|key| key.ids) {
                taken.take(&entry.get::<Vec<u8>>("order").expect("an order"));
                settle.arg(entry.id);
            }
            settle.query::<u64>(&mut connection).expect("they are settled");
        }
    });
    time_at_once([produce, consume])
}

fn postgres(address: &Address, messages: u64) -> Duration {
    let address = address.clone().or("postgres", None, "postgres");
    let table = fresh("orders");
    let connect = async || {
        let (client, connection) = tokio_postgres::connect(address.url(), NoTls).await.expect("it listens");
        tokio::spawn(async move { connection.await.expect("it stays") });
        client
    };
    block_on(async {
        let create = format!("CREATE TABLE {table} (id bigint PRIMARY KEY, payload bytea NOT NULL)");
        connect().await.batch_execute(&create).await.expect("a new table");
    });
    let produce = async || {
        let client = connect().await;
        let insert = format!("INSERT INTO {table} SELECT * FROM unnest($1::bigint[], $2::bytea[])");
        let insert = client.prepare(&insert).await.expect("a statement");
        for batch in batches(messages) {
            let ids: Vec<i64> = batch.clone().map(|number| number as i64).collect();
            let payloads: Vec<Vec<u8>> = batch.map(payload).collect();
            client.execute(&insert, &[&ids, &payloads]).await.expect("it commits");
        }
    };
    let consume = async || {
        let client = connect().await;
        let take = format!(
            "WITH taken AS (DELETE FROM {table} WHERE id IN (SELECT id FROM {table} ORDER BY id LIMIT {BATCH} FOR UPDATE \
             SKIP LOCKED) RETURNING id, payload) SELECT payload FROM taken ORDER BY id"
        );
        let take = client.prepare(&take).await.expect("a statement");
        let mut taken = Taken::default();
        while taken.0 < messages {
            let rows = client.query(&take, &[]).await.expect("it commits");
            rows.iter().for_each(|row| taken.take(row.get(0)));
        }
    };
    both(produce, consume)
}
