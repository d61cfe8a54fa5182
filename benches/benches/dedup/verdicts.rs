//! What the model says of a pipeline whose broker has a memory of a kind: within what it remembers, and past it.
//!
//! The pipeline is the exactly-once reference without the consumer's inbox, so that all depends on the broker's
//! memory: two messages in flight, whose acks are lost and whose attempts come in another order. A memory that accepts
//! what it forgot is one that forgets all; one that refuses answers with a refusal where it would confirm. No setting of
//! the model stands for a memory that confirms what it never saw, so for one that suppresses there is no verdict: what it
//! does not let in is lost.

use std::fmt;

use delivery_memories::Errs;
use delivery_model::check::{Limits, explore};
use delivery_model::pipeline::{AnswersDuplicates, Dedup, FaultBudget, Identity, Obligation, Pipeline, Remembers};
use delivery_model::presets;
use delivery_model::semantics::PropertyId;
use delivery_model::vocab::Fault;

/// The most faults of a run.
const FAULTS: u32 = 2;

/// What a pipeline comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comes {
    /// Nothing is lost or repeated.
    Kept,
    /// A message has its effect twice.
    Repeats,
    /// A message that was confirmed has no effect.
    Loses,
    /// A message that was submitted is refused for ever; its producer knows.
    Refuses,
}

impl fmt::Display for Comes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Comes::Kept => "kept",
            Comes::Repeats => "repeats",
            Comes::Loses => "loses",
            Comes::Refuses => "refuses",
        })
    }
}

/// The verdicts on memories of each kind.
pub struct Verdicts(Vec<(Errs, Comes)>);

impl Verdicts {
    /// Asks the checker.
    pub fn new() -> Verdicts {
        let kinds = [Errs::Never, Errs::Accepts, Errs::Refuses];
        Verdicts(kinds.map(|errs| (errs, check(errs))).to_vec())
    }

    /// The verdict past what a memory of this kind remembers; one that forgets nothing has none but that within. None where the
    /// model has no such memory.
    pub fn of(&self, errs: Errs) -> Option<Comes> {
        self.0.iter().find(|(kind, _)| *kind == errs).map(|(_, comes)| *comes)
    }
}

fn pipeline(errs: Errs, obligation: Obligation) -> Pipeline {
    let mut pipeline = presets::named("exactly-once").expect("a reference");
    pipeline.obligation = obligation;
    pipeline.producer.in_flight = 2;
    pipeline.consumer.remembers = Remembers::Nothing;
    (pipeline.producer.identity, pipeline.broker.dedup) = match errs {
        Errs::Never | Errs::Accepts => (Identity::MessageId, Dedup::MessageId),
        Errs::Refuses => (Identity::Sequence, Dedup::Sequence),
        Errs::Suppresses => unreachable!("the model has no such memory"),
    };
    // Whoever refuses what may have been stored answers nothing else to a duplicate.
    if errs == Errs::Refuses {
        pipeline.broker.answers_duplicates = AnswersDuplicates::Refuse;
    }
    let forgets = (errs == Errs::Accepts).then_some(Fault::DedupForgotten);
    let of_the_wire = [Fault::PublishAckLost, Fault::PublishLost, Fault::PublishReordered, Fault::PublishDuplicated];
    pipeline.faults = FaultBudget::once_each(of_the_wire.into_iter().chain(forgets)).capped(FAULTS);
    pipeline
}

fn check(errs: Errs) -> Comes {
    let is_broken = |obligation, property| {
        let explored = explore(&pipeline(errs, obligation), Limits::default(), &|_| true).expect("two messages fit");
        assert!(explored.is_complete(), "every state within two messages and two faults is seen");
        explored.violations.iter().any(|violation| violation.property == property)
    };
    match () {
        _ if is_broken(Obligation::Acked, PropertyId::AckedNotLost) => Comes::Loses,
        _ if is_broken(Obligation::Acked, PropertyId::NoDuplicateEffect) => Comes::Repeats,
        _ if is_broken(Obligation::Submitted, PropertyId::SubmittedNotLost) => Comes::Refuses,
        _ => Comes::Kept,
    }
}
