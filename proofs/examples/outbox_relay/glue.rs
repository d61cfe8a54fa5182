//! What it takes to put the outbox through the suite.

// glue: begins
use std::collections::VecDeque;
use std::time::Duration;

use delivery_model::vocab::Outcome;
use delivery_proofs::party::{FromProducer, Party, Publish, Reply, ToProducer};

use super::outbox::{Bug, OutboxTable, Relay};

pub struct OrderService {
    relay: Relay,
    outputs: VecDeque<FromProducer>,
}

pub fn open(table: OutboxTable, bug: Bug) -> OrderService {
    OrderService { relay: Relay::new(table, Duration::from_millis(500), bug), outputs: VecDeque::new() }
}

impl Party for OrderService {
    type Input = ToProducer;
    type Output = FromProducer;
    type Disk = OutboxTable; // every transaction is committed

    fn handle_input(&mut self, now: Duration, input: ToProducer) {
        match input {
            ToProducer::Submit(message) => {
                self.relay.table().insert(message.id, message.payload).expect("ids are new");
                self.handle_timeout(now);
            }
            ToProducer::Reply(Reply::Acked { message, attempt, .. }) => {
                if self.relay.table().mark_sent(message) {
                    self.outputs.push_back(FromProducer::Outcome { message, attempt, outcome: Outcome::Acked });
                }
            }
            ToProducer::Reply(Reply::Refused { message, attempt }) => {
                self.outputs.push_back(FromProducer::Outcome { message, attempt, outcome: Outcome::Refused });
            }
        }
    }

    fn handle_timeout(&mut self, now: Duration) {
        for (id, row) in self.relay.poll(now) {
            self.outputs.push_back(FromProducer::Publish(Publish::new(id, row.event, row.published)));
        }
    }

    fn poll_output(&mut self) -> Option<FromProducer> {
        self.outputs.pop_front()
    }
    fn poll_timeout(&self) -> Option<Duration> {
        self.relay.next_poll()
    }
    fn crash(self) -> OutboxTable {
        self.relay.into_table()
    }
}
// glue: ends
