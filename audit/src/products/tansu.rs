//! The Kafka protocol on tansu, which keeps its log in SQLite: one topic with one partition.
//!
//! A produce request with `acks=all` is a publish, and the offset in its response the ack. A fetch is a delivery, never
//! marked: a log does not know what it has sent. The client, rskafka, has no consumer groups. So the consumer keeps its own
//! offset, as a consumer does that stores it with its effect, and a settle is a write to that store, which no fault of the
//! broker touches. Nothing can come again after a settle unless the log gives an offset twice; and a log that lost its end
//! does give offsets twice, so that what is stored under them then is skipped as if it was settled.
//!
//! A client of Kafka connects to where the broker says that it listens, whatever address it was given. So it goes around a
//! proxy, and faults on the wire do not reach it.
//!
//! tansu has no Debian package, and its crates hold no program. `audit/tansu` in this project is one: the command of its
//! crate `tansu-cli`, with the store for SQLite. There, tansu sets `journal_mode=WAL` and `synchronous=normal`: a commit is
//! in the log of SQLite, which is synced some commits later.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use rskafka::BackoffConfig;
use rskafka::chrono::DateTime;
use rskafka::client::error::{Error, ProtocolError};
use rskafka::client::partition::{Compression, OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client as Kafka, ClientBuilder};
use rskafka::record::{Record, RecordAndOffset};
use rustix::process::Signal;

use crate::address::{Address, Scheme};
use crate::clock::{Deadline, GLANCE, pass};
use crate::place::{Place, free_port};
use crate::plan::Patience;
use crate::process::{Launch, find, said};
use crate::product::{
    Broken, Broker, Client, Delivery, Missing, Product, Published, Publisher, Receiver, Setting, Settled, Trouble,
    body, message,
};
use crate::server::Server;
use crate::wire::Wire;

const SCHEME: Scheme = Scheme { word: "kafka", port: 9092 };
const PROGRAM: &str = "tansu";
const PARTITION: i32 = 0;

/// More than one message, and far less than a round's.
const FETCH_BYTES: std::ops::Range<i32> = 1..4096;

const SETTINGS: &[Setting] = &[Setting {
    name: "sqlite",
    means: "--storage-engine sqlite://FILE (WAL, synchronous=normal); acks=all; the consumer keeps its own offset",
}];

/// The product.
pub struct Tansu;

impl Product for Tansu {
    fn name(&self) -> &'static str {
        "tansu"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn version(&self) -> Result<String, Missing> {
        let install = "cargo install --path audit/tansu, in this project; it builds some 500 crates, and needs cmake";
        let missing = Missing { what: PROGRAM.to_owned(), install };
        let said = said(PROGRAM, &[], "--version").ok_or_else(|| missing.clone())?;
        said.strip_prefix("tansu ").map(str::to_owned).ok_or(missing)
    }

    fn broker(&self, setting: &Setting, place: Place, patience: Patience) -> Result<Box<dyn Broker>, Trouble> {
        let port = free_port()?;
        let listener = format!("tcp://127.0.0.1:{port}");
        // It takes the path for one below its working directory, which is the root here.
        let file = format!("sqlite://{}", place.data.join("tansu.db").display());
        let words = ["--listener-url", &listener, "--advertised-listener-url", &listener, "--storage-engine", &file];
        let arguments = std::iter::once("broker").chain(words).map(str::to_owned).collect();
        let program = find(PROGRAM, &[]).unwrap_or_else(|| PROGRAM.into());
        let launch = Launch { program, arguments, user: None, farewell: Signal::KILL };
        Server::of(self, setting, launch, place, port, patience)
    }

    fn scheme(&self) -> Scheme {
        SCHEME
    }

    fn client(
        &self,
        _setting: &Setting,
        address: &Address,
        queue: &str,
        patience: Patience,
    ) -> Result<Arc<dyn Client>, Trouble> {
        let (address, topic, answer) = (at(address), queue.to_owned(), patience.answer);
        Ok(Arc::new(Reach { address, topic, answer, next: Arc::default() }))
    }
}

/// The address as the client wants it.
fn at(address: &Address) -> String {
    format!("{}:{}", address.host(), address.port())
}

struct Reach {
    address: String,
    topic: String,
    answer: Duration,
    /// The consumer's own store: the offset after the last one that it settled. Its crashes leave it.
    next: Arc<AtomicI64>,
}

/// A connection of the client, which would try again for ever unless it is told not to.
struct Connection {
    kafka: Kafka,
    // Last, so that it ends after what uses it.
    wire: Wire,
}

/// A connection to the partition.
struct Partition {
    partition: PartitionClient,
    // Last, so that it ends after what uses it.
    wire: Wire,
}

impl Reach {
    fn connect(&self) -> Result<Connection, Broken> {
        let wire = Wire::new(self.answer)?;
        let once = BackoffConfig { deadline: Some(Duration::ZERO), ..BackoffConfig::default() };
        let kafka = wire.call(ClientBuilder::new(vec![self.address.clone()]).backoff_config(once).build())?;
        Ok(Connection { kafka, wire })
    }

    /// How long the broker may take to make a topic, in milliseconds.
    fn wait(&self) -> i32 {
        i32::try_from(self.answer.as_millis()).unwrap_or(i32::MAX)
    }

    fn partition(&self) -> Result<Partition, Broken> {
        let Connection { kafka, wire } = self.connect()?;
        let partition = wire.call(kafka.partition_client(&self.topic, PARTITION, UnknownTopicHandling::Error))?;
        Ok(Partition { partition, wire })
    }
}

impl Client for Reach {
    /// The protocol has no word for it.
    fn version(&self) -> Result<Option<String>, Broken> {
        self.connect().map(|_| None)
    }

    fn remove(&self) -> Result<(), Broken> {
        let Connection { kafka, wire } = self.connect()?;
        let wait = self.wait();
        wire.call(async {
            match kafka.controller_client()?.delete_topic(&self.topic, wait).await {
                Err(error) if says(&error, ProtocolError::UnknownTopicOrPartition) => Ok(()),
                removed => removed,
            }
        })
    }

    fn declare(&self) -> Result<(), Broken> {
        let Connection { kafka, wire } = self.connect()?;
        let wait = self.wait();
        wire.call(async {
            match kafka.controller_client()?.create_topic(&self.topic, 1, 1, wait).await {
                Err(error) if says(&error, ProtocolError::TopicAlreadyExists) => Ok(()),
                made => made,
            }
        })
    }

    fn has_queue(&self) -> Result<bool, Broken> {
        let Connection { kafka, wire } = self.connect()?;
        let topics = wire.call(kafka.list_topics())?;
        Ok(topics.iter().any(|topic| topic.name == self.topic))
    }

    fn waiting(&self) -> Result<u64, Broken> {
        let Partition { partition, wire } = self.partition()?;
        let end = wire.call(partition.get_offset(OffsetAt::Latest))?;
        Ok(u64::try_from(end - self.next.load(Ordering::SeqCst)).unwrap_or(0))
    }

    fn publisher(&self) -> Result<Box<dyn Publisher>, Broken> {
        Ok(Box::new(self.partition()?))
    }

    fn receiver(&self) -> Result<Box<dyn Receiver>, Broken> {
        let (connection, next) = (self.partition()?, Arc::clone(&self.next));
        let fetch = next.load(Ordering::SeqCst);
        Ok(Box::new(Consuming { connection, next, fetch, fetched: VecDeque::new(), at_work: None }))
    }
}

/// Whether the broker answered with this error.
fn says(error: &Error, what: ProtocolError) -> bool {
    matches!(error, Error::ServerError { protocol_error, .. } if *protocol_error == what)
}

impl Publisher for Partition {
    fn publish(&mut self, message: u64) -> Published {
        // The time is the same for all: nothing goes by it.
        let value = Some(body(message).into_bytes());
        let record = Record { key: None, value, headers: Default::default(), timestamp: DateTime::UNIX_EPOCH };
        let Partition { partition, wire } = self;
        let produced = wire.call(async {
            match partition.produce(vec![record], Compression::NoCompression).await {
                Ok(offsets) => Ok(Published::Acked(offsets.first().and_then(|&offset| u64::try_from(offset).ok()))),
                Err(error) if says(&error, ProtocolError::UnknownTopicOrPartition) => {
                    Ok(Published::Refused(error.to_string()))
                }
                Err(error) => Err(error),
            }
        });
        produced.unwrap_or_else(|Broken(why)| Published::Unknown(why))
    }
}

struct Consuming {
    connection: Partition,
    /// The consumer's own store.
    next: Arc<AtomicI64>,
    /// The offset after the last one that was fetched.
    fetch: i64,
    /// What was fetched and not delivered yet.
    fetched: VecDeque<RecordAndOffset>,
    /// The offset of the message at work.
    at_work: Option<i64>,
}

impl Receiver for Consuming {
    fn receive(&mut self, wait: Duration) -> Result<Option<Delivery>, Broken> {
        let end = Deadline::after(wait);
        loop {
            if let Some(RecordAndOffset { record, offset }) = self.fetched.pop_front() {
                let message = message(&record.value.unwrap_or_default())?;
                self.at_work = Some(offset);
                return Ok(Some(Delivery { message, position: u64::try_from(offset).ok(), marked: false }));
            }
            let Partition { partition, wire } = &self.connection;
            let (fetched, _) = wire.call(partition.fetch_records(self.fetch, FETCH_BYTES, 0))?;
            self.fetch = fetched.last().map_or(self.fetch, |last| last.offset + 1);
            self.fetched.extend(fetched);
            if self.fetched.is_empty() {
                if end.has_passed() {
                    return Ok(None);
                }
                pass(GLANCE.min(end.left()) / 10, &AtomicBool::new(false));
            }
        }
    }

    fn settle(&mut self) -> Settled {
        let Some(offset) = self.at_work.take() else { return Settled::Refused("nothing is at work".to_owned()) };
        self.next.store(offset + 1, Ordering::SeqCst);
        Settled::Confirmed
    }
}
