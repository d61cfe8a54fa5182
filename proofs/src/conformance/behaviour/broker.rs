//! What a broker's settings promise.

use delivery_model::pipeline::{self, Dedup, DedupOnRestart, Delivers, Leases, Pipeline, RecordsSettles};
use delivery_model::semantics::PropertyId;
use delivery_model::vocab::{Fault, SettleOutcome};

use super::{Behaviour, Bench, Checked, expect, is_leased};
use crate::party::{Broker, Delivery, FromBroker, Identity, Publish, Reply, Settle, ToBroker};

/// Asks a broker for everything that the settings promise. `open`: opens one on its disk, an empty one at first.
pub fn broker<B: Broker>(pipeline: &Pipeline, open: impl Fn(B::Disk) -> B) -> Vec<Checked> {
    let subject = || Subject { bench: Bench::new(&open), asks: pipeline.clone() };
    behaviours().iter().map(|behaviour| behaviour.check(pipeline, subject)).collect()
}

fn repeats(pipeline: &Pipeline) -> bool {
    is_leased(pipeline) && pipeline.broker.delivers == Delivers::UntilSettled
}

/// Whether a delivery may be lost, or a lease may end before its delivery is settled: then leases must end.
fn ends_leases(pipeline: &Pipeline) -> bool {
    [Fault::DeliveryLost, Fault::LeaseExpiry].iter().any(|fault| pipeline.faults.of(*fault) > 0)
}

fn recognises(pipeline: &Pipeline) -> bool {
    is_leased(pipeline) && pipeline.broker.dedup != Dedup::None
}

struct Subject<'a, B: Broker> {
    bench: Bench<'a, B>,
    asks: Pipeline,
}

fn behaviours<'a, B: Broker>() -> Vec<Behaviour<Subject<'a, B>>> {
    use PropertyId::*;
    vec![
        Behaviour::new(
            "what was acked outlives a crash",
            AckHonesty,
            |it| repeats(it) && it.broker.acks.wait_for_disk(),
            Subject::acked_outlives_a_crash,
        ),
        Behaviour::new("a retry is stored once", DedupCompleteness, recognises, Subject::retry_is_stored_once),
        Behaviour::new(
            "a retry after a restart is stored once",
            DedupCompleteness,
            |it| recognises(it) && it.broker.dedup_on_restart == DedupOnRestart::Rebuilt,
            Subject::retry_after_a_restart_is_stored_once,
        ),
        Behaviour::new(
            "an older incarnation of the producer is fenced off",
            Fencing,
            |it| it.broker.fencing && it.producer.identity == pipeline::Identity::Sequence && is_leased(it),
            Subject::older_incarnation_is_fenced_off,
        ),
        Behaviour::new(
            "nobody else gets it while its lease is live",
            LeaseExclusive,
            repeats,
            Subject::lease_is_exclusive,
        ),
        Behaviour::new(
            "it comes again when its lease ends",
            SubmittedNotLost,
            |it| repeats(it) && ends_leases(it),
            Subject::comes_again_after_its_lease,
        ),
        Behaviour::new(
            "it comes again when its consumer is gone",
            SubmittedNotLost,
            repeats,
            Subject::comes_again_after_a_crash,
        ),
        Behaviour::new(
            "a stale settle is refused, and changes nothing",
            StaleSettleRefused,
            |it| repeats(it) && ends_leases(it) && it.broker.leases == Leases::Checked,
            Subject::stale_settle_is_refused,
        ),
        Behaviour::new(
            "a settle settles no earlier message",
            SubmittedNotLost,
            |it| repeats(it) && it.broker.max_deliveries != 1,
            Subject::settles_nothing_else,
        ),
        Behaviour::new(
            "what was settled does not come again",
            NoDeliveryAfterSettle,
            is_leased,
            Subject::settled_is_over,
        ),
        Behaviour::new(
            "what was settled does not come again after a restart",
            NoDeliveryAfterSettle,
            |it| is_leased(it) && it.broker.records_settles == RecordsSettles::AfterSync,
            Subject::settled_is_over_after_a_restart,
        ),
        Behaviour::new(
            "what is handed off once is not handed off again",
            NoDuplicateDelivery,
            |it| is_leased(it) && it.broker.delivers == Delivers::Once,
            Subject::handed_off_once,
        ),
        Behaviour::new(
            "what fails too often is set aside",
            PoisonBounded,
            |it| repeats(it) && it.broker.max_deliveries > 0,
            Subject::set_aside_after_too_many,
        ),
    ]
}

impl<B: Broker> Subject<'_, B> {
    fn attempt(&self, message: u64, attempt: u32, epoch: u32) -> ToBroker {
        let identity = match self.asks.producer.identity {
            pipeline::Identity::None => Identity::None,
            pipeline::Identity::MessageId => Identity::Message { session: 0 },
            pipeline::Identity::Sequence => Identity::Sequence { session: 0, number: message - 1 },
        };
        let publish = Publish { identity, epoch, ..Publish::new(message, format!("order {message}"), attempt) };
        ToBroker::Publish { publish, late: false }
    }

    /// Publishes, and returns the reply among all outputs that follow.
    fn publish(&mut self, attempt: u32, epoch: u32) -> Option<Reply> {
        let input = self.attempt(1, attempt, epoch);
        self.bench.tell(input).into_iter().find_map(reply)
    }

    /// Publishes, and fetches outputs only up to the reply.
    fn publish_until_answered(&mut self) -> Option<Reply> {
        let input = self.attempt(1, 1, 0);
        self.bench.ask(input, reply)
    }

    fn receive(&mut self, consumer: u8) -> Option<Delivery> {
        self.bench.ask(ToBroker::Receive { consumer }, |output| match output {
            FromBroker::Deliver { delivery, .. } => Some(delivery),
            _ => None,
        })
    }

    fn gets_it(&mut self, consumer: u8, when: &str) -> Result<Delivery, String> {
        self.receive(consumer).ok_or_else(|| format!("consumer {consumer} gets nothing {when}"))
    }

    fn gets_nothing(&mut self, consumer: u8, when: &str) -> Result<(), String> {
        let got = self.receive(consumer);
        expect(got.is_none(), || format!("consumer {consumer} gets message {} {when}", got.unwrap().message))
    }

    fn settle(&mut self, consumer: u8, tag: &str) -> Option<SettleOutcome> {
        self.bench.ask(ToBroker::Settle { consumer, settle: Settle::new(tag) }, |output| match output {
            FromBroker::Settled { outcome, .. } => Some(outcome),
            _ => None,
        })
    }

    fn lease_ends(&mut self) -> Result<(), String> {
        expect(self.bench.wait(), || "it names no deadline at which the lease could end".to_owned())
    }

    fn acked_outlives_a_crash(&mut self) -> Result<(), String> {
        let reply = self.publish_until_answered();
        let is_acked = matches!(reply, Some(Reply::Acked { .. }));
        expect(is_acked, || format!("it does not ack the message: {reply:?}"))?;
        self.bench.crash();
        self.gets_it(0, "after the crash").map(drop)
    }

    fn retry_is_stored_once(&mut self) -> Result<(), String> {
        self.publish(1, 0);
        self.publish(2, 0);
        let first = self.gets_it(0, "of what was published")?;
        self.settle(0, &first.tag);
        self.gets_nothing(0, "a second time")
    }

    fn retry_after_a_restart_is_stored_once(&mut self) -> Result<(), String> {
        self.publish(1, 0);
        self.bench.crash();
        self.publish(2, 0);
        let first = self.gets_it(0, "of what was published")?;
        self.settle(0, &first.tag);
        self.gets_nothing(0, "a second time")
    }

    fn older_incarnation_is_fenced_off(&mut self) -> Result<(), String> {
        self.bench.tell(ToBroker::ProducerConnected { epoch: 0 });
        self.bench.tell(ToBroker::ProducerConnected { epoch: 1 });
        let is_acked = matches!(self.publish(1, 0), Some(Reply::Acked { .. }));
        expect(!is_acked, || "an attempt of incarnation 0 is acked after incarnation 1 has begun".to_owned())?;
        self.gets_nothing(0, "that incarnation 0 published after incarnation 1 had begun")
    }

    fn lease_is_exclusive(&mut self) -> Result<(), String> {
        self.publish(1, 0);
        self.gets_it(0, "of what was published")?;
        self.gets_nothing(1, "while consumer 0 has it")
    }

    fn comes_again_after_its_lease(&mut self) -> Result<(), String> {
        self.publish(1, 0);
        self.gets_it(0, "of what was published")?;
        self.lease_ends()?;
        self.gets_it(1, "after the lease has ended").map(drop)
    }

    fn comes_again_after_a_crash(&mut self) -> Result<(), String> {
        self.publish(1, 0);
        self.gets_it(0, "of what was published")?;
        self.bench.tell(ToBroker::ConsumerGone { consumer: 0 });
        self.bench.wait();
        self.gets_it(1, "after consumer 0 is gone").map(drop)
    }

    fn stale_settle_is_refused(&mut self) -> Result<(), String> {
        self.publish(1, 0);
        let stale = self.gets_it(0, "of what was published")?;
        self.lease_ends()?;
        let current = self.gets_it(1, "after the lease has ended")?;
        let outcome = self.settle(0, &stale.tag);
        expect(outcome != Some(SettleOutcome::Ok), || "the settle of the earlier delivery is taken".to_owned())?;
        let outcome = self.settle(1, &current.tag);
        expect(outcome != Some(SettleOutcome::Refused), || "the settle of the current delivery is refused".to_owned())
    }

    fn settles_nothing_else(&mut self) -> Result<(), String> {
        self.publish(1, 0);
        let input = self.attempt(2, 1, 0);
        self.bench.tell(input);
        let first = self.gets_it(0, "of what was published")?;
        // A broker that hands off one at a time cannot make this mistake.
        let Some(second) = self.receive(0) else { return Ok(()) };
        self.settle(0, &second.tag);
        self.bench.tell(ToBroker::ConsumerGone { consumer: 0 });
        self.bench.wait();
        let again = self.gets_it(1, "after consumer 0 is gone, which settled the second message only")?.message;
        expect(again == first.message, || format!("message {again} comes again in place of message {}", first.message))
    }

    fn settled_is_over(&mut self) -> Result<(), String> {
        self.publish(1, 0);
        let delivery = self.gets_it(0, "of what was published")?;
        self.settle(0, &delivery.tag);
        self.bench.wait();
        self.gets_nothing(0, "that it has settled")
    }

    fn settled_is_over_after_a_restart(&mut self) -> Result<(), String> {
        self.publish(1, 0);
        let delivery = self.gets_it(0, "of what was published")?;
        let outcome = self.settle(0, &delivery.tag);
        expect(outcome == Some(SettleOutcome::Ok), || format!("the settle is answered with {outcome:?}"))?;
        self.bench.crash();
        self.gets_nothing(0, "that it had settled before the restart")
    }

    fn handed_off_once(&mut self) -> Result<(), String> {
        self.publish(1, 0);
        self.gets_it(0, "of what was published")?;
        self.bench.tell(ToBroker::ConsumerGone { consumer: 0 });
        self.bench.wait();
        self.gets_nothing(0, "for the second time")?;
        self.bench.crash();
        self.gets_nothing(0, "for the second time, after a restart")
    }

    fn set_aside_after_too_many(&mut self) -> Result<(), String> {
        self.publish(1, 0);
        for _ in 0..self.asks.broker.max_deliveries {
            let delivery = self.gets_it(0, "although it was not delivered often enough")?;
            self.bench.tell(ToBroker::Release { consumer: 0, tag: delivery.tag });
            self.bench.wait();
        }
        self.gets_nothing(0, "once more than is allowed")
    }
}

fn reply(output: FromBroker) -> Option<Reply> {
    match output {
        FromBroker::Reply(reply) => Some(reply),
        _ => None,
    }
}
