//! Which steps are possible, read from what cores and wires hold.

use delivery_impls::core::consumer::Task;
use delivery_impls::core::deliveries::Next;
use delivery_impls::core::delivery::DeliveryId;
use delivery_impls::data::record::{Publish, Submission};
use delivery_model::vocab::{DeliveryRef, MessageId, Move, Step};

use super::{Whereabouts, World, submission};

impl World {
    pub(super) fn offer(&self, found: &mut Vec<Step>) {
        self.offer_producer(found);
        self.offer_broker(found);
        for &id in self.hand_offs.keys() {
            found.push(Step::Move(Move::Deliver { hand: self.hand(id) }));
        }
        for consumer in &self.consumers {
            let ready: Vec<(DeliveryId, Task)> = consumer.ready().collect();
            let is_offered = |it: &(DeliveryId, Task)| it.1 == Task::AwaitSettled || ready.contains(it);
            found.extend(consumer.hands().filter(is_offered).map(|(id, task)| {
                let hand = self.hand(id);
                Step::Move(match task {
                    Task::Handle => Move::Handle { hand },
                    Task::Remember => Move::Remember { hand },
                    Task::Settle => Move::Settle { hand },
                    Task::AwaitSettled => Move::RecordSettle { hand },
                })
            }));
        }
    }

    fn offer_producer(&self, found: &mut Vec<Step>) {
        if self.submitted < self.constants.messages {
            found.push(Step::Move(Move::Submit { message: self.next_submission() }));
        }
        found.extend(self.producer.next_attempt().map(|(message, _)| Step::Move(Move::Attempt { message })));
        found.extend(self.replies.keys().map(|&message| Step::Move(Move::TakeReply { message })));
        let waiting = self.producer.outbox().waiting_for_reply().map(|(message, _)| message);
        found.extend(
            waiting
                .filter(|message| self.nothing_is_left_of(*message))
                .map(|message| Step::Move(Move::TimeOut { message })),
        );
    }

    fn offer_broker(&self, found: &mut Vec<Step>) {
        match self.broker.received() {
            Some(received) => found.push(Step::Move(Move::Append { message: received.publish.record.message })),
            None => {
                found.extend(
                    self.publishes.front().map(|publish| Step::Move(Move::Receive { message: message(publish) })),
                );
                found.extend(self.late_messages().map(|message| Step::Move(Move::ReceiveLate { message })));
            }
        }
        if self.broker.needs_sync() {
            found.push(Step::Move(Move::Sync));
        }
        found.extend(self.broker.due().map(|Submission { message, .. }| Step::Move(Move::Ack { message })));
        found.extend(self.broker.next().map(|(_, next)| match next {
            Next::HandOff(position) => Step::Move(Move::HandOff { position }),
            Next::DeadLetter(position) => Step::Move(Move::DeadLetter { position }),
        }));
    }

    /// Whether a move is possible, and what is missing if it is not.
    pub(super) fn check_move(&self, it: Move) -> Result<(), &'static str> {
        use Move::*;
        let require = |is_met: bool, why| if is_met { Ok(()) } else { Err(why) };
        match it {
            Submit { message } => require(
                self.submitted < self.constants.messages && message == self.next_submission(),
                "messages are submitted in order",
            ),
            Attempt { message } => require(
                self.producer.next_attempt().is_some_and(|(next, _)| next == message),
                "the producer attempts another message next, or none",
            ),
            Receive { message } => {
                let is_oldest = self.publishes.front().is_some_and(|publish| self::message(publish) == message);
                require(
                    is_oldest && self.broker.received().is_none(),
                    "it is not the oldest attempt, or the slot is full",
                )
            }
            ReceiveLate { message } => {
                let is_late = self.late_messages().any(|late| late == message);
                require(is_late && self.broker.received().is_none(), "there is no such straggler, or the slot is full")
            }
            Append { message } => require(self.slot_holds(message, |_| true), "the broker has not received it"),
            Sync => require(self.broker.needs_sync(), "everything is durable"),
            Ack { message } => {
                require(self.broker.due().any(|due| due == submission(message)), "no confirmation is due")
            }
            TakeReply { message } => require(self.replies.contains_key(&message), "no reply is on its way"),
            TimeOut { message } => require(
                self.awaits_reply(message) && self.nothing_is_left_of(message),
                "no reply is awaited, or something of the attempt is left",
            ),
            HandOff { position } => require(
                self.broker.next().is_some_and(|(_, next)| next == Next::HandOff(position)),
                "the broker hands off another position next, or none",
            ),
            DeadLetter { position } => require(
                self.broker.next().is_some_and(|(_, next)| next == Next::DeadLetter(position)),
                "its hand-offs are not used up, or another position comes first",
            ),
            Deliver { hand } => require(self.is_at(hand, |place| place == Whereabouts::OnWire), "it is not on its way"),
            Handle { hand } => require(self.is_ready(hand, Task::Handle), "it is not to be handled"),
            Remember { hand } => require(self.is_ready(hand, Task::Remember), "it is not to be remembered"),
            Settle { hand } => require(self.is_ready(hand, Task::Settle), "it is not to be settled"),
            RecordSettle { hand } => require(self.waits_for(hand, Task::AwaitSettled), "no settle is on its way"),
        }
    }

    pub(super) fn next_submission(&self) -> MessageId {
        MessageId(self.submitted + 1)
    }

    /// The messages of the stragglers, each once, oldest first.
    fn late_messages(&self) -> impl Iterator<Item = MessageId> + '_ {
        let is_first = |place: &usize| {
            !self.stragglers[..*place].iter().any(|it| message(it) == message(&self.stragglers[*place]))
        };
        (0..self.stragglers.len()).filter(is_first).map(|place| message(&self.stragglers[place]))
    }

    pub(super) fn awaits_reply(&self, message: MessageId) -> bool {
        self.producer.outbox().waiting_for_reply().any(|(waiting, _)| waiting == message)
    }

    /// Nothing of the attempt that the producer waits for can bring a reply any more.
    fn nothing_is_left_of(&self, message: MessageId) -> bool {
        !self.replies.contains_key(&message)
            && !self.broker.owes(submission(message))
            && !self.slot_holds(message, |somebody_waits| somebody_waits)
            && !self.publishes.iter().any(|publish| self::message(publish) == message)
    }

    pub(super) fn slot_holds(&self, message: MessageId, somebody_waits: impl FnOnce(bool) -> bool) -> bool {
        let received = self.broker.received();
        received.is_some_and(|it| self::message(&it.publish) == message && somebody_waits(!it.waiting.is_empty()))
    }

    pub(super) fn is_at(&self, hand: DeliveryRef, at: impl FnOnce(Whereabouts) -> bool) -> bool {
        self.find(hand).is_some_and(|(_, place)| at(place))
    }

    /// A worker of its consumer could do this with it.
    fn is_ready(&self, hand: DeliveryRef, expected: Task) -> bool {
        let Some((id, Whereabouts::With(consumer, _))) = self.find(hand) else {
            return false;
        };
        self.consumers[usize::from(consumer.0)].ready().any(|ready| ready == (id, expected))
    }

    pub(super) fn waits_for(&self, hand: DeliveryRef, expected: Task) -> bool {
        self.is_at(hand, |place| matches!(place, Whereabouts::With(_, task) if task == expected))
    }
}

pub(super) fn message(publish: &Publish) -> MessageId {
    publish.record.message
}
