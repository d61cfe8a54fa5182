//! ack-honesty: producer ack => the record is durable.
//!
//! Judged when the producer takes the ack in: what is durable then stays so. Claimed where acks come after the sync; an
//! ack on receipt says that the broker has the message in memory, and claims nothing about its disk.

use super::inspection::{Happened, Inspection};
use super::whitebox_rules::WhiteboxRules;
use crate::party_state::{PartyState, holds};
use crate::pipeline::Pipeline;
use crate::vocab::{MessageId, Move, Step};

/// The property.
pub(in crate::semantics) struct AckHonesty;

impl Inspection for AckHonesty {
    const WORD: &'static str = "ack-honesty";
    const FORMULA: &'static str = "producer ack => the record is durable";
    type Note = ();

    fn is_claimed_by(pipeline: &Pipeline) -> bool {
        pipeline.broker.acks.wait_for_disk()
    }

    fn concerns(_: &WhiteboxRules, step: Step) -> bool {
        matches!(step, Step::Move(Move::TakeReply { .. }))
    }

    fn after(_: &WhiteboxRules, _: (), _: Step, happened: Happened, inside: &impl PartyState) -> Result<(), MessageId> {
        match happened.acked {
            Some(message) if !holds(inside, message, inside.synced()) => Err(message),
            _ => Ok(()),
        }
    }
}
