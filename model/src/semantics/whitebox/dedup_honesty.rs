//! dedup-honesty: suppressed as a duplicate => this very m is in the log.
//!
//! A false "seen" loses the message. That the record is *durable* before anybody hears of it is ack-honesty's say: a copy
//! of what is not synced yet may be suppressed, as long as both wait for the same sync.
//!
//! Claimed wherever the broker recognises retries. A memory of identities never errs this way. A memory of highest
//! numbers does once it has forgotten a session that was begun: one that is not remembered may begin anywhere, and what
//! was skipped there is taken for old later, acked, and lost.

use super::inspection::{Happened, Inspection};
use super::whitebox_rules::WhiteboxRules;
use crate::party_state::{Decision, PartyState, holds};
use crate::pipeline::{Dedup, Pipeline};
use crate::vocab::{MessageId, Move, Step};

/// The property.
pub(in crate::semantics) struct DedupHonesty;

impl Inspection for DedupHonesty {
    const WORD: &'static str = "dedup-honesty";
    const FORMULA: &'static str = "suppressed as a duplicate => this very m is in the log";
    /// The message that would be suppressed falsely.
    type Note = Option<MessageId>;

    fn is_claimed_by(pipeline: &Pipeline) -> bool {
        pipeline.broker.dedup != Dedup::None
    }

    fn concerns(_: &WhiteboxRules, step: Step) -> bool {
        matches!(step, Step::Move(Move::Append { .. }))
    }

    fn before(_: &WhiteboxRules, _: Step, inside: &impl PartyState) -> Option<MessageId> {
        let suppressed = inside.received().filter(|received| received.decision == Decision::Duplicate)?.message;
        (!holds(inside, suppressed, inside.end())).then_some(suppressed)
    }

    fn after(
        _: &WhiteboxRules,
        lost: Option<MessageId>,
        _: Step,
        _: Happened,
        _: &impl PartyState,
    ) -> Result<(), MessageId> {
        lost.map_or(Ok(()), Err)
    }
}
