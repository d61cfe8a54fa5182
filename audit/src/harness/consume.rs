//! The consumer: takes one delivery at a time, makes its effect in its inbox unless it is made, and settles it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use delivery_model::history::Extra;
use delivery_model::vocab::{EventKind, GroupId, MessageId, PartitionId, Position, ProcessId, SettleOutcome};

use super::files::Inbox;
use super::world::{Halt, World};
use super::{Ended, attributes};
use crate::clock::Deadline;
use crate::plan::{Party, Patience};
use crate::product::{Client, Delivery, Receiver, Settled};

/// The longest wait for a delivery before the consumer checks whether the round is over.
const GLANCE: Duration = Duration::from_millis(100);

/// The consumer over all its incarnations.
pub struct Consumer<'a> {
    /// What the parties share.
    pub world: &'a World<'a>,
    /// How it reaches the broker.
    pub client: Arc<dyn Client>,
    /// The directory of its inbox.
    pub directory: &'a Path,
    /// Its name in the history.
    pub process: ProcessId,
    /// How long it waits.
    pub patience: Patience,
}

/// The deadlines that run while no delivery comes.
struct Quiet {
    idle: Deadline,
    rest: Deadline,
}

impl Consumer<'_> {
    /// Takes messages until nothing more can come. Returns whether that is so.
    pub fn run(&self) -> Result<bool, Ended> {
        let mut quiet = self.quiet();
        loop {
            match self.live(&mut quiet) {
                Err(Ended::By(Halt::Crash)) => {}
                Err(Ended::By(Halt::Over)) => return Ok(false),
                other => return other,
            }
        }
    }

    fn quiet(&self) -> Quiet {
        Quiet { idle: Deadline::after(self.patience.idle), rest: Deadline::after(self.patience.rest) }
    }

    /// One incarnation.
    fn live(&self, quiet: &mut Quiet) -> Result<bool, Ended> {
        let mut inbox = Inbox::open(self.directory)?;
        let mut connection: Option<Box<dyn Receiver>> = None;
        loop {
            self.world.wait_to_consume()?;
            // Asked after that wait, which can be longer than the deadlines, and before the one for a delivery: what is
            // published during that one begins a new one.
            let is_produced = self.world.is_produced();
            if !is_produced {
                *quiet = self.quiet();
            }
            let Some(receiver) = &mut connection else {
                if self.world.wait_until_healthy()? {
                    // Some brokers take longer to come up than the consumer waits for a delivery.
                    *quiet = self.quiet();
                }
                match self.client.receiver() {
                    Ok(receiver) => connection = Some(receiver),
                    Err(_) => self.world.wait_a_moment()?,
                }
                if quiet.rest.has_passed() {
                    return Ok(false);
                }
                continue;
            };
            match receiver.receive(GLANCE) {
                Ok(Some(delivery)) => {
                    *quiet = self.quiet();
                    if !self.handle(delivery, &mut inbox, &mut **receiver)? {
                        connection = None;
                    }
                }
                Ok(None) if is_produced && quiet.idle.has_passed() => match self.client.waiting() {
                    Ok(0) => return Ok(true),
                    _ if quiet.rest.has_passed() => return Ok(false),
                    Ok(_) => {}
                    Err(_) => self.world.wait_a_moment()?,
                },
                Ok(None) => {}
                Err(_) => connection = None,
            }
        }
    }

    /// Handles a delivery. Returns whether the connection is still of use.
    fn handle(&self, delivery: Delivery, inbox: &mut Inbox, receiver: &mut dyn Receiver) -> Result<bool, Ended> {
        let (message, group, partition) = (MessageId(delivery.message), GroupId(0), PartitionId(0));
        let position = delivery.position.map(Position);
        let deliver = EventKind::Deliver { message, group, partition, position, delivery: None, payload: None };
        let marked = if delivery.marked { attributes(super::MARKED, &true.into()) } else { Extra::default() };
        self.record(deliver, marked)?;
        if inbox.make(delivery.message)? {
            self.record(EventKind::effect(delivery.message), Extra::default())?;
        }
        let (outcome, why) = match receiver.settle() {
            Settled::Confirmed => (SettleOutcome::Ok, None),
            Settled::Refused(why) => (SettleOutcome::Refused, Some(why)),
            Settled::Unknown(why) => (SettleOutcome::Unknown, Some(why)),
        };
        let settle = EventKind::Settle { message, group, partition, position, delivery: None, outcome };
        self.record(settle, why.map_or_else(Extra::default, |why| attributes("reason", &why.into())))?;
        Ok(outcome != SettleOutcome::Unknown)
    }

    fn record(&self, kind: EventKind, extra: Extra) -> Result<(), Halt> {
        self.world.record(Party::Consumer, self.process, kind, extra)
    }
}
