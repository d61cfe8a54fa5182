//! What each move does: an input reaches a party, or an output leaves it. Points are passed on the way.

use delivery_model::vocab::Outcome;

use super::*;

impl<P: Producer, B: Broker, C: Consumer> World<'_, P, B, C> {
    pub(super) fn take(&mut self, it: Move) {
        match it {
            Move::Submit => self.submit(),
            Move::PollProducer => self.poll_producer(),
            Move::PollBroker => self.poll_broker(),
            Move::PollConsumer(consumer) => drop(self.poll_consumer(consumer)),
            Move::TakePublish => {
                let publish = self.publishes.pop_front().expect("an attempt is on the wire");
                self.take_publish(publish, false);
            }
            Move::TakeLate(index) => {
                let publish = self.stragglers.remove(index);
                self.take_publish(publish, true);
            }
            Move::TakeReply(index) => self.take_reply(index),
            Move::Receive(consumer) => {
                self.asked[usize::from(consumer)] = true;
                self.broker.tell(self.now, ToBroker::Receive { consumer });
            }
            Move::GoOn => drop(self.go_on()),
            Move::TakeDelivery(index) => self.take_delivery(index),
            Move::TakeWord(index) => self.take_word(index),
            Move::TakeAnswer(index) => {
                let (consumer, tag, outcome) = self.answers.remove(index);
                self.tell_consumer(consumer, ToConsumer::Settled { tag, outcome });
            }
        }
    }

    fn submit(&mut self) {
        let id = self.submitted + 1;
        for index in self.plan.ahead(StepWord::Submit, id) {
            if self.plan.planned(index).fault == Fault::Poison && self.poison(MessageId(id)) {
                self.plan.fire(index);
            }
        }
        self.submitted = id;
        let payload = (self.opens.payload)(id);
        self.record.does(Lane::OrderService, format!("submits order {id}"));
        let bytes = self.record.payload(&payload);
        self.record.event(PRODUCER, EventKind::Submit { message: MessageId(id), payload: bytes });
        self.producer.tell(self.now, ToProducer::Submit(Message { id, payload }));
        self.pass(StepWord::Submit, &About { message: id, ..About::default() });
    }

    fn poll_producer(&mut self) {
        self.is_registered = true;
        let Some(output) = self.producer.party().poll_output() else {
            self.producer.is_stirred = false;
            return;
        };
        self.outputs += 1;
        match output {
            FromProducer::Connect { epoch } => self.tell_broker(ToBroker::ProducerConnected { epoch }),
            FromProducer::Publish(publish) => self.attempt(publish),
            FromProducer::Outcome { message, attempt, outcome } => self.learn(message, attempt, outcome),
        }
    }

    fn attempt(&mut self, publish: Publish) {
        let message = publish.message;
        self.record.sends(Lane::OrderService, Lane::Broker, format!("publish {message}"));
        let payload = self.record.payload(&publish.payload);
        let attempt = Some(AttemptNumber(publish.attempt));
        self.record.event(PRODUCER, EventKind::Attempt { message: MessageId(message), attempt, payload });
        if let Some((index, overtaken)) = self.held.take() {
            let message = overtaken.message;
            let text = format!("publish {message} fails, a later one goes on");
            self.record.fault(Fault::PublishReordered, Lane::OrderService, text);
            self.plan.fire(index);
        }
        self.publishes.push_back(publish);
        self.pass(StepWord::Attempt, &About { message, ..About::default() });
    }

    fn learn(&mut self, message: u64, attempt: u32, outcome: Outcome) {
        let text = match outcome {
            Outcome::Acked => format!("learns: acked {message}"),
            Outcome::Refused => format!("learns: refused {message}"),
            Outcome::Unknown => format!("hears nothing of {message}"),
        };
        self.record.does(Lane::OrderService, text);
        let (id, attempt) = (MessageId(message), Some(AttemptNumber(attempt)));
        let (partition, position) = (PartitionId::default(), None);
        self.record.event(PRODUCER, EventKind::Outcome { message: id, attempt, outcome, partition, position });
        if outcome == Outcome::Unknown {
            self.pass(StepWord::TimeOut, &About { message, ..About::default() });
        }
    }

    fn take_publish(&mut self, publish: Publish, late: bool) {
        let (message, attempt) = (publish.message, publish.attempt);
        let about = About { message, ..About::default() };
        let life = self.broker.life;
        self.pass(if late { StepWord::ReceiveLate } else { StepWord::Receive }, &about);
        if self.broker.life != life {
            return;
        }
        let refusals = self.plan.ahead(StepWord::Append, message);
        let is_refused = !refusals.is_empty();
        let knows_how = is_refused && self.broker.party().suffer(Hardship::WriteFails);
        for index in refusals {
            self.plan.fire(index);
            let text = format!("fails to store {message}, and says so");
            self.record.fault(Fault::PublishRefused, Lane::Broker, text);
        }
        if is_refused && !knows_how {
            self.reply(Reply::Refused { message, attempt });
            self.plan.pass(StepWord::Append, message);
            return;
        }
        let kind = if late { "a late copy of publish" } else { "publish" };
        self.record.does(Lane::Broker, format!("takes in {kind} {message}"));
        self.unawaited = late.then_some(message);
        self.tell_broker(ToBroker::Publish { publish, late });
        self.pass(StepWord::Append, &about);
    }

    fn take_reply(&mut self, index: usize) {
        let reply = self.replies.remove(index);
        self.producer.tell(self.now, ToProducer::Reply(reply));
        self.pass(StepWord::TakeReply, &About { message: reply.message(), ..About::default() });
    }

    fn poll_broker(&mut self) {
        let Some(output) = self.broker.party().poll_output() else {
            self.broker_is_silent();
            return;
        };
        self.outputs += 1;
        match output {
            FromBroker::Reply(reply) if self.unawaited == Some(reply.message()) => self.unawaited = None,
            FromBroker::Reply(reply) => self.answer(reply),
            FromBroker::Deliver { consumer, delivery } => self.hand_off(consumer, delivery),
            FromBroker::Settled { consumer, tag, outcome } => self.settled(consumer, tag, outcome),
            FromBroker::DeadLetter { message } => {
                self.record.does(Lane::Broker, format!("sets {message} aside (dead letter)"));
                let kind = EventKind::DeadLetter { message: MessageId(message), group: GROUP };
                self.record.event(BROKER, kind);
                self.stir_broker();
                self.pass(StepWord::DeadLetter, &About { message, ..About::default() });
            }
        }
    }

    /// The broker has no output left. Its inputs may have changed what it has for consumers, so these ask again. A settle that
    /// it received and did not answer gets no answer.
    fn broker_is_silent(&mut self) {
        self.broker.is_stirred = false;
        self.unawaited = None;
        if std::mem::take(&mut self.is_changed) {
            self.asked = [false; 2];
        }
        let unanswered = self.settling.iter().filter(|(_, is_taken)| **is_taken).map(|(key, _)| key.clone());
        for (consumer, tag) in unanswered.collect::<Vec<_>>() {
            self.settling.remove(&(consumer, tag.clone()));
            let message = self.handed[&(consumer, tag.clone())].message;
            self.pass(StepWord::RecordSettle, &About { message, consumer, tag });
        }
    }

    fn answer(&mut self, reply: Reply) {
        let life = self.broker.life;
        let about = About { message: reply.message(), ..About::default() };
        let is_ack = matches!(reply, Reply::Acked { .. });
        if is_ack {
            self.pass(StepWord::Sync, &about);
        }
        if self.broker.life == life {
            self.reply(reply);
            if is_ack {
                self.pass(StepWord::Ack, &about);
            }
        }
    }

    pub(super) fn reply(&mut self, reply: Reply) {
        let word = if matches!(reply, Reply::Acked { .. }) { "ack" } else { "refusal of" };
        self.record.sends(Lane::Broker, Lane::OrderService, format!("{word} {}", reply.message()));
        self.replies.push(reply);
    }

    fn hand_off(&mut self, consumer: u8, delivery: Delivery) {
        let (message, tag) = (delivery.message, delivery.tag.clone());
        let second = if consumer == 0 { "" } else { " to consumer 2" };
        let text = format!("deliver {message} ({tag}){second}");
        self.record.sends(Lane::Broker, Lane::InventoryService, text);
        self.watch.hand_off(self.broker.since, self.now, consumer, &delivery);
        let (position, number) = (delivery.position.map(Position), delivery.number.map(DeliveryNumber));
        self.latest.insert((consumer, message), tag.clone());
        self.handed.insert((consumer, tag.clone()), Handed { message, position, number });
        self.asked = [false; 2];
        self.deliveries.push((consumer, delivery));
        self.pass(StepWord::HandOff, &About { message, consumer, tag });
    }

    fn settled(&mut self, consumer: u8, tag: String, outcome: SettleOutcome) {
        let Some(&Handed { message, .. }) = self.handed.get(&(consumer, tag.clone())) else { return };
        let verb = if outcome == SettleOutcome::Ok { "records as settled:" } else { "refuses the settle of" };
        self.record.does(Lane::Broker, format!("{verb} {message} ({tag})"));
        self.watch.settled(&tag, outcome);
        self.end_settle(consumer, tag.clone(), outcome);
        self.pass(StepWord::RecordSettle, &About { message, consumer, tag });
    }

    /// Ends a settle: its outcome is recorded, and sent to its consumer.
    pub(super) fn end_settle(&mut self, consumer: u8, tag: String, outcome: SettleOutcome) {
        let key = (consumer, tag);
        self.settling.remove(&key);
        let Handed { message, position, number } = self.handed[&key];
        let (message, partition) = (MessageId(message), PartitionId::default());
        let kind = EventKind::Settle { message, group: GROUP, partition, position, delivery: number, outcome };
        self.record.event(record::consumer(consumer), kind);
        let (consumer, tag) = key;
        self.answers.push((consumer, tag, outcome));
    }

    fn take_delivery(&mut self, index: usize) {
        let (consumer, delivery) = self.deliveries.remove(index);
        let about = About { message: delivery.message, consumer, tag: delivery.tag.clone() };
        self.record.does(Lane::InventoryService, format!("{}receives {}", prefix(consumer), delivery.message));
        let payload = self.record.payload(&delivery.payload);
        let kind = EventKind::Deliver {
            message: MessageId(delivery.message),
            group: GROUP,
            partition: PartitionId::default(),
            position: delivery.position.map(Position),
            delivery: delivery.number.map(DeliveryNumber),
            payload,
        };
        self.record.event(record::consumer(consumer), kind);
        let life = self.consumers[usize::from(consumer)].life;
        self.pass(StepWord::Deliver, &about);
        if self.consumers[usize::from(consumer)].life != life {
            return;
        }
        let is_stalled = self.stalled.as_ref().is_some_and(|stalled| stalled.consumer == consumer);
        for index in self.plan.ahead(StepWord::Handle, delivery.message).into_iter().filter(|_| !is_stalled) {
            if self.fail_handler(consumer, MessageId(delivery.message)) {
                self.plan.fire(index);
                self.plan.pass(StepWord::Handle, delivery.message);
            }
        }
        match &mut self.stalled {
            Some(stalled) if stalled.consumer == consumer => stalled.kept = Some(delivery),
            _ => self.tell_consumer(consumer, ToConsumer::Deliver(delivery)),
        }
    }

    pub(super) fn tell_consumer(&mut self, consumer: u8, input: ToConsumer) {
        self.consumers[usize::from(consumer)].tell(self.now, input);
        self.hear_consumer(consumer);
    }

    /// Fetches what the consumer has to say after an input, up to the effect that the input may have made: no crash falls
    /// between an input and its effect. What it says after that is fetched in moves of their own.
    pub(super) fn hear_consumer(&mut self, consumer: u8) {
        self.consumers[usize::from(consumer)].stir(self.now);
        let life = self.consumers[usize::from(consumer)].life;
        while self.consumers[usize::from(consumer)].life == life
            && self.stalled.as_ref().is_none_or(|stalled| stalled.consumer != consumer)
            && !self.poll_consumer(consumer)
        {}
    }

    /// Fetches one output of the consumer. True if it was an effect, or if there was none.
    fn poll_consumer(&mut self, consumer: u8) -> bool {
        let seat = &mut self.consumers[usize::from(consumer)];
        let Some(output) = seat.party().poll_output() else {
            seat.is_stirred = false;
            return true;
        };
        self.outputs += 1;
        let is_effect = matches!(output, FromConsumer::Effect { .. });
        match output {
            FromConsumer::Effect { message, payload } => self.effect(consumer, message, &payload),
            FromConsumer::Settle(settle) => self.send_settle(consumer, settle),
            FromConsumer::Release { tag } => self.words.push((consumer, Word::Release(tag))),
        }
        is_effect
    }

    fn effect(&mut self, consumer: u8, message: u64, payload: &[u8]) {
        self.record.does(Lane::InventoryService, format!("{}makes the effect of {message}", prefix(consumer)));
        let payload = self.record.payload(payload);
        let kind = EventKind::Effect { message: MessageId(message), group: GROUP, payload };
        self.record.event(record::consumer(consumer), kind);
        let tag = self.latest.get(&(consumer, message)).cloned().unwrap_or_default();
        let about = About { message, consumer, tag };
        self.pass(StepWord::Handle, &about);
    }

    fn send_settle(&mut self, consumer: u8, settle: Settle) {
        let tag = settle.tag.clone();
        let Some(&Handed { message, .. }) = self.handed.get(&(consumer, tag.clone())) else {
            let text = format!("{}settles {tag}, which it was never handed", prefix(consumer));
            self.record.does(Lane::InventoryService, text);
            return;
        };
        let text = format!("settle {message} ({tag})");
        self.record.sends(Lane::InventoryService, Lane::Broker, text);
        self.settling.insert((consumer, tag.clone()), false);
        self.words.push((consumer, Word::Settle(settle)));
        self.pass(StepWord::Settle, &About { message, consumer, tag });
    }

    fn take_word(&mut self, index: usize) {
        let (consumer, word) = self.words.remove(index);
        match word {
            Word::Settle(settle) => {
                self.settling.insert((consumer, settle.tag.clone()), true);
                self.tell_broker(ToBroker::Settle { consumer, settle });
            }
            Word::Release(tag) => {
                self.watch.released(&tag);
                self.tell_broker(ToBroker::Release { consumer, tag });
            }
        }
    }
}

pub(super) fn prefix(consumer: u8) -> &'static str {
    if consumer == 0 { "" } else { "consumer 2 " }
}
