//! The clients of the broker of this project.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::connection::{Answer, Connection, Lease, Verdict};
use crate::address::Address;
use crate::product::{Broken, Client, Delivery, Published, Publisher, QUEUE, Receiver, Settled, body, message};

/// How clients reach the broker.
pub struct Reach {
    address: Address,
    answer: Duration,
    numbered: bool,
    is_shared: bool,
    producer: Arc<Kept>,
    /// A producer that never publishes: what registers it is answered, so it tells that the broker is up.
    probe: u32,
}

impl Reach {
    /// Clients of the broker at this address, which wait this long for answers. `numbered`: messages are numbered, so that
    /// the broker recognises a retry. The broker has no names; the queue's gives the producer a number of its own.
    pub fn new(address: Address, queue: &str, answer: Duration, numbered: bool) -> Reach {
        let number = crc32c::crc32c(queue.as_bytes());
        let producer = Kept { number, epoch: AtomicU32::new(0), last: Mutex::default() };
        let is_shared = queue != QUEUE;
        Reach { address, answer, numbered, is_shared, producer: Arc::new(producer), probe: number.wrapping_add(1) }
    }

    fn connect(&self) -> Result<Connection, Broken> {
        Connection::open(&self.address, self.answer)
    }
}

/// What a producer keeps over its incarnations, beside its outbox: its number, the epoch of its last incarnation, and the
/// last attempt.
struct Kept {
    number: u32,
    epoch: AtomicU32,
    last: Mutex<(u64, u32)>,
}

impl Kept {
    /// The number of the next attempt at this message, counted from 1.
    fn attempt(&self, message: u64) -> u32 {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = if last.0 == message { (message, last.1 + 1) } else { (message, 1) };
        last.1
    }
}

impl Client for Reach {
    /// The protocol does not tell.
    fn version(&self) -> Result<Option<String>, Broken> {
        self.answers().map(|()| None)
    }

    /// The broker has one log and one group, always; on a server that the user started they must be free.
    fn declare(&self) -> Result<(), Broken> {
        match if self.is_shared { self.waiting()? } else { 0 } {
            0 => Ok(()),
            _ => Err(Broken("the broker has messages of others, and one queue only".to_owned())),
        }
    }

    fn has_queue(&self) -> Result<bool, Broken> {
        self.connect()?.register(self.probe, 1)?;
        Ok(true)
    }

    /// A log keeps its records; what is left of them is settled, so that nobody gets them.
    fn remove(&self) -> Result<(), Broken> {
        let mut receiver = self.receiver()?;
        while receiver.receive(self.answer)?.is_some() {
            if let Settled::Unknown(why) = receiver.settle() {
                return Err(Broken(why));
            }
        }
        Ok(())
    }

    /// Asks as another consumer, which ends the connection of the one before it. What that one was handed comes again, but
    /// not at once. One at most is handed off at a time.
    fn waiting(&self) -> Result<u64, Broken> {
        let mut connection = self.connect()?;
        connection.subscribe(1)?;
        let handed = connection.next(self.answer / 2)?;
        Ok(u64::from(matches!(handed, Some(Answer::HandOff { .. }))))
    }

    fn publisher(&self) -> Result<Box<dyn Publisher>, Broken> {
        let mut connection = self.connect()?;
        let epoch = self.producer.epoch.fetch_add(1, Ordering::SeqCst) + 1;
        connection.register(self.producer.number, epoch)?;
        Ok(Box::new(Producing { connection, epoch, numbered: self.numbered, kept: Arc::clone(&self.producer) }))
    }

    fn receiver(&self) -> Result<Box<dyn Receiver>, Broken> {
        let mut connection = self.connect()?;
        connection.subscribe(1)?;
        Ok(Box::new(Consuming { connection, at_work: None }))
    }
}

struct Producing {
    connection: Connection,
    epoch: u32,
    numbered: bool,
    kept: Arc<Kept>,
}

impl Producing {
    fn attempt(&mut self, message: u64) -> Result<Verdict, Broken> {
        let attempt = self.kept.attempt(message);
        let mut publish = [&[2][..], &attempt.to_le_bytes()].concat();
        publish.push(1);
        publish.extend(message.to_le_bytes());
        publish.extend(self.kept.number.to_le_bytes());
        publish.extend(self.epoch.to_le_bytes());
        if self.numbered {
            publish.push(2);
            publish.extend(self.kept.number.to_le_bytes());
            publish.extend(0_u32.to_le_bytes());
            // The messages of an audit count from 1, and sequence numbers from 0.
            publish.extend((message - 1).to_le_bytes());
        } else {
            publish.push(0);
        }
        publish.extend(body(message).as_bytes());
        self.connection.send(&publish)?;
        self.connection.await_answer(|answer| match *answer {
            Answer::Reply { message: of, attempt: to, verdict } => ((of, to) == (message, attempt)).then_some(verdict),
            _ => None,
        })
    }
}

impl Publisher for Producing {
    fn publish(&mut self, message: u64) -> Published {
        match self.attempt(message) {
            Ok(Verdict::Acked(position)) => Published::Acked(position),
            Ok(Verdict::Refused) => Published::Refused("the broker refuses the attempt".to_owned()),
            Err(Broken(why)) => Published::Unknown(why),
        }
    }
}

struct Consuming {
    connection: Connection,
    at_work: Option<Lease>,
}

impl Receiver for Consuming {
    fn receive(&mut self, wait: Duration) -> Result<Option<Delivery>, Broken> {
        while let Some(answer) = self.connection.next(wait)? {
            if let Answer::HandOff { lease, nth, payload } = answer {
                self.at_work = Some(lease);
                let message = message(&payload)?;
                return Ok(Some(Delivery { message, position: Some(lease.position), marked: nth > 1 }));
            }
        }
        self.connection.beat()?;
        Ok(None)
    }

    fn settle(&mut self) -> Settled {
        let Some(lease) = self.at_work.take() else { return Settled::Refused("nothing is at work".to_owned()) };
        let settled = self.connection.settle(lease).and_then(|()| {
            self.connection.await_answer(|answer| match *answer {
                Answer::Settled { lease: of, outcome } => (of == lease).then_some(outcome),
                _ => None,
            })
        });
        match settled {
            Ok(0) => Settled::Confirmed,
            Ok(1) => Settled::Refused("the lease has ended".to_owned()),
            Ok(_) => Settled::Unknown("the broker does not know".to_owned()),
            Err(Broken(why)) => Settled::Unknown(why),
        }
    }
}
