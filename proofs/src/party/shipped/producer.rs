//! The shipped producer, on an outbox.

use std::collections::VecDeque;
use std::time::Duration;

use delivery_impls::core::producer::Producer;
use delivery_impls::core::report::Report;
use delivery_impls::core::steps::{ProducerSteps, Sound};
use delivery_impls::core::time::Millis;
use delivery_impls::core::tuning::Tuning;
use delivery_impls::data::record;
use delivery_impls::data::record::Verdict;
use delivery_impls::store::OutboxStore;
use delivery_impls::store::simulated::SimulatedOutbox;
use delivery_model::pipeline::Pipeline;
use delivery_model::vocab::{AttemptNumber, EventKind, MessageId};

use super::{PRODUCER, WORKS, duration, from_core, millis};
use crate::party::{FromProducer, Party, Publish, Reply, ToProducer};

/// The shipped producer, as a party.
pub struct ShippedProducer<O = SimulatedOutbox, S = Sound> {
    core: Producer<O, S>,
    now: Millis,
    connects: VecDeque<FromProducer>,
}

/// Opens the producer of these settings on a simulated outbox.
pub fn producer(pipeline: &Pipeline) -> impl Fn(SimulatedOutbox) -> ShippedProducer + use<> {
    producer_with(pipeline, Sound)
}

/// The same, on an outbox of yours, and with steps of the caller's choice: [`Sound`] ones, or a seeded bug's.
pub fn producer_with<O: OutboxStore + Default, S: ProducerSteps>(
    pipeline: &Pipeline,
    steps: S,
) -> impl Fn(O) -> ShippedProducer<O, S> + use<O, S> {
    let pipeline = pipeline.clone();
    move |outbox| {
        let core = Producer::with_steps(&pipeline, Tuning::default(), PRODUCER, outbox, steps.clone()).expect(WORKS);
        let connects = VecDeque::from([FromProducer::Connect { epoch: core.epoch().0 }]);
        ShippedProducer { core, now: Millis::default(), connects }
    }
}

impl<O: OutboxStore + Default, S: ProducerSteps> Party for ShippedProducer<O, S> {
    type Input = ToProducer;
    type Output = FromProducer;
    type Disk = O;

    fn handle_input(&mut self, now: Duration, input: ToProducer) {
        self.now = millis(now);
        match input {
            ToProducer::Submit(message) => {
                self.core
                    .submit(MessageId(message.id), message.payload.into())
                    .expect("ids are new, and there is room");
            }
            ToProducer::Reply(reply) => self.core.handle_reply(self.now, to_core(reply)).expect(WORKS),
        }
    }

    fn poll_output(&mut self) -> Option<FromProducer> {
        if let Some(connect) = self.connects.pop_front() {
            return Some(connect);
        }
        while let Some(Report { kind, .. }) = self.core.poll_report() {
            // Submissions and attempts are written down where they are seen.
            if let EventKind::Outcome { message, attempt, outcome, .. } = kind {
                let attempt = attempt.map_or(0, |attempt| attempt.0);
                return Some(FromProducer::Outcome { message: message.0, attempt, outcome });
            }
        }
        let publish = self.core.transmit(self.now).expect(WORKS)?;
        Some(FromProducer::Publish(from_record(publish)))
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.now = millis(now);
        self.core.handle_timeout(self.now).expect(WORKS);
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.core.poll_timeout().map(duration)
    }

    fn crash(self) -> O {
        self.core.into_store()
    }
}

fn from_record(publish: record::Publish) -> Publish {
    let record::Publish { record, attempt } = publish;
    Publish {
        message: record.message.0,
        payload: record.payload.to_vec(),
        attempt: attempt.0,
        identity: from_core(record.identity),
        epoch: record.epoch.0,
    }
}

fn to_core(reply: Reply) -> record::Reply {
    let (message, attempt, verdict) = match reply {
        Reply::Acked { message, attempt, position } => {
            (message, attempt, Verdict::Acked(position.map(super::position)))
        }
        Reply::Refused { message, attempt } => (message, attempt, Verdict::Refused),
    };
    record::Reply { message: MessageId(message), attempt: AttemptNumber(attempt), verdict }
}
