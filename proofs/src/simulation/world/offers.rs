//! Which steps are possible, read from what cores and wires hold.

use delivery_impls::core::consumer::{Consumer, Task};
use delivery_impls::core::deliveries::Next;
use delivery_impls::core::delivery::DeliveryId;
use delivery_impls::core::steps::ConsumerSteps;
use delivery_impls::data::record::{Publish, Reply, Submission, Verdict};
use delivery_model::pipeline::{Identity, OnRefusal};
use delivery_model::vocab::{DeliveryRef, MessageId, Move};

use super::{Parts, Whereabouts, World, submission};

impl World {
    /// Every move of this part that is possible now. Each kind has one query, which [`check_move`](World::check_move) asks too.
    pub(super) fn offer(&self, part: Parts, offer: &mut impl FnMut(Move)) {
        match part {
            Parts::PRODUCING => self.offer_producing(offer),
            Parts::PUBLISHING => self.offer_publishing(offer),
            Parts::HANDING_OFF => self.to_hand_off().into_iter().for_each(offer),
            Parts::CONSUMING => self.offer_consuming(offer),
            parts => unreachable!("{parts:?} is one part"),
        }
    }

    fn offer_producing(&self, offer: &mut impl FnMut(Move)) {
        // Plain loops: this is asked before most steps.
        if let Some(message) = self.to_submit() {
            offer(Move::Submit { message });
        }
        if let Some(message) = self.to_submit_late() {
            offer(Move::Submit { message });
        }
        if let Some(message) = self.to_attempt() {
            offer(Move::Attempt { message });
        }
        if !self.replies.is_empty() {
            self.to_take_reply().for_each(|message| offer(Move::TakeReply { message }));
        }
        if self.producer.outbox().in_flight() > 0 {
            self.to_time_out().for_each(|message| offer(Move::TimeOut { message }));
        }
    }

    fn offer_publishing(&self, offer: &mut impl FnMut(Move)) {
        if let Some(message) = self.to_append() {
            offer(Move::Append { message });
        }
        if let Some(message) = self.to_receive() {
            offer(Move::Receive { message });
        }
        if !self.stragglers.is_empty() {
            self.to_receive_late().for_each(|message| offer(Move::ReceiveLate { message }));
        }
        if self.log_needs_sync() {
            offer(Move::Sync);
        }
        if self.settles_need_sync() {
            offer(Move::SyncSettles);
        }
        if self.broker.owes_any() {
            self.broker.due().for_each(|Submission { message, .. }| offer(Move::Ack { message }));
        }
    }

    fn offer_consuming(&self, offer: &mut impl FnMut(Move)) {
        for id in self.hand_offs.keys().filter(|id| self.can_join(*id)) {
            offer(Move::Deliver { hand: self.hand(id) });
        }
        for consumer in self.consumers.iter().filter(|consumer| !consumer.is_idle()) {
            to_do(consumer).for_each(|(id, task)| offer(on_hand(self.hand(id), task)));
        }
    }

    /// Whether a move is possible, and what is missing if it is not.
    pub(super) fn check_move(&self, it: Move) -> Result<(), &'static str> {
        use Move::*;
        let (is_possible, why) = match it {
            Submit { message } => {
                ([self.to_submit(), self.to_submit_late()].contains(&Some(message)), "messages are submitted in order")
            }
            Attempt { message } => {
                (self.to_attempt() == Some(message), "the producer attempts another message next, or none")
            }
            Receive { message } => {
                (self.to_receive() == Some(message), "it is not the oldest attempt, or the slot is full")
            }
            ReceiveLate { message } => {
                (self.to_receive_late().any(|late| late == message), "there is no such straggler, or the slot is full")
            }
            Append { message } => (self.to_append() == Some(message), "the broker has not received it"),
            Sync => (self.log_needs_sync(), "every record is durable"),
            SyncSettles => (self.settles_need_sync(), "every settle is durable"),
            Ack { message } => (self.broker.due().any(|due| due == submission(message)), "no confirmation is due"),
            TakeReply { message } => (
                self.to_take_reply().any(|it| it == message),
                "no reply is on its way, or it makes the producer register, and the broker is deciding",
            ),
            TimeOut { message } => (
                self.to_time_out().any(|silent| silent == message),
                "no reply is awaited, or something of the attempt is left",
            ),
            HandOff { .. } => (self.to_hand_off() == Some(it), "the broker hands off another position next, or none"),
            DeadLetter { .. } => {
                (self.to_hand_off() == Some(it), "its hand-offs are not used up, or another position comes first")
            }
            Deliver { hand } => {
                let found = self.find(hand);
                let can_join = found.is_some_and(|(id, place)| place == Whereabouts::OnWire && self.can_join(id));
                (can_join, "it is not on its way, or its consumer is at work on a batch")
            }
            Handle { hand } => (self.is_to_do(hand, Task::Handle), "it is not to be handled"),
            Remember { hand } => (self.is_to_do(hand, Task::Remember), "it is not to be remembered"),
            Settle { hand } => (self.is_to_do(hand, Task::Settle), "it is not to be settled"),
            RecordSettle { hand } => (self.is_to_do(hand, Task::AwaitSettled), "no settle is on its way"),
        };
        if is_possible { Ok(()) } else { Err(why) }
    }

    /// The message that the application submits next.
    pub(super) fn to_submit(&self) -> Option<MessageId> {
        (self.submitted < self.messages).then_some(MessageId(self.submitted + 1))
    }

    /// The message whose row was delayed, once the row after it is visible.
    fn to_submit_late(&self) -> Option<MessageId> {
        self.delayed.filter(|delayed| self.submitted > delayed.0)
    }

    /// The messages that the producer can hear of. After a refusal it may register a new epoch: the broker serves requests
    /// in their order, and has then answered what it received.
    fn to_take_reply(&self) -> impl Iterator<Item = MessageId> + '_ {
        let producer = &self.constants.pipeline.producer;
        let renews = producer.on_refusal == OnRefusal::NewEpoch && producer.identity != Identity::None;
        let waits = renews && self.broker.received().is_some_and(|received| !received.waiting.is_empty());
        let may_take = move |reply: &Reply| !(waits && reply.verdict == Verdict::Refused);
        self.replies.iter().filter(move |(_, reply)| may_take(reply)).map(|(message, _)| message)
    }

    fn log_needs_sync(&self) -> bool {
        self.broker.log().synced() < self.broker.log().end()
    }

    fn settles_need_sync(&self) -> bool {
        self.broker.deliveries().has_unsynced()
    }

    fn to_attempt(&self) -> Option<MessageId> {
        self.producer.next_attempt().map(|(message, _)| message)
    }

    /// The messages that the producer waits for although nothing is left that could bring a reply.
    fn to_time_out(&self) -> impl Iterator<Item = MessageId> + '_ {
        let waiting = self.producer.outbox().waiting_for_reply().map(|(message, _)| message);
        waiting.filter(|message| self.nothing_is_left_of(*message))
    }

    /// The message in the broker's slot.
    fn to_append(&self) -> Option<MessageId> {
        self.broker.received().map(|received| message(&received.publish))
    }

    fn to_receive(&self) -> Option<MessageId> {
        self.publishes.front().filter(|_| self.broker.received().is_none()).map(message)
    }

    /// The messages of the stragglers, each once, oldest first.
    fn to_receive_late(&self) -> impl Iterator<Item = MessageId> + '_ {
        let is_first = |place: &usize| {
            !self.stragglers[..*place].iter().any(|it| message(it) == message(&self.stragglers[*place]))
        };
        let late = if self.broker.received().is_none() { self.stragglers.len() } else { 0 };
        (0..late).filter(is_first).map(|place| message(&self.stragglers[place]))
    }

    /// What the broker does next to a position, where it has one to hand off or to set aside.
    fn to_hand_off(&self) -> Option<Move> {
        self.broker.next().map(|(_, next)| match next {
            Next::HandOff(position) => Move::HandOff { position },
            Next::DeadLetter(position) => Move::DeadLetter { position },
        })
    }

    /// Its consumer would receive it now.
    fn can_join(&self, id: DeliveryId) -> bool {
        self.hand_offs.get(&id).is_some_and(|hand_off| self.consumers[usize::from(hand_off.consumer.0)].can_join())
    }

    /// This is what comes next for a hand-off, and its consumer can do it now.
    pub(super) fn is_to_do(&self, hand: DeliveryRef, expected: Task) -> bool {
        let Some((id, Whereabouts::With(consumer, _))) = self.find(hand) else {
            return false;
        };
        to_do(&self.consumers[usize::from(consumer.0)]).any(|it| it == (id, expected))
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
}

/// What a consumer can do now, and to which hand-off, by position. A settle is recorded as it arrives; all else waits for
/// a worker.
fn to_do<S: ConsumerSteps>(consumer: &Consumer<S>) -> impl Iterator<Item = (DeliveryId, Task)> + '_ {
    let mut ready = consumer.ready().peekable();
    // The settle of a batch is one, and is recorded as one.
    let mut settling = if consumer.is_batching() { 1 } else { usize::MAX };
    let mut is_next_settle = move || settling.checked_sub(1).map(|left| settling = left).is_some();
    let one_by_one = consumer.hands().filter(move |it| match it.1 {
        Task::AwaitSettled => is_next_settle(),
        _ => ready.next_if_eq(it).is_some(),
    });
    one_by_one.chain(consumer.in_background())
}

fn on_hand(hand: DeliveryRef, task: Task) -> Move {
    match task {
        Task::Handle => Move::Handle { hand },
        Task::Remember => Move::Remember { hand },
        Task::Settle => Move::Settle { hand },
        Task::AwaitSettled => Move::RecordSettle { hand },
    }
}

pub(super) fn message(publish: &Publish) -> MessageId {
    publish.record.message
}
