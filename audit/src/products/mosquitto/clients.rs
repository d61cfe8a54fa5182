//! The clients: a producer and a consumer with a session each.
//!
//! MQTT tells a client whether its session exists only when it connects, which gives it that session. So whoever asks
//! leaves the connection to the consumer, and asking neither loses nor repeats a delivery.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mqttbytes::QoS;
use mqttbytes::v4::{Packet, PubAck, PubComp, PubRec, PubRel, Publish, Subscribe, SubscribeReasonCode};

use super::connection::{Connection, Session};
use crate::address::Address;
use crate::product::{Broken, Client, Delivery, Published, Publisher, Receiver, Settled, body, message};

/// The retained message in which Mosquitto and others tell their version.
const VERSION: &str = "$SYS/broker/version";

/// How both clients reach the broker, and what outlives their connections.
struct Sessions {
    address: Address,
    /// Each attempt has a topic below this one: MQTT gives no positions, and two attempts at one message are two records.
    topic: String,
    producer: String,
    consumer: String,
    /// The client that asks for what no session is needed for.
    asker: String,
    qos: QoS,
    answer: Duration,
    attempts: AtomicU64,
    state: Mutex<State>,
}

/// What outlives the clients' connections.
#[derive(Default)]
struct State {
    /// The consumer's next connection, if it is made already.
    consumer: Option<Connection>,
    /// What the producer has not finished at QoS 2. MQTT has a client store that; a crash of the producer leaves it.
    unfinished: Option<Unfinished>,
}

#[derive(Clone, Copy)]
struct Unfinished {
    message: u64,
    attempt: u64,
    /// Whether its PUBREC came.
    received: bool,
}

impl Sessions {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, id: &str, session: Session) -> Result<(Connection, bool), Broken> {
        Connection::open(&self.address, id, session, self.answer)
    }

    /// A connection with the consumer's session and all that the broker has sent on it; none where there is no session.
    fn consumer(&self) -> Result<Option<Connection>, Broken> {
        let kept = self.state().consumer.take();
        if let Some(mut connection) = kept
            && connection.ping().is_ok()
        {
            return Ok(Some(connection));
        }
        let (mut connection, existed) = self.open(&self.consumer, Session::Kept)?;
        if !existed {
            // Asking has made a session, without a subscription.
            self.open(&self.consumer, Session::Clean)?;
            return Ok(None);
        }
        connection.ping()?;
        Ok(Some(connection))
    }
}

/// How clients reach the broker.
pub struct Reach(Arc<Sessions>);

impl Reach {
    /// Clients of the broker at this address. They wait for answers as long as `answer` says.
    pub fn new(address: Address, queue: &str, qos: QoS, answer: Duration) -> Reach {
        let [producer, consumer, asker] = ["producer", "consumer", "asker"].map(|party| format!("{queue}_{party}"));
        let (attempts, state) = (AtomicU64::new(0), Mutex::new(State::default()));
        let topic = format!("{queue}/");
        Reach(Arc::new(Sessions { address, topic, producer, consumer, asker, qos, answer, attempts, state }))
    }
}

impl Client for Reach {
    fn answers(&self) -> Result<(), Broken> {
        self.0.open(&self.0.asker, Session::Clean).map(drop)
    }

    fn version(&self) -> Result<Option<String>, Broken> {
        let (mut connection, _) = self.0.open(&self.0.asker, Session::Clean)?;
        let mut subscribe = Subscribe::new(VERSION, QoS::AtMostOnce);
        subscribe.pkid = 1;
        connection.send(|buffer| subscribe.write(buffer))?;
        let told = connection.await_packet(|packet| match packet {
            Packet::Publish(publish) => Some(String::from_utf8_lossy(&publish.payload).into_owned()),
            _ => None,
        });
        // Silence: the broker does not tell.
        Ok(told.ok().map(|told| told.trim_start_matches("mosquitto version ").to_owned()))
    }

    fn remove(&self) -> Result<(), Broken> {
        self.0.state().consumer = None;
        self.0.open(&self.0.consumer, Session::Clean)?;
        self.0.open(&self.0.producer, Session::Clean).map(drop)
    }

    fn declare(&self) -> Result<(), Broken> {
        let mut connection = match self.0.consumer()? {
            Some(connection) => connection,
            None => self.0.open(&self.0.consumer, Session::Kept)?.0,
        };
        let mut subscribe = Subscribe::new(format!("{}+", self.0.topic), self.0.qos);
        subscribe.pkid = 1;
        connection.send(|buffer| subscribe.write(buffer))?;
        let granted = connection.await_packet(|packet| match packet {
            Packet::SubAck(suback) => Some(suback.return_codes.clone()),
            _ => None,
        })?;
        if granted != [SubscribeReasonCode::Success(self.0.qos)] {
            return Err(Broken(format!("the broker grants {granted:?}")));
        }
        self.0.state().consumer = Some(connection);
        Ok(())
    }

    fn has_queue(&self) -> Result<bool, Broken> {
        let connection = self.0.consumer()?;
        let exists = connection.is_some();
        self.0.state().consumer = connection;
        Ok(exists)
    }

    /// At most as many as the broker sends without waiting for the consumer, 20 if it is not told otherwise.
    fn waiting(&self) -> Result<u64, Broken> {
        let connection = self.0.consumer()?;
        let waiting = connection.as_ref().map_or(0, Connection::arrived);
        self.0.state().consumer = connection;
        Ok(waiting)
    }

    fn publisher(&self) -> Result<Box<dyn Publisher>, Broken> {
        let (connection, existed) = self.0.open(&self.0.producer, Session::Kept)?;
        if !existed {
            // A broker without the session knows nothing of what is unfinished.
            self.0.state().unfinished = None;
        }
        Ok(Box::new(Producing { sessions: Arc::clone(&self.0), connection }))
    }

    fn receiver(&self) -> Result<Box<dyn Receiver>, Broken> {
        let connection = self.0.consumer()?.ok_or_else(|| Broken("the session is gone".to_owned()))?;
        Ok(Box::new(Consuming { connection, topic: self.0.topic.clone(), at_work: None }))
    }
}

struct Producing {
    sessions: Arc<Sessions>,
    connection: Connection,
}

impl Producing {
    fn attempt(&mut self, message: u64) -> Result<u64, Broken> {
        match self.sessions.qos {
            QoS::ExactlyOnce => self.exactly_once(message),
            _ => self.at_least_once(message),
        }
    }

    fn at_least_once(&mut self, message: u64) -> Result<u64, Broken> {
        let attempt = self.next_attempt();
        self.publish(message, attempt, false)?;
        let id = packet_id(message);
        self.connection.await_packet(|packet| (*packet == Packet::PubAck(PubAck::new(id))).then_some(attempt))
    }

    /// Goes on where the last connection ended.
    fn exactly_once(&mut self, message: u64) -> Result<u64, Broken> {
        let id = packet_id(message);
        let before = self.sessions.state().unfinished.filter(|it| it.message == message);
        let fresh = || Unfinished { message, attempt: self.next_attempt(), received: false };
        let mut at = before.unwrap_or_else(fresh);
        if !at.received {
            self.sessions.state().unfinished = Some(at);
            self.publish(message, at.attempt, before.is_some())?;
            self.connection.await_packet(|packet| (*packet == Packet::PubRec(PubRec::new(id))).then_some(()))?;
            at.received = true;
            self.sessions.state().unfinished = Some(at);
        }
        self.connection.send(|buffer| PubRel::new(id).write(buffer))?;
        self.connection.await_packet(|packet| (*packet == Packet::PubComp(PubComp::new(id))).then_some(()))?;
        self.sessions.state().unfinished = None;
        Ok(at.attempt)
    }

    fn next_attempt(&self) -> u64 {
        self.sessions.attempts.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn publish(&mut self, message: u64, attempt: u64, again: bool) -> Result<(), Broken> {
        let mut publish = Publish::new(format!("{}{attempt}", self.sessions.topic), self.sessions.qos, body(message));
        publish.pkid = packet_id(message);
        publish.dup = again;
        self.connection.send(|buffer| publish.write(buffer))
    }
}

impl Publisher for Producing {
    fn publish(&mut self, message: u64) -> Published {
        match self.attempt(message) {
            Ok(attempt) => Published::Acked(Some(attempt)),
            Err(Broken(why)) => Published::Unknown(why),
        }
    }
}

/// The packet id of a message, never 0. It is used by one message at a time.
fn packet_id(message: u64) -> u16 {
    u16::try_from(message % u64::from(u16::MAX)).expect("it is smaller") + 1
}

struct Consuming {
    connection: Connection,
    topic: String,
    at_work: Option<(u16, QoS)>,
}

impl Consuming {
    /// At QoS 1 nothing answers a PUBACK; that the broker has read it is known when it answers what is sent after it.
    fn settle(&mut self, id: u16, qos: QoS) -> Result<(), Broken> {
        if qos == QoS::ExactlyOnce {
            self.connection.send(|buffer| PubRec::new(id).write(buffer))?;
            self.connection.await_packet(|packet| (*packet == Packet::PubRel(PubRel::new(id))).then_some(()))?;
            // The broker has said that it will not send the message again, so the settle is confirmed; if the connection
            // is gone by now, the next packet tells.
            let _ = self.connection.send(|buffer| PubComp::new(id).write(buffer));
            return Ok(());
        }
        self.connection.send(|buffer| PubAck::new(id).write(buffer))?;
        self.connection.ping()
    }
}

impl Receiver for Consuming {
    fn receive(&mut self, wait: Duration) -> Result<Option<Delivery>, Broken> {
        while let Some(packet) = self.connection.next(wait)? {
            match packet {
                Packet::Publish(publish) => {
                    self.at_work = Some((publish.pkid, publish.qos));
                    let attempt = publish.topic.strip_prefix(&self.topic).and_then(|attempt| attempt.parse().ok());
                    let message = message(&publish.payload)?;
                    return Ok(Some(Delivery { message, position: attempt, marked: publish.dup }));
                }
                // It belongs to a delivery whose PUBREC an earlier connection sent.
                Packet::PubRel(pubrel) => self.connection.send(|buffer| PubComp::new(pubrel.pkid).write(buffer))?,
                _ => {}
            }
        }
        Ok(None)
    }

    fn settle(&mut self) -> Settled {
        let Some((id, qos)) = self.at_work.take() else { return Settled::Refused("nothing is at work".to_owned()) };
        match self.settle(id, qos) {
            Ok(()) => Settled::Confirmed,
            Err(Broken(why)) => Settled::Unknown(why),
        }
    }
}
