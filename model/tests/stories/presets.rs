//! The story that each product's preset is known for: under which faults its claim breaks, or holds and something else is told.
//!
//! The claims under the usual faults are held by the atlas; here the faults are those of the story, each once.

use delivery_model::check::Explored;
use delivery_model::pipeline::{Acks, FaultBudget, Pipeline};
use delivery_model::presets;
use delivery_model::semantics::{PropertyId, Verdict};
use delivery_model::vocab::Fault::{self, *};

use super::explored;

fn preset(name: &str) -> Pipeline {
    presets::named(name).expect("the preset exists")
}

/// What is found under these faults, and what becomes of the claim.
fn judged(pipeline: &Pipeline, faults: &[Fault]) -> (Explored, Verdict) {
    let faults = FaultBudget::once_each(faults.iter().copied());
    let explored = explored(&Pipeline { faults, ..pipeline.clone() });
    let promised = explored.verdicts.of(pipeline.promises.expect("it promises something"));
    (explored, promised)
}

/// The claim has this verdict under these faults, and this property breaks with exactly these faults in its story. Without any
/// one of them there is no such story.
#[track_caller]
fn check(name: &str, faults: &[Fault], claim: Verdict, property: PropertyId) {
    let (found, promised) = judged(&preset(name), faults);
    assert_eq!(promised, claim, "{name}");
    assert!(found.violations.iter().any(|it| it.property == property), "{name}: {property} is kept");
    for left_out in faults {
        let others: Vec<Fault> = faults.iter().copied().filter(|fault| fault != left_out).collect();
        let (without, _) = judged(&preset(name), &others);
        let is_told = without.violations.iter().any(|it| it.property == property);
        assert!(!is_told, "{name}: the story does not need {left_out}");
    }
}

/// The claim survives these faults.
#[track_caller]
fn survives(pipeline: &Pipeline, faults: &[Fault]) {
    assert_eq!(judged(pipeline, faults).1, Verdict::Holds, "{}", pipeline.name);
}

#[test]
fn what_is_acked_too_early_is_lost() {
    check("kafka-auto-commit", &[ConsumerCrash], Verdict::Violated, PropertyId::AckedNotLost);
    check("jetstream-r1", &[BrokerCrash], Verdict::Violated, PropertyId::AckedNotLost);
    check("mosquitto-qos1", &[BrokerCrash], Verdict::Violated, PropertyId::AckedNotLost);
    check("mosquitto-qos2", &[BrokerCrash], Verdict::Violated, PropertyId::AckedNotLost);
    check("redis-streams-everysec", &[BrokerCrash], Verdict::Violated, PropertyId::AckedNotLost);
    check("redis-streams-failover", &[Failover], Verdict::Violated, PropertyId::AckedNotLost);
    check("sidekiq", &[ConsumerCrash], Verdict::Violated, PropertyId::AckedNotLost);
}

#[test]
fn what_failed_is_lost_where_nobody_keeps_it() {
    check("rabbitmq-quorum", &[Poison], Verdict::Violated, PropertyId::AckedNotLost);
    check("rabbitmq-dlx", &[HandlerFails, DeadLetterLost], Verdict::Violated, PropertyId::AckedNotLost);
    check("celery-acks-late", &[HandlerFails], Verdict::Violated, PropertyId::AckedNotLost);
}

#[test]
fn a_row_that_commits_late_is_passed_over() {
    check("kafka-connect-source", &[CommitReordered], Verdict::Violated, PropertyId::SubmittedNotLost);
    check("postgres-outbox-cursor", &[CommitReordered], Verdict::Violated, PropertyId::SubmittedNotLost);
    survives(&preset("debezium-outbox"), &[CommitReordered, ProducerCrash]);
}

#[test]
fn what_comes_again_breaks_a_claim_of_exactly_once() {
    let msgid = preset("jetstream-workqueue-msgid");
    survives(&msgid, &[PublishAckLost]);
    assert_eq!(judged(&msgid, &[PublishAckLost, BrokerCrash]).1, Verdict::Violated);
    check("pubsub-exactly-once", &[PublishAckLost], Verdict::Violated, PropertyId::NoDuplicateEffect);
    check("sqs-fifo", &[PublishAckLost, DedupForgotten], Verdict::Violated, PropertyId::NoDuplicateEffect);
}

#[test]
fn what_comes_again_is_told_where_at_least_once_holds() {
    check("jetstream-r1-sync-always", &[BrokerCrash], Verdict::Holds, PropertyId::NoDeliveryAfterSettle);
    check("rabbitmq-classic", &[BrokerCrash], Verdict::Holds, PropertyId::NoDeliveryAfterSettle);
    check("bullmq", &[LeaseExpiry], Verdict::Holds, PropertyId::NoDuplicateEffect);
    check("azure-service-bus-peek-lock", &[LeaseExpiry], Verdict::Holds, PropertyId::NoDuplicateEffect);
    check("good-job", &[ConsumerCrash], Verdict::Holds, PropertyId::NoDuplicateEffect);
    check("kafka-retry-topic", &[ConsumerCrash], Verdict::Holds, PropertyId::NoDuplicateEffect);
}

#[test]
fn a_claim_survives_the_fault_that_it_speaks_of() {
    survives(&preset("kafka-replicated"), &[Failover, ConsumerCrash]);
    let mut weaker = preset("kafka-replicated");
    weaker.broker.acks = Acks::AfterSync;
    assert_eq!(judged(&weaker, &[Failover]).1, Verdict::Violated);
    survives(&preset("kafka-retry-topic"), &[HandlerFails, ConsumerCrash]);
    survives(&preset("redis-streams-always"), &[BrokerCrash, ConsumerCrash]);
    survives(&preset("sidekiq-superfetch"), &[HandlerCrashes]);
}
