//! The producer: owes messages in its outbox, publishes them one at a time, and again until each is acked.

use std::path::Path;
use std::sync::Arc;

use delivery_model::history::Extra;
use delivery_model::vocab::{EventKind, MessageId, Outcome, PartitionId, Position, ProcessId};

use super::files::Outbox;
use super::world::{Halt, World};
use super::{Ended, attributes};
use crate::plan::Party;
use crate::product::{Client, Published, Publisher};

/// A message that is refused this often is given up, so that a broker that refuses everything ends the round.
const REFUSALS_MAX: u32 = 20;

/// The producer over all its incarnations.
pub struct Producer<'a> {
    /// What the parties share.
    pub world: &'a World<'a>,
    /// How it reaches the broker.
    pub client: Arc<dyn Client>,
    /// The directory of its outbox.
    pub directory: &'a Path,
    /// Its name in the history.
    pub process: ProcessId,
    /// The number of messages.
    pub messages: u64,
}

/// What an incarnation of the producer holds in memory.
struct Incarnation {
    outbox: Outbox,
    connection: Option<Box<dyn Publisher>>,
    refusals: u32,
}

impl Producer<'_> {
    /// Publishes all messages.
    pub fn run(&self) -> Result<(), Ended> {
        loop {
            match self.live() {
                Err(Ended::By(Halt::Crash)) => {}
                Err(Ended::By(Halt::Over)) => return Ok(()),
                other => {
                    self.world.produced();
                    return other;
                }
            }
        }
    }

    /// One incarnation.
    fn live(&self) -> Result<(), Ended> {
        let outbox = Outbox::open(self.directory)?;
        let mut me = Incarnation { outbox, connection: None, refusals: 0 };
        loop {
            let message = match me.outbox.owed() {
                Some(message) => message,
                None if me.outbox.submitted() == self.messages => return Ok(()),
                None => {
                    self.world.wait_to_produce()?;
                    let message = me.outbox.submit()?;
                    self.record(EventKind::submit(message), Extra::default())?;
                    message
                }
            };
            self.attempt(message, &mut me)?;
        }
    }

    fn attempt(&self, message: u64, me: &mut Incarnation) -> Result<(), Ended> {
        let Some(connection) = &mut me.connection else {
            self.world.wait_until_healthy()?;
            match self.client.publisher() {
                Ok(connection) => me.connection = Some(connection),
                Err(_) => self.world.wait_a_moment()?,
            }
            return Ok(());
        };
        self.record(EventKind::attempt(message), Extra::default())?;
        let (outcome, position, why) = match connection.publish(message) {
            Published::Acked(position) => (Outcome::Acked, position, None),
            Published::Refused(why) => (Outcome::Refused, None, Some(why)),
            Published::Unknown(why) => (Outcome::Unknown, None, Some(why)),
        };
        if outcome == Outcome::Unknown {
            me.connection = None;
        }
        let (message, partition, position) = (MessageId(message), PartitionId(0), position.map(Position));
        let kind = EventKind::Outcome { message, attempt: None, outcome, partition, position };
        self.record(kind, why.map_or_else(Extra::default, |why| attributes("reason", &why.into())))?;
        me.refusals = if outcome == Outcome::Refused { me.refusals + 1 } else { 0 };
        if outcome == Outcome::Refused {
            self.world.wait_a_moment()?;
        }
        if outcome == Outcome::Acked || me.refusals == REFUSALS_MAX {
            me.refusals = 0;
            me.outbox.done(message.0)?;
        }
        Ok(())
    }

    fn record(&self, kind: EventKind, extra: Extra) -> Result<(), Halt> {
        self.world.record(Party::Producer, self.process, kind, extra)
    }
}
