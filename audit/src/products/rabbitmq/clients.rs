//! The clients: one connection with one channel each.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use lapin::message::BasicGetMessage;
use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, ConnectionProperties, Error, ErrorKind};

use crate::address::Address;
use crate::clock::{Deadline, GLANCE, pass};
use crate::product::{Broken, Client, Delivery, Published, Publisher, Receiver, Settled, body, message};
use crate::stream::fill;
use crate::wire::Wire;

const TRANSIENT: u8 = 1;
const PERSISTENT: u8 = 2;

/// What is audited.
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Whether the queue is a quorum queue; else it is a classic one.
    pub is_quorum: bool,
    /// After so many returns of a message it is dropped; none: as RabbitMQ has it.
    pub delivery_limit: Option<u32>,
    /// Whether messages are persistent.
    pub keeps_messages: bool,
}

impl Queue {
    fn arguments(&self) -> FieldTable {
        let mut arguments = FieldTable::default();
        if self.is_quorum {
            arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        }
        if let Some(limit) = self.delivery_limit {
            arguments.insert("x-delivery-limit".into(), AMQPValue::LongUInt(limit));
        }
        arguments
    }
}

/// How clients reach the broker.
pub struct Reach {
    address: Address,
    queue: Queue,
    answer: Duration,
    attempts: Arc<AtomicU64>,
}

impl Reach {
    /// Clients of the broker at this address. They wait for answers as long as `answer` says.
    pub fn new(address: Address, queue: Queue, answer: Duration) -> Reach {
        Reach { address, queue, answer, attempts: Arc::default() }
    }

    fn connect(&self) -> Result<Connection, Broken> {
        let wire = Wire::new(self.answer)?;
        let connection = wire.call(lapin::Connection::connect(self.address.url(), ConnectionProperties::default()))?;
        let channel = wire.call(connection.create_channel())?;
        Ok(Connection { channel, queue: self.queue.name.as_str().into(), _connection: connection, wire })
    }

    /// The number of messages that are ready. None: there is no queue.
    fn ready(&self, connection: &Connection) -> Result<Option<u64>, Broken> {
        let passive = QueueDeclareOptions { passive: true, durable: true, ..QueueDeclareOptions::default() };
        let Connection { channel, queue, wire, .. } = connection;
        wire.call(async {
            match channel.queue_declare((**queue).into(), passive, FieldTable::default()).await {
                Ok(queue) => Ok(Some(u64::from(queue.message_count()))),
                Err(error) if is_unknown_queue(&error) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }
}

/// The version in the properties of the server, once all of it was said: a field of a table, a text with its length.
fn version(said: &[u8]) -> Option<String> {
    let field = b"\x07versionS";
    let at = said.windows(field.len()).position(|it| it == field)? + field.len();
    let size = u32::from_be_bytes(*said.get(at..)?.first_chunk()?) as usize;
    Some(String::from_utf8_lossy(said.get(at + 4..at + 4 + size)?).into_owned())
}

/// Whether the broker says that there is no such queue. That a queue is there and cannot be used has the same code.
fn is_unknown_queue(error: &Error) -> bool {
    soft(error) == Some(&AMQPSoftError::NOTFOUND) && error.to_string().contains("no queue")
}

/// The broker's reason for closing the channel.
fn soft(error: &Error) -> Option<&AMQPSoftError> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => match error.kind() {
            AMQPErrorKind::Soft(soft) => Some(soft),
            AMQPErrorKind::Hard(_) => None,
        },
        _ => None,
    }
}

/// One connection. Dropping it closes the socket without an AMQP `close`.
struct Connection {
    channel: Channel,
    /// The name of the queue.
    queue: Arc<str>,
    _connection: lapin::Connection,
    // Last, so that it ends after what uses it.
    wire: Wire,
}

impl Connection {
    /// Takes the next message. The reply comes from the queue, after it has handled what came before on this connection.
    fn take(&self) -> Result<Option<BasicGetMessage>, Broken> {
        self.wire.call(self.channel.basic_get((*self.queue).into(), BasicGetOptions::default()))
    }
}

impl Client for Reach {
    fn version(&self) -> Result<Option<String>, Broken> {
        self.connect()?;
        // The library does not expose the server's properties, so a second connection reads them.
        let mut stream = self.address.connect(self.answer).map_err(Broken::by)?;
        stream.write_all(b"AMQP\0\0\x09\x01").map_err(Broken::by)?;
        let (mut said, deadline) = (Vec::new(), Deadline::after(self.answer));
        while fill::<4096>(&mut stream, &mut said, deadline)? {
            if let Some(version) = version(&said) {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }

    fn remove(&self) -> Result<(), Broken> {
        let Connection { channel, queue, wire, .. } = &self.connect()?;
        // To delete what is not there is no error.
        wire.call(channel.queue_delete((**queue).into(), QueueDeleteOptions::default())).map(drop)
    }

    fn declare(&self) -> Result<(), Broken> {
        if self.has_queue()? {
            return Ok(());
        }
        let connection = self.connect()?;
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        connection.wire.call(connection.channel.queue_declare(
            self.queue.name.as_str().into(),
            durable,
            self.queue.arguments(),
        ))?;
        // A quorum queue answers once it has a leader.
        connection.take().map(drop)
    }

    fn has_queue(&self) -> Result<bool, Broken> {
        Ok(self.ready(&self.connect()?)?.is_some())
    }

    fn waiting(&self) -> Result<u64, Broken> {
        let connection = self.connect()?;
        let ready = self.ready(&connection)?.unwrap_or(0);
        if ready > 0 || !self.queue.is_quorum {
            return Ok(ready);
        }
        // A quorum queue without a leader says 0, too. Only a leader answers this.
        Ok(connection.take()?.map_or(0, |taken| u64::from(taken.message_count) + 1))
    }

    fn publisher(&self) -> Result<Box<dyn Publisher>, Broken> {
        let connection = self.connect()?;
        connection.wire.call(connection.channel.confirm_select(ConfirmSelectOptions::default()))?;
        let delivery_mode = if self.queue.keeps_messages { PERSISTENT } else { TRANSIENT };
        Ok(Box::new(Producing { connection, delivery_mode, attempts: Arc::clone(&self.attempts) }))
    }

    fn receiver(&self) -> Result<Box<dyn Receiver>, Broken> {
        Ok(Box::new(Consuming { connection: self.connect()?, taken: None, at_work: None }))
    }
}

struct Producing {
    connection: Connection,
    delivery_mode: u8,
    attempts: Arc<AtomicU64>,
}

impl Publisher for Producing {
    fn publish(&mut self, message: u64) -> Published {
        let attempt = self.attempts.fetch_add(1, Ordering::SeqCst) + 1;
        let properties = BasicProperties::default()
            .with_delivery_mode(self.delivery_mode)
            .with_message_id(attempt.to_string().as_str().into());
        // What no queue takes comes back.
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let body = body(message);
        let Connection { channel, queue, wire, .. } = &self.connection;
        let confirmed = wire.call(async {
            channel.basic_publish("".into(), (**queue).into(), options, body.as_bytes(), properties).await?.await
        });
        match confirmed {
            Ok(Confirmation::Ack(None)) => Published::Acked(Some(attempt)),
            Ok(Confirmation::Ack(Some(returned))) => {
                Published::Refused(format!("it was returned: {} {}", returned.reply_code, returned.reply_text))
            }
            // A nack does not say that nothing was stored.
            Ok(other) => Published::Unknown(format!("{other:?}")),
            Err(Broken(why)) => Published::Unknown(why),
        }
    }
}

struct Consuming {
    connection: Connection,
    /// The next message, where the confirmation of the last settle brought it.
    taken: Option<BasicGetMessage>,
    /// The delivery tag of the message at work.
    at_work: Option<u64>,
}

impl Receiver for Consuming {
    fn receive(&mut self, wait: Duration) -> Result<Option<Delivery>, Broken> {
        let end = Deadline::after(wait);
        loop {
            let taken = match self.taken.take() {
                Some(taken) => Some(taken),
                None => self.connection.take()?,
            };
            if let Some(taken) = taken {
                self.at_work = Some(taken.delivery_tag);
                let attempt = taken.properties.message_id().as_ref().and_then(|id| id.as_str().parse().ok());
                let message = message(&taken.data)?;
                return Ok(Some(Delivery { message, position: attempt, marked: taken.redelivered }));
            }
            if end.has_passed() {
                return Ok(None);
            }
            // An empty queue answers at once; nobody tells when it is empty no longer.
            pass(GLANCE.min(end.left()) / 10, &AtomicBool::new(false));
        }
    }

    fn settle(&mut self) -> Settled {
        let Some(tag) = self.at_work.take() else { return Settled::Refused("nothing is at work".to_owned()) };
        let Connection { channel, queue, wire, .. } = &self.connection;
        let settled = wire.call(async {
            channel.basic_ack(tag, BasicAckOptions::default()).await?;
            match channel.basic_get((**queue).into(), BasicGetOptions::default()).await {
                Ok(taken) => Ok(Ok(taken)),
                // The channel does not know the delivery.
                Err(error) if soft(&error) == Some(&AMQPSoftError::PRECONDITIONFAILED) => Ok(Err(error.to_string())),
                Err(error) => Err(error),
            }
        });
        match settled {
            Ok(Ok(taken)) => {
                self.taken = taken;
                Settled::Confirmed
            }
            Ok(Err(why)) => Settled::Refused(why),
            Err(Broken(why)) => Settled::Unknown(why),
        }
    }
}
