//! What it takes to put the queue through the suite.

// glue: begins
use std::collections::VecDeque;
use std::time::Duration;

use delivery_model::vocab::SettleOutcome;
use delivery_proofs::party::{Delivery, FromBroker, Party, Reply, ToBroker};

use super::queue::{Bug, Receipt, VisibilityQueue};

pub const VISIBILITY: Duration = Duration::from_secs(20);

pub struct Queue {
    queue: VisibilityQueue,
    now: Duration,
    outputs: VecDeque<FromBroker>,
}

pub fn open(bug: Bug) -> Queue {
    Queue { queue: VisibilityQueue::new(VISIBILITY, bug), now: Duration::ZERO, outputs: VecDeque::new() }
}

impl Party for Queue {
    type Input = ToBroker;
    type Output = FromBroker;
    type Disk = (); // it is in memory: nothing survives

    fn handle_input(&mut self, now: Duration, input: ToBroker) {
        self.now = now;
        let output = match input {
            ToBroker::Publish { publish, .. } => {
                let position = Some(self.queue.send(now, publish.message, publish.payload));
                Some(FromBroker::Reply(Reply::Acked { message: publish.message, attempt: publish.attempt, position }))
            }
            ToBroker::Receive { consumer } => self.queue.receive(now).map(|got| {
                let tag = format!("{}-{}", got.receipt.sequence, got.receipt.receive);
                let (position, number) = (Some(got.receipt.sequence), Some(got.receive_count));
                let delivery = Delivery { position, number, ..Delivery::new(tag, got.order_id, got.body) };
                FromBroker::Deliver { consumer, delivery }
            }),
            ToBroker::Settle { consumer, settle } => {
                let (sequence, receive) = settle.tag.split_once('-').expect("a receipt of ours");
                let receipt = Receipt { sequence: sequence.parse().unwrap(), receive: receive.parse().unwrap() };
                let deleted = self.queue.delete(receipt);
                let outcome = deleted.map_or(SettleOutcome::Refused, |()| SettleOutcome::Ok);
                Some(FromBroker::Settled { consumer, tag: settle.tag, outcome })
            }
            _ => None, // it has no connections to lose, and what was not deleted comes again
        };
        self.outputs.extend(output);
    }

    fn poll_output(&mut self) -> Option<FromBroker> {
        self.outputs.pop_front()
    }
    fn handle_timeout(&mut self, now: Duration) {
        self.now = now
    }
    fn poll_timeout(&self) -> Option<Duration> {
        self.queue.next_visible(self.now)
    }
    fn crash(self) {}
}
// glue: ends
