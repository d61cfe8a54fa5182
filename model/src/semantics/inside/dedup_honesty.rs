//! dedup-honesty: suppressed as a duplicate => this very m is in the log.
//!
//! A false "seen" loses the message. That the record is *durable* before anybody hears of it is ack-honesty's say: a copy
//! of what is not synced yet may be suppressed, as long as both wait for the same sync.
//!
//! Claimed of a memory of identities, which never errs this way, and of a memory of highest numbers as long as a
//! session that was begun is not forgotten: one that is not remembered may go on anywhere, and what it skipped there
//! is taken for old later.

use super::{Happened, Inspection, Terms};
use crate::inside::{Decision, Inside, holds};
use crate::pipeline::{Dedup, DedupOnRestart, OnRestart, Pipeline};
use crate::semantics::PropertyId;
use crate::vocab::{Fault, MessageId, Step};

pub(super) struct DedupHonesty;

impl Inspection for DedupHonesty {
    const PROPERTY: PropertyId = PropertyId::DedupHonesty;
    /// The message that would be suppressed falsely.
    type Note = Option<MessageId>;

    fn is_claimed_by(pipeline: &Pipeline) -> bool {
        match pipeline.broker.dedup {
            Dedup::None => false,
            Dedup::MessageId => true,
            Dedup::Sequence => !forgets_sessions(pipeline),
        }
    }

    fn concerns(_: &Terms, step: Step) -> bool {
        matches!(step, Step::Append { .. })
    }

    fn before(_: &Terms, _: Step, inside: &impl Inside) -> Option<MessageId> {
        let suppressed = inside.received().filter(|received| received.decision == Decision::Duplicate)?.message;
        (!holds(inside, suppressed, inside.end())).then_some(suppressed)
    }

    fn after(_: &Terms, lost: Option<MessageId>, _: Step, _: Happened, _: &impl Inside) -> Result<(), MessageId> {
        lost.map_or(Ok(()), Err)
    }
}

/// A session may have no record within the memory although it was begun. The only session of an outbox always has the
/// latest records.
fn forgets_sessions(pipeline: &Pipeline) -> bool {
    let (broker, faults) = (&pipeline.broker, &pipeline.faults);
    let has_sessions = pipeline.producer.on_restart != OnRestart::Outbox;
    faults.of(Fault::DedupForgotten) > 0
        || broker.dedup_on_restart == DedupOnRestart::Forgotten && faults.of(Fault::BrokerCrash) > 0
        || broker.dedup_window > 0 && has_sessions
}
